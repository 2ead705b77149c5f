// store/dictionary.h - sorted texts, front-coded: each says how many bytes it shares with the one
// before it.
//
//   Baghdad | 4 "is" | 1 "elaa"        Baghdad, Baghis (4 shared), Belaa (1 shared)
//   └────────── a bucket of 16 ──────────┘   each bucket starts with a whole text
//
// In bytes (docs/format.md, "Dictionary"): count u32, longest text u32, bytes of the buckets u64;
// u32 start of each bucket; the buckets, filled to a multiple of 8. Look-ups search the buckets'
// first texts by halving, then walk one bucket; no text is copied for that.
//
// Source: front coding with bucket heads as in Witten, Moffat and Bell, Managing Gigabytes (1999).
// Errors: open gives false on anything malformed; after that nothing fails, whatever the order of
// the texts. Threads: an opened dictionary never changes.
#ifndef STORE_DICTIONARY_H
#define STORE_DICTIONARY_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DICTIONARY_BUCKET = 16 };

struct dictionary_text {
    const char *text;
    size_t bytes;
};

// By bytes: < 0: a stands before b.
int dictionary_compare(const struct dictionary_text *a, const struct dictionary_text *b);

struct dictionary {
    const unsigned char *starts; // u32 each
    const unsigned char *buckets;
    uint32_t count;
    uint32_t longest; // bytes
};

// Requires: texts are sorted by their bytes, none twice.
void dictionary_encode(struct bytes *out, const struct dictionary_text *texts, uint32_t count);
bool dictionary_open(struct dictionary *dictionary, struct cursor *in);

// Index of a text. False: it is not there.
bool dictionary_find(const struct dictionary *dictionary, const char *text, size_t bytes,
                     uint32_t *out_index);

// Copies a text, or as much as fits in `capacity` bytes, not terminated. Returns its whole length.
size_t dictionary_get(const struct dictionary *dictionary, uint32_t index, char *out_text,
                      size_t capacity);

// The texts one after another.
struct dictionary_walk {
    const struct dictionary *dictionary;
    const unsigned char *at;
    uint32_t index;   // of the text to come
    size_t bytes;     // of the text that was taken last
    bool front_coded; // so far each text shared as much as it could and was greater than the last
};
struct dictionary_walk dictionary_walk(const struct dictionary *dictionary);
// `text` holds the text taken before, and then the next one, walk->bytes long. Requires: room for
// dictionary->longest bytes.
bool dictionary_next(struct dictionary_walk *walk, char *text);

#endif
