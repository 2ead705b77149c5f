// store/entries_block.h - one block of packed entries: where it lies, and the ages in it.
//
//   count-1 7 bits | w 5 bits | age of the newest | low parts, w bits each | high parts, unary
//
// Private to entries_decode.c, which is compiled once for each kind of machine, so that everything
// here is static; and to entries_verify.c.
//
// Bounds: a block lies between `begin` and `end` of its place, and 8 bytes may be read at any bit
// up to `end`. Every loop that moves on through bits compares with that limit before it reads.
#ifndef STORE_ENTRIES_BLOCK_H
#define STORE_ENTRIES_BLOCK_H

#include "store/entries.h"

#ifdef __AVX512VBMI2__
#include <immintrin.h>
#endif

struct block {
    const unsigned char *data; // all blocks
    uint64_t limit;            // bit behind the group's last block
    uint64_t low;              // bit of the first low part
    uint64_t high;             // bit of the high parts
    uint32_t low_bits;
    uint32_t count;
    uint32_t age;                    // of the newest entry
    uint32_t age_most;               // of any entry
    const unsigned char *parameters; // of the columns
};

// A field of the skip entry of block 1 and further ones.
static inline uint64_t skip_field(const struct entries *entries, const struct entries_place *place,
                                  uint32_t block, uint32_t field)
{
    uint64_t bit = (place->skip + block - 1) * entries->skip_bits + entries->at[field];
    return bits_get(entries->skip, bit, entries->width[field]);
}

static inline uint32_t block_age(const struct entries *entries, const struct entries_place *place,
                                 uint32_t block)
{
    return (uint32_t)skip_field(entries, place, block, ENTRIES_FIELD_AGE);
}

static inline bool open_block(const struct entries *entries, const struct entries_place *place,
                              uint32_t number, struct block *block)
{
    uint64_t at = place->begin;

    block->data = entries->blocks;
    block->limit = place->end * 8;
    block->age_most = (uint32_t)((int64_t)entries->newest - entries->oldest);
    if (number > 0) {
        at += skip_field(entries, place, number, ENTRIES_FIELD_OFFSET);
        block->age = block_age(entries, place, number);
    }
    if (at >= place->end) {
        return false;
    }
    uint64_t head = bits_at(block->data, at * 8);
    uint64_t bit = at * 8 + ENTRIES_COUNT_BITS + ENTRIES_LOW_BITS;
    block->count = (uint32_t)bits_low(head, ENTRIES_COUNT_BITS) + 1;
    block->low_bits = (uint32_t)bits_low(head >> ENTRIES_COUNT_BITS, ENTRIES_LOW_BITS);
    if (number == 0) {
        block->age = (uint32_t)bits_get(block->data, bit, entries->age_bits);
        bit += entries->age_bits;
    }
    block->low = bit;
    block->high = bit + (uint64_t)(block->count - 1) * block->low_bits;
    uint32_t class = place->blocks == 1
                         ? bits_length(block->count)
                         : bits_length((place->blocks - 1) * (uint64_t)ENTRIES_BLOCK);
    block->parameters = entries->parameters + (size_t) class * entries->columns * 2;
    return class < entries->classes && block->high <= block->limit && block->age <= block->age_most;
}

// ---- ages ------------------------------------------------------------------------------------

// Moves *bit behind `count` ones.
static inline bool pass_ones(const struct block *block, uint64_t *bit, uint32_t count)
{
    uint64_t at = *bit;

    while (count > 0) {
        if (at > block->limit) {
            return false;
        }
        uint64_t word = bits_get(block->data, at, BITS_AT_ONCE);
        uint32_t ones = (uint32_t)__builtin_popcountll(word);
        if (ones >= count) {
            at += bits_select(word, count - 1) + 1;
            break;
        }
        count -= ones;
        at += BITS_AT_ONCE;
    }
    *bit = at;
    return at <= block->limit;
}

// What the ages of a block's entries say of a window, and where the lists begin or are sought from.
struct ages {
    uint32_t before; // entries that are younger than `least`
    uint32_t up_to;  // entries that are at most `most` old
    uint32_t passed; // entries whose high parts lie before `bit`; 0: not a block
    uint64_t bit;
};

