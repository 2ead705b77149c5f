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
    size_t recent; // entry found last: neighbouring rows tend to repeat themselves
    struct bytes texts;
};

void dict_init(struct dict *dict);
void dict_done(struct dict *dict);

// False: absent. The const one remembers nothing, so that threads may share the dict.
bool dict_find_const(const struct dict *dict, struct text text, uint32_t *out_code);
bool dict_find(struct dict *dict, struct text text, uint32_t *out_code);

// Requires: absent. Errors: TALLY_NO_MEMORY, TALLY_LIMIT beyond 4 GiB of texts.
bool dict_add(struct dict *dict, struct text text, uint32_t code, struct tally_err *err);

size_t dict_bytes(const struct dict *dict); // memory it takes

#endif
