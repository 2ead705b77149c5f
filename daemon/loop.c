// daemon/loop.c - one group of files or one long file after the other, the loop always free to
// listen.
//
// The loop thread owns the state below. At most one job runs at a time, on one of libuv's workers
// and as many threads as its work is shared among; it owns what it was handed until its on_...
// callback is back on the loop.
//
//   short files: claim, claim, ... -> settle the group -> (publish) -> claim what came meanwhile
//   a long one:  claim -> read chunk -> read chunk -> ... -> settle -> (publish) -> ...
//                                       the one before it is stored meanwhile
//
// `loop_advance` is the whole state machine: it is called after every event and starts whatever may
// run now; loop_file.c is what it does with the files at hand. Stopping: nothing new is started,
// jobs in flight finish, unfinished files stay in claimed/ for the next start.
#include "daemon/loop.h"

#include "daemon/claim_order.h"
#include "daemon/log.h"
#include "daemon/loop_private.h"
#include "daemon/notify.h"
#include "daemon/watch.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sysexits.h>

enum { RETRY_MS = 5000, ORDER_NAMES = 1024 };

// In the order of time.
static void on_hints(uv_poll_t *poll, int status, int events);
static void on_scan_timer(uv_timer_t *timer);
static void on_signal(uv_signal_t *handle, int number);
static void on_retry(uv_timer_t *timer);

void loop_log(struct loop *loop, struct log_line *line)
{
    if (log_limit_allows(&loop->log_limit, line->event, uv_now(&loop->uv))) {
        log_end(line);
    } else {
        loop->stats.suppressed++;
    }
}

void loop_log_failure(struct loop *loop, enum log_priority priority, const char *event,
                      const char *file, const struct tally_err *err)
{
    struct log_line line;

    log_begin_failure(&line, priority, event, file, err);
    loop_log(loop, &line);
}

void loop_stop(struct loop *loop, int exit_status)
{
    if (!loop->stopping && !loop->options->once) {
        notify_stopping();
    }
    loop->stopping = true;
    // Read by nobody: from now on, who waits for a server gives up.
    if (loop->options->stop_fd > 0) {
        (void)eventfd_write(loop->options->stop_fd, 1);
    }
    if (exit_status != 0) {
        loop->exit_status = exit_status;
    }
}

void loop_fail(struct loop *loop, const char *event, const char *file, const struct tally_err *err)
{
    loop_log_failure(loop, LOG_ERROR, event, file, err);
    loop_stop(loop, err->code == TALLY_SYNC_FAILED ? LOOP_EXIT_SYNC_FAILED : EX_IOERR);
}

static void tell_unfinished(struct loop *loop)
{
    struct log_line line;

    log_begin(&line, LOG_ERROR, "once_unfinished");
    log_text(&line, "note",
             "what is not settled stays in claimed/ and the inbox: run it again later");
    loop_log(loop, &line);
}

void loop_pause(struct loop *loop, const char *event, const char *file, const struct tally_err *err)
{
    bool unavailable = err->code == TALLY_UNAVAILABLE;

    if (unavailable && loop->stopping) {
        return; // the store gave up since we end
    }
    if (unavailable) { // one trouble, whatever was asked of the servers
        event = "store_unavailable";
        file = NULL;
    }
    if (pause_begin(&loop->pause, event, file, err, uv_now(&loop->uv))) {
        loop_log_failure(loop, LOG_ERROR, event, file, err);
    }
    if (loop->options->once) {
        if (unavailable) {
            tell_unfinished(loop);
        }
        loop_stop(loop, unavailable ? EX_TEMPFAIL : EX_IOERR);
        return;
    }
    loop->paused = true;
    loop->told_idle = false;
    uv_timer_start(&loop->retry_timer, on_retry,
                   loop->options->retry_ms > 0 ? loop->options->retry_ms : RETRY_MS, 0);
}

void loop_resume(struct loop *loop, const char *event)
{
    struct log_line line;

    if (!pause_end(&loop->pause, event)) {
        return;
    }
    log_begin(&line, LOG_NOTICE, "resumed");
    log_text(&line, "after", event);
    log_number(&line, "s", (uv_now(&loop->uv) - loop->pause.since_ms) / 1000);
    loop_log(loop, &line);
}

