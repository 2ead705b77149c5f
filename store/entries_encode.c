// store/entries_encode.c - day cells or spans, packed (contracts in entries.h).
//
// In order of execution: what bounds the numbers; how often which number occurs, by class, which
// decides the parameters; the blocks, with offsets and skip entries on the side; the section.
//
//   part 0: groups 0 .. a   bounds -+      numbers -+               blocks -+
//   part 1: groups a .. b   bounds -+-->   numbers -+--> codes -->  blocks -+--> section
//
// The first three are shared out by ranges of groups, and joined in their order.
#include "store/entries_tally.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORD_BITS = 64,
    ENTRIES_LEAST = 1 << 14, // of a part: they take some milliseconds
};

struct encoder;

// What one part of the team works with, on groups of its own.
struct part {
    const struct encoder *encoder;
    uint32_t begin; // groups
    uint32_t end;
    struct entries bounds;         // what bounds the numbers of these groups
    struct entries_tally *tallies; // [ENTRIES_CLASSES_MAX][columns]
    struct entries_plain plain;
    struct entries_block block;
    uint32_t gap[ENTRIES_BLOCK]; // before each entry of the block but the first
    struct bytes blocks;
    bits_u128 *skip; // [skips_count][fields]
    size_t skips_count;
    size_t skips_capacity;
    bits_u128 total[ENTRIES_COLUMNS_MAX]; // of the group's entries so far, modulo 2^128
    bool ok;                              // false: no memory
};

struct encoder {
    const struct entries_source *source;
    struct entries entries;                // what is known of the section so far
    struct entries_parameters *parameters; // [ENTRIES_CLASSES_MAX][columns]
    uint64_t *offsets;                     // groups + 1; of a part's own, until they are joined
    uint64_t *skips;                       // groups + 1; the same
    struct entries_shares shares;
    struct part *part;
};

// ---- plain numbers ------------------------------------------------------------------------

void entries_plain_get(const struct entries_plain *plain, uint32_t measures, uint32_t index,
                       struct rollup_entry *out)
{
    out->first_day = plain->first_day[index];
    out->last_day = plain->last_day[index];
    out->sums.incidents = plain->incidents[index];
    for (uint32_t m = 0; m < measures; m++) {
        out->sums.measure[m].sum = plain->sum[m][index];
        out->sums.measure[m].reported = plain->incidents[index] - plain->missing[m][index];
    }
}

void entries_plain_put(struct entries_plain *plain, uint32_t measures, uint32_t index,
                       const struct rollup_entry *entry)
{
    plain->first_day[index] = entry->first_day;
    plain->last_day[index] = entry->last_day;
    plain->incidents[index] = (uint32_t)entry->sums.incidents;
    for (uint32_t m = 0; m < measures; m++) {
        plain->sum[m][index] = entry->sums.measure[m].sum;
        plain->missing[m][index] =
            (uint32_t)(entry->sums.incidents - entry->sums.measure[m].reported);
    }
}

// ---- sharing out --------------------------------------------------------------------------

static uint32_t count_of(const struct entries_source *source, uint32_t group)
{
    return source->count(source->context, source->spans, group);
}

void entries_share(const struct entries_source *source, struct entries_shares *out)
{
    uint64_t all = 0;
    uint64_t before = 0;
    uint32_t group = 0;

    for (uint32_t i = 0; i < source->groups; i++) {
        all += count_of(source, i);
    }
    out->parts = team_parts(all, ENTRIES_LEAST);
    for (unsigned part = 0; part < out->parts; part++) {
        out->begin[part] = group;
        for (; group < source->groups && before < team_begin(all, part + 1, out->parts); group++) {
            before += count_of(source, group);
        }
    }
    out->begin[out->parts] = source->groups;
}

static void take(struct part *part, uint32_t group, uint32_t first, uint32_t count)
{
    const struct entries_source *source = part->encoder->source;
    uint32_t left = count - first;

    part->block.count = left < ENTRIES_BLOCK ? left : ENTRIES_BLOCK;
    source->take(source->context, source->spans, group, first, part->block.count, &part->plain);
}

// ---- what bounds the numbers --------------------------------------------------------------

