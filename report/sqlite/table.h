// report/sqlite/table.h - a rollup as an SQL table: what SQLite's virtual tables ask for.
//
//   SELECT province, killed FROM tally_window('harm.rollup', 50, '2020-10-24') WHERE target = 'x'
//
//   connect      the columns of all rollups that are known        columns.h, catalog.h
//   best index   arguments, and = or IN on dimensions, become conditions of the scan
//   filter       opens the rollup, binds the columns to it        scan.h
//
//   CREATE VIRTUAL TABLE harm USING tally_window('harm.rollup')   exactly its columns; harm(50)
//
// One use of a table in a statement opens its rollup once: what it sees is one state of it.
#ifndef REPORT_SQLITE_TABLE_H
#define REPORT_SQLITE_TABLE_H

#include "report/sqlite/catalog.h"

#include <sqlite3ext.h>

// tally_window, tally_series, tally_cells, tally_spans; once more to forget their columns.
// Returns SQLite's code.
int table_register(sqlite3 *db, struct catalog *catalog);

#endif
