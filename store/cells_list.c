// store/cells_list.c - the entries of one group, packed (contracts in cells_group.h).
//
// Columns in their order: days from the first entry's; days that an entry lasts; incidents; for
// each measure its sum, as a signed number, and how many incidents lack it. A number takes 0, 1, 2,
// 4, 8 or 16 bytes; a column of zeros takes none.
#include "store/cells_group.h"

#include "base/bits.h"
#include "base/prefetch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMN_DAY, COLUMN_LASTS, COLUMN_INCIDENTS, COLUMN_MEASURES };

static size_t columns_of(const struct cells_groups *groups)
{
    size_t columns = COLUMN_MEASURES + 2 * groups->measures_count;

    assert(columns >= COLUMN_MEASURES && columns <= CELLS_COLUMNS_MAX);
    return columns;
}

// ---- numbers ------------------------------------------------------------------------------

static uint8_t width_of(bits_u128 greatest)
{
    uint32_t bytes = (bits_length_wide(greatest) + 7) / 8;
    uint8_t width = bytes > 0;

    while (width < bytes) {
        width = (uint8_t)(2 * width);
    }
    return width;
}

static void put_number(unsigned char *at, uint8_t width, bits_u128 value)
{
    uint8_t one = (uint8_t)value;
    uint16_t two = (uint16_t)value;
    uint32_t four = (uint32_t)value;
    uint64_t eight = (uint64_t)value;

    switch (width) {
    case 0:
        break;
    case 1:
        memcpy(at, &one, sizeof one);
        break;
    case 2:
        memcpy(at, &two, sizeof two);
        break;
    case 4:
        memcpy(at, &four, sizeof four);
        break;
    case 8:
        memcpy(at, &eight, sizeof eight);
        break;
    default:
        memcpy(at, &value, sizeof value);
    }
}

// Of a column of counts or days: at most 4 bytes wide.
static uint32_t count_at(const struct cells_columns *columns, size_t column, uint32_t index)
{
    const unsigned char *at = columns->at[column];
    uint16_t two;
    uint32_t four;

    switch (columns->width[column]) {
    case 0:
        return 0;
    case 1:
        return at[index];
    case 2:
        memcpy(&two, at + index * sizeof two, sizeof two);
        return two;
    default:
        memcpy(&four, at + index * sizeof four, sizeof four);
        return four;
    }
}

static bytes_i128 sum_at(const struct cells_columns *columns, size_t column, uint32_t index)
{
    const unsigned char *at = columns->at[column];
    int16_t two;
    int32_t four;
    int64_t eight;
    bytes_i128 all;

    switch (columns->width[column]) {
    case 0:
        return 0;
    case 1:
        return (int8_t)at[index];
    case 2:
        memcpy(&two, at + index * sizeof two, sizeof two);
        return two;
    case 4:
        memcpy(&four, at + index * sizeof four, sizeof four);
        return four;
    case 8:
        memcpy(&eight, at + index * sizeof eight, sizeof eight);
        return eight;
    default:
        memcpy(&all, at + index * sizeof all, sizeof all);
        return all;
    }
}

// ---- packing ------------------------------------------------------------------------------

struct packing {
    const struct cells_groups *groups;
    const unsigned char *data;
    const uint32_t *order;
    uint32_t count;
    int32_t first_day;
};

static const struct cells_entry *entry_at(const struct packing *packing, uint32_t index)
{
    return cells_entry_at(packing->groups, packing->data,
                          packing->order ? packing->order[index] : index);
}

static uint32_t missing_of(const struct packing *packing, const struct cells_entry *entry,
                           size_t measure)
{
    return entry->incidents - cells_entry_reported(packing->groups, entry, measure);
}

static void find_widths(const struct packing *packing, uint8_t *width)
{
    const struct cells_groups *groups = packing->groups;
    bits_u128 sums[ROLLUP_MEASURES_MAX] = {0};
    uint32_t missing[ROLLUP_MEASURES_MAX] = {0};
    uint32_t day = 0;
    uint32_t lasts = 0;
    uint32_t incidents = 0;

    for (uint32_t i = 0; i < packing->count; i++) {
        const struct cells_entry *entry = entry_at(packing, i);
        day |= (uint32_t)(entry->first_day - packing->first_day);
        lasts |= (uint32_t)(entry->last_day - entry->first_day);
        incidents |= entry->incidents;
        for (size_t m = 0; m < groups->measures_count; m++) {
            // As many bits as the number has with its sign.
            sums[m] |= entries_zigzag(cells_entry_sum(entry, m));
            missing[m] |= missing_of(packing, entry, m);
        }
    }
    width[COLUMN_DAY] = width_of(day);
    width[COLUMN_LASTS] = width_of(lasts);
    width[COLUMN_INCIDENTS] = width_of(incidents);
    for (size_t m = 0; m < groups->measures_count; m++) {
        width[COLUMN_MEASURES + 2 * m] = width_of(sums[m]);
        width[COLUMN_MEASURES + 2 * m + 1] = width_of(missing[m]);
    }
}

