// store/rollup_private.h - an opened rollup, between rollup_open.c and rollup_read.c.
#ifndef STORE_ROLLUP_PRIVATE_H
#define STORE_ROLLUP_PRIVATE_H

#include "store/rollup_format.h"

struct section {
    const unsigned char *data; // NULL: absent
    size_t bytes;
    uint64_t checksum;
};

struct dictionary {
    const unsigned char *ends; // u32 each
    const char *texts;
    uint32_t count;
};

struct column {
    const unsigned char *data;
    uint32_t width;
};

// Cells or spans.
struct entries {
    uint64_t count;
    const unsigned char *starts; // u64 each, groups + 1
    struct column first_day;
    struct column last_day; // of cells: the same as first_day
    struct column incidents;
    struct column sum[ROLLUP_MEASURES_MAX];
    struct column reported[ROLLUP_MEASURES_MAX];
};

struct rollup {
    const unsigned char *data;
    size_t bytes;
    bool mapped; // else malloc'ed
    struct rollup_def def;
    struct rollup_coverage coverage[ROLLUP_FEEDS_MAX];
    struct section section[ROLLUP_PROVENANCE + 1];
    struct dictionary dictionary[ROLLUP_DIMS_MAX];
    size_t groups;
    const unsigned char *values; // u32 each, groups * dims
    struct entries cells;
    struct entries spans;
    uint64_t generation;
    struct digest digest;
    int32_t first_day;
    int32_t last_day;
    uint64_t batches;
    struct rollup_source *source;
    size_t sources;
};

#endif
