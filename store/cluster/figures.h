// store/cluster/figures.h - the day cells of a rollup, added up by the shards.
//
//   shard 1   versions --newest of each id--> incidents --by days and texts--> sums --+
//   shard 2   versions --newest of each id--> incidents --by days and texts--> sums --+--> cells
//
// Each shard has all versions of its ids: so what the shards say only has to be added. A range of
// id hashes at a time, so that no server needs memory for all ids at once, nor the caller for all
// answers.
//
//   log_apply(log, until, state)                   feeds, shapes, coverage
//   cells = cells_open(state, def)                 empty: the state has no incidents
//   figures_fill(servers, committed, state, cells)
//   log_sources(log, until, def, ...); cells_encode(cells, state, ...)
#ifndef STORE_CLUSTER_FIGURES_H
#define STORE_CLUSTER_FIGURES_H

#include "base/bytes.h"
#include "base/err.h"
#include "store/cells.h"
#include "store/cluster/servers.h"
#include "store/state.h"

#include <stdint.h>

// `committed`: what log_committed gave for the moment that log_apply put into `state`, which holds
// texts and no incidents, and gets the texts of the answers. Errors: those of servers_ask_each;
// TALLY_CORRUPT for an answer that cannot be; TALLY_LIMIT as cells_add.
bool figures_fill(struct servers *servers, const struct bytes *committed, struct state *state,
                  struct cells *cells, struct tally_err *err);
// The same by ranges of about so many versions of a shard.
bool figures_fill_by(struct servers *servers, const struct bytes *committed,
                     uint64_t range_versions, struct state *state, struct cells *cells,
                     struct tally_err *err);

#endif
