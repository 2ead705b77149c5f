// store/store.h - the writing half: one ledger, the state it describes, the rollups made of it.
// The ledger is on this machine (store_open) or on a cluster (cluster/cluster_store.h): what stands
// behind this interface is engine.h.
//
//   store_begin -> store_append ... -> store_seal --+--> store_sync -> store_publish
//   store_begin -> store_append ... -> store_seal --+
//                                   or -> store_abort, store_note
//
// Happy path: rows of one file go to the ledger as they come and count for nothing until the batch
// is sealed. Then they are applied by reading them back, exactly as a restart would, so that the
// next batch sees them. Several batches may be sealed before one sync makes all of them last, in
// their order. Nothing of a sealed batch may be told or published before store_sync came back.
// Failure: before the seal, abort cuts the ledger back to the batch before and the state never
// changed. A sync that failed breaks the store (store_is_broken): what is in memory may be on no
// disk, so the process has to end, and the next start recovers from what the disk really holds. So
// does a batch that is whole in the ledger and cannot be applied for want of memory.
//
// A cluster that cannot be reached: begin, append, seal, sync, publish, refresh and each_reject
// give TALLY_UNAVAILABLE. Before the seal, abort and try the file again; what is sealed stays so,
// and store_sync is called again until it succeeds or the process ends.
//
// Threads: one at a time; the daemon hands the store to one worker and gets it back.
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/checksum.h"
#include "base/err.h"
#include "base/progress.h"
#include "store/ledger_read.h"
#include "store/replay.h"
#include "store/rollup_def.h"
#include "store/rows.h"

#include <stddef.h>
#include <stdint.h>

// A feed of the configuration, under the name of the incidents that it brings: a feed of deletions
// is no feed of its own.
struct store_feed {
    const char *name;
    bool by_revision; // an upsert with a revision column: its files may come in any order
};

struct store_options {
    uint64_t segment_bytes_max; // of a ledger segment
    const struct rollup_def *defs;
    size_t defs_count;
    const struct store_feed *feeds;
    size_t feeds_count;
    uint64_t patch_from_bytes; // rollup files of this size and more are published with patches
    struct progress progress;  // of opening, until store_watch
    int stop_fd; // readable once the process is to end: nobody waits for a server then; 0: never
};
enum { STORE_SEGMENT_BYTES = 64 << 20, STORE_PATCH_FROM_BYTES = 128 << 10 };

struct store;

// Opens STATE/ledger and STATE/rollup (made if absent), replays the ledger, cuts off an unfinished
// tail. Errors: TALLY_CORRUPT for a damaged ledger: nothing was changed then.
struct store *store_open(int state_dir_fd, const struct store_options *options,
                         struct tally_err *err);
void store_close(struct store *store); // NULL is allowed

// Who is told from now on that work comes further: each frame of the ledger that was written or
// read, each rollup.
void store_watch(struct store *store, struct progress progress);

const char *store_engine_name(const struct store *store); // as [store] engine has it
// Other processes may write to the same ledger: store_refresh sees what came of it.
bool store_is_shared(const struct store *store);
bool store_is_broken(const struct store *store);
// All that was sealed and noted is on the disk: what the store says may be shown.
bool store_is_synced(const struct store *store);
uint64_t store_incidents(const struct store *store); // withdrawn ones included
uint64_t store_batches(const struct store *store);
uint64_t store_recovered_bytes(const struct store *store); // of an unfinished tail, at open

// The accepted file with this content, if there is one.
struct store_accepted {
    uint64_t batch;
    const char *file;  // its name then
    uint64_t rejected; // rows set aside
    uint64_t key;      // of the batch, for store_each_reject
};
bool store_find_accepted(const struct store *store, struct digest digest,
                         struct store_accepted *out_accepted);

// What is known about a file before its first row ...
struct store_file {
    enum batch_mode mode;
    const char *feed; // that it came in by
    const char *name;
    const char *header; // CSV header record
    int scope_dim;      // of a snapshot, else -1
    const struct shape *shape;
};
// ... and after its last.
struct store_file_end {
    struct digest digest;
    int64_t time_ms; // now; a clock that stepped back is held at the last batch's time
    uint64_t bytes;
    uint64_t records;
    uint64_t rejected;
    uint64_t disordered;
    bool unterminated;
    bool any_day;
    int32_t first_day;
    int32_t last_day;
};
struct store_outcome {
    enum file_outcome outcome;
    uint64_t batch; // of an accepted file; of a duplicate: the batch that took the content in
    struct batch_counts counts;
};

