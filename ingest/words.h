// ingest/words.h - short texts as whole words, without a look at each byte.
//
//   buffer   ...,Arrests,Union of ...        a text of 7 bytes, and what follows it
//   word 0      A r r e s t s ,              what is read
//   mask        f f f f f f f 0              what of it counts
//
// The lengths of a feed's texts come in no order, so that a loop over bytes ends where the
// processor did not expect it, once a text; and that costs as much as some fifty instructions. Here
// as many blocks of two words are read as the longest of all texts needs, and what does not belong
// to this one is masked. Texts of more than WORDS_BYTES are not read so; dict.c has a loop for
// them.
//
// A text is *padded* if WORDS_BYTES bytes from its first one on can be read, whatever its length;
// what they hold behind it is no matter. Buffers of records and of a dict have so many bytes behind
// their end.
#ifndef INGEST_WORDS_H
#define INGEST_WORDS_H

#include "ingest/text.h"

#include <stdint.h>
#include <string.h>

enum {
    WORDS_BLOCK_BYTES = 16,
    WORDS_BLOCKS_MAX = 4,
    WORDS_BYTES = WORDS_BLOCK_BYTES * WORDS_BLOCKS_MAX,
};

// Ones, then zeros.
extern const unsigned char words_mask[2 * WORDS_BYTES];

static inline uint64_t words_at(const void *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

// Masks for the words of a text. Requires: bytes <= WORDS_BYTES.
static inline const unsigned char *words_mask_of(size_t bytes)
{
    return words_mask + WORDS_BYTES - bytes;
}

// Blocks that hold so many bytes.
static inline size_t words_blocks(size_t bytes)
{
    return bytes < WORDS_BYTES ? (bytes + WORDS_BLOCK_BYTES - 1) / WORDS_BLOCK_BYTES
                               : WORDS_BLOCKS_MAX;
}

#endif
