#include "report/sheet.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BYTES_MAX = 1 << 30 };

void sheet_init(struct sheet *sheet)
{
    *sheet = (struct sheet){.bar_column = -1, .title = ""};
    arena_init(&sheet->arena, ARENA_BYTES_MAX);
    arena_init(&sheet->texts, ARENA_BYTES_MAX);
}

void sheet_done(struct sheet *sheet)
{
    arena_done(&sheet->arena);
    arena_done(&sheet->texts);
    free(sheet->value);
    free(sheet->total);
    free(sheet->order);
}

size_t sheet_add_column(struct sheet *sheet, enum sheet_kind kind, unsigned flags,
                        const char *prefix, const char *name, const char *suffix)
{
    assert(sheet->columns_count < SHEET_COLUMNS_MAX && sheet->rows_count == 0);
    size_t position = sheet->columns_count++;
    size_t over_bytes = strlen(prefix);

    over_bytes -= over_bytes > 0 && prefix[over_bytes - 1] == '_';
    sheet->column[position] =
        (struct sheet_column){.name = sheet_printf(sheet, "%s%s%s", prefix, name, suffix),
                              .over = sheet_printf(sheet, "%.*s", (int)over_bytes, prefix),
                              .under = sheet_printf(sheet, "%s%s", name, suffix),
                              .kind = kind,
                              .flags = flags};
    return position;
}

