// store/cluster/cluster_private.h - the cluster's store, shared by cluster_store.c and
// cluster_files.c.
#ifndef STORE_CLUSTER_CLUSTER_PRIVATE_H
#define STORE_CLUSTER_CLUSTER_PRIVATE_H

#include "store/cluster/batch.h"
#include "store/cluster/log.h"
#include "store/cluster/servers.h"
#include "store/cluster/shapes.h"
#include "store/engine.h"
#include "store/rollup_def.h"
#include "store/state.h"

struct cluster_feed {
    char *name;
    bool by_revision;
    bool registered; // by a file of this process
};

struct cluster_rollup {
    struct rollup_def def;
    bool dirty;          // the file on disk is older than the list of batches
    uint64_t generation; // number of its newest batch, and how many it has
    uint64_t batches;
};

// A batch or note of this process that `log` does not have yet, with what it points into.
struct cluster_entry {
    struct log_entry entry;
    struct bytes texts;
    struct shape *shape; // of a batch
};

struct cluster_store {
    struct store common;
    const struct cluster_options *options;
    struct servers *servers;
    struct shapes shapes;
    struct log log;
    struct state known;     // feeds, coverage, snapshots in force: of the log and of what is sealed
    struct bytes committed; // keys of the batches that count, uint64_t each; sealed ones included
    struct cluster_feed *feed;
    size_t feeds_count;
    struct cluster_rollup *rollup;
    size_t rollups_count;
    struct cluster_entry *sealed; // in order; those that store_sync has put come first
    size_t sealed_count;
    size_t put_count;
    size_t sealed_capacity;
    uint64_t last_key;
    int64_t last_time_ms;
    bool open; // a batch is at hand
    struct batch batch;
    char *source; // the feed that it came in by
    char *file;
    char *header;
    bool abandoned; // `batch` left rows on the servers, to be taken away by who may ask them
};

static inline struct cluster_store *cluster_of(struct store *common)
{
    return (struct cluster_store *)common; // its first member
}

static inline const struct cluster_store *cluster_of_const(const struct store *common)
{
    return (const struct cluster_store *)common;
}

// Reads the list of batches, with what this process has put into it. Requires: all is put.
bool cluster_load(struct cluster_store *store, struct tally_err *err);
// For a batch or note that begins: greater than all keys that are known, whatever the clocks of
// this machine and of others say.
uint64_t cluster_next_key(struct cluster_store *store);
// The rollups of this feed are older than what counts.
void cluster_mark_feed(struct cluster_store *store, const char *feed, uint64_t number);
// Before a file of this feed: registers who serves it. Errors: TALLY_REFUSED where another daemon
// does, and its revisions do not say what is newest.
bool cluster_take_feed(struct cluster_store *store, const char *name, bool *out_by_revision,
                       struct tally_err *err);
// Forgets what the log has by now.
void cluster_forget_sealed(struct cluster_store *store);

// ---- the functions of engine.h in cluster_files.c ---------------------------------------------

bool cluster_begin(struct store *common, const struct store_file *file, struct tally_err *err);
bool cluster_append(struct store *common, const struct rows *rows, struct tally_err *err);
struct store_open_batch cluster_open_batch(const struct store *common);
bool cluster_seal(struct store *common, const struct store_file_end *end,
                  struct store_outcome *out_outcome, struct tally_err *err);
bool cluster_abort(struct store *common, struct tally_err *err);
bool cluster_sync(struct store *common, struct tally_err *err);
bool cluster_note(struct store *common, enum file_outcome outcome, const char *feed,
                  const char *name, const struct store_file_end *end, const char *place,
                  const char *reason, struct tally_err *err);
bool cluster_each_reject(const struct store *common, uint64_t key,
                         const struct replay_visitor *visitor, struct tally_err *err);
bool cluster_find_accepted(const struct store *common, struct digest digest,
                           struct store_accepted *out_accepted);

#endif
