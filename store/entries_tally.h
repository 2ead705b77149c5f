// store/entries_tally.h - how often which number occurs in a column, and the code that is shortest
// for it (private to store/).
//
//   columns of many blocks --count--> tally --choose--> gap parameter or dense or empty, and k
//
// Tallies of parts add up to the tally of all.
#ifndef STORE_ENTRIES_TALLY_H
#define STORE_ENTRIES_TALLY_H

#include "store/entries.h"

// How often each small number occurs; great ones by their length.
enum { NUMBERS_SMALL = 64, NUMBERS_LENGTHS = 129 };
struct numbers {
    uint64_t small[NUMBERS_SMALL];
    uint64_t length[NUMBERS_LENGTHS];
};

// What decides how one column of one class is written. Zeroed: no number.
struct entries_tally {
    struct numbers all;   // every number
    struct numbers above; // those of NUMBERS_SMALL or more, less 1; others are known from `all`
    uint64_t gap[ENTRIES_BLOCK + 1];
};

struct entries_parameters {
    uint8_t gap;
    uint8_t value;
};

// One list of `count` numbers.
void entries_tally_count(struct entries_tally *tally, const bits_u128 *column, uint32_t count);
void entries_tally_add(struct entries_tally *to, const struct entries_tally *from);
struct entries_parameters entries_tally_choose(const struct entries_tally *tally);

#endif
