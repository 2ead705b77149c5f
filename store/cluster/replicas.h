// store/cluster/replicas.h - whether a replica has all that the others of its shard have.
//
//   an insert --> one replica --log in ZooKeeper--> the others, when they come to it
//
// An insert is whole when one replica has it: another one that is asked right behind may not know
// it. So it is first asked how far it has read the log of each table of a shard that the question
// names, and whether what it read there is still to be fetched. SYSTEM SYNC REPLICA would do the
// same and more, but not for a user who may only read.
//
//   replicas_put_look --> replicas_read_look --+--> REPLICA_UP, REPLICA_BEHIND
//                                              +--> REPLICA_UNCLEAR --> replicas_read_log
#ifndef STORE_CLUSTER_REPLICAS_H
#define STORE_CLUSTER_REPLICAS_H

#include "base/bytes.h"

#include <stdbool.h>

enum replica_state {
    REPLICA_UP,
    REPLICA_BEHIND,
    REPLICA_UNCLEAR, // a log is empty, or nothing of it was read
};

// The question how far it is with the tables tally_..._local of a statement. False: none is named.
bool replicas_put_look(struct bytes *sql, const char *database, const char *statement);
// REPLICA_UNCLEAR puts the question that settles it. A malformed answer is REPLICA_BEHIND.
enum replica_state replicas_read_look(const struct bytes *answer, struct bytes *next_sql);
enum replica_state replicas_read_log(const struct bytes *answer);

#endif
