// report/verdict.h - claimed numbers against recorded ones: two ranges of whole numbers.
//
//   at least 900                      [900, ...      recorded [855, 863]     above, by 37
//   about 880                   [792,  968]          recorded [855, 863]     consistent
//   under 850        [0, 849]                        recorded [855, 863]     below, by 6
//
//   at least N  [N, ...    over N   [N+1, ...   exactly N  [N, N]
//   at most N   [0, N]     under N  [0, N-1]    about N    all v with 10 * |v - N| <= N
#ifndef REPORT_VERDICT_H
#define REPORT_VERDICT_H

#include "base/bytes.h"
#include "store/claim.h"

struct range {
    bytes_i128 low;
    bytes_i128 high;
    bool endless; // there is no high
};

// Requires: value >= 0.
struct range range_claimed(enum claim_qualifier qualifier, int64_t value);
struct range range_sum(struct range a, struct range b);

enum verdict {
    VERDICT_CONSISTENT, // they have a number in common
    VERDICT_ABOVE,      // all that is claimed lies above all that is recorded
    VERDICT_BELOW,
    VERDICT_NOT_COMPARABLE,
};
const char *verdict_name(enum verdict verdict);

// *out_gap: between the nearest ends; 0 where they are consistent. Never NOT_COMPARABLE.
enum verdict verdict_of(struct range claimed, struct range recorded, bytes_i128 *out_gap);

#endif
