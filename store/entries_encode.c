// store/entries_encode.c - day cells or spans, packed (contracts in entries.h).
//
// In order of execution: what bounds the numbers; how often which number occurs, by class, which
// decides the parameters; the blocks, with offsets and skip entries on the side; the section.
#include "store/entries.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

// How often each small number occurs; great ones by their length.
enum { NUMBERS_SMALL = 64, NUMBERS_LENGTHS = 129 };
struct numbers {
    uint64_t small[NUMBERS_SMALL];
    uint64_t length[NUMBERS_LENGTHS];
};

// What decides how one column of one class is written.
struct tally {
    struct numbers all;   // every number
    struct numbers above; // those that are not 0, less 1
    uint64_t gap[ENTRIES_BLOCK + 1];
};

struct parameters {
    uint8_t gap;
    uint8_t value;
};

struct encoder {
    const struct entries_source *source;
    struct entries entries;        // what is known of the section so far
    struct parameters *parameters; // [ENTRIES_CLASSES_MAX][columns]
    struct entries_block block;
    struct rollup_entry entry;
    struct bytes blocks;
    struct bits_writer writer; // to blocks
    struct bytes list;         // one list, where its length is asked for
    uint64_t *offsets;         // groups + 1
    uint64_t *skips;           // groups + 1
    bits_u128 *skip;           // [skips_count][fields]
    size_t skips_count;
    size_t skips_capacity;
    bits_u128 total[ENTRIES_COLUMNS_MAX]; // of the group's entries so far, modulo 2^128
};

// ---- what bounds the numbers --------------------------------------------------------------

static void widen(struct encoder *encoder)
{
    struct entries *entries = &encoder->entries;
    const struct rollup_entry *entry = &encoder->entry;
    uint32_t lasts = (uint32_t)(entry->last_day - entry->first_day);

    assert(entries->measures <= ROLLUP_MEASURES_MAX);
    if (entries->count == 0) {
        entries->newest = entries->oldest = entry->first_day;
    }
    entries->newest = entry->first_day > entries->newest ? entry->first_day : entries->newest;
    entries->oldest = entry->first_day < entries->oldest ? entry->first_day : entries->oldest;
    entries->longest = lasts > entries->longest ? lasts : entries->longest;
    for (uint32_t m = 0; m < entries->measures; m++) {
        entries->zigzag |= (uint64_t)(entry->sums.measure[m].sum < 0) << m;
    }
    entries->count++;
}

static void find_bounds(struct encoder *encoder)
{
    const struct entries_source *source = encoder->source;

    for (uint32_t group = 0; group < source->groups; group++) {
        uint32_t count = source->open_group(source->context, source->spans, group);
        for (uint32_t i = 0; i < count; i++) {
            source->entry(source->context, i, &encoder->entry);
            widen(encoder);
        }
    }
    int64_t ages = (int64_t)encoder->entries.newest - encoder->entries.oldest;
    encoder->entries.age_bits = bits_length((uint64_t)ages);
}

static uint32_t blocks_of(uint32_t count)
{
    return count / ENTRIES_BLOCK + (count % ENTRIES_BLOCK != 0);
}

static uint32_t class_of(uint32_t count)
{
    uint32_t blocks = blocks_of(count);
    return bits_length(blocks <= 1 ? count : (blocks - 1) * (uint64_t)ENTRIES_BLOCK);
}

static void load_block(struct encoder *encoder, uint32_t first, uint32_t count)
{
    const struct entries_source *source = encoder->source;

    encoder->block.count = count;
    for (uint32_t i = 0; i < count; i++) {
        source->entry(source->context, first + i, &encoder->entry);
        entries_block_put(&encoder->entries, &encoder->block, i, &encoder->entry);
    }
}

// ---- parameters ---------------------------------------------------------------------------

static void count_number(struct numbers *numbers, bits_u128 value)
{
    if (value < NUMBERS_SMALL) {
        numbers->small[value]++;
    } else {
        numbers->length[bits_length_wide(value)]++;
    }
}

static void count_column(struct tally *tally, const bits_u128 *column, uint32_t count)
{
    uint32_t last = 0;

    for (uint32_t i = 0; i < count; i++) {
        count_number(&tally->all, column[i]);
        if (column[i] > 0) {
            count_number(&tally->above, column[i] - 1);
            tally->gap[i - last]++;
            last = i + 1;
        }
    }
    if (last < count) {
        tally->gap[count - last]++;
    }
}

