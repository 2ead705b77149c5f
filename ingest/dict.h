// ingest/dict.h - texts to codes: an open-addressed hash table that only grows.
//
//   entries   | hash bytes after code |   free   | hash bytes after code | ...
//                            |
//   texts     SyriaFranceBurkina Faso...        one behind the other
//
// A table of many texts lies in no cache: each text costs two waits for memory, its entry's and its
// own. So several are looked up together, in steps, and the memory of all is on its way at once.
#ifndef INGEST_DICT_H
#define INGEST_DICT_H

#include "base/bytes.h"
#include "base/err.h"
#include "ingest/words.h"

#include <stddef.h>
#include <stdint.h>

// 16 bytes, four a cache line: looking texts up is what costs memory traffic.
struct dict_entry {
    uint32_t hash;
    uint32_t after; // 1 + where it begins in texts; 0: free
    uint32_t bytes;
    uint32_t code;
};

enum { DICT_FEW_MAX = 16 };
#define DICT_ABSENT UINT32_MAX

struct dict {
    struct dict_entry *entries;
    size_t capacity; // a power of two, or 0
    size_t count;
    size_t blocks; // of 16 bytes, that the longest text has, but WORDS_BLOCKS_MAX at most
    struct bytes texts;
};

void dict_init(struct dict *dict);
void dict_done(struct dict *dict);

// False: absent.
bool dict_find(const struct dict *dict, struct text text, uint32_t *out_code);

// Several texts that are looked up together.
struct dict_few {
    struct text text[DICT_FEW_MAX]; // padded (ingest/words.h)
    size_t count;
    uint32_t hash[DICT_FEW_MAX];
    uint32_t place[DICT_FEW_MAX]; // the first one that may be the text's
    uint32_t code[DICT_FEW_MAX];  // DICT_ABSENT where there is none
};
// One after the other, each for all dicts at hand before the next one. Requires: something was
// added, and nothing is between the steps.
void dict_few_hash(const struct dict *dict, struct dict_few *few);
void dict_few_place(const struct dict *dict, struct dict_few *few);
void dict_few_find(const struct dict *dict, struct dict_few *few);

// With the hash that dict_few_hash found; the text need not be padded.
bool dict_find_hashed(const struct dict *dict, struct text text, uint32_t hash, uint32_t *out_code);
// Requires: absent. Errors: TALLY_NO_MEMORY, TALLY_LIMIT beyond 4 GiB of texts.
bool dict_add(struct dict *dict, struct text text, uint32_t code, struct tally_err *err);

size_t dict_bytes(const struct dict *dict); // memory it takes

#endif
