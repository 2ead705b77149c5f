// report/history_private.h - what the two kinds of history fill (history.h, moment.h).
#ifndef REPORT_HISTORY_PRIVATE_H
#define REPORT_HISTORY_PRIVATE_H

#include "base/arena.h"
#include "base/bytes.h"
#include "report/history.h"
#include "report/moment.h"
#include "store/cluster/options.h"

struct moment {
    struct history *history;
    const struct rollup_def *def; // borrowed
    struct replay_until until;
    struct state state; // feeds, coverage, and such incidents as were taken
    bool state_ready;
    struct cells *cells; // of the state; NULL: no incidents yet
    struct rollup *rollup;
    uint64_t batches;       // number of the last one
    struct bytes committed; // of a cluster: keys of the batches that count
};

struct history_engine {
    void (*close)(struct history *history);
    // The moment's rollup, and how many batches there are.
    bool (*fill)(struct moment *moment, struct tally_err *err);
    bool (*take_behind)(struct moment *moment, int32_t first_day, int32_t last_day,
                        const struct where *where, struct tally_err *err);
    bool (*take_claims)(struct moment *moment, struct tally_err *err);
    bool (*take_changed)(struct moment *before, struct moment *after, struct tally_err *err);
    const struct moment_file *(*file)(const struct moment *moment, uint32_t batch);
    bool by_number; // `batch` of file() is the batch's number, and not its place in a log
    bool (*files)(struct history *history, const struct replay_visitor *visitor,
                  struct tally_err *err);
    bool (*find_def)(struct history *history, const char *name, struct rollup_def *out_def,
                     struct tally_err *err);
    bool (*verify)(struct history *history, const char *dir, struct verify *check,
                   struct tally_err *err);
};

struct history {
    const struct history_engine *engine;
    const struct options *options;
};

struct history *history_open_ledger(const struct options *options, struct tally_err *err);
// Takes over `store`, also on failure.
struct history *history_open_cluster(const struct options *options, struct cluster_options *store,
                                     struct tally_err *err);

#endif
