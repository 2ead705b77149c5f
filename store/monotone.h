// store/monotone.h - a sorted list of integers close to its entropy, with random access.
//
//   value = high part << low_bits | low part
//
//   low     the low parts, low_bits each
//   high    for each value as many zeros as its high part grew, then a one:  1 001 1 01 ...
//   rank    u32 each: the ones of `high` before every 512 bits
//
// In bytes (docs/format.md, "Monotone list"): count u32, low_bits u32, last high part u64, then the
// three, each filled to a multiple of 8. About 2 + log2(last / count) bits a value.
//
// Source: Elias 1974, Fano 1971. Reading requires 8 readable bytes behind the list.
// Errors: open gives false on anything that is no list or not sorted; after that nothing fails.
// Threads: an opened list never changes.
#ifndef STORE_MONOTONE_H
#define STORE_MONOTONE_H

#include "base/bits.h"
#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct monotone {
    const unsigned char *low;
    const unsigned char *high;
    const unsigned char *rank;
    uint64_t last_high;
    uint32_t count;
    uint32_t low_bits;
    uint32_t chunks; // of 512 bits
};

enum { MONOTONE_CHUNK_WORDS = 8 };

// Requires: values are sorted (equal ones are allowed).
void monotone_encode(struct bytes *out, const uint64_t *values, uint32_t count);
bool monotone_open(struct monotone *list, struct cursor *in);

// Where a walk over the values stands.
struct monotone_walk {
    uint64_t word;  // what is left of the word of `high` at hand
    uint64_t at;    // its number
    uint32_t index; // of the next value
};

static inline uint64_t monotone_word(const struct monotone *list, uint64_t word)
{
    return bytes_get_u64(list->high + word * 8);
}

static inline uint32_t monotone_rank(const struct monotone *list, uint32_t chunk)
{
    return bytes_get_u32(list->rank + chunk * (size_t)4);
}

static inline uint64_t monotone_low(const struct monotone *list, uint64_t index)
{
    return bits_get(list->low, index * list->low_bits, list->low_bits);
}

// Requires: index < list->count.
static inline struct monotone_walk monotone_seek(const struct monotone *list, uint32_t index)
{
    uint32_t chunk = 0;

    for (uint32_t left = list->chunks;
         left > 1;) { // the last chunk with at most `index` ones before
        uint32_t half = left / 2;
        chunk = monotone_rank(list, chunk + half) <= index ? chunk + half : chunk;
        left -= half;
    }
    uint32_t rank = index - monotone_rank(list, chunk);
    uint64_t at = (uint64_t)chunk * MONOTONE_CHUNK_WORDS;
    uint64_t word = monotone_word(list, at);
    for (uint32_t ones; (ones = (uint32_t)__builtin_popcountll(word)) <= rank;) {
        rank -= ones;
        word = monotone_word(list, ++at);
    }
    return (struct monotone_walk){
        .word = word & ~UINT64_C(0) << bits_select(word, rank), .at = at, .index = index};
}

// Requires: as many calls as there are values from the one that was sought.
static inline uint64_t monotone_next(const struct monotone *list, struct monotone_walk *walk)
{
    while (!walk->word) {
        walk->word = monotone_word(list, ++walk->at);
    }
    uint64_t position = walk->at * 64 + (uint64_t)__builtin_ctzll(walk->word);
    uint64_t high = position - walk->index;
    walk->word &= walk->word - 1;
    return high << list->low_bits | monotone_low(list, walk->index++);
}

static inline uint64_t monotone_get(const struct monotone *list, uint32_t index)
{
    struct monotone_walk walk = monotone_seek(list, index);
    return monotone_next(list, &walk);
}

// Position right behind zero number `rank` (from 0) of `high`. Requires: rank < last_high.
static inline uint64_t monotone_behind_zero(const struct monotone *list, uint64_t rank)
{
    uint32_t chunk = 0;

    for (uint32_t left = list->chunks; left > 1;) {
        uint32_t half = left / 2;
        uint64_t bits = (uint64_t)(chunk + half) * MONOTONE_CHUNK_WORDS * 64;
        chunk = bits - monotone_rank(list, chunk + half) <= rank ? chunk + half : chunk;
        left -= half;
    }
    uint64_t at = (uint64_t)chunk * MONOTONE_CHUNK_WORDS;
    rank -= at * 64 - monotone_rank(list, chunk);
    uint64_t word = ~monotone_word(list, at);
    for (uint32_t zeros; (zeros = (uint32_t)__builtin_popcountll(word)) <= rank;) {
        rank -= zeros;
        word = ~monotone_word(list, ++at);
    }
    return at * 64 + bits_select(word, (uint32_t)rank) + 1;
}

// Index of a value; -1: it is not in the list.
static inline int64_t monotone_find(const struct monotone *list, uint64_t value)
{
    uint64_t high = value >> list->low_bits;
    uint64_t low = bits_low(value, list->low_bits);

    if (high > list->last_high) {
        return -1;
    }
    // Values of one high part are the run of ones behind as many zeros, sorted by their low parts.
    uint64_t position = high ? monotone_behind_zero(list, high - 1) : 0;
    for (uint64_t i = position - high; i < list->count; i++, position++) {
        if (!(monotone_word(list, position / 64) >> position % 64 & 1)) {
            return -1;
        }
        uint64_t at = monotone_low(list, i);
        if (at >= low) {
            return at == low ? (int64_t)i : -1;
        }
    }
    return -1;
}

#endif
