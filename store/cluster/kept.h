// store/cluster/kept.h - incidents out of the cluster into a state, as they stood at a moment.
//
// For who needs the incidents themselves: what stands behind a figure, what changed between two
// moments, claims. The state is filled by state_apply, so that all that reads states reads these.
// Only what counts is loaded: withdrawn incidents are absent.
#ifndef STORE_CLUSTER_KEPT_H
#define STORE_CLUSTER_KEPT_H

#include "base/bytes.h"
#include "base/err.h"
#include "store/cluster/log.h"
#include "store/cluster/servers.h"
#include "store/state.h"

#include <stddef.h>
#include <stdint.h>

enum {
    KEPT_INCIDENTS_MAX = 20000000, // some 100 to 150 bytes each
    KEPT_RANGE_VERSIONS = 1 << 18, // an answer of some 50 MB
};

// Whether one is wanted, before it takes memory. `dims`: text codes of the state in the order of
// the shape, which is the state's. False after filling err stops.
typedef bool kept_wants(void *context, const struct state *state, uint16_t shape,
                        const uint32_t *dims, bool *out_wanted, struct tally_err *err);

// Which of them.
struct kept_want {
    const char *const *feed; // names of those whose incidents are wanted
    size_t feeds_count;
    int32_t first_day; // those that have any day from this one ...
    int32_t last_day;  // ... to this one
    // Only ids of which one of these batches has a version: bytes of uint64_t as log_committed
    // gives them. NULL: all.
    const struct bytes *touched;
    kept_wants *wants; // NULL: all of them
    void *context;
    uint64_t incidents_max;  // 0: KEPT_INCIDENTS_MAX
    uint64_t range_versions; // asked for at once of a shard; 0: KEPT_RANGE_VERSIONS
};

// `committed`: what log_committed gave for the moment that log_apply put into `state`, which has to
// keep origins. The batch of an origin is 1 + its index in log->entry: two daemons may give one
// number to two batches. Errors: TALLY_LIMIT with their number where there are more than
// incidents_max; those of servers_ask_each; TALLY_CORRUPT for an answer that cannot be.
bool kept_load(struct servers *servers, const struct log *log, const struct bytes *committed,
               const struct kept_want *want, struct state *state, struct tally_err *err);

#endif