// ---- what happened outside ----------------------------------------------------------------

static void lose_inbox(struct loop *loop, const char *folder)
{
    struct log_line line;
    char path[PATH_MAX];

    if (loop->stopping) {
        return;
    }
    snprintf(path, sizeof path, "%s/%s", loop->config->state, folder);
    log_begin(&line, LOG_ERROR, "inbox_lost");
    log_text(&line, folder, path);
    loop_log(loop, &line);
    loop_stop(loop, EX_OSERR); // started anew, it makes the folder again
}

static void lose_hints(struct loop *loop)
{
    struct log_line line;

    loop->stats.hints_lost++;
    loop->scan_wanted = true;
    unclosed_clear(&loop->unclosed);
    log_begin(&line, LOG_NOTICE, "hints_lost");
    loop_log(loop, &line);
}

// What opens a new file has it empty at first; a link, a FIFO or a folder is never closed.
static bool is_opened_anew(const struct loop *loop, const char *name)
{
    struct disk_entry entry;
    struct tally_err gone;

    return disk_look(loop->options->inbox->inbox_fd, name, &entry, &gone) && entry.regular &&
           entry.links == 1 && entry.bytes == 0;
}

static void on_hint(void *context, enum watch_event event, const char *name)
{
    struct loop *loop = context;

    switch (event) {
    case WATCH_CREATED:
        if (!inbox_name_waits(name) && is_opened_anew(loop, name)) {
            unclosed_put(&loop->unclosed, name);
        }
        return;
    case WATCH_WRITTEN:
        if (!inbox_name_waits(name)) {
            unclosed_put(&loop->unclosed, name);
        }
        return;
    case WATCH_READY:
        unclosed_drop(&loop->unclosed, name);
        if (!inbox_name_waits(name) && !queue_put(&loop->queue, name)) {
            loop->scan_wanted = true;
        }
        return;
    case WATCH_GONE:
        unclosed_drop(&loop->unclosed, name);
        return;
    case WATCH_OVERFLOW:
        lose_hints(loop);
        return;
    case WATCH_LOST:
        lose_inbox(loop, "inbox");
    }
}

static void on_hints(uv_poll_t *poll, int status, int events)
{
    struct loop *loop = poll->data;
    struct tally_err err;

    (void)status;
    (void)events;
    if (!watch_read(loop->watch_fd, on_hint, loop, &err)) {
        unclosed_clear(&loop->unclosed);
        loop_log_failure(loop, LOG_WARNING, "hints_failed", NULL, &err);
        loop->scan_wanted = true;
    }
    loop_advance(loop);
}

static void on_scan_timer(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    // While many names wait, a look costs as much as they do: after as many names as it found.
    loop->scan_wanted = loop->scan_wanted || loop->taken >= loop->found;
    // Our own descriptor keeps a removed folder alive, so that the kernel gives no hint.
    const char *lost = inbox_lost(loop->options->inbox);
    if (lost) {
        lose_inbox(loop, lost);
    }
    loop_advance(loop);
}

static void on_retry(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    loop->paused = false;
    loop->told_idle = false;
    loop->scan_wanted = true;
    // Asking is cheaper than reading a file that cannot be stored.
    loop->refresh_wanted = store_is_shared(loop->options->store);
    loop_advance(loop);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct loop *loop = handle->data;
    struct log_line line;

    log_begin(&line, LOG_INFO, "stopping");
    log_number(&line, "signal", (uint64_t)number);
    loop_log(loop, &line);
    loop_stop(loop, 0);
    loop_advance(loop);
}

// ---- the next file ------------------------------------------------------------------------

static void tell_unfit(struct loop *loop, const char *name, const struct tally_err *err)
{
    struct disk_entry entry = {0};
    struct tally_err ignored;

    if (disk_look(loop->options->inbox->inbox_fd, name, &entry, &ignored) &&
        scan_is_news(&loop->memory, name, entry.changed_ns)) {
        loop_log_failure(loop, LOG_WARNING, "file_unfit", name, err);
    }
}

