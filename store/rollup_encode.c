// store/rollup_encode.c - day cells of one rollup as the bytes of a rollup file (cells_encode).
//
// In order of execution: number the values of each dimension in sorted order, sort the groups by
// those numbers, write the sections; then read the result with the ordinary reader for its
// headline and digest, and put the file together.
#include "store/cells.h"
#include "store/cells_group.h"
#include "store/rollup_format.h"

#include <stdlib.h>
#include <string.h>

struct encoding {
    const struct state *state;
    struct cells_groups *groups;
    const struct rollup_def *def;
    uint32_t *order; // live groups, in canonical order
    size_t order_count;
    uint32_t *value;  // [order_count][dims]: number of the value, by position in `order`
    uint32_t *number; // scratch: text code -> number + 1 within the dimension at hand
    int32_t first_day;
    int32_t last_day;
    struct bytes section[ROLLUP_PROVENANCE + 1];
};

struct code_text {
    const struct texts_entry *text;
    uint32_t code;
};

static int compare_texts(const void *left, const void *right)
{
    const struct texts_entry *a = ((const struct code_text *)left)->text;
    const struct texts_entry *b = ((const struct code_text *)right)->text;
    uint32_t shorter = a->bytes < b->bytes ? a->bytes : b->bytes;
    int order = memcmp(a->text, b->text, shorter);

    return order != 0 ? order : (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

static void align(struct bytes *out)
{
    static const unsigned char zeros[ROLLUP_ALIGNMENT];
    bytes_put(out, zeros, (0 - out->count) & (ROLLUP_ALIGNMENT - 1));
}

// ---- dictionary and groups ----------------------------------------------------------------

static size_t gather_codes(struct encoding *encoding, size_t dim, struct code_text *codes)
{
    const struct texts *texts = &encoding->state->texts;
    size_t count = 0;

    memset(encoding->number, 0, texts->count * sizeof *encoding->number);
    for (size_t i = 0; i < encoding->order_count; i++) {
        uint32_t code = cells_group_codes(encoding->groups, encoding->order[i])[dim];
        if (encoding->number[code] == 0) {
            encoding->number[code] = 1;
            codes[count++] = (struct code_text){.text = texts_get(texts, code), .code = code};
        }
    }
    return count;
}

// u32 count; u32 end of each text; the texts. Aligned to 8 behind.
static void put_dictionary(struct bytes *out, const struct code_text *codes, size_t count)
{
    uint32_t end = 0;

    bytes_put_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        end += codes[i].text->bytes;
        bytes_put_u32(out, end);
    }
    for (size_t i = 0; i < count; i++) {
        bytes_put(out, codes[i].text->text, codes[i].text->bytes);
    }
    align(out);
}

static bool number_values(struct encoding *encoding, struct tally_err *err)
{
    size_t dims = encoding->def->dims_count;
    size_t values = encoding->order_count * dims;
    struct code_text *codes = malloc((encoding->order_count + 1) * sizeof *codes);

    encoding->value = malloc((values + 1) * sizeof *encoding->value);
    encoding->number = malloc((encoding->state->texts.count + (size_t)1) * sizeof(uint32_t));
    if (!codes || !encoding->value || !encoding->number) {
        free(codes);
        return err_set(err, TALLY_NO_MEMORY, "no memory to write %s", encoding->def->name);
    }
    for (size_t dim = 0; dim < dims; dim++) {
        size_t count = gather_codes(encoding, dim, codes);
        qsort(codes, count, sizeof *codes, compare_texts);
        for (size_t i = 0; i < count; i++) {
            encoding->number[codes[i].code] = (uint32_t)i + 1;
        }
        put_dictionary(&encoding->section[ROLLUP_DICTIONARY], codes, count);
        for (size_t i = 0; i < encoding->order_count; i++) {
            uint32_t code = cells_group_codes(encoding->groups, encoding->order[i])[dim];
            encoding->value[i * dims + dim] = encoding->number[code] - 1;
        }
    }
    free(codes);
    return true;
}

struct sort_context {
    const uint32_t *value;
    size_t dims;
};

static int compare_groups(const void *left, const void *right, void *context)
{
    const struct sort_context *sort = context;
    const uint32_t *a = sort->value + *(const uint32_t *)left * sort->dims;
    const uint32_t *b = sort->value + *(const uint32_t *)right * sort->dims;

    for (size_t i = 0; i < sort->dims; i++) {
        if (a[i] != b[i]) {
            return a[i] < b[i] ? -1 : 1;
        }
    }
    return 0;
}

static bool sort_groups(struct encoding *encoding, struct tally_err *err)
{
    size_t dims = encoding->def->dims_count;
    size_t count = encoding->order_count;
    uint32_t *rank = malloc((count + 1) * sizeof *rank);
    uint32_t *order = calloc(count + 1, sizeof *order);
    uint32_t *value = malloc((count * dims + 1) * sizeof *value);

    if (!rank || !order || !value) {
        free(rank);
        free(order);
        free(value);
        return err_set(err, TALLY_NO_MEMORY, "no memory to write %s", encoding->def->name);
    }
    for (uint32_t i = 0; i < count; i++) {
        rank[i] = i;
    }
    struct sort_context sort = {.value = encoding->value, .dims = dims};
    qsort_r(rank, count, sizeof *rank, compare_groups, &sort);
    for (size_t i = 0; i < count; i++) {
        order[i] = encoding->order[rank[i]];
        memcpy(value + i * dims, encoding->value + rank[i] * dims, dims * sizeof *value);
    }
    free(rank);
    free(encoding->order);
    free(encoding->value);
    encoding->order = order;
    encoding->value = value;
    return true;
}

// ---- columns ------------------------------------------------------------------------------

// Narrowest width that holds every number between low and high.
static uint32_t width_for(bytes_i128 low, bytes_i128 high)
{
    for (uint32_t width = 1; width < 16; width *= 2) {
        bytes_i128 half = (bytes_i128)1 << (8 * width - 1);
        if (low >= -half && high < half) {
            return width;
        }
    }
    return 16;
}

static void put_number(struct bytes *out, bytes_i128 value, uint32_t width)
{
    switch (width) {
    case 1:
        bytes_put_u8(out, (uint8_t)value);
        break;
    case 2:
        bytes_put_u16(out, (uint16_t)value);
        break;
    case 4:
        bytes_put_u32(out, (uint32_t)value);
        break;
    case 8:
        bytes_put_u64(out, (uint64_t)value);
        break;
    default:
        bytes_put_i128(out, value);
    }
}

// Columns of an entry, in the order of the file.
enum { COLUMN_FIRST_DAY, COLUMN_LAST_DAY, COLUMN_INCIDENTS, COLUMN_MEASURES };

static bytes_i128 entry_number(const struct cells_groups *groups, const struct cells_entry *entry,
                               size_t column)
{
    switch (column) {
    case COLUMN_FIRST_DAY:
        return entry->first_day;
    case COLUMN_LAST_DAY:
        return entry->last_day;
    case COLUMN_INCIDENTS:
        return entry->incidents;
    default:
        break;
    }
    size_t measure = (column - COLUMN_MEASURES) / 2;
    return (column - COLUMN_MEASURES) % 2 == 0 ? cells_entry_sum(entry, measure)
                                               : cells_entry_reported(groups, entry, measure);
}

static const struct cells_list *list_of(const struct cells_group *group, bool spans)
{
    return spans ? &group->spans : &group->cells;
}

typedef void on_number(void *context, bytes_i128 value);

static void each_number(const struct encoding *encoding, bool spans, size_t column,
                        on_number *visit, void *context)
{
    for (size_t i = 0; i < encoding->order_count; i++) {
        const struct cells_list *list =
            list_of(&encoding->groups->group[encoding->order[i]], spans);
        for (uint32_t at = 0; at < list->count; at++) {
            const struct cells_entry *entry = cells_entry_at(encoding->groups, list, at);
            if (entry->incidents > 0) {
                visit(context, entry_number(encoding->groups, entry, column));
            }
        }
    }
}

struct range {
    bytes_i128 low;
    bytes_i128 high;
};

static void widen(void *context, bytes_i128 value)
{
    struct range *range = context;
    range->low = value < range->low ? value : range->low;
    range->high = value > range->high ? value : range->high;
}

struct column {
    struct bytes *out;
    uint32_t width;
};

static void put_to_column(void *context, bytes_i128 value)
{
    struct column *column = context;
    put_number(column->out, value, column->width);
}

// u64 count, then each column: u32 width, u32 0, the numbers. Aligned to 8 behind each.
static void put_columns(struct encoding *encoding, bool spans, uint64_t count)
{
    struct bytes *out = &encoding->section[spans ? ROLLUP_SPANS : ROLLUP_CELLS];
    size_t columns = COLUMN_MEASURES + 2 * encoding->def->measures_count;

    bytes_put_u64(out, count);
    for (size_t i = 0; i < columns; i++) {
        if (i == COLUMN_LAST_DAY && !spans) {
            continue;
        }
        struct range range = {0};
        each_number(encoding, spans, i, widen, &range);
        struct column column = {.out = out, .width = width_for(range.low, range.high)};
        column.width = i <= COLUMN_LAST_DAY ? 4 : column.width;
        bytes_put_u32(out, column.width);
        bytes_put_u32(out, 0);
        each_number(encoding, spans, i, put_to_column, &column);
        align(out);
    }
}

// ---- sections -----------------------------------------------------------------------------

static void put_schema(struct encoding *encoding)
{
    struct bytes *out = &encoding->section[ROLLUP_SCHEMA];

    rollup_def_encode(encoding->def, out);
    for (size_t i = 0; i < encoding->def->feeds_count; i++) {
        const struct state_feed *feed =
            state_find_feed(encoding->state, encoding->def->feeds[i].name);
        bool any = feed && feed->any_day;
        bytes_put_u8(out, any);
        bytes_put_u32(out, any ? (uint32_t)feed->first_day : 0);
        bytes_put_u32(out, any ? (uint32_t)feed->last_day : 0);
    }
}

static uint32_t live_entries(const struct encoding *encoding, const struct cells_list *list)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < list->count; i++) {
        count += cells_entry_at(encoding->groups, list, i)->incidents > 0;
    }
    return count;
}

