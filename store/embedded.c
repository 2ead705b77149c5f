// store/embedded.c - the engine of one machine: a ledger, and all that counts in memory (contracts
// in store.h).
#include "base/disk.h"
#include "store/embedded.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- accepted files -----------------------------------------------------------------------

const struct accepted *embedded_lookup(const struct embedded *store, struct digest digest)
{
    size_t mask = store->accepted_slots - 1;

    if (store->accepted_slots == 0) {
        return NULL;
    }
    for (size_t at = digest.low & mask; store->accepted_slot[at] != 0; at = (at + 1) & mask) {
        const struct accepted *accepted = &store->accepted[store->accepted_slot[at] - 1];
        if (digest_equal(accepted->digest, digest) && !accepted->forgotten) {
            return accepted;
        }
    }
    return NULL;
}

static void place_accepted(struct embedded *store, size_t index)
{
    size_t mask = store->accepted_slots - 1;
    size_t at = store->accepted[index].digest.low & mask;

    while (store->accepted_slot[at] != 0) {
        at = (at + 1) & mask;
    }
    store->accepted_slot[at] = index + 1;
}

static bool reserve_accepted(struct embedded *store, struct tally_err *err)
{
    if (store->accepted_count == store->accepted_capacity) {
        size_t capacity = store->accepted_capacity ? store->accepted_capacity * 2 : 64;
        struct accepted *list = realloc(store->accepted, capacity * sizeof *list);
        if (!list) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for the list of files");
        }
        store->accepted = list;
        store->accepted_capacity = capacity;
    }
    if (store->accepted_count * 2 < store->accepted_slots) {
        return true;
    }
    size_t slots = store->accepted_slots ? store->accepted_slots * 2 : 256;
    size_t *slot = calloc(slots, sizeof *slot);
    if (!slot) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for the list of files");
    }
    free(store->accepted_slot);
    store->accepted_slot = slot;
    store->accepted_slots = slots;
    for (size_t i = 0; i < store->accepted_count; i++) {
        place_accepted(store, i);
    }
    return true;
}

bool embedded_rollup_has_feed(const struct embedded_rollup *rollup, const char *feed)
{
    const struct rollup_def *def = cells_def(rollup->cells);

    for (size_t i = 0; i < def->feeds_count; i++) {
        if (strcmp(def->feeds[i].name, feed) == 0) {
            return true;
        }
    }
    return false;
}

void embedded_mark_feed(struct embedded *store, const char *feed)
{
    for (size_t i = 0; i < store->rollups_count; i++) {
        if (embedded_rollup_has_feed(&store->rollup[i], feed)) {
            store->rollup[i].dirty = true;
        }
    }
}

void embedded_note_source(const struct embedded *store, struct embedded_rollup *rollup,
                          const struct accepted *accepted)
{
    if (embedded_rollup_has_feed(rollup, store->state.feed[accepted->feed].name)) {
        rollup->recent[rollup->batches++ % ROLLUP_SOURCES_MAX] = accepted->batch;
        rollup->dirty = true;
    }
}

static void forget_accepted(struct embedded *store, uint32_t feed)
{
    for (size_t i = 0; i < store->accepted_count; i++) {
        store->accepted[i].forgotten |= store->accepted[i].feed == feed;
    }
}

bool embedded_add_accepted(struct embedded *store, const struct accepted *accepted,
                           struct tally_err *err)
{
    if (!reserve_accepted(store, err)) {
        free(accepted->file);
        return false;
    }
    if (accepted->forgets) {
        forget_accepted(store, accepted->feed);
    }
    store->accepted[store->accepted_count] = *accepted;
    place_accepted(store, store->accepted_count);
    store->accepted_count++;
    for (size_t i = 0; i < store->rollups_count; i++) {
        embedded_note_source(store, &store->rollup[i], accepted);
    }
    return true;
}

bool embedded_find_accepted(const struct store *common, struct digest digest,
                            struct store_accepted *out_accepted)
{
    const struct embedded *store = embedded_of_const(common);
    const struct accepted *accepted = embedded_lookup(store, digest);

