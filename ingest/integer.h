// ingest/integer.h - counts as feeds write them: "12", " 12 ", "15960.0", "-99".
//
// Exact: no floating point, all of int64. A fraction other than zeros is no count, and neither
// is a number with thousands separators or an exponent.
#ifndef INGEST_INTEGER_H
#define INGEST_INTEGER_H

#include "ingest/text.h"

#include <stdint.h>

enum integer_status {
    INTEGER_OK,
    INTEGER_UNREADABLE,
    INTEGER_FRACTION, // "12.5"
    INTEGER_TOO_LARGE // beyond int64
};

// `decimal`: '.' or ','. Requires: trimmed.
enum integer_status integer_parse(struct text text, char decimal, int64_t *out_number);

bool integer_parse_plain(struct text text, int64_t *out_number);

// "15960.0" without its ".0", anything else as it is.
struct text integer_without_zeros(struct text text, char decimal);

// "1.97E+11", as spreadsheets write numbers of many digits: what was several is one then.
bool integer_is_rounded(struct text text);
#define INTEGER_ROUNDED "was rounded by a spreadsheet: have the column exported as text"

#endif
