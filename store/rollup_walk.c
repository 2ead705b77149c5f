// store/rollup_walk.c - cells and spans one after another (contracts in rollup_read.h).
//
// Of a base and its patch two walks run beside each other; entries of the same days are added.
#include "store/rollup_sum.h"

#include <assert.h>
#include <stdlib.h>

struct rollup_walk {
    const struct rollup *rollup;
    const struct entries *entries;
    const struct patch_entries *differences; // NULL: no patch
    struct entries_cursor cursor;
    struct entries_place place;
    uint32_t blocks_left;     // stored newest first, so the last one is read first
    uint32_t left;            // entries of the block at hand
    struct patch_range range; // differences that are to come
    bool held;                // `base` has been read and not yet passed on
    struct rollup_entry base;
    struct entries_block block;
};

struct rollup_walk *rollup_walk_open(const struct rollup *rollup, enum rollup_walk_over over,
                                     struct tally_err *err)
{
    struct rollup_walk *walk = malloc(sizeof *walk);
    bool cells = over == ROLLUP_WALK_CELLS;

    if (!walk) {
        err_set(err, TALLY_NO_MEMORY, "no memory to read day cells");
        return NULL;
    }
    walk->rollup = rollup;
    walk->entries = cells ? &rollup->cells : &rollup->spans;
    walk->differences = !rollup->sum ? NULL
                        : cells      ? &rollup->sum->patch.cells
                                     : &rollup->sum->patch.spans;
    walk->cursor = (struct entries_cursor){0};
    walk->blocks_left = 0;
    walk->left = 0;
    walk->range = (struct patch_range){0};
    walk->held = false;
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
    const struct rollup_sum *sum = walk->rollup->sum;
    uint32_t base = sum ? sum->base_group[group] : (uint32_t)group;

    assert(group < walk->rollup->groups);
    walk->blocks_left = 0;
    walk->left = 0;
    walk->held = false;
    walk->range = (struct patch_range){0};
    if (base != ROLLUP_NO_GROUP) {
        walk->rollup->code->find(walk->entries, &walk->cursor, base, &walk->place);
        walk->blocks_left = walk->place.blocks;
    }
    if (sum && sum->patch_group[group] != ROLLUP_NO_GROUP) {
        walk->range = patch_range(walk->differences, sum->patch_group[group]);
    }
}

static bool next_of_base(struct rollup_walk *walk, struct rollup_entry *out, struct tally_err *err)
{
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

static int compare_days(const struct rollup_entry *a, const struct rollup_entry *b)
{
    return a->first_day != b->first_day ? (a->first_day < b->first_day ? -1 : 1)
                                        : (a->last_day > b->last_day) - (a->last_day < b->last_day);
}

static void add(struct rollup_entry *to, const struct rollup_entry *from, uint32_t measures)
{
    to->sums.incidents += from->sums.incidents;
    for (uint32_t m = 0; m < measures; m++) {
        struct rollup_measure_sum *measure = &to->sums.measure[m];
        measure->sum = (bytes_i128)((bits_u128)measure->sum + (bits_u128)from->sums.measure[m].sum);
        measure->reported += from->sums.measure[m].reported;
    }
}

static void copy(struct rollup_entry *to, const struct rollup_entry *from, uint32_t measures)
{
    to->first_day = from->first_day;
    to->last_day = from->last_day;
    rollup_sums_clear(&to->sums, measures);
    add(to, from, measures);
}

// What a sum must not say, wherever its differences come from.
static bool is_possible(const struct rollup_entry *entry, uint32_t measures)
{
    bool ok = entry->sums.incidents <= UINT32_MAX;

    for (uint32_t m = 0; m < measures; m++) {
        ok = ok && entry->sums.measure[m].reported <= entry->sums.incidents &&
             (entry->sums.measure[m].reported > 0 || entry->sums.measure[m].sum == 0);
    }
    return ok;
}

// The next days of base or patch, or of both, added. False: neither has any, or err says why.
static bool next_of_sum(struct rollup_walk *walk, struct rollup_entry *out, struct tally_err *err)
{
    uint32_t measures = walk->entries->measures;
    bool differs = walk->range.from < walk->range.end;

    walk->held = walk->held || next_of_base(walk, &walk->base, err);
    if (err->code != TALLY_OK || (!walk->held && !differs)) {
        return false;
    }
    if (differs) {
        patch_get(walk->differences, walk->range.from, out);
    }
    int order = !differs ? -1 : !walk->held ? 1 : compare_days(&walk->base, out);
    if (order < 0) {
        copy(out, &walk->base, measures);
    } else if (order == 0) {
        add(out, &walk->base, measures);
    }
    walk->held = walk->held && order > 0;
    walk->range.from += order >= 0;
    return is_possible(out, measures) ||
           rollup_damaged(err, rollup_walk_section(walk), "differences do not fit the base");
}

bool rollup_walk_next(struct rollup_walk *walk, struct rollup_entry *out, struct tally_err *err)
{
    err->code = TALLY_OK;
    if (!walk->differences) {
        return next_of_base(walk, out, err);
    }
    while (next_of_sum(walk, out, err)) {
        if (out->sums.incidents > 0) { // else nothing is left of the entry
            return true;
        }
    }
    return false;
}
