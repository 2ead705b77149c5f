// tally_sqlite - rollups as tables of SQLite: `.load tally_sqlite`, docs/sql.md.
//
//   module.c     this: what SQLite calls when it loads the extension; tally_attach()
//   table.c      the virtual tables: arguments, scans, values
//   plan.c       what a scan takes from its statement
//   columns.c    which columns a table has, and what each is of a rollup
//   catalog.c    which rollups are known, and where one is found by name
//   scan.c       the rows, from libtally
#include "report/sqlite/table.h"

SQLITE_EXTENSION_INIT1

enum { OLDEST_SQLITE = 3024000 }; // sqlite3_str, sqlite3_vtab_collation

// By this name SQLite finds it in tally_sqlite.so.
TALLY_API int sqlite3_tallysqlite_init(sqlite3 *db, char **out_message,
                                       const sqlite3_api_routines *api);

// tally_attach(PATH): how many rollups are known by it. The tables are registered once more, so
// that their columns are asked for again.
static void attach(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct catalog *catalog = sqlite3_user_data(context);
    const char *path = (const char *)sqlite3_value_text(values[0]);
    struct tally_err err;

    (void)count;
    if (!path) {
        sqlite3_result_error(context, "tally_attach: the path is NULL", -1);
        return;
    }
    size_t found = catalog_attach(catalog, path, &err);
    if (found == 0) {
        char *message =
            sqlite3_mprintf("%s: %s", err.place[0] ? err.place : "tally_attach", err.message);
        sqlite3_result_error(context, message ? message : "no memory", -1);
        sqlite3_free(message);
        return;
    }
    int code = table_register(sqlite3_context_db_handle(context), catalog);
    if (code != SQLITE_OK) {
        sqlite3_result_error_code(context, code);
        return;
    }
    sqlite3_result_int64(context, (sqlite3_int64)found);
}

static void on_forget(void *context)
{
    catalog_close(context);
}

int sqlite3_tallysqlite_init(sqlite3 *db, char **out_message, const sqlite3_api_routines *api)
{
    SQLITE_EXTENSION_INIT2(api);
    if (sqlite3_libversion_number() < OLDEST_SQLITE) {
        *out_message = sqlite3_mprintf("tally_sqlite needs SQLite 3.24 or later");
        return SQLITE_ERROR;
    }
    struct catalog *catalog = catalog_open();
    if (!catalog) {
        return SQLITE_NOMEM;
    }
    int code = table_register(db, catalog);
    if (code == SQLITE_OK) {
        code = sqlite3_create_function_v2(db, "tally_attach", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                          catalog_share(catalog), attach, NULL, NULL, on_forget);
    }
    catalog_close(catalog);
    return code;
}
