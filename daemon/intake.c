#include "daemon/intake.h"

#include "base/clock.h"
#include "daemon/rejects.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NO_CHUNK = -1,
    READ_NS = 20 * 1000 * 1000, // a worker reads so long before the loop has a look
};

static ssize_t read_file(void *context, void *data, size_t count)
{
    const struct intake *intake = context;
    struct tally_err err;
    ssize_t got = disk_read(intake->fd, data, count, &err);

    progress_step(&intake->progress);
    if (got < 0) {
        errno = err.sys_errno;
    }
    return got;
}

static void init_chunks(struct intake *intake)
{
    for (int i = 0; i < INTAKE_CHUNKS; i++) {
        for (int part = 0; part < INGEST_CHUNKS_MAX; part++) {
            rows_init(&intake->chunk[i][part]);
        }
    }
}

static void clear_chunks(struct intake *intake)
{
    for (int i = 0; i < INTAKE_CHUNKS; i++) {
        for (int part = 0; part < INGEST_CHUNKS_MAX; part++) {
            rows_done(&intake->chunk[i][part]);
        }
    }
    init_chunks(intake);
}

struct intake *intake_open(const struct inbox *inbox, const struct config *config, const char *name,
                           int fd, uint64_t file_bytes, bool reclaimed, struct progress progress,
                           struct tally_err *err)
{
    struct intake *intake = calloc(1, sizeof *intake);

    if (!intake) {
        disk_close(fd);
        err_set(err, TALLY_NO_MEMORY, "no memory to read %s", name);
        return NULL;
    }
    snprintf(intake->name, sizeof intake->name, "%s", name);
    intake->fd = fd;
    intake->file_bytes = file_bytes;
    intake->reclaimed = reclaimed;
    intake->inbox = inbox;
    intake->progress = progress;
    intake->parsed = NO_CHUNK;
    intake->stored = true;
    init_chunks(intake);
    if (!disk_look_open(fd, &intake->opened, err)) {
        intake_close(intake);
        return NULL;
    }
    intake->ingest = ingest_open((const struct feed *const *)config->feeds, config->feeds_count,
                                 name, &config->limits, read_file, intake, err);
    if (!intake->ingest) {
        intake_close(intake);
        return NULL;
    }
    return intake;
}

void intake_release(struct intake *intake)
{
    ingest_close(intake->ingest);
    intake->ingest = NULL;
    intake->summary.header = "";
    clear_chunks(intake);
    disk_close(intake->fd);
    intake->fd = -1;
}

void intake_close(struct intake *intake)
{
    if (intake) {
        intake_release(intake);
        free(intake);
    }
}

// ---- storing ------------------------------------------------------------------------------

static bool begin(struct intake *intake, struct store *store)
{
    const struct ingest_summary *summary = ingest_summary(intake->ingest);
    const struct feed *feed = summary->feed;
    static const enum batch_mode modes[] = {[FEED_UPSERT] = BATCH_UPSERT,
                                            [FEED_SNAPSHOT] = BATCH_SNAPSHOT,
                                            [FEED_DELETIONS] = BATCH_DELETIONS};
    // Repaired rows withdraw nothing: they are not all that the feed has.
    bool upsert = summary->repair && feed_mode(feed) == FEED_SNAPSHOT;
    enum batch_mode mode = upsert ? BATCH_UPSERT : modes[feed_mode(feed)];
    struct store_file file = {.mode = feed_is_claims(feed) ? BATCH_CLAIMS : mode,
                              .feed = feed_name(feed),
                              .name = intake->name,
                              .header = summary->header,
                              .scope_dim = upsert ? -1 : feed_scope_dim(feed),
                              .shape = feed_shape(feed)};

    intake->begun = true;
    return store_begin(store, &file, &intake->err);
}

struct storing {
    struct intake *intake;
    struct store *store;
};

