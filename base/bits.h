// base/bits.h - numbers as bits within bytes, least significant bit first.
//
//   byte 0           byte 1             a number of 5 bits, then one of 7:
//   b b b a a a a a  . . . . b b b b    a = bits 0-4, b = bits 5-11
//
// Three codes, each a number of bits that the value itself decides:
//
//   unary(n)        n zeros, then a one
//   rice(v, k)      unary(v >> k), then the low k bits of v         (Rice 1979, Golomb 1966)
//   golomb(v, k)    x = (v >> k) + 1 of m + 1 bits: unary(m), the low m bits of x, the low k bits
//                   of v: the exponential Golomb code of order k    (Teuhola 1978)
//
// Reading is inline, for loops that take most of a look-up's time. Requires: 8 readable bytes from
// the byte of every bit position that is read.
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include "base/bytes.h"

#include <assert.h>
#include <endian.h>
#include <stdint.h>
#include <string.h>

__extension__ typedef unsigned __int128 bits_u128;

enum {
    BITS_AT_ONCE = 56,    // so many bits of a load are good at any position
    BITS_GOLOMB_MAX = 40, // greatest parameter of a code
};

// ---- writing ------------------------------------------------------------------------------

struct bits_writer {
    struct bytes *out;
    uint64_t held;  // bits that make no whole byte yet
    uint32_t count; // of them; less than 8 between calls
};

struct bits_writer bits_writer(struct bytes *out);

// Whole bytes of what is held are written eight at a time, those behind them again by the next.
static inline void bits_put(struct bits_writer *writer, uint64_t value, uint32_t count)
{
    struct bytes *out = writer->out;

    assert(count <= BITS_AT_ONCE);
    if (out->capacity - out->count < sizeof writer->held &&
        !bytes_reserve(out, sizeof writer->held)) {
        return;
    }
    writer->held |= value << writer->count;
    writer->count += count;
    uint64_t held = htole64(writer->held);
    memcpy(out->data + out->count, &held, sizeof held);
    out->count += writer->count / 8;
    writer->held >>= writer->count & ~7U; // less than 64: at most 7 bits were held
    writer->count &= 7;
}

void bits_put_wide(struct bits_writer *writer, bits_u128 value, uint32_t count); // count <= 128
void bits_put_unary(struct bits_writer *writer, uint64_t zeros);
void bits_put_rice(struct bits_writer *writer, uint64_t value, uint32_t parameter);
void bits_put_golomb(struct bits_writer *writer, bits_u128 value, uint32_t parameter);
void bits_align(struct bits_writer *writer); // zeros up to the next whole byte

// How many bits the codes take.
uint32_t bits_rice_cost(uint64_t value, uint32_t parameter);
uint32_t bits_golomb_cost(bits_u128 value, uint32_t parameter);

uint32_t bits_length_wide(bits_u128 value);

// ---- reading ------------------------------------------------------------------------------

// The number of bits that a value takes; 0 for 0.
static inline uint32_t bits_length(uint64_t value)
{
    return value ? 64 - (uint32_t)__builtin_clzll(value) : 0;
}

static inline uint64_t bits_low(uint64_t value, uint32_t count) // count < 64
{
    return value & ((UINT64_C(1) << count) - 1);
}

// The bits from `bit` on, BITS_AT_ONCE of them good.
static inline uint64_t bits_at(const unsigned char *data, uint64_t bit)
{
    uint64_t word;
    memcpy(&word, data + (bit >> 3), sizeof word);
    return le64toh(word) >> (bit & 7);
}

static inline uint64_t bits_get(const unsigned char *data, uint64_t bit, uint32_t count)
{
    return bits_low(bits_at(data, bit), count); // count <= BITS_AT_ONCE
}

bits_u128 bits_get_wide(const unsigned char *data, uint64_t bit, uint32_t count); // count <= 128

// A code of any length at *bit, which moves behind it. False: it goes on past `limit`, or is
// longer than any value is.
bool bits_take_unary(const unsigned char *data, uint64_t limit, uint64_t *bit, uint32_t *out_zeros);
bool bits_take_golomb(const unsigned char *data, uint64_t limit, uint64_t *bit, uint32_t parameter,
                      bits_u128 *out_value);

// Position of the one number `rank` (from 0) of a word. Requires: it has more than `rank` ones.
static inline uint32_t bits_select(uint64_t word, uint32_t rank)
{
#ifdef __BMI2__
    return (uint32_t)__builtin_ctzll(__builtin_ia32_pdep_di(UINT64_C(1) << rank, word));
#else
    uint32_t skipped = 0;
    for (uint32_t ones; (ones = (uint32_t)__builtin_popcountll(word & 0xff)) <= rank; word >>= 8) {
        rank -= ones;
        skipped += 8;
    }
    for (; rank > 0; rank--) {
        word &= word - 1;
    }
    return skipped + (uint32_t)__builtin_ctzll(word);
#endif
}

#endif
