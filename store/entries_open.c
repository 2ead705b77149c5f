// store/entries_open.c - a packed section, checked as far as reading needs; entries in plain
// numbers (contracts in entries.h).
#include "base/cpu.h"
#include "base/day.h"
#include "store/entries.h"

#include <string.h>

static bool take_head(struct entries *entries, struct cursor *in)
{
    entries->count = cursor_take_u64(in);
    entries->newest = (int32_t)cursor_take_u32(in);
    entries->oldest = (int32_t)cursor_take_u32(in);
    entries->longest = cursor_take_u32(in);
    entries->classes = cursor_take_u32(in);
    entries->zigzag = cursor_take_u64(in);
    if (!in->ok || entries->classes > ENTRIES_CLASSES_MAX || !day_is_possible(entries->newest) ||
        !day_is_possible(entries->oldest) || entries->newest < entries->oldest ||
        entries->longest > (uint32_t)(DAY_MAX - DAY_MIN) ||
        entries->zigzag >> entries->measures != 0) {
        return false;
    }
    entries->age_bits = bits_length((uint64_t)((int64_t)entries->newest - entries->oldest));
    return true;
}

static bool take_widths(struct entries *entries, struct cursor *in)
{
    const unsigned char *widths = cursor_take(in, entries->fields);

    for (uint32_t i = 0; in->ok && i < entries->fields; i++) {
        uint32_t most = i <= ENTRIES_FIELD_AGE ? BITS_AT_ONCE : 128;
        if (widths[i] > most) {
            return false;
        }
        entries->width[i] = widths[i];
        entries->at[i] = entries->skip_bits;
        entries->skip_bits += widths[i];
    }
    return in->ok;
}

static bool take_parameters(struct entries *entries, struct cursor *in)
{
    size_t count = (size_t)entries->classes * entries->columns;

    entries->parameters = cursor_take(in, count * 2);
    for (size_t i = 0; in->ok && i < count; i++) {
        if (entries->parameters[2 * i] > ENTRIES_EMPTY ||
            entries->parameters[2 * i + 1] > BITS_GOLOMB_MAX) {
            return false;
        }
    }
    return in->ok;
}

// The first number that the bits hold, and all that the rest of them hold.
static uint16_t pass_of(const uint16_t *pass, uint32_t gap, uint32_t bits)
{
    uint32_t have = bits_length(bits) - 1;
    uint32_t zeros = (uint32_t)__builtin_ctz(bits);

    if (zeros + 1 + gap >= have) {
        return ENTRIES_PASS_NONE;
    }
    uint32_t skipped = (zeros << gap) + (uint32_t)bits_low(bits >> (zeros + 1), gap);
    uint32_t more = (uint32_t)__builtin_ctz(bits >> (zeros + 1 + gap));
    uint32_t used = zeros + 1 + gap + 2 * more + 1;
    if (used > have) {
        return ENTRIES_PASS_NONE;
    }
    uint32_t rest = pass[bits >> used];
    uint32_t all = rest == ENTRIES_PASS_NONE ? 0 : rest;
    all += ((skipped + 1) << ENTRIES_PASS_USED) + used;
    return (uint16_t)(all < ENTRIES_PASS_NONE ? all : ENTRIES_PASS_NONE);
}

static void fill_passes(struct entries *entries)
{
    size_t count = (size_t)entries->classes * entries->columns;
    bool filled[ENTRIES_PASSES] = {false};

    for (size_t i = 0; i < count; i++) {
        uint32_t gap = entries->parameters[2 * i];
        if (gap < ENTRIES_PASSES && entries->parameters[2 * i + 1] == 0 && !filled[gap]) {
            uint16_t *pass = entries->pass[gap];
            pass[0] = pass[1] = ENTRIES_PASS_NONE;
            for (uint32_t bits = 2; bits < 2U << ENTRIES_PASS_BITS; bits++) {
                pass[bits] = pass_of(pass, gap, bits);
            }
            filled[gap] = true;
        }
    }
}

// Opening the lists has proved that they are sorted: the last value is the greatest.
static bool lists_hold(const struct entries *entries, uint64_t blocks_bytes, uint64_t *out_skips)
{
    if (entries->offsets.count != entries->groups + 1 ||
        entries->skips.count != entries->groups + 1 || monotone_get(&entries->offsets, 0) != 0 ||
        monotone_get(&entries->skips, 0) != 0) {
        return false;
    }
    *out_skips = monotone_get(&entries->skips, entries->groups);
    return blocks_bytes == UINT64_MAX ||
           monotone_get(&entries->offsets, entries->groups) == blocks_bytes;
}