static uint64_t cost_of(const struct numbers *numbers, uint32_t parameter)
{
    uint64_t cost = 0;

    for (uint32_t value = 0; value < NUMBERS_SMALL; value++) {
        cost += numbers->small[value] * bits_golomb_cost(value, parameter);
    }
    for (uint32_t length = 1; length < NUMBERS_LENGTHS; length++) {
        if (numbers->length[length] > 0) {
            bits_u128 middle = (bits_u128)3 << (length - 1) >> 1;
            cost += numbers->length[length] * bits_golomb_cost(middle, parameter);
        }
    }
    return cost;
}

static uint64_t best_golomb(const struct numbers *numbers, uint8_t *out_parameter)
{
    uint64_t best = UINT64_MAX;

    for (uint32_t parameter = 0; parameter <= BITS_GOLOMB_MAX; parameter++) {
        uint64_t cost = cost_of(numbers, parameter);
        if (cost < best) {
            best = cost;
            *out_parameter = (uint8_t)parameter;
        }
    }
    return best;
}

static uint64_t best_rice(const uint64_t gap[ENTRIES_BLOCK + 1], uint8_t *out_parameter)
{
    uint64_t best = UINT64_MAX;

    for (uint32_t parameter = 0; parameter <= ENTRIES_GAP_MAX; parameter++) {
        uint64_t cost = 0;
        for (uint32_t i = 0; i <= ENTRIES_BLOCK; i++) {
            cost += gap[i] * bits_rice_cost(i, parameter);
        }
        if (cost < best) {
            best = cost;
            *out_parameter = (uint8_t)parameter;
        }
    }
    return best;
}

static struct parameters choose(const struct tally *tally)
{
    struct parameters dense = {.gap = ENTRIES_DENSE};
    struct parameters sparse = {.gap = 0};
    uint64_t numbers = 0;

    for (size_t i = 1; i < NUMBERS_SMALL; i++) {
        numbers += tally->all.small[i];
    }
    for (size_t i = 0; i < NUMBERS_LENGTHS; i++) {
        numbers += tally->all.length[i];
    }
    if (numbers == 0) {
        return (struct parameters){.gap = ENTRIES_EMPTY};
    }
    uint64_t dense_cost = best_golomb(&tally->all, &dense.value);
    uint64_t sparse_cost =
        best_golomb(&tally->above, &sparse.value) + best_rice(tally->gap, &sparse.gap);
    return dense_cost < sparse_cost ? dense : sparse;
}

static void count_group(struct encoder *encoder, struct tally *tallies, uint32_t count)
{
    uint32_t columns = encoder->entries.columns;
    struct tally *tally = tallies + (size_t)class_of(count) * columns;

    for (uint32_t first = 0; first < count; first += ENTRIES_BLOCK) {
        uint32_t left = count - first;
        load_block(encoder, first, left < ENTRIES_BLOCK ? left : ENTRIES_BLOCK);
        for (uint32_t c = 0; c < columns; c++) {
            count_column(&tally[c], encoder->block.column[c], encoder->block.count);
        }
    }
}

static bool choose_parameters(struct encoder *encoder, struct tally_err *err)
{
    const struct entries_source *source = encoder->source;
    size_t columns = encoder->entries.columns;
    struct tally *tallies = calloc(ENTRIES_CLASSES_MAX * columns, sizeof *tallies);

    if (!tallies) {
        return err_set(err, TALLY_NO_MEMORY, "no memory to choose codes");
    }
    for (uint32_t group = 0; group < source->groups; group++) {
        uint32_t count = source->open_group(source->context, source->spans, group);
        uint32_t above = count > 0 ? class_of(count) + 1 : 0;
        encoder->entries.classes =
            above > encoder->entries.classes ? above : encoder->entries.classes;
        count_group(encoder, tallies, count);
    }
    for (size_t i = 0; i < encoder->entries.classes * columns; i++) {
        encoder->parameters[i] = choose(&tallies[i]);
    }
    free(tallies);
    return true;
}

// ---- blocks -------------------------------------------------------------------------------

static uint32_t gap_before(const struct encoder *encoder, uint32_t index)
{
    const uint32_t *age = encoder->block.age;
    return age[index] - age[index - 1] - !encoder->entries.spans; // no two cells of one day
}

static uint32_t best_low(const struct encoder *encoder)
{
    uint64_t best = UINT64_MAX;
    uint32_t best_low = 0;

    for (uint32_t low = 0; low < 1U << ENTRIES_LOW_BITS; low++) {
        uint64_t cost = 0;
        for (uint32_t i = 1; i < encoder->block.count; i++) {
            cost += bits_rice_cost(gap_before(encoder, i), low);
        }
        if (cost >= best) {
            break; // the cost falls, then rises
        }
        best = cost;
        best_low = low;
    }
    return best_low;
}

