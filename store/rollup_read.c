#include "store/rollup_read.h"

#include "store/rollup_private.h"

#include <string.h>

// ---- what it says -------------------------------------------------------------------------

const struct rollup_def *rollup_def(const struct rollup *rollup)
{
    return &rollup->def;
}

struct rollup_coverage rollup_coverage(const struct rollup *rollup, size_t feed)
{
    return rollup->coverage[feed];
}

uint64_t rollup_generation(const struct rollup *rollup)
{
    return rollup->generation;
}

struct digest rollup_digest(const struct rollup *rollup)
{
    return rollup->digest;
}

uint64_t rollup_bytes(const struct rollup *rollup)
{
    return rollup->bytes;
}

bool rollup_any_day(const struct rollup *rollup)
{
    return rollup->cells.count > 0;
}

int32_t rollup_first_day(const struct rollup *rollup)
{
    return rollup->first_day;
}

int32_t rollup_last_day(const struct rollup *rollup)
{
    return rollup->last_day;
}

size_t rollup_groups(const struct rollup *rollup)
{
    return rollup->groups;
}

uint64_t rollup_cells(const struct rollup *rollup)
{
    return rollup->cells.count;
}

uint64_t rollup_spans(const struct rollup *rollup)
{
    return rollup->spans.count;
}

size_t rollup_values(const struct rollup *rollup, size_t dim)
{
    return rollup->dictionary[dim].count;
}

const char *rollup_value(const struct rollup *rollup, size_t dim, size_t value, size_t *out_bytes)
{
    const struct dictionary *dictionary = &rollup->dictionary[dim];
    uint32_t start = value == 0 ? 0 : bytes_get_u32(dictionary->ends + (value - 1) * 4);

    *out_bytes = bytes_get_u32(dictionary->ends + value * 4) - start;
    return dictionary->texts + start;
}

uint32_t rollup_group_value(const struct rollup *rollup, size_t group, size_t dim)
{
    return bytes_get_u32(rollup->values + (group * rollup->def.dims_count + dim) * 4);
}

const char *rollup_text(const struct rollup *rollup, size_t group, size_t dim, size_t *out_bytes)
{
    return rollup_value(rollup, dim, rollup_group_value(rollup, group, dim), out_bytes);
}

