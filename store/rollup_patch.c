// store/rollup_patch.c - a patch, looked into and read (contracts in rollup_patch.h).
#include "store/rollup_patch.h"

#include "base/day.h"

#include <stdlib.h>
#include <string.h>

enum { DAY_WIDTH_MAX = 4, COUNT_WIDTH_MAX = 8, SUM_WIDTH_MAX = 16, LINEAR_MAX = 16 };

// ---- columns ------------------------------------------------------------------------------

static int64_t number_at(const struct patch_column *column, size_t index)
{
    const unsigned char *at = column->data + index * column->width;

    switch (column->width) {
    case 1:
        return (int8_t)*at;
    case 2:
        return (int16_t)(at[0] | at[1] << 8);
    case 4:
        return (int32_t)bytes_get_u32(at);
    case 8:
        return (int64_t)bytes_get_u64(at);
    default:
        return 0;
    }
}

static bits_u128 sum_at(const struct patch_column *column, size_t index)
{
    const unsigned char *at = column->data + index * column->width;

    return column->width < SUM_WIDTH_MAX
               ? (bits_u128)(bytes_i128)number_at(column, index)
               : (bits_u128)bytes_get_u64(at + 8) << 64 | bytes_get_u64(at);
}

static size_t incidents_column(const struct patch_entries *entries)
{
    return entries->spans ? 2 : 1;
}

static uint32_t width_max(const struct patch_entries *entries, size_t column)
{
    size_t incidents = incidents_column(entries);

    return column < incidents                                    ? DAY_WIDTH_MAX
           : column > incidents && (column - incidents) % 2 == 1 ? SUM_WIDTH_MAX
                                                                 : COUNT_WIDTH_MAX;
}

static bool take_column(struct patch_entries *entries, size_t column, const unsigned char *start,
                        struct cursor *in)
{
    uint32_t width = cursor_take_u32(in);
    uint32_t zero = cursor_take_u32(in);

    if (!in->ok || zero != 0 || width > width_max(entries, column) || (width & (width - 1)) != 0 ||
        width * (uint64_t)entries->count > cursor_left(in)) {
        return false;
    }
    entries->column[column] = (struct patch_column){
        .data = cursor_take(in, (size_t)width * entries->count), .width = width};
    cursor_take_filling(in, start);
    return in->ok;
}

static bool take_entries(struct patch_entries *entries, const struct rollup *file, bool spans,
                         uint32_t groups)
{
    struct cursor in = rollup_section_cursor(file, spans ? ROLLUP_SPANS : ROLLUP_CELLS);
    const unsigned char *start = in.at;

    *entries =
        (struct patch_entries){.spans = spans, .measures = (uint32_t)file->def.measures_count};
    entries->columns = (uint32_t)(incidents_column(entries) + 1 + 2 * entries->measures);
    entries->all = cursor_take_u64(&in);
    uint64_t count = cursor_take_u64(&in);
    if (!monotone_open(&entries->starts, &in) || count > UINT32_MAX ||
        entries->starts.count != groups + 1 || monotone_get(&entries->starts, 0) != 0 ||
        monotone_get(&entries->starts, groups) != count) {
        return false;
    }
    entries->count = (uint32_t)count;
    for (size_t column = 0; column < entries->columns; column++) {
        if (!take_column(entries, column, start, &in)) {
            return false;
        }
    }
    return cursor_left(&in) == 0;
}

// ---- groups -------------------------------------------------------------------------------

static bool numbers_are_possible(const struct patch *patch, const struct rollup *base)
{
    const struct rollup *file = patch->file;

    for (uint32_t fresh = 0; fresh < patch->fresh; fresh++) {
        for (size_t dim = 0; dim < file->def.dims_count; dim++) {
            if (patch_number(patch, fresh, dim) >=
                (uint64_t)base->dictionary[dim].count + file->dictionary[dim].count) {
                return false;
            }
        }
    }
    return true;
}

static bool is_below(const struct monotone *list, uint32_t groups)
{
    return list->count == 0 ||
           (list->count <= groups && monotone_get(list, list->count - 1) < groups);
}

static bool take_groups(struct patch *patch, const struct rollup *base)
{
    struct cursor in = rollup_section_cursor(patch->file, ROLLUP_GROUPS);
    const unsigned char *start = in.at;
    size_t dims = patch->file->def.dims_count;

    if (!monotone_open(&patch->gone, &in) || !monotone_open(&patch->changed, &in) ||
        !is_below(&patch->gone, base->groups) || !is_below(&patch->changed, base->groups)) {
        return false;
    }
    uint64_t fresh = cursor_take_u64(&in);
    uint64_t left = UINT32_MAX - 1 - (uint64_t)base->groups;
    if (!in.ok || fresh > left || fresh * dims * sizeof(uint32_t) > cursor_left(&in) ||
        (dims == 0 && fresh > 1)) {
        return false;
    }
    patch->fresh = (uint32_t)fresh;
    patch->numbers = cursor_take(&in, (size_t)fresh * dims * sizeof(uint32_t));
    cursor_take_filling(&in, start);
    return in.ok && cursor_left(&in) == 0 && numbers_are_possible(patch, base);
}