static void put_list(struct bits_writer *writer, const bits_u128 *column, uint32_t count,
                     struct parameters parameters)
{
    uint32_t last = 0;

    if (parameters.gap == ENTRIES_EMPTY) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (parameters.gap == ENTRIES_DENSE) {
            bits_put_golomb(writer, column[i], parameters.value);
            last = i + 1;
        } else if (column[i] > 0) {
            bits_put_rice(writer, i - last, parameters.gap);
            bits_put_golomb(writer, column[i] - 1, parameters.value);
            last = i + 1;
        }
    }
    if (last < count) {
        bits_put_rice(writer, count - last, parameters.gap);
    }
}

// How many bits the list to come has: look-ups that end early go on behind it.
static void put_length(struct encoder *encoder, const bits_u128 *column,
                       struct parameters parameters)
{
    struct bits_writer writer = bits_writer(&encoder->list);

    bytes_clear(&encoder->list);
    put_list(&writer, column, encoder->block.count, parameters);
    bits_put_golomb(&encoder->writer, encoder->list.count * 8 + writer.count,
                    ENTRIES_LENGTH_PARAMETER);
    encoder->blocks.ok = encoder->blocks.ok && encoder->list.ok;
}

static void put_block(struct encoder *encoder, const struct parameters *parameters, bool first)
{
    const struct entries_block *block = &encoder->block;
    struct bits_writer *writer = &encoder->writer;
    uint32_t low = best_low(encoder);

    bits_put(writer, block->count - 1, ENTRIES_COUNT_BITS);
    bits_put(writer, low, ENTRIES_LOW_BITS);
    if (first) {
        bits_put(writer, block->age[0], encoder->entries.age_bits);
    }
    for (uint32_t i = 1; i < block->count; i++) {
        bits_put(writer, bits_low(gap_before(encoder, i), low), low);
    }
    for (uint32_t i = 1; i < block->count; i++) {
        bits_put_unary(writer, gap_before(encoder, i) >> low);
    }
    for (uint32_t c = 0; c < encoder->entries.columns; c++) {
        if (block->count > ENTRIES_SHORT && c + 1 < encoder->entries.columns &&
            parameters[c].gap != ENTRIES_EMPTY) {
            put_length(encoder, block->column[c], parameters[c]);
        }
        put_list(writer, block->column[c], block->count, parameters[c]);
    }
    bits_align(writer);
}

// Offset, age, and of cells what is newer: the total of each column, incidents in full.
static bool add_skip(struct encoder *encoder, uint64_t group_begin, struct tally_err *err)
{
    size_t fields = encoder->entries.fields;

    if (encoder->skips_count == encoder->skips_capacity) {
        size_t capacity = encoder->skips_capacity * 2 + 64;
        bits_u128 *skip = realloc(encoder->skip, capacity * fields * sizeof *skip);
        if (!skip) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for skip entries");
        }
        encoder->skip = skip;
        encoder->skips_capacity = capacity;
    }
    bits_u128 *skip = encoder->skip + encoder->skips_count++ * fields;
    skip[ENTRIES_FIELD_OFFSET] = encoder->blocks.count - group_begin;
    skip[ENTRIES_FIELD_AGE] = encoder->block.age[0];
    for (size_t i = ENTRIES_FIELD_TOTALS; i < fields; i++) {
        uint32_t column = (uint32_t)(i - ENTRIES_FIELD_TOTALS);
        skip[i] = entries_stored_total(&encoder->entries, column, encoder->total[column]);
    }
    return true;
}

static bool put_group(struct encoder *encoder, uint32_t count, struct tally_err *err)
{
    const struct parameters *parameters =
        encoder->parameters + (size_t)class_of(count) * encoder->entries.columns;
    uint64_t begin = encoder->blocks.count;

    memset(encoder->total, 0, sizeof encoder->total);
    for (uint32_t first = 0; first < count; first += ENTRIES_BLOCK) {
        uint32_t left = count - first;
        load_block(encoder, first, left < ENTRIES_BLOCK ? left : ENTRIES_BLOCK);
        if (first > 0 && !add_skip(encoder, begin, err)) {
            return false;
        }
        put_block(encoder, parameters, first == 0);
        if (!encoder->entries.spans) {
            entries_add_totals(&encoder->entries, &encoder->block, encoder->total);
        }
    }
    return true;
}

