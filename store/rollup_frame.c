// store/rollup_frame.c - what a rollup file and a patch have in common: header, section table, and
// the sections that say what they are of (contracts in rollup_private.h).
#include "store/rollup_private.h"

#include <stdlib.h>

static const enum rollup_section sections_whole[] = {
    ROLLUP_SCHEMA, ROLLUP_DICTIONARY, ROLLUP_GROUPS,    ROLLUP_HEADLINE,
    ROLLUP_CELLS,  ROLLUP_SPANS,      ROLLUP_PROVENANCE};
static const enum rollup_section sections_patch[] = {
    ROLLUP_SCHEMA, ROLLUP_DICTIONARY, ROLLUP_GROUPS, ROLLUP_CELLS, ROLLUP_SPANS, ROLLUP_PROVENANCE};

// The sections of one kind of file, in their order.
struct layout {
    const enum rollup_section *section;
    size_t count;
    const char *magic;
};

static struct layout layout_of(enum rollup_kind kind)
{
    return kind == ROLLUP_PATCH
               ? (struct layout){sections_patch, sizeof sections_patch / sizeof *sections_patch,
                                 ROLLUP_PATCH_MAGIC}
               : (struct layout){sections_whole, sizeof sections_whole / sizeof *sections_whole,
                                 ROLLUP_MAGIC};
}

void rollup_frame_init(struct rollup_frame *frame)
{
    *frame = (struct rollup_frame){0};
    for (size_t i = 0; i <= ROLLUP_PROVENANCE; i++) {
        bytes_init(&frame->section[i]);
    }
}

void rollup_frame_done(struct rollup_frame *frame)
{
    for (size_t i = 0; i <= ROLLUP_PROVENANCE; i++) {
        bytes_done(&frame->section[i]);
    }
}

// ---- sections -----------------------------------------------------------------------------

static void put_schema(const struct rollup_content *content, struct bytes *out)
{
    rollup_def_encode(content->def, out);
    for (size_t i = 0; i < content->def->feeds_count; i++) {
        const struct rollup_coverage *coverage = &content->coverage[i];
        bytes_put_u8(out, coverage->any);
        bytes_put_u32(out, coverage->any ? (uint32_t)coverage->first_day : 0);
        bytes_put_u32(out, coverage->any ? (uint32_t)coverage->last_day : 0);
    }
}

static void put_provenance(const struct rollup_content *content, struct bytes *out)
{
    bytes_put_varint(out, content->batches);
    bytes_put_varint(out, content->sources_count);
    for (size_t i = 0; i < content->sources_count; i++) {
        const struct rollup_source *source = &content->sources[i];
        bytes_put_varint(out, source->batch);
        bytes_put_u64(out, (uint64_t)source->time_ms);
        bytes_put_u64(out, source->digest.low);
        bytes_put_u64(out, source->digest.high);
        bytes_put_text(out, source->feed, source->feed_bytes);
        bytes_put_text(out, source->file, source->file_bytes);
    }
}

void rollup_encode_sayings(const struct rollup_content *content, struct rollup_frame *frame)
{
    put_schema(content, &frame->section[ROLLUP_SCHEMA]);
    for (size_t dim = 0; dim < content->def->dims_count; dim++) {
        dictionary_encode(&frame->section[ROLLUP_DICTIONARY], content->texts[dim],
                          content->texts_count[dim]);
    }
    put_provenance(content, &frame->section[ROLLUP_PROVENANCE]);
}

// ---- the file -----------------------------------------------------------------------------

static uint64_t aligned(uint64_t bytes)
{
    return (bytes + ROLLUP_ALIGNMENT - 1) & ~(uint64_t)(ROLLUP_ALIGNMENT - 1);
}

static uint64_t body_at(const struct layout *layout)
{
    return ROLLUP_HEADER_BYTES + layout->count * ROLLUP_TABLE_ENTRY_BYTES + sizeof(uint64_t);
}

static void put_header(const struct rollup_frame *frame, const struct layout *layout,
                       uint64_t bytes, struct bytes *out)
{
    bytes_put(out, layout->magic, ROLLUP_MAGIC_BYTES);
    bytes_put_u16(out, ROLLUP_MAJOR);
    bytes_put_u16(out, ROLLUP_MINOR);
    bytes_put_u32(out, (uint32_t)layout->count);
    bytes_put_u64(out, bytes);
    bytes_put_u64(out, frame->generation);
    bytes_put_u64(out, frame->digest.low);
    bytes_put_u64(out, frame->digest.high);
    bytes_put_u32(out, (uint32_t)frame->first_day);
    bytes_put_u32(out, (uint32_t)frame->last_day);
    bytes_put_u64(out, frame->base);
}

static void put_table(const struct rollup_frame *frame, const struct layout *layout,
                      struct bytes *out)
{
    uint64_t offset = body_at(layout);

    for (size_t i = 0; i < layout->count; i++) {
        enum rollup_section id = layout->section[i];
        const struct bytes *section = &frame->section[id];
        bytes_put_u32(out, id);
        bytes_put_u32(out, 0);
        bytes_put_u64(out, offset);
        bytes_put_u64(out, section->count);
        bytes_put_u64(out, checksum64(section->data, section->count, id));
        offset += aligned(section->count);
    }
}

bool rollup_encode_frame(const struct rollup_frame *frame, enum rollup_kind kind,
                         uint64_t *out_frame, struct bytes *out)
{
    struct layout layout = layout_of(kind);
    uint64_t bytes = body_at(&layout) + ROLLUP_MAGIC_BYTES;

    for (size_t i = 0; i < layout.count; i++) {
        const struct bytes *section = &frame->section[layout.section[i]];
        if (!section->ok) {
            return false;
        }
        bytes += aligned(section->count);
    }
    bytes_clear(out);
    bytes_reserve(out, bytes);
    put_header(frame, &layout, bytes, out);
    put_table(frame, &layout, out);
    *out_frame = out->ok ? checksum64(out->data, out->count, 0) : 0;
    bytes_put_u64(out, *out_frame);
    for (size_t i = 0; i < layout.count; i++) {
        const struct bytes *section = &frame->section[layout.section[i]];
        bytes_put(out, section->data, section->count);
        bytes_put_filling(out, 0);
    }
    bytes_put(out, layout.magic, ROLLUP_MAGIC_BYTES);
    return out->ok;
}
