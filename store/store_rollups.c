// store/store_rollups.c - another set of rollups while the store is open (contracts in store.h).
#include "base/disk.h"
#include "store/store_private.h"

#include <stdlib.h>
#include <string.h>

static bool same_def(const struct rollup_def *a, const struct rollup_def *b)
{
    struct bytes one;
    struct bytes other;

    bytes_init(&one);
    bytes_init(&other);
    rollup_def_encode(a, &one);
    rollup_def_encode(b, &other);
    bool same = one.ok && other.ok && one.count == other.count &&
                memcmp(one.data, other.data, one.count) == 0;
    bytes_done(&one);
    bytes_done(&other);
    return same;
}

// The rollup that is kept already and says the same; NULL: it is new, or changed.
static struct store_rollup *find_same(struct store *store, const struct rollup_def *def)
{
    for (size_t i = 0; i < store->rollups_count; i++) {
        if (same_def(cells_def(store->rollup[i].cells), def)) {
            return &store->rollup[i];
        }
    }
    return NULL;
}

static void drop(struct store *store, struct cells *cells)
{
    state_unobserve(&store->state, cells);
    cells_close(cells);
}

static bool fill(struct store *store, const struct rollup_def *def, struct store_rollup *out,
                 struct tally_err *err)
{
    if (state_incidents(&store->state) > 0) {
        progress_step(&store->progress);
    }
    *out = (struct store_rollup){
        .cells = cells_open(&store->state, def, err), .dirty = true, .patched = true};
    if (!out->cells) {
        return false;
    }
    for (size_t i = 0; i < store->accepted_count; i++) {
        store_note_source(store, out, &store->accepted[i]);
    }
    return true;
}

static bool keeps(const struct store_rollup *rollups, size_t count, const struct cells *cells)
{
    for (size_t i = 0; i < count; i++) {
        if (rollups[i].cells == cells) {
            return true;
        }
    }
    return false;
}

// Closes the rollups of one list that the other does not have.
static void drop_others(struct store *store, const struct store_rollup *rollups, size_t count,
                        const struct store_rollup *kept, size_t kept_count)
{
    for (size_t i = 0; i < count; i++) {
        if (!keeps(kept, kept_count, rollups[i].cells)) {
            drop(store, rollups[i].cells);
        }
    }
}

bool store_set_rollups(struct store *store, const struct rollup_def *defs, size_t count,
                       struct tally_err *err)
{
    struct store_rollup *fresh = calloc(count + 1, sizeof *fresh);

    if (!fresh) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for rollups");
    }
    for (size_t i = 0; i < count; i++) {
        const struct store_rollup *same = find_same(store, &defs[i]);
        if (same) {
            fresh[i] = *same;
        } else if (!fill(store, &defs[i], &fresh[i], err)) {
            drop_others(store, fresh, i, store->rollup, store->rollups_count);
            free(fresh);
            return false;
        }
    }
    drop_others(store, store->rollup, store->rollups_count, fresh, count);
    free(store->rollup);
    store->rollup = fresh;
    store->rollups_count = count;
    return true;
}

static bool is_configured(const struct store *store, const char *name, size_t bytes)
{
    for (size_t i = 0; i < store->rollups_count; i++) {
        const char *configured = cells_def(store->rollup[i].cells)->name;
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
