// report/where.h - which groups are asked for (--where) and what they are split by (--by).
//
//     --where target=civilians --where admin1=Kabul --where admin1=Herat --by admin1,actor
//
// Conditions on one dimension: either; on several: all of them. store/filter.h has the syntax.
#ifndef REPORT_WHERE_H
#define REPORT_WHERE_H

#include "base/err.h"
#include "store/rollup_def.h"

#include <stddef.h>

struct where {
    struct filter filter[ROLLUP_DIMS_MAX]; // one for each dimension that has a condition
    size_t dim[ROLLUP_DIMS_MAX];           // position in the definition
    size_t count;
};

// `texts`: "DIM=LIST" each. Errors: TALLY_INVALID naming the dimensions there are.
bool where_init(struct where *where, const struct rollup_def *def, const char *const *texts,
                size_t texts_count, struct tally_err *err);
void where_done(struct where *where);

// Whether a value of dimension `dim` may pass.
bool where_matches(const struct where *where, size_t dim, const char *text, size_t bytes);

struct by {
    size_t dim[ROLLUP_DIMS_MAX];
    size_t count;
};

// Errors: TALLY_INVALID for a dimension that is not there, or named before.
bool by_add(struct by *by, const struct rollup_def *def, const char *name, size_t bytes,
            struct tally_err *err);
// `list`: "DIM,DIM" or NULL for none. Errors: TALLY_INVALID.
bool by_parse(struct by *by, const struct rollup_def *def, const char *list, struct tally_err *err);

// Bit m: some feed behind these figures has measure m. With `feed_text` only that feed counts.
uint64_t where_measures(const struct where *where, const struct rollup_def *def,
                        const char *feed_text, size_t feed_bytes);

// Whether feed number `feed` of the definition passes a condition on the dimension "feed".
bool where_has_feed(const struct where *where, const struct rollup_def *def, size_t feed);

#endif
