#include "ingest/date.h"

#include "base/day.h"

#include <string.h>
#include <strings.h>

enum { DAY_MINUTES = 24 * 60 };

// What a text said; -1 for what it left out.
struct parts {
    int year;
    int year_digits;
    int month;
    int day;
    int year_day;
    int hour;
    int minute;
    int second;
    int millisecond;
    int finer;        // millionths of a millisecond, 0 where there are none
    int afternoon;    // %p: 0 AM, 1 PM
    int zone_minutes; // east of UTC
};

static const struct parts parts_unset = {-1, 0, -1, -1, -1, -1, -1, -1, -1, 0, -1, 0};

static const char *const month_names[] = {"january",   "february", "march",    "april",
                                          "may",       "june",     "july",     "august",
                                          "september", "october",  "november", "december"};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void advance(struct text *text, size_t bytes)
{
    text->at += bytes;
    text->bytes -= bytes;
}

static void skip_blanks(struct text *text)
{
    while (text->bytes > 0 && text->at[0] == ' ') {
        advance(text, 1);
    }
}

// A number of min to max digits, no greater than `value_max`.
static bool take_number(struct text *text, size_t digits_min, size_t digits_max, int value_max,
                        int *out_value)
{
    size_t count = text_count_digits(*text, digits_max);
    int value = 0;

    if (count < digits_min) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        value = value * 10 + (text->at[i] - '0');
    }
    advance(text, count);
    *out_value = value;
    return value <= value_max;
}

static bool take_year(struct text *text, struct parts *parts)
{
    bool negative = text->bytes > 0 && text->at[0] == '-';

    if (negative) {
        advance(text, 1);
    }
    if (!take_number(text, 4, 4, 9999, &parts->year)) {
        return false;
    }
    parts->year_digits = 4;
    parts->year = negative ? -parts->year : parts->year;
    return true;
}

static bool take_month_name(struct text *text, int *out_month)
{
    for (int month = 1; month <= 12; month++) {
        const char *name = month_names[month - 1];
        size_t bytes = strlen(name);
        if (text->bytes >= bytes && strncasecmp(text->at, name, bytes) == 0) {
            advance(text, bytes);
            *out_month = month;
            return true;
        }
    }
    for (int month = 1; month <= 12; month++) {
        if (text->bytes >= 3 && strncasecmp(text->at, month_names[month - 1], 3) == 0) {
            advance(text, 3);
            *out_month = month;
            return true;
        }
    }
    return false;
}

static bool take_half_day(struct text *text, int *out_afternoon)
{
    if (text->bytes < 2 || strncasecmp(text->at + 1, "m", 1) != 0 || !strchr("aApP", text->at[0])) {
        return false;
    }
    *out_afternoon = text->at[0] == 'p' || text->at[0] == 'P';
    advance(text, 2);
    return true;
}

static bool take_fraction(struct text *text, struct parts *parts)
{
    enum { NANOSECOND_DIGITS = 9, NANOSECONDS_A_MILLISECOND = 1000 * 1000 };
    size_t count = text_count_digits(*text, NANOSECOND_DIGITS);
    int nanoseconds = 0;

    for (size_t i = 0; i < NANOSECOND_DIGITS; i++) {
        nanoseconds = nanoseconds * 10 + (i < count ? text->at[i] - '0' : 0);
    }
    advance(text, count);
    parts->millisecond = nanoseconds / NANOSECONDS_A_MILLISECOND;
    parts->finer = nanoseconds % NANOSECONDS_A_MILLISECOND;
    return count > 0;
}

// "Z", "+02:00", "+0200", "-05".
static bool take_zone(struct text *text, int *out_minutes)
{
    int hours = 0;
    int minutes = 0;

    if (text->bytes > 0 && (text->at[0] == 'Z' || text->at[0] == 'z')) {
        advance(text, 1);
        *out_minutes = 0;
        return true;
    }
    if (text->bytes < 3 || !strchr("+-", text->at[0])) {
        return false;
    }
    int sign = text->at[0] == '-' ? -1 : 1;
    advance(text, 1);
    if (!take_number(text, 2, 2, 14, &hours)) {
        return false;
    }
    if (text->bytes > 0 && text->at[0] == ':') {
        advance(text, 1);
    }
    if (text->bytes > 0 && is_digit(text->at[0]) && !take_number(text, 2, 2, 59, &minutes)) {
        return false;
    }
    *out_minutes = sign * (hours * 60 + minutes);
    return true;
}

