// report/claims.h - the claims of a state, and each set against the parts of its own statement.
//
//   C1  at least 900 killed or wounded            parts 863: 37 short
//   C2    exactly 261 killed       part_of C1
//   C3    exactly 602 wounded      part_of C1
//
// Order: by feed, then by id. No I/O; nothing is printed here.
#ifndef REPORT_CLAIMS_H
#define REPORT_CLAIMS_H

#include "base/arena.h"
#include "report/verdict.h"
#include "store/filter.h"
#include "store/state.h"

#include <stddef.h>

struct claim {
    const struct incident *incident;
    struct claim_span id;
    int32_t first_day;
    int32_t last_day;
    struct claim_span text[CLAIM_TEXTS]; // empty where the feed has none
    bool readable;                       // qualifier, measure, filter and value are sound
    enum claim_qualifier qualifier;
    int64_t value;
    struct claim_measures measures;
    struct claim_conditions conditions;
    size_t parts_count;
    struct range parts; // what the parts claim, taken together
    bytes_i128 parts_sum;
    bool parts_complete; // they speak of every measure that the whole names
    bool parts_foreign;  // one speaks of a measure that the whole does not name
    bool whole_missing;  // part of a claim that is not there
};

struct claims {
    const struct state *state;
    struct arena ids;
    struct claim *claim;
    size_t count;
};

bool claims_init(struct claims *claims, const struct state *state, struct tally_err *err);
void claims_done(struct claims *claims);

struct range claims_range(const struct claim *claim); // Requires: readable

// The text that a condition on `name` looks at: "id" or a text of a claim. False: no such name.
bool claims_text(const struct claim *claim, const char *name, struct claim_span *out_text);

// "37 short", "5 over", "adds up", "" without parts. Returns `text`.
enum { CLAIMS_PARTS_BYTES = 96 };
const char *claims_parts_verdict(const struct claim *claim, char text[CLAIMS_PARTS_BYTES]);

#endif