// Reads ages from the newest entry on, until one is above `most` or none is left. With `out` each
// is stored there. `same_day`: gaps are stored as they are (spans), not less 1 (cells).
static inline struct ages take_ages_one_by_one(const struct block *block, uint32_t least,
                                               uint32_t most, bool same_day, uint32_t *out)
{
    const uint64_t step = !same_day;
    const uint32_t low_bits = block->low_bits;
    struct ages ages = {.before = block->age < least, .passed = 1, .bit = block->high};
    uint64_t low = block->low;
    uint64_t lows = block->age;  // the sum of the low parts so far
    uint64_t base = block->high; // bit at which no gap so far would have had a high part
    uint64_t at = block->high;
    uint64_t age = block->age;

    if (out) {
        out[0] = block->age;
    }
    while (ages.passed < block->count && age <= most) {
        if (at > block->limit) {
            return (struct ages){0};
        }
        uint64_t word = bits_get(block->data, at, BITS_AT_ONCE);
        for (; word && ages.passed < block->count; word &= word - 1) {
            uint64_t position = at + (uint64_t)__builtin_ctzll(word);
            lows += bits_get(block->data, low, low_bits) + step;
            low += low_bits;
            age = lows + ((position - base) << low_bits);
            base++;
            if (out) {
                out[ages.passed] = (uint32_t)age;
            }
            ages.passed++;
            ages.before += age < least;
            ages.bit = position + 1;
            if (age > most) {
                break;
            }
        }
        at += BITS_AT_ONCE;
    }
    ages.up_to = ages.passed - (age > most);
    return age <= block->age_most && ages.bit <= block->limit ? ages : (struct ages){0};
}

#ifdef __AVX512VBMI2__
enum {
    LANES = 32,
    POSITIONS_MAX = ENTRIES_BLOCK + 64 + 2 * LANES,
    LANES_LOW_MAX = 8, // low parts of 32 gaps fit in one load, and each with its shift in a lane
    // No age of such a block is beyond 16 bits, however damaged it is: 127 low parts and steps add
    // up to 127 * 256 at most, what stands in front and the high part to twice this.
    LANES_AGE_MAX = 0x3fff,
};

static inline __m512i spread(uint32_t value)
{
    return _mm512_set1_epi16((short)value);
}

static inline __m512i lane_numbers(void)
{
    return _mm512_set_epi16(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14,
                            13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
}

// Positions of the ones of the high parts, behind their first bit. False: there are not so many.
static inline bool find_ones(const struct block *block, uint32_t count, uint16_t *out)
{
    const __m512i bytes = _mm512_set_epi8(
        63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41,
        40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18,
        17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    // 64 bits at a time from a whole byte on; of the first, those before the high parts do not
    // count.
    const unsigned char *at = block->data + block->high / 8;
    const unsigned char *limit = block->data + block->limit / 8;
    uint64_t word = ~UINT64_C(0) << block->high % 8;
    uint32_t base = 0 - (uint32_t)(block->high % 8);

    // High parts add up to an age at most.
    for (uint32_t found = 0; found < count; base += 64, at += sizeof word, word = ~UINT64_C(0)) {
        if (at > limit || (int32_t)base > (int32_t)(block->age_most + ENTRIES_BLOCK)) {
            return false;
        }
        word &= bytes_get_u64(at);
        __m512i packed = _mm512_maskz_compress_epi8(word, bytes);
        __m512i low = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(packed));
        __m512i high = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(packed, 1));
        _mm512_storeu_si512(out + found, _mm512_add_epi16(low, spread(base)));
        _mm512_storeu_si512(out + found + LANES, _mm512_add_epi16(high, spread(base)));
        found += (uint32_t)__builtin_popcountll(word);
    }
    return true;
}

// Sums of the lanes up to each.
static inline __m512i add_up(__m512i lanes)
{
    const __m512i zero = _mm512_setzero_si512();
    __m512i before = _mm512_alignr_epi32(lanes, zero, 15); // two lanes on

    lanes = _mm512_add_epi16(lanes, _mm512_shldi_epi32(lanes, before, 16));
    lanes = _mm512_add_epi16(lanes, _mm512_alignr_epi32(lanes, zero, 15));
    lanes = _mm512_add_epi16(lanes, _mm512_alignr_epi32(lanes, zero, 14));
    lanes = _mm512_add_epi16(lanes, _mm512_alignr_epi32(lanes, zero, 12));
    return _mm512_add_epi16(lanes, _mm512_alignr_epi32(lanes, zero, 8));
}

// Low parts of 32 gaps are 4 * low_bits whole bytes: one load, one permutation of bytes, one shift
// for each lane.
struct lows {
    __m512i pick;
    __m512i shift;
    __m512i mask;
};

