// store/incidents_fit.c - rows as wide as their feed needs (contracts in incidents.h).
#include "store/incidents_private.h"

#include <assert.h>
#include <stdlib.h>

enum { ORIGIN_BYTES = sizeof(struct incident_origin) };

void incidents_set_places(struct incidents_layout *layout, bool keeps_origins)
{
    uint32_t at = sizeof(struct incident) + layout->revision_bytes;

    for (uint32_t i = 0; i < INCIDENTS_COLUMNS_MAX; i++) {
        layout->at[i] = (uint16_t)at;
        at += layout->bytes[i];
    }
    layout->origin_at = (uint16_t)at;
    layout->stride = at + (keeps_origins ? ORIGIN_BYTES : 0);
}

static uint8_t bytes_for(uint32_t codes)
{
    uint8_t bytes = 0;

    for (; codes != 0; codes >>= 8) {
        bytes++;
    }
    return bytes;
}

static struct incidents_layout layout_for(const struct incidents *incidents,
                                          const struct incidents_need *need)
{
    struct incidents_layout layout = incidents->layout;

    if (need->revision_bytes > layout.revision_bytes) {
        layout.revision_bytes = need->revision_bytes;
    }
    for (uint32_t i = 0; i < need->columns; i++) {
        uint8_t bytes = bytes_for(need->codes[i]);
        layout.bytes[i] = bytes > layout.bytes[i] ? bytes : layout.bytes[i];
        layout.max[i] = (uint32_t)(((uint64_t)1 << layout.bytes[i] * 8) - 1);
    }
    if (need->columns > layout.columns) {
        layout.columns = need->columns;
    }
    incidents_set_places(&layout, incidents->keeps_origins);
    return layout;
}

bool incidents_fits(const struct incidents *incidents, const struct incidents_need *need)
{
    const struct incidents_layout *layout = &incidents->layout;
    bool fits = need->revision_bytes <= layout->revision_bytes && need->columns <= layout->columns;

    for (uint32_t i = 0; fits && i < need->columns; i++) {
        fits = need->codes[i] <= layout->max[i];
    }
    return fits;
}

// ---- laying out anew ----------------------------------------------------------------------

static bool no_memory(struct tally_err *err)
{
    return err_set(err, TALLY_NO_MEMORY, "no memory for incidents");
}

// Everything of one row under another layout.
static void copy_row(const struct incidents *incidents, const struct incidents_layout *layout,
                     const struct incident *from, struct incident *to)
{
    for (uint32_t i = layout->columns; i > incidents->layout.columns; i--) {
        row_put_code(layout, to, i - 1, 0);
    }
    for (uint32_t i = incidents->layout.columns; i > 0; i--) {
        row_put_code(layout, to, i - 1, row_take_code(&incidents->layout, from, i - 1));
    }
    row_put_revision(layout, to, row_take_revision(&incidents->layout, from));
    *to = *from;
    if (incidents->keeps_origins) {
        memcpy((unsigned char *)to + layout->origin_at,
               (const unsigned char *)from + incidents->layout.origin_at, ORIGIN_BYTES);
    }
}

// The rows of a part once more, in blocks that only *out_block knows.
static bool copy_part(const struct incidents *incidents, const struct incidents_part *part,
                      const struct incidents_layout *layout, struct arena *rows,
                      unsigned char ***out_block, struct tally_err *err)
{
    unsigned char **block = malloc((part->blocks_capacity + (size_t)1) * sizeof(unsigned char *));

    if (!block) {
        return no_memory(err);
    }
    *out_block = block;
    uint32_t room = 0;
    for (uint32_t i = 0; i < part->blocks; i++) {
        block[i] = arena_alloc(rows, (size_t)block_rows(room) * layout->stride, err);
        if (!block[i]) {
            return false;
        }
        room += block_rows(room);
    }
    assert(part->count <= room);
    for (uint32_t row = 0; row < part->count; row++) {
        copy_row(incidents, layout, row_at(incidents, part, row),
                 row_in(block, row, layout->stride));
    }
    return true;
}

static bool lay_out(struct incidents *incidents, const struct incidents_layout *layout,
                    struct tally_err *err)
{
    unsigned char **block[INCIDENTS_PARTS] = {0};
    struct arena rows;
    bool ok = true;

    arena_init(&rows, SIZE_MAX / 2);
    rows.large_pages = true;
    for (uint32_t i = 0; ok && i < INCIDENTS_PARTS; i++) {
        ok = copy_part(incidents, &incidents->part[i], layout, &rows, &block[i], err);
    }
    if (!ok) {
        for (uint32_t i = 0; i < INCIDENTS_PARTS; i++) {
            free(block[i]);
        }
        arena_done(&rows);
        return false;
    }
    for (uint32_t i = 0; i < INCIDENTS_PARTS; i++) {
        free(incidents->part[i].block);
        incidents->part[i].block = block[i];
    }
    arena_done(&incidents->rows);
    incidents->rows = rows;
    return true;
}

// Columns whose codes are all 0 take no room: rows stay where they are when a shape brings them.
static bool same_widths(const struct incidents_layout *a, const struct incidents_layout *b)
{
    return a->revision_bytes == b->revision_bytes &&
           memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool incidents_fit(struct incidents *incidents, const struct incidents_need *need,
                   struct tally_err *err)
{
    if (incidents_fits(incidents, need)) {
        return true;
    }
    struct incidents_layout layout = layout_for(incidents, need);
    if (incidents->part && !same_widths(&incidents->layout, &layout) &&
        !lay_out(incidents, &layout, err)) {
        return false;
    }
    incidents->layout = layout;
    return true;
}
