// report/moment.h - a rollup as it stood at an earlier moment, with the incidents behind it.
//
//   ledger   --replay until--> state --> cells --> rollup bytes --> struct rollup
//   shards   --figures as of--> cells ----------> rollup bytes --> struct rollup
//            --moment_take_...--> state --> cells
//
// The figures of the past take the same path as those of a file, so that they cannot differ. A
// ledger's state holds all incidents at once; of a cluster those are loaded that are asked for.
#ifndef REPORT_MOMENT_H
#define REPORT_MOMENT_H

#include "base/checksum.h"
#include "base/err.h"
#include "report/where.h"
#include "store/cells.h"
#include "store/replay.h"
#include "store/rollup_read.h"
#include "store/state.h"

#include <stddef.h>
#include <stdint.h>

struct history;

// The file that a batch came from.
struct moment_file {
    uint64_t batch;   // its number
    const char *name; // terminated
    struct digest digest;
};

struct moment;

// `history` and `def` are borrowed. Memory: a state of its own (store/state.h).
struct moment *moment_open(struct history *history, const struct rollup_def *def,
                           const struct replay_until *until, struct tally_err *err);
void moment_close(struct moment *moment); // NULL is allowed

// That the last batches of a rollup's file, as far as they were before the moment, are batches of
// this history: a file that was named by its path may be of another one. Of a cluster, which only a
// configuration names, nothing is compared. Errors: TALLY_INVALID.
bool moment_check_file(const struct moment *moment, const struct rollup *file,
                       struct tally_err *err);

const struct rollup *moment_rollup(const struct moment *moment);
uint64_t moment_batches(const struct moment *moment);

// Before the incidents are looked at, one of these. Errors: TALLY_LIMIT where there are more than
// memory is for.
//
// Those behind the figures of a window: all that have a day in it and pass.
bool moment_take_behind(struct moment *moment, int32_t first_day, int32_t last_day,
                        const struct where *where, struct tally_err *err);
bool moment_take_claims(struct moment *moment, struct tally_err *err);
// All that may differ between the two.
bool moment_take_changed(struct moment *before, struct moment *after, struct tally_err *err);

const struct state *moment_state(const struct moment *moment);
struct cells *moment_cells(const struct moment *moment);
// The file that said an incident last; NULL: not known.
const struct moment_file *moment_file(const struct moment *moment, const struct incident *incident);

// The rollup of a state, built in memory.
struct rollup *moment_encode(struct cells *cells, const struct state *state, uint64_t generation,
                             struct tally_err *err);

#endif
