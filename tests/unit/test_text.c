// Pieces of text and the integers in them: the edges that no feed has.
#include "ingest/text.h"

#include "ingest/integer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct text nothing = {NULL, 0};

static void characters_have_one_form_each_and_end_at_10ffff(void **state)
{
    static const char *const sound[] = {"\xe0\xa0\x80", "\xed\x9f\xbf", "\xf0\x90\x80\x80",
                                        "\xf4\x8f\xbf\xbf"};
    static const char *const unsound[] = {"\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80"};

    (void)state;
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++) {
        assert_true(text_is_utf8(text_of(sound[i])));
    }
    for (size_t i = 0; i < sizeof unsound / sizeof *unsound; i++) {
        assert_false(text_is_utf8(text_of(unsound[i])));
    }
}

static void nothing_is_a_text_too(void **state)
{
    (void)state;
    char *copy = text_copy(nothing);
    assert_string_equal(copy, "");
    free(copy);
    assert_true(text_is_utf8(nothing));
    assert_false(text_ends_within_character(nothing));
    assert_true(text_ends_within_character(text_of("\xe2\x82")));
    assert_false(text_ends_within_character(text_of("\xe2\x82\xac")));
    assert_int_equal(text_count_digits(nothing, 4), 0);
}

static void integer_is(const char *text, enum integer_status status, int64_t want)
{
    int64_t number = 0;

    assert_int_equal(integer_parse(text_of(text), '.', &number), status);
    assert_true(status != INTEGER_OK || number == want);
}

static void integers_reach_both_ends_and_no_further(void **state)
{
    int64_t number;

    (void)state;
    integer_is("9223372036854775807", INTEGER_OK, INT64_MAX);
    integer_is("-9223372036854775808", INTEGER_OK, INT64_MIN);
    integer_is("9223372036854775808", INTEGER_TOO_LARGE, 0);
    integer_is("-9223372036854775809", INTEGER_TOO_LARGE, 0);
    integer_is("99999999999999999999", INTEGER_TOO_LARGE, 0);
    integer_is("+7", INTEGER_OK, 7);
    integer_is("+", INTEGER_UNREADABLE, 0);
    integer_is("", INTEGER_UNREADABLE, 0);
    assert_int_equal(integer_parse(nothing, '.', &number), INTEGER_UNREADABLE);
    assert_false(integer_parse_plain(nothing, &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_have_one_form_each_and_end_at_10ffff),
        cmocka_unit_test(nothing_is_a_text_too),
        cmocka_unit_test(integers_reach_both_ends_and_no_further),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
