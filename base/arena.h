// base/arena.h - bump memory that is given back all at once.
//
// Arenas are named after their lifetime (boot, batch, scratch). Each has a cap: reaching it fails
// the work at hand, not the process.
//
//   block <- block <- block      newest block serves; arena_reset keeps one block for the next use
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/err.h"

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *newest;
    size_t used_bytes;      // handed out since init or reset
    size_t allocated_bytes; // asked of the system
    size_t bytes_max;       // cap on allocated_bytes
    bool large_pages;       // ask for them (base/pages.h): it is looked up at random
};

void arena_init(struct arena *arena, size_t bytes_max);
void arena_done(struct arena *arena);
void arena_reset(struct arena *arena);

// Memory: aligned to 16, uninitialised, valid until reset or done.
// Errors: NULL, TALLY_LIMIT at the cap, TALLY_NO_MEMORY.
void *arena_alloc(struct arena *arena, size_t bytes, struct tally_err *err);

// A NUL-terminated copy of `bytes` bytes, unaligned.
char *arena_text(struct arena *arena, const char *text, size_t bytes, struct tally_err *err);

#endif
