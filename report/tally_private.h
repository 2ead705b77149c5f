// report/tally_private.h - an open rollup of libtally, between tally.c and tally_selection.c.
#ifndef REPORT_TALLY_PRIVATE_H
#define REPORT_TALLY_PRIVATE_H

#include "report/tally.h"
#include "store/rollup_read.h"

struct tally_rollup {
    struct rollup *rollup;
    uint64_t measures_every; // bit m: each of its feeds has measure m
    int feed_dim;            // -1: no dimension names the feed
};

// Exact sums to public ones. `measures`: bit m is set where a feed behind them has measure m.
// Errors: TALLY_OVERFLOW; outputs stay untouched then.
bool tally_put_sums(const struct tally_rollup *rollup, uint64_t measures,
                    const struct rollup_sums *sums, uint64_t *out_incidents,
                    struct tally_sum *out_sums, struct tally_err *err);

// As snprintf("%.*s").
size_t tally_put_text(const char *text, size_t bytes, char *out, size_t capacity);

// Errors: TALLY_INVALID.
bool tally_check_window(int32_t first_day, int32_t last_day, struct tally_err *err);

#endif
