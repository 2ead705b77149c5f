// store/store.c - the store's one interface, handed on to the engine behind it (contracts in
// store.h and engine.h), and what engines share.
#include "store/store.h"

#include "base/disk.h"
#include "store/engine.h"
#include "store/rollup_patch.h"
#include "store/rollup_read.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- what engines share -------------------------------------------------------------------

void store_init(struct store *store, const struct store_engine *engine,
                const struct store_options *options)
{
    *store = (struct store){.engine = engine,
                            .progress = options->progress,
                            .stop_fd = options->stop_fd,
                            .rollup_fd = -1};
}

void store_on_step(void *context)
{
    const struct store *store = context;
    progress_step(&store->progress);
}

int store_open_folder(int dir_fd, const char *name, mode_t mode, struct tally_err *err)
{
    return disk_mkdir(dir_fd, name, mode, err)
               ? disk_open(dir_fd, name, O_RDONLY | O_DIRECTORY, 0, err)
               : -1;
}

bool store_check_generation(const struct store *store, const char *name, struct tally_err *err)
{
    char path[STORE_PATH_BYTES];
    struct tally_err ignored;

    snprintf(path, sizeof path, "%s" ROLLUP_ENDING, name);
    struct rollup *rollup = rollup_open(store->rollup_fd, path, &ignored);
    uint64_t generation = rollup ? rollup_generation(rollup) : 0;
    rollup_close(rollup);
    return generation <= store->batches ||
           err_set(err, TALLY_CORRUPT,
                   "rollup %s was made of %llu batches, but only %llu can be read from the "
                   "ledger%s, or remove the rollup to go on without them",
                   name, (unsigned long long)generation, (unsigned long long)store->batches,
                   store_is_shared(store)
                       ? " on the servers: move what is on this machine there (tallyd --migrate)"
                       : ": restore the ledger from a backup");
}

// Whether the file that is there says the same already, generation and all. Its name may not be on
// the disk yet: the run that renamed it may have been killed before its directory was synced.
static bool is_published(const struct store *store, const char *path, const struct bytes *file)
{
    struct tally_err ignored;
    unsigned char *data;
    size_t count;

    if (!disk_load(store->rollup_fd, path, file->count, &data, &count, &ignored)) {
        return false;
    }
    bool same = count == file->count && memcmp(data, file->data, count) == 0;
    free(data);
    return same;
}

bool store_put_rollup(const struct store *store, const char *rollup, const struct bytes *file,
                      struct tally_err *err)
{
    char path[STORE_PATH_BYTES];

    snprintf(path, sizeof path, "%s" ROLLUP_ENDING, rollup);
    return is_published(store, path, file)
               ? disk_sync_dir(store->rollup_fd, err)
               : disk_replace(store->rollup_fd, path, file->data, file->count, 0644, err);
}

// ---- files of rollups that are no longer kept ---------------------------------------------

static bool is_configured(const struct store *store, const char *name, size_t bytes)
{
    for (size_t i = 0; i < store_rollups_count(store); i++) {
        const char *configured = store_rollup_at(store, i).name;
        if (strlen(configured) == bytes && memcmp(configured, name, bytes) == 0) {
            return true;
        }
    }
    return false;
}

// How long the name of the rollup is that a file belongs to; 0: to none.
static size_t name_bytes_of(const char *file)
{
    static const char *const endings[] = {ROLLUP_ENDING, ROLLUP_ENDING ROLLUP_PATCH_ENDING};
    size_t bytes = strlen(file);

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t ending = strlen(endings[i]);
        if (bytes > ending && strcmp(file + bytes - ending, endings[i]) == 0) {
            return bytes - ending;
        }
    }
    return 0;
}

bool store_remove_strangers(struct store *store, store_on_removed *on_removed, void *context,
                            struct tally_err *err)
{
    struct disk_names names;
    bool ok = true;

    if (!disk_list(store->rollup_fd, ".", &names, err)) {
        return false;
    }
    for (size_t i = 0; ok && i < names.count; i++) {
        size_t bytes = name_bytes_of(names.name[i]);
        if (bytes > 0 && !is_configured(store, names.name[i], bytes)) {
            ok = disk_unlink(store->rollup_fd, names.name[i], err);
            if (ok) {
                on_removed(context, names.name[i]);
            }
        }
    }
    disk_names_done(&names);
    return ok;
}

// ---- handed on ----------------------------------------------------------------------------

void store_close(struct store *store)
{
    if (store) {
        store->engine->close(store);
    }
}

void store_watch(struct store *store, struct progress progress)
{
    store->progress = progress;
}

const char *store_engine_name(const struct store *store)
{
    return store->engine->name;
}

bool store_is_broken(const struct store *store)
{
    return store->engine->is_broken(store);
}

bool store_is_synced(const struct store *store)
{
    return store->engine->is_synced(store);
}

bool store_is_shared(const struct store *store)
{
    return store->engine->refresh != NULL;
}

uint64_t store_incidents(const struct store *store)
{
    return store->engine->incidents(store);
}

uint64_t store_batches(const struct store *store)
{
    return store->batches;
}

uint64_t store_recovered_bytes(const struct store *store)
{
    return store->recovered_bytes;
}

bool store_find_accepted(const struct store *store, struct digest digest,
                         struct store_accepted *out_accepted)
{
    return store->engine->find_accepted(store, digest, out_accepted);
}

