// base/scale.h - whole numbers with a unit, as configurations write them.
//
//   SCALE_BYTES 64M, 1 G     SCALE_TIME 500ms, 5s, 2min, 1h      SCALE_DAYS 50d, 50 SCALE_COUNT 7
#ifndef BASE_SCALE_H
#define BASE_SCALE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum scale { SCALE_COUNT, SCALE_BYTES, SCALE_TIME, SCALE_DAYS };

// Units: as they are, bytes, milliseconds, days. False: it is no such text, or too large.
bool scale_parse(enum scale scale, const char *text, uint64_t *out);

// The same of a key that has bounds. Errors: TALLY_INVALID saying what would be right.
struct scale_bounds {
    uint64_t low;
    uint64_t high;
};
bool scale_parse_key(enum scale scale, struct scale_bounds bounds, const char *key,
                     const char *text, uint64_t *out, struct tally_err *err);

#endif
