// tests/unit/packed.h - what the tests of packed bytes share: numbers by chance, and bytes in
// memory that ends where it may be read to.
#ifndef TESTS_UNIT_PACKED_H
#define TESTS_UNIT_PACKED_H

#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// Readers may look so far behind the bytes that they are given (base/bits.h).
enum { PACKED_BEHIND = 8 };

// Source: Steele, Lea and Flood 2014, SplitMix.
static inline uint64_t packed_random(uint64_t *seed)
{
    uint64_t mixed = *seed += UINT64_C(0x9e3779b97f4a7c15);

    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

static inline uint64_t packed_below(uint64_t *seed, uint64_t bound)
{
    return packed_random(seed) % bound;
}

// A number of as many bits as chance will have it, `bits` at most.
static inline uint64_t packed_number(uint64_t *seed, unsigned bits)
{
    uint64_t length = packed_below(seed, bits + UINT64_C(1));
    return length > 0 ? packed_random(seed) >> (64 - length) : 0;
}

// A copy with PACKED_BEHIND bytes behind it that are not zero; sanitizers see what goes further.
static inline unsigned char *packed_copy(const unsigned char *data, size_t count)
{
    unsigned char *copy = malloc(count + PACKED_BEHIND);

    assert_non_null(copy);
    memset(copy + count, 0xa5, PACKED_BEHIND);
    if (count > 0) {
        memcpy(copy, data, count);
    }
    return copy;
}

#endif
