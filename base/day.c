#include "base/day.h"

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

// The number that `count` digits make. *wrong: set where one is none.
static inline int digits_at(const char *at, int count, bool *wrong)
{
    int value = 0;

    for (int i = 0; i < count; i++) {
        unsigned digit = (unsigned)(unsigned char)at[i] - '0';
        *wrong = *wrong | (digit > 9);
        value = value * 10 + (int)digit;
    }
    return value;
}

bool day_parse_iso(const char *text, size_t count, int32_t *out_day)
{
    bool before_year_0 = count > 0 && text[0] == '-';
    bool wrong = false;

    text += before_year_0;
    if (count - before_year_0 != strlen("2020-10-24")) {
        return false;
    }
    struct day_civil civil = {.year = digits_at(text, 4, &wrong),
                              .month = digits_at(text + 5, 2, &wrong),
                              .day = digits_at(text + 8, 2, &wrong)};
    if (wrong || text[4] != '-' || text[7] != '-') {
        return false;
    }
    civil.year = before_year_0 ? -civil.year : civil.year;
    if (!day_is_valid(civil)) {
        return false;
    }
    *out_day = day_from_civil(civil);
    return true;
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
