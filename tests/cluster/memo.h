// tests/cluster/memo.h - servers that remember what they answered, and fail when they are told to.
//
//   store/cluster --servers_ask, servers_insert ...--> memo --first time--> servers
//                                                        \--any other----> memory
//
// What a server answers follows from the request and from all changes before it. So each pair of
// the two is asked of real servers once, of a database that was brought to where the changes lead;
// from then on the answer comes out of memory, and a scenario that runs a thousand times takes
// milliseconds each time.
//
// For programs that are linked with memo.c and fail.c, with --wrap for the functions of servers.h
// that memo.c has, and for clock_now_ms: no two runs would be alike by a clock that goes. What the
// stand-in does itself neither fails nor counts. Threads: one. Errors of the servers end the
// program.
#ifndef TESTS_CLUSTER_MEMO_H
#define TESTS_CLUSTER_MEMO_H

#include "store/cluster/options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum memo_root {
    MEMO_NOTHING, // not even the database
    MEMO_TABLES,  // empty ones
};

enum memo_fault {
    MEMO_UNREACHED, // no server heard it
    MEMO_UNHEARD,   // it was done, and nobody heard so
    MEMO_REFUSED,   // TALLY_INVALID
    MEMO_NO_SPACE,
    MEMO_NO_MEMORY,
    // Of questions alone: the answer is another one. `where` says which byte.
    MEMO_EMPTY,
    MEMO_CUT,     // before that byte
    MEMO_LONGER,  // a byte more
    MEMO_GARBLED, // the byte is 0xff
    MEMO_ZEROED,  // the byte is 0
};

void memo_open(char *hosts, const char *cluster);
void memo_close(void);
// For the store's functions: a database that is there under another name.
struct cluster_options *memo_options(void);

// From here on: what the requests meet.
void memo_begin(enum memo_root root);
// The `at`-th request fails; 1 is the next one.
void memo_arm(enum memo_fault fault, long at, size_t where);
// Whether it came to that. *out_request: what it was; *out_bytes: of the true answer.
bool memo_disarm(const char **out_request, size_t *out_bytes);
// What was never asked is TALLY_UNAVAILABLE from now on: for runs that a false answer leads astray.
void memo_only(bool only);
void memo_clock(int64_t now_s); // what it is now
uint64_t memo_state(void);      // follows from the changes so far
unsigned memo_asked(void);      // of real servers, so far

#endif
