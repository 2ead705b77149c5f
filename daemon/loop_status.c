// daemon/loop_status.c - what the loop answers on its socket, and writes as metrics.
//
// The store is looked at only while no worker has it, after each of its jobs; in between the last
// copy is told. Sizes of files are asked for at most once a second.
#include "base/clock.h"
#include "base/disk.h"
#include "daemon/control.h"
#include "daemon/log.h"
#include "daemon/loop_private.h"
#include "daemon/metrics.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

enum { SIZES_MS = 1000, LOOK_MS = 1000, METRICS_MODE = 0644 };

// ---- one moment ---------------------------------------------------------------------------

void loop_look_at_store(struct loop *loop)
{
    struct tally_err ignored; // the old copy is good enough

    if (!store_is_synced(loop->options->store)) {
        // A sync has failed: what counts in memory may be on no disk.
        status_hosts_take(&loop->seen, loop->options->store, &ignored);
        return;
    }
    status_store_take(&loop->seen, loop->options->store, loop->config, &ignored);
    loop->sizes_taken = false;
    stats_know_feed(&loop->stats, ""); // of files that no feed is found for
    for (size_t i = 0; i < loop->seen.feeds_count; i++) {
        stats_know_feed(&loop->stats, loop->seen.feed[i].name);
    }
}

static uint64_t bytes_of(int dir_fd, const char *path)
{
    struct disk_entry entry;
    struct tally_err ignored;

    return disk_look(dir_fd, path, &entry, &ignored) ? entry.bytes : 0;
}

static uint64_t ledger_bytes(int state_fd)
{
    struct disk_names names;
    struct tally_err ignored;
    uint64_t bytes = 0;
    char path[300];

    if (!disk_list(state_fd, "ledger", &names, &ignored)) {
        return 0;
    }
    for (size_t i = 0; i < names.count; i++) {
        snprintf(path, sizeof path, "ledger/%s", names.name[i]);
        bytes += bytes_of(state_fd, path);
    }
    disk_names_done(&names);
    return bytes;
}

static bool take_sizes(struct loop *loop)
{
    int state_fd = loop->options->inbox->state_fd;
    uint64_t now_ms = uv_now(&loop->uv);

    if (loop->sizes_taken && now_ms - loop->sizes_ms < SIZES_MS) {
        return true;
    }
    uint64_t *bytes = calloc(loop->seen.rollups_count + 1, sizeof *bytes);
    if (!bytes) {
        return false;
    }
    for (size_t i = 0; i < loop->seen.rollups_count; i++) {
        char path[ROLLUP_NAME_BYTES_MAX + 24];
        snprintf(path, sizeof path, "rollup/%s.rollup", loop->seen.rollup[i].name);
        bytes[i] = bytes_of(state_fd, path) + loop->seen.rollup[i].patch_bytes;
    }
    free(loop->rollup_bytes);
    loop->rollup_bytes = bytes;
    loop->ledger_bytes = ledger_bytes(state_fd);
    loop->sizes_ms = now_ms;
    loop->sizes_taken = true;
    return true;
}

// The queue is in order of arrival.
static uint64_t oldest_wait_ms(const struct loop *loop, int64_t now_ms)
{
    bool ours = queue_waiting(&loop->reclaimed) > 0;
    const struct queue *queue = ours ? &loop->reclaimed : &loop->queue;
    int dir_fd = ours ? loop->options->inbox->claimed_fd : loop->options->inbox->inbox_fd;
    struct disk_entry entry;
    struct tally_err gone;

    if (queue_waiting(queue) == 0 || !disk_look(dir_fd, queue->name[queue->first], &entry, &gone)) {
        return 0;
    }
    int64_t since_ms = entry.changed_ns / 1000000;
    return now_ms > since_ms ? (uint64_t)(now_ms - since_ms) : 0;
}

static bool take_status(struct loop *loop, struct status *out)
{
    size_t memory_bytes = 0;

    if (!take_sizes(loop)) {
        return false;
    }
    uv_resident_set_memory(&memory_bytes);
    int64_t now_ms = clock_now_ms();
    *out = (struct status){.now_ms = now_ms,
                           .started_ms = loop->began_ms,
                           .waiting = queue_waiting(&loop->queue) +
                                      queue_waiting(&loop->reclaimed) + loop->group.count,
                           .oldest_wait_ms = oldest_wait_ms(loop, now_ms),
                           .paused = loop->paused || loop->pause.event,
                           .pause = &loop->pause,
                           .paused_ms = uv_now(&loop->uv) - loop->pause.since_ms,
                           .reloading = loop->next_config || loop->reloading_config,
                           .stopping = loop->stopping,
                           .file = loop_file_status(loop),
                           .memory_bytes = memory_bytes,
                           .ledger_bytes = loop->ledger_bytes,
                           .rollup_bytes = loop->rollup_bytes,
                           .stats = &loop->stats,
                           .store = &loop->seen};
    return true;
}

// ---- the socket ---------------------------------------------------------------------------

static void put(struct bytes *out, const char *text)
{
    bytes_put(out, text, strlen(text));
}

static void reply_status(const struct status *status, struct bytes *reply)
{
    struct tally_err err;

    put(reply, "{\"ok\":true,\"status\":");
    if (!status_json(status, reply, &err)) {
        reply->ok = false; // half a reply: the client is cut off
    }
    put(reply, "}\n");
}