// No hint told of its close. A name that stands in the queue all the same was found by a look, and
// has settled: it was cut by its name, or made by one who only reads.
static bool is_open_still(struct loop *loop, const char *name)
{
    if (!unclosed_has(&loop->unclosed, name)) {
        return false;
    }
    if (!inbox_is_closed(loop->options->inbox, name)) {
        return true; // its close will be a hint
    }
    unclosed_drop(&loop->unclosed, name);
    return false;
}

// What is at hand comes first, and the next look finds the name in its place again. False: nothing
// is at hand.
static bool wait_for_group(struct loop *loop)
{
    if (loop->group.count == 0) {
        return false;
    }
    loop->scan_wanted = true;
    return true;
}

static void leave_in_inbox(struct loop *loop, const char *name, const char *why)
{
    struct tally_err err;

    if (loop->options->once) {
        err_set(&err, TALLY_BUSY, "%s: it stays in the inbox", why);
        tell_unfit(loop, name, &err);
    }
}

// False: it cannot be had now, and the files before it come first.
static bool claim(struct loop *loop, const char *name)
{
    struct disk_entry entry;
    struct tally_err err;
    int fd;

    if (is_open_still(loop, name)) {
        return true;
    }
    switch (inbox_claim(loop->options->inbox, name, &fd, &entry, &err)) {
    case INBOX_CLAIMED:
        loop_open_file(loop, name, fd, &entry, false);
        break;
    case INBOX_UNFIT:
        tell_unfit(loop, name, &err);
        break;
    case INBOX_FAILED: // nothing may overtake it
        if (wait_for_group(loop)) {
            return false;
        }
        queue_put_back(&loop->queue, name); // it counts as waiting; the next look makes it anew
        loop_pause(loop, "intake_paused", name, &err);
        break;
    case INBOX_WRITING: // its close will be a hint, or the next look finds it
        leave_in_inbox(loop, name, "still being written");
        break;
    case INBOX_LATER:
        if (wait_for_group(loop)) {
            return false;
        }
        leave_in_inbox(loop, name, "another file of this name is still in claimed/");
        break;
    case INBOX_GONE: // taken already, or removed
        break;
    }
    return true;
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
        loop_log_failure(loop, LOG_ERROR, "claimed_unreadable", name, &err);
    } else if (loop_open_file(loop, name, fd, &entry, true)) {
        loop_start_store_job(loop, JOB_RETIRE_KNOWN);
    }
}

static void look_at_inbox(struct loop *loop)
{
    uint64_t settle_ms = loop->options->once ? 0 : loop->config->settle_ms;
    struct tally_err err;
    size_t waiting;

    loop->scan_wanted = false;
    loop->ordered = 0; // the queue is made anew
    loop->stats.looks++;
    if (!scan_inbox(loop->options->inbox, settle_ms, &loop->queue, &waiting, &err)) {
        loop_log_failure(loop, LOG_ERROR, "scan_failed", NULL, &err);
    }
    loop->found = queue_waiting(&loop->queue);
    loop->taken = 0;
}

static bool take_next_file(struct loop *loop)
{
    char *name;
    bool go_on = true;

    loop->ordered -= loop->ordered > 0;
    if ((name = queue_take(&loop->reclaimed)) != NULL) {
        reclaim(loop, name);
    } else if ((name = queue_take(&loop->queue)) != NULL) {
        loop->taken++;
        go_on = claim(loop, name);
    }
    free(name);
    return go_on;
}

static size_t names_waiting(const struct loop *loop)
{
    return queue_waiting(&loop->queue) + queue_waiting(&loop->reclaimed);
}

static bool names_wait(const struct loop *loop)
{
    return names_waiting(loop) > 0;
}

static void put_names(struct bytes *out, const struct queue *queue, size_t names_max)
{
    size_t waiting = queue_waiting(queue);

    for (size_t i = 0; i < waiting && i < names_max; i++) {
        const char *name = queue->name[queue->first + i];
        bytes_put(out, name, strlen(name) + 1);
    }
}

