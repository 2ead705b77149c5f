#include "base/day.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int32_t day_of(const char *text)
{
    int32_t day = 0;

    if (!day_parse_iso(text, strlen(text), &day)) {
        fail_msg("%s is no date", text);
    }
    return day;
}

static void accepts(const char *text, int32_t want)
{
    char again[DAY_TEXT_BYTES];

    assert_int_equal(day_of(text), want);
    assert_string_equal(day_format_iso(want, again), text);
}

static void rejects(const char *text)
{
    int32_t day = 4711;

    assert_false(day_parse_iso(text, strlen(text), &day));
    assert_int_equal(day, 4711); // an output stays untouched on failure
}

static void dates_have_their_known_numbers(void **state)
{
    (void)state;
    accepts("1970-01-01", 0);
    accepts("1969-12-31", -1);
    accepts("2000-02-29", 11016);
    accepts("2020-10-24", 18559);
    accepts("0000-03-01", -719468);
    accepts("-9999-01-01", DAY_MIN);
    accepts("9999-12-31", DAY_MAX);
}

static void leap_days_follow_the_gregorian_rule(void **state)
{
    (void)state;
    accepts("2024-02-29", 19782);
    rejects("2023-02-29");
    rejects("1900-02-29");
    assert_true(day_is_leap(2000));
    assert_true(day_is_leap(0));
    assert_true(day_is_leap(-4));
    assert_false(day_is_leap(1900));
    assert_int_equal(day_month_days(2024, 2), 29);
    assert_int_equal(day_month_days(2023, 2), 28);
}

static void malformed_dates_are_rejected(void **state)
{
    (void)state;
    rejects("");
    rejects("2020");
    rejects("2020-1-1");
    rejects("2020-01-1");
    rejects("2020-01-011");
    rejects("2020-01-01 ");
    rejects(" 2020-01-01");
    rejects("2020/01/01");
    rejects("2020-00-01");
    rejects("2020-13-01");
    rejects("2020-01-00");
    rejects("2020-04-31");
    rejects("12020-01-01");
    rejects("+2020-01-01");
    rejects("--2020-01-01");
    rejects("20a0-01-01");
}

static void text_past_the_count_is_not_read(void **state)
{
    int32_t day = 0;

    (void)state;
    assert_true(day_parse_iso("2020-10-24T12:00", 10, &day));
    assert_int_equal(day, 18559);
    assert_false(day_parse_iso("2020-10-24", 9, &day));
}

// Walks every day there is, beside a calendar that only knows how to go one day further.
static void every_day_there_is_follows_its_yesterday(void **state)
{
    struct day_civil want = {.year = DAY_YEAR_MIN, .month = 1, .day = 1};

    (void)state;
    for (int32_t day = DAY_MIN; day <= DAY_MAX; day++) {
        struct day_civil civil = day_to_civil(day);
        if (civil.year != want.year || civil.month != want.month || civil.day != want.day ||
            !day_is_valid(civil) || day_from_civil(civil) != day) {
            fail_msg("day %d is %d-%d-%d", day, civil.year, civil.month, civil.day);
        }
        if (++want.day > day_month_days(want.year, want.month)) {
            want.day = 1;
            want.month++;
        }
        if (want.month > 12) {
            want.month = 1;
            want.year++;
        }
    }
}

static void put_digits(char *at, int count, int number)
{
    for (int i = count - 1; i >= 0; i--, number /= 10) {
        at[i] = (char)('0' + number % 10);
    }
}

static void every_day_there_is_is_read(void **state)
{
    char text[DAY_TEXT_BYTES] = "-0000-00-00";

    (void)state;
    for (int32_t want = DAY_MIN; want <= DAY_MAX; want++) {
        struct day_civil civil = day_to_civil(want);
        bool before_year_0 = civil.year < 0;
        int32_t day = 0;
        put_digits(text + 1, 4, before_year_0 ? -civil.year : civil.year);
        put_digits(text + 6, 2, civil.month);
        put_digits(text + 9, 2, civil.day);
        if (!day_parse_iso(text + !before_year_0, strlen(text) - !before_year_0, &day) ||
            day != want) {
            fail_msg("%s is day %d, not %d", text, want, day);
        }
    }
}

// Each byte there is at each place, beside a reading of one byte after the other.
static void any_other_byte_is_rejected(void **state)
{
    static const char date[] = "2020-10-24";

    (void)state;
    for (size_t at = 0; at < strlen(date); at++) {
        for (int byte = 0; byte < 256; byte++) {
            char text[sizeof date];
            int32_t day = 0;
            memcpy(text, date, sizeof date);
            text[at] = (char)byte;
            bool digit = byte >= '0' && byte <= '9';
            struct day_civil civil = {.year = (text[0] - '0') * 1000 + (text[1] - '0') * 100 +
                                              (text[2] - '0') * 10 + text[3] - '0',
                                      .month = (text[5] - '0') * 10 + text[6] - '0',
                                      .day = (text[8] - '0') * 10 + text[9] - '0'};
            bool want = date[at] == '-' ? byte == '-' : digit && day_is_valid(civil);
            assert_int_equal(day_parse_iso(text, strlen(date), &day), want);
            assert_int_equal(day, want ? day_from_civil(civil) : 0);
        }
    }
}

static void days_outside_the_calendar_are_not_valid(void **state)
{
    (void)state;
    assert_false(day_is_valid((struct day_civil){.year = 10000, .month = 1, .day = 1}));
    assert_false(day_is_valid((struct day_civil){.year = -10000, .month = 1, .day = 1}));
    assert_false(day_is_valid((struct day_civil){.year = 2020, .month = 0, .day = 1}));
    assert_false(day_is_valid((struct day_civil){.year = 2020, .month = 1, .day = 0}));
    assert_false(day_is_valid((struct day_civil){.year = 2020, .month = 1, .day = 32}));
    assert_true(day_is_valid((struct day_civil){.year = 2020, .month = 2, .day = 29}));
}

static void a_year_ago_is_the_same_date(void **state)
{
    (void)state;
    assert_int_equal(day_year_ago(day_of("2020-10-24")), day_of("2019-10-24"));
    assert_int_equal(day_year_ago(day_of("2020-02-29")), day_of("2019-02-28"));
    assert_int_equal(day_year_ago(day_of("2021-02-28")), day_of("2020-02-28"));
    assert_int_equal(day_year_ago(day_of("-9999-05-05")), DAY_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_have_their_known_numbers),
        cmocka_unit_test(leap_days_follow_the_gregorian_rule),
        cmocka_unit_test(malformed_dates_are_rejected),
        cmocka_unit_test(text_past_the_count_is_not_read),
        cmocka_unit_test(every_day_there_is_follows_its_yesterday),
        cmocka_unit_test(every_day_there_is_is_read),
        cmocka_unit_test(any_other_byte_is_rejected),
        cmocka_unit_test(days_outside_the_calendar_are_not_valid),
        cmocka_unit_test(a_year_ago_is_the_same_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
