// Aligned columns for people, with bars for the column that matters.
#include "report/glyphs.h"
#include "report/number.h"
#include "report/print.h"

#include "base/day.h"

#include <stdlib.h>
#include <string.h>

enum {
    TEXT_WIDTH_MAX = 60,
    TEXT_WIDTH_NARROW = 28, // before columns are left out
    TEXT_WIDTH_MIN = 12,    // when nothing else is left to give
    BAR_WIDTH = 16,
    BAR_WIDTH_NARROW = 8,
    BAR_RANK = 3, // columns of a greater rank go before the bars do
    GAP_WIDTH = 2,
    FOLD_INDENT = 4,
    FOLD_WIDTH_MIN = 40,
};

#define STYLE_BOLD "\033[1m"
#define STYLE_DIM "\033[2m"
#define STYLE_END "\033[0m"

struct table {
    FILE *out;
    const struct sheet *sheet;
    bool styled;
    size_t width_max; // of a line; SIZE_MAX: any
    bool shown[SHEET_COLUMNS_MAX];
    bool folded[SHEET_COLUMNS_MAX]; // stands below its row
    bool left_out[SHEET_COLUMNS_MAX];
    size_t width[SHEET_COLUMNS_MAX];
    bool any_over; // names need two lines
    bytes_i128 bar_max;
    size_t bar_width; // 0: no bars
    size_t text_width_max;
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
    bool whole = table->sheet->column[column].flags & SHEET_WHOLE;
    char text[NUMBER_BYTES];

