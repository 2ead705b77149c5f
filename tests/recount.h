// tests/recount.h - which windows an entry belongs to, told again from docs/format.md, "Windows".
#ifndef TESTS_RECOUNT_H
#define TESTS_RECOUNT_H

#include "store/rollup_sums.h"

// Adds an entry as often as a window counts it: a cell by its first day; a span what it changes of
// that for another basis, +1, 0 or -1 times.
static inline void recount_add(const struct rollup_entry *entry, bool is_span, size_t measures,
                               enum basis basis, int32_t first_day, int32_t last_day,
                               struct rollup_sums *sums)
{
    bool starts = entry->first_day >= first_day && entry->first_day <= last_day;
    bool ends = entry->last_day >= first_day && entry->last_day <= last_day;
    bool touches = entry->first_day <= last_day && entry->last_day >= first_day;
    bool counts = basis == BASIS_START     ? starts
                  : basis == BASIS_END     ? ends
                  : basis == BASIS_OVERLAP ? touches
                                           : starts && ends;
    int weight = is_span ? counts - starts : starts;

    sums->incidents += (uint64_t)weight * entry->sums.incidents;
    for (size_t m = 0; m < measures; m++) {
        sums->measure[m].sum += weight * entry->sums.measure[m].sum;
        sums->measure[m].reported += (uint64_t)weight * entry->sums.measure[m].reported;
    }
}

#endif