// u64 first entry of each group and behind the last one. Returns the number of entries.
static uint64_t put_starts(struct encoding *encoding, bool spans)
{
    struct bytes *out = &encoding->section[ROLLUP_GROUPS];
    uint64_t start = 0;

    bytes_put_u64(out, 0);
    for (size_t i = 0; i < encoding->order_count; i++) {
        const struct cells_group *group = &encoding->groups->group[encoding->order[i]];
        start += live_entries(encoding, list_of(group, spans));
        bytes_put_u64(out, start);
    }
    return start;
}

static void put_groups(struct encoding *encoding)
{
    struct bytes *out = &encoding->section[ROLLUP_GROUPS];
    size_t values = encoding->order_count * encoding->def->dims_count;

    bytes_put_u64(out, encoding->order_count);
    for (size_t i = 0; i < values; i++) {
        bytes_put_u32(out, encoding->value[i]);
    }
    align(out);
    uint64_t cells = put_starts(encoding, false);
    uint64_t spans = put_starts(encoding, true);
    put_columns(encoding, false, cells);
    put_columns(encoding, true, spans);
}

static void put_provenance(struct encoding *encoding, const struct cells_provenance *provenance)
{
    struct bytes *out = &encoding->section[ROLLUP_PROVENANCE];
    bytes_put_varint(out, provenance->batches);
    bytes_put_varint(out, provenance->sources_count);
    for (size_t i = 0; i < provenance->sources_count; i++) {
        const struct rollup_source *source = &provenance->source[i];
        bytes_put_varint(out, source->batch);
        bytes_put_u64(out, (uint64_t)source->time_ms);
        bytes_put_u64(out, source->digest.low);
        bytes_put_u64(out, source->digest.high);
        bytes_put_text(out, source->feed, source->feed_bytes);
        bytes_put_text(out, source->file, source->file_bytes);
    }
}