// Before a second file is claimed beside others, the order of all is written. False: it could not
// be, and the second one has to wait.
static bool order_is_known(struct loop *loop)
{
    size_t waiting = names_waiting(loop);
    struct tally_err ignored;
    struct bytes names;

    if (loop->ordered > 0 || waiting + loop->group.count < 2) {
        return true;
    }
    bytes_init(&names);
    for (size_t i = 0; i < loop->group.count; i++) {
        bytes_put(&names, loop->group.file[i].name, strlen(loop->group.file[i].name) + 1);
    }
    put_names(&names, &loop->reclaimed, ORDER_NAMES);
    put_names(&names, &loop->queue, ORDER_NAMES);
    bool ok = names.ok && claim_order_write(loop->order_fd, &names, &ignored);
    bytes_done(&names);
    if (ok) {
        loop->ordered = waiting < ORDER_NAMES ? waiting : ORDER_NAMES;
    }
    return ok;
}

// Claimed, and not settled yet.
static bool files_are_at_hand(const struct loop *loop)
{
    return loop->intake || loop->group.count > 0;
}

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

// Nothing is in flight: leave unfinished files in claimed/, close what libuv waits for.
static void end(struct loop *loop)
{
    struct tally_err err;

    if (loop->intake) {
        if (!store_is_broken(loop->options->store) && !store_abort(loop->options->store, &err)) {
            loop_fail(loop, "store_failed", loop->intake->name, &err);
        }
        loop_drop_file(loop);
    }
    group_done(&loop->group);
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

// Names that come to nothing (gone, unfit) are passed over here, not one a turn.
static void take_files(struct loop *loop)
{
    bool go_on = true;

    while (go_on && !loop->intake && !loop->stopping && !loop->paused &&
           !group_is_full(&loop->group) && names_wait(loop) &&
           (order_is_known(loop) || loop->group.count == 0)) {
        go_on = take_next_file(loop);
    }
}

// Nothing waits in the inbox or in claimed/.
static void advance_empty(struct loop *loop)
{
    loop_resume(loop, "intake_paused"); // what had to wait was taken away
    if (!store_needs_publishing(loop->options->store)) {
        loop_resume(loop, "store_unavailable");
    }
    if (loop_publish_is_due(loop, true)) {
        loop_start_store_job(loop, JOB_PUBLISH);
        return;
    }
    if (loop_fold_is_due(loop) && !(loop->options->once && loop->fold_failed)) {
        loop_start_store_job(loop, JOB_FOLD);
        return;
    }
    if (!loop->options->once) {
        loop_tell_idle(loop);
        return;
    }
    if (is_settled(loop)) {
        loop_stop(loop, 0);
    }
    loop_advance(loop);
}

static void advance_idle(struct loop *loop)
{
    if (!loop->stopping && !files_are_at_hand(loop) && loop_start_reload(loop)) {
        return;
    }
    if (loop->group.unsynced && !loop->stopping) {
        if (loop->paused) {
            loop_tell_idle(loop);
        } else {
            loop_start_store_job(loop, JOB_GROUP);
        }
        return;
    }
    if (loop_refresh_is_due(loop)) {
        loop_start_store_job(loop, JOB_REFRESH);
        return;
    }
    if (loop_publish_is_due(loop, !names_wait(loop) && !files_are_at_hand(loop)) &&
        loop->exit_status == 0) {
        loop_start_store_job(loop, JOB_PUBLISH);
        return;
    }
    if (loop->stopping) {
        end(loop);
        return;
    }
    if (loop->scan_wanted && !loop->paused) {
        look_at_inbox(loop);
    }
    take_files(loop);
    if (loop->store_busy) {
        return; // a file of the last run is looked at: those behind it come with the next turn
    }
    if (loop->group.count > 0 && !loop->stopping) {
        loop_tell_group(loop);
        loop_start_store_job(loop, JOB_GROUP);
    } else if (loop->paused && !loop->stopping) {
        loop_tell_idle(loop);
    } else if (!loop->intake && !loop->stopping) {
        advance_empty(loop);
    } else {
        loop_advance(loop);
    }
}

bool loop_is_working(const struct loop *loop)
{
    return loop->store_busy;
}

void loop_advance(struct loop *loop)
{
    if (loop->stopping && loop_is_working(loop)) {
        return; // their callbacks come back here
    }
    // The group in front of it first; what stood in claimed/ is looked at before it is read.
    if (loop->intake && !loop->stopping && loop->group.count == 0) {
        loop_advance_file(loop);
        return;
    }
    if (!loop->store_busy && !uv_is_closing((uv_handle_t *)&loop->scan_timer)) {
        advance_idle(loop);
    }
}

// ---- setting up ---------------------------------------------------------------------------

// All watches may be taken (fs.inotify.max_user_watches): then the timer alone looks.
static void start_hints(struct loop *loop)
{
    struct tally_err err;

    loop->watch_fd = watch_open(loop->options->inbox_path, &err);
    if (loop->watch_fd < 0) {
        loop_log_failure(loop, LOG_WARNING, "hints_failed", NULL, &err);
        return;
    }
    uv_poll_init(&loop->uv, &loop->watch, loop->watch_fd);
    loop->watch.data = loop;
    uv_poll_start(&loop->watch, UV_READABLE, on_hints);
}

static void start_listening(struct loop *loop)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    const struct config *config = loop->config;

    loop_start_service(loop);
    loop_start_status(loop);
    loop_listen_for_reload(loop);
    loop_start_publishing(loop);
    uv_timer_init(&loop->uv, &loop->scan_timer);
    uv_timer_init(&loop->uv, &loop->retry_timer);
    loop->scan_timer.data = loop;
    loop->retry_timer.data = loop;
    loop->store_work.data = loop;
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&loop->uv, &loop->signals[i]);
        loop->signals[i].data = loop;
        uv_signal_start(&loop->signals[i], on_signal, numbers[i]);
    }
    if (!loop->options->once) {
        start_hints(loop);
        uv_timer_start(&loop->scan_timer, on_scan_timer, config->scan_interval_ms,
                       config->scan_interval_ms);
    }
}

