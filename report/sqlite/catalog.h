// report/sqlite/catalog.h - which rollups a connection knows, and where it finds one by name.
//
//   ./*.rollup   what tally_attach named: files and folders   /var/lib/tallyd/rollup/*.rollup
//
// One for each connection, shared by its tables, kept until the last of them is gone.
#ifndef REPORT_SQLITE_CATALOG_H
#define REPORT_SQLITE_CATALOG_H

#include "report/sqlite/columns.h"

struct catalog;

// Errors: NULL without memory.
struct catalog *catalog_open(void);
struct catalog *catalog_share(struct catalog *catalog);
void catalog_close(struct catalog *catalog); // the last one frees it

// A rollup file, or a folder that holds some. Returns how many could be read; 0 after an error.
// Errors: TALLY_NOT_FOUND; whatever tally_open says of a file.
size_t catalog_attach(struct catalog *catalog, const char *path, struct tally_err *err);

// The columns of all rollups that are known. One that is damaged is left out (and told to
// SQLite's log), unless nothing else is there. Errors: TALLY_NOT_FOUND: no rollup is known.
bool catalog_add_columns(const struct catalog *catalog, struct columns *columns,
                         struct tally_err *err);

// Opens PATH, or NAME or NAME.rollup in a folder that is known.
struct tally_rollup *catalog_open_rollup(const struct catalog *catalog, const char *name,
                                         struct tally_err *err);

#endif
