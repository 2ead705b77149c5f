// store/entries_decode.c - reads packed entries (contracts in entries.h).
//
// Compiled for any machine (entries_code_portable) and once more for each of ENTRIES_DECODE: v3 for
// those with BMI2, v4 for those with AVX-512 (entries_code_v3, entries_code_v4). One source but for
// the ages, which v4 reads 32 at a time; tests compare the results of all.
#include "base/day.h"
#include "base/prefetch.h"
#include "store/entries_list.h"

#include <string.h>

// ---- places -------------------------------------------------------------------------------

// Asks for the first bytes of the next group's blocks while those of this one are read.
static inline void prefetch(const struct entries *entries, uint64_t offset)
{
    enum { AHEAD_BYTES = 256, LINE_BYTES = 64 };

    for (uint64_t i = 0; i < AHEAD_BYTES; i += LINE_BYTES) {
        prefetch_to_read(entries->blocks + offset + i);
    }
}

static void find_place(const struct entries *entries, struct entries_cursor *cursor, uint32_t group,
                       struct entries_place *out)
{
    if (entries->count == 0) {
        *out = (struct entries_place){.blocks = 0};
        return;
    }
    if (!cursor->set || cursor->group != group) {
        cursor->offsets = monotone_seek(&entries->offsets, group);
        cursor->skips = monotone_seek(&entries->skips, group);
        cursor->offset = monotone_next(&entries->offsets, &cursor->offsets);
        cursor->skip = monotone_next(&entries->skips, &cursor->skips);
        cursor->set = true;
    }
    out->begin = cursor->offset;
    out->skip = cursor->skip;
    cursor->offset = monotone_next(&entries->offsets, &cursor->offsets);
    cursor->skip = monotone_next(&entries->skips, &cursor->skips);
    cursor->group = group + 1;
    out->end = cursor->offset;
    prefetch(entries, out->end);
    out->blocks = out->begin == out->end ? 0 : (uint32_t)(cursor->skip - out->skip) + 1;
}

// ---- windows over cells -------------------------------------------------------------------

// Puts the total of a column where it belongs. Columns without the length: incidents come first.
static inline void add_column(struct rollup_sums *sums, uint32_t column, bits_u128 total)
{
    if (column == 0) {
        sums->incidents += (uint64_t)total;
    } else if (column % 2 == 1) {
        struct rollup_measure_sum *measure = &sums->measure[column / 2];
        measure->sum = (bytes_i128)((bits_u128)measure->sum + total);
    } else {
        sums->measure[column / 2 - 1].reported -= (uint64_t)total;
    }
}

// Every incident reports each measure, until the columns of those that lack it say otherwise.
static inline void add_incidents(const struct entries *entries, struct rollup_sums *sums,
                                 uint64_t count)
{
    sums->incidents += count;
    for (uint32_t m = 0; m < entries->measures; m++) {
        sums->measure[m].reported += count;
    }
}

// The columns of a block up to the last one that holds anything.
static inline uint32_t columns_in_use(const struct entries *entries, const struct block *block)
{
    uint32_t columns = entries->columns;

    while (columns > 1 && block->parameters[2 * (columns - 1)] == ENTRIES_EMPTY) {
        columns--;
    }
    return columns;
}

// Adds (or takes off) the entries of a block whose ages lie in least .. most.
static inline bool add_block(const struct entries *entries, const struct block *block,
                             int64_t least, int64_t most, bool minus, struct rollup_sums *sums)
{
    if (most < 0) {
        return true;
    }
    uint32_t limit = most > UINT32_MAX ? UINT32_MAX : (uint32_t)most;
    struct ages ages = take_ages(block, least > 0 ? (uint32_t)least : 0, limit, false, NULL);
    uint32_t from = ages.before;
    uint32_t to = ages.up_to;
    uint64_t bit = ages.bit;
    if (from >= to) {
        return ages.passed > 0;
    }
    if (!pass_ones(block, &bit, block->count - ages.passed)) {
        return false;
    }
    uint64_t incidents = to - from;
    uint32_t columns = columns_in_use(entries, block);
    for (uint32_t column = 0; column < columns; column++) {
        struct list list = list_of(entries, block, column);
        list.is_tail = column + 1 == columns;
        list.from = from;
        list.to = to;
        if (!take_list(&list, SINK_RANGE, &bit)) {
            return false;
        }
        if (column == 0) {
            incidents += (uint64_t)list_total(&list);
            add_incidents(entries, sums, minus ? 0 - incidents : incidents);
        } else {
            bits_u128 total = list_total(&list);
            add_column(sums, column, minus ? 0 - total : total);
        }
    }
    return true;
}

