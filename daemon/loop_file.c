// daemon/loop_file.c - the files at hand, from the first chunk to what became of them.
#include "base/clock.h"
#include "daemon/log.h"
#include "daemon/loop_private.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

// In the order of time.
static void on_store_job_done(uv_work_t *work, int status);
static void on_chunk_read(struct loop *loop);
static void take_intake_result(struct loop *loop);
static void on_group_settled(struct loop *loop);
static void on_known_retired(struct loop *loop);

// ---- jobs ---------------------------------------------------------------------------------

static void run_store_job(uv_work_t *work)
{
    struct loop *loop = work->data;
    struct store *store = loop->options->store;

    switch (loop->job) {
    case JOB_READ:
        loop->read_end = intake_read(loop->intake, store);
        return;
    case JOB_SETTLE:
        loop->result = intake_settle(loop->intake, store, loop->settle_as);
        return;
    case JOB_GROUP:
        group_settle(&loop->group, loop->options->inbox, loop->config, store,
                     loop_progress(loop, &loop->store_pace));
        return;
    case JOB_RETIRE_KNOWN:
        loop->job_ok = intake_retire_known(
            loop->intake, store, noted_find(&loop->noted, loop->intake->name), &loop->result);
        return;
    case JOB_PUBLISH:
        loop->job_ok = store_publish(store, &loop->job_err);
        return;
    case JOB_FOLD:
        loop->job_ok = store_fold(store, &loop->job_err);
        return;
    case JOB_RELOAD:
        loop_run_reload(loop);
        return;
    case JOB_REFRESH:
        loop->job_ok = store_refresh(store, &loop->job_err);
    }
}

void loop_start_store_job(struct loop *loop, enum store_job job)
{
    assert(!loop->store_busy);
    loop->job_started_ns = uv_hrtime();
    loop->job = job;
    loop->store_busy = true;
    uv_queue_work(&loop->uv, &loop->store_work, run_store_job, on_store_job_done);
}

static void start_settle(struct loop *loop, enum intake_end end)
{
    loop->settle_as = end;
    loop_start_store_job(loop, JOB_SETTLE);
}

static void on_store_job_done(uv_work_t *work, int status)
{
    struct loop *loop = work->data;

    (void)status;
    loop->stepped = true;
    loop->store_busy = false;
    switch (loop->job) {
    case JOB_READ:
        on_chunk_read(loop);
        break;
    case JOB_SETTLE:
        take_intake_result(loop);
        break;
    case JOB_GROUP:
        on_group_settled(loop);
        break;
    case JOB_RETIRE_KNOWN:
        on_known_retired(loop);
        break;
    case JOB_PUBLISH:
        loop_on_published(loop);
        break;
    case JOB_FOLD:
        loop_on_folded(loop);
        break;
    case JOB_RELOAD:
        loop_on_reloaded(loop);
        break;
    case JOB_REFRESH:
        loop_on_refreshed(loop);
        break;
    }
    if (loop->job != JOB_READ) {
        loop_look_at_store(loop);
    }
    loop_advance(loop);
}

static void on_chunk_read(struct loop *loop)
{
    const struct ingest_summary *summary = ingest_summary(loop->intake->ingest);

    loop->read_bytes = summary->bytes;
    loop->read_rows = summary->records;
    loop_tell_reading(loop);
}

void loop_drop_file(struct loop *loop)
{
    log_progress_done();
    intake_close(loop->intake);
    loop->intake = NULL;
    loop->told_idle = false;
}

static uint64_t ms_since(uint64_t ticks_ns)
{
    return (clock_ticks_ns() - ticks_ns) / 1000000;
}

static void log_parts(struct log_line *line, const struct intake_parts *parts)
{
    log_ms(line, "wait_ms", parts->wait_ns);
    log_ms(line, "read_ms", parts->read_ns);
    log_ms(line, "store_ms", parts->store_ns);
    log_ms(line, "sync_ms", parts->sync_ns);
    log_ms(line, "retire_ms", parts->retire_ns);
}

