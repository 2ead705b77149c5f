// ingest/split_block.h - what the codes of split.h share: a block from its masks on.
//
// Bit i of a mask stands for byte i of the block. A code has its own way with bytes, which is
// compiled into what is here.
#ifndef INGEST_SPLIT_BLOCK_H
#define INGEST_SPLIT_BLOCK_H

#include "ingest/split.h"

#include <string.h>

struct split_masks {
    uint64_t quote;
    uint64_t cut; // delimiter or LF
    uint64_t feed;
    uint64_t carriage;
    uint64_t nul;
};

struct split_way {
    // Where which bytes are.
    struct split_masks (*masks)(const char *block, char delimiter, bool quoted);
    // Each bit becomes the parity of itself and all below it.
    uint64_t (*parities)(uint64_t bits);
    // The numbers of the bits that are set, on top of `base`; at most 64 are written.
    void (*put)(uint16_t *out, uint64_t bits, size_t count, size_t base);
};

// The parities of a machine that has no multiplication without carries.
static inline uint64_t split_parities(uint64_t bits)
{
    for (unsigned width = 1; width < 64; width *= 2) {
        bits ^= bits << width;
    }
    return bits;
}

// The numbers of a machine that has no instruction to gather them.
static inline void split_put_numbers(uint16_t *out, uint64_t bits, size_t count, size_t base)
{
    for (size_t i = 0; i < count; i++, bits &= bits - 1) {
        out[i] = (uint16_t)(base + (size_t)__builtin_ctzll(bits));
    }
}

#define SPLIT_INLINE static inline __attribute__((always_inline))

static inline size_t split_count(uint64_t bits)
{
    return (size_t)__builtin_popcountll(bits);
}

// The mask moved on by a byte; *carry: the bit that comes in, then the one that leaves.
static inline uint64_t split_behind(uint64_t bits, uint64_t *carry)
{
    uint64_t behind = bits << 1 | *carry;

    *carry = bits >> 63;
    return behind;
}

// What is carried from one block to the next.
struct split_state {
    uint64_t inside;       // all ones within quotes
    uint64_t may_open;     // 1: a quote may stand next: behind a cut, or behind a closing quote
    uint64_t after_quote;  // 1: the last byte closed a field
    uint64_t after_return; // 1: the last byte was a CR
    size_t begins_count;
    size_t ends_count;
    size_t marks_count;
};

// Which bytes lie within quotes, from the opening quote on up to the closing one.
SPLIT_INLINE uint64_t split_quotes(const struct split_way *way, struct split_state *state,
                                   const struct split_masks *masks, uint64_t *doubtful)
{
    uint64_t inside = way->parities(masks->quote) ^ state->inside;
    uint64_t closing = masks->quote & ~inside;
    uint64_t may_open = split_behind((masks->cut & ~inside) | closing, &state->may_open);
    uint64_t after_quote = split_behind(closing, &state->after_quote);

    state->inside = (uint64_t)((int64_t)inside >> 63);
    *doubtful |= masks->quote & inside & ~may_open;
    *doubtful |= after_quote & ~(masks->cut | masks->carriage | masks->quote);
    return inside;
}

// The first one is written whether or not there is one: guessing that costs more.
static inline void split_put_ends(struct split *split, struct split_state *state, uint64_t feeds,
                                  uint64_t cuts)
{
    size_t before = state->begins_count - 1;

    do {
        uint64_t up_to = feeds ^ (feeds - 1);
        split->ends[state->ends_count] = (uint16_t)(before + split_count(cuts & up_to));
        state->ends_count += feeds != 0;
        feeds &= feeds - 1;
    } while (feeds);
}

SPLIT_INLINE void split_take_block(const struct split_way *way, struct split *split,
                                   struct split_state *state, const char *block, size_t base,
                                   char delimiter, bool quoted)
{
    struct split_masks masks = way->masks(block, delimiter, quoted);
    uint64_t doubtful =
        masks.nul | (split_behind(masks.carriage, &state->after_return) & ~masks.feed);
    uint64_t inside = quoted ? split_quotes(way, state, &masks, &doubtful) : 0;
    uint64_t cuts = masks.cut & ~inside;
    uint64_t marks = (masks.feed & inside) | doubtful;
    size_t count = split_count(cuts);

    split_put_ends(split, state, masks.feed & ~inside, cuts);
    way->put(split->begins + state->begins_count, cuts, count, base + 1);
    state->begins_count += count;
    for (; marks; marks &= marks - 1) {
        size_t at = (size_t)__builtin_ctzll(marks);
        split->marks[state->marks_count++] = (uint16_t)((base + at) << 1 | (doubtful >> at & 1));
    }
}

// The state is kept apart, so that it stays in registers while arrays are written.
SPLIT_INLINE void split_take_all(const struct split_way *way, struct split *split, const char *text,
                                 size_t bytes, bool quoted)
{
    struct split_state state = {.may_open = 1, .begins_count = 1};
    char delimiter = split->delimiter;
    size_t at = 0;

    split->begins[0] = 0;
    for (; at + SPLIT_BLOCK_BYTES <= bytes; at += SPLIT_BLOCK_BYTES) {
        split_take_block(way, split, &state, text + at, at, delimiter, quoted);
    }
    if (at < bytes) {
        // Letters behind the end are no cut, and doubtful at most themselves.
        char block[SPLIT_BLOCK_BYTES];
        memset(block, 'x', sizeof block);
        memcpy(block, text + at, bytes - at);
        split_take_block(way, split, &state, block, at, delimiter, quoted);
    }
    split->begins_count = state.begins_count;
    split->ends_count = state.ends_count;
    split->marks_count = state.marks_count;
}

SPLIT_INLINE void split_run(const struct split_way *way, struct split *split, const char *text,
                            size_t bytes)
{
    if (split->quoted) {
        split_take_all(way, split, text, bytes, true);
    } else {
        split_take_all(way, split, text, bytes, false);
    }
}

#endif
