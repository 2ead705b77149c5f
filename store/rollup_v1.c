// store/rollup_v1.c - reads rollup files of format version 1, whose numbers were plain.
//
//   dictionary   for each dimension: count u32, ends u32 each, the texts, filled to 8
//   groups       count u64, values u32 [groups][dims], filled; first cell u64 each and the end;
//                first span u64 each and the end
//   cells        count u64; columns: width u32, zero u32, numbers, filled to 8
//   spans        the same, with a last day behind the first
//
// Everything else was as it is today. The file is packed into memory as one of today's version, so
// that there is one way to read; its content digest, which was defined otherwise, is made anew.
#include "base/day.h"
#include "store/rollup_private.h"

#include <stdlib.h>

struct column {
    const unsigned char *data;
    uint32_t width;
};

struct v1_entries {
    uint64_t count;
    const unsigned char *starts; // u64 each, groups + 1
    struct column first_day;
    struct column last_day; // of cells the same as first_day
    struct column incidents;
    struct column sum[ROLLUP_MEASURES_MAX];
    struct column reported[ROLLUP_MEASURES_MAX];
};

struct v1 {
    const struct rollup *rollup;
    struct rollup_content content;
    struct rollup_def def;
    struct rollup_provenance provenance;
    struct dictionary_text *texts[ROLLUP_DIMS_MAX];
    uint32_t *values;
    struct v1_entries cells;
    struct v1_entries spans;
    const struct v1_entries *open; // the group at hand
    uint64_t newest;
};

static struct cursor section_of(const struct v1 *v1, enum rollup_section id)
{
    return cursor_over(v1->rollup->section[id].data, v1->rollup->section[id].bytes);
}

// ---- schema, dictionary, groups -----------------------------------------------------------

static bool take_schema(struct v1 *v1, struct tally_err *err)
{
    struct cursor in = section_of(v1, ROLLUP_SCHEMA);

    if (!rollup_def_decode(&v1->def, &in, err)) {
        return rollup_damaged(err, "schema", "malformed");
    }
    for (size_t i = 0; i < v1->def.feeds_count; i++) {
        struct rollup_coverage *coverage = &v1->content.coverage[i];
        coverage->any = cursor_take_u8(&in) != 0;
        coverage->first_day = (int32_t)cursor_take_u32(&in);
        coverage->last_day = (int32_t)cursor_take_u32(&in);
    }
    return in.ok || rollup_damaged(err, "schema", "malformed coverage");
}

static bool take_texts(struct v1 *v1, size_t dim, struct cursor *in, const unsigned char *start)
{
    uint32_t count = cursor_take_u32(in);
    const unsigned char *ends = cursor_take(in, (size_t)count * sizeof(uint32_t));
    uint32_t last = 0;

    if (!in->ok || !(v1->texts[dim] = calloc((size_t)count + 1, sizeof *v1->texts[dim]))) {
        return false;
    }
    for (uint32_t i = 0; in->ok && i < count; i++) {
        uint32_t end = bytes_get_u32(ends + i * sizeof end);
        in->ok = end >= last && end - last <= cursor_left(in);
        v1->texts[dim][i].bytes = in->ok ? end - last : 0;
        v1->texts[dim][i].text = (const char *)cursor_take(in, v1->texts[dim][i].bytes);
        in->ok = in->ok &&
                 (i == 0 || dictionary_compare(&v1->texts[dim][i - 1], &v1->texts[dim][i]) < 0);
        last = end;
    }
    v1->content.texts[dim] = v1->texts[dim];
    v1->content.texts_count[dim] = count;
    cursor_take_filling(in, start);
    return in->ok;
}

static bool take_dictionaries(struct v1 *v1, struct tally_err *err)
{
    struct cursor in = section_of(v1, ROLLUP_DICTIONARY);
    const unsigned char *start = in.at;

    for (size_t dim = 0; dim < v1->def.dims_count; dim++) {
        if (!take_texts(v1, dim, &in, start)) {
            return rollup_damaged(err, "dictionary", "malformed");
        }
    }
    return true;
}

static bool take_starts(struct v1_entries *entries, uint32_t groups, struct cursor *in)
{
    uint64_t last = 0;

    entries->starts = cursor_take(in, ((size_t)groups + 1) * sizeof last);
    for (uint32_t i = 0; in->ok && i <= groups; i++) {
        uint64_t start = bytes_get_u64(entries->starts + i * sizeof start);
        in->ok = start >= last && (i > 0 || start == 0) && start - last <= UINT32_MAX;
        last = start;
    }
    entries->count = last;
    return in->ok;
}

