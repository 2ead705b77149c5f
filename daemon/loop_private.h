// daemon/loop_private.h - what the files of the loop share: one struct, and who does what with it.
//
//   loop.c        what happens outside, the next file, when to end
//   loop_file.c   the files at hand: parse and store jobs, and what became of them
//   loop_publish.c  when rollups are written
//   loop_reload.c   another configuration
//   loop_status.c   the control socket and metrics
//   loop_service.c  the watchdog, and what systemd and a terminal are told
//
// Everything here belongs to the loop thread. A worker sees the struct only through the job that
// it was given, and touches what that job names.
#ifndef DAEMON_LOOP_PRIVATE_H
#define DAEMON_LOOP_PRIVATE_H

#include "daemon/group.h"
#include "daemon/intake.h"
#include "daemon/log_limit.h"
#include "daemon/loop.h"
#include "daemon/noted.h"
#include "daemon/pause.h"
#include "daemon/queue.h"
#include "daemon/scan.h"
#include "daemon/status.h"
#include "daemon/unclosed.h"

#include <uv.h>

enum store_job {
    JOB_READ,   // a chunk of the long file, while the one before it is stored
    JOB_SETTLE, // the long file
    JOB_GROUP,
    JOB_RETIRE_KNOWN,
    JOB_PUBLISH,
    JOB_FOLD,
    JOB_RELOAD,
    JOB_REFRESH,
};

struct control;

// When one worker told the loop last that it came further. Of that worker alone.
struct loop_pace {
    uv_async_t *step;
    uint64_t told_ns;
};

struct loop {
    const struct loop_options *options;
    const struct config *config;     // in force
    struct config *own_config;       // the same, when it came by a reload
    struct config *next_config;      // waits for the files at hand
    struct config *reloading_config; // JOB_RELOAD has it
    uv_loop_t uv;
    uv_poll_t watch;
    uv_timer_t scan_timer;
    uv_timer_t retry_timer;
    uv_timer_t refresh_timer;
    uv_timer_t heart_timer;
    uv_async_t step; // a worker came further
    struct loop_pace parse_pace;
    struct loop_pace store_pace;
    bool stepped;   // since the heart beat last
    bool told_idle; // in the status of the service
    uv_signal_t signals[2];
    uv_signal_t hangup;
    int watch_fd;
    struct queue reclaimed; // names in claimed/ from before, or that have to wait there
    struct queue queue;     // names in the inbox
    int order_fd;           // in which they are claimed (claim_order.h)
    size_t ordered;         // the next so many names of the two queues stand in it
    size_t found;           // by the last look at the inbox
    size_t taken;           // of the queue since then
    struct scan_memory memory;
    struct unclosed unclosed; // in the inbox
    bool scan_wanted;
    bool stopping;
    bool paused;        // no room on the disk, or no server: wait for the retry timer
    struct pause pause; // why, and since when; ends when it really goes on
    int exit_status;
    bool any_rejected;

    struct group group; // short files that were claimed one after the other: the store's next job
    struct intake *intake; // a long file behind them, or one of the last run to be looked at
    uint64_t progress_ms;
    enum intake_end read_end; // so far
    bool unsynced;            // it is sealed, and waits for its sync
    struct noted noted;       // among the reclaimed

    uv_work_t store_work;
    bool store_busy;
    enum store_job job;
    enum intake_end settle_as;
    bool job_ok;
    enum intake_result result;
    struct tally_err job_err;
    uint64_t job_started_ns;
    uint64_t published_ms; // or folded, or tried to
    bool fold_failed;      // the last time
    bool refresh_wanted;   // of a store that others write to
    bool refreshed;        // since rollups were written last

    int64_t began_ms; // of the clock
    struct log_limit log_limit;
    struct stats stats;
    struct status_store seen; // what the store said when no worker had it
    uint64_t read_bytes;      // of the file at hand, after its last chunk
    uint64_t read_rows;
    bool sizes_taken;
    uint64_t sizes_ms;
    uint64_t ledger_bytes;
    uint64_t *rollup_bytes; // in the order of seen.rollup
    struct control *control;
    uv_timer_t look_timer; // somebody asked for a look at the inbox
    uint64_t looked_ms;
    uv_timer_t metrics_timer;
    uv_work_t metrics_work;
    bool writes_metrics;
    struct bytes metrics; // the text, and where it goes: the worker's while writes_metrics
    char *metrics_path;
    bool metrics_ok;
    struct tally_err metrics_err;
};

// ---- loop.c -------------------------------------------------------------------------------

// The whole state machine: after every event it starts whatever may run now.
void loop_advance(struct loop *loop);

// Nothing new is started; what is in flight finishes. 0 is an ordinary end.
void loop_stop(struct loop *loop, int exit_status);

// The store failed for good: the next start recovers from what the disk really holds.
void loop_fail(struct loop *loop, const char *event, const char *file, const struct tally_err *err);

// The disk or the memory has no room now, or the servers cannot be reached: nothing is taken in
// until the retry timer.
void loop_pause(struct loop *loop, const char *event, const char *file,
                const struct tally_err *err);

// What `event` told of is over, if it was on.
void loop_resume(struct loop *loop, const char *event);

// Everything that the loop says goes through these two, so that a flood is summed up.
void loop_log(struct loop *loop, struct log_line *line);
void loop_log_failure(struct loop *loop, enum log_priority priority, const char *event,
                      const char *file, const struct tally_err *err);

// A worker has a job.
bool loop_is_working(const struct loop *loop);

// ---- loop_publish.c -----------------------------------------------------------------------

void loop_start_publishing(struct loop *loop);
bool loop_refresh_is_due(const struct loop *loop);
bool loop_publish_is_due(const struct loop *loop, bool nothing_waits);
bool loop_fold_is_due(const struct loop *loop);
void loop_on_refreshed(struct loop *loop);
void loop_on_published(struct loop *loop);
void loop_on_folded(struct loop *loop);

// ---- loop_file.c --------------------------------------------------------------------------

// Makes an opened file one of those at hand: a short one goes into the group. False: it could not
// be; it is tried again later.
bool loop_open_file(struct loop *loop, const char *name, int fd, const struct disk_entry *entry,
                    bool reclaimed);
void loop_drop_file(struct loop *loop);
struct status_file loop_file_status(const struct loop *loop); // of its last chunk

// What the long file at hand may do next.
void loop_advance_file(struct loop *loop);

void loop_start_store_job(struct loop *loop, enum store_job job);

// ---- loop_reload.c ------------------------------------------------------------------------

void loop_listen_for_reload(struct loop *loop);
bool loop_start_reload(struct loop *loop); // false: no configuration waits
void loop_run_reload(struct loop *loop);   // on a worker
void loop_on_reloaded(struct loop *loop);
void loop_end_reload(struct loop *loop);

// ---- loop_status.c ------------------------------------------------------------------------

void loop_start_status(struct loop *loop);
void loop_look_at_store(struct loop *loop); // Requires: no worker has it
void loop_time_metrics(struct loop *loop);  // as the configuration in force says
void loop_end_status(struct loop *loop);

// ---- loop_service.c -----------------------------------------------------------------------

void loop_start_service(struct loop *loop);
struct progress loop_progress(struct loop *loop, struct loop_pace *pace); // for a worker to tell

// At most a few times a second.
void loop_tell_reading(struct loop *loop); // of a long file
void loop_tell_group(struct loop *loop);
// Once, until a file is read again.
void loop_tell_idle(struct loop *loop);

#endif