static void store_chunk(void *context)
{
    const struct storing *storing = context;
    struct intake *intake = storing->intake;
    uint64_t began_ns = clock_ticks_ns();
    int chunk = intake->parsed;

    intake->stored = intake->begun || begin(intake, storing->store);
    for (size_t part = 0; intake->stored && part < intake->parts_count[chunk]; part++) {
        intake->stored = store_append(storing->store, &intake->chunk[chunk][part], &intake->err);
    }
    intake->parts.store_ns += clock_ticks_ns() - began_ns;
}

static void parse_chunk(struct intake *intake, int chunk, struct storing *meanwhile)
{
    uint64_t began_ns = clock_ticks_ns();
    struct ingest_turn turn = {.chunks = intake->chunk[chunk],
                               .chunks_max = INGEST_CHUNKS_MAX,
                               .meanwhile = meanwhile ? store_chunk : NULL,
                               .context = meanwhile};

    if (intake->parts.wait_ns == 0 && intake->claimed_ns > 0) {
        intake->parts.wait_ns = began_ns - intake->claimed_ns;
    }
    intake->step = ingest_next(intake->ingest, &turn, &intake->parse_err);
    intake->parts_count[chunk] = turn.count;
    intake->parts.read_ns += clock_ticks_ns() - began_ns;
}

static enum intake_end read_chunk(struct intake *intake, struct store *store)
{
    struct storing storing = {.intake = intake, .store = store};

    if (intake->parsed != NO_CHUNK && intake->step == INGEST_END) {
        store_chunk(&storing);
        return intake->stored ? INTAKE_COMPLETE : INTAKE_NOT_STORED;
    }
    int next = intake->parsed == 0 ? 1 : 0;
    parse_chunk(intake, next, intake->parsed != NO_CHUNK ? &storing : NULL);
    if (!intake->stored) {
        return INTAKE_NOT_STORED;
    }
    intake->parsed = next;
    return intake->step == INGEST_CHUNK || intake->step == INGEST_END ? INTAKE_GOES_ON
                                                                      : INTAKE_BAD_FILE;
}

enum intake_end intake_read(struct intake *intake, struct store *store)
{
    uint64_t until_ns = clock_ticks_ns() + READ_NS;
    enum intake_end end;

    do {
        end = read_chunk(intake, store);
    } while (end == INTAKE_GOES_ON && clock_ticks_ns() < until_ns);
    return end;
}

enum intake_end intake_take_in(struct intake *intake, struct store *store)
{
    enum intake_end end;

    do {
        end = intake_read(intake, store);
    } while (end == INTAKE_GOES_ON);
    return end;
}

// ---- settling -----------------------------------------------------------------------------

static struct store_file_end end_of(const struct ingest_summary *summary)
{
    return (struct store_file_end){.digest = summary->digest,
                                   .time_ms = clock_now_ms(),
                                   .bytes = summary->bytes,
                                   .records = summary->records,
                                   .rejected = summary->rejected,
                                   .disordered = summary->disordered,
                                   .unterminated = summary->unterminated,
                                   .any_day = summary->any_day,
                                   .first_day = summary->first_day,
                                   .last_day = summary->last_day};
}

static enum intake_result later_or_fatal(struct intake *intake, struct store *store)
{
    bool passing = intake->err.code == TALLY_NO_SPACE || intake->err.code == TALLY_NO_MEMORY ||
                   intake->err.code == TALLY_UNAVAILABLE;

    if (store_is_broken(store) || !passing) {
        return INTAKE_FATAL;
    }
    return store_abort(store, &intake->err) ? INTAKE_LATER : INTAKE_FATAL;
}