static void widen(struct part *part)
{
    const struct entries_plain *plain = &part->plain;
    struct entries *bounds = &part->bounds;
    uint32_t count = part->block.count;
    int32_t newest = plain->first_day[0];
    int32_t oldest = plain->first_day[count - 1];

    if (bounds->count == 0) {
        bounds->newest = newest;
        bounds->oldest = oldest;
    }
    bounds->count += count;
    bounds->newest = newest > bounds->newest ? newest : bounds->newest;
    bounds->oldest = oldest < bounds->oldest ? oldest : bounds->oldest;
    for (uint32_t i = 0; bounds->spans && i < count; i++) {
        uint32_t lasts = (uint32_t)(plain->last_day[i] - plain->first_day[i]);
        bounds->longest = lasts > bounds->longest ? lasts : bounds->longest;
    }
    for (uint32_t m = 0; m < bounds->measures; m++) {
        uint64_t negative = 0;
        for (uint32_t i = 0; i < count; i++) {
            negative |= plain->sum[m][i] < 0;
        }
        bounds->zigzag |= negative << m;
    }
}

static void bound_part(void *context, unsigned number)
{
    struct encoder *encoder = context;
    struct part *part = &encoder->part[number];

    for (uint32_t group = part->begin; group < part->end; group++) {
        uint32_t count = count_of(encoder->source, group);
        for (uint32_t first = 0; first < count; first += ENTRIES_BLOCK) {
            take(part, group, first, count);
            widen(part);
        }
    }
}

