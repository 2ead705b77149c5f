// daemon/unclosed.h - names in the inbox that somebody began to write and has not closed since.
//
//   created, modified --put--> [ a.csv  b.csv ] --drop--> closed, renamed, removed
//
// From the kernel's hints, so that a writer may pause for as long as he likes. A name that is not
// here may still be written: its writing began before the watch, hints were lost, or more than
// UNCLOSED_MAX are open at once. Then its age decides, as on a system that gives no hints.
#ifndef DAEMON_UNCLOSED_H
#define DAEMON_UNCLOSED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UNCLOSED_MAX = 1024 };

// All zero is empty.
struct unclosed {
    uint64_t name_hash[UNCLOSED_MAX];
    size_t count;
};

void unclosed_put(struct unclosed *unclosed, const char *name);
void unclosed_drop(struct unclosed *unclosed, const char *name); // absent is fine
bool unclosed_has(const struct unclosed *unclosed, const char *name);

// Hints were lost: a close may have been among them, and nobody shall wait for ever.
void unclosed_clear(struct unclosed *unclosed);

#endif