    if (accepted) {
        *out_accepted = (struct store_accepted){.batch = accepted->batch,
                                                .file = accepted->file,
                                                .rejected = accepted->rejected,
                                                .key = accepted->batch};
    }
    return accepted != NULL;
}

// ---- opening ------------------------------------------------------------------------------

static bool on_replayed_file(void *context, const struct replay_file *file, struct tally_err *err)
{
    struct embedded *store = context;

    store->last_time_ms = file->end->time_ms;
    if (file->batch == 0) {
        return true;
    }
    struct accepted accepted = {.digest = file->end->digest,
                                .batch = file->batch,
                                .time_ms = file->end->time_ms,
                                .rejected = file->end->rejected,
                                .at = file->at,
                                .forgets = file->begin->mode == BATCH_FORGET,
                                .forgotten = file->begin->mode == BATCH_FORGET,
                                .file = strndup(file->begin->file, file->begin->file_bytes)};
    struct cursor in = file->begin->shape;
    struct shape *shape = accepted.file ? shape_decode(&in, err) : NULL;
    if (!shape) {
        free(accepted.file);
        return accepted.file ? false : err_set(err, TALLY_NO_MEMORY, "no memory for a file name");
    }
    bool added =
        state_add_feed(&store->state, shape->feed, strlen(shape->feed), &accepted.feed, err);
    shape_close(shape);
    if (!added) {
        free(accepted.file);
        return false;
    }
    return embedded_add_accepted(store, &accepted, err);
}

// Bytes behind the last commit that are about to be cut off.
static uint64_t tail_bytes(const struct embedded *store, struct ledger_position end)
{
    char name[LEDGER_SEGMENT_NAME_BYTES];
    struct tally_err ignored;
    uint64_t bytes = 0;
    int fd =
        disk_open(store->ledger_fd, ledger_segment_name(end.segment, name), O_RDONLY, 0, &ignored);

    if (fd >= 0 && !disk_bytes(fd, &bytes, &ignored)) {
        bytes = 0;
    }
    disk_close(fd);
    return bytes > end.offset ? bytes - end.offset : 0;
}

void embedded_mark_committed(struct embedded *store, uint64_t batches)
{
    struct committed now = {.at = ledger_committed(store->ledger), .batches = batches};

    if (now.batches != store->committed.batches ||
        ledger_position_compare(now.at, store->committed.at) != 0) {
        committed_write(store->committed_fd, &now);
        store->committed = now;
        store->mark_unsynced = true;
    }
}

// Rollups come after the replay: adding up all at once is cheaper than change by change.
static bool recover(struct embedded *store, const struct store_options *options,
                    struct tally_err *err)
{
    struct replay_visitor visitor = {
        .context = store, .on_frame = store_on_step, .on_file = on_replayed_file};
    struct replay_end end;

    if (!committed_read(store->state_fd, &store->committed, err) ||
        !ledger_settle(store->ledger_fd, store->committed.at, err) ||
        !replay(&store->state, store->ledger_fd, &replay_all, &visitor, &end, err) ||
        !committed_check(&store->committed, &end, err)) {
        return false;
    }
    store->common.batches = end.batches;
    for (size_t i = 0; i < options->defs_count; i++) {
        if (!store_check_generation(&store->common, options->defs[i].name, err)) {
            return false;
        }
    }
    store->common.recovered_bytes = end.torn ? tail_bytes(store, end.at) : 0;
    store->ledger = ledger_open(store->ledger_fd, end.at, options->segment_bytes_max, err);
    store->reader = store->ledger ? ledger_reader_open(store->ledger_fd, err) : NULL;
    store->committed_fd = store->reader ? committed_open(store->state_fd, err) : -1;
    if (store->committed_fd >= 0) {
        embedded_mark_committed(store, store->common.batches);
    }
    return store->committed_fd >= 0;
}

