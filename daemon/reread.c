#include "daemon/reread.h"

#include "base/clock.h"
#include "base/disk.h"
#include "daemon/intake.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/rejects.h"
#include "store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { READ_BYTES = 1 << 20 };

// A file that made the feed what it is.
struct kept {
    char *name; // under which it came
    struct digest digest;
    size_t done; // which name in done/ has it
};

struct reread {
    const struct config *config;
    const struct inbox *inbox;
    const char *feed;
    struct kept *kept; // in the order in which they came first
    size_t kept_count;
    struct disk_names done;
    struct digest *digest; // of each name in done/, where it is known
    bool *known;
    uint64_t missing;
    uint64_t refused;
};

// ---- which files --------------------------------------------------------------------------

static bool keep(struct reread *reread, const char *name, size_t bytes, struct digest digest,
                 struct tally_err *err)
{
    for (size_t i = 0; i < reread->kept_count; i++) {
        if (digest_equal(reread->kept[i].digest, digest)) {
            return true; // it came again after a replay
        }
    }
    struct kept *kept = realloc(reread->kept, (reread->kept_count + 1) * sizeof *kept);
    if (!kept) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for the list of files");
    }
    reread->kept = kept;
    kept[reread->kept_count] = (struct kept){.name = strndup(name, bytes), .digest = digest};
    if (!kept[reread->kept_count].name) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for the list of files");
    }
    reread->kept_count++;
    return true;
}

static bool skip_rows(void *context, const struct replay_file *file, bool *out_skip,
                      struct tally_err *err)
{
    (void)context;
    (void)file;
    (void)err;
    *out_skip = true;
    return true;
}

// A batch says by its shape whose incidents it changed; a note says by which feed it came.
static bool on_file(void *context, const struct replay_file *file, struct tally_err *err)
{
    struct reread *reread = context;
    const struct batch_end *end = file->end;

    if (!file->begin) {
        bool ours = end->outcome == FILE_SUPERSEDED && end->feed_bytes == strlen(reread->feed) &&
                    memcmp(end->feed, reread->feed, end->feed_bytes) == 0;
        return !ours || keep(reread, end->file, end->file_bytes, end->digest, err);
    }
    struct cursor in = file->begin->shape;
    struct shape *shape = shape_decode(&in, err);
    if (!shape) {
        return false;
    }
    bool ours = strcmp(shape->feed, reread->feed) == 0 && file->begin->mode != BATCH_FORGET;
    shape_close(shape);
    return !ours || keep(reread, file->begin->file, file->begin->file_bytes, end->digest, err);
}

static bool list_kept(struct reread *reread, struct tally_err *err)
{
    struct replay_visitor visitor = {.context = reread, .on_begin = skip_rows, .on_file = on_file};
    struct replay_end end;
    struct state state;

    if (!state_init(&state, err)) {
        return false;
    }
    int fd = disk_open(reread->inbox->state_fd, "ledger", O_RDONLY | O_DIRECTORY, 0, err);
    bool ok = fd >= 0 && replay(&state, fd, &replay_all, &visitor, &end, err);
    disk_close(fd);
    state_done(&state);
    return ok;
}

// ---- where they are -----------------------------------------------------------------------

static bool digest_file(int fd, struct digest *out_digest, struct tally_err *err)
{
    struct digest_stream *stream = digest_stream_open(err);
    unsigned char *data = stream ? malloc(READ_BYTES) : NULL;
    ssize_t got = -1;

    while (data && (got = disk_read(fd, data, READ_BYTES, err)) > 0) {
        digest_stream_add(stream, data, (size_t)got);
    }
    if (got == 0) {
        *out_digest = digest_stream_value(stream);
    } else if (stream && !data) {
        err_set(err, TALLY_NO_MEMORY, "no memory to read a file");
    }
    free(data);
    digest_stream_close(stream);
    return got == 0;
}

// A name that cannot be read has no digest: if it is wanted, it is missing.
static bool has_digest(struct reread *reread, size_t at, struct digest digest)
{
    struct tally_err ignored;

    if (!reread->known[at]) {
        int fd = disk_open_beneath(reread->inbox->done_fd, reread->done.name[at], &ignored);
        if (fd < 0 || !digest_file(fd, &reread->digest[at], &ignored)) {
            reread->digest[at] = (struct digest){0};
        }
        disk_close(fd);
        reread->known[at] = true;
    }
    return digest_equal(reread->digest[at], digest);
}

// Under its own name, or that with a number behind it; else under any.
static bool find_done(struct reread *reread, struct kept *kept)
{
    for (int any = 0; any < 2; any++) {
        for (size_t i = 0; i < reread->done.count; i++) {
            bool likely = strncmp(reread->done.name[i], kept->name, strlen(kept->name)) == 0;
            if ((likely || any) && has_digest(reread, i, kept->digest)) {
                kept->done = i;
                return true;
            }
        }
    }
    return false;
}