// Sorted, and each value one of its dimension.
static bool groups_hold(const struct v1 *v1)
{
    size_t dims = v1->def.dims_count;

    for (size_t i = 0; i < v1->content.source.groups; i++) {
        int order = i == 0 ? 1 : 0;
        for (size_t dim = 0; dim < dims; dim++) {
            uint32_t value = v1->values[i * dims + dim];
            if (value >= v1->content.texts_count[dim]) {
                return false;
            }
            if (order == 0 && value != v1->values[(i - 1) * dims + dim]) {
                order = value > v1->values[(i - 1) * dims + dim] ? 1 : -1;
            }
        }
        if (order <= 0) {
            return false;
        }
    }
    return true;
}

static bool take_groups(struct v1 *v1, struct tally_err *err)
{
    struct cursor in = section_of(v1, ROLLUP_GROUPS);
    const unsigned char *start = in.at;
    uint64_t groups = cursor_take_u64(&in);
    size_t dims = v1->def.dims_count;

    if (groups > cursor_left(&in) / sizeof(uint64_t)) {
        return rollup_damaged(err, "groups", "impossible count");
    }
    const unsigned char *values = cursor_take(&in, (size_t)groups * dims * sizeof(uint32_t));
    cursor_take_filling(&in, start);
    v1->values = calloc((size_t)groups * dims + 1, sizeof *v1->values);
    if (!v1->values) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for %llu groups",
                       (unsigned long long)groups);
    }
    for (size_t i = 0; in.ok && i < groups * dims; i++) {
        v1->values[i] = bytes_get_u32(values + i * sizeof(uint32_t));
    }
    v1->content.values = v1->values;
    v1->content.source.groups = (uint32_t)groups;
    return (in.ok && take_starts(&v1->cells, (uint32_t)groups, &in) &&
            take_starts(&v1->spans, (uint32_t)groups, &in) && groups_hold(v1)) ||
           rollup_damaged(err, "groups", "malformed");
}

// ---- entries ------------------------------------------------------------------------------

static void take_column(struct column *column, uint64_t count, struct cursor *in,
                        const unsigned char *start)
{
    column->width = cursor_take_u32(in);
    cursor_take_u32(in);
    bool known = column->width == 1 || column->width == 2 || column->width == 4 ||
                 column->width == 8 || column->width == 16;
    if (!known || count > cursor_left(in) / column->width) {
        in->ok = false;
        return;
    }
    column->data = cursor_take(in, (size_t)count * column->width);
    cursor_take_filling(in, start);
}

static bytes_i128 number(const struct column *column, uint64_t index)
{
    struct cursor in = cursor_over(column->data + index * column->width, column->width);

    switch (column->width) {
    case 1:
        return (int8_t)cursor_take_u8(&in);
    case 2:
        return (int16_t)cursor_take_u16(&in);
    case 4:
        return (int32_t)cursor_take_u32(&in);
    case 8:
        return (int64_t)cursor_take_u64(&in);
    default:
        return cursor_take_i128(&in);
    }
}

static void read_entry(const struct v1 *v1, const struct v1_entries *entries, uint64_t index,
                       struct rollup_entry *out)
{
    out->first_day = (int32_t)number(&entries->first_day, index);
    out->last_day = (int32_t)number(&entries->last_day, index);
    out->sums.incidents = (uint64_t)number(&entries->incidents, index);
    for (size_t m = 0; m < v1->def.measures_count; m++) {
        out->sums.measure[m].sum = number(&entries->sum[m], index);
        out->sums.measure[m].reported = (uint64_t)number(&entries->reported[m], index);
    }
}

static bool entry_is_possible(const struct v1 *v1, const struct rollup_entry *entry, bool spans)
{
    const bytes_i128 most = (bytes_i128)1 << 96; // 2^32 values of 64 bits
    bool ok = entry->first_day >= DAY_MIN && entry->last_day <= DAY_MAX &&
              (spans ? entry->last_day > entry->first_day : entry->last_day == entry->first_day) &&
              entry->sums.incidents > 0 && entry->sums.incidents <= UINT32_MAX;

    for (size_t m = 0; ok && m < v1->def.measures_count; m++) {
        const struct rollup_measure_sum *measure = &entry->sums.measure[m];
        ok = measure->reported <= entry->sums.incidents && measure->sum >= -most &&
             measure->sum <= most;
    }
    return ok;
}

