#include "report/sqlite.h"

#include <dlfcn.h>
#include <string.h>

static bool find_function(struct sqlite *sqlite, const char *name, void *slot,
                          struct tally_err *err)
{
    void *found = dlsym(sqlite->library, name);

    if (!found) {
        return err_set(err, TALLY_NOT_FOUND, "libsqlite3 has no %s", name);
    }
    // ISO C has no cast from an object's address to a function's.
    memcpy(slot, &found, sizeof found);
    return true;
}

static bool find_functions(struct sqlite *sqlite, struct tally_err *err)
{
#define SQLITE_FIND(name) find_function(sqlite, "sqlite3_" #name, &sqlite->name, err) &&
    return SQLITE_FUNCTIONS(SQLITE_FIND) true;
#undef SQLITE_FIND
}

bool sqlite_load(struct sqlite *sqlite, struct tally_err *err)
{
    *sqlite = (struct sqlite){.library = dlopen("libsqlite3.so.0", RTLD_NOW | RTLD_LOCAL)};
    if (!sqlite->library) {
        return err_set(err, TALLY_NOT_FOUND, "SQLite is not installed (package libsqlite3-0)");
    }
    if (!find_functions(sqlite, err)) {
        sqlite_unload(sqlite);
        return false;
    }
    return true;
}

void sqlite_unload(struct sqlite *sqlite)
{
    dlclose(sqlite->library);
}
