// Which of two versions is the newer one.
#include "store/revision.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int compare(const char *a, const char *b)
{
    struct revision left = revision_of_text(a, strlen(a));
    struct revision right = revision_of_text(b, strlen(b));
    int order = revision_compare(&left, &right);

    assert_int_equal(revision_compare(&right, &left) < 0, order > 0);
    return (order > 0) - (order < 0);
}

static void numbers_compare_as_numbers(void **state)
{
    (void)state;
    assert_int_equal(compare("9", "10"), -1);
    assert_int_equal(compare("007", "7"), 0);
    assert_int_equal(compare("-5", "3"), -1);
    assert_int_equal(compare("999999999999999999", "100000000000000000"), 1);
}

static void texts_compare_by_bytes(void **state)
{
    (void)state;
    assert_int_equal(compare("2020-01-02", "2020-01-10"), -1);
    assert_int_equal(compare("2020-01-02", "2020-01-02T10:00"), -1);
    assert_int_equal(compare("v2", "v10"), 1);
    assert_int_equal(compare("1.5x", "1.25x"), 1);
}

static void numbers_are_older_than_texts(void **state)
{
    (void)state;
    assert_int_equal(compare("9", "10a"), -1);
    assert_int_equal(compare("99999999999999999999.5", "2020-01-02"), -1);
    assert_int_equal(compare("-7", "-"), -1);
    assert_int_equal(compare("5.", "4x"), -1);
}

// "9" < "10" as numbers, "10" < "10a" < "9" as texts: each pair alone would go round in a circle.
static void any_three_values_are_in_one_order(void **state)
{
    static const char *const values[] = {
        "",    "0",          "9",    "10",  "10a", "9.5", "-3",
        "-3x", "+4",         "+",    "1e3", "7.",  "007", "a",
        "A",   "2020-01-31", "1.50", "1.5", ".5",  "--1", "99999999999999999999"};
    size_t count = sizeof values / sizeof *values;

    (void)state;
    for (size_t i = 0; i < count * count * count; i++) {
        const char *a = values[i % count];
        const char *b = values[i / count % count];
        const char *c = values[i / count / count];
        if (compare(a, b) <= 0 && compare(b, c) <= 0 && compare(a, c) > 0) {
            fail_msg("%s <= %s <= %s, but %s > %s", a, b, c, a, c);
        }
    }
}

static void none_is_older_than_any(void **state)
{
    (void)state;
    assert_int_equal(compare("", "0"), -1);
    assert_int_equal(compare(" \t", "-1"), -1);
    assert_int_equal(compare("", "a"), -1);
    assert_int_equal(compare("", "  "), 0);
}

static void long_numbers_are_texts(void **state)
{
    struct revision revision = revision_of_text("1234567890123456789", 19);

    (void)state;
    assert_int_equal(revision.kind, REVISION_TEXT);
    assert_int_equal(revision_of_text("123456789012345678", 18).kind, REVISION_NUMBER);
    assert_int_equal(revision_of_text("-", 1).kind, REVISION_TEXT);
}

static void formats_as_it_was_meant(void **state)
{
    char number[REVISION_NUMBER_BYTES];
    size_t bytes;
    struct revision revision = revision_of_number(-42);

    (void)state;
    assert_string_equal(revision_format(&revision, number, &bytes), "-42");
    assert_int_equal(bytes, 3);
    revision = revision_of_text("abc", 3);
    assert_memory_equal(revision_format(&revision, number, &bytes), "abc", 3);
    revision = revision_of_text("", 0);
    revision_format(&revision, number, &bytes);
    assert_int_equal(bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_compare_as_numbers),
        cmocka_unit_test(texts_compare_by_bytes),
        cmocka_unit_test(numbers_are_older_than_texts),
        cmocka_unit_test(any_three_values_are_in_one_order),
        cmocka_unit_test(none_is_older_than_any),
        cmocka_unit_test(long_numbers_are_texts),
        cmocka_unit_test(formats_as_it_was_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
