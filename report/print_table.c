// Aligned columns for people, with bars for the column that matters.
#include "report/glyphs.h"
#include "report/number.h"
#include "report/print.h"

#include "base/day.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_WIDTH_MAX = 60, BAR_WIDTH = 16, GAP_WIDTH = 2 };

#define STYLE_BOLD "\033[1m"
#define STYLE_DIM "\033[2m"
#define STYLE_END "\033[0m"

struct table {
    FILE *out;
    const struct sheet *sheet;
    bool styled;
    bool shown[SHEET_COLUMNS_MAX];
    size_t width[SHEET_COLUMNS_MAX];
    bool any_over; // names need two lines
    bytes_i128 bar_max;
    struct bytes cell; // being rendered
    struct bytes line;
};

static void style(const struct table *table, const char *code)
{
    if (table->styled && code[0] != '\0') {
        fputs(code, table->out);
    }
}

static void render(struct table *table, size_t column, const struct sheet_value *value)
{
    enum sheet_kind kind = table->sheet->column[column].kind;
    char text[NUMBER_BYTES];

    bytes_clear(&table->cell);
    if (value->state == SHEET_ABSENT) {
        bytes_put(&table->cell, "absent", strlen("absent"));
    } else if (value->state == SHEET_GIVEN && kind == SHEET_TEXT) {
        glyphs_put(&table->cell, value->text, value->bytes, TEXT_WIDTH_MAX);
    } else if (value->state == SHEET_GIVEN && kind == SHEET_DAY) {
        day_format_iso((int32_t)value->number, text);
        bytes_put(&table->cell, text, strlen(text));
    } else if (value->state == SHEET_GIVEN) {
        number_format(value->number, kind == SHEET_COUNT ? ',' : '\0', text);
        bytes_put(&table->cell, text, strlen(text));
    }
}

// Whether a value is worth its column.
static bool tells(const struct sheet *sheet, size_t column, const struct sheet_value *row)
{
    const struct sheet_column *of = &sheet->column[column];
    const struct sheet_value *value = &row[column];
    const struct sheet_value *beside = &row[of->beside];

    if (value->state != SHEET_GIVEN) {
        return false;
    }
    if (of->flags & SHEET_REPORTED) {
        return beside->state != SHEET_GIVEN || value->number != beside->number;
    }
    return of->kind == SHEET_TEXT ? value->bytes > 0 : value->number != 0;
}

static bool is_shown(const struct sheet *sheet, size_t column)
{
    unsigned flags = sheet->column[column].flags;

    if (!(flags & (SHEET_REPORTED | SHEET_UNLESS_ZERO))) {
        return !(flags & SHEET_NOT_IN_TABLE);
    }
    for (size_t i = 0; i < sheet->rows_count; i++) {
        if (tells(sheet, column, sheet_row(sheet, i))) {
            return true;
        }
    }
    return sheet->total && tells(sheet, column, sheet->total);
}

static void widen(struct table *table, const struct sheet_value *row)
{
    for (size_t i = 0; i < table->sheet->columns_count; i++) {
        if (table->shown[i]) {
            render(table, i, &row[i]);
            size_t width = glyphs_width((const char *)table->cell.data, table->cell.count);
            table->width[i] = width > table->width[i] ? width : table->width[i];
        }
    }
}

static void measure(struct table *table)
{
    const struct sheet *sheet = table->sheet;

    for (size_t i = 0; i < sheet->columns_count; i++) {
        const struct sheet_column *column = &sheet->column[i];
        size_t over = glyphs_width(column->over, strlen(column->over));
        size_t under = glyphs_width(column->under, strlen(column->under));
        table->shown[i] = is_shown(sheet, i);
        table->width[i] = over > under ? over : under;
        table->any_over = table->any_over || (table->shown[i] && over > 0);
    }
    for (size_t i = 0; i < sheet->rows_count; i++) {
        const struct sheet_value *row = sheet_row(sheet, i);
        widen(table, row);
        if (sheet->bar_column >= 0 && row[sheet->bar_column].state == SHEET_GIVEN &&
            row[sheet->bar_column].number > table->bar_max) {
            table->bar_max = row[sheet->bar_column].number;
        }
    }
    if (sheet->total) {
        widen(table, sheet->total);
    }
}

