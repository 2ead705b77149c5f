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
enum { LANES = 16, POSITIONS_MAX = ENTRIES_BLOCK + 64 + LANES };

// Positions of the ones of the high parts, behind their first bit. False: there are not so many.
static inline bool find_ones(const struct block *block, uint32_t count, uint32_t *out)
{
    const __m512i bytes = _mm512_set_epi8(
        63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41,
        40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18,
        17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    uint64_t at = block->high;
    uint32_t base = 0;

    // High parts add up to an age at most.
    for (uint32_t found = 0; found < count; base += BITS_AT_ONCE, at += BITS_AT_ONCE) {
        if (at > block->limit || base > block->age_most + ENTRIES_BLOCK) {
            return false;
        }
        uint64_t word = bits_get(block->data, at, BITS_AT_ONCE);
        uint32_t ones = (uint32_t)__builtin_popcountll(word);
        __m512i packed = _mm512_maskz_compress_epi8(word, bytes);
        for (uint32_t i = 0; i < ones; i += LANES) {
            __m512i wide = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(packed));
            _mm512_storeu_si512(out + found + i,
                                _mm512_add_epi32(wide, _mm512_set1_epi32((int)base)));
            packed = _mm512_alignr_epi64(packed, packed, 2);
        }
        found += ones;
    }
    return true;
}

// Sums of the lanes up to each.
static inline __m512i add_up(__m512i lanes)
{
    const __m512i zero = _mm512_setzero_si512();

    lanes = _mm512_add_epi32(lanes, _mm512_alignr_epi32(lanes, zero, 15));
    lanes = _mm512_add_epi32(lanes, _mm512_alignr_epi32(lanes, zero, 14));
    lanes = _mm512_add_epi32(lanes, _mm512_alignr_epi32(lanes, zero, 12));
    return _mm512_add_epi32(lanes, _mm512_alignr_epi32(lanes, zero, 8));
}

// The same, 16 ages at a time. Low parts of 16 gaps are 2 * low_bits whole bytes: one load, one
// permutation of bytes, one shift for each lane.
static struct ages take_ages_by_lanes(const struct block *block, uint32_t least, uint32_t most,
                                      bool same_day, uint32_t *out)
{
    const uint32_t gaps = block->count - 1;
    const uint32_t width = block->low_bits;
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i bit = _mm512_add_epi32(_mm512_mullo_epi32(lane, _mm512_set1_epi32((int)width)),
                                         _mm512_set1_epi32((int)(block->low & 7)));
    const __m512i pick = _mm512_add_epi32(
        _mm512_mullo_epi32(_mm512_srli_epi32(bit, 3), _mm512_set1_epi32(0x01010101)),
        _mm512_set1_epi32(0x03020100));
    const __m512i shift = _mm512_and_si512(bit, _mm512_set1_epi32(7));
    const __m512i mask = _mm512_set1_epi32((int)bits_low(UINT32_MAX, width));
    uint32_t ones[POSITIONS_MAX];
    struct ages ages = {.before = block->age < least, .passed = block->count};
    __m512i carry = _mm512_set1_epi32((int)block->age);
    uint64_t byte = block->low / 8;
    uint32_t last = block->age;

    if (!find_ones(block, gaps, ones) ||
        (uint64_t)(ones[gaps - 1] - (gaps - 1)) << width > block->age_most) {
        return (struct ages){0};
    }
    ages.bit = block->high + ones[gaps - 1] + 1;
    ages.up_to = block->age <= most;
    for (uint32_t i = 0; i < gaps && ages.up_to == i + 1; i += LANES, byte += 2 * (uint64_t)width) {
        uint64_t left = block->limit / 8 + sizeof(uint64_t) - byte; // bytes that may be read
        __mmask64 there = left >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << left) - 1;
        __mmask16 valid = (__mmask16)(gaps - i >= LANES ? 0xffff : (1U << (gaps - i)) - 1);
        __m512i low = _mm512_maskz_loadu_epi8(there, block->data + byte);
        low = _mm512_srlv_epi32(_mm512_permutexvar_epi8(pick, low), shift);
        low = _mm512_add_epi32(_mm512_and_si512(low, mask), _mm512_set1_epi32(!same_day));
        low = _mm512_add_epi32(add_up(_mm512_maskz_mov_epi32(valid, low)), carry);
        carry = _mm512_permutexvar_epi32(_mm512_set1_epi32(LANES - 1), low);
        __m512i index = _mm512_add_epi32(_mm512_set1_epi32((int)i), lane);
        __m512i high = _mm512_sub_epi32(_mm512_loadu_si512(ones + i), index);
        __m512i age = _mm512_add_epi32(low, _mm512_sll_epi32(high, _mm_cvtsi32_si128((int)width)));
        if (out) {
            _mm512_mask_storeu_epi32(out + 1 + i, valid, age);
        }
        ages.before += (uint32_t)__builtin_popcount(
            _mm512_mask_cmplt_epu32_mask(valid, age, _mm512_set1_epi32((int)least)));
        ages.up_to += (uint32_t)__builtin_popcount(
            _mm512_mask_cmple_epu32_mask(valid, age, _mm512_set1_epi32((int)most)));
        last = _mm512_mask_reduce_max_epu32(valid, age);
    }
    if (out) {
        out[0] = block->age;
    }
    return last <= block->age_most && ages.bit <= block->limit ? ages : (struct ages){0};
}
#endif

static inline struct ages take_ages(const struct block *block, uint32_t least, uint32_t most,
                                    bool same_day, uint32_t *out)
{
#ifdef __AVX512VBMI2__
    const uint32_t lanes_low_max = 24; // so that a low part and its shift fit in a lane
    if (block->count > LANES && block->low_bits <= lanes_low_max) {
        return take_ages_by_lanes(block, least, most, same_day, out);
    }
#endif
    return take_ages_one_by_one(block, least, most, same_day, out);
}

#endif
