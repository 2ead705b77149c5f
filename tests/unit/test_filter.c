// Conditions on a dimension's text.
#include "store/filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool matches(const char *list, const char *text)
{
    struct filter filter;
    struct tally_err err;

    if (!filter_init(&filter, "dim", list, &err)) {
        fail_msg("%s: %s", list, err.message);
    }
    bool in = filter_matches(&filter, text, strlen(text));
    filter_done(&filter);
    return in;
}

static void passes(const char *list, const char *text)
{
    if (!matches(list, text)) {
        fail_msg("'%s' keeps '%s' out", list, text);
    }
}

static void stops(const char *list, const char *text)
{
    if (matches(list, text)) {
        fail_msg("'%s' lets '%s' through", list, text);
    }
}

static void refuses(const char *list, const char *word)
{
    struct filter filter;
    struct tally_err err = {0};

    assert_false(filter_init(&filter, "dim", list, &err));
    assert_int_equal(err.code, TALLY_INVALID);
    if (!strstr(err.message, word)) {
        fail_msg("'%s': '%s' does not say '%s'", list, err.message, word);
    }
}

static void text_is_compared_whole_and_as_it_is_written(void **state)
{
    (void)state;
    passes("civilians", "civilians");
    stops("civilians", "Civilians");
    stops("civilians", "civilians ");
    stops("civilians", "civilian");
    stops("civilians", "");
    passes("Côte d'Ivoire", "Côte d'Ivoire");
}

static void list_lets_either_through(void **state)
{
    (void)state;
    passes("police, army", "army");
    passes("police, army", "police");
    passes("  police ,army  ", "police");
    passes("  police ,army  ", "army");
    stops("police, army", "police, army");
    stops("police, army", "");
    passes("police,,army", ""); // an empty item is the empty text
    passes("a b, c", "a b");
}

static void leading_mark_turns_the_whole_list_round(void **state)
{
    (void)state;
    stops("!police, army", "police");
    stops("! police, army", "army");
    passes("!police, army", "mob");
    passes("!police", "");
    stops("  !police", "police");
    passes("police!", "police!");
    passes("\"!police\"", "!police");
    stops("!", "");
    passes("!", "x");
}

static void empty_list_is_the_unknown_text(void **state)
{
    (void)state;
    passes("", "");
    passes("   ", "");
    stops("", "x");
    passes("\"\"", "");
}

static void wildcards_match_runs_and_single_characters(void **state)
{
    (void)state;
    passes("*", "");
    passes("*", "anything");
    passes("aid*", "aid");
    passes("aid*", "aid worker");
    stops("aid*", "an aid worker");
    passes("*aid*", "an aid worker");
    passes("a?d", "aid");
    stops("a?d", "ad");
    stops("?", "");
    passes("*a*b*c", "xxaxxbxxbc");
    stops("*a*b*c", "xxaxxbxxbcx");
    passes("a*a*a", "aaa");
    stops("a*a*a", "aa");
    passes("**", "x");
    passes("Z?rich", "Zürich");
    stops("Z??rich", "Zürich");
}

static void many_stars_take_no_exponential_time(void **state)
{
    char text[20001];

    (void)state;
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    stops("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", text);
}

static void escape_and_quotes_make_wildcards_plain(void **state)
{
    (void)state;
    passes("a\\*", "a*");
    stops("a\\*", "ab");
    passes("\\?", "?");
    passes("\\\\", "\\");
    passes("x\\", "x\\"); // nothing to escape: itself
    passes("\"a*\"", "a*");
    stops("\"a*\"", "ab");
    passes("\"a\\\"", "a\\");
    passes("\"Smith, John\", \"Doe\"", "Smith, John");
    passes("\"Smith, John\" , Doe", "Doe");
    passes("\" blanks \"", " blanks ");
}

static void any_text_can_be_written_with_backslashes(void **state)
{
    (void)state;
    passes("Smith\\, John", "Smith, John");
    stops("Smith\\, John", "Smith");
    passes("Smith\\, John, Doe", "Doe");
    passes("\\\\, Doe", "\\");
    passes("\\\\, Doe", "Doe");
    passes("\\\"so-called\\\"\\, he said", "\"so-called\", he said");
    passes("\\!police", "!police");
    passes("\\ a\\ ", " a ");
    stops("\\ a\\ ", "a");
    passes("a\\  ", "a ");
}

static void open_quote_and_text_behind_a_quote_are_mistakes(void **state)
{
    (void)state;
    refuses("\"Smith", "open quote");
    refuses("a, \"Smith", "open quote");
    refuses("\"Smith\" John", "closing quote");
    refuses("!\"Smith\"x", "closing quote");
}