bool store_begin(struct store *store, const struct store_file *file, struct tally_err *err);
bool store_append(struct store *store, const struct rows *rows, struct tally_err *err);
// Accepted, duplicate or superseded: the outcome says which, and is to be told after store_sync.
// TALLY_REFUSED: the file as a whole cannot be taken in (an empty snapshot); the batch is aborted
// then.
bool store_seal(struct store *store, const struct store_file_end *end,
                struct store_outcome *out_outcome, struct tally_err *err);
// Back to the batch before, also where that is not synced yet. Without an open batch: nothing.
bool store_abort(struct store *store, struct tally_err *err);
// What was sealed and noted so far is on the disk for good. Requires: no batch is open. Costs
// nothing where nothing was.
bool store_sync(struct store *store, struct tally_err *err);
// store_seal and store_sync, of a batch that comes alone.
bool store_commit(struct store *store, const struct store_file_end *end,
                  struct store_outcome *out_outcome, struct tally_err *err);

// What other processes have committed meanwhile counts from now on, and the rollups that it changes
// need publishing. Requires: no batch is open.
bool store_refresh(struct store *store, struct tally_err *err);

// A batch of its own that says: nothing of this feed counts any more, and each of its files may be
// accepted again. Requires: no batch is open. TALLY_UNSUPPORTED on a cluster.
bool store_forget(struct store *store, const char *feed, int64_t time_ms, struct tally_err *err);

// Notes a file that made no batch: refused, with place and reason. Lasts with the next store_sync.
bool store_note(struct store *store, enum file_outcome outcome, const char *feed, const char *name,
                const struct store_file_end *end, const char *place, const char *reason,
                struct tally_err *err);

// The rows that were set aside in an accepted batch, from the ledger.
bool store_each_reject(const struct store *store, uint64_t key,
                       const struct replay_visitor *visitor, struct tally_err *err);

// Writes the rollups whose feeds had a batch since the last time: of a large one that was written
// since the start only its patch, of others the whole file. Each file is replaced whole. Requires:
// all is synced, so that no figure is made of what a power cut could take back.
bool store_publish(struct store *store, struct tally_err *err);
bool store_needs_publishing(const struct store *store);

// A patch grows with what changed. Folding writes one rollup that has a patch anew and removes the
// patch: for when nobody waits. Requires: nothing needs publishing.
enum store_patches { STORE_NO_PATCH, STORE_PATCHES, STORE_LARGE_PATCHES };
enum store_patches store_patches(const struct store *store);
bool store_fold(struct store *store, struct tally_err *err);

// What it holds, for a status. Texts are borrowed until the store is used again.
struct store_feed_view {
    const char *name;
    bool any_day;
    int32_t first_day; // coverage
    int32_t last_day;
    int64_t newest_ms;  // when its newest batch was committed; 0: it has none
    uint64_t incidents; // that count
};
struct store_rollup_view {
    const char *name;
    uint64_t generation;  // the newest batch of its feeds
    uint64_t patch_bytes; // 0: there is no patch
    bool waits;           // to be published
};
size_t store_feeds_count(const struct store *store);
struct store_feed_view store_feed_at(const struct store *store, size_t index);
bool store_find_feed(const struct store *store, const char *name,
                     struct store_feed_view *out_view); // false: absent
size_t store_rollups_count(const struct store *store);
struct store_rollup_view store_rollup_at(const struct store *store, size_t index);
struct store_host_view {
    const char *host; // NAME:PORT
    bool reachable;   // when it was asked last
};
size_t store_hosts_count(const struct store *store); // 0: it is on this machine
struct store_host_view store_host_at(const struct store *store, size_t index);

// Another set of rollups from now on: what is new or changed is filled from the incidents that are
// kept, what stays as it is keeps its cells. All of it or, on an error, nothing.
bool store_set_rollups(struct store *store, const struct rollup_def *defs, size_t count,
                       struct tally_err *err);

// Another set of feeds from now on (struct store_feed). Errors: TALLY_NO_MEMORY, nothing changed.
bool store_set_feeds(struct store *store, const struct store_feed *feeds, size_t count,
                     struct tally_err *err);

// Removes the files of rollups that nobody keeps up to date any more. Told after each.
typedef void store_on_removed(void *context, const char *file);
bool store_remove_strangers(struct store *store, store_on_removed *on_removed, void *context,
                            struct tally_err *err);

#endif
