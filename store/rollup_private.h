// store/rollup_private.h - an opened rollup, between the files that read it.
#ifndef STORE_ROLLUP_PRIVATE_H
#define STORE_ROLLUP_PRIVATE_H

#include "store/rollup_format.h"

enum rollup_kind { ROLLUP_WHOLE, ROLLUP_PATCH };

struct section {
    const unsigned char *data; // NULL: absent
    size_t bytes;
    uint64_t checksum;
};

struct rollup_sum;

struct rollup {
    const unsigned char *data;
    size_t bytes;
    size_t file_bytes; // as stored; of version 1 not `bytes`
    bool mapped;       // else malloc'ed
    uint16_t major;    // format version
    uint64_t frame;    // checksum of header and table: which file it is
    uint64_t base;     // of a patch: the frame of its base; else 0
    uint64_t device;   // of a mapped file
    uint64_t inode;
    struct rollup_sum *sum; // of a base and its patch: rollup_sum.h; NULL: one file alone
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

// Maps a file: a rollup, or a patch with nothing but its frame and schema read.
struct rollup *rollup_map(int dir_fd, const char *path, enum rollup_kind kind,
                          struct tally_err *err);
// The same of malloc'ed bytes, taken over also on failure.
struct rollup *rollup_take(unsigned char *data, size_t bytes, enum rollup_kind kind,
                           struct tally_err *err);

struct cursor rollup_section_cursor(const struct rollup *rollup, enum rollup_section id);

// Dictionaries and keys of the sections that `rollup` has. Errors: TALLY_CORRUPT.
bool rollup_take_dictionaries(struct rollup *rollup, struct tally_err *err);
bool rollup_take_groups(struct rollup *rollup, struct tally_err *err);

// A file of version 1, its sections found but not looked into, as one of today's version.
// Errors: TALLY_CORRUPT naming the section, TALLY_NO_MEMORY.
bool rollup_v1_convert(const struct rollup *v1, struct bytes *out, struct tally_err *err);

// ---- writing ------------------------------------------------------------------------------

// Header and sections of a file that is being made. Sections that are asked for are filled by
// whoever knows them.
struct rollup_frame {
    uint64_t generation;
    struct digest digest;
    int32_t first_day;
    int32_t last_day;
    uint64_t base; // of a patch: the frame of its base; else 0
    struct bytes section[ROLLUP_PROVENANCE + 1];
};
void rollup_frame_init(struct rollup_frame *frame);
void rollup_frame_done(struct rollup_frame *frame);

// Schema, dictionary, provenance.
void rollup_encode_sayings(const struct rollup_content *content, struct rollup_frame *frame);

// The file. *out_frame: the checksum of its header and table. False: no memory, here or before.
bool rollup_encode_frame(const struct rollup_frame *frame, enum rollup_kind kind,
                         uint64_t *out_frame, struct bytes *out);

// What the headline is made of: windows of all groups, by first day.
struct headline {
    void *context;
    const struct rollup_def *def;
    const struct rollup_coverage *coverage;
    uint32_t groups;
    // One window, first_day .. last_day, of every group: headline_put of each.
    bool (*fill)(const struct headline *headline, int32_t first_day, int32_t last_day,
                 int64_t *number, struct tally_err *err);
};
// `number`: [columns][groups]. Threads: any, each with groups of its own.
void headline_put(const struct headline *headline, uint32_t group, const struct rollup_sums *sums,
                  int64_t *number);
bool headline_encode(const struct headline *headline, struct bytes *out, struct tally_err *err);

// ---- reading ------------------------------------------------------------------------------

// Whether `path` is still the name of the file that is open.
bool rollup_is_still(int dir_fd, const char *path, const struct rollup *rollup);

// The section that it walks over.
const char *rollup_walk_section(const struct rollup_walk *walk);

const char *rollup_section_name(enum rollup_section id);

// False, with TALLY_CORRUPT and the section as the place.
bool rollup_damaged(struct tally_err *err, const char *section, const char *what);

// That a section is there and has its checksum.
bool rollup_check_section(const struct rollup *rollup, enum rollup_section id,
                          struct tally_err *err);

#endif
