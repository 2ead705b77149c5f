// report/moment.h - a rollup as it stood at an earlier moment, with the incidents behind it.
//
//   ledger --replay until--> state --> cells --> rollup bytes --> struct rollup
//
// The figures of the past take the same path as those of a file, so that they cannot differ.
#ifndef REPORT_MOMENT_H
#define REPORT_MOMENT_H

#include "base/checksum.h"
#include "base/err.h"
#include "store/cells.h"
#include "store/replay.h"
#include "store/rollup_read.h"
#include "store/state.h"

#include <stddef.h>
#include <stdint.h>

// The file that a batch came from.
struct moment_file {
    const char *name; // terminated
    struct digest digest;
};

struct moment;

// Memory: a state of its own (store/state.h).
struct moment *moment_open(int ledger_dir_fd, const struct rollup_def *def,
                           const struct replay_until *until, struct tally_err *err);
void moment_close(struct moment *moment); // NULL is allowed

const struct rollup *moment_rollup(const struct moment *moment);
const struct state *moment_state(const struct moment *moment);
struct cells *moment_cells(const struct moment *moment);
uint64_t moment_batches(const struct moment *moment);
const struct moment_file *moment_file(const struct moment *moment, uint64_t batch); // or NULL

// The rollup of a state, built in memory.
struct rollup *moment_encode(struct cells *cells, const struct state *state, uint64_t generation,
                             struct tally_err *err);

#endif
