// daemon/loop_publish.c - when rollups are written, and what others did meanwhile.
//
//   a store of our own     publish when nothing waits, or at most once in publish_interval;
//                          patches are folded when nobody waits
//   one that others write  every publish_interval: refresh -> publish what changed
//     to, too              so that its servers add up no more often than that, and files wait for
//                          none of it
//
// A shared store is not published when the daemon ends: what it holds is on its servers, and the
// next start publishes first.
#include "daemon/log.h"
#include "daemon/loop_private.h"

enum { FOLD_QUIET_MS = 60000, REFRESH_MS_MIN = 100 };

// ---- refresh ------------------------------------------------------------------------------

static void on_refresh_timer(uv_timer_t *timer)
{
    struct loop *loop = timer->data;

    loop->refresh_wanted = true;
    loop_advance(loop);
}

// From the end of one turn to the beginning of the next, so that files have their time too.
static void refresh_later(struct loop *loop)
{
    uint64_t after_ms = loop->config->publish_interval_ms;

    if (store_is_shared(loop->options->store) && !loop->options->once && !loop->stopping) {
        uv_timer_start(&loop->refresh_timer, on_refresh_timer,
                       after_ms > REFRESH_MS_MIN ? after_ms : REFRESH_MS_MIN, 0);
    }
}

void loop_start_publishing(struct loop *loop)
{
    uv_timer_init(&loop->uv, &loop->refresh_timer);
    loop->refresh_timer.data = loop;
    loop->refreshed = true; // it was opened just now
    refresh_later(loop);
}

bool loop_refresh_is_due(const struct loop *loop)
{
    return loop->refresh_wanted && !loop->paused && !loop->stopping &&
           store_is_synced(loop->options->store);
}

void loop_on_refreshed(struct loop *loop)
{
    enum tally_code code = loop->job_err.code;

    loop->refresh_wanted = false;
    if (loop->job_ok) {
        // Whether all servers are there, a file or a rollup shows: the list is on one of them.
        loop_resume(loop, "refresh_failed");
        loop->refreshed = true;
        if (!store_needs_publishing(loop->options->store)) {
            refresh_later(loop);
        }
    } else if (code == TALLY_UNAVAILABLE || code == TALLY_NO_SPACE || code == TALLY_NO_MEMORY) {
        loop_pause(loop, "refresh_failed", NULL, &loop->job_err);
    } else {
        loop_fail(loop, "refresh_failed", NULL, &loop->job_err);
    }
}

// ---- publish ------------------------------------------------------------------------------

bool loop_publish_is_due(const struct loop *loop, bool nothing_waits)
{
    const struct store *store = loop->options->store;

    if (!store_needs_publishing(store) || !store_is_synced(store) || loop->paused) {
        return false;
    }
    if (store_is_shared(store)) {
        return !loop->stopping && (loop->options->once ? nothing_waits : loop->refreshed);
    }
    return nothing_waits || loop->stopping ||
           uv_now(&loop->uv) - loop->published_ms >= loop->config->publish_interval_ms;
}

static void log_published(struct loop *loop, uint64_t took_ns)
{
    struct log_line line;

    log_begin(&line, LOG_INFO, "rollups_published");
    log_number(&line, "batches", store_batches(loop->options->store));
    log_ms(&line, "publish_ms", took_ns);
    loop_log(loop, &line);
}

void loop_on_published(struct loop *loop)
{
    uint64_t took_ns = uv_hrtime() - loop->job_started_ns;
    enum tally_code code = loop->job_err.code;

    loop->published_ms = uv_now(&loop->uv);
    loop->refreshed = false;
    if (loop->job_ok) {
        loop_resume(loop, "publish_failed");
        loop_resume(loop, "store_unavailable");
        refresh_later(loop);
        stats_note_time(&loop->stats.publish, took_ns / 1000);
        log_published(loop, took_ns);
        return;
    }
    if (code == TALLY_UNAVAILABLE || code == TALLY_NO_SPACE || code == TALLY_NO_MEMORY) {
        loop_pause(loop, "publish_failed", NULL, &loop->job_err);
        return;
    }
    loop_fail(loop, "publish_failed", NULL, &loop->job_err);
}

// ---- fold ---------------------------------------------------------------------------------

// Patches are folded when nobody waits: large ones at once, others when it has been quiet for a
// while, so that a copy of the rollup's file alone is not old for long. The first of several
// rollups; the next turn takes the next.
bool loop_fold_is_due(const struct loop *loop)
{
    switch (store_patches(loop->options->store)) {
    case STORE_NO_PATCH:
        return false;
    case STORE_PATCHES:
        return loop->options->once || uv_now(&loop->uv) - loop->published_ms >= FOLD_QUIET_MS;
    case STORE_LARGE_PATCHES:
        return !loop->fold_failed || uv_now(&loop->uv) - loop->published_ms >= FOLD_QUIET_MS;
    }
    return false;
}

// Base and patch stay as they are when folding fails, and say what they said.
void loop_on_folded(struct loop *loop)
{
    enum tally_code code = loop->job_err.code;

    loop->published_ms = uv_now(&loop->uv);
    loop->fold_failed = !loop->job_ok;
    if (loop->job_ok) {
        stats_note_time(&loop->stats.fold, (uv_hrtime() - loop->job_started_ns) / 1000);
        return;
    }
    if (code != TALLY_NO_SPACE && code != TALLY_NO_MEMORY) {
        loop_fail(loop, "publish_failed", NULL, &loop->job_err);
        return;
    }
    loop_log_failure(loop, LOG_WARNING, "fold_failed", NULL, &loop->job_err);
}