int sheet_find_column(const struct sheet *sheet, const char *name)
{
    for (size_t i = 0; i < sheet->columns_count; i++) {
        if (strcmp(sheet->column[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

void sheet_rank(struct sheet *sheet, const char *name, unsigned rank)
{
    int column = sheet_find_column(sheet, name);

    assert(column >= 0);
    sheet->column[column].rank = rank;
}

struct sheet_value *sheet_add_row(struct sheet *sheet, struct tally_err *err)
{
    size_t row_bytes = sheet->columns_count * sizeof *sheet->value;

    if (sheet->lost.code != TALLY_OK) {
        *err = sheet->lost;
        return NULL;
    }
    free(sheet->order); // was made of fewer rows
    sheet->order = NULL;
    if (sheet->rows_count == sheet->rows_capacity) {
        size_t capacity = sheet->rows_capacity ? sheet->rows_capacity * 2 : 64;
        struct sheet_value *value = realloc(sheet->value, capacity * row_bytes);
        if (!value) {
            err_set(err, TALLY_NO_MEMORY, "no memory for %zu rows", capacity);
            return NULL;
        }
        sheet->value = value;
        sheet->rows_capacity = capacity;
    }
    struct sheet_value *row = sheet->value + sheet->rows_count++ * sheet->columns_count;
    memset(row, 0, row_bytes);
    return row;
}

struct sheet_value *sheet_add_total(struct sheet *sheet, struct tally_err *err)
{
    assert(!sheet->total);
    sheet->total = calloc(sheet->columns_count, sizeof *sheet->total);
    if (!sheet->total) {
        err_set(err, TALLY_NO_MEMORY, "no memory for the total");
    }
    return sheet->total;
}

const struct sheet_value *sheet_row(const struct sheet *sheet, size_t index)
{
    size_t at = sheet->order ? sheet->order[index] : index;
    return sheet->value + at * sheet->columns_count;
}

void sheet_clear_rows(struct sheet *sheet)
{
    arena_reset(&sheet->texts);
    sheet->rows_count = 0;
    free(sheet->order);
    sheet->order = NULL;
}

struct sheet_value sheet_number(bytes_i128 number)
{
    return (struct sheet_value){.state = SHEET_GIVEN, .number = number};
}

struct sheet_value sheet_absent(void)
{
    return (struct sheet_value){.state = SHEET_ABSENT};
}

struct sheet_value sheet_text(const char *text, size_t bytes)
{
    return (struct sheet_value){.state = SHEET_GIVEN, .text = text, .bytes = (uint32_t)bytes};
}

struct sheet_value sheet_name(const char *text)
{
    return sheet_text(text, strlen(text));
}

static const char *keep(struct sheet *sheet, struct arena *arena, const char *text, size_t bytes)
{
    struct tally_err err;
    const char *copy = arena_text(arena, text, bytes, &err);

    if (!copy && sheet->lost.code == TALLY_OK) {
        sheet->lost = err;
        if (err.code == TALLY_LIMIT) {
            err_set(&sheet->lost, TALLY_LIMIT,
                    "the texts of this answer take more than %d MiB; ask for fewer days, or for "
                    "some groups with --where",
                    ARENA_BYTES_MAX >> 20);
        }
    }
    return copy;
}

struct sheet_value sheet_copy(struct sheet *sheet, const char *text, size_t bytes)
{
    const char *copy = keep(sheet, &sheet->texts, text, bytes);

    return copy ? sheet_text(copy, bytes) : (struct sheet_value){.state = SHEET_EMPTY};
}

const char *sheet_printf(struct sheet *sheet, const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    int bytes = vasprintf(&text, format, args);
    va_end(args);
    if (bytes < 0) {
        err_set(&sheet->lost, TALLY_NO_MEMORY, "no memory for a text");
        return "";
    }
    const char *copy = keep(sheet, &sheet->arena, text, (size_t)bytes);
    free(text);
    return copy ? copy : "";
}

void sheet_add_note(struct sheet *sheet, const char *note)
{
    if (sheet->notes_count < SHEET_NOTES_MAX) {
        sheet->note[sheet->notes_count++] = note;
    }
}

struct sorting {
    const struct sheet *sheet;
    size_t column;
    bool descending;
};

struct ranked {
    size_t row;
    size_t rank; // where it stood before
};

static int compare_values(const struct sorting *sorting, const struct sheet_value *a,
                          const struct sheet_value *b)
{
    int order;

    if (sorting->sheet->column[sorting->column].kind != SHEET_TEXT) {
        order = (a->number > b->number) - (a->number < b->number);
    } else {
        order = memcmp(a->text, b->text, a->bytes < b->bytes ? a->bytes : b->bytes);
        order = order != 0 ? order : (a->bytes > b->bytes) - (a->bytes < b->bytes);
    }
    return sorting->descending ? -order : order;
}

static int compare_rows(const void *a, const void *b, void *context)
{
    const struct sorting *sorting = context;
    const struct sheet *sheet = sorting->sheet;
    const struct ranked *ranked_a = a;
    const struct ranked *ranked_b = b;
    const struct sheet_value *value_a =
        sheet->value + ranked_a->row * sheet->columns_count + sorting->column;
    const struct sheet_value *value_b =
        sheet->value + ranked_b->row * sheet->columns_count + sorting->column;
    bool given_a = value_a->state == SHEET_GIVEN;
    bool given_b = value_b->state == SHEET_GIVEN;

    if (given_a != given_b) {
        return given_a ? -1 : 1;
    }
    int order = given_a ? compare_values(sorting, value_a, value_b) : 0;
    return order != 0 ? order
                      : (ranked_a->rank > ranked_b->rank) - (ranked_a->rank < ranked_b->rank);
}

static bool refuse_column(const struct sheet *sheet, const char *name, struct tally_err *err)
{
    char known[160] = "";
    size_t used = 0;

    for (size_t i = 0; i < sheet->columns_count && used < sizeof known; i++) {
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                 sheet->column[i].name);
    }
    return err_set(err, TALLY_INVALID, "no column '%.48s' to sort by; there are %s", name, known);
}

bool sheet_sort(struct sheet *sheet, const char *by, struct tally_err *err)
{
    bool descending = by[0] == '-';
    int column = sheet_find_column(sheet, by + descending);

    if (column < 0) {
        return refuse_column(sheet, by + descending, err);
    }
    struct ranked *ranked = malloc((sheet->rows_count + 1) * sizeof *ranked);
    size_t *order = malloc((sheet->rows_count + 1) * sizeof *order);
    if (!ranked || !order) {
        free(ranked);
        free(order);
        return err_set(err, TALLY_NO_MEMORY, "no memory to sort %zu rows", sheet->rows_count);
    }
    for (size_t i = 0; i < sheet->rows_count; i++) {
        ranked[i] = (struct ranked){.row = sheet->order ? sheet->order[i] : i, .rank = i};
    }
    struct sorting sorting = {.sheet = sheet, .column = (size_t)column, .descending = descending};
    qsort_r(ranked, sheet->rows_count, sizeof *ranked, compare_rows, &sorting);
    for (size_t i = 0; i < sheet->rows_count; i++) {
        order[i] = ranked[i].row;
    }
    free(ranked);
    free(sheet->order);
    sheet->order = order;
    return true;
}

void sheet_limit(struct sheet *sheet, uint64_t rows_max)
{
    if (sheet->rows_count > rows_max) {
        sheet->rows_count = (size_t)rows_max;
    }
}
