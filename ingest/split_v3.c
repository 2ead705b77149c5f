// ingest/split_v3.c - the code for x86-64 machines with AVX2 and PCLMUL: 32 bytes at a time.
#include "ingest/split_block.h"

#if defined(__AVX2__) && defined(__BMI2__) && defined(__PCLMUL__) // as CMakeLists.txt has it built

#include <immintrin.h>

struct block {
    __m256i low;
    __m256i high;
};

static inline uint64_t equal_in_block(struct block block, char byte)
{
    __m256i wanted = _mm256_set1_epi8(byte);
    int low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(block.low, wanted));
    int high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(block.high, wanted));

    return (uint32_t)low | (uint64_t)(uint32_t)high << 32;
}

static inline struct split_masks masks_of(const char *text, char delimiter, bool quoted)
{
    struct block block = {
        .low = _mm256_loadu_si256((const __m256i *)text),
        .high = _mm256_loadu_si256((const __m256i *)(text + 32)),
    };
    uint64_t feed = equal_in_block(block, '\n');

    return (struct split_masks){
        .quote = quoted ? equal_in_block(block, '"') : 0,
        .cut = feed | equal_in_block(block, delimiter),
        .feed = feed,
        .carriage = equal_in_block(block, '\r'),
        .nul = equal_in_block(block, '\0'),
    };
}

static inline uint64_t parities_of(uint64_t bits)
{
    // Without carries, times all ones.
    __m128i product =
        _mm_clmulepi64_si128(_mm_set_epi64x(0, (long long)bits), _mm_set1_epi8(-1), 0);

    return (uint64_t)_mm_cvtsi128_si64(product);
}

// Eight at a time, most of which are wanted: guessing the end of a loop wrongly costs more.
static inline void put_numbers(uint16_t *out, uint64_t bits, size_t count, size_t base)
{
    for (size_t i = 0; i < count; i += 8) {
        for (size_t j = 0; j < 8; j++, bits &= bits - 1) {
            out[i + j] = (uint16_t)(base + _tzcnt_u64(bits));
        }
    }
}

static void run(struct split *split, const char *text, size_t bytes)
{
    static const struct split_way way = {
        .masks = masks_of, .parities = parities_of, .put = put_numbers};

    split_run(&way, split, text, bytes);
}

const struct split_code split_code_v3 = {.name = "v3", .run = run};

#endif
