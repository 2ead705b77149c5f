// daemon/loop.c - one file after the other, the loop always free to listen.
//
// The loop thread owns the state below. At most one parse job and one store job run at a time, on
// libuv's workers; each owns what it was handed until its on_... callback is back on the loop.
//
//   claim -> parse chunk -> store chunk -> ... -> settle -> (publish) -> claim the next one
//             parse chunk      meanwhile
//
// `advance` is the whole state machine: it is called after every event and starts whatever may
// run now. Stopping: nothing new is started, jobs in flight finish, an unfinished file stays in
// claimed/ for the next start.
#include "daemon/loop.h"

#include "daemon/intake.h"
#include "daemon/log.h"
#include "daemon/queue.h"
#include "daemon/scan.h"
#include "daemon/watch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <uv.h>

enum { RETRY_MS = 5000, PROGRESS_MS = 200, NO_CHUNK = -1 };

enum store_job { JOB_STORE, JOB_SETTLE, JOB_RETIRE_KNOWN, JOB_PUBLISH };

struct loop {
    const struct loop_options *options;
    uv_loop_t uv;
    uv_poll_t watch;
    uv_timer_t scan_timer;
    uv_timer_t retry_timer;
    uv_signal_t signals[2];
    int watch_fd;
    struct queue reclaimed; // names in claimed/ from before
    struct queue queue;     // names in the inbox
    struct scan_memory memory;
    bool scan_wanted;
    bool stopping;
    bool paused; // no room on the disk: wait for the retry timer
    int exit_status;
    bool any_rejected;

    struct intake *intake; // the file at hand
    uint64_t started_ms;
    uint64_t progress_ms;
    uv_work_t parse_work;
    int parsing; // chunk, or NO_CHUNK
    int parsed;  // waits for the store
    bool parse_ended;
    bool store_failed;

    uv_work_t store_work;
    bool store_busy;
    enum store_job job;
    int storing; // chunk
    enum intake_end settle_as;
    bool job_ok;
    enum intake_result result;
    struct tally_err job_err;
    uint64_t published_ms;
};

// In the order of time.
static void on_hints(uv_poll_t *poll, int status, int events);
static void on_scan_timer(uv_timer_t *timer);
static void on_signal(uv_signal_t *handle, int number);
static void on_retry(uv_timer_t *timer);
static void advance(struct loop *loop);
static void on_chunk_parsed(uv_work_t *work, int status);
static void on_store_job_done(uv_work_t *work, int status);
static void on_chunk_stored(struct loop *loop);
static void on_file_settled(struct loop *loop);
static void on_known_retired(struct loop *loop);
static void on_published(struct loop *loop);

// ---- what happened outside ----------------------------------------------------------------

static void lose_inbox(struct loop *loop)
{
    struct log_line line;

    if (loop->stopping) {
        return;
    }
    log_begin(&line, LOG_ERROR, "inbox_lost");
    log_text(&line, "inbox", loop->options->inbox_path);
    log_end(&line);
    loop->exit_status = EX_OSERR; // started anew, it makes the folder again
    loop->stopping = true;
}

static void on_hint(void *context, enum watch_event event, const char *name)
{
    struct loop *loop = context;
    struct log_line line;

    switch (event) {
    case WATCH_READY:
        if (!inbox_name_waits(name) && !queue_put(&loop->queue, name)) {
            loop->scan_wanted = true;
        }
        return;
    case WATCH_OVERFLOW:
        loop->scan_wanted = true;
        log_begin(&line, LOG_NOTICE, "hints_lost");
        log_end(&line);
        return;
    case WATCH_LOST:
        lose_inbox(loop);
    }
}

static void on_hints(uv_poll_t *poll, int status, int events)
{
    struct loop *loop = poll->data;
    struct tally_err err;

    (void)status;
    (void)events;
    if (!watch_read(loop->watch_fd, on_hint, loop, &err)) {
        log_failure(LOG_WARNING, "hints_failed", NULL, &err);
        loop->scan_wanted = true;
    }
    advance(loop);
}

static void on_scan_timer(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    loop->scan_wanted = true;
    // Our own descriptor keeps a removed folder alive, so that the kernel gives no hint.
    if (!inbox_is_there(loop->options->inbox)) {
        lose_inbox(loop);
    }
    advance(loop);
}