static bool take_skips(struct entries *entries, uint64_t skips, struct cursor *in)
{
    // Each skip entry stands for a block of more than two bytes.
    if (skips > cursor_left(in) || skips > UINT32_MAX) {
        return false;
    }
    uint64_t bits = skips * entries->skip_bits;
    uint64_t bytes = (bits + 7) / 8;
    if (bytes > cursor_left(in)) {
        return false;
    }
    entries->skip = cursor_take(in, (size_t)bytes);
    return bits % 8 == 0 || entries->skip[bytes - 1] >> bits % 8 == 0;
}

bool entries_open(struct entries *entries, bool spans, uint32_t measures, uint32_t groups,
                  struct cursor *in)
{
    const unsigned char *start = in->at;
    uint64_t skips = 0;

    *entries = (struct entries){.spans = spans, .measures = measures, .groups = groups};
    entries->columns = spans + 1 + 2 * measures;
    entries->fields = ENTRIES_FIELD_TOTALS + (spans ? 0 : entries->columns);
    if (!take_head(entries, in) || !take_widths(entries, in)) {
        return false;
    }
    cursor_take_filling(in, start);
    if (entries->count == 0) {
        return in->ok && cursor_left(in) == 0 && entries->classes == 0;
    }
    if (!take_parameters(entries, in)) {
        return false;
    }
    cursor_take_filling(in, start);
    if (!monotone_open(&entries->offsets, in) || !monotone_open(&entries->skips, in) ||
        !lists_hold(entries, UINT64_MAX, &skips) || !take_skips(entries, skips, in)) {
        return false;
    }
    cursor_take_filling(in, start);
    entries->blocks = in->at;
    fill_passes(entries);
    return in->ok && lists_hold(entries, cursor_left(in), &skips);
}

// ---- entries in plain numbers -------------------------------------------------------------

void entries_block_get(const struct entries *entries, const struct entries_block *block,
                       uint32_t index, struct rollup_entry *out)
{
    const bits_u128(*column)[ENTRIES_BLOCK] = block->column;

    out->first_day = (int32_t)(entries->newest - (int64_t)block->age[index]);
    out->last_day = out->first_day;
    if (entries->spans) {
        out->last_day += (int32_t)(*column++)[index] + 1;
    }
    out->sums.incidents = (uint64_t)(*column++)[index] + 1;
    for (uint32_t m = 0; m < entries->measures; m++) {
        bits_u128 sum = (*column++)[index];
        out->sums.measure[m].sum =
            entries_is_zigzag(entries, m) ? entries_unzigzag(sum) : (bytes_i128)sum;
        out->sums.measure[m].reported = out->sums.incidents - (uint64_t)(*column++)[index];
    }
}

void entries_add_totals(const struct entries *entries, const struct entries_block *block,
                        bits_u128 total[ENTRIES_COLUMNS_MAX])
{
    total[0] += block->count;
    for (uint32_t c = 0; c < entries->columns; c++) {
        bool zigzag = c % 2 == 1 && entries_is_zigzag(entries, c / 2);
        for (uint32_t i = 0; i < block->count; i++) {
            total[c] +=
                zigzag ? (bits_u128)entries_unzigzag(block->column[c][i]) : block->column[c][i];
        }
    }
}

bits_u128 entries_stored_total(const struct entries *entries, uint32_t column, bits_u128 total)
{
    bool zigzag = column % 2 == 1 && entries_is_zigzag(entries, column / 2);
    return zigzag ? entries_zigzag((bytes_i128)total) : total;
}

const struct entries_code *const *entries_codes(void)
{
    static const struct entries_code *const portable[] = {&entries_code_portable, NULL};
#ifdef STORE_FOR_X86
    static const struct entries_code *const v3[] = {&entries_code_portable, &entries_code_v3, NULL};
    static const struct entries_code *const v4[] = {&entries_code_portable, &entries_code_v3,
                                                    &entries_code_v4, NULL};

    switch (cpu_level()) {
    case CPU_V4:
        return v4;
    case CPU_V3:
        return v3;
    case CPU_ANY:
        break;
    }
#endif
    return portable;
}

const struct entries_code *entries_code(void)
{
    const struct entries_code *const *code = entries_codes();

    while (code[1]) {
        code++;
    }
    return *code;
}
