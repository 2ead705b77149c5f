// store/rollup_patch.h - what changed since a base was published (private to store/).
//
//   patch group   0 .. C-1            groups of the base whose entries change
//                 C .. C+N-1          groups that the base does not have
//   entry         days, and the differences: incidents, each measure's sum and missing count
//
// Differences are plain columns of fixed width, a group's oldest first, so that writing them costs
// little and reading one group is a look at the file. docs/format.md, "The patch", has the bytes.
//
// Differences stand in `struct rollup_sums` as numbers modulo 2^64 and 2^128: adding them to what
// they belong to gives what it is now.
#ifndef STORE_ROLLUP_PATCH_H
#define STORE_ROLLUP_PATCH_H

#include "store/rollup_private.h"

enum { PATCH_COLUMNS_MAX = 3 + 2 * ROLLUP_MEASURES_MAX };

struct patch_column {
    const unsigned char *data;
    uint32_t width; // bytes; 0: every number is 0
};

struct patch_entries {
    bool spans;
    uint32_t measures;
    uint32_t columns;
    uint64_t all; // entries of the sum
    uint32_t count;
    struct monotone starts;
    struct patch_column column[PATCH_COLUMNS_MAX]; // day; of spans length; incidents; sum, missing
};

struct patch {
    struct rollup *file;
    struct monotone gone;
    struct monotone changed;
    uint32_t fresh;               // groups that the base does not have
    const unsigned char *numbers; // of their texts, u32 each
    struct patch_entries cells;
    struct patch_entries spans;
};

// ---- reading ------------------------------------------------------------------------------

// Looks into a patch whose frame names `base`. Borrows `file`. Errors: TALLY_CORRUPT.
bool patch_open(struct patch *patch, struct rollup *file, const struct rollup *base,
                struct tally_err *err);

uint32_t patch_groups(const struct patch *patch);
// Number of a new group's text: below the base's count a value of the base.
uint32_t patch_number(const struct patch *patch, uint32_t fresh, size_t dim);

// Entries of a patch group: from .. end - 1.
struct patch_range {
    uint32_t from;
    uint32_t end;
};
struct patch_range patch_range(const struct patch_entries *entries, uint32_t group);
void patch_get(const struct patch_entries *entries, uint32_t index, struct rollup_entry *out);

// Adds the differences of a window, by any basis.
void patch_add_cells(const struct patch_entries *cells, uint32_t group, int32_t first_day,
                     int32_t last_day, struct rollup_sums *sums);
void patch_add_spans(const struct patch_entries *spans, uint32_t group, enum basis basis,
                     int32_t first_day, int32_t last_day, struct rollup_sums *sums);

// What opening leaves unproved of the patch itself.
bool patch_verify(const struct patch *patch, const struct rollup *base, struct tally_err *err);

// ---- writing ------------------------------------------------------------------------------

// Where the differences come from: one patch group after another, each one's oldest first. Numbers
// of an entry stand in order of the columns, as two's complement; they are asked for on several
// threads at once.
struct patch_source {
    void *context;
    uint64_t all;
    uint32_t count;
    const uint64_t *starts; // [patch groups + 1]
    void (*numbers)(void *context, bool spans, uint32_t index, bits_u128 *out);
};

struct patch_content {
    // Schema, generation and provenance of the sum; texts: those that are not the base's.
    const struct rollup_content *content;
    uint64_t base; // its frame
    struct digest digest;
    int32_t first_day;
    int32_t last_day;
    const uint64_t *gone;
    uint32_t gone_count;
    const uint64_t *changed;
    uint32_t changed_count;
    const uint32_t *numbers; // [fresh][dims]
    uint32_t fresh;
    struct patch_source cells;
    struct patch_source spans;
};

// The patch, complete. Errors: TALLY_NO_MEMORY.
bool patch_encode(const struct patch_content *patch, struct bytes *out, struct tally_err *err);

#endif
