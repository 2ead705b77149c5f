// store/rollup_patch_encode.c - the bytes of a patch (contracts in rollup_patch.h).
//
// In order of execution: texts and groups; for cells and for spans, what bounds each column, then
// each number at its place; the file.
#include "store/rollup_patch.h"

#include "base/team.h"

#include <string.h>

enum { NUMBERS_LEAST = 1 << 13 }; // that a core is worth

// ---- columns ------------------------------------------------------------------------------

struct columns {
    const struct patch_source *source;
    bool spans;
    uint32_t count;
    uint32_t width[PATCH_COLUMNS_MAX];
    size_t at[PATCH_COLUMNS_MAX]; // where each column's numbers begin in the section
};

// Narrowest width for numbers of so many bits, the sign left out.
static uint32_t width_for(bits_u128 size)
{
    uint32_t width = 1;

    while (width < 16 && size >> (8 * width - 1) != 0) {
        width *= 2;
    }
    return width;
}

// What one core saw of each column.
struct seen {
    bits_u128 size[PATCH_COLUMNS_MAX]; // bits that any number has beside its sign
    bits_u128 any[PATCH_COLUMNS_MAX];
};

struct numbering {
    const struct columns *columns;
    struct seen seen[TEAM_PARTS_MAX];
    unsigned char *data;
    unsigned parts;
};

static uint32_t begin_of(const struct numbering *numbering, unsigned part)
{
    return (uint32_t)team_begin(numbering->columns->source->count, part, numbering->parts);
}

static void see_part(void *context, unsigned part)
{
    struct numbering *numbering = context;
    const struct columns *columns = numbering->columns;
    const struct patch_source *source = columns->source;
    struct seen *seen = &numbering->seen[part];
    bits_u128 number[PATCH_COLUMNS_MAX];

    for (uint32_t i = begin_of(numbering, part); i < begin_of(numbering, part + 1); i++) {
        source->numbers(source->context, columns->spans, i, number);
        for (uint32_t c = 0; c < columns->count; c++) {
            seen->size[c] |= number[c] ^ (bits_u128)((bytes_i128)number[c] >> 127);
            seen->any[c] |= number[c];
        }
    }
}

static void find_widths(struct columns *columns, struct numbering *numbering)
{
    team_run(see_part, numbering, numbering->parts);
    for (uint32_t c = 0; c < columns->count; c++) {
        bits_u128 size = 0;
        bits_u128 any = 0;
        for (unsigned part = 0; part < numbering->parts; part++) {
            size |= numbering->seen[part].size[c];
            any |= numbering->seen[part].any[c];
        }
        columns->width[c] = any ? width_for(size) : 0;
    }
}

// Heads of all columns, with room for their numbers.
static void put_heads(struct columns *columns, struct bytes *out)
{
    for (uint32_t c = 0; c < columns->count; c++) {
        size_t bytes = (size_t)columns->width[c] * columns->source->count;
        bytes_put_u32(out, columns->width[c]);
        bytes_put_u32(out, 0);
        columns->at[c] = out->count;
        if (bytes_reserve(out, bytes)) {
            out->count += bytes;
        }
        bytes_put_filling(out, 0);
    }
}

static void put_number(unsigned char *at, uint32_t width, bits_u128 number)
{
    uint64_t low = htole64((uint64_t)number);
    uint64_t high = htole64((uint64_t)(number >> 64));

    switch (width) {
    case 1:
        *at = (unsigned char)number;
        return;
    case 2:
        memcpy(at, &low, 2);
        return;
    case 4:
        memcpy(at, &low, 4);
        return;
    case 8:
        memcpy(at, &low, 8);
        return;
    case 16:
        memcpy(at, &low, 8);
        memcpy(at + 8, &high, 8);
        return;
    default:
        return; // every number is 0
    }
}

static void put_part(void *context, unsigned part)
{
    const struct numbering *numbering = context;
    const struct columns *columns = numbering->columns;
    const struct patch_source *source = columns->source;
    bits_u128 number[PATCH_COLUMNS_MAX];

    for (uint32_t i = begin_of(numbering, part); i < begin_of(numbering, part + 1); i++) {
        source->numbers(source->context, columns->spans, i, number);
        for (uint32_t c = 0; c < columns->count; c++) {
            uint32_t width = columns->width[c];
            put_number(numbering->data + columns->at[c] + (size_t)i * width, width, number[c]);
        }
    }
}

static void put_entries(const struct patch_content *patch, bool spans, struct bytes *out)
{
    const struct patch_source *source = spans ? &patch->spans : &patch->cells;
    uint32_t measures = (uint32_t)patch->content->def->measures_count;
    struct columns columns = {
        .source = source, .spans = spans, .count = (spans ? 3 : 2) + 2 * measures};
    struct numbering numbering = {.columns = &columns,
                                  .parts = team_parts(source->count, NUMBERS_LEAST)};

    bytes_put_u64(out, source->all);
    bytes_put_u64(out, source->count);
    monotone_encode(out, source->starts, patch->changed_count + patch->fresh + 1);
    find_widths(&columns, &numbering);
    put_heads(&columns, out);
    if (out->ok) {
        numbering.data = out->data;
        team_run(put_part, &numbering, numbering.parts);
    }
}

// ---- the file -----------------------------------------------------------------------------

static void put_groups(const struct patch_content *patch, struct bytes *out)
{
    size_t numbers = patch->fresh * patch->content->def->dims_count;

    monotone_encode(out, patch->gone, patch->gone_count);
    monotone_encode(out, patch->changed, patch->changed_count);
    bytes_put_u64(out, patch->fresh);
    for (size_t i = 0; i < numbers; i++) {
        bytes_put_u32(out, patch->numbers[i]);
    }
    bytes_put_filling(out, 0);
}

bool patch_encode(const struct patch_content *patch, struct bytes *out, struct tally_err *err)
{
    struct rollup_frame frame;
    uint64_t checksum;

    rollup_frame_init(&frame);
    frame.generation = patch->content->generation;
    frame.digest = patch->digest;
    frame.first_day = patch->first_day;
    frame.last_day = patch->last_day;
    frame.base = patch->base;
    rollup_encode_sayings(patch->content, &frame);
    put_groups(patch, &frame.section[ROLLUP_GROUPS]);
    put_entries(patch, false, &frame.section[ROLLUP_CELLS]);
    put_entries(patch, true, &frame.section[ROLLUP_SPANS]);
    bool ok = rollup_encode_frame(&frame, ROLLUP_PATCH, &checksum, out) ||
              err_set(err, TALLY_NO_MEMORY, "no memory to write the patch of %s",
                      patch->content->def->name);
    rollup_frame_done(&frame);
    return ok;
}
