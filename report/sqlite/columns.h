// report/sqlite/columns.h - the columns of one SQL table over rollups.
//
//   tally_window   province target | window_start window_end days basis incidents | killed ...
//                  dimensions        the same for every rollup                      measures
//                  | arg_rollup arg_days arg_end arg_basis groups_read, hidden
//
// SQLite asks for the columns before it knows which rollup a statement is about. So a table has
// those of all rollups that are known, once by name, and each scan binds them to its rollup.
#ifndef REPORT_SQLITE_COLUMNS_H
#define REPORT_SQLITE_COLUMNS_H

#include "base/err.h"
#include "report/tally.h"

#include <stddef.h>

enum columns_table { TABLE_WINDOW, TABLE_SERIES, TABLE_CELLS, TABLE_SPANS, TABLES };

enum column_kind {
    COLUMN_NONE, // the rollup has no such column
    COLUMN_DIM,
    COLUMN_SUM,
    COLUMN_REPORTED,
    COLUMN_FIRST_DAY, // of the window, or of a cell or span
    COLUMN_LAST_DAY,
    COLUMN_DAYS,
    COLUMN_BASIS,
    COLUMN_INCIDENTS,
    COLUMN_ARGUMENT,
    COLUMN_GROUPS_READ, // by the scan so far: whether conditions were of use
};

// What a column is of a rollup. `index`: of the dimension, measure or argument.
struct column {
    enum column_kind kind;
    size_t index;
};

enum columns_argument {
    ARGUMENT_ROLLUP,
    ARGUMENT_DAYS,
    ARGUMENT_END,
    ARGUMENT_FROM,
    ARGUMENT_TO,
    ARGUMENT_BASIS,
    ARGUMENTS
};

struct columns_names {
    char **name;
    size_t count;
};

struct columns {
    enum columns_table table;
    bool takes_rollup; // as its first argument
    struct columns_names dims;
    struct columns_names figures; // "killed", "killed_reported", ...
};

void columns_init(struct columns *columns, enum columns_table table, bool takes_rollup);
void columns_done(struct columns *columns);
// Adds what is not there yet; names that differ in case are one in SQL.
bool columns_add(struct columns *columns, const struct tally_rollup *rollup, struct tally_err *err);

size_t columns_count(const struct columns *columns);
size_t columns_visible(const struct columns *columns); // the first ones
// Valid until columns_done.
const char *columns_name(const struct columns *columns, size_t position);
// What can be said without a rollup: a dimension or figure of some rollup is COLUMN_NONE.
struct column columns_fixed(const struct columns *columns, size_t position);
// Whether a condition on it may be one on a dimension.
bool columns_may_be_dim(const struct columns *columns, size_t position);
// What the column is of this rollup.
struct column columns_bind(const struct columns *columns, size_t position,
                           const struct tally_rollup *rollup);
// The first name of the rollup that is no column; NULL: all are there.
const char *columns_missing(const struct columns *columns, const struct tally_rollup *rollup);

// The SQL that declares the table. The caller frees it by sqlite3_free; NULL without memory.
char *columns_declare(const struct columns *columns);

#endif