static bool take_by_format(struct text *text, struct text format, struct parts *parts);

// `digits_min`: of months and days, which may have one digit only where something divides them.
static bool take_field(struct text *text, char field, size_t digits_min, struct parts *parts)
{
    switch (field) {
    case 'Y':
        return take_year(text, parts);
    case 'y':
        parts->year_digits = 2;
        return take_number(text, 2, 2, 99, &parts->year);
    case 'm':
        return take_number(text, digits_min, 2, 12, &parts->month);
    case 'b':
    case 'B':
        return take_month_name(text, &parts->month);
    case 'd':
    case 'e':
        skip_blanks(text);
        return take_number(text, digits_min, 2, 31, &parts->day);
    case 'j':
        return take_number(text, 1, 3, 366, &parts->year_day);
    case 'H':
        return take_number(text, 1, 2, 24, &parts->hour);
    case 'I':
        return take_number(text, 1, 2, 12, &parts->hour);
    case 'M':
        return take_number(text, 1, 2, 59, &parts->minute);
    case 'S':
        return take_number(text, 1, 2, 60, &parts->second);
    case 'f':
        return take_fraction(text, parts);
    case 'p':
        return take_half_day(text, &parts->afternoon);
    case 'z':
        return take_zone(text, &parts->zone_minutes);
    case 'F':
        return take_by_format(text, text_of("%Y-%m-%d"), parts);
    case 'T':
        return take_by_format(text, text_of("%H:%M:%S"), parts);
    default: // %%
        if (text->bytes == 0 || text->at[0] != field) {
            return false;
        }
        advance(text, 1);
        return true;
    }
}

// What a blank of a format stands for: any number of them, but one at least between digits, which
// would be one number without it.
static bool take_blanks(struct text *text, const char *start)
{
    bool within_digits =
        text->at > start && is_digit(text->at[-1]) && text->bytes > 0 && is_digit(text->at[0]);

    skip_blanks(text);
    return !within_digits;
}

static bool take_by_format(struct text *text, struct text format, struct parts *parts)
{
    const char *start = text->at;
    bool behind_field = false;

    while (format.bytes > 0) {
        char c = format.at[0];
        advance(&format, 1);
        bool divided = c != '%' || !behind_field;
        behind_field = c == '%';
        if (c == ' ') {
            if (!take_blanks(text, start)) {
                return false;
            }
        } else if (c == '%' && format.bytes > 0) {
            divided = divided && !(format.bytes > 1 && format.at[1] == '%');
            if (!take_field(text, format.at[0], divided ? 1 : 2, parts)) {
                return false;
            }
            advance(&format, 1);
        } else if (text->bytes > 0 && text->at[0] == c) {
            advance(text, 1);
        } else {
            return false;
        }
    }
    return true;
}

static bool fits_format(struct text text, struct text format, struct parts *parts)
{
    *parts = parts_unset;
    return take_by_format(&text, format, parts) && text.bytes == 0;
}

// "T12:30", " 00:00:00.000Z": a time of day behind an ISO date.
static bool take_iso_time(struct text *text, struct parts *parts)
{
    if (!strchr("Tt ", text->at[0])) {
        return false;
    }
    advance(text, 1);
    if (!take_by_format(text, text_of("%H:%M"), parts)) {
        return false;
    }
    if (text->bytes > 0 && text->at[0] == ':' && !take_by_format(text, text_of(":%S"), parts)) {
        return false;
    }
    if (text->bytes > 0 && strchr(".,", text->at[0])) {
        advance(text, 1);
        if (!take_fraction(text, parts)) {
            return false;
        }
    }
    skip_blanks(text);
    return text->bytes == 0 || (take_zone(text, &parts->zone_minutes) && text->bytes == 0);
}

