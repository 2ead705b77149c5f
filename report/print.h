// report/print.h - a sheet as CSV, JSON or a table.
//
//   csv     header, then RFC 4180 records that end in LF; empty and absent are empty fields
//   json    an array of objects, one a line; empty and absent are null
//   table   title, aligned columns, bars, total, notes; for people, so its form may change. Where
//           it would be wider than the terminal, long texts stand below their rows, and columns
//           are left out by rank; a note says which. No number is ever cut.
//
// A long result is printed part by part: fill, print_rows, fill, print_rows, print_end. CSV and
// JSON write and drop the rows of each part; a table keeps them until the end.
#ifndef REPORT_PRINT_H
#define REPORT_PRINT_H

#include "report/sheet.h"

#include <stdio.h>

enum print_format { PRINT_TABLE, PRINT_CSV, PRINT_JSON };

struct print {
    FILE *out;
    FILE *warnings; // notes for people, in every format
    enum print_format format;
    bool styled;  // bold and dim: a terminal without NO_COLOR
    size_t width; // columns that a table may take; 0: any number
    bool begun;
    bool any_row;
};

void print_rows(struct print *print, struct sheet *sheet);

// Prints what is left and the end. Errors: TALLY_IO when the output could not be written; what the
// sheet lost.
bool print_end(struct print *print, struct sheet *sheet, struct tally_err *err);
// The same for what was printed without a sheet.
bool print_flush(struct print *print, struct tally_err *err);

// "tally: warning: ..." on print->warnings.
void print_warning(struct print *print, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// The formats, each in its own file.
void print_csv_header(FILE *out, const struct sheet *sheet);
void print_csv_row(FILE *out, const struct sheet *sheet, const struct sheet_value *row);
void print_json_row(FILE *out, const struct sheet *sheet, const struct sheet_value *row);
void print_table(FILE *out, const struct sheet *sheet, bool styled, size_t width);

#endif
