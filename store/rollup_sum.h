// store/rollup_sum.h - a base and its patch, added up as they are read (private to store/).
//
//   group of the sum --base_group--> blocks of the base      \__ added
//                    --patch_group-> differences of the patch /
//
// The sum is a struct rollup like any other: where groups came or went it has dictionaries and
// keys of its own, made in memory; else it borrows those of the base. Opening costs a few
// nanoseconds a group, and some 50 where groups came or went.
#ifndef STORE_ROLLUP_SUM_H
#define STORE_ROLLUP_SUM_H

#include "store/rollup_patch.h"

#define ROLLUP_NO_GROUP UINT32_MAX

struct rollup_sum {
    struct rollup *base;
    struct patch patch;
    uint32_t *base_group;  // of each group of the sum; ROLLUP_NO_GROUP: it is new
    uint32_t *patch_group; // ROLLUP_NO_GROUP: nothing changed
    struct bytes packed;   // dictionaries and keys, where they are not the base's
};

// Takes over both, also on failure. Requires: the patch names the base.
struct rollup *rollup_join(struct rollup *base, struct rollup *patch, struct tally_err *err);
void rollup_sum_close(struct rollup_sum *sum);

#endif
