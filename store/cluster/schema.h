// store/cluster/schema.h - the tables of the ledger in ClickHouse.
//
//   tally_versions   what each batch made of each incident that it changed     all shards, by id
//   tally_seen       which ids a snapshot at hand has named                    all shards, by id
//   tally_batches    one row a batch that was committed, and a file that made none   shard 1
//   tally_shapes     names of dimensions and measures                         shard 1
//   tally_feeds      which daemon serves a feed, and how its versions are ordered    shard 1
//   tally_rejects    rows that were set aside                                  shard 1
//   tally_rollups    what the rollups are, for the views                       shard 1
//
// Of each NAME_local is the table of one shard, (Replicated)ReplacingMergeTree, and NAME the
// Distributed table over all of them. Replicated where a host has ZooKeeper (there is
// system.zookeeper) and the macros {shard} and {replica}; a cluster whose shards have several
// servers needs that. The path is /clickhouse/tables/{shard}/DATABASE/NAME_local.
//
//   tally_cells, tally_window      views for people (docs/sql.md), over these:
//   tally_committed tally_coverage   which batches count; the days that each feed covers
//   tally_cells_of_shard(s)          the sums of one shard, and the Distributed table over them
//   tally_views                      of which rollups the views are: made last
#ifndef STORE_CLUSTER_SCHEMA_H
#define STORE_CLUSTER_SCHEMA_H

#include "base/err.h"
#include "store/cluster/servers.h"
#include "store/rollup_def.h"

#include <stddef.h>

// Makes what is absent, on every host of the options: database, tables; views anew where they are
// of other rollups. Then the rollups, all with one time_us, are what tally_rollups says. Errors:
// TALLY_INVALID where a table is there and differs, naming host, table and column;
// TALLY_UNAVAILABLE where one of the hosts cannot be reached.
bool schema_init(struct servers *servers, const struct rollup_def *defs, size_t defs_count,
                 struct tally_err *err);
// That all is there as schema_init makes it, on every host. Without rollups, for who only begins to
// work: the tables alone, on the hosts that answer; one of each shard does.
bool schema_check(struct servers *servers, const struct rollup_def *defs, size_t defs_count,
                  struct tally_err *err);

#endif