// The one text that a list lets through; "(more)": there is not just one.
static const char *only(const char *list, char *text, size_t capacity)
{
    struct filter filter;
    struct tally_err err;
    size_t bytes;

    assert_true(filter_init(&filter, "dim", list, &err));
    bool one = filter_text(&filter, text, capacity - 1, &bytes);
    if (one) {
        assert_true(filter_matches(&filter, text, bytes));
        text[bytes] = '\0';
    }
    filter_done(&filter);
    return one ? text : "(more)";
}

static void a_list_of_one_text_says_which(void **state)
{
    static const char *const cases[][2] = {
        {"police", "police"}, {"", ""},          {" a b ", "a b"},       {"\"a, b\"", "a, b"},
        {"\"a*\"", "a*"},     {"a\\*", "a*"},    {"\\\\", "\\"},         {"x\\", "x\\"},
        {"\\!a", "!a"},       {"a*", "(more)"},  {"?", "(more)"},        {"!a", "(more)"},
        {"a,b", "(more)"},    {"a,a", "(more)"}, {"1234567", "1234567"}, {"12345678", "(more)"},
    };
    char text[8];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(only(cases[i][0], text, sizeof text), cases[i][1]);
    }
}

static void text_with_nul_is_matched_to_its_end(void **state)
{
    struct filter filter;
    struct tally_err err;

    (void)state;
    assert_true(filter_init(&filter, "dim", "a?b", &err));
    assert_true(filter_matches(&filter, "a\0b", 3));
    assert_false(filter_matches(&filter, "a\0bc", 4));
    filter_done(&filter);
    assert_true(filter_init(&filter, "dim", "a", &err));
    assert_false(filter_matches(&filter, "a\0", 2));
    filter_done(&filter);
}

static void second_condition_on_one_dimension_widens_the_first(void **state)
{
    struct filter filter;
    struct tally_err err;

    (void)state;
    assert_true(filter_init(&filter, "target", "police", &err));
    assert_true(filter_add(&filter, "army", &err));
    assert_true(filter_matches(&filter, "police", 6));
    assert_true(filter_matches(&filter, "army", 4));
    assert_false(filter_add(&filter, "!mob", &err));
    assert_non_null(strstr(err.message, "target"));
    assert_false(filter_add(&filter, "\"mob", &err));
    filter_done(&filter);
}

static void filter_survives_encoding_and_no_truncation_passes(void **state)
{
    struct filter filter;
    struct filter copy;
    struct tally_err err;
    struct bytes bytes;

    (void)state;
    bytes_init(&bytes);
    assert_true(filter_init(&filter, "target", "!police, \"a*\", x?", &err));
    filter_encode(&filter, &bytes);
    struct cursor cursor = cursor_over(bytes.data, bytes.count);
    assert_true(filter_decode(&copy, &cursor, &err));
    assert_int_equal(cursor_left(&cursor), 0);
    assert_string_equal(copy.dim, "target");
    assert_true(copy.negated);
    assert_int_equal(copy.patterns_count, 3);
    assert_false(filter_matches(&copy, "a*", 2));
    assert_true(filter_matches(&copy, "ab", 2));
    filter_done(&copy);
    for (size_t count = 0; count < bytes.count; count++) {
        cursor = cursor_over(bytes.data, count);
        assert_false(filter_decode(&copy, &cursor, &err));
        assert_int_equal(err.code, TALLY_CORRUPT);
    }
    filter_done(&filter);
    bytes_done(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_compared_whole_and_as_it_is_written),
        cmocka_unit_test(list_lets_either_through),
        cmocka_unit_test(leading_mark_turns_the_whole_list_round),
        cmocka_unit_test(empty_list_is_the_unknown_text),
        cmocka_unit_test(wildcards_match_runs_and_single_characters),
        cmocka_unit_test(many_stars_take_no_exponential_time),
        cmocka_unit_test(escape_and_quotes_make_wildcards_plain),
        cmocka_unit_test(any_text_can_be_written_with_backslashes),
        cmocka_unit_test(open_quote_and_text_behind_a_quote_are_mistakes),
        cmocka_unit_test(a_list_of_one_text_says_which),
        cmocka_unit_test(text_with_nul_is_matched_to_its_end),
        cmocka_unit_test(second_condition_on_one_dimension_widens_the_first),
        cmocka_unit_test(filter_survives_encoding_and_no_truncation_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