static bool put_blocks(struct encoder *encoder, struct tally_err *err)
{
    const struct entries_source *source = encoder->source;

    encoder->writer = bits_writer(&encoder->blocks);
    for (uint32_t group = 0; group < source->groups; group++) {
        encoder->offsets[group] = encoder->blocks.count;
        encoder->skips[group] = encoder->skips_count;
        uint32_t count = source->open_group(source->context, source->spans, group);
        if (!put_group(encoder, count, err)) {
            return false;
        }
    }
    encoder->offsets[source->groups] = encoder->blocks.count;
    encoder->skips[source->groups] = encoder->skips_count;
    return encoder->blocks.ok ? true : err_set(err, TALLY_NO_MEMORY, "no memory for day cells");
}

// ---- the section --------------------------------------------------------------------------

static void find_widths(struct encoder *encoder)
{
    struct entries *entries = &encoder->entries;

    for (size_t i = 0; i < encoder->skips_count * entries->fields; i++) {
        uint8_t *width = &entries->width[i % entries->fields];
        uint32_t needs = bits_length_wide(encoder->skip[i]);
        *width = needs > *width ? (uint8_t)needs : *width;
    }
}

static void put_head(const struct encoder *encoder, struct bytes *out, size_t start)
{
    const struct entries *entries = &encoder->entries;

    bytes_put_u64(out, entries->count);
    bytes_put_u32(out, (uint32_t)entries->newest);
    bytes_put_u32(out, (uint32_t)entries->oldest);
    bytes_put_u32(out, entries->longest);
    bytes_put_u32(out, entries->classes);
    bytes_put_u64(out, entries->zigzag);
    bytes_put(out, entries->width, entries->fields);
    bytes_put_filling(out, start);
    for (size_t i = 0; i < (size_t)entries->classes * entries->columns; i++) {
        bytes_put_u8(out, encoder->parameters[i].gap);
        bytes_put_u8(out, encoder->parameters[i].value);
    }
    bytes_put_filling(out, start);
}

static void put_section(struct encoder *encoder, struct bytes *out)
{
    struct entries *entries = &encoder->entries;
    struct bits_writer writer = bits_writer(out);
    size_t start = out->count;

    find_widths(encoder);
    put_head(encoder, out, start);
    if (entries->count == 0) {
        return;
    }
    monotone_encode(out, encoder->offsets, entries->groups + 1);
    monotone_encode(out, encoder->skips, entries->groups + 1);
    for (size_t i = 0; i < encoder->skips_count * entries->fields; i++) {
        bits_put_wide(&writer, encoder->skip[i], entries->width[i % entries->fields]);
    }
    bits_align(&writer);
    bytes_put_filling(out, start);
    bytes_put(out, encoder->blocks.data, encoder->blocks.count);
}

static bool encode(struct encoder *encoder, struct bytes *out, struct tally_err *err)
{
    size_t groups = (size_t)encoder->source->groups + 1;

    encoder->offsets = calloc(groups, sizeof *encoder->offsets);
    encoder->skips = calloc(groups, sizeof *encoder->skips);
    encoder->parameters =
        calloc((size_t)ENTRIES_CLASSES_MAX * encoder->entries.columns, sizeof *encoder->parameters);
    if (!encoder->offsets || !encoder->skips || !encoder->parameters) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for %zu groups", groups - 1);
    }
    find_bounds(encoder);
    if (!choose_parameters(encoder, err) || !put_blocks(encoder, err)) {
        return false;
    }
    put_section(encoder, out);
    return out->ok ? true : err_set(err, TALLY_NO_MEMORY, "no memory for day cells");
}

bool entries_encode(struct bytes *out, const struct entries_source *source, struct tally_err *err)
{
    struct encoder *encoder = calloc(1, sizeof *encoder);

    if (!encoder) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for day cells");
    }
    encoder->source = source;
    encoder->entries.spans = source->spans;
    encoder->entries.measures = source->measures;
    encoder->entries.groups = source->groups;
    encoder->entries.columns = source->spans + 1 + 2 * source->measures;
    encoder->entries.fields = ENTRIES_FIELD_TOTALS + (source->spans ? 0 : encoder->entries.columns);
    bytes_init(&encoder->blocks);
    bytes_init(&encoder->list);
    bool ok = encode(encoder, out, err);
    bytes_done(&encoder->blocks);
    bytes_done(&encoder->list);
    free(encoder->offsets);
    free(encoder->skips);
    free(encoder->skip);
    free(encoder->parameters);
    free(encoder);
    return ok;
}