bool store_begin(struct store *store, const struct store_file *file, struct tally_err *err)
{
    return store->engine->begin(store, file, err);
}

bool store_append(struct store *store, const struct rows *rows, struct tally_err *err)
{
    return store->engine->append(store, rows, err);
}

// Ends the batch without a trace but a note.
static bool drop(struct store *store, const struct store_open_batch *batch,
                 const struct store_file_end *file, enum file_outcome outcome, uint64_t number,
                 const char *reason, struct store_outcome *out_outcome, struct tally_err *err)
{
    if (!store_abort(store, err) ||
        !store_note(store, outcome, batch->feed, batch->file, file, "", reason, err)) {
        return false;
    }
    *out_outcome = (struct store_outcome){.outcome = outcome, .batch = number};
    return true;
}

bool store_seal(struct store *store, const struct store_file_end *end,
                struct store_outcome *out_outcome, struct tally_err *err)
{
    const struct store_open_batch batch = store->engine->open_batch(store);
    struct store_accepted before;
    char reason[300];

    if (store_find_accepted(store, end->digest, &before)) {
        snprintf(reason, sizeof reason, "the same bytes were accepted as %.200s in batch %llu",
                 before.file, (unsigned long long)before.batch);
        return drop(store, &batch, end, FILE_DUPLICATE, before.batch, reason, out_outcome, err);
    }
    if (batch.mode == BATCH_SNAPSHOT && batch.puts == 0) {
        return store_abort(store, err) &&
               err_set(err, TALLY_REFUSED,
                       "a snapshot without incidents would withdraw everything of feed %s; "
                       "withdraw by a deletions file if that is meant",
                       batch.feed);
    }
    if (batch.mode == BATCH_SNAPSHOT && batch.scopes_in_force == 0) {
        return drop(store, &batch, end, FILE_SUPERSEDED, 0,
                    "a newer snapshot is in force for all that it covers", out_outcome, err);
    }
    return store->engine->seal(store, end, out_outcome, err);
}

bool store_abort(struct store *store, struct tally_err *err)
{
    return store->engine->abort(store, err);
}

bool store_sync(struct store *store, struct tally_err *err)
{
    return store->engine->sync(store, err);
}

bool store_commit(struct store *store, const struct store_file_end *end,
                  struct store_outcome *out_outcome, struct tally_err *err)
{
    return store_seal(store, end, out_outcome, err) && store_sync(store, err);
}

bool store_refresh(struct store *store, struct tally_err *err)
{
    return !store->engine->refresh || store->engine->refresh(store, err);
}

bool store_forget(struct store *store, const char *feed, int64_t time_ms, struct tally_err *err)
{
    if (!store->engine->forget) {
        return err_set(err, TALLY_UNSUPPORTED,
                       "a store of engine %s cannot forget what a feed said", store->engine->name);
    }
    return store->engine->forget(store, feed, time_ms, err);
}

bool store_note(struct store *store, enum file_outcome outcome, const char *feed, const char *name,
                const struct store_file_end *end, const char *place, const char *reason,
                struct tally_err *err)
{
    return store->engine->note(store, outcome, feed, name, end, place, reason, err);
}

bool store_each_reject(const struct store *store, uint64_t key,
                       const struct replay_visitor *visitor, struct tally_err *err)
{
    return store->engine->each_reject(store, key, visitor, err);
}

bool store_publish(struct store *store, struct tally_err *err)
{
    assert(store_is_synced(store));
    return store->engine->publish(store, err);
}

bool store_needs_publishing(const struct store *store)
{
    return store->engine->needs_publishing(store);
}

enum store_patches store_patches(const struct store *store)
{
    return store->engine->patches ? store->engine->patches(store) : STORE_NO_PATCH;
}

bool store_fold(struct store *store, struct tally_err *err)
{
    return !store->engine->fold || store->engine->fold(store, err);
}

bool store_set_rollups(struct store *store, const struct rollup_def *defs, size_t count,
                       struct tally_err *err)
{
    return store->engine->set_rollups(store, defs, count, err);
}

bool store_set_feeds(struct store *store, const struct store_feed *feeds, size_t count,
                     struct tally_err *err)
{
    return !store->engine->set_feeds || store->engine->set_feeds(store, feeds, count, err);
}

// ---- views --------------------------------------------------------------------------------

size_t store_feeds_count(const struct store *store)
{
    return store->engine->feeds_count(store);
}

struct store_feed_view store_feed_at(const struct store *store, size_t index)
{
    assert(index < store_feeds_count(store));
    return store->engine->feed_at(store, index);
}

bool store_find_feed(const struct store *store, const char *name, struct store_feed_view *out_view)
{
    for (size_t i = 0; i < store_feeds_count(store); i++) {
        struct store_feed_view view = store_feed_at(store, i);
        if (strcmp(view.name, name) == 0) {
            *out_view = view;
            return true;
        }
    }
    return false;
}

size_t store_rollups_count(const struct store *store)
{
    return store->engine->rollups_count(store);
}

struct store_rollup_view store_rollup_at(const struct store *store, size_t index)
{
    assert(index < store_rollups_count(store));
    return store->engine->rollup_at(store, index);
}

size_t store_hosts_count(const struct store *store)
{
    return store->engine->hosts_count ? store->engine->hosts_count(store) : 0;
}

struct store_host_view store_host_at(const struct store *store, size_t index)
{
    assert(index < store_hosts_count(store));
    return store->engine->host_at(store, index);
}