static int compare_text(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    size_t shorter = a_bytes < b_bytes ? a_bytes : b_bytes;
    int order = shorter > 0 ? memcmp(a, b, shorter) : 0;

    return order != 0 ? order : (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

static bool find_value(const struct rollup *rollup, size_t dim, const char *text, size_t bytes,
                       uint32_t *out_value)
{
    uint32_t low = 0;
    uint32_t high = rollup->dictionary[dim].count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        size_t value_bytes;
        const char *value = rollup_value(rollup, dim, middle, &value_bytes);
        int order = compare_text(value, value_bytes, text, bytes);
        if (order == 0) {
            *out_value = middle;
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

static int compare_group(const struct rollup *rollup, size_t group, const uint32_t *values)
{
    for (size_t dim = 0; dim < rollup->def.dims_count; dim++) {
        uint32_t value = rollup_group_value(rollup, group, dim);
        if (value != values[dim]) {
            return value < values[dim] ? -1 : 1;
        }
    }
    return 0;
}

int64_t rollup_find_group(const struct rollup *rollup, const char *const *texts,
                          const size_t *texts_bytes)
{
    uint32_t values[ROLLUP_DIMS_MAX];
    size_t low = 0;
    size_t high = rollup->groups;

    for (size_t dim = 0; dim < rollup->def.dims_count; dim++) {
        if (!find_value(rollup, dim, texts[dim], texts_bytes[dim], &values[dim])) {
            return -1;
        }
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_group(rollup, middle, values);
        if (order == 0) {
            return (int64_t)middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return -1;
}

// ---- numbers ------------------------------------------------------------------------------

static int64_t narrow_number(const struct column *column, uint64_t index)
{
    const unsigned char *at = column->data + index * column->width;

    switch (column->width) {
    case 1:
        return (int8_t)at[0];
    case 2:
        return (int16_t)(at[0] | at[1] << 8);
    case 4:
        return (int32_t)bytes_get_u32(at);
    default:
        return (int64_t)bytes_get_u64(at);
    }
}

static bytes_i128 number(const struct column *column, uint64_t index)
{
    if (column->width < 16) {
        return narrow_number(column, index);
    }
    struct cursor in = cursor_over(column->data + index * 16, 16);
    return cursor_take_i128(&in);
}

static int32_t day_at(const struct column *column, uint64_t index)
{
    return (int32_t)bytes_get_u32(column->data + index * 4);
}

static void add_entry(const struct entries *entries, size_t measures, uint64_t index, int sign,
                      struct rollup_sums *sums)
{
    sums->incidents += (uint64_t)(sign * narrow_number(&entries->incidents, index));
    for (size_t i = 0; i < measures; i++) {
        sums->measure[i].sum += sign * number(&entries->sum[i], index);
        sums->measure[i].reported += (uint64_t)(sign * narrow_number(&entries->reported[i], index));
    }
}

static void group_entries(const struct entries *entries, size_t group, uint64_t *out_first,
                          uint64_t *out_end)
{
    *out_first = bytes_get_u64(entries->starts + group * 8);
    *out_end = bytes_get_u64(entries->starts + (group + 1) * 8);
}

// The first entry from `low` on whose first day is not before `day`.
static uint64_t lower_bound(const struct entries *entries, uint64_t low, uint64_t high, int32_t day)
{
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (day_at(&entries->first_day, middle) < day) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// How an incident of several days counts, beside its first day: +1, 0 or -1.
static int span_correction(enum basis basis, int32_t first, int32_t last, int32_t window_first,
                           int32_t window_last)
{
    bool starts_in = first >= window_first && first <= window_last;
    bool ends_in = last >= window_first && last <= window_last;
    bool touches = first <= window_last && last >= window_first;
    bool counts = basis == BASIS_START     ? starts_in
                  : basis == BASIS_END     ? ends_in
                  : basis == BASIS_OVERLAP ? touches
                                           : starts_in && ends_in;
    return (int)counts - (int)starts_in;
}

void rollup_add_window(const struct rollup *rollup, size_t group, enum basis basis,
                       int32_t first_day, int32_t last_day, struct rollup_sums *sums)
{
    size_t measures = rollup->def.measures_count;
    uint64_t at;
    uint64_t end;

    group_entries(&rollup->cells, group, &at, &end);
    at = lower_bound(&rollup->cells, at, end, first_day);
    for (; at < end && day_at(&rollup->cells.first_day, at) <= last_day; at++) {
        add_entry(&rollup->cells, measures, at, 1, sums);
    }
    if (basis == BASIS_START) {
        return;
    }
    group_entries(&rollup->spans, group, &at, &end);
    for (; at < end && day_at(&rollup->spans.first_day, at) <= last_day; at++) {
        int sign = span_correction(basis, day_at(&rollup->spans.first_day, at),
                                   day_at(&rollup->spans.last_day, at), first_day, last_day);
        if (sign != 0) {
            add_entry(&rollup->spans, measures, at, sign, sums);
        }
    }
}

void rollup_group_cells(const struct rollup *rollup, size_t group, uint64_t *out_first,
                        uint64_t *out_count)
{
    group_entries(&rollup->cells, group, out_first, out_count);
    *out_count -= *out_first;
}

int32_t rollup_cell(const struct rollup *rollup, uint64_t cell, struct rollup_sums *out_sums)
{
    *out_sums = (struct rollup_sums){0};
    add_entry(&rollup->cells, rollup->def.measures_count, cell, 1, out_sums);
    return day_at(&rollup->cells.first_day, cell);
}

void rollup_group_spans(const struct rollup *rollup, size_t group, uint64_t *out_first,
                        uint64_t *out_count)
{
    group_entries(&rollup->spans, group, out_first, out_count);
    *out_count -= *out_first;
}

void rollup_span(const struct rollup *rollup, uint64_t span, int32_t *out_first_day,
                 int32_t *out_last_day, struct rollup_sums *out_sums)
{
    *out_sums = (struct rollup_sums){0};
    add_entry(&rollup->spans, rollup->def.measures_count, span, 1, out_sums);
    *out_first_day = day_at(&rollup->spans.first_day, span);
    *out_last_day = day_at(&rollup->spans.last_day, span);
}

uint64_t rollup_batches(const struct rollup *rollup)
{
    return rollup->batches;
}

size_t rollup_sources(const struct rollup *rollup)
{
    return rollup->sources;
}

struct rollup_source rollup_source(const struct rollup *rollup, size_t index)
{
    return rollup->source[index];
}

const char *basis_name(enum basis basis)
{
    static const char *const names[] = {"start", "end", "overlap", "inside"};
    return names[basis];
}

bool basis_parse(const char *text, enum basis *out_basis)
{
    for (int i = BASIS_START; i <= BASIS_INSIDE; i++) {
        if (strcmp(text, basis_name((enum basis)i)) == 0) {
            *out_basis = (enum basis)i;
            return true;
        }
    }
    return false;
}
