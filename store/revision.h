// store/revision.h - which of two versions of an incident is the newer one.
//
//   none  <  numbers by value: -1, 007 = 7, 9.5, 10  <  other texts by their bytes: 2020-01-31, v2
//
// One order for all values, so that the newest of several does not depend on which came first.
#ifndef STORE_REVISION_H
#define STORE_REVISION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum revision_kind {
    REVISION_NONE,
    REVISION_NUMBER, // a decimal integer of up to 18 digits; "007" is 7
    REVISION_TEXT,   // anything else; longer numbers and fractions still compare as numbers
};

struct revision {
    enum revision_kind kind;
    uint32_t bytes; // of text
    int64_t number;
    const char *text; // not terminated, not owned
};

// The text has to outlive the revision. Blank gives REVISION_NONE.
struct revision revision_of_text(const char *text, size_t bytes);
struct revision revision_of_number(int64_t number);

// < 0, 0, > 0 as a is older than, the same as, newer than b.
int revision_compare(const struct revision *a, const struct revision *b);

// A decimal number in parts; leading zeros of the whole and trailing ones of the fraction are left
// out, so that equal numbers have equal parts.
struct revision_decimal {
    bool negative;
    const char *whole;
    size_t whole_bytes;
    const char *fraction;
    size_t fraction_bytes;
};
// Whether a text compares as a number: "-1.50", "+7", "007".
bool revision_decimal_parse(const char *text, size_t bytes, struct revision_decimal *out);

// Room for any number. Returns the text and its length; a text is returned as it is.
enum { REVISION_NUMBER_BYTES = 24 };
const char *revision_format(const struct revision *revision, char number[REVISION_NUMBER_BYTES],
                            size_t *out_bytes);

#endif