uint32_t patch_groups(const struct patch *patch)
{
    return patch->changed.count + patch->fresh;
}

uint32_t patch_number(const struct patch *patch, uint32_t fresh, size_t dim)
{
    size_t at = fresh * patch->file->def.dims_count + dim;
    return bytes_get_u32(patch->numbers + at * sizeof(uint32_t));
}

// ---- opening ------------------------------------------------------------------------------

enum { COVERAGE_BYTES = 9 };

// The same rollup: all of the schema but the coverage at its end, which is as long in both.
static bool same_schema(const struct rollup *file, const struct rollup *base)
{
    const struct section *one = &file->section[ROLLUP_SCHEMA];
    const struct section *other = &base->section[ROLLUP_SCHEMA];

    return one->bytes == other->bytes &&
           memcmp(one->data, other->data, one->bytes - COVERAGE_BYTES * base->def.feeds_count) == 0;
}

bool patch_open(struct patch *patch, struct rollup *file, const struct rollup *base,
                struct tally_err *err)
{
    static const enum rollup_section needed[] = {ROLLUP_DICTIONARY, ROLLUP_GROUPS, ROLLUP_CELLS,
                                                 ROLLUP_SPANS};

    *patch = (struct patch){.file = file};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (!rollup_check_section(file, needed[i], err)) {
            return false;
        }
    }
    if (!same_schema(file, base)) {
        return rollup_damaged(err, "schema", "not that of its base");
    }
    if (!rollup_take_dictionaries(file, err)) {
        return false;
    }
    if (!take_groups(patch, base)) {
        return rollup_damaged(err, "groups", "malformed");
    }
    if (!take_entries(&patch->cells, file, false, patch_groups(patch))) {
        return rollup_damaged(err, "cells", "malformed");
    }
    return take_entries(&patch->spans, file, true, patch_groups(patch)) ||
           rollup_damaged(err, "spans", "malformed");
}

// ---- entries ------------------------------------------------------------------------------

struct patch_range patch_range(const struct patch_entries *entries, uint32_t group)
{
    struct monotone_walk walk = monotone_seek(&entries->starts, group);
    uint32_t from = (uint32_t)monotone_next(&entries->starts, &walk);

    return (struct patch_range){.from = from,
                                .end = (uint32_t)monotone_next(&entries->starts, &walk)};
}

static int32_t first_day_at(const struct patch_entries *entries, uint32_t index)
{
    return (int32_t)number_at(&entries->column[0], index);
}

static int32_t last_day_at(const struct patch_entries *entries, uint32_t index)
{
    int64_t length = entries->spans ? number_at(&entries->column[1], index) : 0;
    return (int32_t)(first_day_at(entries, index) + length);
}

// Adds an entry's differences, or takes them off.
static void add_entry(const struct patch_entries *entries, uint32_t index, int sign,
                      struct rollup_sums *sums)
{
    const struct patch_column *column = &entries->column[incidents_column(entries)];
    uint64_t incidents = (uint64_t)number_at(column++, index);

    sums->incidents += sign < 0 ? -incidents : incidents;
    for (uint32_t m = 0; m < entries->measures; m++) {
        struct rollup_measure_sum *measure = &sums->measure[m];
        bits_u128 sum = sum_at(column++, index);
        uint64_t reported = incidents - (uint64_t)number_at(column++, index);
        measure->sum = (bytes_i128)((bits_u128)measure->sum + (sign < 0 ? -sum : sum));
        measure->reported += sign < 0 ? -reported : reported;
    }
}

void patch_get(const struct patch_entries *entries, uint32_t index, struct rollup_entry *out)
{
    out->first_day = first_day_at(entries, index);
    out->last_day = last_day_at(entries, index);
    rollup_sums_clear(&out->sums, entries->measures);
    add_entry(entries, index, 1, &out->sums);
}

// The first entry of a range that does not begin before `day`.
static uint32_t find_day(const struct patch_entries *entries, struct patch_range range, int32_t day)
{
    uint32_t left = range.end - range.from;

    while (left > LINEAR_MAX) {
        uint32_t half = left / 2;
        range.from =
            first_day_at(entries, range.from + half) < day ? range.from + half : range.from;
        left -= half;
    }
    while (range.from < range.end && first_day_at(entries, range.from) < day) {
        range.from++;
    }
    return range.from;
}

void patch_add_cells(const struct patch_entries *cells, uint32_t group, int32_t first_day,
                     int32_t last_day, struct rollup_sums *sums)
{
    struct patch_range range = patch_range(cells, group);

    for (uint32_t i = find_day(cells, range, first_day);
         i < range.end && first_day_at(cells, i) <= last_day; i++) {
        add_entry(cells, i, 1, sums);
    }
}

