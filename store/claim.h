// store/claim.h - what a claim is made of, and how its texts are read.
//
//   id  speaker  stated_on  first_day .. last_day  measure         filter          qualifier  value
//   C1  MoI      2020-10-25 2020-09-05 2020-10-24  killed+wounded  province=Kabul  at least   900
//
// A batch of claims is kept like one of incidents: `value` is its measure, the texts below are its
// dimensions. Rollups never add claims up; `tally claims` sets them against what rollups hold.
#ifndef STORE_CLAIM_H
#define STORE_CLAIM_H

#include "base/err.h"

#include <stddef.h>

#define CLAIM_VALUE "value" // the one measure of a claim

// The dimensions that have a meaning; a feed of claims may have others.
enum claim_text {
    CLAIM_SPEAKER,
    CLAIM_STATED_ON,
    CLAIM_MEASURE,
    CLAIM_FILTER,
    CLAIM_QUALIFIER,
    CLAIM_RESPONSES,
    CLAIM_PART_OF, // id of the claim that this one is a part of
    CLAIM_TEXTS
};
const char *claim_text_name(enum claim_text which);

enum claim_qualifier {
    CLAIM_AT_LEAST,
    CLAIM_AT_MOST,
    CLAIM_OVER,
    CLAIM_UNDER,
    CLAIM_ABOUT,
    CLAIM_EXACTLY,
    CLAIM_QUALIFIERS
};
const char *claim_qualifier_name(enum claim_qualifier qualifier);
// Large and small letters alike.
bool claim_qualifier_parse(const char *text, size_t bytes, enum claim_qualifier *out_qualifier);

struct claim_span {
    const char *at; // not terminated, in the text that was parsed
    size_t bytes;
};

// "killed + wounded": the sum of both. False: an empty name, one given twice, or too many.
enum { CLAIM_MEASURES_MAX = 8 };
struct claim_measures {
    struct claim_span name[CLAIM_MEASURES_MAX];
    size_t count;
};
bool claim_measures_parse(const char *text, size_t bytes, struct claim_measures *out_measures);

// "province=Kabul,Herat; target=civilians": all of them have to hold; each list is as in
// store/filter.h, and a semicolon within quotes belongs to it. False: no DIM=LIST, or too many.
enum { CLAIM_CONDITIONS_MAX = 16 };
struct claim_condition {
    struct claim_span dim;
    struct claim_span list;
};
struct claim_conditions {
    struct claim_condition condition[CLAIM_CONDITIONS_MAX];
    size_t count;
};
bool claim_conditions_parse(const char *text, size_t bytes,
                            struct claim_conditions *out_conditions);

// What is wrong with a text of a claim, for people, with the code of the reason; NULL: nothing.
// Dates are not looked at.
const char *claim_check(enum claim_text which, const char *text, size_t bytes,
                        const char **out_reason);

#endif