static bool fits_iso(struct text text, struct parts *parts)
{
    *parts = parts_unset;
    if (!take_year(&text, parts)) {
        return false;
    }
    if (text.bytes > 0 && (text.at[0] != '-' ||
                           text_count_digits((struct text){text.at + 1, text.bytes - 1}, 3) != 2)) {
        return false;
    }
    if (text.bytes > 0 && !take_by_format(&text, text_of("-%m"), parts)) {
        return false;
    }
    if (text.bytes > 0 && !take_by_format(&text, text_of("-%d"), parts)) {
        return false;
    }
    return text.bytes == 0 || take_iso_time(&text, parts);
}

static bool find_parts(struct text text, const struct date_rules *rules, struct parts *parts)
{
    if (rules->formats_count == 0) {
        return fits_iso(text, parts);
    }
    for (size_t i = 0; i < rules->formats_count; i++) {
        if (fits_format(text, rules->formats[i], parts)) {
            return true;
        }
    }
    return false;
}

static const char *days_of(int year, int month, int day, struct date_days *out)
{
    struct day_civil first = {.year = year, .month = month > 0 ? month : 1, .day = 1};
    struct day_civil last = {.year = year, .month = month > 0 ? month : 12};

    if (month > 12 || day > 31) {
        return "date-impossible";
    }
    last.day = day_month_days(year, last.month);
    if (month > 0 && day > 0) {
        first.day = day;
        if (!day_is_valid(first)) {
            return "date-impossible";
        }
        last = first;
    }
    out->first = day_from_civil(first);
    out->last = day_from_civil(last);
    return NULL;
}

const char *date_from_parts(int64_t year, size_t digits, int64_t month, int64_t day,
                            const struct date_rules *rules, struct date_days *out)
{
    if (digits <= 2 && year >= 0) {
        if (rules->century == DATE_CENTURY_UNSET) {
            return "date-century";
        }
        year += rules->century;
    }
    if (year < rules->year_min || year > DAY_YEAR_MAX) {
        return "date-year";
    }
    if (month > 12 || day > 31) {
        return "date-impossible";
    }
    return days_of((int)year, month > 0 ? (int)month : 0, day > 0 ? (int)day : 0, out);
}

// Bytes of the day, where nothing but midnight follows it and a time of day is no matter.
static size_t day_bytes(struct text text, const struct date_rules *rules)
{
    static const char midnight[] = " 00:00:00.000";
    size_t day = strlen("2017-01-30");
    bool followed = rules->formats_count == 0 && text.bytes == day + sizeof midnight - 1;

    return followed && memcmp(text.at + day, midnight, sizeof midnight - 1) == 0 ? day : text.bytes;
}

const char *date_parse(struct text text, const struct date_rules *rules, struct date_days *out)
{
    struct parts parts;
    int32_t day;

    // "2017-01-30", maybe with " 00:00:00.000": most rows of most feeds.
    if (rules->iso_first && day_parse_iso(text.at, day_bytes(text, rules), &day) &&
        day >= rules->day_min) {
        *out = (struct date_days){.first = day, .last = day};
        return NULL;
    }
    if (!find_parts(text, rules, &parts)) {
        return "date-unreadable";
    }
    if (parts.year_day < 0) {
        return date_from_parts(parts.year, (size_t)parts.year_digits, parts.month, parts.day, rules,
                               out);
    }
    struct date_days days = {0};
    const char *reason = date_from_parts(parts.year, (size_t)parts.year_digits, 0, 0, rules, &days);
    if (reason) {
        return reason;
    }
    if (parts.year_day == 0 || parts.year_day - 1 > days.last - days.first) {
        return "date-impossible";
    }
    out->first = days.first + parts.year_day - 1;
    out->last = out->first;
    return NULL;
}

enum { FORMAT_BYTES_MAX = 64 };

