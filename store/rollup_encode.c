// store/rollup_encode.c - the bytes of a rollup file (contracts in rollup_format.h).
//
// In order of execution: write the sections; put a draft of the file together and read it with the
// ordinary reader, for its headline and digest; put the file together.
#include "store/rollup_format.h"

#include <stdlib.h>
#include <string.h>

struct encoding {
    const struct rollup_content *content;
    int32_t first_day; // of any incident; 1 and 0 when there is none
    int32_t last_day;
    struct bytes section[ROLLUP_PROVENANCE + 1];
};

static bool no_memory(const struct encoding *encoding, struct tally_err *err)
{
    return err_set(err, TALLY_NO_MEMORY, "no memory to write %s", encoding->content->def->name);
}

// ---- sections -----------------------------------------------------------------------------

static void put_schema(struct encoding *encoding)
{
    const struct rollup_content *content = encoding->content;
    struct bytes *out = &encoding->section[ROLLUP_SCHEMA];

    rollup_def_encode(content->def, out);
    for (size_t i = 0; i < content->def->feeds_count; i++) {
        const struct rollup_coverage *coverage = &content->coverage[i];
        bytes_put_u8(out, coverage->any);
        bytes_put_u32(out, coverage->any ? (uint32_t)coverage->first_day : 0);
        bytes_put_u32(out, coverage->any ? (uint32_t)coverage->last_day : 0);
    }
}

static void put_dictionaries(struct encoding *encoding)
{
    const struct rollup_content *content = encoding->content;

    for (size_t dim = 0; dim < content->def->dims_count; dim++) {
        dictionary_encode(&encoding->section[ROLLUP_DICTIONARY], content->texts[dim],
                          content->texts_count[dim]);
    }
}

// The distinct beginnings of groups, dimension by dimension: `number` has each group's beginning
// so far, and gets that of one more dimension.
static void put_keys(const struct rollup_content *content, size_t dim, uint32_t *number,
                     uint64_t *keys, struct bytes *out)
{
    size_t dims = content->def->dims_count;
    uint32_t count = 0;

    for (uint32_t group = 0; group < content->source.groups; group++) {
        uint64_t key = number[group] * (uint64_t)content->texts_count[dim] +
                       content->values[group * dims + dim];
        if (count == 0 || keys[count - 1] != key) {
            keys[count++] = key;
        }
        number[group] = count - 1;
    }
    monotone_encode(out, keys, count);
}

static bool put_groups(struct encoding *encoding, struct tally_err *err)
{
    const struct rollup_content *content = encoding->content;
    struct bytes *out = &encoding->section[ROLLUP_GROUPS];
    size_t groups = content->source.groups;
    uint32_t *number = calloc(groups + 1, sizeof *number);
    uint64_t *keys = calloc(groups + 1, sizeof *keys);
    bool ok = number && keys;

    bytes_put_u64(out, groups);
    for (size_t dim = 0; ok && dim < content->def->dims_count; dim++) {
        put_keys(content, dim, number, keys, out);
    }
    free(number);
    free(keys);
    return ok || no_memory(encoding, err);
}

static bool put_entries(struct encoding *encoding, bool spans, struct tally_err *err)
{
    struct entries_source source = encoding->content->source;

    source.spans = spans;
    return entries_encode(&encoding->section[spans ? ROLLUP_SPANS : ROLLUP_CELLS], &source, err);
}

