#include "base/day.h"

#include "base/bytes.h"

#include <stdio.h>
#include <string.h>

bool day_is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int day_month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && day_is_leap(year));
}

bool day_is_valid(struct day_civil civil)
{
    return civil.year >= DAY_YEAR_MIN && civil.year <= DAY_YEAR_MAX && civil.month >= 1 &&
           civil.month <= 12 && civil.day >= 1 &&
           civil.day <= day_month_days(civil.year, civil.month);
}

int32_t day_from_civil(struct day_civil civil)
{
    int year = civil.year - (civil.month <= 2); // years begin in March: the leap day is last
    int era = (year >= 0 ? year : year - 399) / 400;
    int year_of_era = year - era * 400;
    int month_from_march = civil.month > 2 ? civil.month - 3 : civil.month + 9;
    int day_of_year = (153 * month_from_march + 2) / 5 + civil.day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

struct day_civil day_to_civil(int32_t day)
{
    int shifted = day + 719468;
    int era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int day_of_era = shifted - era * 146097;
    int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month_from_march = (5 * day_of_year + 2) / 153;
    struct day_civil civil = {
        .day = day_of_year - (153 * month_from_march + 2) / 5 + 1,
        .month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9,
    };
    civil.year = year_of_era + era * 400 + (civil.month <= 2);
    return civil;
}

// Byte i of the word, which is the i-th byte of the text.
static inline uint32_t byte_of(uint64_t word, int i)
{
    return (uint32_t)(word >> (8 * i)) & 0xff;
}

// Whether a byte is above 9, or above 0 where `wrong_from` asks for it: added to that it reaches
// 0x80.
static inline bool has_other(uint64_t bytes, uint64_t wrong_from)
{
    return ((bytes + wrong_from) | bytes) & UINT64_C(0x8080808080808080);
}

// The day of a civil date that may be none; years from -10000 on. False: it is none.
static inline bool day_of_parts(int year, uint32_t month, uint32_t day, int32_t *out_day)
{
    static const uint8_t month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    static const uint16_t days_before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    // So many years later the calendar is the same, and no year is below 0.
    uint32_t later = (uint32_t)(year + 10000);
    const int32_t later_days = 25 * 146097;
    const int32_t days_before_1970 = 719528;

    if (month - 1 > 11) {
        return false;
    }
    bool leap = later % 4 == 0 && (later % 100 != 0 || later % 400 == 0);
    if (day - 1 >= month_days[month - 1] + (uint32_t)(leap && month == 2)) {
        return false;
    }
    uint32_t days = later * 365 + (later + 3) / 4 - (later + 99) / 100 + (later + 399) / 400 +
                    days_before[month - 1] + (leap && month > 2) + day - 1;
    *out_day = (int32_t)days - later_days - days_before_1970;
    return true;
}

// All digits at once, and never a struct: what was just written in pieces and is read as a whole
// waits until all writes before it have reached the cache.
bool day_parse_iso(const char *text, size_t count, int32_t *out_day)
{
    bool before_year_0 = count > 0 && text[0] == '-';

    text += before_year_0;
    if (count - before_year_0 != strlen("2020-10-24")) {
        return false;
    }
    // "2020-10-" and "20-10-24", less what stands where in a date of zeros.
    uint64_t first = bytes_get_u64(text) ^ UINT64_C(0x2d30302d30303030);
    uint64_t last = bytes_get_u64(text + 2) ^ UINT64_C(0x30302d30302d3030);
    if (has_other(first, UINT64_C(0x7f76767f76767676)) |
        has_other(last, UINT64_C(0x76767f76767f7676))) {
        return false;
    }
    int year = (int)(byte_of(first, 0) * 1000 + byte_of(first, 1) * 100 + byte_of(first, 2) * 10 +
                     byte_of(first, 3));
    uint32_t month = byte_of(first, 5) * 10 + byte_of(first, 6);
    uint32_t day = byte_of(last, 6) * 10 + byte_of(last, 7);
    return day_of_parts(before_year_0 ? -year : year, month, day, out_day);
}

const char *day_format_iso(int32_t day, char text[DAY_TEXT_BYTES])
{
    struct day_civil civil = day_to_civil(day);
    bool before_year_0 = civil.year < 0;

    snprintf(text, DAY_TEXT_BYTES, "%s%04u-%02u-%02u", before_year_0 ? "-" : "",
             (unsigned)(before_year_0 ? -civil.year : civil.year) % 10000,
             (unsigned)civil.month % 100, (unsigned)civil.day % 100);
    return text;
}

int32_t day_year_ago(int32_t day)
{
    struct day_civil civil = day_to_civil(day);

    civil.year--;
    if (civil.month == 2 && civil.day == 29) {
        civil.day = 28;
    }
    if (civil.year < DAY_YEAR_MIN) {
        return DAY_MIN;
    }
    return day_from_civil(civil);
}
