// store/rollup_private.h - an opened rollup, between the files that read it.
#ifndef STORE_ROLLUP_PRIVATE_H
#define STORE_ROLLUP_PRIVATE_H

#include "store/rollup_format.h"

struct section {
    const unsigned char *data; // NULL: absent
    size_t bytes;
    uint64_t checksum;
};

struct rollup {
    const unsigned char *data;
    size_t bytes;
    size_t file_bytes; // as stored; of version 1 not `bytes`
    bool mapped;       // else malloc'ed
    uint16_t major;    // format version
    const struct entries_code *code;
    struct rollup_def def;
    struct rollup_coverage coverage[ROLLUP_FEEDS_MAX];
    struct section section[ROLLUP_PROVENANCE + 1];
    struct dictionary dictionary[ROLLUP_DIMS_MAX];
    uint32_t groups;
    // Of each dimension: the distinct beginnings of groups up to it, each as number of the
    // beginning before it * values of the dimension + value.
    struct monotone keys[ROLLUP_DIMS_MAX];
    struct entries cells;
    struct entries spans;
    uint64_t generation;
    struct digest digest;
    int32_t first_day;
    int32_t last_day;
};

// A file of version 1, its sections found but not looked into, as one of today's version.
// Errors: TALLY_CORRUPT naming the section, TALLY_NO_MEMORY.
bool rollup_v1_convert(const struct rollup *v1, struct bytes *out, struct tally_err *err);

// The section that it walks over.
const char *rollup_walk_section(const struct rollup_walk *walk);

const char *rollup_section_name(enum rollup_section id);

// False, with TALLY_CORRUPT and the section as the place.
bool rollup_damaged(struct tally_err *err, const char *section, const char *what);

// That a section is there and has its checksum.
bool rollup_check_section(const struct rollup *rollup, enum rollup_section id,
                          struct tally_err *err);

#endif
