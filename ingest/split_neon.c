// ingest/split_neon.c - the code for 64-bit ARM machines, all of which have NEON: 16 bytes at a
// time.
#include "ingest/split_block.h"

#if defined(__aarch64__) // as CMakeLists.txt has it built

#include <arm_neon.h>

struct block {
    uint8x16_t part[4];
};

// The one bit of each byte that says where in its eight it stands.
static inline uint8x16_t own_bits(void)
{
    static const uint8_t bits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};

    return vld1q_u8(bits);
}

// Neighbours are added three times, which gathers the bits of eight bytes in one: NEON has no move
// of a mask into a register.
static inline uint64_t equal_in_block(const struct block *block, char byte)
{
    uint8x16_t wanted = vdupq_n_u8((uint8_t)byte);
    uint8x16_t own = own_bits();
    uint8x16_t bit[4];

    for (int i = 0; i < 4; i++) {
        bit[i] = vandq_u8(vceqq_u8(block->part[i], wanted), own);
    }
    uint8x16_t low = vpaddq_u8(bit[0], bit[1]);
    uint8x16_t high = vpaddq_u8(bit[2], bit[3]);
    uint8x16_t both = vpaddq_u8(low, high);

    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(both, both)), 0);
}

static inline struct split_masks masks_of(const char *text, char delimiter, bool quoted)
{
    struct block block;

    for (int i = 0; i < 4; i++) {
        block.part[i] = vld1q_u8((const uint8_t *)text + (ptrdiff_t)16 * i);
    }
    uint64_t feed = equal_in_block(&block, '\n');

    return (struct split_masks){
        .quote = quoted ? equal_in_block(&block, '"') : 0,
        .cut = feed | equal_in_block(&block, delimiter),
        .feed = feed,
        .carriage = equal_in_block(&block, '\r'),
        .nul = equal_in_block(&block, '\0'),
    };
}

static void run(struct split *split, const char *text, size_t bytes)
{
    static const struct split_way way = {
        .masks = masks_of, .parities = split_parities, .put = split_put_numbers};

    split_run(&way, split, text, bytes);
}

const struct split_code split_code_neon = {.name = "neon", .run = run};

#endif
