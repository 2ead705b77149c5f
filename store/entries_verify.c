// store/entries_verify.c - what opening and reading leave unproved of a packed section (contract in
// entries.h).
#include "store/entries_block.h"

#include <stdlib.h>

struct verifying {
    const struct entries *entries;
    struct entries_place place;
    struct entries_block block;
    bits_u128 total[ENTRIES_COLUMNS_MAX]; // of the group's blocks so far
};

static bool sum_is_possible(const struct entries *entries, uint32_t measure, bits_u128 stored)
{
    const bytes_i128 most = (bytes_i128)1 << 96; // 2^32 values of 64 bits
    bytes_i128 sum =
        entries_is_zigzag(entries, measure) ? entries_unzigzag(stored) : (bytes_i128)stored;

    return sum >= -most && sum <= most;
}

// Before they are narrowed: at most 2^32 - 1 incidents, no more of them without a measure.
static bool numbers_are_possible(const struct entries *entries, const struct entries_block *block)
{
    const bits_u128(*column)[ENTRIES_BLOCK] = block->column + entries->spans;
    bool ok = true;

    for (uint32_t i = 0; i < block->count; i++) {
        bits_u128 incidents = column[0][i] + 1;
        ok = ok && incidents <= UINT32_MAX;
        for (uint32_t m = 0; m < entries->measures; m++) {
            ok = ok && sum_is_possible(entries, m, column[1 + 2 * m][i]) &&
                 column[2 + 2 * m][i] <= incidents;
        }
    }
    return ok;
}

// All zeros up to the next byte, and there the next block, or the next group's first one.
static bool block_ends(const struct verifying *verifying, uint32_t number)
{
    const struct entries_place *place = &verifying->place;
    uint64_t end = verifying->block.end;
    uint64_t next = place->end;

    if (number + 1 < place->blocks) {
        next =
            place->begin + skip_field(verifying->entries, place, number + 1, ENTRIES_FIELD_OFFSET);
    }
    return (end + 7) / 8 == next &&
           bits_get(verifying->entries->blocks, end, (uint32_t)(0 - end) & 7) == 0;
}

static bool totals_hold(const struct verifying *verifying, uint32_t number)
{
    const struct entries *entries = verifying->entries;
    uint64_t bit = (verifying->place.skip + number - 1) * entries->skip_bits;

    for (uint32_t c = 0; !entries->spans && c < entries->columns; c++) {
        uint32_t field = ENTRIES_FIELD_TOTALS + c;
        bits_u128 total =
            bits_get_wide(entries->skip, bit + entries->at[field], entries->width[field]);
        if (total != entries_stored_total(entries, c, verifying->total[c])) {
            return false;
        }
    }
    return true;
}

static bool group_holds(struct verifying *verifying)
{
    const struct entries *entries = verifying->entries;

    for (uint32_t c = 0; c < entries->columns; c++) {
        verifying->total[c] = 0;
    }
    for (uint32_t i = 0; i < verifying->place.blocks; i++) {
        if ((i > 0 && !totals_hold(verifying, i)) ||
            !entries_code()->load(entries, &verifying->place, i, &verifying->block) ||
            (i + 1 < verifying->place.blocks && verifying->block.count != ENTRIES_BLOCK) ||
            !block_ends(verifying, i) || !numbers_are_possible(entries, &verifying->block)) {
            return false;
        }
        if (!entries->spans) {
            entries_add_totals(entries, &verifying->block, verifying->total);
        }
    }
    return true;
}

bool entries_verify(const struct entries *entries, bool *out_holds, struct tally_err *err)
{
    struct verifying *verifying = malloc(sizeof *verifying);
    struct entries_cursor cursor = {0};
    uint64_t skips = 0;
    bool holds = true;

    if (!verifying) {
        return err_set(err, TALLY_NO_MEMORY, "no memory to check day cells");
    }
    verifying->entries = entries;
    for (uint32_t group = 0; holds && group < entries->groups; group++) {
        entries_code()->find(entries, &cursor, group, &verifying->place);
        skips += verifying->place.blocks > 0 ? verifying->place.blocks - 1 : 0;
        holds = group_holds(verifying);
    }
    // No skip entry is nobody's: a group without blocks has none.
    holds =
        holds && (entries->count == 0 || skips == monotone_get(&entries->skips, entries->groups));
    free(verifying);
    *out_holds = holds;
    return true;
}