static bool collect_groups(struct encoding *encoding, struct tally_err *err)
{
    const struct cells_groups *groups = encoding->groups;

    encoding->order = calloc(groups->count + (size_t)1, sizeof *encoding->order);
    if (!encoding->order) {
        return err_set(err, TALLY_NO_MEMORY, "no memory to write %s", encoding->def->name);
    }
    for (uint32_t i = 0; i < groups->count; i++) {
        if (groups->group[i].incidents > 0) {
            encoding->order[encoding->order_count++] = i;
        }
    }
    return true;
}

// First and last day of any incident: 1 and 0 when there is none.
static void note_days(void *context, bytes_i128 value)
{
    struct encoding *encoding = context;
    int32_t day = (int32_t)value;

    if (encoding->first_day > encoding->last_day) {
        encoding->first_day = encoding->last_day = day;
    }
    encoding->first_day = day < encoding->first_day ? day : encoding->first_day;
    encoding->last_day = day > encoding->last_day ? day : encoding->last_day;
}

// ---- the file -----------------------------------------------------------------------------

static void put_table(const struct encoding *encoding, const enum rollup_section *sections,
                      size_t count, struct bytes *out)
{
    uint64_t offset = ROLLUP_HEADER_BYTES + count * ROLLUP_TABLE_ENTRY_BYTES + sizeof(uint64_t);

    for (size_t i = 0; i < count; i++) {
        const struct bytes *section = &encoding->section[sections[i]];
        bytes_put_u32(out, sections[i]);
        bytes_put_u32(out, 0);
        bytes_put_u64(out, offset);
        bytes_put_u64(out, section->count);
        bytes_put_u64(out, checksum64(section->data, section->count, sections[i]));
        offset += (section->count + ROLLUP_ALIGNMENT - 1) & ~(uint64_t)(ROLLUP_ALIGNMENT - 1);
    }
}

