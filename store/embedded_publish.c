// store/embedded_publish.c - rollups on the disk, each as a base, or as a base and a patch
// (contracts in store.h).
//
//   NAME.rollup         all that counted when it was written       large ones: after a start, and
//                                                                  when the patch has grown
//   NAME.rollup.patch   what changed since                         after each batch
//
// A base is on the disk before the patch of the one before it is removed: a patch that is left over
// names another base, and readers leave it aside. A run never writes a patch of a base that it did
// not write itself, since only then it knows what the base says.
#include "base/disk.h"
#include "base/planted.h"
#include "store/embedded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATCH_LARGE_BYTES = 1 << 20 };

static void fill_sources(const struct embedded *store, const struct embedded_rollup *rollup,
                         struct rollup_source *sources, struct cells_provenance *out)
{
    uint64_t count = rollup->batches < ROLLUP_SOURCES_MAX ? rollup->batches : ROLLUP_SOURCES_MAX;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t batch = rollup->recent[(rollup->batches - count + i) % ROLLUP_SOURCES_MAX];
        const struct accepted *accepted = &store->accepted[batch - 1]; // batches count from 1
        const char *feed = store->state.feed[accepted->feed].name;
        sources[i] = (struct rollup_source){.batch = batch,
                                            .time_ms = accepted->time_ms,
                                            .digest = accepted->digest,
                                            .feed = feed,
                                            .feed_bytes = strlen(feed),
                                            .file = accepted->file,
                                            .file_bytes = strlen(accepted->file)};
    }
    *out = (struct cells_provenance){.generation = count ? sources[count - 1].batch : 0,
                                     .batches = rollup->batches,
                                     .source = sources,
                                     .sources_count = (size_t)count};
}

static const char *path_of(const struct embedded_rollup *rollup, const char *ending,
                           char path[STORE_PATH_BYTES])
{
    snprintf(path, STORE_PATH_BYTES, "%s" ROLLUP_ENDING "%s", cells_def(rollup->cells)->name,
             ending);
    return path;
}

// ---- whole --------------------------------------------------------------------------------

// After the new base is there for good. What is left over says nothing of it, unless the base came
// out as the very bytes that it was before, from a ledger that was set back.
static bool remove_patch(struct embedded *store, struct embedded_rollup *rollup,
                         struct tally_err *err)
{
    struct disk_entry entry;
    struct tally_err absent;
    char path[STORE_PATH_BYTES];

    path_of(rollup, ROLLUP_PATCH_ENDING, path);
    if (rollup->patched && disk_look(store->common.rollup_fd, path, &entry, &absent) &&
        (!disk_unlink(store->common.rollup_fd, path, err) ||
         !disk_sync_dir(store->common.rollup_fd, err))) {
        return false;
    }
    rollup->patched = false;
    rollup->patch_bytes = 0;
    return true;
}

static bool publish_whole(struct embedded *store, struct embedded_rollup *rollup,
                          struct tally_err *err)
{
    struct rollup_source sources[ROLLUP_SOURCES_MAX];
    struct cells_provenance provenance;
    const char *name = cells_def(rollup->cells)->name;
    struct bytes file;

    fill_sources(store, rollup, sources, &provenance);
    rollup->base_bytes = 0;
    bytes_init(&file);
    bool ok = cells_encode(rollup->cells, &store->state, &provenance, &file, err) &&
              (!PLANTED(PATCH_REMOVED_FIRST) || remove_patch(store, rollup, err)) &&
              store_put_rollup(&store->common, name, &file, err) &&
              remove_patch(store, rollup, err);
    if (ok) {
        cells_set_base(rollup->cells);
        rollup->base_bytes = file.count;
        rollup->dirty = false;
    }
    bytes_done(&file);
    return ok || err_wrap(err, "publish %s" ROLLUP_ENDING, name);
}

// ---- patch --------------------------------------------------------------------------------

// A patch that costs as much to read or write as the base would.
static uint64_t large_bytes(const struct embedded_rollup *rollup)
{
    return rollup->base_bytes < PATCH_LARGE_BYTES ? rollup->base_bytes : PATCH_LARGE_BYTES;
}

static bool may_patch(const struct embedded *store, const struct embedded_rollup *rollup)
{
    return rollup->base_bytes > 0 && rollup->base_bytes >= store->patch_from_bytes &&
           rollup->patch_bytes < 2 * large_bytes(rollup) && cells_can_patch(rollup->cells);
}

// *out_done stays false where only the whole file will do.
static bool publish_patch(struct embedded *store, struct embedded_rollup *rollup, bool *out_done,
                          struct tally_err *err)
{
    struct rollup_source sources[ROLLUP_SOURCES_MAX];
    struct cells_provenance provenance;
    char path[STORE_PATH_BYTES];
    struct bytes file;

    *out_done = false;
    if (!may_patch(store, rollup)) {
        return true;
    }
    path_of(rollup, ROLLUP_PATCH_ENDING, path);
    fill_sources(store, rollup, sources, &provenance);
    bytes_init(&file);
    bool ok = cells_encode_patch(rollup->cells, &store->state, &provenance, &file, out_done, err);
    if (ok && *out_done) {
        rollup->patched = true; // also when it fails: nobody knows how far it came
        ok = disk_replace(store->common.rollup_fd, path, file.data, file.count, 0644, err);
    }
    if (ok && *out_done) {
        // Who watches the rollup hears of it.
        disk_touch(store->common.rollup_fd, path_of(rollup, "", path));
        rollup->patch_bytes = file.count;
        rollup->dirty = false;
    }
    bytes_done(&file);
    return ok || err_wrap(err, "publish %s", path);
}

// ---- all of them --------------------------------------------------------------------------

bool embedded_publish(struct store *common, struct tally_err *err)
{
    struct embedded *store = embedded_of(common);
    for (size_t i = 0; i < store->rollups_count; i++) {
        struct embedded_rollup *rollup = &store->rollup[i];
        bool done = false;
        progress_step(&store->common.progress);
        if (rollup->dirty && (!publish_patch(store, rollup, &done, err) ||
                              (!done && !publish_whole(store, rollup, err)))) {
            return false;
        }
    }
    return true;
}

bool embedded_needs_publishing(const struct store *common)
{
    const struct embedded *store = embedded_of_const(common);
    for (size_t i = 0; i < store->rollups_count; i++) {
        if (store->rollup[i].dirty) {
            return true;
        }
    }
    return false;
}

enum store_patches embedded_patches(const struct store *common)
{
    const struct embedded *store = embedded_of_const(common);
    enum store_patches patches = STORE_NO_PATCH;

    for (size_t i = 0; i < store->rollups_count; i++) {
        const struct embedded_rollup *rollup = &store->rollup[i];
        if (rollup->patch_bytes > 0) {
            bool large = rollup->patch_bytes >= large_bytes(rollup);
            patches = large || patches == STORE_LARGE_PATCHES ? STORE_LARGE_PATCHES : STORE_PATCHES;
        }
    }
    return patches;
}

bool embedded_fold(struct store *common, struct tally_err *err)
{
    struct embedded *store = embedded_of(common);
    struct embedded_rollup *largest = NULL;

    for (size_t i = 0; i < store->rollups_count; i++) {
        struct embedded_rollup *rollup = &store->rollup[i];
        if (rollup->patch_bytes > (largest ? largest->patch_bytes : 0)) {
            largest = rollup;
        }
    }
    progress_step(&store->common.progress);
    return !largest || publish_whole(store, largest, err);
}
