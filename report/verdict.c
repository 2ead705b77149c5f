#include "report/verdict.h"

enum { ABOUT_DIVISOR = 10 }; // within a tenth

struct range range_claimed(enum claim_qualifier qualifier, int64_t value)
{
    bytes_i128 number = value;
    bytes_i128 about = number / ABOUT_DIVISOR;

    switch (qualifier) {
    case CLAIM_AT_LEAST:
        return (struct range){.low = number, .endless = true};
    case CLAIM_OVER:
        return (struct range){.low = number + 1, .endless = true};
    case CLAIM_AT_MOST:
        return (struct range){.high = number};
    case CLAIM_UNDER:
        return (struct range){.high = number - 1};
    case CLAIM_ABOUT:
        return (struct range){.low = number - about, .high = number + about};
    case CLAIM_EXACTLY:
    case CLAIM_QUALIFIERS:
        break;
    }
    return (struct range){.low = number, .high = number};
}

struct range range_sum(struct range a, struct range b)
{
    return (struct range){
        .low = a.low + b.low, .high = a.high + b.high, .endless = a.endless || b.endless};
}

const char *verdict_name(enum verdict verdict)
{
    static const char *const names[] = {[VERDICT_CONSISTENT] = "consistent",
                                        [VERDICT_ABOVE] = "above",
                                        [VERDICT_BELOW] = "below",
                                        [VERDICT_NOT_COMPARABLE] = "not-comparable"};
    return names[verdict];
}

enum verdict verdict_of(struct range claimed, struct range recorded, bytes_i128 *out_gap)
{
    *out_gap = 0;
    if (!recorded.endless && claimed.low > recorded.high) {
        *out_gap = claimed.low - recorded.high;
        return VERDICT_ABOVE;
    }
    if (!claimed.endless && claimed.high < recorded.low) {
        *out_gap = recorded.low - claimed.high;
        return VERDICT_BELOW;
    }
    return VERDICT_CONSISTENT;
}
