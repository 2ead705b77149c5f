// ingest/split_v4.c - the code for x86-64 machines with AVX-512 and VBMI2: 64 bytes at a time.
#include "ingest/split_block.h"

#if defined(__AVX512BW__) && defined(__AVX512VBMI2__) &&                                           \
    defined(__PCLMUL__) // as CMakeLists.txt has it built

#include <immintrin.h>

static inline struct split_masks masks_of(const char *text, char delimiter, bool quoted)
{
    __m512i block = _mm512_loadu_si512(text);
    uint64_t feed = _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8('\n'));

    return (struct split_masks){
        .quote = quoted ? _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8('"')) : 0,
        .cut = feed | _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(delimiter)),
        .feed = feed,
        .carriage = _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8('\r')),
        .nul = _mm512_testn_epi8_mask(block, block),
    };
}

static inline uint64_t parities_of(uint64_t bits)
{
    // Without carries, times all ones.
    __m128i product =
        _mm_clmulepi64_si128(_mm_set_epi64x(0, (long long)bits), _mm_set1_epi8(-1), 0);

    return (uint64_t)_mm_cvtsi128_si64(product);
}

// The numbers 0 to 63, those that are wanted moved to the front, 32 at a time as 16 bits.
static inline void put_numbers(uint16_t *out, uint64_t bits, size_t count, size_t base)
{
    static const unsigned char numbers[SPLIT_BLOCK_BYTES] = {
        0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
        22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
        44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
    __m512i wanted = _mm512_maskz_compress_epi8(bits, _mm512_loadu_si512(numbers));
    __m512i bases = _mm512_set1_epi16((short)base);

    _mm512_storeu_si512(
        out, _mm512_add_epi16(bases, _mm512_cvtepu8_epi16(_mm512_castsi512_si256(wanted))));
    if (count > 32) {
        _mm512_storeu_si512(
            out + 32,
            _mm512_add_epi16(bases, _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(wanted, 1))));
    }
}

static void run(struct split *split, const char *text, size_t bytes)
{
    static const struct split_way way = {
        .masks = masks_of, .parities = parities_of, .put = put_numbers};

    split_run(&way, split, text, bytes);
}

const struct split_code split_code_v4 = {.name = "v4", .run = run};

#endif
