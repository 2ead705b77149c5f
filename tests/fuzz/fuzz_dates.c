// tests/fuzz/fuzz_dates.c - dates: what is written in a format comes back, and nothing else does.
//
// The first byte picks a format; the next ones a moment and how it is spelled (zeros left out or
// not, letters large or small, blanks, a zone). Behind them stand bytes that replace some of the
// text. Oracle: the calendar of libc (timegm). A text as it was made has to give its day and its
// moment, or the reason why it has none; a text that was changed gives days of that calendar whose
// own spelling gives them again, or one of the reasons.
#include "base/day.h"
#include "ingest/date.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

enum part { YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, MILLISECOND, ZONE, PARTS_COUNT };

// What was written. -1: nothing.
struct moment {
    int part[PARTS_COUNT]; // ZONE in minutes east
    bool has_zone;
};

struct spelling {
    uint8_t bits;
    char text[160];
    size_t count;
    struct moment said; // the parts that the format has
};

// Formats, and NULL for ISO.
static const char *const formats[] = {NULL,
                                      "%Y-%m-%d",
                                      "%d/%m/%Y",
                                      "%m/%d/%y",
                                      "%d %B %Y",
                                      "%b %Y",
                                      "%Y.%j",
                                      "%Y%m%d",
                                      "%Y-%m-%dT%H:%M:%S.%f%z",
                                      "%m/%d/%Y %I:%M:%S %p",
                                      "%e-%b-%Y %T",
                                      "%F %H:%M",
                                      "%Y",
                                      "%%%Y%%%m",
                                      "%Y-%d %H"};

enum { FORMATS_COUNT = sizeof formats / sizeof *formats };

// ---- writing ----------------------------------------------------------------------------------

__attribute__((format(printf, 2, 3))) static void put(struct spelling *out, const char *format, ...)
{
    size_t room = sizeof out->text - out->count;
    va_list args;

    va_start(args, format);
    int count = vsnprintf(out->text + out->count, room, format, args);
    va_end(args);
    require(count >= 0 && (size_t)count < room);
    out->count += (size_t)count;
}

// With one digit where that is enough and something stands behind it.
static void put_short(struct spelling *out, int value, bool may_be_short)
{
    put(out, may_be_short && out->bits & 1 ? "%d" : "%02d", value);
}

static void put_month(struct spelling *out, int month, bool full)
{
    static const char *const names[] = {"?",       "January",  "February", "March",  "April",
                                        "May",     "June",     "July",     "August", "September",
                                        "October", "November", "December"};
    char name[16];

    snprintf(name, sizeof name, "%s", names[month >= 1 && month <= 12 ? month : 0]);
    name[full ? strlen(name) : 3 < strlen(name) ? 3 : strlen(name)] = '\0';
    for (char *at = name; *at; at++) {
        *at = (char)(out->bits & 2 ? toupper(*at) : out->bits & 4 ? tolower(*at) : *at);
    }
    put(out, "%s", name);
}

static void put_zone(struct spelling *out, int minutes)
{
    int size = abs(minutes);

    if (minutes == 0 && out->bits & 1) {
        put(out, "Z");
    } else {
        put(out, "%c%02d%s%02d", minutes < 0 ? '-' : '+', size / 60, out->bits & 2 ? ":" : "",
            size % 60);
    }
}

static int year_day(const struct moment *moment)
{
    struct tm first = {.tm_year = moment->part[YEAR] - 1900, .tm_mday = 1};
    struct tm day = {.tm_year = moment->part[YEAR] - 1900,
                     .tm_mon = moment->part[MONTH] - 1,
                     .tm_mday = moment->part[DAY]};
    return (int)((timegm(&day) - timegm(&first)) / 86400) + 1;
}

// Writes one field and keeps what it says.
static void put_field(struct spelling *out, char field, const struct moment *moment, bool divided)
{
    const int *part = moment->part;
    struct moment *said = &out->said;
    static const struct {
        char field;
        enum part part;
    } kept[] = {{'Y', YEAR},   {'y', YEAR},   {'m', MONTH}, {'b', MONTH},
                {'B', MONTH},  {'d', DAY},    {'e', DAY},   {'H', HOUR},
                {'M', MINUTE}, {'S', SECOND}, {'I', HOUR},  {'f', MILLISECOND}};

    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        if (kept[i].field == field) {
            said->part[kept[i].part] = part[kept[i].part];
        }
    }
    switch (field) {
    case 'Y':
        put(out, part[YEAR] < 0 ? "-%04d" : "%04d", abs(part[YEAR]));
        break;
    case 'y':
        put(out, "%02d", part[YEAR] % 100);
        break;
    case 'm':
        put_short(out, part[MONTH], divided);
        break;
    case 'b':
    case 'B':
        put_month(out, part[MONTH], field == 'B');
        break;
    case 'd':
    case 'e':
        put(out, "%s", out->bits & 8 ? " " : "");
        put_short(out, part[DAY], divided);
        break;
    case 'j':
        put(out, "%03d", year_day(moment));
        said->part[MONTH] = part[MONTH];
        said->part[DAY] = part[DAY];
        break;
    case 'H':
        put_short(out, part[HOUR], true);
        break;
    case 'I':
        put(out, "%02d", part[HOUR] % 12 ? part[HOUR] % 12 : 12);
        break;
    case 'M':
        put(out, "%02d", part[MINUTE]);
        break;
    case 'S':
        put(out, "%02d", part[SECOND]);
        break;
    case 'f':
        put(out, "%03d", part[MILLISECOND]);
        break;
    case 'p':
        put(out, out->bits & 2 ? "%cm" : "%cM", part[HOUR] < 12 ? 'A' : 'P');
        break;
    case 'z':
        put_zone(out, part[ZONE]);
        said->has_zone = true;
        said->part[ZONE] = part[ZONE];
        break;
    default:
        put(out, "%c", field);
    }
}