static void on_retry(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    loop->paused = false;
    loop->scan_wanted = true;
    advance(loop);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct loop *loop = handle->data;
    struct log_line line;

    log_begin(&line, LOG_INFO, "stopping");
    log_number(&line, "signal", (uint64_t)number);
    log_end(&line);
    loop->stopping = true;
    advance(loop);
}

// ---- the file at hand ---------------------------------------------------------------------

static void run_parse(uv_work_t *work)
{
    struct loop *loop = work->data;
    intake_parse(loop->intake, loop->parsing);
}

static void start_parse(struct loop *loop, int chunk)
{
    loop->parsing = chunk;
    uv_queue_work(&loop->uv, &loop->parse_work, run_parse, on_chunk_parsed);
}

static void run_store_job(uv_work_t *work)
{
    struct loop *loop = work->data;
    struct store *store = loop->options->store;

    switch (loop->job) {
    case JOB_STORE:
        loop->job_ok = intake_store(loop->intake, store, loop->storing);
        return;
    case JOB_SETTLE:
        loop->result = intake_settle(loop->intake, store, loop->settle_as);
        return;
    case JOB_RETIRE_KNOWN:
        loop->job_ok = intake_retire_known(loop->intake, store, &loop->result);
        return;
    case JOB_PUBLISH:
        loop->job_ok = store_publish(store, &loop->job_err);
    }
}

static void start_store_job(struct loop *loop, enum store_job job)
{
    assert(!loop->store_busy);
    loop->job = job;
    loop->store_busy = true;
    uv_queue_work(&loop->uv, &loop->store_work, run_store_job, on_store_job_done);
}

static void start_settle(struct loop *loop, enum intake_end end)
{
    loop->settle_as = end;
    start_store_job(loop, JOB_SETTLE);
}

static void on_chunk_parsed(uv_work_t *work, int status)
{
    struct loop *loop = work->data;
    int chunk = loop->parsing;

    (void)status;
    loop->parsing = NO_CHUNK;
    loop->parsed = chunk;
    loop->parse_ended = loop->intake->step[chunk] != INGEST_CHUNK;
    if (uv_now(&loop->uv) - loop->progress_ms >= PROGRESS_MS) {
        const struct ingest_summary *summary = ingest_summary(loop->intake->ingest);
        loop->progress_ms = uv_now(&loop->uv);
        log_progress(loop->intake->name, summary->bytes, loop->intake->file_bytes,
                     summary->records);
    }
    advance(loop);
}

static void on_store_job_done(uv_work_t *work, int status)
{
    struct loop *loop = work->data;

    (void)status;
    loop->store_busy = false;
    switch (loop->job) {
    case JOB_STORE:
        on_chunk_stored(loop);
        break;
    case JOB_SETTLE:
        on_file_settled(loop);
        break;
    case JOB_RETIRE_KNOWN:
        on_known_retired(loop);
        break;
    case JOB_PUBLISH:
        on_published(loop);
        break;
    }
    advance(loop);
}

static void on_chunk_stored(struct loop *loop)
{
    loop->store_failed = !loop->job_ok;
    loop->storing = NO_CHUNK;
}

static void drop_intake(struct loop *loop)
{
    log_progress_done();
    intake_close(loop->intake);
    loop->intake = NULL;
}

static void log_settled(const struct loop *loop)
{
    const struct intake *intake = loop->intake;
    const struct store_outcome *outcome = &intake->outcome;
    const char *feed = intake->summary.feed ? feed_name(intake->summary.feed) : "";
    struct log_line line;

    if (outcome->outcome == FILE_REJECTED) {
        log_failure(LOG_WARNING, "file_rejected", intake->name, &intake->err);
        return;
    }
    char event[32];
    snprintf(event, sizeof event, "file_%s", file_outcome_name(outcome->outcome));
    log_begin(&line, intake->summary.rejected ? LOG_NOTICE : LOG_INFO, event);
    log_text(&line, "file", intake->name);
    log_text(&line, "feed", feed);
    log_number(&line, "batch", outcome->batch);
    log_number(&line, "rows", intake->summary.records);
    log_number(&line, "added", outcome->counts.added);
    log_number(&line, "revised", outcome->counts.revised);
    log_number(&line, "withdrawn", outcome->counts.withdrawn);
    log_number(&line, "unchanged", outcome->counts.unchanged);
    log_number(&line, "rejected", intake->summary.rejected);
    if (intake->rejects_file[0]) {
        log_text(&line, "rejects", intake->rejects_file);
    }
    log_number(&line, "ms", uv_now(&loop->uv) - loop->started_ms);
    log_end(&line);
}

