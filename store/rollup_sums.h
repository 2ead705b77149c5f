// store/rollup_sums.h - what incidents add up to, and which window an incident belongs to.
#ifndef STORE_ROLLUP_SUMS_H
#define STORE_ROLLUP_SUMS_H

#include "base/bytes.h"
#include "store/rollup_def.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum basis {
    BASIS_START,   // first day in the window
    BASIS_END,     // last day in the window
    BASIS_OVERLAP, // any day in the window
    BASIS_INSIDE,  // all days in the window
};
const char *basis_name(enum basis basis);
bool basis_parse(const char *text, enum basis *out_basis);

// Exact sums: at most 2^63 int64 values fit in 128 bits.
struct rollup_measure_sum {
    bytes_i128 sum;
    uint64_t reported; // how many incidents gave this measure
};
struct rollup_sums {
    uint64_t incidents;
    struct rollup_measure_sum measure[ROLLUP_MEASURES_MAX]; // the first measures_count count
};

// Only what the measures use: zeroing all takes as long as a small window.
static inline void rollup_sums_clear(struct rollup_sums *sums, size_t measures_count)
{
    sums->incidents = 0;
    memset(sums->measure, 0, measures_count * sizeof sums->measure[0]);
}

// A day cell (last_day is first_day) or a span: incidents of one group with the same days.
struct rollup_entry {
    int32_t first_day;
    int32_t last_day;
    struct rollup_sums sums;
};

#endif