static bool open_order(struct loop *loop, struct tally_err *err)
{
    loop->order_fd = claim_order_open(loop->options->inbox->state_fd, err);
    return loop->order_fd >= 0;
}

static void on_first_turn(uv_timer_t *timer)
{
    loop_advance(timer->data);
}

int loop_run(const struct loop_options *options)
{
    struct loop loop = {
        .options = options,
        .config = options->config,
        .watch_fd = -1,
        .order_fd = -1,
        .scan_wanted = true,
    };
    struct tally_err err;

    if (uv_loop_init(&loop.uv) != 0) {
        return EX_OSERR;
    }
    // Listen first, look second: what comes in between is seen by one of them.
    start_listening(&loop);
    bool ok = scan_claimed(options->inbox, &loop.reclaimed, &err) && open_order(&loop, &err);
    if (ok) {
        if (options->on_ready) {
            options->on_ready(options->context);
        }
        if (!options->once) {
            notify_ready();
        }
        uv_timer_start(&loop.retry_timer, on_first_turn, 0, 0);
    } else {
        loop_log_failure(&loop, LOG_ERROR, "start_failed", NULL, &err);
        loop.exit_status = EX_OSERR;
        uv_walk(&loop.uv, close_handle, NULL);
    }
    store_watch(options->store, loop_progress(&loop, &loop.store_pace));
    uv_run(&loop.uv, UV_RUN_DEFAULT);
    store_watch(options->store, (struct progress){0});
    log_limit_tell(&loop.log_limit, uv_now(&loop.uv), true);
    uv_loop_close(&loop.uv);
    loop_end_status(&loop);
    loop_end_reload(&loop);
    disk_close(loop.watch_fd);
    disk_close(loop.order_fd);
    queue_done(&loop.queue);
    queue_done(&loop.reclaimed);
    noted_done(&loop.noted);
    scan_memory_done(&loop.memory);
    if (loop.exit_status == 0 && options->once && loop.any_rejected) {
        return 1;
    }
    return loop.exit_status;
}