static void pause_intake(struct loop *loop, const char *event, const char *file,
                         const struct tally_err *err)
{
    log_failure(LOG_ERROR, event, file, err);
    if (loop->options->once) {
        loop->exit_status = EX_IOERR;
        loop->stopping = true;
        return;
    }
    loop->paused = true;
    uv_timer_start(&loop->retry_timer, on_retry, RETRY_MS, 0);
}

// What a settled, postponed or fatal file means for the loop.
static void take_result(struct loop *loop)
{
    struct intake *intake = loop->intake;

    switch (loop->result) {
    case INTAKE_SETTLED:
        log_settled(loop);
        loop->any_rejected = loop->any_rejected || intake->outcome.outcome == FILE_REJECTED;
        break;
    case INTAKE_LATER: // it is in claimed/ and may be in the ledger already
        queue_put(&loop->reclaimed, intake->name);
        pause_intake(loop, "intake_paused", intake->name, &intake->err);
        break;
    case INTAKE_FATAL:
        log_failure(LOG_ERROR, "store_failed", intake->name, &intake->err);
        loop->exit_status = EX_IOERR;
        loop->stopping = true;
        break;
    }
    drop_intake(loop);
}

static void on_file_settled(struct loop *loop)
{
    take_result(loop);
}

static bool open_intake(struct loop *loop, const char *name, int fd, const struct disk_entry *entry,
                        bool reclaimed)
{
    struct tally_err err;

    loop->intake = intake_open(loop->options->inbox, loop->options->config, name, fd, entry->bytes,
                               reclaimed, &err);
    if (!loop->intake) {
        queue_put(&loop->reclaimed, name);
        pause_intake(loop, "intake_paused", name, &err);
        return false;
    }
    loop->parsing = NO_CHUNK;
    loop->parsed = NO_CHUNK;
    loop->storing = NO_CHUNK;
    loop->parse_ended = false;
    loop->store_failed = false;
    loop->started_ms = uv_now(&loop->uv);
    loop->progress_ms = loop->started_ms;
    return true;
}

// A file of claimed/ that the ledger did not have: read it from its start.
static void on_known_retired(struct loop *loop)
{
    struct disk_entry entry;
    struct tally_err err;

    if (loop->job_ok) {
        take_result(loop);
        return;
    }
    char name[INBOX_NAME_BYTES];
    memcpy(name, loop->intake->name, sizeof name);
    drop_intake(loop);
    int fd = inbox_reopen(loop->options->inbox, name, &entry, &err);
    if (fd < 0) {
        log_failure(LOG_ERROR, "claimed_unreadable", name, &err);
        return;
    }
    open_intake(loop, name, fd, &entry, false);
}

// What the file at hand may do next.
static void advance_file(struct loop *loop)
{
    struct intake *intake = loop->intake;
    bool idle = loop->parsing == NO_CHUNK && !loop->store_busy;

    if (loop->store_failed) {
        if (idle) {
            start_settle(loop, INTAKE_NOT_STORED);
        }
        return;
    }
    if (loop->parsed != NO_CHUNK && !loop->store_busy) {
        int chunk = loop->parsed;
        enum ingest_step step = intake->step[chunk];
        loop->parsed = NO_CHUNK;
        if (step == INGEST_REFUSED || step == INGEST_FAILED) {
            start_settle(loop, INTAKE_BAD_FILE);
            return;
        }
        loop->storing = chunk;
        start_store_job(loop, JOB_STORE);
    }
    if (!loop->parse_ended && loop->parsing == NO_CHUNK && loop->parsed == NO_CHUNK) {
        start_parse(loop, loop->storing == 0 ? 1 : 0);
        return;
    }
    if (loop->parse_ended && loop->parsed == NO_CHUNK && !loop->store_busy) {
        start_settle(loop, INTAKE_COMPLETE);
    }
}

// ---- the next file ------------------------------------------------------------------------

static void tell_unfit(struct loop *loop, const char *name, const struct tally_err *err)
{
    struct disk_entry entry = {0};
    struct tally_err ignored;

    if (disk_look(loop->options->inbox->inbox_fd, name, &entry, &ignored) &&
        scan_is_news(&loop->memory, name, entry.changed_ns)) {
        log_failure(LOG_WARNING, "file_unfit", name, err);
    }
}

