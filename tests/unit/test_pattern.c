// Texts with wildcards: what a character is, and that no pattern takes long.
#include "base/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void fits(const char *pattern, const char *text)
{
    if (!pattern_matches(pattern, text, strlen(text))) {
        fail_msg("'%s' does not fit '%s'", pattern, text);
    }
}

static void fails(const char *pattern, const char *text)
{
    if (pattern_matches(pattern, text, strlen(text))) {
        fail_msg("'%s' fits '%s'", pattern, text);
    }
}

static bool names(const char *pattern, const char *name)
{
    return pattern_matches_name(pattern, name, strlen(name));
}

static void question_mark_is_a_character_of_any_length(void **state)
{
    static const char *const characters[] = {
        "a", "?", "*", "\\", " ", "\n", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};

    (void)state;
    for (size_t i = 0; i < sizeof characters / sizeof *characters; i++) {
        fits("?", characters[i]);
        fails("??", characters[i]);
        fits("*?", characters[i]);
        fits("?*", characters[i]);
        fails("*??", characters[i]);
        fails("?*?", characters[i]);
        fails("*?*?*", characters[i]);
    }
    fails("?", "");
    fits("Z?rich", "Z\xc3\xbcrich");
    fits("Z?rich", "Zurich");
    fails("Z?rich", "Zrich");
    fits("*?rich", "Z\xc3\xbcrich");
    fits("??", "\xc3\xbc\xe2\x82\xac");
    fits("?", "\xc3\xbc" + 1); // half of one
}

static void byte_that_belongs_to_no_character_is_one(void **state)
{
    (void)state;
    fits("?", "\xff");
    fits("Z?rich", "Z\xfcrich"); // as Latin-1 has it
    fits("???", "\xe2\x82"
                "a");                 // cut short within a character
    fits("??", "\xc3\xc3\xbc");       // half of one, and a whole one
    fits("???", "\xed\xa0\x80");      // a surrogate
    fits("????", "\xf4\x90\x80\x80"); // beyond the last one
    fits("??", "\xc0\xaf");           // too long a form
    fits("\xff*", "\xff"
                  "a");
    fails("\xbc", "\xc3\xbc");
    fails("*\xbc", "\xc3\xbc"); // half of a character fits none
    fails("\xc3*", "\xc3\xbc");
    fits("*\xbc", "\xc3\xbc\xbc");
    assert_true(pattern_matches("?", "\0", 1));
    assert_true(pattern_matches("", NULL, 0));
    assert_false(pattern_matches("", "\0", 1));
}

static void backslash_takes_the_meaning_from_a_character(void **state)
{
    (void)state;
    fits("\\?", "?");
    fails("\\?", "a");
    fits("\\*\\\\", "*\\");
    fits("\\\xc3\xbc?", "\xc3\xbc"
                        "b");
    fits("a\\", "a\\"); // nothing to take it from
    fits("\\\xc3\\\xbc?", "\xc3\xbc"
                          "b"); // within a character it is nothing
    fits("\xc3\\?", "\xc3?");
    fits("\xc3\\", "\xc3\\");
    fails("\xe2\\\x82?", "\xe2\x82\xac");
}

static void sets_are_for_names_alone(void **state)
{
    (void)state;
    fits("[ab]", "[ab]");
    fails("[ab]", "a");
    assert_true(names("v[0-9][0-9]_*.csv", "v24_0.csv"));
    assert_false(names("v[0-9][0-9]_*.csv", "v2x_0.csv"));
    assert_true(names("[!a-c]", "d"));
    assert_true(names("[^a-c]", "d"));
    assert_false(names("[!a-c]", "b"));
    assert_true(names("[]a]", "]"));
    assert_true(names("[!]a]", "b"));
    assert_true(names("[a-]", "-"));
    assert_true(names("[\\]-]", "]"));
    assert_true(names("[a", "[a")); // no set
    assert_true(names("[", "["));
    assert_true(names("[\xc3\xa0-\xc3\xbc]x", "\xc3\xa9x"));
    assert_false(names("[\xc3\xa0-\xc3\xbc]x", "\xc3\xbfx"));
    assert_true(names("[a-\xe2\x82\xac]", "\xc3\xbc"));
    assert_true(names("donn?es*", "donn\xc3\xa9"
                                  "es.csv"));
    assert_true(names("*", ".a/b"));
}

// The plain definition: what each pattern may match, tried out, on short ones.
static bool tried_out(const char *pattern, const char *text)
{
    size_t bytes = (unsigned char)*text == 0xc3 && (unsigned char)text[1] == 0xa4 ? 2 : 1;

    if (*pattern == '\0') {
        return *text == '\0';
    }
    if (*pattern == '*') {
        return tried_out(pattern + 1, text) || (*text != '\0' && tried_out(pattern, text + bytes));
    }
    size_t own = (unsigned char)*pattern == 0xc3 && (unsigned char)pattern[1] == 0xa4 ? 2 : 1;
    bool same = *pattern == '?' || (own == bytes && memcmp(pattern, text, own) == 0);
    return *text != '\0' && same && tried_out(pattern + own, text + bytes);
}

// The number as a text of four pieces.
static void spell(uint32_t number, const char *const pieces[8], char *out)
{
    out[0] = '\0';
    for (size_t i = 0; i < 4; i++, number /= 8) {
        strcat(out, pieces[number % 8]);
    }
}

static void all_short_patterns_do_what_trying_out_says(void **state)
{
    static const char *const in_patterns[] = {"", "a", "?", "*", "*", "\xc3\xa4", "\xc3", "\xa4"};
    static const char *const in_texts[] = {"", "a", "b", "", "\xc3\xa4", "\xc3", "\xa4", "\xff"};
    char pattern[16];
    char text[16];

    (void)state;
    for (uint32_t p = 0; p < 8 * 8 * 8 * 8; p++) {
        spell(p, in_patterns, pattern);
        for (uint32_t t = p % 7; t < 8 * 8 * 8 * 8; t += 7) {
            spell(t, in_texts, text);
            if (pattern_matches(pattern, text, strlen(text)) != tried_out(pattern, text)) {
                fail_msg("'%s' against '%s'", pattern, text);
            }
        }
    }
}

static void many_stars_take_no_exponential_time(void **state)
{
    char text[20001];

    (void)state;
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    fails("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", text);
    fails("*?*?*?*?*?*?*?*?*?*?*?*?*?*?*?*?*b", text);
    assert_false(names("*[a]*[a]*[a]*[a]*[a]*[a]*[a]*[a]*[a]*b", text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(question_mark_is_a_character_of_any_length),
        cmocka_unit_test(byte_that_belongs_to_no_character_is_one),
        cmocka_unit_test(backslash_takes_the_meaning_from_a_character),
        cmocka_unit_test(sets_are_for_names_alone),
        cmocka_unit_test(all_short_patterns_do_what_trying_out_says),
        cmocka_unit_test(many_stars_take_no_exponential_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
