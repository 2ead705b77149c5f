// What servers of all versions say instead of an answer, and what stands in front of them.
#include "store/cluster/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TEXT(text) text, sizeof(text) - 1

static const struct {
    long status;
    const char *body;
    size_t bytes;
    enum tally_code code;
    const char *words;
} told[] = {
    {500, TEXT("Code: 241, e.displayText() = DB::Exception: Memory limit  , e.what() = DB"),
     TALLY_NO_MEMORY, "h refuses (code 241): Memory limit"},
    {500, TEXT("Code: 62. DB::Exception: Syntax error (SYNTAX_ERROR) (version 26.1)"),
     TALLY_INVALID, "h refuses (code 62): Syntax error (SYNTAX_ERROR)"},
    {500, TEXT("Code: 1000, e.code() = 111, Connection refused"), TALLY_UNAVAILABLE,
     "h refuses (code 1000)"},
    {500, TEXT("Code: 99999999, what"), TALLY_INVALID, "h refuses (code 999999)"},
    {500, TEXT("Code: :"), TALLY_UNAVAILABLE, "h answers HTTP 500: :"},
    {500, TEXT("Code: 75, e.displayText() = No space left on device"), TALLY_NO_SPACE, "No space"},
    {500, TEXT("Code: 75, cannot write, errno: 28, strerror"), TALLY_NO_SPACE, "errno: 28"},
    {503, TEXT("busy\0\x7f\n  "), TALLY_UNAVAILABLE, "h answers HTTP 503: busy"},
    {408, TEXT(""), TALLY_UNAVAILABLE, "h answers HTTP 408: "},
    {429, TEXT("   "), TALLY_UNAVAILABLE, "h answers HTTP 429: "},
    {404, TEXT("nothing here"), TALLY_INVALID, "h answers HTTP 404: nothing here"},
    {302, TEXT("elsewhere"), TALLY_INVALID, "h answers HTTP 302: elsewhere"},
};

static void refusals_are_told_in_their_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        struct tally_err err = {0};
        assert_false(refusal_read("h", told[i].status, told[i].body, told[i].bytes, &err));
        if (err.code != told[i].code || !strstr(err.message, told[i].words)) {
            fail_msg("not '%s': code %d, '%s'", told[i].words, err.code, err.message);
        }
    }
}

static void words_are_bounded(void **state)
{
    static char body[10000];
    struct tally_err err = {0};

    (void)state;
    memset(body, 'x', sizeof body);
    assert_false(refusal_read("h", 500, body, sizeof body, &err));
    assert_true(strlen(err.message) < 220);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_are_told_in_their_words),
        cmocka_unit_test(words_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
