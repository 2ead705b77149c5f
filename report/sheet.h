// report/sheet.h - a result before it is printed: named columns, rows of values.
//
//   columns   country   window_start   ...   incidents   killed   killed_reported
//   row 0     Chad      2020-09-05           12          40       11
//   row 1     Mali      2020-09-05           3           (empty)  0
//   total     ...                            15          40       11          tables only
//
// Every command fills a sheet and hands it to report/print.h, so that all formats show the same.
// Memory: texts are borrowed unless sheet_copy made them; they have to outlive the printing.
#ifndef REPORT_SHEET_H
#define REPORT_SHEET_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum sheet_kind {
    SHEET_TEXT,
    SHEET_COUNT,  // a number that people compare: thousands are separated in tables
    SHEET_NUMBER, // a number that names something: a batch, a line
    SHEET_DAY,
};

enum sheet_flags {
    SHEET_NOT_IN_TABLE = 1, // said by the title already, or of no use to the eye
    SHEET_REPORTED = 2,     // left out of tables where it equals column `beside` in every row
    SHEET_UNLESS_ZERO = 4,  // left out of tables where it is empty or 0 in every row
    SHEET_FOLDS = 8,        // stands below its row in tables that would be too wide
    SHEET_WHOLE = 16,       // a text that is never cut: half an id names nothing
};

struct sheet_column {
    const char *name;
    const char *over; // tables write "previous_killed" as "previous" over "killed"
    const char *under;
    enum sheet_kind kind;
    unsigned flags;
    unsigned rank; // which goes first where a table is too wide: the greatest; 0 stays
    size_t beside;
};

enum sheet_state {
    SHEET_EMPTY,  // nothing to say: unknown, or does not apply
    SHEET_ABSENT, // no feed behind this row has such a column
    SHEET_GIVEN,
};

struct sheet_value {
    enum sheet_state state;
    uint32_t bytes; // of text
    union {
        const char *text; // not terminated
        bytes_i128 number;
    };
};

enum { SHEET_COLUMNS_MAX = 320, SHEET_NOTES_MAX = 512 };

struct sheet {
    struct arena arena;    // of names, titles and notes
    struct arena texts;    // of rows
    struct tally_err lost; // why texts are missing, unless TALLY_OK: nothing of it is printed then
    struct sheet_column column[SHEET_COLUMNS_MAX];
    size_t columns_count;
    struct sheet_value *value; // [rows_capacity][columns_count]
    size_t rows_count;
    size_t rows_capacity;
    size_t *order;             // of the rows after sheet_sort; NULL: as they were added
    struct sheet_value *total; // a row for the bottom of tables, or NULL
    const char *title;
    const char *note[SHEET_NOTES_MAX]; // lines below a table
    size_t notes_count;
    int bar_column; // drawn as bars in tables; -1: none
};

void sheet_init(struct sheet *sheet);
void sheet_done(struct sheet *sheet);

// All columns come before the first row. The name is PREFIX NAME SUFFIX. Returns its position;
// running out of memory or columns shows at the first sheet_add_row.
size_t sheet_add_column(struct sheet *sheet, enum sheet_kind kind, unsigned flags,
                        const char *prefix, const char *name, const char *suffix);
// Requires: there is such a column.
void sheet_rank(struct sheet *sheet, const char *name, unsigned rank);
int sheet_find_column(const struct sheet *sheet, const char *name); // -1: absent

// A new row of empty values, valid until the next call. NULL: TALLY_NO_MEMORY; TALLY_LIMIT: the
// texts of the rows before took all that a table may.
struct sheet_value *sheet_add_row(struct sheet *sheet, struct tally_err *err);
struct sheet_value *sheet_add_total(struct sheet *sheet, struct tally_err *err);
const struct sheet_value *sheet_row(const struct sheet *sheet, size_t index); // in order
void sheet_clear_rows(struct sheet *sheet); // after a part was printed

struct sheet_value sheet_number(bytes_i128 number); // days as well
struct sheet_value sheet_absent(void);
struct sheet_value sheet_text(const char *text, size_t bytes);
struct sheet_value sheet_name(const char *text); // terminated
// Copies the text of a row; empty without memory, which the next row or the end of printing tells.
struct sheet_value sheet_copy(struct sheet *sheet, const char *text, size_t bytes);

// printf into the sheet's memory; "" without memory, told in the same way.
const char *sheet_printf(struct sheet *sheet, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sheet_add_note(struct sheet *sheet, const char *note); // beyond the bound: left out

// By a column's name, "-" in front for the greatest first; numbers as numbers, empty ones last,
// equal ones as they were. Errors: TALLY_INVALID naming the columns there are.
bool sheet_sort(struct sheet *sheet, const char *by, struct tally_err *err);
void sheet_limit(struct sheet *sheet, uint64_t rows_max);

#endif
