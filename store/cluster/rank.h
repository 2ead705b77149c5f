// store/cluster/rank.h - a revision as a text whose bytes are in the order of revision_compare.
//
//   none ""  <  "\x01" numbers by value, equal ones alike  <  "\x02" other texts
//
// ClickHouse compares texts by their bytes: so the newest version of an incident is the one of the
// greatest rank, without its knowing what a revision is.
#ifndef STORE_CLUSTER_RANK_H
#define STORE_CLUSTER_RANK_H

#include "base/bytes.h"
#include "store/revision.h"

// Puts the rank alone, without its length.
void rank_put(struct bytes *out, const struct revision *revision);

#endif