static void claim(struct loop *loop, const char *name)
{
    struct disk_entry entry;
    struct tally_err err;
    int fd;

    switch (inbox_claim(loop->options->inbox, name, &fd, &entry, &err)) {
    case INBOX_CLAIMED:
        open_intake(loop, name, fd, &entry, false);
        break;
    case INBOX_UNFIT:
        tell_unfit(loop, name, &err);
        break;
    case INBOX_FAILED: // nothing may overtake it: the next look finds it in its place again
        pause_intake(loop, "intake_paused", name, &err);
        break;
    case INBOX_WRITING: // its close will be a hint, or the next look finds it
    case INBOX_LATER:
        if (loop->options->once) {
            err_set(&err, TALLY_BUSY, "still being written: it stays in the inbox");
            tell_unfit(loop, name, &err);
        }
        break;
    case INBOX_GONE: // taken already, or removed
        break;
    }
}

static void reclaim(struct loop *loop, const char *name)
{
    struct disk_entry entry;
    struct tally_err err;
    int fd = inbox_reopen(loop->options->inbox, name, &entry, &err);

    if (fd >= 0 && !entry.regular) {
        err_set(&err, TALLY_REFUSED, "a %s stands among the claimed files", entry.kind);
        disk_close(fd);
        fd = -1;
    }
    if (fd < 0) {
        log_failure(LOG_ERROR, "claimed_unreadable", name, &err);
    } else if (open_intake(loop, name, fd, &entry, true)) {
        start_store_job(loop, JOB_RETIRE_KNOWN);
    }
}

static void look_at_inbox(struct loop *loop)
{
    uint64_t settle_ms = loop->options->once ? 0 : loop->options->config->settle_ms;
    struct tally_err err;
    size_t waiting;

    loop->scan_wanted = false;
    if (!scan_inbox(loop->options->inbox, settle_ms, &loop->queue, &waiting, &err)) {
        log_failure(LOG_ERROR, "scan_failed", NULL, &err);
    }
}

static void take_next_file(struct loop *loop)
{
    char *name;

    if ((name = queue_take(&loop->reclaimed)) != NULL) {
        reclaim(loop, name);
    } else if ((name = queue_take(&loop->queue)) != NULL) {
        claim(loop, name);
    }
    free(name);
}

static bool publish_is_due(const struct loop *loop)
{
    const struct config *config = loop->options->config;
    bool nothing_waits = queue_waiting(&loop->queue) + queue_waiting(&loop->reclaimed) == 0;

    return store_needs_publishing(loop->options->store) &&
           (nothing_waits || loop->stopping ||
            uv_now(&loop->uv) - loop->published_ms >= config->publish_interval_ms);
}

static void on_published(struct loop *loop)
{
    loop->published_ms = uv_now(&loop->uv);
    if (loop->job_ok) {
        return;
    }
    if (loop->job_err.code == TALLY_NO_SPACE || loop->job_err.code == TALLY_NO_MEMORY) {
        pause_intake(loop, "publish_failed", NULL, &loop->job_err);
        return;
    }
    log_failure(LOG_ERROR, "publish_failed", NULL, &loop->job_err);
    loop->exit_status = EX_IOERR;
    loop->stopping = true;
}

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

// Nothing is in flight: leave an unfinished file in claimed/, close what libuv waits for.
static void end(struct loop *loop)
{
    struct tally_err err;

    if (loop->intake) {
        if (!store_is_broken(loop->options->store) && !store_abort(loop->options->store, &err)) {
            log_failure(LOG_ERROR, "store_failed", loop->intake->name, &err);
            loop->exit_status = EX_IOERR;
        }
        drop_intake(loop);
    }
    uv_walk(&loop->uv, close_handle, NULL);
}

// With --once: nothing left in the queue. Look once more, since files may have come meanwhile.
static bool is_settled(struct loop *loop)
{
    look_at_inbox(loop);
    for (size_t i = loop->queue.first; i < loop->queue.count; i++) {
        struct disk_entry entry;
        struct tally_err gone;
        int inbox_fd = loop->options->inbox->inbox_fd;
        bool there = disk_look(inbox_fd, loop->queue.name[i], &entry, &gone);
        // What cannot be taken was told about; it does not keep us.
        if (there && !scan_was_told(&loop->memory, loop->queue.name[i], entry.changed_ns)) {
            return false;
        }
    }
    return true;
}

