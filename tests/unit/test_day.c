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

static void days_outside_the_calendar_are_not_valid(void **state)
{
    (void)state;
    assert_false(day_is_valid((struct day_civil){.year = 10000, .month = 1, .day = 1}));
    assert_false(day_is_valid((struct day_civil){.year = -10000, .month = 1, .day = 1}));
    assert_false(day_is_valid((struct day_civil){.year = 2020, .month = 0, .day = 1}));
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
        cmocka_unit_test(days_outside_the_calendar_are_not_valid),
        cmocka_unit_test(a_year_ago_is_the_same_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