static void find_bounds(struct encoder *encoder)
{
    struct entries *entries = &encoder->entries;

    team_run(bound_part, encoder, encoder->shares.parts);
    for (unsigned i = 0; i < encoder->shares.parts; i++) {
        const struct entries *of = &encoder->part[i].bounds;
        bool first = entries->count == 0;
        if (of->count > 0) {
            entries->newest = first || of->newest > entries->newest ? of->newest : entries->newest;
            entries->oldest = first || of->oldest < entries->oldest ? of->oldest : entries->oldest;
            entries->longest = of->longest > entries->longest ? of->longest : entries->longest;
            entries->zigzag |= of->zigzag;
            entries->count += of->count;
        }
    }
    entries->age_bits = bits_length((uint64_t)((int64_t)entries->newest - entries->oldest));
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

// The next block of a group, as it is stored.
static void load_block(struct part *part, uint32_t group, uint32_t first, uint32_t count)
{
    const struct entries *entries = &part->encoder->entries;
    const struct entries_plain *plain = &part->plain;
    struct entries_block *block = &part->block;
    bits_u128(*column)[ENTRIES_BLOCK] = block->column;

    take(part, group, first, count);
    for (uint32_t i = 0; i < block->count; i++) {
        block->age[i] = (uint32_t)((int64_t)entries->newest - plain->first_day[i]);
    }
    for (uint32_t i = 0; entries->spans && i < block->count; i++) {
        column[0][i] = (uint32_t)(plain->last_day[i] - plain->first_day[i] - 1);
    }
    column += entries->spans;
    for (uint32_t i = 0; i < block->count; i++) {
        column[0][i] = plain->incidents[i] - 1;
    }
    column++;
    for (uint32_t m = 0; m < entries->measures; m++, column += 2) {
        bool zigzag = entries_is_zigzag(entries, m);
        for (uint32_t i = 0; i < block->count; i++) {
            column[0][i] = zigzag ? entries_zigzag(plain->sum[m][i]) : (bits_u128)plain->sum[m][i];
            column[1][i] = plain->missing[m][i];
        }
    }
}

// ---- parameters ---------------------------------------------------------------------------

static void count_part(void *context, unsigned number)
{
    struct encoder *encoder = context;
    struct part *part = &encoder->part[number];
    uint32_t columns = encoder->entries.columns;

    part->tallies = calloc(ENTRIES_CLASSES_MAX * (size_t)columns, sizeof *part->tallies);
    part->ok = part->tallies;
    for (uint32_t group = part->begin; part->ok && group < part->end; group++) {
        uint32_t count = count_of(encoder->source, group);
        struct entries_tally *tally = part->tallies + (size_t)class_of(count) * columns;
        uint32_t above = count > 0 ? class_of(count) + 1 : 0;
        part->bounds.classes = above > part->bounds.classes ? above : part->bounds.classes;
        for (uint32_t first = 0; first < count; first += ENTRIES_BLOCK) {
            load_block(part, group, first, count);
            for (uint32_t c = 0; c < columns; c++) {
                entries_tally_count(&tally[c], part->block.column[c], part->block.count);
            }
        }
    }
}

static bool parts_hold(const struct encoder *encoder, struct tally_err *err)
{
    bool ok = true;

    for (unsigned i = 0; i < encoder->shares.parts; i++) {
        ok = ok && encoder->part[i].ok;
    }
    return ok || err_set(err, TALLY_NO_MEMORY, "no memory for day cells");
}

static bool choose_parameters(struct encoder *encoder, struct tally_err *err)
{
    struct part *part = encoder->part;

    team_run(count_part, encoder, encoder->shares.parts);
    if (!parts_hold(encoder, err)) {
        return false;
    }
    for (unsigned i = 0; i < encoder->shares.parts; i++) {
        uint32_t classes = part[i].bounds.classes;
        encoder->entries.classes =
            classes > encoder->entries.classes ? classes : encoder->entries.classes;
        for (size_t at = 0; i > 0 && at < (size_t)classes * encoder->entries.columns; at++) {
            entries_tally_add(&part->tallies[at], &part[i].tallies[at]);
        }
    }
    for (size_t at = 0; at < (size_t)encoder->entries.classes * encoder->entries.columns; at++) {
        encoder->parameters[at] = entries_tally_choose(&part->tallies[at]);
    }
    return true;
}

// ---- blocks -------------------------------------------------------------------------------

static void find_gaps(struct part *part)
{
    const uint32_t *age = part->block.age;
    bool cells = !part->encoder->entries.spans; // no two of one day

    for (uint32_t i = 1; i < part->block.count; i++) {
        part->gap[i] = age[i] - age[i - 1] - cells;
    }
}

static uint32_t best_low(const struct part *part)
{
    uint64_t best = UINT64_MAX;
    uint32_t best_low = 0;

    for (uint32_t low = 0; low < 1U << ENTRIES_LOW_BITS; low++) {
        uint64_t cost = 0;
        for (uint32_t i = 1; i < part->block.count; i++) {
            cost += part->gap[i] >> low;
        }
        cost += (uint64_t)(part->block.count - 1) * (1 + low);
        if (cost >= best) {
            break; // the cost falls, then rises
        }
        best = cost;
        best_low = low;
    }
    return best_low;
}

// A bit for each number that is not 0.
struct used {
    uint64_t word[ENTRIES_BLOCK / WORD_BITS];
};

static struct used find_used(const bits_u128 *column, uint32_t count)
{
    struct used used = {0};

    for (uint32_t i = 0; i < count; i++) {
        used.word[i / WORD_BITS] |= (uint64_t)(column[i] != 0) << i % WORD_BITS;
    }
    return used;
}

// How many bits put_list puts.
static uint64_t length_of_list(const bits_u128 *column, uint32_t count,
                               struct entries_parameters parameters)
{
    uint64_t length = 0;
    uint32_t last = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (parameters.gap == ENTRIES_DENSE) {
            length += bits_golomb_cost(column[i], parameters.value);
            last = i + 1;
        } else if (column[i] > 0) {
            length += bits_rice_cost(i - last, parameters.gap) +
                      bits_golomb_cost(column[i] - 1, parameters.value);
            last = i + 1;
        }
    }
    return last < count ? length + bits_rice_cost(count - last, parameters.gap) : length;
}

static void put_list(struct bits_writer *writer, const bits_u128 *column, uint32_t count,
                     struct entries_parameters parameters)
{
    uint32_t last = 0;

    if (parameters.gap == ENTRIES_DENSE) {
        for (uint32_t i = 0; i < count; i++) {
            bits_put_golomb(writer, column[i], parameters.value);
        }
        return;
    }
    struct used used = find_used(column, count);
    for (uint32_t word = 0; word < ENTRIES_BLOCK / WORD_BITS; word++) {
        for (uint64_t bits = used.word[word]; bits != 0; bits &= bits - 1) {
            uint32_t i = word * WORD_BITS + (uint32_t)__builtin_ctzll(bits);
            bits_put_rice(writer, i - last, parameters.gap);
            bits_put_golomb(writer, column[i] - 1, parameters.value);
            last = i + 1;
        }
    }
    if (last < count) {
        bits_put_rice(writer, count - last, parameters.gap);
    }
}

static void put_lists(const struct part *part, const struct entries_parameters *parameters,
                      struct bits_writer *writer)
{
    const struct entries_block *block = &part->block;
    uint32_t columns = part->encoder->entries.columns;