// Into rejected/, with what is wrong, in words, beside it.
static bool reject(struct intake *intake)
{
    const struct tally_err *why = &intake->refused;
    char *text;

    if (asprintf(&text, "%s was refused as a whole; nothing of it counts.\n%s%s%s\n", intake->name,
                 why->place, why->place[0] ? ": " : "", why->message) < 0) {
        return err_set(&intake->err, TALLY_NO_MEMORY, "no memory for a reason");
    }
    bool ok = inbox_reject(intake->inbox, intake->name, text, intake->retired_as, &intake->err);
    free(text);
    return ok;
}

static enum intake_result refuse(struct intake *intake, struct store *store,
                                 const struct tally_err *why)
{
    intake->refused = *why;
    if (!store_abort(store, &intake->err)) {
        return INTAKE_FATAL;
    }
    // A file that cannot be read to its end keeps the digest of what could be read.
    (void)ingest_finish_digest(intake->ingest, &intake->err);
    intake->summary = *ingest_summary(intake->ingest);
    struct store_file_end end = end_of(&intake->summary);
    const char *feed = intake->summary.feed ? feed_name(intake->summary.feed) : "";
    if (!store_note(store, FILE_REJECTED, feed, intake->name, &end, intake->refused.place,
                    intake->refused.message, &intake->err)) {
        return later_or_fatal(intake, store);
    }
    intake->outcome.outcome = FILE_REJECTED;
    return INTAKE_SETTLED;
}

// Accepted now, or before a power cut that took the file back to the inbox: nobody may have written
// the rows that were set aside. Somebody who delivers it again finds what stands there as it was:
// corrected, or another file.
static bool wants_rejects(const struct intake *intake, const struct store_accepted *accepted)
{
    return intake->outcome.outcome == FILE_ACCEPTED ||
           (intake->outcome.outcome == FILE_DUPLICATE &&
            strcmp(accepted->file, intake->name) == 0 &&
            !rejects_stand(accepted->batch, intake->name, intake->inbox->rejected_fd));
}

// The rejected rows first: as long as the file is in claimed/, a restart comes back to them.
static bool retire(struct intake *intake, struct store *store)
{
    struct store_accepted accepted;

    if (store_find_accepted(store, intake->summary.digest, &accepted) && accepted.rejected > 0 &&
        wants_rejects(intake, &accepted) &&
        !rejects_write(store, accepted.key, accepted.batch, intake->name,
                       intake->inbox->rejected_fd, intake->rejects_file, &intake->err)) {
        return false;
    }
    return inbox_retire(intake->inbox, intake->name, intake->inbox->done_fd, intake->retired_as,
                        &intake->err);
}

// A writer who kept the file open may have added to it, cut it or written into its middle: what
// was read is then no state that the file was ever in.
static bool check_unchanged(const struct intake *intake, struct tally_err *err)
{
    const struct disk_entry *opened = &intake->opened;
    struct disk_entry now;

    if (!disk_look_open(intake->fd, &now, err)) {
        return false;
    }
    return (intake->summary.bytes == opened->bytes && now.bytes == opened->bytes &&
            now.modified_ms == opened->modified_ms) ||
           err_set(err, TALLY_REFUSED,
                   "changed while it was read: %llu bytes at first, %llu read, %llu now; deliver "
                   "the whole file again",
                   (unsigned long long)opened->bytes, (unsigned long long)intake->summary.bytes,
                   (unsigned long long)now.bytes);
}

// After the store refused what the file brings: it is for the file, unless the store itself is
// broken or cannot be reached.
static enum intake_result refuse_or_wait(struct intake *intake, struct store *store)
{
    bool bad_file = intake->err.code == TALLY_REFUSED || intake->err.code == TALLY_LIMIT;

    return bad_file && !store_is_broken(store) ? refuse(intake, store, &intake->err)
                                               : later_or_fatal(intake, store);
}

static enum intake_result seal(struct intake *intake, struct store *store)
{
    intake->summary = *ingest_summary(intake->ingest);
    struct store_file_end end = end_of(&intake->summary);