// Adds (or takes off) all entries that are newer than block `number`.
static inline void add_totals(const struct entries *entries, const struct entries_place *place,
                              uint32_t number, bool minus, struct rollup_sums *sums)
{
    uint64_t bit = (place->skip + number - 1) * entries->skip_bits;

    for (uint32_t column = 0; column < entries->columns; column++) {
        uint32_t field = ENTRIES_FIELD_TOTALS + column;
        uint32_t width = entries->width[field];
        uint64_t at = bit + entries->at[field];
        bits_u128 total = width <= BITS_AT_ONCE ? bits_get(entries->skip, at, width)
                                                : bits_get_wide(entries->skip, at, width);
        if (column % 2 == 1 && entries_is_zigzag(entries, column / 2)) {
            total = (bits_u128)entries_unzigzag(total);
        }
        total = minus ? 0 - total : total;
        if (column == 0) {
            add_incidents(entries, sums, (uint64_t)total);
        } else {
            add_column(sums, column, total);
        }
    }
}

// The last block whose newest entry is at most so old; -1: none, all blocks but the first are
// asked for their age by halving.
static inline int64_t block_of_age(const struct entries *entries, const struct entries_place *place,
                                   int64_t age)
{
    uint32_t block = 0;

    if (age < 0) {
        return -1;
    }
    for (uint32_t left = place->blocks; left > 1;) {
        uint32_t half = left / 2;
        block = block_age(entries, place, block + half) <= age ? block + half : block;
        left -= half;
    }
    return block;
}

// Adds (or takes off) all entries that are at most so old.
static inline bool add_up_to(const struct entries *entries, const struct entries_place *place,
                             int64_t number, int64_t age, bool minus, struct rollup_sums *sums)
{
    struct block block;

    if (number < 0) {
        return true;
    }
    if (number > 0) {
        add_totals(entries, place, (uint32_t)number, minus, sums);
    }
    return open_block(entries, place, (uint32_t)number, &block) &&
           add_block(entries, &block, 0, age, minus, sums);
}

static bool add_cells(const struct entries *entries, struct entries_cursor *cursor, uint32_t group,
                      int32_t first_day, int32_t last_day, struct rollup_sums *sums)
{
    int64_t least = (int64_t)entries->newest - last_day;
    int64_t most = (int64_t)entries->newest - first_day;
    struct entries_place place;
    struct block block;

    find_place(entries, cursor, group, &place);
    if (place.blocks <= 1) {
        return place.blocks == 0 || (open_block(entries, &place, 0, &block) &&
                                     add_block(entries, &block, least, most, false, sums));
    }
    int64_t oldest = block_of_age(entries, &place, most);
    int64_t newest = block_of_age(entries, &place, least - 1);
    if (oldest == newest || (newest < 0 && oldest == 0)) {
        return oldest < 0 || (open_block(entries, &place, (uint32_t)oldest, &block) &&
                              add_block(entries, &block, least, most, false, sums));
    }
    if (newest >= 0 && oldest == newest + 1) { // passing over a list is quicker than adding it up
        return open_block(entries, &place, (uint32_t)newest, &block) &&
               add_block(entries, &block, least, most, false, sums) &&
               open_block(entries, &place, (uint32_t)oldest, &block) &&
               add_block(entries, &block, least, most, false, sums);
    }
    return add_up_to(entries, &place, oldest, most, false, sums) &&
           add_up_to(entries, &place, newest, least - 1, true, sums);
}

// ---- windows over spans -------------------------------------------------------------------

// How an incident of several days counts beside its first day: +1, 0 or -1.
static inline int8_t weight_of(enum basis basis, int64_t first, int64_t last, int32_t first_day,
                               int32_t last_day)
{
    bool starts_in = first >= first_day && first <= last_day;
    bool ends_in = last >= first_day && last <= last_day;
    bool touches = first <= last_day && last >= first_day;
    bool counts = basis == BASIS_START     ? starts_in
                  : basis == BASIS_END     ? ends_in
                  : basis == BASIS_OVERLAP ? touches
                                           : starts_in && ends_in;
    return (int8_t)((int)counts - (int)starts_in);
}

