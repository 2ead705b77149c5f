// base/day.h - civil dates as day numbers.
//
//   day 0 = 1970-01-01, proleptic Gregorian, no time zones: a day is what the feed wrote.
//
// Years run from -9999 to 9999 (astronomical: year 0 exists, -1 is 2 BC), which covers
// earthquake catalogues; a feed may narrow that.
// Source of the arithmetic: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
#ifndef BASE_DAY_H
#define BASE_DAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DAY_YEAR_MIN = -9999, DAY_YEAR_MAX = 9999, DAY_TEXT_BYTES = 16 };

#define DAY_MIN (-4371587) // -9999-01-01
#define DAY_MAX 2932896    // 9999-12-31

struct day_civil {
    int year;
    int month; // 1..12
    int day;   // 1..31
};

static inline bool day_is_possible(int32_t day)
{
    return day >= DAY_MIN && day <= DAY_MAX;
}

bool day_is_leap(int year);
int day_month_days(int year, int month); // Requires: month 1..12
bool day_is_valid(struct day_civil civil);
int32_t day_from_civil(struct day_civil civil); // Requires: day_is_valid
struct day_civil day_to_civil(int32_t day);     // Requires: DAY_MIN..DAY_MAX

// "2020-10-24" (four digits, after an optional minus), the whole text. False: not such a date.
bool day_parse_iso(const char *text, size_t count, int32_t *out_day);

// Writes "2020-10-24" or "-2150-01-01", terminated. Returns `text`.
const char *day_format_iso(int32_t day, char text[DAY_TEXT_BYTES]);

// The same day and month one year earlier, 29 February becoming 28.
int32_t day_year_ago(int32_t day);

#endif
