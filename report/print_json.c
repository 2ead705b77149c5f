// Source: RFC 8259. Integers are written as integers, also beyond 2^53.
#include "report/glyphs.h"
#include "report/number.h"
#include "report/print.h"

#include "base/day.h"

#include <string.h>

// The raw text of a rejected row need not be UTF-8, but JSON has to be: U+FFFD for such bytes.
static void put_text(FILE *out, const char *text, size_t bytes)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t character;
    uint32_t point;

    putc_unlocked('"', out);
    for (size_t i = 0; i < bytes; i += character) {
        unsigned char byte = at[i];
        character = glyphs_take_point(at + i, bytes - i, &point);
        if (byte >= 0x80) {
            bool valid = point != UINT32_MAX;
            fwrite_unlocked(valid ? text + i : "\xef\xbf\xbd", 1, valid ? character : 3, out);
            continue;
        }
        if (byte == '"' || byte == '\\') {
            putc_unlocked('\\', out);
            putc_unlocked(byte, out);
        } else if (byte < 0x20 || byte == 0x7f) {
            fprintf(out, "\\u%04x", byte);
        } else {
            putc_unlocked(byte, out);
        }
    }
    putc_unlocked('"', out);
}

static void put_value(FILE *out, enum sheet_kind kind, const struct sheet_value *value)
{
    char number[NUMBER_BYTES];
    char day[DAY_TEXT_BYTES];

    if (value->state != SHEET_GIVEN) {
        fputs_unlocked("null", out);
        return;
    }
    switch (kind) {
    case SHEET_TEXT:
        put_text(out, value->text, value->bytes);
        return;
    case SHEET_DAY:
        fprintf(out, "\"%s\"", day_format_iso((int32_t)value->number, day));
        return;
    case SHEET_COUNT:
    case SHEET_NUMBER:
        fputs_unlocked(number_format(value->number, '\0', number), out);
        return;
    }
}

void print_json_row(FILE *out, const struct sheet *sheet, const struct sheet_value *row)
{
    putc_unlocked('{', out);
    for (size_t i = 0; i < sheet->columns_count; i++) {
        const char *name = sheet->column[i].name;
        if (i > 0) {
            fputs_unlocked(", ", out);
        }
        put_text(out, name, strlen(name));
        fputs_unlocked(": ", out);
        put_value(out, sheet->column[i].kind, &row[i]);
    }
    putc_unlocked('}', out);
}