static void put_columns(const struct packing *packing, const uint8_t *width, unsigned char *out)
{
    unsigned char *at[CELLS_COLUMNS_MAX];
    size_t columns = columns_of(packing->groups);

    for (size_t c = 0; c < columns; c++) {
        at[c] = out;
        out += (size_t)width[c] * packing->count;
    }
    for (uint32_t i = 0; i < packing->count; i++) {
        const struct cells_entry *entry = entry_at(packing, i);
        uint32_t number[COLUMN_MEASURES] = {(uint32_t)(entry->first_day - packing->first_day),
                                            (uint32_t)(entry->last_day - entry->first_day),
                                            entry->incidents};
        for (size_t c = 0; c < COLUMN_MEASURES; c++) {
            put_number(at[c] + (size_t)width[c] * i, width[c], number[c]);
        }
        for (size_t c = COLUMN_MEASURES; c < columns; c++) {
            size_t m = (c - COLUMN_MEASURES) / 2;
            bits_u128 value = (c - COLUMN_MEASURES) % 2 == 0 ? (bits_u128)cells_entry_sum(entry, m)
                                                             : missing_of(packing, entry, m);
            put_number(at[c] + (size_t)width[c] * i, width[c], value);
        }
    }
}

bool cells_list_pack(const struct cells_groups *groups, const unsigned char *data,
                     const uint32_t *order, uint32_t count, struct cells_list *out,
                     struct tally_err *err)
{
    struct packing packing = {.groups = groups, .data = data, .order = order, .count = count};
    uint8_t width[CELLS_COLUMNS_MAX];
    size_t columns = columns_of(groups);
    size_t bytes = columns;

    if (count == 0) {
        *out = (struct cells_list){0};
        return true;
    }
    packing.first_day = entry_at(&packing, 0)->first_day;
    find_widths(&packing, width);
    for (size_t c = 0; c < columns; c++) {
        bytes += (size_t)width[c] * count;
    }
    unsigned char *packed = malloc(bytes);
    if (!packed) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for day cells");
    }
    memcpy(packed, width, columns);
    put_columns(&packing, width, packed + columns);
    *out = (struct cells_list){.data = packed, .count = count, .first_day = packing.first_day};
    return true;
}

// ---- reading ------------------------------------------------------------------------------

void cells_list_open(const struct cells_groups *groups, const struct cells_list *list,
                     struct cells_columns *out)
{
    size_t columns = columns_of(groups);

    out->count = list->count;
    out->first_day = list->first_day;
    if (list->count == 0) {
        return;
    }
    const unsigned char *at = list->data + columns;
    for (size_t c = 0; c < columns; c++) {
        out->at[c] = at;
        out->width[c] = list->data[c];
        at += (size_t)list->data[c] * list->count;
    }
}

void cells_list_get(const struct cells_groups *groups, const struct cells_columns *columns,
                    uint32_t index, struct cells_entry *out)
{
    int32_t first_day = columns->first_day + (int32_t)count_at(columns, COLUMN_DAY, index);

    *out = (struct cells_entry){.first_day = first_day,
                                .last_day =
                                    first_day + (int32_t)count_at(columns, COLUMN_LASTS, index),
                                .incidents = count_at(columns, COLUMN_INCIDENTS, index)};
    for (size_t m = 0; m < groups->measures_count; m++) {
        size_t column = COLUMN_MEASURES + 2 * m;
        cells_entry_set(groups, out, m, sum_at(columns, column, index),
                        out->incidents - count_at(columns, column + 1, index));
    }
}

// Numbers of a column from position `last` back to older ones.
static void take_counts(const struct cells_columns *columns, size_t column, uint32_t last,
                        uint32_t count, uint32_t *out)
{
    const unsigned char *at = columns->at[column];
    uint32_t i = 0;

    switch (columns->width[column]) {
    case 0:
        memset(out, 0, count * sizeof *out);
        break;
    case 1:
        for (; i < count; i++) {
            out[i] = at[last - i];
        }
        break;
    default:
        for (; i < count; i++) {
            out[i] = count_at(columns, column, last - i);
        }
    }
}

