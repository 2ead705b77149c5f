#include "report/print.h"

#include <stdarg.h>

static void print_begin(struct print *print, const struct sheet *sheet)
{
    print->begun = true;
    if (print->format == PRINT_CSV) {
        print_csv_header(print->out, sheet);
    } else if (print->format == PRINT_JSON) {
        fputs("[", print->out);
    }
}

void print_rows(struct print *print, struct sheet *sheet)
{
    if (!print->begun) {
        print_begin(print, sheet);
    }
    if (print->format == PRINT_TABLE || sheet->lost.code != TALLY_OK) {
        return;
    }
    for (size_t i = 0; i < sheet->rows_count; i++) {
        if (print->format == PRINT_CSV) {
            print_csv_row(print->out, sheet, sheet_row(sheet, i));
        } else {
            fputs(print->any_row ? ",\n" : "\n", print->out);
            print_json_row(print->out, sheet, sheet_row(sheet, i));
        }
        print->any_row = true;
    }
    sheet_clear_rows(sheet);
}

bool print_flush(struct print *print, struct tally_err *err)
{
    return (fflush(print->out) == 0 && !ferror(print->out)) || err_sys(err, "write the output");
}

bool print_end(struct print *print, struct sheet *sheet, struct tally_err *err)
{
    print_rows(print, sheet);
    if (sheet->lost.code != TALLY_OK) {
        *err = sheet->lost;
        return false;
    }
    if (print->format == PRINT_TABLE) {
        print_table(print->out, sheet, print->styled, print->width);
    } else if (print->format == PRINT_JSON) {
        fputs(print->any_row ? "\n]\n" : "]\n", print->out);
    }
    return print_flush(print, err);
}

void print_warning(struct print *print, const char *format, ...)
{
    va_list args;

    fputs("tally: warning: ", print->warnings);
    va_start(args, format);
    vfprintf(print->warnings, format, args);
    va_end(args);
    fputc('\n', print->warnings);
}