static bool find_all(struct reread *reread, struct tally_err *err)
{
    if (!disk_list(reread->inbox->done_fd, ".", &reread->done, err)) {
        return false;
    }
    reread->digest = calloc(reread->done.count + 1, sizeof *reread->digest);
    reread->known = calloc(reread->done.count + 1, sizeof *reread->known);
    if (!reread->digest || !reread->known) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for the names in done/");
    }
    for (size_t i = 0; i < reread->kept_count; i++) {
        struct log_line line;
        if (!find_done(reread, &reread->kept[i])) {
            log_begin(&line, LOG_ERROR, "replay_missing");
            log_text(&line, "file", reread->kept[i].name);
            log_text(&line, "feed", reread->feed);
            log_end(&line);
            reread->missing++;
        }
    }
    return reread->missing == 0 ||
           err_set(err, TALLY_NOT_FOUND,
                   "%llu of %zu files of feed %.64s are not in done/ any more; nothing was changed",
                   (unsigned long long)reread->missing, reread->kept_count, reread->feed);
}

// ---- a ledger beside ----------------------------------------------------------------------

static bool copy_segment(int from_fd, int to_fd, const char *name, struct tally_err *err)
{
    int fd = disk_copy(from_fd, name, to_fd, name, 0640, err)
                 ? disk_open(to_fd, name, O_RDWR, 0, err)
                 : -1;
    bool ok = fd >= 0 && disk_sync_data(fd, err);

    disk_close(fd);
    return ok;
}

static bool copy_ledger(int from_fd, int to_fd, struct tally_err *err)
{
    struct disk_names names;
    bool ok = true;

    if (!disk_list(from_fd, ".", &names, err)) {
        return false;
    }
    for (size_t i = 0; ok && i < names.count; i++) {
        ok = copy_segment(from_fd, to_fd, names.name[i], err);
    }
    disk_names_done(&names);
    return ok && disk_sync_dir(to_fd, err);
}

// The folder replay/ with a copy of the ledger; its descriptor, or -1.
static int open_beside(const struct inbox *inbox, struct tally_err *err)
{
    int state_fd = inbox->state_fd;
    int from_fd = -1;
    int to_fd = -1;
    int fd = -1;

    bool ok = reread_clean(inbox, err) && disk_mkdir(state_fd, REREAD_FOLDER, 0750, err) &&
              (fd = disk_open(state_fd, REREAD_FOLDER, O_RDONLY | O_DIRECTORY, 0, err)) >= 0 &&
              disk_mkdir(fd, "ledger", 0750, err) &&
              (from_fd = disk_open(state_fd, "ledger", O_RDONLY | O_DIRECTORY, 0, err)) >= 0 &&
              (to_fd = disk_open(fd, "ledger", O_RDONLY | O_DIRECTORY, 0, err)) >= 0 &&
              copy_ledger(from_fd, to_fd, err);
    disk_close(from_fd);
    disk_close(to_fd);
    if (!ok) {
        disk_close(fd);
        return -1;
    }
    return fd;
}

static void log_read(const struct intake *intake)
{
    const struct store_outcome *outcome = &intake->outcome;
    struct log_line line;

    if (outcome->outcome == FILE_REJECTED) {
        log_failure(LOG_WARNING, "file_rejected", intake->name, &intake->refused);
        return;
    }
    log_begin(&line, LOG_INFO, "file_replayed");
    log_text(&line, "file", intake->name);
    log_text(&line, "outcome", file_outcome_name(outcome->outcome));
    log_number(&line, "batch", outcome->batch);
    log_number(&line, "rows", intake->summary.records);
    log_number(&line, "rejected", intake->summary.rejected);
    log_end(&line);
}

// What was not read as the ledger knows it: somebody changed it since it was found.
static bool is_same(const struct intake *intake, const struct kept *kept, struct tally_err *err)
{
    return digest_equal(intake->summary.digest, kept->digest) ||
           err_set(err, TALLY_BUSY, "%.150s changed in done/ while it was read", kept->name);
}

static bool read_file(struct reread *reread, const struct config *narrow, struct store *store,
                      const struct kept *kept, struct tally_err *err)
{
    struct disk_entry entry;
    int fd = disk_open_beneath(reread->inbox->done_fd, reread->done.name[kept->done], err);

    if (fd < 0 || !disk_look_open(fd, &entry, err)) {
        disk_close(fd);
        return false;
    }
    struct intake *intake =
        intake_open(NULL, narrow, kept->name, fd, entry.bytes, false, (struct progress){0}, err);
    if (!intake) {
        return false;
    }
    bool ok = intake_settle(intake, store, intake_take_in(intake, store)) == INTAKE_SETTLED;
    if (!ok) {
        *err = intake->err;
    } else {
        ok = is_same(intake, kept, err);
        log_read(intake);
        reread->refused += intake->outcome.outcome == FILE_REJECTED;
    }
    intake_close(intake);
    return ok;
}

