// report/origin.h - where a command's rollup comes from.
//
//   -c FILE --> [tallyd] state = DIR --> DIR/rollup/NAME.rollup --> struct rollup
//                 [store] engine --> history.h  --as-of-->       struct rollup in memory
#ifndef REPORT_ORIGIN_H
#define REPORT_ORIGIN_H

#include "base/err.h"
#include "report/history.h"
#include "report/moment.h"
#include "report/options.h"
#include "store/cluster/options.h"
#include "store/rollup_read.h"

// The state directory: --state, or `state` of the configuration and its drop-ins, or the default.
// The caller frees it. Errors: NULL; TALLY_REFUSED for a configuration that is wrong.
char *origin_state_dir(const struct options *options, struct tally_err *err);

// DIR/rollup, or the folder of a rollup that was named by its path; the caller frees it.
char *origin_rollup_dir(const struct options *options, const char *name, struct tally_err *err);

// Where the daemon listens: --socket, or `control` of the configuration, or the default. Errors:
// NULL; TALLY_REFUSED for a configuration that is wrong or has none.
char *origin_control_path(const struct options *options, struct tally_err *err);

// [store], with the keys of its own where it says none. Errors: TALLY_REFUSED for one that is
// wrong, also where --engine clickhouse finds no hosts.
bool origin_read_store(const struct options *options, struct cluster_options *out_store,
                       struct tally_err *err);

// An open descriptor of DIR/ledger, or -1.
int origin_open_ledger(const struct options *options, struct tally_err *err);
// The same for who needs the segments themselves. Errors: TALLY_UNSUPPORTED where the ledger is on
// a cluster.
int origin_open_segments(const struct options *options, struct tally_err *err);

// Wraps what was not found in the default places, where nobody named others. Always false.
bool origin_hint(const struct options *options, struct tally_err *err);

struct origin {
    struct rollup *file;     // the rollup file, or NULL
    struct history *history; // NULL: it was not asked for
    struct moment *moment;   // of it
    struct rollup_def def;   // of the history, where no file says it
    bool def_ready;
    const struct rollup *rollup;
};

enum origin_depth {
    ORIGIN_FIGURES,   // the rollup is enough
    ORIGIN_INCIDENTS, // a moment as well, that which the rollup file is of
    ORIGIN_LEDGER,    // the moment of now, whose last batches the file may lack
};

// Opens ROLLUP; with --as-of, as it stood then; with --engine from there, whatever its file says.
bool origin_open(struct origin *origin, const struct options *options, enum origin_depth depth,
                 struct tally_err *err);
void origin_close(struct origin *origin);

// Only the file.
struct rollup *origin_open_file(const struct options *options, const char *name,
                                struct tally_err *err);

#endif