static void pad(struct table *table, size_t columns)
{
    for (size_t i = 0; i < columns; i++) {
        bytes_put_u8(&table->line, ' ');
    }
}

// Ends a line, without the blanks at its end.
static void put_line(struct table *table, const char *code)
{
    struct bytes *line = &table->line;

    while (line->count > 0 && line->data[line->count - 1] == ' ') {
        line->count--;
    }
    style(table, code);
    fwrite(line->data, 1, line->count, table->out);
    style(table, code[0] != '\0' ? STYLE_END : "");
    putc('\n', table->out);
    bytes_clear(line);
}

static void put_text(struct table *table, const char *text, const char *code)
{
    glyphs_put(&table->line, text, strlen(text), SIZE_MAX);
    put_line(table, code);
}

static void put_cell(struct table *table, size_t column, const char *text, size_t bytes)
{
    enum sheet_kind kind = table->sheet->column[column].kind;
    bool right = kind == SHEET_COUNT || kind == SHEET_NUMBER;
    size_t left = table->width[column] - glyphs_width(text, bytes);

    pad(table, right ? left : 0);
    bytes_put(&table->line, text, bytes);
    pad(table, (right ? 0 : left) + GAP_WIDTH);
}

static void put_row(struct table *table, const struct sheet_value *row, bool bar)
{
    const struct sheet *sheet = table->sheet;

    for (size_t i = 0; i < sheet->columns_count; i++) {
        if (table->shown[i]) {
            render(table, i, &row[i]);
            put_cell(table, i, (const char *)table->cell.data, table->cell.count);
        }
    }
    if (bar && row[sheet->bar_column].state == SHEET_GIVEN) {
        glyphs_put_bar(&table->line, row[sheet->bar_column].number, table->bar_max, BAR_WIDTH);
    }
    put_line(table, "");
}

static void put_head(struct table *table, bool over)
{
    for (size_t i = 0; i < table->sheet->columns_count; i++) {
        if (table->shown[i]) {
            const struct sheet_column *column = &table->sheet->column[i];
            const char *name = over ? column->over : column->under;
            put_cell(table, i, name, strlen(name));
        }
    }
    put_line(table, STYLE_DIM);
}

static void put_rule(struct table *table)
{
    size_t width = 0;

    for (size_t i = 0; i < table->sheet->columns_count; i++) {
        width += table->shown[i] ? table->width[i] + GAP_WIDTH : 0;
    }
    for (size_t i = GAP_WIDTH; i < width; i++) {
        bytes_put(&table->line, "─", strlen("─"));
    }
    put_line(table, STYLE_DIM);
}

void print_table(FILE *out, const struct sheet *sheet, bool styled)
{
    struct table *table = calloc(1, sizeof *table);

    if (!table) {
        return;
    }
    *table = (struct table){.out = out, .sheet = sheet, .styled = styled};
    bytes_init(&table->cell);
    bytes_init(&table->line);
    measure(table);
    bool bars = sheet->bar_column >= 0 && sheet->rows_count > 1 && table->bar_max > 0;

    if (sheet->title[0] != '\0') {
        put_text(table, sheet->title, STYLE_BOLD);
        putc('\n', out);
    }
    if (table->any_over) {
        put_head(table, true);
    }
    put_head(table, false);
    for (size_t i = 0; i < sheet->rows_count; i++) {
        put_row(table, sheet_row(sheet, i), bars);
    }
    if (sheet->total) {
        put_rule(table);
        put_row(table, sheet->total, false);
    }
    for (size_t i = 0; i < sheet->notes_count; i++) {
        fputs(i == 0 ? "\n" : "", out);
        put_text(table, sheet->note[i], STYLE_DIM);
    }
    bytes_done(&table->cell);
    bytes_done(&table->line);
    free(table);
}
