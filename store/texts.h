// store/texts.h - each text once: text <-> code.
//
// Codes count up from 0 in order of first use; code 0 is the empty text. A text may be any bytes:
// an aligned one may be an array of numbers (store/state.h).
#ifndef STORE_TEXTS_H
#define STORE_TEXTS_H

#include "base/arena.h"

#include <stddef.h>
#include <stdint.h>

struct texts_entry {
    const char *text; // terminated as well where unaligned
    uint32_t bytes;
    uint32_t hash;
};

// Where the bytes stand in memory: as they come, or for arrays of numbers.
enum texts_alignment { TEXTS_UNALIGNED, TEXTS_ALIGNED };

struct texts {
    enum texts_alignment alignment;
    struct arena arena;
    struct texts_entry *entry;
    uint32_t *slot; // entry number + 1; 0 is free
    uint32_t count;
    uint32_t capacity; // of entry
    uint32_t slots;    // power of two
};

bool texts_init(struct texts *texts, enum texts_alignment alignment, struct tally_err *err);
void texts_done(struct texts *texts);

// The code of a text, given a new one if need be (*out_new says so; may be NULL).
bool texts_intern(struct texts *texts, const char *text, size_t bytes, uint32_t *out_code,
                  bool *out_new, struct tally_err *err);
bool texts_find(const struct texts *texts, const char *text, size_t bytes, uint32_t *out_code);
const struct texts_entry *texts_get(const struct texts *texts, uint32_t code);

// Forgets the codes from `count` on (an abandoned batch). Their bytes stay in the arena.
void texts_cut(struct texts *texts, uint32_t count);

#endif
