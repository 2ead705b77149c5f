// store/cluster/batch.h - one batch on its way into the cluster: from rows to versions.
//
//   rows --wait--> ask the shards what is kept of their ids --> scratch state --state_apply-->
//                  versions of the incidents that changed --> insert
//
// What may replace what is decided by the same code as everywhere (store/state_apply.c), over a
// state that holds only the incidents that the rows name. Nothing that is put counts before the
// batch stands in the log; a batch that is given up leaves rows behind that nobody counts.
//
// Rows wait until there are BATCH_ROWS, so that one question serves many. Those of a snapshot wait
// until it is known that it is in force for their scopes: mostly at once, at its end otherwise.
#ifndef STORE_CLUSTER_BATCH_H
#define STORE_CLUSTER_BATCH_H

#include "base/err.h"
#include "store/cluster/servers.h"
#include "store/cluster/shapes.h"
#include "store/rows.h"
#include "store/state.h"
#include "store/texts.h"

#include <stddef.h>
#include <stdint.h>

enum {
    BATCH_ROWS = 1 << 17,
    BATCH_WAITING_BYTES_MAX = 1 << 30, // of rows of an older snapshot
};

// What a batch is; borrowed until it ends.
struct batch_of {
    struct servers *servers;
    struct shapes *shapes;
    const struct bytes *committed; // keys of the batches that count, uint64_t each
    const struct state *log;       // feeds and snapshots in force
    const struct shape *shape;
    uint64_t key;
    uint32_t number;
    enum batch_mode mode;
    bool by_revision;
    int scope_dim; // of a snapshot, else -1
};

// A dimension's texts by the file's codes.
struct batch_dim {
    uint32_t *place; // in texts
    size_t count;
    size_t capacity;
};

// A scope value that the snapshot names.
struct batch_scope {
    uint32_t place;                 // of its text
    const struct state_scope *kept; // the snapshot in force for it, or NULL
};

struct batch {
    struct batch_of of;
    uint64_t shape_hash;
    struct rows waiting;
    struct texts texts; // of dimensions
    struct batch_dim dim[SHAPE_DIMS_MAX];
    struct batch_scope *scope;
    size_t scopes_count;
    size_t scopes_capacity;
    unsigned char *scope_seen; // a byte a place of texts
    size_t scope_seen_count;
    struct revision newest; // of a snapshot's rows
    struct bytes newest_text;
    struct batch_counts counts;
    uint64_t puts;
    uint64_t versions; // that were inserted
    bool flushed;      // some of its rows were judged already
};

// Errors: as of servers.h, TALLY_NO_MEMORY.
bool batch_begin(struct batch *batch, const struct batch_of *of, struct tally_err *err);
void batch_done(struct batch *batch);

// Copies the rows. May judge and insert what waits.
bool batch_append(struct batch *batch, const struct rows *rows, struct tally_err *err);

// Whether a snapshot is in force for a scope, as far as its rows were seen.
bool batch_in_force(const struct batch *batch, const struct batch_scope *scope);
size_t batch_scopes_in_force(const struct batch *batch);

// All rows are judged and every shard has the versions, a snapshot's withdrawals included: only the
// row in the log is missing.
bool batch_end_rows(struct batch *batch, struct tally_err *err);

// Takes away what a batch that is given up left on the shards, as far as they can be reached.
void batch_abandon(struct batch *batch);

#endif
