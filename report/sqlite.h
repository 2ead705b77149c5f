// report/sqlite.h - SQLite, loaded when a database is written and not before.
//
// Linked in the ordinary way it would add a third to the start of every other command (0.35 of
// 1.05 ms), and only `tally export` needs it.
#ifndef REPORT_SQLITE_H
#define REPORT_SQLITE_H

#include "base/err.h"

#include <stdbool.h>

#include <sqlite3.h>

#define SQLITE_FUNCTIONS(X)                                                                        \
    X(open_v2)                                                                                     \
    X(close_v2)                                                                                    \
    X(exec)                                                                                        \
    X(errmsg)                                                                                      \
    X(prepare_v2)                                                                                  \
    X(bind_text)                                                                                   \
    X(bind_int64)                                                                                  \
    X(bind_null)                                                                                   \
    X(step)                                                                                        \
    X(reset)                                                                                       \
    X(finalize)

struct sqlite {
    void *library;
#define SQLITE_MEMBER(name) __typeof__(&sqlite3_##name) name;
    SQLITE_FUNCTIONS(SQLITE_MEMBER)
#undef SQLITE_MEMBER
};

// Errors: TALLY_NOT_FOUND naming the package.
bool sqlite_load(struct sqlite *sqlite, struct tally_err *err);
void sqlite_unload(struct sqlite *sqlite);

#endif