static bool open_parts(struct embedded *store, const struct store_options *options,
                       struct tally_err *err)
{
    if (!state_init(&store->state, err) || !packer_init(&store->packer, &store->state, err)) {
        return false;
    }
    store->ledger_fd = store_open_folder(store->state_fd, "ledger", 0750, err);
    store->common.rollup_fd =
        store->ledger_fd >= 0 ? store_open_folder(store->state_fd, "rollup", 0755, err) : -1;
    return store->common.rollup_fd >= 0 && disk_sync_dir(store->state_fd, err) &&
           recover(store, options, err) &&
           store_set_rollups(&store->common, options->defs, options->defs_count, err);
}

static const struct store_engine embedded_engine = {
    .name = "ledger",
    .close = embedded_close,
    .is_broken = embedded_is_broken,
    .is_synced = embedded_is_synced,
    .incidents = embedded_incidents,
    .find_accepted = embedded_find_accepted,
    .begin = embedded_begin,
    .append = embedded_append,
    .open_batch = embedded_open_batch,
    .seal = embedded_seal,
    .abort = embedded_abort,
    .sync = embedded_sync,
    .note = embedded_note,
    .each_reject = embedded_each_reject,
    .publish = embedded_publish,
    .needs_publishing = embedded_needs_publishing,
    .set_rollups = embedded_set_rollups,
    .feeds_count = embedded_feeds_count,
    .feed_at = embedded_feed_at,
    .rollups_count = embedded_rollups_count,
    .rollup_at = embedded_rollup_at,
    .forget = embedded_forget,
    .patches = embedded_patches,
    .fold = embedded_fold,
};

struct store *store_open(int state_dir_fd, const struct store_options *options,
                         struct tally_err *err)
{
    struct embedded *store = calloc(1, sizeof *store);

    if (!store) {
        err_set(err, TALLY_NO_MEMORY, "no memory for the store");
        return NULL;
    }
    store_init(&store->common, &embedded_engine, options);
    store->patch_from_bytes = options->patch_from_bytes;
    store->state_fd = state_dir_fd;
    store->ledger_fd = -1;
    store->committed_fd = -1;
    bytes_init(&store->pending.newest_text);
    if (!open_parts(store, options, err)) {
        store_close(&store->common);
        return NULL;
    }
    return &store->common;
}

void embedded_close(struct store *common)
{
    struct embedded *store = embedded_of(common);

    for (size_t i = 0; i < store->rollups_count; i++) {
        cells_close(store->rollup[i].cells);
    }
    for (size_t i = 0; i < store->accepted_count; i++) {
        free(store->accepted[i].file);
    }
    packer_done(&store->packer);
    bytes_done(&store->pending.newest_text);
    free(store->pending.feed_name);
    free(store->pending.file);
    free(store->pending.scope);
    free(store->pending.scope_seen);
    free(store->pending.scope_known);
    free(store->pending.leant_on);
    free(store->rollup);
    free(store->accepted);
    free(store->accepted_slot);
    if (store->mark_unsynced) {
        struct tally_err ignored;
        (void)disk_sync_data(store->committed_fd, &ignored); // an older mark says less
    }
    ledger_reader_close(store->reader);
    ledger_close(store->ledger);
    state_done(&store->state);
    disk_close(store->ledger_fd);
    disk_close(store->common.rollup_fd);
    disk_close(store->committed_fd);
    free(store);
}

bool embedded_is_broken(const struct store *common)
{
    const struct embedded *store = embedded_of_const(common);
    return store->broken || ledger_is_broken(store->ledger);
}

bool embedded_is_synced(const struct store *common)
{
    const struct embedded *store = embedded_of_const(common);
    return ledger_is_synced(store->ledger);
}

uint64_t embedded_incidents(const struct store *common)
{
    const struct embedded *store = embedded_of_const(common);
    return state_incidents(&store->state);
}

bool embedded_each_reject(const struct store *common, uint64_t key,
                          const struct replay_visitor *visitor, struct tally_err *err)
{
    const struct embedded *store = embedded_of_const(common);
    struct ledger_reader *reader = ledger_reader_open(store->ledger_fd, err);
    bool ok = reader && replay_rejects(reader, store->accepted[key - 1].at, visitor, err);

    ledger_reader_close(reader);
    return ok;
}