// Entries of each group are possible and in order.
static bool entries_hold(const struct v1 *v1, const struct v1_entries *entries, bool spans)
{
    struct rollup_entry entry;

    for (uint32_t group = 0; group < v1->content.source.groups; group++) {
        uint64_t first = bytes_get_u64(entries->starts + group * (size_t)8);
        uint64_t end = bytes_get_u64(entries->starts + (group + (size_t)1) * 8);
        int64_t first_before = INT64_MIN;
        int64_t last_before = INT64_MIN;
        for (uint64_t i = first; i < end; i++) {
            read_entry(v1, entries, i, &entry);
            bool sorted = entry.first_day > first_before ||
                          (entry.first_day == first_before && entry.last_day > last_before);
            if (!sorted || !entry_is_possible(v1, &entry, spans)) {
                return false;
            }
            first_before = entry.first_day;
            last_before = entry.last_day;
        }
    }
    return true;
}

static bool take_entries(struct v1 *v1, enum rollup_section id, struct v1_entries *entries,
                         struct tally_err *err)
{
    struct cursor in = section_of(v1, id);
    const unsigned char *start = in.at;
    bool same_count = cursor_take_u64(&in) == entries->count;

    take_column(&entries->first_day, entries->count, &in, start);
    entries->last_day = entries->first_day;
    if (id == ROLLUP_SPANS) {
        take_column(&entries->last_day, entries->count, &in, start);
    }
    take_column(&entries->incidents, entries->count, &in, start);
    for (size_t i = 0; i < v1->def.measures_count; i++) {
        take_column(&entries->sum[i], entries->count, &in, start);
        take_column(&entries->reported[i], entries->count, &in, start);
    }
    return (same_count && in.ok && entries->first_day.width == 4 && entries->last_day.width == 4 &&
            entries_hold(v1, entries, id == ROLLUP_SPANS)) ||
           rollup_damaged(err, rollup_section_name(id), "malformed");
}

// ---- handing on ---------------------------------------------------------------------------

static uint64_t start_of(const struct v1 *v1, bool spans, uint32_t group)
{
    return bytes_get_u64((spans ? v1->spans.starts : v1->cells.starts) + group * (size_t)8);
}

static uint32_t count_entries(const void *context, bool spans, uint32_t group)
{
    return (uint32_t)(start_of(context, spans, group + 1) - start_of(context, spans, group));
}

static void take_plain(const void *context, bool spans, uint32_t group, uint32_t first,
                       uint32_t count, struct entries_plain *out)
{
    const struct v1 *v1 = context;
    uint64_t newest = start_of(v1, spans, group + 1) - 1 - first;
    struct rollup_entry entry;

    for (uint32_t i = 0; i < count; i++) {
        read_entry(v1, spans ? &v1->spans : &v1->cells, newest - i, &entry);
        entries_plain_put(out, (uint32_t)v1->def.measures_count, i, &entry);
    }
}

static bool convert(struct v1 *v1, struct bytes *out, struct tally_err *err)
{
    struct rollup_content *content = &v1->content;

    for (int id = ROLLUP_SCHEMA; id <= ROLLUP_PROVENANCE; id++) {
        if (!rollup_check_section(v1->rollup, (enum rollup_section)id, err)) {
            return false;
        }
    }
    if (!take_schema(v1, err) || !take_dictionaries(v1, err) || !take_groups(v1, err) ||
        !take_entries(v1, ROLLUP_CELLS, &v1->cells, err) ||
        !take_entries(v1, ROLLUP_SPANS, &v1->spans, err) ||
        !rollup_provenance(v1->rollup, &v1->provenance, err)) {
        return false;
    }
    content->def = &v1->def;
    content->source.context = v1;
    content->source.measures = (uint32_t)v1->def.measures_count;
    content->source.count = count_entries;
    content->source.take = take_plain;
    content->generation = v1->rollup->generation;
    content->batches = v1->provenance.batches;
    content->sources = v1->provenance.source;
    content->sources_count = v1->provenance.sources;
    return rollup_encode(content, NULL, out, err);
}

bool rollup_v1_convert(const struct rollup *v1, struct bytes *out, struct tally_err *err)
{
    struct v1 *reading = calloc(1, sizeof *reading);

    if (!reading) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a rollup");
    }
    reading->rollup = v1;
    bool ok = convert(reading, out, err);
    for (size_t dim = 0; dim < ROLLUP_DIMS_MAX; dim++) {
        free(reading->texts[dim]);
    }
    free(reading->values);
    rollup_def_done(&reading->def);
    free(reading);
    return ok;
}