static bool put_file(struct encoding *encoding, uint64_t generation, struct digest digest,
                     struct bytes *out, struct tally_err *err)
{
    static const enum rollup_section sections[] = {
        ROLLUP_SCHEMA, ROLLUP_DICTIONARY, ROLLUP_GROUPS,    ROLLUP_HEADLINE,
        ROLLUP_CELLS,  ROLLUP_SPANS,      ROLLUP_PROVENANCE};
    size_t count = sizeof sections / sizeof *sections;
    uint64_t bytes = ROLLUP_HEADER_BYTES + count * ROLLUP_TABLE_ENTRY_BYTES + sizeof(uint64_t) +
                     ROLLUP_MAGIC_BYTES;

    for (size_t i = 0; i < count; i++) {
        struct bytes *section = &encoding->section[sections[i]];
        if (!section->ok) {
            return err_set(err, TALLY_NO_MEMORY, "no memory to write %s", encoding->def->name);
        }
        bytes += (section->count + ROLLUP_ALIGNMENT - 1) & ~(uint64_t)(ROLLUP_ALIGNMENT - 1);
    }
    bytes_clear(out);
    bytes_reserve(out, bytes);
    bytes_put(out, ROLLUP_MAGIC, ROLLUP_MAGIC_BYTES);
    bytes_put_u16(out, ROLLUP_MAJOR);
    bytes_put_u16(out, ROLLUP_MINOR);
    bytes_put_u32(out, (uint32_t)count);
    bytes_put_u64(out, bytes);
    bytes_put_u64(out, generation);
    bytes_put_u64(out, digest.low);
    bytes_put_u64(out, digest.high);
    bytes_put_u32(out, (uint32_t)encoding->first_day);
    bytes_put_u32(out, (uint32_t)encoding->last_day);
    bytes_put_u64(out, 0);
    put_table(encoding, sections, count, out);
    bytes_put_u64(out, out->ok ? checksum64(out->data, out->count, 0) : 0);
    for (size_t i = 0; i < count; i++) {
        bytes_put(out, encoding->section[sections[i]].data, encoding->section[sections[i]].count);
        align(out);
    }
    bytes_put(out, ROLLUP_MAGIC, ROLLUP_MAGIC_BYTES);
    return out->ok ? true
                   : err_set(err, TALLY_NO_MEMORY, "no memory to write %s", encoding->def->name);
}

// Reads the draft, which has neither headline nor digest, and learns both from it.
static bool read_draft(struct encoding *encoding, struct bytes *draft, struct digest *out_digest,
                       struct tally_err *err)
{
    struct rollup *rollup = rollup_open_memory(draft->data, draft->count, err);

    bytes_init(draft); // its memory is the rollup's now
    if (!rollup) {
        return err_wrap(err, "read back %s", encoding->def->name);
    }
    rollup_encode_headline(rollup, &encoding->section[ROLLUP_HEADLINE]);
    bool ok = rollup_content_digest(rollup, out_digest, err);
    rollup_close(rollup);
    return ok;
}

static bool encode(struct encoding *encoding, const struct cells_provenance *provenance,
                   struct bytes *out, struct tally_err *err)
{
    struct digest digest = {0};

    if (!collect_groups(encoding, err) || !number_values(encoding, err) ||
        !sort_groups(encoding, err)) {
        return false;
    }
    each_number(encoding, false, COLUMN_FIRST_DAY, note_days, encoding);
    each_number(encoding, true, COLUMN_LAST_DAY, note_days, encoding);
    put_schema(encoding);
    put_groups(encoding);
    put_provenance(encoding, provenance);
    return put_file(encoding, provenance->generation, digest, out, err) &&
           read_draft(encoding, out, &digest, err) &&
           put_file(encoding, provenance->generation, digest, out, err);
}

bool cells_encode(struct cells *cells, const struct state *state,
                  const struct cells_provenance *provenance, struct bytes *out,
                  struct tally_err *err)
{
    struct encoding encoding = {.state = state,
                                .groups = cells_groups(cells),
                                .def = cells_def(cells),
                                .first_day = 1,
                                .last_day = 0};

    for (size_t i = 0; i <= ROLLUP_PROVENANCE; i++) {
        bytes_init(&encoding.section[i]);
    }
    bool ok = encode(&encoding, provenance, out, err);
    for (size_t i = 0; i <= ROLLUP_PROVENANCE; i++) {
        bytes_done(&encoding.section[i]);
    }
    free(encoding.order);
    free(encoding.value);
    free(encoding.number);
    return ok;
}