static void log_settled(struct loop *loop, const struct intake *intake)
{
    const struct store_outcome *outcome = &intake->outcome;
    const char *feed = intake->summary.feed ? feed_name(intake->summary.feed) : "";
    struct log_line line;

    if (outcome->outcome == FILE_REJECTED) {
        loop_log_failure(loop, LOG_WARNING, "file_rejected", intake->name, &intake->refused);
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
    log_number(&line, "older", outcome->counts.older);
    log_number(&line, "rejected", intake->summary.rejected);
    if (intake->rejects_file[0]) {
        log_text(&line, "rejects", intake->rejects_file);
    }
    log_number(&line, "ms", ms_since(intake->claimed_ns));
    log_parts(&line, &intake->parts);
    loop_log(loop, &line);
}

// What its batch did was told when it was synced, or by nobody, if the daemon was killed then.
static void log_retired(struct loop *loop, const struct intake *intake)
{
    const struct store_outcome *outcome = &intake->outcome;
    struct log_line line;

    log_begin(&line, intake->rejects_file[0] ? LOG_NOTICE : LOG_INFO, "file_retired");
    log_text(&line, "file", intake->name);
    if (outcome->outcome == FILE_ACCEPTED) {
        log_number(&line, "batch", outcome->batch);
    } else {
        log_text(&line, "outcome", file_outcome_name(outcome->outcome));
    }
    if (intake->rejects_file[0]) {
        log_text(&line, "rejects", intake->rejects_file);
    }
    loop_log(loop, &line);
}

struct status_file loop_file_status(const struct loop *loop)
{
    if (!loop->intake) {
        return (struct status_file){.name = NULL};
    }
    return (struct status_file){.name = loop->intake->name,
                                .bytes = loop->read_bytes,
                                .bytes_total = loop->intake->file_bytes,
                                .rows = loop->read_rows,
                                .elapsed_ms = ms_since(loop->intake->claimed_ns)};
}

static void note_settled(struct loop *loop, const struct intake *intake)
{
    struct stats_file file = {.outcome = intake->outcome.outcome,
                              .batch = intake->outcome.batch,
                              .records = intake->summary.records,
                              .rejected = intake->summary.rejected,
                              .counts = intake->outcome.counts,
                              .time_ms = clock_now_ms(),
                              .took_ms = ms_since(intake->claimed_ns)};

    snprintf(file.name, sizeof file.name, "%s", intake->name);
    snprintf(file.feed, sizeof file.feed, "%s",
             intake->summary.feed ? feed_name(intake->summary.feed) : "");
    stats_note_file(&loop->stats, &file);
}

// Once for each file that this run took in, also when it cannot be moved yet.
static void tell_settled(struct loop *loop, const struct intake *intake)
{
    if (intake->known) {
        log_retired(loop, intake);
        return;
    }
    if (intake->outcome.outcome == FILE_ACCEPTED && intake->ended_ns > 0) {
        stats_note_time(&loop->stats.commit, (intake->ended_ns - intake->sealing_ns) / 1000);
    }
    log_settled(loop, intake);
    note_settled(loop, intake);
}

static bool is_committed(const struct intake *intake)
{
    return !intake->known && intake->lasts && intake->outcome.outcome == FILE_ACCEPTED &&
           intake->outcome.batch > 0;
}

// In the ledger, and it could not be moved: it is told at once, and only moved when it is tried
// again. Where no memory is for that, it is read, noted and told once more.
static void tell_unmoved(struct loop *loop, const struct intake *intake, enum intake_result result)
{
    struct noted_file noted = {
        .digest = intake->summary.digest, .outcome = intake->outcome, .refused = intake->refused};

    if (is_committed(intake)) {
        tell_settled(loop, intake);
    } else if (result == INTAKE_LATER && !intake->known && intake->lasts) {
        memcpy(noted.name, intake->name, sizeof noted.name);
        if (noted_put(&loop->noted, &noted)) {
            tell_settled(loop, intake);
        }
    }
}

// What a settled, postponed or fatal file means for the loop. Without an intake: it was not begun.
// One that is postponed is in claimed/ and may be in the ledger already; its turn is for the caller
// to keep.
static void take_result(struct loop *loop, const char *name, const struct intake *intake,
                        enum intake_result result, const struct tally_err *err)
{
    if (result != INTAKE_SETTLED && intake) {
        tell_unmoved(loop, intake, result);
    }
    switch (result) {
    case INTAKE_SETTLED:
        if (!loop->paused) { // behind it, a file may have had to wait
            loop_resume(loop, "intake_paused");
            loop_resume(loop, "store_unavailable");
        }
        tell_settled(loop, intake);
        noted_drop(&loop->noted, name);
        loop->any_rejected = loop->any_rejected || intake->outcome.outcome == FILE_REJECTED;
        break;
    case INTAKE_LATER:
    case INTAKE_UNSYNCED:
        loop_pause(loop, "intake_paused", name, err);
        break;
    case INTAKE_FATAL:
        loop_fail(loop, "store_failed", name, err);
        break;
    }
}

// Tried again later, before all others.
static bool take_later(struct loop *loop, const char *name, const struct tally_err *err)
{
    queue_put_back(&loop->reclaimed, name);
    loop_pause(loop, "intake_paused", name, err);
    return false;
}

static void take_intake_result(struct loop *loop)
{
    const struct intake *intake = loop->intake;

    take_result(loop, intake->name, intake, loop->result, &intake->err);
    loop->unsynced = loop->result == INTAKE_UNSYNCED;
    if (loop->unsynced) {
        return; // it goes on from there
    }
    if (loop->result == INTAKE_LATER) {
        queue_put_back(&loop->reclaimed, intake->name);
    }
    loop_drop_file(loop);
}

// A file of the group has to wait: so do those behind it, and the long one that comes after them.
// They keep their turn, so that nothing overtakes any of them.
static void put_off(struct loop *loop)
{
    const struct group *group = &loop->group;

    if (loop->intake) {
        queue_put_back(&loop->reclaimed, loop->intake->name);
        loop_drop_file(loop);
    }
    for (size_t i = group->count; i-- > 0;) {
        if (i >= group->ended || group->file[i].result == INTAKE_LATER) {
            queue_put_back(&loop->reclaimed, group->file[i].name);
        }
    }
    group_done(&loop->group);
}

static void on_group_settled(struct loop *loop)
{
    struct group *group = &loop->group;
    const struct group_file *failed = NULL;

    if (group->unsynced) {
        loop_pause(loop, "intake_paused", NULL, &group->sync_err);
        return; // it goes on from there
    }
    for (size_t i = 0; i < group->ended; i++) {
        const struct group_file *file = &group->file[i];
        if (file->result == INTAKE_SETTLED && !file->intake->lasts) {
            continue; // after a failure for good, what is sealed and not synced is told by nobody
        }
        if (!failed) {
            take_result(loop, file->name, file->intake, file->result, &file->err);
            failed = file->result == INTAKE_SETTLED ? NULL : file;
        } else if (file->intake) {
            tell_unmoved(loop, file->intake, file->result); // it waits for the same, told once
        }
    }
    loop->told_idle = false;
    if (failed && failed->result == INTAKE_LATER) {
        put_off(loop);
    } else {
        group_drop_ended(group);
    }
}

bool loop_open_file(struct loop *loop, const char *name, int fd, const struct disk_entry *entry,
                    bool reclaimed)
{
    uint64_t claimed_ns = clock_ticks_ns();
    struct tally_err err;

    if (!reclaimed) { // another file of that name, which is read
        noted_drop(&loop->noted, name);
    }
    if (!reclaimed && group_is_for(fd, entry->bytes)) {
        return group_add(&loop->group, name, fd, entry->bytes, claimed_ns, &err) ||
               take_later(loop, name, &err);
    }
    loop->intake = intake_open(loop->options->inbox, loop->config, name, fd, entry->bytes,
                               reclaimed, loop_progress(loop, &loop->parse_pace), &err);
    if (!loop->intake) {
        return take_later(loop, name, &err);
    }
    loop->read_end = INTAKE_GOES_ON;
    loop->unsynced = false;
    loop->intake->claimed_ns = claimed_ns;
    loop->read_bytes = 0;
    loop->read_rows = 0;
    loop->progress_ms = uv_now(&loop->uv);
    return true;
}

// A file of claimed/ that the ledger did not have: read it from its start.
static void on_known_retired(struct loop *loop)
{
    struct disk_entry entry;
    struct tally_err err;

    if (loop->job_ok) {
        take_intake_result(loop);
        return;
    }
    char name[INBOX_NAME_BYTES];
    memcpy(name, loop->intake->name, sizeof name);
    loop_drop_file(loop);
    int fd = inbox_reopen(loop->options->inbox, name, &entry, &err);
    if (fd < 0) {
        loop_log_failure(loop, LOG_ERROR, "claimed_unreadable", name, &err);
        return;
    }
    if (!inbox_has_room(loop->options->inbox, entry.bytes, &err)) {
        disk_close(fd);
        take_later(loop, name, &err);
        return;
    }
    loop_open_file(loop, name, fd, &entry, false);
}

// What the long file at hand does next.
void loop_advance_file(struct loop *loop)
{
    if (loop->store_busy) {
        return;
    }
    if (loop->unsynced && loop->paused) {
        loop_tell_idle(loop);
    } else if (loop->unsynced) {
        start_settle(loop, loop->settle_as);
    } else if (loop->read_end == INTAKE_GOES_ON) {
        loop_start_store_job(loop, JOB_READ);
    } else {
        start_settle(loop, loop->read_end);
    }
}
