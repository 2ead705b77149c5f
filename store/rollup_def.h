// store/rollup_def.h - what a rollup is: feeds, filters, dimensions, measures, windows.
#ifndef STORE_ROLLUP_DEF_H
#define STORE_ROLLUP_DEF_H

#include "base/bytes.h"
#include "base/err.h"
#include "store/filter.h"

#include <stddef.h>
#include <stdint.h>

enum {
    ROLLUP_DIMS_MAX = 16,
    ROLLUP_MEASURES_MAX = 32,
    ROLLUP_FEEDS_MAX = 64,
    ROLLUP_FILTERS_MAX = 16,
    ROLLUP_WINDOWS_MAX = 16,
    ROLLUP_WINDOW_DAYS_MAX = 36600, // a hundred years
    ROLLUP_NAME_BYTES_MAX = 64,
};

#define ROLLUP_DIM_FEED "feed" // the dimension that every incident has: its feed's name

struct rollup_feed {
    char *name;
    uint64_t measures; // bit m: this feed has a column for measure m
};

struct rollup_def {
    char *name;
    struct rollup_feed feeds[ROLLUP_FEEDS_MAX];
    char *dims[ROLLUP_DIMS_MAX];
    char *measures[ROLLUP_MEASURES_MAX];
    struct filter filters[ROLLUP_FILTERS_MAX];
    uint32_t windows[ROLLUP_WINDOWS_MAX]; // days
    size_t feeds_count;
    size_t dims_count;
    size_t measures_count;
    size_t filters_count;
    size_t windows_count;
};

// The caller's zeroed memory; owns its texts. Adding copies; a second filter on one dimension
// widens the first. Errors: TALLY_INVALID (too many, twice, empty), TALLY_NO_MEMORY.
bool rollup_def_set_name(struct rollup_def *def, const char *name, struct tally_err *err);
bool rollup_def_add_feed(struct rollup_def *def, const char *name, struct tally_err *err);
bool rollup_def_add_dim(struct rollup_def *def, const char *name, struct tally_err *err);
bool rollup_def_add_measure(struct rollup_def *def, const char *name, struct tally_err *err);
bool rollup_def_add_filter(struct rollup_def *def, const char *dim, const char *list,
                           struct tally_err *err);
bool rollup_def_add_window(struct rollup_def *def, uint32_t days, struct tally_err *err);
void rollup_def_done(struct rollup_def *def);

int rollup_def_find_dim(const struct rollup_def *def, const char *name); // -1: absent
int rollup_def_find_measure(const struct rollup_def *def, const char *name);

void rollup_def_encode(const struct rollup_def *def, struct bytes *out);
// Whether both say the same; without memory: no.
bool rollup_def_equal(const struct rollup_def *a, const struct rollup_def *b);
bool rollup_def_decode(struct rollup_def *def, struct cursor *in, struct tally_err *err);

#endif
