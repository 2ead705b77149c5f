// store/cluster/newest.h - questions about the newest version of each incident (private to
// store/cluster/).
//
//   id hashes   |--- range 0 ---|--- range 1 ---| ... |      one question each, to all shards
//
//   SELECT ... FROM (SELECT <columns> <newest_put>) WHERE op = 0 ...
//
// The newest version is the greatest by (rank, buried, batch, record), found by sorting and taking
// the first of each id: over 3 million versions of 2 million ids 18.16 took 6 s and 0.5 GB so, and
// 15 to 29 s and 0.9 GB by argMax over tuples. A range is as large as one server sorts in some
// hundred MB; ranges follow the table's order, so that no row is read for two of them.
#ifndef STORE_CLUSTER_NEWEST_H
#define STORE_CLUSTER_NEWEST_H

#include "base/bytes.h"
#include "base/err.h"
#include "store/cluster/servers.h"

#include <stddef.h>
#include <stdint.h>

enum {
    NEWEST_RANGE_VERSIONS = 2 << 20, // of a shard, about
    NEWEST_RANGES_MAX = 1 << 20,
};

// Of these feeds. Texts are borrowed.
struct newest_of {
    const char *const *feed;
    size_t feeds_count;
    bool touched;      // only ids of which a batch in the numbers "touched" has a version
    const char *where; // a condition on versions more; NULL: none
};

// In how many ranges the feeds' ids are best asked for, so that about `range_versions` of a shard
// are in each: a power of two. Errors: those of servers_ask_each.
bool newest_ranges(struct servers *servers, const struct newest_of *of, uint64_t range_versions,
                   uint64_t *out_ranges, struct tally_err *err);

// Whether a range whose answer took too much memory, a server's or ours, is asked for in halves: 2
// * range and 2 * range + 1 of 2 * ranges.
static inline bool newest_halves(uint64_t ranges, const struct tally_err *err)
{
    return err->code == TALLY_NO_MEMORY && ranges < NEWEST_RANGES_MAX;
}

// Puts "FROM ... LIMIT 1 BY ..." of one range, 0 .. ranges - 1. The question needs the numbers
// "committed". Columns that stand in front of it may be any of tally_versions, and made of them.
void newest_put(struct bytes *sql, const struct newest_of *of, uint64_t range, uint64_t ranges);

#endif
