// report/history.h - the batches that commands go back to, wherever they are.
//
//   -c FILE --> [store] engine = ledger       DIR/ledger, replayed       history_ledger.c
//                       engine = clickhouse   asked of all shards        history_cluster.c
//
// Moments (moment.h) are opened on it. Commands do not ask which one it is.
#ifndef REPORT_HISTORY_H
#define REPORT_HISTORY_H

#include "base/err.h"
#include "report/options.h"
#include "report/verify.h"
#include "store/replay.h"
#include "store/rollup_def.h"

struct history;

// As --engine says, or else the configuration. Errors: NULL; TALLY_REFUSED for a configuration that
// is wrong; TALLY_UNAVAILABLE where a shard cannot be reached.
struct history *history_open(const struct options *options, struct tally_err *err);
void history_close(struct history *history); // NULL is allowed; after its moments

// Every file, in order; on_reject where it is set. on_begin is not called.
bool history_files(struct history *history, const struct replay_visitor *visitor,
                   struct tally_err *err);

// The definition that the daemons have left of a rollup. False with err->code TALLY_OK: there is
// none, and a rollup's file has to say it.
bool history_find_def(struct history *history, const char *name, struct rollup_def *out_def,
                      struct tally_err *err);

// That it is whole, and the rollups in `dir` are what it gives. Adds rows to *check.
bool history_verify(struct history *history, const char *dir, struct verify *check,
                    struct tally_err *err);

#endif
