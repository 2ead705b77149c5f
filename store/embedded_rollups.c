// store/embedded_rollups.c - another set of rollups while the store is open (contracts in store.h).
#include "base/disk.h"
#include "store/embedded.h"

#include <stdlib.h>
#include <string.h>

// The rollup that is kept already and says the same; NULL: it is new, or changed.
static struct embedded_rollup *find_same(struct embedded *store, const struct rollup_def *def)
{
    for (size_t i = 0; i < store->rollups_count; i++) {
        if (rollup_def_equal(cells_def(store->rollup[i].cells), def)) {
            return &store->rollup[i];
        }
    }
    return NULL;
}

static void drop(struct embedded *store, struct cells *cells)
{
    state_unobserve(&store->state, cells);
    cells_close(cells);
}

static bool fill(struct embedded *store, const struct rollup_def *def, struct embedded_rollup *out,
                 struct tally_err *err)
{
    if (state_incidents(&store->state) > 0) {
        progress_step(&store->common.progress);
    }
    *out = (struct embedded_rollup){
        .cells = cells_open(&store->state, def, err), .dirty = true, .patched = true};
    if (!out->cells) {
        return false;
    }
    for (size_t i = 0; i < store->accepted_count; i++) {
        embedded_note_source(store, out, &store->accepted[i]);
    }
    return true;
}

static bool keeps(const struct embedded_rollup *rollups, size_t count, const struct cells *cells)
{
    for (size_t i = 0; i < count; i++) {
        if (rollups[i].cells == cells) {
            return true;
        }
    }
    return false;
}

// Closes the rollups of one list that the other does not have.
static void drop_others(struct embedded *store, const struct embedded_rollup *rollups, size_t count,
                        const struct embedded_rollup *kept, size_t kept_count)
{
    for (size_t i = 0; i < count; i++) {
        if (!keeps(kept, kept_count, rollups[i].cells)) {
            drop(store, rollups[i].cells);
        }
    }
}

bool embedded_set_rollups(struct store *common, const struct rollup_def *defs, size_t count,
                          struct tally_err *err)
{
    struct embedded *store = embedded_of(common);
    struct embedded_rollup *fresh = calloc(count + 1, sizeof *fresh);

    if (!fresh) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for rollups");
    }
    for (size_t i = 0; i < count; i++) {
        const struct embedded_rollup *same = find_same(store, &defs[i]);
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