void patch_add_spans(const struct patch_entries *spans, uint32_t group, enum basis basis,
                     int32_t first_day, int32_t last_day, struct rollup_sums *sums)
{
    struct patch_range range = patch_range(spans, group);

    for (uint32_t i = range.from; i < range.end && first_day_at(spans, i) <= last_day; i++) {
        bool starts = first_day_at(spans, i) >= first_day;
        bool reaches = last_day_at(spans, i) >= first_day;
        bool ends = reaches && last_day_at(spans, i) <= last_day;
        if (basis == BASIS_END && starts != ends) {
            add_entry(spans, i, ends ? 1 : -1, sums);
        } else if (basis == BASIS_OVERLAP && !starts && reaches) {
            add_entry(spans, i, 1, sums);
        } else if (basis == BASIS_INSIDE && starts && !ends) {
            add_entry(spans, i, -1, sums);
        }
    }
}

// ---- proving ------------------------------------------------------------------------------

static bool fits(const struct patch_column *column, size_t index, uint32_t width)
{
    bytes_i128 number = (bytes_i128)sum_at(column, index);
    bytes_i128 most = width > 0 ? (bytes_i128)1 << (8 * width - 1) : 0;

    return width > 0 ? number >= -most && number < most : number == 0;
}

// No narrower width holds the column.
static bool is_narrowest(const struct patch_column *column, size_t count)
{
    for (size_t i = 0; column->width > 0 && i < count; i++) {
        if (!fits(column, i, column->width == 1 ? 0 : column->width / 2)) {
            return true;
        }
    }
    return column->width == 0;
}

static bool changes_something(const struct patch_entries *entries, uint32_t index)
{
    for (size_t c = incidents_column(entries); c < entries->columns; c++) {
        if (sum_at(&entries->column[c], index) != 0) {
            return true;
        }
    }
    return false;
}

// Entry `index` may stand behind the one before it in its group.
static bool is_in_order(const struct patch_entries *entries, uint32_t index)
{
    int32_t first_day = first_day_at(entries, index);
    int32_t before = first_day_at(entries, index - 1);

    return first_day > before ||
           (first_day == before && last_day_at(entries, index) > last_day_at(entries, index - 1));
}

static bool has_possible_days(const struct patch_entries *entries, uint32_t index)
{
    int64_t first_day = number_at(&entries->column[0], index);
    int64_t length = entries->spans ? number_at(&entries->column[1], index) : 0;

    return day_is_possible((int32_t)first_day) && length <= DAY_MAX - first_day &&
           (entries->spans ? length > 0 : true);
}

static bool entries_hold(const struct patch_entries *entries, uint32_t groups)
{
    for (size_t c = 0; c < entries->columns; c++) {
        if (!is_narrowest(&entries->column[c], entries->count)) {
            return false;
        }
    }
    for (uint32_t group = 0; group < groups; group++) {
        struct patch_range range = patch_range(entries, group);
        for (uint32_t i = range.from; i < range.end; i++) {
            if (!has_possible_days(entries, i) || !changes_something(entries, i) ||
                (i > range.from && !is_in_order(entries, i))) {
                return false;
            }
        }
    }
    return true;
}

static bool rises_strictly(const struct monotone *list)
{
    for (uint32_t i = 1; i < list->count; i++) {
        if (monotone_get(list, i - 1) == monotone_get(list, i)) {
            return false;
        }
    }
    return true;
}

// Each group changes in something, and a gone one is not said to change.
static bool groups_hold(const struct patch *patch)
{
    for (uint32_t group = 0; group < patch_groups(patch); group++) {
        struct patch_range cells = patch_range(&patch->cells, group);
        struct patch_range spans = patch_range(&patch->spans, group);
        if (cells.from == cells.end && spans.from == spans.end) {
            return false;
        }
    }
    for (uint32_t i = 0; i < patch->gone.count; i++) {
        if (monotone_find(&patch->changed, monotone_get(&patch->gone, i)) >= 0) {
            return false;
        }
    }
    return rises_strictly(&patch->gone) && rises_strictly(&patch->changed);
}

// Each text that the base does not have is one of a new group.
static bool verify_texts(const struct patch *patch, const struct rollup *base, size_t dim,
                         struct tally_err *err)
{
    uint32_t count = patch->file->dictionary[dim].count;
    uint32_t old = base->dictionary[dim].count;
    unsigned char *seen = calloc((size_t)count + 1, 1);
    uint32_t used = 0;

    if (!seen) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for %u texts", count);
    }
    for (uint32_t i = 0; i < patch->fresh; i++) {
        uint32_t number = patch_number(patch, i, dim);
        if (number >= old) {
            used += seen[number - old] == 0;
            seen[number - old] = 1;
        }
    }
    free(seen);
    return used == count || rollup_damaged(err, "dictionary", "a text that no new group has");
}

bool patch_verify(const struct patch *patch, const struct rollup *base, struct tally_err *err)
{
    for (size_t dim = 0; dim < base->def.dims_count; dim++) {
        if (!verify_texts(patch, base, dim, err)) {
            return false;
        }
    }
    if (!groups_hold(patch)) {
        return rollup_damaged(err, "groups", "not sorted, or one without a change");
    }
    if (!entries_hold(&patch->cells, patch_groups(patch))) {
        return rollup_damaged(err, "cells", "differences are not as they have to be");
    }
    return entries_hold(&patch->spans, patch_groups(patch)) ||
           rollup_damaged(err, "spans", "differences are not as they have to be");
}
