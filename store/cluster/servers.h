// store/cluster/servers.h - questions to the shards of a ClickHouse cluster, and inserts.
//
//   hosts a:8123 b:8123 c:8123 --system.clusters--> shard 1: a, c     shard 2: b
//
//   servers_ask        one shard, any of its hosts
//   servers_ask_each   all shards at once: all answers or none
//   servers_insert     one block of rows through any host, which hands each row to its shard
//                      and answers when all have it (insert_distributed_sync)
//
// Where shards have replicas, a question waits until the one that is asked has all that any of them
// has of the tables tally_..._local that it names.
//
// Each is tried anew, on the next host and after growing waits (libcurl's multi interface, HTTP):
// a question changes nothing, and an insert is made of rows that may stand twice. What cannot be
// had within `retry_ms` is TALLY_UNAVAILABLE; a server that understands a question and refuses it
// is TALLY_INVALID with its words (TALLY_NO_SPACE, TALLY_NO_MEMORY, TALLY_NOT_FOUND where its code
// says so).
//
// Threads: one at a time. It waits in the caller's thread, a worker's, as a sync of a disk does.
#ifndef STORE_CLUSTER_SERVERS_H
#define STORE_CLUSTER_SERVERS_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/progress.h"
#include "store/cluster/options.h"

#include <stddef.h>
#include <stdint.h>

enum { SERVERS_SHARDS_MAX = 64 };

struct servers;

// Finds out which host stands for which shard. Errors: TALLY_INVALID: no such cluster, a shard
// without a host in the list; TALLY_UNAVAILABLE. `options` are borrowed.
struct servers *servers_open(const struct cluster_options *options, struct progress progress,
                             struct tally_err *err);
void servers_close(struct servers *servers); // NULL is allowed
void servers_watch(struct servers *servers, struct progress progress);
// From now on nobody waits for a server once this is readable: TALLY_UNAVAILABLE.
void servers_stop_by(struct servers *servers, int stop_fd);
bool servers_is_reachable(const struct servers *servers, size_t host); // when it was asked last

const struct cluster_options *servers_options(const struct servers *servers);
size_t servers_shards(const struct servers *servers); // shards are 0 .. this - 1
// Of a host of the options; -1: it was never reached, so nobody knows.
int servers_shard_of(const struct servers *servers, size_t host);
unsigned servers_version(const struct servers *servers); // 18016 of the oldest: 18.16

// Numbers that a question names behind IN, sent along with it: "... WHERE batch IN committed".
// There they are, and only there: a question too long for a URL has them put in their place.
struct servers_numbers {
    const char *name; // "committed"
    const uint64_t *number;
    size_t count;
};

struct servers_question {
    const char *sql; // SELECT without FORMAT: answered in RowBinary (sql.h); or a statement
    const struct servers_numbers *numbers;
    size_t numbers_count;
    bool outside; // asked without the database of the options, which may not be there yet
};

// Answers are put behind what *out holds.
bool servers_ask(struct servers *servers, size_t shard, const struct servers_question *question,
                 struct bytes *out, struct tally_err *err);
// One host by its number in the options: for what has to be said to each.
bool servers_ask_host(struct servers *servers, size_t host, const struct servers_question *question,
                      struct bytes *out, struct tally_err *err);
// out[servers_shards]: each initialised by the caller.
bool servers_ask_each(struct servers *servers, const struct servers_question *question,
                      struct bytes *out, struct tally_err *err);

// Rows in RowBinary: all columns of the table, in their order.
bool servers_insert(struct servers *servers, const char *table, const struct bytes *rows,
                    struct tally_err *err);
// The same into a table of that shard itself.
bool servers_insert_at(struct servers *servers, size_t shard, const char *table,
                       const struct bytes *rows, struct tally_err *err);

#endif