// The format with its day and its month changed places; without text where there is no room.
static struct text swap_order(struct text format, char room[FORMAT_BYTES_MAX])
{
    if (format.bytes > FORMAT_BYTES_MAX) {
        return (struct text){.at = room, .bytes = 0};
    }
    for (size_t at = 0; at < format.bytes; at++) {
        char c = format.at[at];
        bool field = at > 0 && format.at[at - 1] == '%';
        room[at] = field && (c == 'd' || c == 'e') ? 'm' : field && c == 'm' ? 'd' : c;
    }
    return (struct text){.at = room, .bytes = format.bytes};
}

bool date_takes_both_orders(const struct text *formats, size_t count)
{
    char swapped[FORMAT_BYTES_MAX];

    for (size_t i = 0; i < count; i++) {
        struct text other = swap_order(formats[i], swapped);
        bool ordered = other.bytes > 0 && !text_equal(other, formats[i]);
        for (size_t j = 0; ordered && j < count; j++) {
            if (text_equal(other, formats[j])) {
                return true;
            }
        }
    }
    return false;
}

bool date_fits_swapped(struct text text, const struct date_rules *rules)
{
    char swapped[FORMAT_BYTES_MAX];
    struct parts parts;

    for (size_t i = 0; i < rules->formats_count; i++) {
        if (fits_format(text, swap_order(rules->formats[i], swapped), &parts) && parts.day > 0 &&
            parts.month > 0) {
            return true;
        }
    }
    return false;
}

static int hour_of_day(const struct parts *parts)
{
    int hour = parts->hour > 0 ? parts->hour : 0;

    return parts->afternoon < 0 ? hour : hour % 12 + 12 * parts->afternoon;
}

bool date_parse_moment(struct text text, const struct date_rules *rules, bool fraction,
                       int64_t *out_moment, int *out_finer)
{
    struct parts parts;
    struct date_days days;

    if (!find_parts(text, rules, &parts) || date_parse(text, rules, &days) != NULL ||
        days.first != days.last) {
        return false;
    }
    int minutes =
        hour_of_day(&parts) * 60 + (parts.minute > 0 ? parts.minute : 0) - parts.zone_minutes;
    int shift = minutes < 0 ? -1 : minutes >= DAY_MINUTES ? 1 : 0;
    if (days.first + shift < DAY_MIN || days.first + shift > DAY_MAX) {
        return false;
    }
    struct day_civil civil = day_to_civil(days.first + shift);
    if (civil.year < 0) {
        return false; // would not order
    }
    minutes -= shift * DAY_MINUTES;
    int64_t moment = ((int64_t)civil.year * 100 + civil.month) * 100 + civil.day;
    moment = (moment * 100 + minutes / 60) * 100 + minutes % 60;
    moment = moment * 100 + (parts.second > 0 ? parts.second : 0);
    *out_moment =
        fraction ? moment * 1000 + (parts.millisecond > 0 ? parts.millisecond : 0) : moment;
    *out_finer = fraction ? parts.finer : 0;
    return true;
}

bool date_is_iso_format(struct text format)
{
    return text_is(format, "%Y-%m-%d") || text_is(format, "%F");
}

bool date_check_format(struct text format, bool *out_two_digits, bool *out_fraction,
                       struct tally_err *err)
{
    bool year = false;

    for (size_t i = 0; i < format.bytes; i++) {
        if (format.at[i] != '%') {
            continue;
        }
        char field = i + 1 < format.bytes ? format.at[i + 1] : '\0';
        if (field == '\0' || !strchr("YymbBdejFHIMSTfpz%", field)) {
            return err_set(err, TALLY_INVALID,
                           "%%%c in \"%.*s\" is not known; there are %%Y %%y %%m %%b %%B %%d %%e "
                           "%%j %%F %%H %%I %%M %%S %%T %%f %%p %%z %%%%",
                           field ? field : ' ', (int)format.bytes, format.at);
        }
        year = year || strchr("YyF", field);
        *out_two_digits = *out_two_digits || field == 'y';
        *out_fraction = *out_fraction || field == 'f';
        i++;
    }
    return year || err_set(err, TALLY_INVALID, "\"%.*s\" reads no year: %%Y is missing",
                           (int)format.bytes, format.at);
}
