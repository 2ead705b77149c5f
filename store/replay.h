// store/replay.h - from the ledger to the state, at any past moment.
//
// The daemon's recovery, its ordinary path (a batch is applied by reading it back), `--as-of`,
// `diff`, `explain`, `files` and `verify` all go through here, so that they cannot differ.
#ifndef STORE_REPLAY_H
#define STORE_REPLAY_H

#include "base/err.h"
#include "store/ledger_read.h"
#include "store/state.h"

#include <stddef.h>
#include <stdint.h>

// One file of the ledger, in order: a batch, or a file that made none (batch 0).
struct replay_file {
    uint64_t batch;                  // 0: no batch
    const struct batch_begin *begin; // NULL without a batch
    const struct batch_end *end;
    struct batch_counts counts; // of a batch: what its rows did, skipped ones included
    struct ledger_position at;  // of BEGIN or FILE
};

// One row that was set aside in the batch at hand. Texts are not terminated.
struct replay_reject {
    uint64_t record;
    uint64_t line;
    uint64_t offset;
    const char *reason;
    size_t reason_bytes;
    const char *detail;
    size_t detail_bytes;
    const char *raw;
    size_t raw_bytes;
};

// Any of them may be NULL. False after filling err stops the replay.
struct replay_visitor {
    void *context;
    // A frame of the ledger was read: a bounded piece of work, for whoever watches that it goes on.
    void (*on_frame)(void *context);
    // Before a batch's rows, with its end already known; *out_skip leaves the rows out.
    bool (*on_begin)(void *context, const struct replay_file *file, bool *out_skip,
                     struct tally_err *err);
    bool (*on_reject)(void *context, const struct replay_file *file,
                      const struct replay_reject *reject, struct tally_err *err);
    // After its rows were applied.
    bool (*on_file)(void *context, const struct replay_file *file, struct tally_err *err);
};

// How far. The whole ledger: replay_all.
struct replay_until {
    uint64_t batch;  // this batch and those before it
    int64_t time_ms; // committed at this time or before
};
extern const struct replay_until replay_all;
// "3" is batch 3, "0" before any batch; anything with a dash is a UTC time: "2020-10-24" (the
// whole day), "2020-10-24T12:30:00Z". TALLY_INVALID otherwise.
bool replay_until_parse(const char *text, struct replay_until *out_until, struct tally_err *err);

struct replay_end {
    struct ledger_position at;      // behind the last COMMIT or FILE that was taken
    uint64_t batches;               // last batch applied
    bool torn;                      // bytes of an unfinished batch stand behind
    struct ledger_position stopped; // where reading ended: behind `at` when torn
};

// Applies the ledger to a fresh state. A ledger directory that is empty has no batches.
// Errors: TALLY_CORRUPT naming segment, offset and batch when anything before the last commit is
// damaged; TALLY_IO.
bool replay(struct state *state, int ledger_dir_fd, const struct replay_until *until,
            const struct replay_visitor *visitor, struct replay_end *out_end,
            struct tally_err *err);

// Applies the one batch or FILE that starts at `from`.
bool replay_one(struct state *state, struct ledger_reader *reader, struct ledger_position from,
                const struct replay_visitor *visitor, struct replay_file *out_file,
                struct tally_err *err);

// Only the rows that were set aside in the batch that starts at `from`: on_reject.
bool replay_rejects(struct ledger_reader *reader, struct ledger_position from,
                    const struct replay_visitor *visitor, struct tally_err *err);

#endif
