// base/fold.h - two words to one in which the bits of both meet, for tables in memory.
//
//   a x b, 128 bits:   | high half | low half |      fold(a, b) = high half ^ low half
//
// The high half brings what stands at the top of the words down, the low half what stands at the
// bottom up. A word of 0 makes 0 of any other. Checksums of files are base/checksum.h.
//
// Cost: one multiplication.
#ifndef BASE_FOLD_H
#define BASE_FOLD_H

#include <stdint.h>

static inline uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 u128;
    u128 product = (u128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

#endif