static void write_moment(struct spelling *out, const char *format, const struct moment *moment)
{
    const char *before = "-";

    for (const char *at = format; *at; at++) {
        bool divided = before[0] != '%';
        if (*at != '%') {
            before = at;
            put(out, "%c", *at);
            continue;
        }
        at++;
        if (*at == 'F') {
            write_moment(out, "%Y-%m-%d", moment);
        } else if (*at == 'T') {
            write_moment(out, "%H:%M:%S", moment);
        } else {
            put_field(out, *at, moment, divided && at[1] != '%');
        }
        before = "%";
    }
}

// ISO: to the year, the month, the day, the minute, the second or the millisecond.
static void write_iso(struct spelling *out, const struct moment *moment)
{
    static const char *const iso[] = {"%Y",
                                      "%Y-%m",
                                      "%Y-%m-%d",
                                      "%Y-%m-%dT%H:%M",
                                      "%Y-%m-%d %H:%M:%S",
                                      "%Y-%m-%dT%H:%M:%S.%f%z",
                                      "%Y-%m-%dT%H:%M%z",
                                      "%Y-%m-%d"};
    uint8_t bits = out->bits;

    out->bits &= 0xf6; // months have two digits, and no blank stands before a day
    write_moment(out, iso[bits >> 5], moment);
    out->bits = bits;
}

// ---- what it should give ----------------------------------------------------------------------

// Days since 1970, by libc. False: there is no such day.
static bool find_day(int year, int month, int day, int64_t *out_day)
{
    struct tm civil = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    struct tm again = civil;
    time_t seconds = timegm(&again);

    *out_day = seconds / 86400;
    return again.tm_year == civil.tm_year && again.tm_mon == civil.tm_mon &&
           again.tm_mday == civil.tm_mday;
}

// The interval that the parts say, or the reason why there is none.
static const char *expect(const struct moment *said, bool two_digits,
                          const struct date_rules *rules, int64_t *out_first, int64_t *out_last)
{
    int year = said->part[YEAR];
    int month = said->part[MONTH] > 0 ? said->part[MONTH] : 0;
    int day = said->part[DAY] > 0 ? said->part[DAY] : 0;
    bool there = true;

    if (two_digits) {
        if (rules->century == DATE_CENTURY_UNSET) {
            return "date-century";
        }
        year = year % 100 + rules->century;
    }
    if (year < rules->year_min) {
        return "date-year";
    }
    if (month > 0 && day > 0) {
        there = find_day(year, month, day, out_first);
        *out_last = *out_first;
        return there ? NULL : "date-impossible";
    }
    find_day(year, month > 0 ? month : 1, 1, out_first);
    find_day(month == 0 || month == 12 ? year + 1 : year, month == 0 || month == 12 ? 1 : month + 1,
             1, out_last);
    --*out_last;
    return NULL;
}

// 20260609161319[000], by libc's arithmetic over seconds.
static int64_t moment_of(const struct moment *said, int64_t day, bool fraction)
{
    const int *part = said->part;
    time_t seconds = (time_t)day * 86400 + (part[HOUR] > 0 ? part[HOUR] : 0) * 3600 +
                     (part[MINUTE] > 0 ? part[MINUTE] : 0) * 60 -
                     (said->has_zone ? part[ZONE] : 0) * 60;
    struct tm utc;

    gmtime_r(&seconds, &utc);
    int64_t moment = ((int64_t)(utc.tm_year + 1900) * 100 + utc.tm_mon + 1) * 100 + utc.tm_mday;
    moment = ((moment * 100 + utc.tm_hour) * 100 + utc.tm_min) * 100 +
             (part[SECOND] > 0 ? part[SECOND] : 0);
    return fraction ? moment * 1000 + (part[MILLISECOND] > 0 ? part[MILLISECOND] : 0) : moment;
}

