// ingest/date.h - dates as feeds write them, and what is not known of them.
//
//   "2017-01-30"  -> 2017-01-30 .. 2017-01-30
//   "2017-01"     -> 2017-01-01 .. 2017-01-31      a month or a year is the interval of its days;
//   "2017-00-00"  -> 2017-01-01 .. 2017-12-31      0 stands for an unknown month or day
//
// Formats are those of strptime as far as dates need them: %Y %y %m %b %B %d %e %j %F %H %I %M
// %S %T %f %p %z %%; month names are English; a blank matches any number of blanks, at least one
// between digits. Without a format, ISO dates are read, with or without a time of day.
#ifndef INGEST_DATE_H
#define INGEST_DATE_H

#include "base/err.h"
#include "ingest/text.h"

#include <stdint.h>

enum { DATE_CENTURY_UNSET = -1 };

struct date_rules {
    const struct text *formats; // none: ISO
    size_t formats_count;
    bool iso_first;  // no format, or the first one is that of ISO days: date_is_iso_format
    int century;     // added to years of two digits; DATE_CENTURY_UNSET: they are refused
    int year_min;    // earlier years are refused
    int32_t day_min; // the first day of year_min
};

struct date_days {
    int32_t first;
    int32_t last;
};

// NULL when read, else the code of the reason: "date-unreadable", "date-impossible",
// "date-century", "date-year". Requires: text trimmed and not empty.
const char *date_parse(struct text text, const struct date_rules *rules, struct date_days *out);

// From numbers of their own; 0 or less for an unknown month or day. `digits`: how many the year
// was written with, since two are not enough.
const char *date_from_parts(int64_t year, size_t digits, int64_t month, int64_t day,
                            const struct date_rules *rules, struct date_days *out);

// Whether a date that was not read would be one with its day and its month changed places.
bool date_fits_swapped(struct text text, const struct date_rules *rules);

// Whether two of the formats differ in nothing but the places of day and month.
bool date_takes_both_orders(const struct text *formats, size_t count);

// The moment as a number that orders: 20260609161319, in UTC if the text has a zone; with
// `fraction` three more digits for the milliseconds. *out_finer: what a fraction says beyond them,
// in millionths of a millisecond. False: unreadable, or not exact to the day.
bool date_parse_moment(struct text text, const struct date_rules *rules, bool fraction,
                       int64_t *out_moment, int *out_finer);

bool date_is_iso_format(struct text format);

// Says what is wrong with a format. *out_two_digits: it has %y.
bool date_check_format(struct text format, bool *out_two_digits, bool *out_fraction,
                       struct tally_err *err);

#endif
