// daemon/scan.h - a look at the inbox: which files are ready, oldest arrival first.
#ifndef DAEMON_SCAN_H
#define DAEMON_SCAN_H

#include "daemon/inbox.h"
#include "daemon/queue.h"

#include <stdint.h>

// Files that stay in the inbox and were told about already, so that each is told once until it
// changes.
struct scan_told {
    uint64_t name_hash;
    int64_t changed_ns;
};
struct scan_memory {
    struct scan_told *told; // a hash table; name_hash 0 is free
    size_t count;
    size_t slots; // power of two
};
void scan_memory_done(struct scan_memory *memory);

// Whether this name in this state was told about; and the same, remembering it.
bool scan_was_told(const struct scan_memory *memory, const char *name, int64_t changed_ns);
bool scan_is_news(struct scan_memory *memory, const char *name, int64_t changed_ns);

// Puts the names into `queue`, which is emptied first. Files younger than `settle_ms` may still
// be written and wait; *out_waiting counts them.
bool scan_inbox(const struct inbox *inbox, uint64_t settle_ms, struct queue *queue,
                size_t *out_waiting, struct tally_err *err);

// The names in claimed/, in the order in which they were claimed (claim_order.h). Where that is not
// known, in that of the last change, which is the claim, of the last writing, of the names.
bool scan_claimed(const struct inbox *inbox, struct queue *queue, struct tally_err *err);

#endif