static void check_written(const struct spelling *written, bool two_digits,
                          const struct date_rules *rules)
{
    struct text text = {.at = written->text, .bytes = written->count};
    struct date_days days = {0};
    int64_t first = 0;
    int64_t last = 0;
    int64_t moment = 0;
    int finer = 0;
    const char *want = expect(&written->said, two_digits, rules, &first, &last);
    const char *got = date_parse(text, rules, &days);

    require(want ? got && strcmp(got, want) == 0 : !got);
    bool exact = !want && first == last;
    bool fraction = written->bits & 16;
    bool ordered = date_parse_moment(text, rules, fraction, &moment, &finer);
    if (want) {
        require(!ordered);
        return;
    }
    require(days.first == first && days.last == last);
    require(!ordered || exact);
    if (ordered) {
        require(moment == moment_of(&written->said, first, fraction));
        require(finer == 0); // fractions are written with three digits
    }
    // Years in which a day more or less may leave the calendar, or that would not order.
    if (exact && first > -719528 + 1 && first < DAY_MAX) {
        require(ordered);
    }
}

static void check_any(struct text text, const struct date_rules *rules)
{
    static const char *const reasons[] = {"date-unreadable", "date-impossible", "date-century",
                                          "date-year"};
    static const struct date_rules iso = {.iso_first = true,
                                          .century = DATE_CENTURY_UNSET,
                                          .year_min = DAY_YEAR_MIN,
                                          .day_min = DAY_MIN};
    char spelled[DAY_TEXT_BYTES];
    struct date_days days;
    struct date_days again;
    int64_t day;
    const char *reason = date_parse(text, rules, &days);
    bool known = false;

    for (size_t i = 0; reason && i < sizeof reasons / sizeof *reasons; i++) {
        known = known || strcmp(reason, reasons[i]) == 0;
    }
    if (reason) {
        require(known);
        return;
    }
    require(days.first <= days.last && days.first >= rules->day_min && days.last <= DAY_MAX);
    day_format_iso(days.first, spelled);
    require(!date_parse(text_of(spelled), &iso, &again) && again.first == days.first);
    struct day_civil civil = day_to_civil(days.last);
    require(find_day(civil.year, civil.month, civil.day, &day) && day == days.last);
    int length = days.last - days.first + 1;
    require(length == 1 || (length >= 28 && length <= 31) || length == 365 || length == 366);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const int centuries[] = {DATE_CENTURY_UNSET, 0, 1900, 2000};
    uint8_t in[12] = {0};
    size_t taken = bytes < sizeof in ? bytes : sizeof in;

    memcpy(in, data, taken);
    const char *format = formats[in[0] % FORMATS_COUNT];
    struct text list = text_of(format ? format : "");
    struct date_rules rules = {.formats = &list,
                               .formats_count = format ? 1 : 0,
                               .iso_first = !format || date_is_iso_format(list),
                               .century = centuries[in[1] & 3],
                               .year_min = in[1] & 4 ? DAY_YEAR_MIN : 1};
    rules.day_min =
        day_from_civil((struct day_civil){.year = rules.year_min, .month = 1, .day = 1});
    struct moment moment = {.part = {[YEAR] = (in[3] << 8 | in[4]) % 10000 - (in[1] & 8 ? 5000 : 0),
                                     [MONTH] = in[5] % 13,
                                     [DAY] = in[6] % 32,
                                     [HOUR] = in[7] % 24,
                                     [MINUTE] = in[8] % 60,
                                     [SECOND] = in[9] % 61,
                                     [MILLISECOND] = in[10] * 3,
                                     [ZONE] = (in[11] % 29 - 14) * 60 + (in[11] & 32 ? 30 : 0)}};
    moment.part[ZONE] = moment.part[ZONE] > 840 ? 840 : moment.part[ZONE];
    struct spelling written = {.bits = in[2]};
    for (int i = 0; i < PARTS_COUNT; i++) {
        written.said.part[i] = -1;
    }
    bool named = format && (strchr(format, 'b') || strchr(format, 'B'));
    bool by_year_day = format && strchr(format, 'j');
    if ((named || by_year_day) && moment.part[MONTH] == 0) {
        moment.part[MONTH] = 1; // has no name
    }
    if (by_year_day && moment.part[DAY] == 0) {
        moment.part[DAY] = 1;
    }
    if (format && strchr(format, 'y')) {
        moment.part[YEAR] = abs(moment.part[YEAR]);
    }
    if (format) {
        write_moment(&written, format, &moment);
    } else {
        write_iso(&written, &moment);
    }
    // The day of the year of a day that there is not would be that of the next month.
    int64_t ignored;
    if (!by_year_day ||
        find_day(moment.part[YEAR], moment.part[MONTH], moment.part[DAY], &ignored)) {
        check_written(&written, format && strchr(format, 'y'), &rules);
    }
    for (size_t i = sizeof in; i + 1 < bytes; i += 2) {
        written.text[data[i] % written.count] = (char)data[i + 1];
    }
    check_any(text_trim((struct text){written.text, written.count}), &rules);
    check_any((struct text){(const char *)data, bytes < 40 ? bytes : 40}, &rules);
    return 0;
}