    for (uint32_t c = 0; c < columns; c++) {
        if (parameters[c].gap == ENTRIES_EMPTY) {
            continue;
        }
        // Look-ups that end early go on behind the list.
        if (block->count > ENTRIES_SHORT && c + 1 < columns) {
            bits_put_golomb(writer, length_of_list(block->column[c], block->count, parameters[c]),
                            ENTRIES_LENGTH_PARAMETER);
        }
        put_list(writer, block->column[c], block->count, parameters[c]);
    }
}

static void put_block(struct part *part, const struct entries_parameters *parameters, bool first)
{
    const struct entries_block *block = &part->block;
    struct bits_writer writer = bits_writer(&part->blocks);

    find_gaps(part);
    uint32_t low = best_low(part);
    bits_put(&writer, block->count - 1, ENTRIES_COUNT_BITS);
    bits_put(&writer, low, ENTRIES_LOW_BITS);
    if (first) {
        bits_put(&writer, block->age[0], part->encoder->entries.age_bits);
    }
    for (uint32_t i = 1; i < block->count; i++) {
        bits_put(&writer, bits_low(part->gap[i], low), low);
    }
    for (uint32_t i = 1; i < block->count; i++) {
        bits_put_unary(&writer, part->gap[i] >> low);
    }
    put_lists(part, parameters, &writer);
    bits_align(&writer);
}

// Offset, age, and of cells what is newer: the total of each column, incidents in full.
static bool add_skip(struct part *part, uint64_t group_begin)
{
    const struct entries *entries = &part->encoder->entries;
    size_t fields = entries->fields;

    if (part->skips_count == part->skips_capacity) {
        size_t capacity = part->skips_capacity * 2 + 64;
        bits_u128 *skip = realloc(part->skip, capacity * fields * sizeof *skip);
        if (!skip) {
            return false;
        }
        part->skip = skip;
        part->skips_capacity = capacity;
    }
    bits_u128 *skip = part->skip + part->skips_count++ * fields;
    skip[ENTRIES_FIELD_OFFSET] = part->blocks.count - group_begin;
    skip[ENTRIES_FIELD_AGE] = part->block.age[0];
    for (size_t i = ENTRIES_FIELD_TOTALS; i < fields; i++) {
        uint32_t column = (uint32_t)(i - ENTRIES_FIELD_TOTALS);
        skip[i] = entries_stored_total(entries, column, part->total[column]);
    }
    return true;
}

static bool put_group(struct part *part, uint32_t group, uint32_t count)
{
    const struct encoder *encoder = part->encoder;
    const struct entries_parameters *parameters =
        encoder->parameters + (size_t)class_of(count) * encoder->entries.columns;
    uint64_t begin = part->blocks.count;

    memset(part->total, 0, sizeof part->total);
    for (uint32_t first = 0; first < count; first += ENTRIES_BLOCK) {
        load_block(part, group, first, count);
        if (first > 0 && !add_skip(part, begin)) {
            return false;
        }
        put_block(part, parameters, first == 0);
        if (!encoder->entries.spans && count - first > ENTRIES_BLOCK) {
            entries_add_totals(&encoder->entries, &part->block, part->total);
        }
    }
    return part->blocks.ok;
}

static void put_part(void *context, unsigned number)
{
    struct encoder *encoder = context;
    struct part *part = &encoder->part[number];

    part->ok = true;
    for (uint32_t group = part->begin; part->ok && group < part->end; group++) {
        encoder->offsets[group] = part->blocks.count;
        encoder->skips[group] = part->skips_count;
        part->ok = put_group(part, group, count_of(encoder->source, group));
    }
}

// Offsets and skips count on from those of earlier parts.
static bool put_blocks(struct encoder *encoder, struct tally_err *err)
{
    uint64_t offset = 0;
    uint64_t skips = 0;

    team_run(put_part, encoder, encoder->shares.parts);
    if (!parts_hold(encoder, err)) {
        return false;
    }
    for (unsigned i = 0; i < encoder->shares.parts; i++) {
        const struct part *part = &encoder->part[i];
        for (uint32_t group = part->begin; group < part->end; group++) {
            encoder->offsets[group] += offset;
            encoder->skips[group] += skips;
        }
        offset += part->blocks.count;
        skips += part->skips_count;
    }
    encoder->offsets[encoder->source->groups] = offset;
    encoder->skips[encoder->source->groups] = skips;
    return true;
}

