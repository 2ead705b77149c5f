// report/verify.h - the sheet of `tally verify`, and what every history is checked for alike.
//
//   verify_ledger.c    checksums of the segments, the rollups against a replay
//   verify_cluster.c   every shard answers, the rollups against what the shards add up
#ifndef REPORT_VERIFY_H
#define REPORT_VERIFY_H

#include "base/err.h"
#include "report/sheet.h"
#include "store/rollup_read.h"

#include <stddef.h>

struct verify {
    struct sheet sheet; // thing, state, detail
    size_t damaged;
    size_t checked;
};

// Texts are borrowed: of the sheet, or static.
bool verify_row(struct verify *check, const char *thing, const char *state, const char *detail,
                struct tally_err *err);
bool verify_ok(struct verify *check, const char *thing, const char *detail, struct tally_err *err);
bool verify_damage(struct verify *check, const char *thing, const struct tally_err *damage,
                   struct tally_err *err);

// Only what is wrong with the bytes is damage; a file that cannot be read is an error.
bool verify_is_damage(const struct tally_err *err);

// A rollup's file by itself. *out_rollup stays NULL when it is damaged.
bool verify_file(struct verify *check, const char *path, const char *thing,
                 struct rollup **out_rollup, struct tally_err *err);

// All files of a folder; those that are whole are handed on with their name. NULL: nobody asks.
typedef bool verify_on_rollup(void *context, struct verify *check, const struct rollup *rollup,
                              const char *name, struct tally_err *err);
bool verify_folder(struct verify *check, const char *dir, verify_on_rollup *on_rollup,
                   void *context, struct tally_err *err);

// That a rollup rebuilt for the file's generation has the file's content. TALLY_CORRUPT: it has
// not.
bool verify_same(const struct rollup *file, const struct rollup *again, const char *maker,
                 struct tally_err *err);

#endif