static bool weigh_block(const struct entries *entries, const struct block *block, enum basis basis,
                        int32_t first_day, int32_t last_day, struct rollup_sums *sums)
{
    uint32_t age[ENTRIES_BLOCK];
    bits_u128 length[ENTRIES_BLOCK] = {0};
    int8_t weights[ENTRIES_BLOCK];
    int64_t incidents = 0;
    bool any = false;

    struct ages ages = take_ages(block, 0, UINT32_MAX, true, age);
    uint64_t bit = ages.bit;
    if (ages.up_to != block->count) {
        return false;
    }
    struct list list = list_of(entries, block, 0);
    list.out = length;
    if (!take_list(&list, SINK_STORE, &bit)) {
        return false;
    }
    for (uint32_t i = 0; i < block->count; i++) {
        int64_t first = (int64_t)entries->newest - age[i];
        int64_t last = first + (int64_t)(uint32_t)length[i] + 1;
        weights[i] = weight_of(basis, first, last, first_day, last_day);
        incidents += weights[i];
        any = any || weights[i] != 0;
    }
    for (uint32_t column = 0; any && column + 1 < entries->columns; column++) {
        list = list_of(entries, block, column + 1);
        list.weights = weights;
        if (!take_list(&list, SINK_WEIGHTS, &bit)) {
            return false;
        }
        if (column == 0) {
            add_incidents(entries, sums, (uint64_t)incidents + (uint64_t)list_total(&list));
        } else {
            add_column(sums, column, list_total(&list));
        }
    }
    return true;
}

// A span can matter from when its first day is not behind the window until its last day is before.
static bool add_spans(const struct entries *entries, struct entries_cursor *cursor, uint32_t group,
                      enum basis basis, int32_t first_day, int32_t last_day,
                      struct rollup_sums *sums)
{
    int64_t least = (int64_t)entries->newest - last_day;
    int64_t most = (int64_t)entries->newest - first_day + entries->longest;
    struct entries_place place;

    find_place(entries, cursor, group, &place);
    // Spans of one first day may stand on both sides of a block's edge: one day newer is safe.
    int64_t begin = place.blocks > 0 ? block_of_age(entries, &place, least - 1) : 0;
    for (uint32_t i = begin < 0 ? 0 : (uint32_t)begin; i < place.blocks; i++) {
        struct block block;
        if (!open_block(entries, &place, i, &block)) {
            return false;
        }
        if (block.age > most) {
            break;
        }
        if (!weigh_block(entries, &block, basis, first_day, last_day, sums)) {
            return false;
        }
    }
    return true;
}

// ---- whole blocks -------------------------------------------------------------------------

static bool lengths_are_possible(const struct entries *entries, const struct entries_block *block)
{
    for (uint32_t i = 0; i < block->count; i++) {
        bits_u128 lasts = block->column[0][i] + 1;
        if (lasts > entries->longest ||
            (int64_t)entries->newest - block->age[i] + (int64_t)lasts > DAY_MAX) {
            return false;
        }
    }
    return true;
}

static bool load(const struct entries *entries, const struct entries_place *place, uint32_t number,
                 struct entries_block *out)
{
    struct block block;

    if (!open_block(entries, place, number, &block)) {
        return false;
    }
    struct ages ages = take_ages(&block, 0, UINT32_MAX, entries->spans, out->age);
    uint64_t bit = ages.bit;
    if (ages.up_to != block.count) {
        return false;
    }
    out->count = block.count;
    for (uint32_t column = 0; column < entries->columns; column++) {
        struct list list = list_of(entries, &block, column);
        memset(out->column[column], 0, block.count * sizeof out->column[column][0]);
        list.out = out->column[column];
        if (!take_list(&list, SINK_STORE, &bit)) {
            return false;
        }
    }
    out->end = bit;
    return !entries->spans || lengths_are_possible(entries, out);
}

static int64_t find_key(const struct monotone *list, uint64_t key)
{
    return monotone_find(list, key);
}

// ---- which code ---------------------------------------------------------------------------

#ifndef ENTRIES_DECODE
#define ENTRIES_DECODE portable
#endif
#define JOIN(a, b) a##b
#define NAMED(name) JOIN(entries_code_, name)
#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)

const struct entries_code NAMED(ENTRIES_DECODE) = {
    .name = TEXT(ENTRIES_DECODE),
    .find = find_place,
    .add_cells = add_cells,
    .add_spans = add_spans,
    .load = load,
    .find_key = find_key,
};
