// report/sqlite/plan.h - what a scan takes from its statement: arguments, conditions, columns.
//
//   ... FROM tally_window('harm', 50) WHERE province = 'Kabul' AND killed > 0
//
//   "3fff 12,13,0, arg_rollup arg_days province="    EXPLAIN QUERY PLAN shows this text
//    used positions of what comes in argv
#ifndef REPORT_SQLITE_PLAN_H
#define REPORT_SQLITE_PLAN_H

#include "report/sqlite/columns.h"

#include <sqlite3ext.h>

// Fills idxStr and the rest; idxNum is 0 where an argument is missing, so that the scan refuses.
// Returns SQLite's code; SQLITE_CONSTRAINT: not in this order of joining.
int plan_make(const struct columns *columns, sqlite3_index_info *info);

// Bit i: the statement uses column i; the last bit stands for all from there on.
uint64_t plan_used(const char *plan);
// Where the positions begin; each call of plan_next gives the one of the next value in argv.
const char *plan_positions(const char *plan);
size_t plan_next(const char **positions);

#endif