static void advance_idle(struct loop *loop)
{
    if (publish_is_due(loop) && loop->exit_status == 0 && !loop->paused) {
        start_store_job(loop, JOB_PUBLISH);
        return;
    }
    if (loop->stopping) {
        end(loop);
        return;
    }
    if (loop->paused) {
        return;
    }
    if (loop->scan_wanted) {
        look_at_inbox(loop);
    }
    // Names that come to nothing (gone, unfit) are passed over here, not one a turn.
    while (!loop->intake && !loop->stopping && !loop->paused &&
           queue_waiting(&loop->queue) + queue_waiting(&loop->reclaimed) > 0) {
        take_next_file(loop);
    }
    if (!loop->intake && !loop->stopping) {
        if (store_needs_publishing(loop->options->store) && !loop->paused) {
            start_store_job(loop, JOB_PUBLISH);
            return;
        }
        if (!loop->options->once) {
            return;
        }
        loop->stopping = is_settled(loop);
    }
    advance(loop);
}

static void advance(struct loop *loop)
{
    bool in_flight = loop->store_busy || (loop->intake && loop->parsing != NO_CHUNK);

    if (loop->stopping && in_flight) {
        return; // their callbacks come back here
    }
    if (loop->intake && !loop->stopping) {
        if (!(loop->store_busy && loop->job == JOB_RETIRE_KNOWN)) {
            advance_file(loop);
        }
        return;
    }
    if (!loop->store_busy && !uv_is_closing((uv_handle_t *)&loop->scan_timer)) {
        advance_idle(loop);
    }
}

// ---- setting up ---------------------------------------------------------------------------

static bool start_listening(struct loop *loop, struct tally_err *err)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    const struct config *config = loop->options->config;

    uv_timer_init(&loop->uv, &loop->scan_timer);
    uv_timer_init(&loop->uv, &loop->retry_timer);
    loop->scan_timer.data = loop;
    loop->retry_timer.data = loop;
    loop->parse_work.data = loop;
    loop->store_work.data = loop;
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&loop->uv, &loop->signals[i]);
        loop->signals[i].data = loop;
        uv_signal_start(&loop->signals[i], on_signal, numbers[i]);
    }
    if (loop->options->once) {
        return true;
    }
    loop->watch_fd = watch_open(loop->options->inbox_path, err);
    if (loop->watch_fd < 0) {
        return false;
    }
    uv_poll_init(&loop->uv, &loop->watch, loop->watch_fd);
    loop->watch.data = loop;
    uv_poll_start(&loop->watch, UV_READABLE, on_hints);
    uv_timer_start(&loop->scan_timer, on_scan_timer, config->scan_interval_ms,
                   config->scan_interval_ms);
    return true;
}

static void on_first_turn(uv_timer_t *timer)
{
    advance(timer->data);
}

int loop_run(const struct loop_options *options)
{
    struct loop loop = {.options = options,
                        .watch_fd = -1,
                        .scan_wanted = true,
                        .parsing = NO_CHUNK,
                        .parsed = NO_CHUNK,
                        .storing = NO_CHUNK};
    struct tally_err err;

    if (uv_loop_init(&loop.uv) != 0) {
        return EX_OSERR;
    }
    // Listen first, look second: what comes in between is seen by one of them.
    bool ok = start_listening(&loop, &err) && scan_claimed(options->inbox, &loop.reclaimed, &err);
    if (ok) {
        if (options->on_ready) {
            options->on_ready(options->context);
        }
        uv_timer_start(&loop.retry_timer, on_first_turn, 0, 0);
    } else {
        log_failure(LOG_ERROR, "start_failed", NULL, &err);
        loop.exit_status = EX_OSERR;
        uv_walk(&loop.uv, close_handle, NULL);
    }
    uv_run(&loop.uv, UV_RUN_DEFAULT);
    uv_loop_close(&loop.uv);
    disk_close(loop.watch_fd);
    queue_done(&loop.queue);
    queue_done(&loop.reclaimed);
    scan_memory_done(&loop.memory);
    if (loop.exit_status == 0 && options->once && loop.any_rejected) {
        return 1;
    }
    return loop.exit_status;
}
