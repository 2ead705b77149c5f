// store/cluster/cluster_store.h - the engine whose ledger is a ClickHouse cluster (store/engine.h).
//
//   rows --> what the shards keep of their ids --> state_apply --> versions --> all shards
//                                                                                  |
//                      a batch counts from here on: one row of the first shard's list
#ifndef STORE_CLUSTER_CLUSTER_STORE_H
#define STORE_CLUSTER_CLUSTER_STORE_H

#include "store/cluster/options.h"
#include "store/store.h"

// Opens STATE/rollup (made if absent) and asks the cluster what it holds. `cluster` is borrowed
// until store_close. Errors: TALLY_UNAVAILABLE: try again later; TALLY_INVALID: no such cluster, or
// its tables are not there as --init-store makes them.
struct store *cluster_store_open(int state_dir_fd, const struct cluster_options *cluster,
                                 const struct store_options *options, struct tally_err *err);

#endif
