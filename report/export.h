// report/export.h - a rollup as a SQLite database; docs/export.md tells its tables.
//
//   meta feeds feed_measures                            where it comes from
//   groups <- cells spans windows                       what the rollup file holds
//   days                                                the calendar, for series without gaps
//   day_cells latest window_Nd window_Nd_total          views
//
// The same rollup gives the same bytes: nothing in it says when it was written.
#ifndef REPORT_EXPORT_H
#define REPORT_EXPORT_H

#include "base/err.h"
#include "store/rollup_read.h"

#include <stdio.h>

enum {
    EXPORT_SCHEMA_VERSION = 1, // user_version of the database
    EXPORT_DAYS_MAX = 36600,   // of table days: the last hundred years
};

// Fills the empty file of that path. Errors: TALLY_OVERFLOW naming the group, TALLY_IO.
bool export_database(const struct rollup *rollup, const char *path, const char *as_of,
                     struct tally_err *err);

// SQL to be run before the rows are put in: tables; and after: indexes, views, statistics.
void export_put_tables(FILE *sql, const struct rollup_def *def);
void export_put_end(FILE *sql, const struct rollup_def *def);

#endif