static void take_sums(const struct cells_columns *columns, size_t column, uint32_t last,
                      uint32_t count, bytes_i128 *out)
{
    const unsigned char *at = columns->at[column];
    uint32_t i = 0;

    switch (columns->width[column]) {
    case 1:
        for (; i < count; i++) {
            out[i] = (at[last - i] ^ 128) - 128; // signed
        }
        break;
    default:
        for (; i < count; i++) {
            out[i] = sum_at(columns, column, last - i);
        }
    }
}

void cells_list_take(const struct cells_groups *groups, const struct cells_columns *columns,
                     uint32_t first, uint32_t count, struct entries_plain *out)
{
    uint32_t last = columns->count - 1 - first;
    uint32_t day[ENTRIES_BLOCK];
    uint32_t lasts[ENTRIES_BLOCK];

    take_counts(columns, COLUMN_DAY, last, count, day);
    take_counts(columns, COLUMN_LASTS, last, count, lasts);
    for (uint32_t i = 0; i < count; i++) {
        out->first_day[i] = columns->first_day + (int32_t)day[i];
        out->last_day[i] = out->first_day[i] + (int32_t)lasts[i];
    }
    take_counts(columns, COLUMN_INCIDENTS, last, count, out->incidents);
    for (size_t m = 0; m < groups->measures_count; m++) {
        take_sums(columns, COLUMN_MEASURES + 2 * m, last, count, out->sum[m]);
        take_counts(columns, COLUMN_MEASURES + 2 * m + 1, last, count, out->missing[m]);
    }
}

void cells_list_prefetch(const struct cells_groups *groups, const struct cells_columns *columns,
                         uint32_t index)
{
    size_t count = columns_of(groups);

    for (size_t c = 0; c < count; c++) {
        if (columns->width[c] > 0) {
            prefetch_to_read(columns->at[c] + (size_t)columns->width[c] * index);
        }
    }
}

uint32_t cells_list_guess(const struct cells_list *list, int32_t first_day, int32_t newest)
{
    int64_t days = (int64_t)newest - list->first_day + 1;
    int64_t day = (int64_t)first_day - list->first_day;

    if (day <= 0 || days <= 0 || list->count == 0) {
        return 0;
    }
    return day < days ? (uint32_t)(day * list->count / days) : list->count - 1;
}

static bool stands_before(const struct cells_columns *columns, uint32_t index, int32_t first_day,
                          int32_t last_day)
{
    int32_t first = columns->first_day + (int32_t)count_at(columns, COLUMN_DAY, index);
    int32_t last = first + (int32_t)count_at(columns, COLUMN_LASTS, index);

    return cells_compare_days(first, last, first_day, last_day) < 0;
}

// Steps away from the guess, each twice as far, until the place is passed; then halves what is left
// (Bentley and Yao, "An almost optimal algorithm for unbounded searching", 1976).
static uint32_t place_in(const struct cells_columns *columns, uint32_t guess, int32_t first_day,
                         int32_t last_day)
{
    uint32_t from = 0; // the place is in [from, to]
    uint32_t to = columns->count;
    bool up = stands_before(columns, guess, first_day, last_day);

    if (up) {
        from = guess + 1;
    } else {
        to = guess;
    }
    for (uint32_t step = 1; step < to - from; step *= 2) {
        uint32_t at = up ? from + step - 1 : to - step;
        bool before = stands_before(columns, at, first_day, last_day);
        from = before ? at + 1 : from;
        to = before ? to : at;
        if (before != up) {
            break;
        }
    }
    while (from < to) {
        uint32_t half = from + (to - from) / 2;
        if (stands_before(columns, half, first_day, last_day)) {
            from = half + 1;
        } else {
            to = half;
        }
    }
    return from;
}

bool cells_list_find(const struct cells_columns *columns, uint32_t guess, int32_t first_day,
                     int32_t last_day, uint32_t *out_index)
{
    if (columns->count == 0) {
        return false;
    }
    assert(guess < columns->count);
    uint32_t at = place_in(columns, guess, first_day, last_day);
    if (at == columns->count) {
        return false;
    }
    *out_index = at;
    int32_t first = columns->first_day + (int32_t)count_at(columns, COLUMN_DAY, at);
    return first == first_day && first + (int32_t)count_at(columns, COLUMN_LASTS, at) == last_day;
}