    clear_chunks(intake); // what sealing takes is large enough
    if (!check_unchanged(intake, &intake->err)) {
        return refuse_or_wait(intake, store);
    }
    if (!intake->begun && !begin(intake, store)) {
        return later_or_fatal(intake, store);
    }
    return store_seal(store, &end, &intake->outcome, &intake->err) ? INTAKE_SETTLED
                                                                   : refuse_or_wait(intake, store);
}

static enum intake_result end_batch(struct intake *intake, struct store *store, enum intake_end end)
{
    switch (end) {
    case INTAKE_COMPLETE:
        return seal(intake, store);
    case INTAKE_BAD_FILE:
        return refuse(intake, store, &intake->parse_err);
    case INTAKE_GOES_ON: // never: nobody ends it then
    case INTAKE_NOT_STORED:
        break;
    }
    return refuse_or_wait(intake, store);
}

enum intake_result intake_seal(struct intake *intake, struct store *store, enum intake_end end)
{
    intake->sealing_ns = clock_ticks_ns();
    enum intake_result result = end_batch(intake, store, end);

    intake->parts.store_ns += clock_ticks_ns() - intake->sealing_ns;
    intake->sealed = result == INTAKE_SETTLED;
    return result;
}

enum intake_result intake_retire(struct intake *intake, struct store *store)
{
    uint64_t began_ns = clock_ticks_ns();
    bool refused = intake->outcome.outcome == FILE_REJECTED;
    bool ok = !intake->inbox || (refused ? reject(intake) : retire(intake, store));

    intake->ended_ns = clock_ticks_ns();
    intake->parts.retire_ns = intake->ended_ns - began_ns;
    return ok ? INTAKE_SETTLED : later_or_fatal(intake, store);
}

bool intake_may_sync_again(const struct store *store, const struct tally_err *err)
{
    return err->code == TALLY_UNAVAILABLE && !store_is_broken(store);
}

enum intake_result intake_settle(struct intake *intake, struct store *store, enum intake_end end)
{
    enum intake_result result = INTAKE_SETTLED;

    if (!intake->sealed) {
        result = intake_seal(intake, store, end);
    }
    if (result != INTAKE_SETTLED) {
        return result;
    }
    uint64_t began_ns = clock_ticks_ns();
    intake->lasts = store_sync(store, &intake->err);
    intake->parts.sync_ns += clock_ticks_ns() - began_ns;
    if (!intake->lasts) {
        return intake_may_sync_again(store, &intake->err) ? INTAKE_UNSYNCED : INTAKE_FATAL;
    }
    return intake_retire(intake, store);
}

// ---- after a restart ----------------------------------------------------------------------

static bool digest_file(struct intake *intake, struct digest *out_digest)
{
    if (!ingest_finish_digest(intake->ingest, &intake->err)) {
        return false;
    }
    *out_digest = ingest_summary(intake->ingest)->digest;
    return true;
}

// What became of it when it was read.
static bool find_known(struct intake *intake, const struct store *store, struct digest digest,
                       const struct noted_file *noted)
{
    struct store_accepted accepted;

    intake->summary = *ingest_summary(intake->ingest);
    if (noted && digest_equal(noted->digest, digest)) {
        intake->outcome = noted->outcome;
        intake->refused = noted->refused;
        return true;
    }
    if (store_find_accepted(store, digest, &accepted) && strcmp(accepted.file, intake->name) == 0) {
        intake->summary.rejected = accepted.rejected;
        intake->outcome = (struct store_outcome){.outcome = FILE_ACCEPTED, .batch = accepted.batch};
        return true;
    }
    return false;
}

bool intake_retire_known(struct intake *intake, struct store *store, const struct noted_file *noted,
                         enum intake_result *out_result)
{
    struct digest digest;

    if (!digest_file(intake, &digest) || !find_known(intake, store, digest, noted)) {
        return false;
    }
    intake->known = true;
    *out_result = intake_retire(intake, store);
    return true;
}