// ---- the section --------------------------------------------------------------------------

static void find_widths(struct encoder *encoder)
{
    struct entries *entries = &encoder->entries;

    for (unsigned part = 0; part < encoder->shares.parts; part++) {
        const struct part *of = &encoder->part[part];
        for (size_t i = 0; i < of->skips_count * entries->fields; i++) {
            uint8_t *width = &entries->width[i % entries->fields];
            uint32_t needs = bits_length_wide(of->skip[i]);
            *width = needs > *width ? (uint8_t)needs : *width;
        }
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

static void put_skips(const struct encoder *encoder, struct bytes *out)
{
    const struct entries *entries = &encoder->entries;
    struct bits_writer writer = bits_writer(out);

    for (unsigned part = 0; part < encoder->shares.parts; part++) {
        const struct part *of = &encoder->part[part];
        for (size_t i = 0; i < of->skips_count * entries->fields; i++) {
            bits_put_wide(&writer, of->skip[i], entries->width[i % entries->fields]);
        }
    }
    bits_align(&writer);
}

static void put_section(struct encoder *encoder, struct bytes *out)
{
    struct entries *entries = &encoder->entries;
    size_t start = out->count;

    find_widths(encoder);
    put_head(encoder, out, start);
    if (entries->count == 0) {
        return;
    }
    monotone_encode(out, encoder->offsets, entries->groups + 1);
    monotone_encode(out, encoder->skips, entries->groups + 1);
    put_skips(encoder, out);
    bytes_put_filling(out, start);
    for (unsigned part = 0; part < encoder->shares.parts; part++) {
        bytes_put(out, encoder->part[part].blocks.data, encoder->part[part].blocks.count);
    }
}

static bool reserve(struct encoder *encoder, struct tally_err *err)
{
    size_t groups = (size_t)encoder->source->groups + 1;

    entries_share(encoder->source, &encoder->shares);
    encoder->offsets = calloc(groups, sizeof *encoder->offsets);
    encoder->skips = calloc(groups, sizeof *encoder->skips);
    encoder->parameters =
        calloc((size_t)ENTRIES_CLASSES_MAX * encoder->entries.columns, sizeof *encoder->parameters);
    encoder->part = calloc(encoder->shares.parts, sizeof *encoder->part);
    if (!encoder->offsets || !encoder->skips || !encoder->parameters || !encoder->part) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for %zu groups", groups - 1);
    }
    for (unsigned i = 0; i < encoder->shares.parts; i++) {
        struct part *part = &encoder->part[i];
        part->encoder = encoder;
        part->begin = encoder->shares.begin[i];
        part->end = encoder->shares.begin[i + 1];
        part->bounds.spans = encoder->entries.spans;
        part->bounds.measures = encoder->entries.measures;
        bytes_init(&part->blocks);
    }
    return true;
}

static bool encode(struct encoder *encoder, struct bytes *out, struct tally_err *err)
{
    if (!reserve(encoder, err)) {
        return false;
    }
    find_bounds(encoder);
    if (!choose_parameters(encoder, err) || !put_blocks(encoder, err)) {
        return false;
    }
    put_section(encoder, out);
    return out->ok ? true : err_set(err, TALLY_NO_MEMORY, "no memory for day cells");
}

static void release(struct encoder *encoder)
{
    for (unsigned i = 0; encoder->part && i < encoder->shares.parts; i++) {
        free(encoder->part[i].tallies);
        free(encoder->part[i].skip);
        bytes_done(&encoder->part[i].blocks);
    }
    free(encoder->part);
    free(encoder->offsets);
    free(encoder->skips);
    free(encoder->parameters);
    free(encoder);
}

bool entries_encode(struct bytes *out, const struct entries_source *source, struct tally_err *err)
{
    struct encoder *encoder = calloc(1, sizeof *encoder);

    if (!encoder) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for day cells");
    }
    assert(source->measures <= ROLLUP_MEASURES_MAX);
    encoder->source = source;
    encoder->entries.columns = source->spans + 1 + 2 * source->measures;
    encoder->entries.spans = source->spans;
    encoder->entries.measures = source->measures;
    encoder->entries.groups = source->groups;
    encoder->entries.fields = ENTRIES_FIELD_TOTALS + (source->spans ? 0 : encoder->entries.columns);
    bool ok = encode(encoder, out, err);
    release(encoder);
    return ok;
}
