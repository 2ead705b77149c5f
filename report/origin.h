// report/origin.h - where a command's rollup comes from.
//
//   -c FILE --> [tallyd] state = DIR --> DIR/rollup/NAME.rollup --> struct rollup
//                                    \-> DIR/ledger  --as-of-->     struct rollup in memory
#ifndef REPORT_ORIGIN_H
#define REPORT_ORIGIN_H

#include "base/err.h"
#include "report/moment.h"
#include "report/options.h"
#include "store/rollup_read.h"

// The state directory: --state, or `state` of the configuration and its drop-ins, or the default.
// The caller frees it. Errors: NULL; TALLY_REFUSED for a configuration that is wrong.
char *origin_state_dir(const struct options *options, struct tally_err *err);

// DIR/rollup, or the folder of a rollup that was named by its path; the caller frees it.
char *origin_rollup_dir(const struct options *options, const char *name, struct tally_err *err);

// Where the daemon listens: --socket, or `control` of the configuration, or the default. Errors:
// NULL; TALLY_REFUSED for a configuration that is wrong or has none.
char *origin_control_path(const struct options *options, struct tally_err *err);

// An open descriptor of DIR/ledger, or -1.
int origin_open_ledger(const struct options *options, struct tally_err *err);

struct origin {
    struct rollup *file;   // the rollup file, or NULL
    struct moment *moment; // the state that stands behind it, if it was asked for
    const struct rollup *rollup;
};

enum origin_depth {
    ORIGIN_FIGURES,   // the rollup is enough
    ORIGIN_INCIDENTS, // the state as well, at the moment that the rollup file is of
    ORIGIN_LEDGER,    // the state at the end of the ledger, whose last batches the file may lack
};

// Opens ROLLUP; with --as-of, as it stood then.
bool origin_open(struct origin *origin, const struct options *options, enum origin_depth depth,
                 struct tally_err *err);
void origin_close(struct origin *origin);

// Only the file.
struct rollup *origin_open_file(const struct options *options, const char *name,
                                struct tally_err *err);

#endif