    bytes_clear(&table->cell);
    if (value->state == SHEET_ABSENT) {
        bytes_put(&table->cell, "absent", strlen("absent"));
    } else if (value->state == SHEET_GIVEN && kind == SHEET_TEXT) {
        glyphs_put(&table->cell, value->text, value->bytes,
                   whole ? SIZE_MAX : table->text_width_max);
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

    table->any_over = false;
    for (size_t i = 0; i < sheet->columns_count; i++) {
        const struct sheet_column *column = &sheet->column[i];
        size_t over = glyphs_width(column->over, strlen(column->over));
        size_t under = glyphs_width(column->under, strlen(column->under));
        table->width[i] = over > under ? over : under;
        table->any_over = table->any_over || (table->shown[i] && over > 0);
    }
    for (size_t i = 0; i < sheet->rows_count; i++) {
        widen(table, sheet_row(sheet, i));
    }
    if (sheet->total) {
        widen(table, sheet->total);
    }
}

static void find_bars(struct table *table)
{
    const struct sheet *sheet = table->sheet;

    for (size_t i = 0; sheet->bar_column >= 0 && i < sheet->rows_count; i++) {
        const struct sheet_value *value = &sheet_row(sheet, i)[sheet->bar_column];
        if (value->state == SHEET_GIVEN && value->number > table->bar_max) {
            table->bar_max = value->number;
        }
    }
    table->bar_width = sheet->rows_count > 1 && table->bar_max > 0 ? BAR_WIDTH : 0;
}

// --- making it fit ---

static size_t total_width(const struct table *table)
{
    size_t width = table->bar_width ? table->bar_width + GAP_WIDTH : 0;

    for (size_t i = 0; i < table->sheet->columns_count; i++) {
        width += table->shown[i] ? table->width[i] + GAP_WIDTH : 0;
    }
    return width > GAP_WIDTH ? width - GAP_WIDTH : 0;
}

static bool fits(const struct table *table)
{
    return total_width(table) <= table->width_max;
}

// Texts that fold do so together; one that would be cut makes them.
static bool must_fold(const struct table *table)
{
    const struct sheet *sheet = table->sheet;

    for (size_t i = 0; i < sheet->columns_count; i++) {
        if (!table->shown[i] || !(sheet->column[i].flags & SHEET_FOLDS)) {
            continue;
        }
        for (size_t row = 0; row < sheet->rows_count; row++) {
            const struct sheet_value *value = &sheet_row(sheet, row)[i];
            if (value->state == SHEET_GIVEN &&
                glyphs_width(value->text, value->bytes) > TEXT_WIDTH_MAX) {
                return true;
            }
        }
    }
    return false;
}

static void fold(struct table *table)
{
    for (size_t i = 0; i < table->sheet->columns_count; i++) {
        if (table->shown[i] && table->sheet->column[i].flags & SHEET_FOLDS) {
            table->shown[i] = false;
            table->folded[i] = true;
        }
    }
}

// The column to leave out next: the last one of the greatest rank. -1: all that are left stay.
static int find_least(const struct table *table)
{
    const struct sheet *sheet = table->sheet;
    unsigned rank = 1;
    int found = -1;

    for (size_t i = 0; i < sheet->columns_count; i++) {
        if (table->shown[i] && sheet->column[i].rank >= rank && (int)i != sheet->bar_column) {
            rank = sheet->column[i].rank;
            found = (int)i;
        }
    }
    return found;
}

static bool leave_out(struct table *table)
{
    int least = find_least(table);

    if (table->bar_width && (least < 0 || table->sheet->column[least].rank <= BAR_RANK)) {
        table->bar_width = 0;
        return true;
    }
    if (least >= 0) {
        table->shown[least] = false;
        table->left_out[least] = true;
    }
    return least >= 0;
}

// In order of what a reader misses least.
static void fit(struct table *table)
{
    if (must_fold(table) || !fits(table)) {
        fold(table);
        measure(table);
    }
    if (!fits(table) && table->bar_width) {
        table->bar_width = BAR_WIDTH_NARROW;
    }
    if (!fits(table)) {
        table->text_width_max = TEXT_WIDTH_NARROW;
        measure(table);
    }
    while (!fits(table) && leave_out(table)) {
    }
    if (!fits(table)) {
        table->text_width_max = TEXT_WIDTH_MIN;
    }
    measure(table);
    while (table->bar_width > 0 && table->bar_width < BAR_WIDTH &&
           total_width(table) < table->width_max) {
        table->bar_width++;
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

// The next word with the blanks before it; returns where it ends.
static size_t find_word(const char *text, size_t bytes, size_t at, size_t *out_start)
{
    while (at < bytes && text[at] == ' ') {
        at++;
    }
    *out_start = at;
    while (at < bytes && text[at] != ' ') {
        at++;
    }
    return at;
}

// Wraps at blanks; every line starts with the indent.
static void put_text(struct table *table, const char *text, size_t bytes, size_t indent,
                     const char *code)
{
    bool narrow = table->width_max < indent + FOLD_WIDTH_MIN;
    size_t room = narrow ? FOLD_WIDTH_MIN : table->width_max - indent;
    size_t width = 0;

    pad(table, indent);
    for (size_t at = 0; at < bytes;) {
        size_t word;
        size_t end = find_word(text, bytes, at, &word);
        size_t blanks = word - at;
        bytes_clear(&table->cell);
        glyphs_put(&table->cell, text + word, end - word, SIZE_MAX);
        size_t word_width = glyphs_width((const char *)table->cell.data, table->cell.count);
        if (width > 0 && width + blanks + word_width > room) {
            put_line(table, code);
            pad(table, indent);
            width = 0;
            blanks = 0;
        }
        pad(table, blanks);
        bytes_put(&table->line, table->cell.data, table->cell.count);
        width += blanks + word_width;
        at = end;
    }
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

static void put_folded(struct table *table, const char *name, const struct sheet_value *value)
{
    struct bytes text;

    bytes_init(&text);
    bytes_put(&text, name, strlen(name));
    bytes_put(&text, ": ", 2);
    bytes_put(&text, value->text, value->bytes);
    put_text(table, (const char *)text.data, text.count, FOLD_INDENT, STYLE_DIM);
    bytes_done(&text);
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
    if (bar && table->bar_width > 0 && row[sheet->bar_column].state == SHEET_GIVEN) {
        glyphs_put_bar(&table->line, row[sheet->bar_column].number, table->bar_max,
                       table->bar_width);
    }
    put_line(table, "");
    for (size_t i = 0; i < sheet->columns_count; i++) {
        if (table->folded[i] && row[i].state == SHEET_GIVEN && row[i].bytes > 0) {
            put_folded(table, sheet->column[i].name, &row[i]);
        }
    }
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

static void put_left_out(struct table *table)
{
    struct bytes note;

    bytes_init(&note);
    for (size_t i = 0; i < table->sheet->columns_count; i++) {
        const char *name = table->sheet->column[i].name;
        if (table->left_out[i]) {
            bytes_put(&note, note.count ? ", " : "Not shown for lack of room: ",
                      note.count ? 2 : strlen("Not shown for lack of room: "));
            bytes_put(&note, name, strlen(name));
        }
    }
    if (note.count > 0) {
        bytes_put(&note, " (--format csv has them)", strlen(" (--format csv has them)"));
        fputs(table->sheet->notes_count == 0 ? "\n" : "", table->out);
        put_text(table, (const char *)note.data, note.count, 0, STYLE_DIM);
    }
    bytes_done(&note);
}

static void put_all(struct table *table)
{
    const struct sheet *sheet = table->sheet;

    if (sheet->title[0] != '\0') {
        put_text(table, sheet->title, strlen(sheet->title), 0, STYLE_BOLD);
        putc('\n', table->out);
    }
    if (table->any_over) {
        put_head(table, true);
    }
    put_head(table, false);
    for (size_t i = 0; i < sheet->rows_count; i++) {
        put_row(table, sheet_row(sheet, i), true);
    }
    if (sheet->total) {
        put_rule(table);
        put_row(table, sheet->total, false);
    }
    for (size_t i = 0; i < sheet->notes_count; i++) {
        fputs(i == 0 ? "\n" : "", table->out);
        put_text(table, sheet->note[i], strlen(sheet->note[i]), 0, STYLE_DIM);
    }
    put_left_out(table);
}

void print_table(FILE *out, const struct sheet *sheet, bool styled, size_t width)
{
    struct table *table = calloc(1, sizeof *table);

    if (!table) {
        return;
    }
    *table = (struct table){.out = out,
                            .sheet = sheet,
                            .styled = styled,
                            .width_max = width ? width : SIZE_MAX,
                            .text_width_max = TEXT_WIDTH_MAX};
    bytes_init(&table->cell);
    bytes_init(&table->line);
    for (size_t i = 0; i < sheet->columns_count; i++) {
        table->shown[i] = is_shown(sheet, i);
    }
    find_bars(table);
    measure(table);
    fit(table);
    put_all(table);
    bytes_done(&table->cell);
    bytes_done(&table->line);
    free(table);
}
