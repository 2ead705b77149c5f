// report/sqlite/scan.h - the rows of one use of a table, one after the other.
//
//   conditions, arguments --> the rollup's groups that match --> window, series, cells or spans
//
// A row stands for one group; of a series for one group and day. Groups without an incident have
// no row, unless the rollup has no dimensions: then its one row is the total.
#ifndef REPORT_SQLITE_SCAN_H
#define REPORT_SQLITE_SCAN_H

#include "report/sqlite/columns.h"

struct scan_asked {
    enum columns_table table;
    enum tally_basis basis;
    uint32_t days;
    int32_t from; // of a series: the first day that a window ends on
    int32_t to;   // the last one; of a window: its last day
};

struct scan {
    const struct tally_rollup *rollup;
    struct scan_asked asked;
    struct tally_selection *selection; // a row for each group
    struct tally_series *series;       // of the row before `next_row`, or NULL
    struct tally_entries *entries;     // of the same
    int64_t next_day;                  // of the series
    size_t next_row;

    // The current row.
    bool ended;
    size_t row;
    uint64_t number;
    uint64_t groups_read;
    struct tally_entry entry; // the days of a window as well
    struct tally_sum sums[TALLY_MEASURES_MAX];
};

// Stands before the first row then: call scan_next. `where` as for tally_selection_open. The
// rollup has to outlive the scan, which is to be ended by scan_done, also after a failure.
bool scan_init(struct scan *scan, const struct tally_rollup *rollup, const struct scan_asked *asked,
               const char *const *where, size_t where_count, struct tally_err *err);
void scan_done(struct scan *scan);

// To the next row, or to `ended`. Errors: TALLY_OVERFLOW and what else libtally says.
bool scan_next(struct scan *scan, struct tally_err *err);

// The current row's value of a dimension, copied as by snprintf.
size_t scan_text(const struct scan *scan, size_t dim, char *out, size_t capacity);

#endif