static void put_provenance(struct encoding *encoding)
{
    const struct rollup_content *content = encoding->content;
    struct bytes *out = &encoding->section[ROLLUP_PROVENANCE];

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

// First and last day of any incident.
static void find_days(struct encoding *encoding)
{
    const struct entries_source *source = &encoding->content->source;
    struct rollup_entry entry;

    encoding->first_day = 1;
    encoding->last_day = 0;
    for (int spans = 0; spans <= 1; spans++) {
        for (uint32_t group = 0; group < source->groups; group++) {
            uint32_t count = source->open_group(source->context, spans, group);
            for (uint32_t i = 0; i < count; i++) {
                source->entry(source->context, i, &entry);
                bool any = encoding->first_day <= encoding->last_day;
                encoding->first_day = !any || entry.first_day < encoding->first_day
                                          ? entry.first_day
                                          : encoding->first_day;
                encoding->last_day = !any || entry.last_day > encoding->last_day
                                         ? entry.last_day
                                         : encoding->last_day;
            }
        }
    }
}

// ---- the file -----------------------------------------------------------------------------

static const enum rollup_section sections[] = {ROLLUP_SCHEMA,    ROLLUP_DICTIONARY, ROLLUP_GROUPS,
                                               ROLLUP_HEADLINE,  ROLLUP_CELLS,      ROLLUP_SPANS,
                                               ROLLUP_PROVENANCE};
enum { SECTIONS = sizeof sections / sizeof *sections };

static uint64_t aligned(uint64_t bytes)
{
    return (bytes + ROLLUP_ALIGNMENT - 1) & ~(uint64_t)(ROLLUP_ALIGNMENT - 1);
}

static void put_header(const struct encoding *encoding, struct digest digest, uint64_t bytes,
                       struct bytes *out)
{
    bytes_put(out, ROLLUP_MAGIC, ROLLUP_MAGIC_BYTES);
    bytes_put_u16(out, ROLLUP_MAJOR);
    bytes_put_u16(out, ROLLUP_MINOR);
    bytes_put_u32(out, SECTIONS);
    bytes_put_u64(out, bytes);
    bytes_put_u64(out, encoding->content->generation);
    bytes_put_u64(out, digest.low);
    bytes_put_u64(out, digest.high);
    bytes_put_u32(out, (uint32_t)encoding->first_day);
    bytes_put_u32(out, (uint32_t)encoding->last_day);
    bytes_put_u64(out, 0);
}

static void put_table(const struct encoding *encoding, struct bytes *out)
{
    uint64_t offset = ROLLUP_HEADER_BYTES + SECTIONS * ROLLUP_TABLE_ENTRY_BYTES + sizeof(uint64_t);

    for (size_t i = 0; i < SECTIONS; i++) {
        const struct bytes *section = &encoding->section[sections[i]];
        bytes_put_u32(out, sections[i]);
        bytes_put_u32(out, 0);
        bytes_put_u64(out, offset);
        bytes_put_u64(out, section->count);
        bytes_put_u64(out, checksum64(section->data, section->count, sections[i]));
        offset += aligned(section->count);
    }
}

static bool put_file(struct encoding *encoding, struct digest digest, struct bytes *out,
                     struct tally_err *err)
{
    uint64_t bytes = ROLLUP_HEADER_BYTES + SECTIONS * ROLLUP_TABLE_ENTRY_BYTES + sizeof(uint64_t) +
                     ROLLUP_MAGIC_BYTES;

    for (size_t i = 0; i < SECTIONS; i++) {
        if (!encoding->section[sections[i]].ok) {
            return no_memory(encoding, err);
        }
        bytes += aligned(encoding->section[sections[i]].count);
    }
    bytes_clear(out);
    bytes_reserve(out, bytes);
    put_header(encoding, digest, bytes, out);
    put_table(encoding, out);
    bytes_put_u64(out, out->ok ? checksum64(out->data, out->count, 0) : 0);
    for (size_t i = 0; i < SECTIONS; i++) {
        bytes_put(out, encoding->section[sections[i]].data, encoding->section[sections[i]].count);
        bytes_put_filling(out, 0);
    }
    bytes_put(out, ROLLUP_MAGIC, ROLLUP_MAGIC_BYTES);
    return out->ok || no_memory(encoding, err);
}

// Reads the draft, which has neither headline nor digest, and learns both from it.
static bool read_draft(struct encoding *encoding, struct bytes *draft, struct digest *out_digest,
                       struct tally_err *err)
{
    struct rollup *rollup = rollup_open_memory(draft->data, draft->count, err);

    bytes_init(draft); // its memory is the rollup's now
    if (!rollup) {
        return err_wrap(err, "read back %s", encoding->content->def->name);
    }
    bool ok = rollup_encode_headline(rollup, &encoding->section[ROLLUP_HEADLINE], err) &&
              rollup_content_digest(rollup, out_digest, err);
    rollup_close(rollup);
    return ok;
}

static bool encode(struct encoding *encoding, struct bytes *out, struct tally_err *err)
{
    struct digest digest = {0};

    find_days(encoding);
    put_schema(encoding);
    put_dictionaries(encoding);
    put_provenance(encoding);
    return put_groups(encoding, err) && put_entries(encoding, false, err) &&
           put_entries(encoding, true, err) && put_file(encoding, digest, out, err) &&
           read_draft(encoding, out, &digest, err) && put_file(encoding, digest, out, err);
}

bool rollup_encode(const struct rollup_content *content, struct bytes *out, struct tally_err *err)
{
    struct encoding encoding = {.content = content};

    for (size_t i = 0; i <= ROLLUP_PROVENANCE; i++) {
        bytes_init(&encoding.section[i]);
    }
    bool ok = encode(&encoding, out, err);
    for (size_t i = 0; i <= ROLLUP_PROVENANCE; i++) {
        bytes_done(&encoding.section[i]);
    }
    return ok;
}
