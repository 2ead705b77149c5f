// store/cluster/log.h - the list of batches and files that the cluster holds (tally_batches).
//
// The first shard has the list, and a batch counts from the moment when it stands there: one row,
// put when every shard has all of the batch. Who asks for figures asks for the list first, and
// hands it to every shard as the batches that count: so all of them answer for one moment.
//
//   tally_batches --load--> entries in order of commit --until--> committed: keys, for a question
//                                                      \-------> apply: coverage, into a state
//                                                      \-------> sources, for a rollup's file
#ifndef STORE_CLUSTER_LOG_H
#define STORE_CLUSTER_LOG_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/checksum.h"
#include "base/err.h"
#include "store/cells.h"
#include "store/cluster/servers.h"
#include "store/ledger_read.h"
#include "store/replay.h"
#include "store/state.h"

#include <stddef.h>
#include <stdint.h>

// One row. Texts and cursors are good until the log is loaded anew.
struct log_entry {
    uint64_t batch;     // its key, unique in the cluster: microseconds since 1970 when it began
    uint64_t number;    // 1, 2, 3 ... in order of commit; 0: a file that made no batch
    const char *writer; // terminated: the daemon that put it
    struct batch_begin begin; // of a batch: what a ledger's BEGIN says
    struct batch_end end;     // what its COMMIT or FILE says, of LEDGER_VERSION
    struct batch_counts counts;
    const struct shape *shape; // of a batch: names the feed whose incidents it changed; not put
    const char *file;          // terminated: its name; not put
};

struct log {
    struct log_entry *entry; // in order of commit: by (time_ms, batch), each once
    size_t count;
    struct bytes answer;  // private: what the entries point into
    struct arena texts;   // private
    struct shape **shape; // private: each once
    size_t shapes_count;
};

void log_init(struct log *log);
void log_done(struct log *log);

// Reads all of it anew.
bool log_load(struct log *log, struct servers *servers, struct tally_err *err);
// Puts rows; they stand there for good when it returns. Of a batch `begin` has its shape's bytes.
bool log_put(struct servers *servers, const struct log_entry *entries, size_t count,
             struct tally_err *err);
// The two without a server: rows as tally_batches has them. Takes over log->answer.
bool log_encode(const struct log_entry *entries, size_t count, struct bytes *out,
                struct tally_err *err);
bool log_decode(struct log *log, struct tally_err *err);

// The rows that were set aside in a batch: on_reject, with what the entry says of the file.
bool log_each_reject(struct servers *servers, const struct log_entry *entry,
                     const struct replay_visitor *visitor, struct tally_err *err);

// Whether an entry is among those of a moment: batches up to until's number and time, and the files
// without a batch that stand before the first one that is not.
bool log_holds(const struct log *log, const struct replay_until *until, size_t index);
uint64_t log_newest(const struct log *log, const struct replay_until *until); // number; 0: none

// Keys of the batches that count as of `until`, for a question's "committed"; a FORGET takes out
// those of its feed before it. `out` is bytes of uint64_t, host order.
bool log_committed(const struct log *log, const struct replay_until *until, struct bytes *out,
                   struct tally_err *err);

// What the entries as of `until` say beside their rows, in order: feeds, shapes, coverage, when a
// feed's newest batch was committed, snapshots in force. Requires: the state has no incidents.
bool log_apply(const struct log *log, const struct replay_until *until, struct state *state,
               struct tally_err *err);

// What a rollup file says of its making. Its batches are numbers, which rise: of two with one
// number the file lists the one that was committed last. `sources`: memory for what *out points to;
// texts stay with the log.
void log_sources(const struct log *log, const struct replay_until *until,
                 const struct rollup_def *def, struct rollup_source sources[ROLLUP_SOURCES_MAX],
                 struct cells_provenance *out);

#endif
