// Ranks are in the order of the revisions that they stand for.
#include "store/cluster/rank.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int compare_ranks(const struct revision *a, const struct revision *b)
{
    struct bytes left;
    struct bytes right;

    bytes_init(&left);
    bytes_init(&right);
    rank_put(&left, a);
    rank_put(&right, b);
    size_t least = left.count < right.count ? left.count : right.count;
    int order = least > 0 ? memcmp(left.data, right.data, least) : 0;
    if (order == 0) {
        order = (left.count > right.count) - (left.count < right.count);
    }
    bytes_done(&left);
    bytes_done(&right);
    return (order > 0) - (order < 0);
}

static void agree(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    struct revision left = revision_of_text(a, a_bytes);
    struct revision right = revision_of_text(b, b_bytes);
    int want = revision_compare(&left, &right);

    want = (want > 0) - (want < 0);
    int got = compare_ranks(&left, &right);
    if (got != want) {
        fail_msg("'%.*s' against '%.*s': %d, want %d", (int)a_bytes, a, (int)b_bytes, b, got, want);
    }
}

// clang-format off
static const char *const ugly[] = {
    "", " ", "0", "-0", "+0", "00", "0.0", "-0.0", "0.", "1", "+1", "01", "1.0", "1.", "-1",
    "-01", "-1.0", "9", "10", "99", "100", "-9", "-10", "-99", "1.5", "1.50", "1.05", "1.55",
    "1.505", "-1.5", "-1.50", "-1.55", "-1.05", "-1.505", "0.1", "-0.1", ".5", "-.5", "-", "+",
    ".", "--1", "1e3", "1,5", "9x", "10a", "a", "A", "v2", "v10", "2020-01-31", "2020-01-31Z",
    "999999999999999999", "1000000000000000000", "-999999999999999999", "-1000000000000000000",
    "9223372036854775807", "-9223372036854775808",
    "18446744073709551615.000000000000000000000001", "18446744073709551615.0",
    "-18446744073709551615.000000000000000000000001", "-18446744073709551615", "\xff", "\x01",
    "\x02", "\xc3\xa4", "0x10", " 1", "1 ",
};
// clang-format on

static void ugly_values_are_in_order(void **state)
{
    size_t count = sizeof ugly / sizeof *ugly;

    (void)state;
    for (size_t i = 0; i < count * count; i++) {
        const char *a = ugly[i % count];
        const char *b = ugly[i / count];
        agree(a, strlen(a), b, strlen(b));
    }
}

static void numbers_are_in_order(void **state)
{
    static const int64_t numbers[] = {INT64_MIN, INT64_MIN + 1, -1000, -10, -9, -1, 0, 1, 9,
                                      10,        INT64_MAX};
    size_t count = sizeof numbers / sizeof *numbers;

    (void)state;
    for (size_t i = 0; i < count * count; i++) {
        struct revision a = revision_of_number(numbers[i % count]);
        struct revision b = revision_of_number(numbers[i / count]);
        assert_int_equal(compare_ranks(&a, &b), (numbers[i % count] > numbers[i / count]) -
                                                    (numbers[i % count] < numbers[i / count]));
    }
    struct revision number = revision_of_number(7);
    struct revision text = {.kind = REVISION_TEXT, .text = "+7.00", .bytes = 5};
    assert_int_equal(compare_ranks(&number, &text), 0);
}

// More digits than one byte counts.
static void long_numbers_are_in_order(void **state)
{
    enum { DIGITS = 70000 };
    char *digits = malloc(DIGITS + 2);
    static const size_t lengths[] = {1,   18,  19,  238, 239,   240,   241,
                                     254, 255, 256, 257, 65536, DIGITS};
    size_t count = sizeof lengths / sizeof *lengths;

    (void)state;
    assert_non_null(digits);
    memset(digits, '7', DIGITS + 2);
    for (size_t i = 0; i < count * count; i++) {
        agree(digits, lengths[i % count], digits, lengths[i / count]);
    }
    char *negative = malloc(DIGITS + 2);
    assert_non_null(negative);
    memset(negative, '7', DIGITS + 2);
    negative[0] = '-';
    for (size_t i = 0; i < count * count; i++) {
        agree(negative, lengths[i % count] + 1, negative, lengths[i / count] + 1);
        agree(negative, lengths[i % count] + 1, digits, lengths[i / count]);
    }
    free(negative);
    free(digits);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

// Of few characters, so that values collide, differ late, and are numbers half of the time.
static size_t make(uint64_t *seed, char *text)
{
    static const char numeric[] = "0019-+..";
    static const char any[] = "01259-+.ax \xff\x01";
    bool number = next_random(seed) % 3 != 0;
    size_t bytes = next_random(seed) % (next_random(seed) % 50 == 0 ? 300 : 8);

    for (size_t i = 0; i < bytes; i++) {
        text[i] = number ? numeric[next_random(seed) % (i == 0 ? 8 : 4)]
                         : any[next_random(seed) % (sizeof any - 1)];
    }
    if (number && bytes > 2 && next_random(seed) % 2 == 0) {
        text[1 + next_random(seed) % (bytes - 1)] = '.';
    }
    return bytes;
}

static void any_two_values_are_in_order(void **state)
{
    uint64_t seed = 20240229;
    char a[300];
    char b[300];

    (void)state;
    for (int i = 0; i < 500000; i++) {
        size_t a_bytes = make(&seed, a);
        size_t b_bytes = make(&seed, b);
        agree(a, a_bytes, b, b_bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ugly_values_are_in_order),
        cmocka_unit_test(numbers_are_in_order),
        cmocka_unit_test(long_numbers_are_in_order),
        cmocka_unit_test(any_two_values_are_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
