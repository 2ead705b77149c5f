// store/filter.h - which texts a condition on a dimension lets through.
//
//     civilians            this text                 !police          any other text
//     civilians, aid*      one of several; * any run of characters, ? any one (base/pattern.h)
//     "Smith, John"        quotes keep commas and blanks
//     Smith\, John         so does a backslash, which takes the meaning from any one character
//
// A leading ! turns the whole list round: neither of them. An empty list is the empty text:
// unknown. Large and small letters differ.
#ifndef STORE_FILTER_H
#define STORE_FILTER_H

#include "base/bytes.h"
#include "base/err.h"

#include <stddef.h>

struct filter {
    char *dim;
    char **patterns;
    size_t patterns_count;
    bool negated;
};

// Errors: TALLY_INVALID for an open quote or text behind a closing one; TALLY_NO_MEMORY.
bool filter_init(struct filter *filter, const char *dim, const char *list, struct tally_err *err);
void filter_done(struct filter *filter);
bool filter_add(struct filter *filter, const char *list, struct tally_err *err); // either

bool filter_matches(const struct filter *filter, const char *text, size_t bytes);

// The one text that passes. False: more than one may, or it is longer than `capacity`.
bool filter_text(const struct filter *filter, char *out, size_t capacity, size_t *out_bytes);

void filter_encode(const struct filter *filter, struct bytes *out);
bool filter_decode(struct filter *filter, struct cursor *in, struct tally_err *err);

#endif
