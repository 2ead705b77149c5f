// daemon/loop_service.c - the loop as a service: alive or not, and what it is at.
//
// The watchdog is fed by a timer, only while nothing hangs: when nothing is in flight, or when what
// is in flight came further since the timer's last turn. Further is a bounded piece of work: a read
// of the file, a chunk of rows, a frame of the ledger, a rollup. The loop itself hangs when its
// timer does not fire. A turn is a quarter of the watchdog's time, so that a piece of work may
// take the whole of it, and a hang is noticed before one and a quarter of it are over.
#include "daemon/log.h"
#include "daemon/loop_private.h"
#include "daemon/notify.h"

#include <stdio.h>

enum { HEARTBEAT_MS = 5000, HEARTBEATS = 4, PROGRESS_MS = 200, STEP_NS = 10 * 1000 * 1000 };

static void on_step(uv_async_t *step)
{
    struct loop *loop = step->data;
    loop->stepped = true;
}

// From a worker, some ten thousand times a second: waking the loop each time would cost more than
// the piece of work does. uv_async_send is the one call of libuv that another thread may make.
static void step_from_worker(void *context)
{
    struct loop_pace *pace = context;
    uint64_t now_ns = uv_hrtime();

    if (now_ns - pace->told_ns >= STEP_NS) {
        pace->told_ns = now_ns;
        uv_async_send(pace->step);
    }
}

struct progress loop_progress(struct loop *loop, struct loop_pace *pace)
{
    pace->step = &loop->step;
    return (struct progress){.on_step = step_from_worker, .context = pace};
}

static void on_heartbeat(uv_timer_t *timer)
{
    struct loop *loop = timer->data;

    if (!loop_is_working(loop) || loop->stepped) {
        notify_alive();
        if (loop->stopping) {
            notify_more_time();
        }
    }
    loop->stepped = false;
    log_limit_tell(&loop->log_limit, uv_now(&loop->uv), false);
}

void loop_start_service(struct loop *loop)
{
    uint64_t watchdog_ms = notify_watchdog_ms();
    uint64_t every_ms = watchdog_ms > 0 ? watchdog_ms / HEARTBEATS : HEARTBEAT_MS;

    loop->step.data = loop;
    loop->heart_timer.data = loop;
    uv_async_init(&loop->uv, &loop->step, on_step);
    uv_timer_init(&loop->uv, &loop->heart_timer);
    if (!loop->options->once) {
        uv_timer_start(&loop->heart_timer, on_heartbeat, every_ms, every_ms);
    }
}

void loop_tell_reading(struct loop *loop)
{
    const struct status_file file = loop_file_status(loop);
    uint64_t now_ms = uv_now(&loop->uv);
    uint64_t expected_ms;
    struct log_line line = {.used = 0};
    char status[LOG_LINE_BYTES + 100];

    if (now_ms - loop->progress_ms < PROGRESS_MS) {
        return;
    }
    loop->progress_ms = now_ms;
    loop->told_idle = false;
    log_progress(file.name, file.bytes, file.bytes_total, file.rows,
                 status_expected_ms(&file, &expected_ms) ? expected_ms : LOG_NOT_KNOWN);
    log_text(&line, "file", file.name);
    snprintf(status, sizeof status, "reading%s, %llu of %llu bytes, %llu rows", line.text,
             (unsigned long long)file.bytes, (unsigned long long)file.bytes_total,
             (unsigned long long)file.rows);
    notify_status(status);
}

void loop_tell_group(struct loop *loop)
{
    uint64_t now_ms = uv_now(&loop->uv);
    char status[60];

    if (now_ms - loop->progress_ms < PROGRESS_MS) {
        return;
    }
    loop->progress_ms = now_ms;
    snprintf(status, sizeof status, "reading %zu short files", loop->group.count);
    notify_status(status);
}

void loop_tell_idle(struct loop *loop)
{
    char status[100];

    if (!loop->told_idle) {
        snprintf(status, sizeof status, "%s, %llu batches are kept",
                 !loop->paused                               ? "nothing waits"
                 : loop->pause.err.code == TALLY_UNAVAILABLE ? "waiting for the store's servers"
                                                             : "waiting for room on the disk",
                 (unsigned long long)store_batches(loop->options->store));
        notify_status(status);
        loop->told_idle = true;
    }
}
