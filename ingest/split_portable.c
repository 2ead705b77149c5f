// ingest/split_portable.c - the code for any machine: eight bytes at a time in one word.
#include "ingest/split_block.h"

#include "base/bytes.h"

// Bit i: byte i of the word is `byte`.
static inline uint64_t equal_in_word(uint64_t word, char byte)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t low_bits = UINT64_C(0x7f7f7f7f7f7f7f7f);
    uint64_t differing = word ^ ones * (unsigned char)byte;
    // The high bit of each byte, without a carry into the next: whether no bit differs.
    uint64_t same = ~(((differing & low_bits) + low_bits) | differing | low_bits);

    return (same >> 7) * UINT64_C(0x0102040810204080) >> 56;
}

static inline struct split_masks masks_of(const char *block, char delimiter, bool quoted)
{
    struct split_masks masks = {0};

    for (unsigned i = 0; i < SPLIT_BLOCK_BYTES / 8; i++) {
        uint64_t word = bytes_get_u64(block + 8 * (size_t)i);
        uint64_t feed = equal_in_word(word, '\n');
        masks.quote |= quoted ? equal_in_word(word, '"') << (8 * i) : 0;
        masks.feed |= feed << (8 * i);
        masks.cut |= (feed | equal_in_word(word, delimiter)) << (8 * i);
        masks.carriage |= equal_in_word(word, '\r') << (8 * i);
        masks.nul |= equal_in_word(word, '\0') << (8 * i);
    }
    return masks;
}

static void run(struct split *split, const char *text, size_t bytes)
{
    static const struct split_way way = {
        .masks = masks_of, .parities = split_parities, .put = split_put_numbers};

    split_run(&way, split, text, bytes);
}

const struct split_code split_code_portable = {.name = "portable", .run = run};