static void reply_metrics(const struct status *status, struct bytes *reply)
{
    struct bytes text;

    bytes_init(&text);
    metrics_text(status, &text);
    json_t *quoted = text.ok ? json_stringn((const char *)text.data, text.count) : NULL;
    char *dumped = quoted ? json_dumps(quoted, JSON_ENCODE_ANY) : NULL;
    put(reply, "{\"ok\":true,\"metrics\":");
    put(reply, dumped ? dumped : "\"\"");
    put(reply, "}\n");
    reply->ok = reply->ok && dumped;
    free(dumped);
    json_decref(quoted);
    bytes_done(&text);
}

static void on_look_timer(uv_timer_t *timer)
{
    struct loop *loop = timer->data;

    loop->scan_wanted = true;
    loop->looked_ms = uv_now(&loop->uv);
    loop_advance(loop);
}

// Whoever may ask may not keep us busy: one look a second.
static void look_soon(struct loop *loop)
{
    bool lately = uv_now(&loop->uv) - loop->looked_ms < LOOK_MS;

    if (!uv_is_active((uv_handle_t *)&loop->look_timer)) {
        uv_timer_start(&loop->look_timer, on_look_timer, lately ? LOOK_MS : 0, 0);
    }
}

static void on_request(void *context, const struct control_request *request, struct bytes *reply)
{
    struct loop *loop = context;
    struct status status;

    if (request->what == CONTROL_RESCAN) {
        look_soon(loop);
        put(reply, "{\"ok\":true}\n");
    } else if (!take_status(loop, &status)) {
        reply->ok = false;
    } else if (request->what == CONTROL_STATUS) {
        reply_status(&status, reply);
    } else {
        reply_metrics(&status, reply);
    }
}

// A daemon without its socket does all else: said, and no reason to end.
static void open_control(struct loop *loop)
{
    struct tally_err err;

    if (!loop->config->control || loop->options->once) {
        return;
    }
    loop->control = control_open(&loop->uv, on_request, loop, &err);
    if (!loop->control || !control_listen(loop->control, loop->config->control, &err)) {
        loop_log_failure(loop, LOG_WARNING, "control_failed", NULL, &err);
    }
}

// ---- metrics ------------------------------------------------------------------------------

static void run_write_metrics(uv_work_t *work)
{
    struct loop *loop = work->data;
    const char *slash = strrchr(loop->metrics_path, '/');
    struct tally_err *err = &loop->metrics_err;
    char folder[4096];

    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - loop->metrics_path + 1) : 1,
             slash ? loop->metrics_path : ".");
    int fd = disk_open(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, 0, err);
    loop->metrics_ok =
        fd >= 0 && disk_replace(fd, slash ? slash + 1 : loop->metrics_path, loop->metrics.data,
                                loop->metrics.count, METRICS_MODE, err);
    disk_close(fd);
}

static void on_metrics_written(uv_work_t *work, int status)
{
    struct loop *loop = work->data;

    (void)status;
    loop->writes_metrics = false;
    if (!loop->metrics_ok) {
        loop_log_failure(loop, LOG_WARNING, "metrics_failed", loop->metrics_path,
                         &loop->metrics_err);
    }
    free(loop->metrics_path);
    loop->metrics_path = NULL;
}

// The text is made here, the disk waited for on a worker.
static bool make_metrics(struct loop *loop)
{
    struct status status;

    if (loop->writes_metrics || !loop->config->metrics || !take_status(loop, &status)) {
        return false;
    }
    bytes_clear(&loop->metrics);
    metrics_text(&status, &loop->metrics);
    loop->metrics_path = loop->metrics.ok ? strdup(loop->config->metrics) : NULL;
    return loop->metrics_path != NULL;
}

static void on_metrics_timer(uv_timer_t *timer)
{
    struct loop *loop = timer->data;

    if (!make_metrics(loop)) {
        return;
    }
    loop->writes_metrics = true;
    loop->metrics_work.data = loop;
    uv_queue_work(&loop->uv, &loop->metrics_work, run_write_metrics, on_metrics_written);
}

void loop_time_metrics(struct loop *loop)
{
    uint64_t every_ms = loop->config->metrics_interval_ms;

    if (loop->config->metrics && !loop->options->once) {
        uv_timer_start(&loop->metrics_timer, on_metrics_timer, 0, every_ms);
    } else {
        uv_timer_stop(&loop->metrics_timer);
    }
}

// ---- begin and end ------------------------------------------------------------------------

void loop_start_status(struct loop *loop)
{
    loop->began_ms = clock_now_ms();
    loop->metrics_timer.data = loop;
    loop->look_timer.data = loop;
    uv_timer_init(&loop->uv, &loop->metrics_timer);
    uv_timer_init(&loop->uv, &loop->look_timer);
    bytes_init(&loop->metrics);
    loop_look_at_store(loop);
    open_control(loop);
    loop_time_metrics(loop);
}

// The loop has run: one last time, so that what it did at its end is told too.
void loop_end_status(struct loop *loop)
{
    loop_look_at_store(loop);
    if (make_metrics(loop)) {
        loop->metrics_work.data = loop;
        run_write_metrics(&loop->metrics_work);
        on_metrics_written(&loop->metrics_work, 0);
    }
    control_done(loop->control);
    bytes_done(&loop->metrics);
    free(loop->rollup_bytes);
    status_store_done(&loop->seen);
    stats_done(&loop->stats);
}