static inline struct lows lows_of(const struct block *block)
{
    __m512i bit = _mm512_add_epi16(_mm512_mullo_epi16(lane_numbers(), spread(block->low_bits)),
                                   spread(block->low & 7));
    __m512i byte = _mm512_srli_epi16(bit, 3);

    return (struct lows){
        .pick = _mm512_add_epi16(_mm512_mullo_epi16(byte, spread(0x0101)), spread(0x0100)),
        .shift = _mm512_and_si512(bit, spread(7)),
        .mask = spread((1U << block->low_bits) - 1)};
}

static inline __m512i take_lows(const struct block *block, const struct lows *lows, uint64_t byte)
{
    uint64_t left = block->limit / 8 + sizeof(uint64_t) - byte; // bytes that may be read
    __mmask64 there = left >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << left) - 1;
    __m512i low = _mm512_maskz_loadu_epi8(there, block->data + byte);

    low = _mm512_srlv_epi16(_mm512_permutexvar_epi8(lows->pick, low), lows->shift);
    return _mm512_and_si512(low, lows->mask);
}

static inline void store_ages(__m512i age, __mmask32 valid, uint32_t *out)
{
    __m512i low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(age));
    __m512i high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(age, 1));

    _mm512_mask_storeu_epi32(out, (__mmask16)valid, low);
    _mm512_mask_storeu_epi32(out + LANES / 2, (__mmask16)(valid >> LANES / 2), high);
}

// How many of the valid lanes are at most `most`.
static inline uint32_t count_up_to(__m512i age, __mmask32 valid, int64_t most)
{
    if (most < 0) {
        return 0;
    }
    __m512i limit = spread(most < UINT16_MAX ? (uint32_t)most : UINT16_MAX);
    return (uint32_t)__builtin_popcount(_mm512_mask_cmple_epu16_mask(valid, age, limit));
}

// The same, 32 ages at a time, and always all: how many there are is known long before what they
// say, so that the processor need not guess where to stop.
static struct ages take_ages_by_lanes(const struct block *block, uint32_t least, uint32_t most,
                                      bool same_day, uint32_t *out)
{
    const uint32_t gaps = block->count - 1;
    const struct lows lows = lows_of(block);
    const __m128i width = _mm_cvtsi32_si128((int)block->low_bits);
    uint16_t ones[POSITIONS_MAX];
    struct ages ages = {.passed = block->count};
    __m512i age = spread(block->age);
    __m512i carry = age;

    if (!find_ones(block, gaps, ones) ||
        (uint64_t)(ones[gaps - 1] - (gaps - 1)) << block->low_bits > block->age_most) {
        return (struct ages){0};
    }
    ages.bit = block->high + ones[gaps - 1] + 1;
    ages.before = block->age < least;
    ages.up_to = block->age <= most;
    if (out) {
        out[0] = block->age;
    }
    uint64_t byte = block->low / 8;
    for (uint32_t i = 0; i < gaps; i += LANES, byte += LANES / 8 * (uint64_t)block->low_bits) {
        __mmask32 valid = gaps - i >= LANES ? UINT32_MAX : (1U << (gaps - i)) - 1;
        __m512i low = _mm512_add_epi16(take_lows(block, &lows, byte), spread(!same_day));
        low = _mm512_add_epi16(add_up(_mm512_maskz_mov_epi16(valid, low)), carry);
        carry = _mm512_permutexvar_epi16(spread(LANES - 1), low);
        __m512i index = _mm512_add_epi16(spread(i), lane_numbers());
        __m512i high = _mm512_sub_epi16(_mm512_loadu_si512(ones + i), index);
        age = _mm512_add_epi16(low, _mm512_sll_epi16(high, width));
        if (out) {
            store_ages(age, valid, out + 1 + i);
        }
        ages.before += count_up_to(age, valid, (int64_t)least - 1);
        ages.up_to += count_up_to(age, valid, most);
    }
    age = _mm512_permutexvar_epi16(spread((gaps - 1) % LANES), age);
    uint32_t last = (uint32_t)_mm512_cvtsi512_si32(age) & UINT16_MAX;
    return last <= block->age_most && ages.bit <= block->limit ? ages : (struct ages){0};
}
#endif

static inline struct ages take_ages(const struct block *block, uint32_t least, uint32_t most,
                                    bool same_day, uint32_t *out)
{
#ifdef __AVX512VBMI2__
    if (block->count > 1 && block->low_bits <= LANES_LOW_MAX && block->age_most <= LANES_AGE_MAX) {
        return take_ages_by_lanes(block, least, most, same_day, out);
    }
#endif
    return take_ages_one_by_one(block, least, most, same_day, out);
}

#endif
