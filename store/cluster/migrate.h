// store/cluster/migrate.h - a ledger of this machine into the cluster and back, batch by batch.
//
//   ledger --replay--> state --what each batch changed--> versions --> shards
//                                                          row of the log, with the ledger's number
//   log, versions --by batch--> rows --> ledger            (store/restore.h)
//
// Every batch and every note keeps its number, time, file and counts, so that the past stays what
// it was. What is there already has to be the same files in the same order: they are passed over,
// and so a migration that was cut off goes on where it stood.
#ifndef STORE_CLUSTER_MIGRATE_H
#define STORE_CLUSTER_MIGRATE_H

#include "base/err.h"
#include "store/state.h"
#include "store/store.h"

#include <stdint.h>

struct migrate_progress {
    void (*on_batch)(void *context, uint64_t batch, uint64_t incidents); // may be NULL
    void *context;
};

struct migrate_end {
    uint64_t batches; // that are there now
    uint64_t passed;  // of them, those that were there before
    size_t files;     // batches and notes of what it came from; a cluster may have others behind
};

// `store`: of a cluster, without an open batch. `state`: empty, keeps origins; holds the ledger's
// incidents afterwards. What others brought into the cluster behind the ledger's files stays there.
// Errors: those of replay and of store_append; TALLY_INVALID where the cluster holds other files,
// or cannot say what the ledger says.
bool migrate_into(struct store *store, int ledger_dir_fd, struct state *state,
                  const struct migrate_progress *progress, struct migrate_end *out_end,
                  struct tally_err *err);

// Out of the cluster, into a ledger of this machine. A version is what a batch made of an incident:
// so of a file that named an incident several times, `revised` counts it once there. Batches are
// numbered anew in order of commit where two daemons gave two of them one number. Errors: those of
// servers_ask_each and of store_append; TALLY_INVALID where the ledger holds other files.
struct migrate_out {
    struct servers *servers;
    int ledger_dir_fd;   // of `store`
    struct store *store; // store_open, without an open batch
};
bool migrate_out_of(const struct migrate_out *out, const struct migrate_progress *progress,
                    struct migrate_end *out_end, struct tally_err *err);

#endif
