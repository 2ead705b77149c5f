// ingest/dict.h - texts to codes: an open-addressed hash table that only grows.
#ifndef INGEST_DICT_H
#define INGEST_DICT_H

#include "base/bytes.h"
#include "base/err.h"
#include "ingest/text.h"

#include <stddef.h>
#include <stdint.h>

// 16 bytes, four a cache line: looking texts up is what costs memory traffic.
struct dict_entry {
    uint32_t hash;
    uint32_t after; // 1 + where it begins in texts; 0: free
    uint32_t bytes;
    uint32_t code;
};

struct dict {
    struct dict_entry *entries;
    size_t capacity; // a power of two, or 0
    size_t count;
    struct bytes texts;
};

void dict_init(struct dict *dict);
void dict_done(struct dict *dict);

// False: absent.
bool dict_find(const struct dict *dict, struct text text, uint32_t *out_code);

// The same in steps, so that of several texts the memory is on its way before it is needed: hash
// all, expect all, expect all their texts, find all.
uint32_t dict_hash(struct text text);
bool dict_find_hashed(const struct dict *dict, struct text text, uint32_t hash, uint32_t *out_code);
static inline void dict_expect(const struct dict *dict, uint32_t hash)
{
    if (dict->capacity > 0) {
        __builtin_prefetch(&dict->entries[hash & (dict->capacity - 1)]);
    }
}
static inline void dict_expect_text(const struct dict *dict, uint32_t hash)
{
    if (dict->capacity > 0) {
        __builtin_prefetch(dict->texts.data + dict->entries[hash & (dict->capacity - 1)].after);
    }
}

// Requires: absent. Errors: TALLY_NO_MEMORY, TALLY_LIMIT beyond 4 GiB of texts.
bool dict_add(struct dict *dict, struct text text, uint32_t code, struct tally_err *err);

size_t dict_bytes(const struct dict *dict); // memory it takes

#endif
