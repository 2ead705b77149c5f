// report/recorded.h - what a rollup holds of the days and places that a claim speaks of.
//
//   claim   50 days, killed+wounded, province=Kabul
//   rollup  inside  855     all days in the window             low  = the least of these and of
//   M.low
//           start   860     first day in the window
//           overlap 863     any day in the window              high = the greatest, and of M.high
//
// What nobody reported can only add to this, never take away: `open` says that it might, and why.
#ifndef REPORT_RECORDED_H
#define REPORT_RECORDED_H

#include "report/claims.h"
#include "report/sheet.h"
#include "report/verdict.h"
#include "report/where.h"
#include "store/rollup_read.h"

#include <stddef.h>
#include <stdint.h>

struct recorded_figure {
    bool given; // false: nobody reported it
    bytes_i128 sum;
};

struct recorded {
    const char *not_comparable; // why; NULL: it can be compared
    const char *open;           // why more may have happened than is recorded; "": it is all known
    bool any;                   // what follows is filled, also where it cannot be compared
    struct recorded_figure inside;
    struct recorded_figure start;
    struct recorded_figure overlap;
    struct range range;
    uint64_t reported;  // incidents of any day in the window that gave the measure; of several
                        // measures the one that the fewest gave
    uint64_t incidents; // of any day in the window
};

// `where`: "DIM=LIST" texts that hold for all claims beside their own filters. Texts in *out live
// in the sheet. Errors: TALLY_NO_MEMORY.
bool recorded_find(struct recorded *out, const struct claim *claim, const struct rollup *rollup,
                   const char *const *where, size_t where_count, struct sheet *texts,
                   struct tally_err *err);

// How the claim stands to that. `*out_reason`: by how much, or why not; may be "".
enum verdict recorded_judge(const struct recorded *recorded, const struct claim *claim,
                            struct sheet *texts, const char **out_reason);

// "target=civilians" of a rollup's own filter.
const char *recorded_filter_text(struct sheet *texts, const struct filter *filter);

#endif