// Only feeds that say something of this feed's incidents: nothing else may come of its files.
static bool narrow_config(const struct reread *reread, struct config *narrow, struct tally_err *err)
{
    const struct config *config = reread->config;

    *narrow = *config;
    narrow->feeds = calloc(config->feeds_count + 1, sizeof(struct feed *));
    narrow->feeds_count = 0;
    for (size_t i = 0; narrow->feeds && i < config->feeds_count; i++) {
        if (strcmp(feed_target(config->feeds[i]), reread->feed) == 0) {
            narrow->feeds[narrow->feeds_count++] = config->feeds[i];
        }
    }
    return narrow->feeds || err_set(err, TALLY_NO_MEMORY, "no memory for the feeds");
}

static bool read_all(struct reread *reread, int beside_fd, struct tally_err *err)
{
    struct store_options options = {.segment_bytes_max = reread->config->segment_bytes_max};
    struct config narrow;

    if (!narrow_config(reread, &narrow, err)) {
        return false;
    }
    struct store *store = store_open(beside_fd, &options, err);
    bool ok = store && store_forget(store, reread->feed, clock_now_ms(), err);
    for (size_t i = 0; ok && i < reread->kept_count; i++) {
        ok = read_file(reread, &narrow, store, &reread->kept[i], err);
    }
    store_close(store);
    free(narrow.feeds);
    return ok;
}

// ---- in force -----------------------------------------------------------------------------

// The mark of what was committed stays true: the new ledger is the old one and goes on behind it.
static bool exchange(const struct reread *reread, int beside_fd, struct tally_err *err)
{
    return disk_sync_dir(beside_fd, err) &&
           disk_exchange(beside_fd, "ledger", reread->inbox->state_fd, "ledger", err) &&
           disk_sync_dir(reread->inbox->state_fd, err) && disk_sync_dir(beside_fd, err);
}

// Rejected rows of the new mapping, for people, as an ordinary file leaves them.
static bool write_rejects(const struct reread *reread, const struct store *store,
                          struct tally_err *err)
{
    char name[INBOX_NAME_BYTES];
    bool ok = true;

    for (size_t i = 0; ok && i < reread->kept_count; i++) {
        const struct kept *kept = &reread->kept[i];
        struct store_accepted accepted;
        if (store_find_accepted(store, kept->digest, &accepted) && accepted.rejected > 0) {
            ok = rejects_write(store, accepted.key, accepted.batch, kept->name,
                               reread->inbox->rejected_fd, name, err);
        }
    }
    return ok;
}

static bool publish(const struct reread *reread, struct tally_err *err)
{
    struct store_options options = {.segment_bytes_max = reread->config->segment_bytes_max,
                                    .defs = reread->config->defs,
                                    .defs_count = reread->config->defs_count,
                                    .patch_from_bytes = reread->config->patch_from_bytes};
    struct store *store = store_open(reread->inbox->state_fd, &options, err);
    bool ok = store && store_publish(store, err) && write_rejects(reread, store, err);
    struct log_line line;

    if (ok) {
        log_begin(&line, LOG_NOTICE, "replayed");
        log_text(&line, "feed", reread->feed);
        log_number(&line, "files", reread->kept_count);
        log_number(&line, "refused", reread->refused);
        log_number(&line, "batches", store_batches(store));
        log_end(&line);
    }
    store_close(store);
    return ok;
}

static bool run(struct reread *reread, struct tally_err *err)
{
    if (!list_kept(reread, err) || !find_all(reread, err)) {
        return false;
    }
    int beside_fd = open_beside(reread->inbox, err);
    bool ok =
        beside_fd >= 0 && read_all(reread, beside_fd, err) && exchange(reread, beside_fd, err);
    disk_close(beside_fd);
    struct tally_err ignored;
    reread_clean(reread->inbox, &ignored);
    return ok && publish(reread, err);
}

static void done(struct reread *reread)
{
    for (size_t i = 0; i < reread->kept_count; i++) {
        free(reread->kept[i].name);
    }
    free(reread->kept);
    free(reread->digest);
    free(reread->known);
    disk_names_done(&reread->done);
}

bool reread_clean(const struct inbox *inbox, struct tally_err *err)
{
    return disk_remove_tree(inbox->state_fd, REREAD_FOLDER, err);
}

static int status_of(const struct tally_err *err)
{
    switch (err->code) {
    case TALLY_NOT_FOUND:
        return EX_NOINPUT;
    case TALLY_CORRUPT:
        return EX_CONFIG;
    case TALLY_BUSY:
        return EX_TEMPFAIL;
    case TALLY_SYNC_FAILED:
        return LOOP_EXIT_SYNC_FAILED;
    default:
        return EX_IOERR;
    }
}

int reread_feed(const struct config *config, const struct inbox *inbox, const char *feed)
{
    struct reread reread = {.config = config, .inbox = inbox, .feed = feed};
    struct tally_err err;
    int status = EX_OK;

    if (!run(&reread, &err)) {
        log_failure(LOG_ERROR, "replay_failed", NULL, &err);
        status = status_of(&err);
    } else if (reread.refused > 0) {
        status = 1;
    }
    done(&reread);
    return status;
}
