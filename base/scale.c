#include "base/scale.h"

#include <stdlib.h>
#include <string.h>

struct suffix {
    const char *text;
    uint64_t factor;
};

enum { SUFFIXES_MAX = 6 };

static const struct suffix suffixes[][SUFFIXES_MAX] = {
    [SCALE_COUNT] = {{"", 1}},
    [SCALE_BYTES] =
        {{"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"T", UINT64_C(1) << 40}},
    [SCALE_TIME] = {{"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}},
    [SCALE_DAYS] = {{"d", 1}, {"", 1}},
};

bool scale_parse(enum scale scale, const char *text, uint64_t *out)
{
    char *end;
    unsigned long long number = strtoull(text, &end, 10);

    if (*text < '0' || *text > '9') {
        return false;
    }
    end += strspn(end, " ");
    for (const struct suffix *suffix = suffixes[scale]; suffix->text; suffix++) {
        if (strcmp(end, suffix->text) == 0) {
            return !__builtin_mul_overflow((uint64_t)number, suffix->factor, out);
        }
    }
    return false;
}

bool scale_parse_key(enum scale scale, struct scale_bounds bounds, const char *key,
                     const char *text, uint64_t *out, struct tally_err *err)
{
    static const char *const forms[] = {
        [SCALE_COUNT] = "a whole number",
        [SCALE_BYTES] = "a size such as 64M",
        [SCALE_TIME] = "a time such as 500ms, 5s or 2min",
        [SCALE_DAYS] = "days such as 50d",
    };
    uint64_t number;

    if (!scale_parse(scale, text, &number)) {
        return err_set(err, TALLY_INVALID, "%s = %.60s: expected %s", key, text, forms[scale]);
    }
    if (number < bounds.low || number > bounds.high) {
        return err_set(err, TALLY_INVALID, "%s = %.60s: allowed are %llu to %llu", key, text,
                       (unsigned long long)bounds.low, (unsigned long long)bounds.high);
    }
    *out = number;
    return true;
}
