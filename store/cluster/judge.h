// store/cluster/judge.h - what rows do to what the shards keep (private to store/cluster/).
#ifndef STORE_CLUSTER_JUDGE_H
#define STORE_CLUSTER_JUDGE_H

#include "store/cluster/batch.h"

// Judges all waiting rows, inserts what came of them, counts. The rows are gone afterwards.
bool judge_waiting(struct batch *batch, struct tally_err *err);

// Withdraws what a snapshot does not name. Requires: no row waits, and tally_seen has all ids.
bool judge_missing(struct batch *batch, struct tally_err *err);

#endif
