// store/rollup_walk.c - cells and spans one after another (contracts in rollup_read.h).
#include "store/rollup_private.h"

#include <assert.h>
#include <stdlib.h>

struct rollup_walk {
    const struct rollup *rollup;
    const struct entries *entries;
    struct entries_cursor cursor;
    struct entries_place place;
    uint32_t blocks_left; // stored newest first, so the last one is read first
    uint32_t left;        // entries of the block at hand
    struct entries_block block;
};

struct rollup_walk *rollup_walk_open(const struct rollup *rollup, enum rollup_walk_over over,
                                     struct tally_err *err)
{
    struct rollup_walk *walk = malloc(sizeof *walk);

    if (!walk) {
        err_set(err, TALLY_NO_MEMORY, "no memory to read day cells");
        return NULL;
    }
    walk->rollup = rollup;
    walk->entries = over == ROLLUP_WALK_CELLS ? &rollup->cells : &rollup->spans;
    walk->cursor = (struct entries_cursor){0};
    walk->blocks_left = 0;
    walk->left = 0;
    return walk;
}

const char *rollup_walk_section(const struct rollup_walk *walk)
{
    return rollup_section_name(walk->entries->spans ? ROLLUP_SPANS : ROLLUP_CELLS);
}

void rollup_walk_close(struct rollup_walk *walk)
{
    free(walk);
}

void rollup_walk_group(struct rollup_walk *walk, size_t group)
{
    assert(group < walk->rollup->groups);
    walk->rollup->code->find(walk->entries, &walk->cursor, (uint32_t)group, &walk->place);
    walk->blocks_left = walk->place.blocks;
    walk->left = 0;
}

bool rollup_walk_next(struct rollup_walk *walk, struct rollup_entry *out, struct tally_err *err)
{
    err->code = TALLY_OK;
    if (walk->left == 0) {
        if (walk->blocks_left == 0) {
            return false;
        }
        if (!walk->rollup->code->load(walk->entries, &walk->place, --walk->blocks_left,
                                      &walk->block)) {
            return rollup_damaged(err, rollup_walk_section(walk), "malformed block");
        }
        walk->left = walk->block.count;
    }
    entries_block_get(walk->entries, &walk->block, --walk->left, out);
    return true;
}
