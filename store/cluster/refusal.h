// store/cluster/refusal.h - what a server says instead of an answer.
//
//   18.16  Code: 241, e.displayText() = DB::Exception: Memory limit ..., e.what() = DB::Exception
//   today  Code: 241. DB::Exception: Memory limit ... (MEMORY_LIMIT_EXCEEDED) (version 26.1 ...)
//
// Codes: those that pass by themselves (a shard or ZooKeeper that another server cannot reach, too
// many queries or parts) are TALLY_UNAVAILABLE, and the caller tries again; the others are for
// good.
#ifndef STORE_CLUSTER_REFUSAL_H
#define STORE_CLUSTER_REFUSAL_H

#include "base/err.h"

#include <stddef.h>

// Fills err from the status and body of an answer that is none. Returns false.
bool refusal_read(const char *host, long status, const char *body, size_t bytes,
                  struct tally_err *err);

#endif
