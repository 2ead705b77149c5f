// Source: RFC 4180, with LF as the line end.
#include "report/number.h"
#include "report/print.h"

#include "base/day.h"

#include <string.h>

static bool needs_quotes(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '"' || text[i] == ',' || text[i] == '\n' || text[i] == '\r') {
            return true;
        }
    }
    // Blanks at the ends would be trimmed by readers that trim unquoted fields.
    return bytes > 0 &&
           (text[0] == ' ' || text[0] == '\t' || text[bytes - 1] == ' ' || text[bytes - 1] == '\t');
}

static void put_text(FILE *out, const char *text, size_t bytes)
{
    if (!needs_quotes(text, bytes)) {
        fwrite_unlocked(text, 1, bytes, out);
        return;
    }
    putc_unlocked('"', out);
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '"') {
            putc_unlocked('"', out);
        }
        putc_unlocked(text[i], out);
    }
    putc_unlocked('"', out);
}

static void put_value(FILE *out, enum sheet_kind kind, const struct sheet_value *value)
{
    char number[NUMBER_BYTES];
    char day[DAY_TEXT_BYTES];

    if (value->state != SHEET_GIVEN) {
        return;
    }
    switch (kind) {
    case SHEET_TEXT:
        put_text(out, value->text, value->bytes);
        return;
    case SHEET_DAY:
        fputs_unlocked(day_format_iso((int32_t)value->number, day), out);
        return;
    case SHEET_COUNT:
    case SHEET_NUMBER:
        fputs_unlocked(number_format(value->number, '\0', number), out);
        return;
    }
}

void print_csv_header(FILE *out, const struct sheet *sheet)
{
    for (size_t i = 0; i < sheet->columns_count; i++) {
        const char *name = sheet->column[i].name;
        if (i > 0) {
            putc_unlocked(',', out);
        }
        put_text(out, name, strlen(name));
    }
    putc_unlocked('\n', out);
}

void print_csv_row(FILE *out, const struct sheet *sheet, const struct sheet_value *row)
{
    for (size_t i = 0; i < sheet->columns_count; i++) {
        if (i > 0) {
            putc_unlocked(',', out);
        }
        put_value(out, sheet->column[i].kind, &row[i]);
    }
    putc_unlocked('\n', out);
}
