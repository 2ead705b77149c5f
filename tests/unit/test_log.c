// What reaches the log: one line an event, and no byte of a hostile name as it is.
#include "daemon/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

// Bytes of one well-formed character of UTF-8 that is not a control character; 0: there is none.
static size_t character_bytes(const unsigned char *at)
{
    static const unsigned char first_low[] = {0, 0, 0xc2, 0xe0, 0xf0};
    size_t count = *at < 0x80 ? 1 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;

    if (count == 1) {
        return *at >= ' ' && *at < 0x7f;
    }
    if (*at < first_low[count] || *at > 0xf4) {
        return 0;
    }
    for (size_t i = 1; i < count; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (*at == 0xe0 && at[1] < 0xa0) || (*at == 0xf0 && at[1] < 0x90);
    bool surrogate = *at == 0xed && at[1] >= 0xa0;
    bool beyond = *at == 0xf4 && at[1] >= 0x90;
    bool control = *at == 0xc2 && at[1] < 0xa0; // U+0080..U+009F: terminals obey them
    // Breaks the line or shows what follows in another order.
    bool turns = memcmp(at, "\xe2\x80\xa8", 3) == 0 || memcmp(at, "\xe2\x80\xae", 3) == 0 ||
                 memcmp(at, "\xe2\x81\xa6", 3) == 0 || memcmp(at, "\xe2\x81\xa9", 3) == 0;
    return overlong || surrogate || beyond || control || turns ? 0 : count;
}

static bool is_clean(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    while (*at) {
        size_t bytes = character_bytes(at);
        if (bytes == 0) {
            return false;
        }
        at += bytes;
    }
    return true;
}

// Quotes that are not escaped come in pairs.
static bool is_balanced(const char *text)
{
    size_t quotes = 0;

    for (const char *at = text; *at; at++) {
        if (*at == '\\' && at[1]) {
            at++;
        } else if (*at == '"') {
            quotes++;
        }
    }
    return quotes % 2 == 0;
}

static void log_value(struct log_line *line, const char *value)
{
    log_begin(line, LOG_INFO, "tested");
    log_text(line, "file", value);
    log_number(line, "rows", 812);
}

static void says(const char *value, const char *want)
{
    struct log_line line;

    log_value(&line, value);
    const char *at = strstr(line.text, "event=");
    assert_non_null(at);
    assert_string_equal(at, want);
}

static void event_is_one_line_of_keys_and_values(void **state)
{
    (void)state;
    says("03.csv", "event=tested file=03.csv rows=812");
    says("two words.csv", "event=tested file=\"two words.csv\" rows=812");
    says("", "event=tested file=\"\" rows=812");
    says("a=b", "event=tested file=\"a=b\" rows=812");
    says("a\"b\\c", "event=tested file=\"a\\\"b\\\\c\" rows=812");
    says("a\nb\tc\x7f", "event=tested file=\"a\\x0ab\\x09c\\x7f\" rows=812");
    says("x\n<3>event=forged", "event=tested file=\"x\\x0a<3>event=forged\" rows=812");
}

static void priority_stands_in_front_for_journald(void **state)
{
    struct log_line line;

    (void)state;
    if (isatty(STDERR_FILENO)) {
        skip();
    }
    log_begin(&line, LOG_WARNING, "tested");
    assert_string_equal(line.text, "<4>event=tested");
}

static void utf8_of_a_name_stays_readable(void **state)
{
    (void)state;
    says("Côte.csv", "event=tested file=\"Côte.csv\" rows=812");
    says("عراق", "event=tested file=\"عراق\" rows=812");
}

static void no_single_byte_reaches_the_log_raw(void **state)
{
    struct log_line line;
    char value[4] = "axb";
    char unclean[800] = "";

    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        value[1] = (char)byte;
        log_value(&line, value);
        if (!is_clean(line.text)) {
            size_t used = strlen(unclean);
            snprintf(unclean + used, sizeof unclean - used, " %02x", (unsigned)byte);
        }
    }
    if (unclean[0]) {
        fail_msg("raw in the log:%s", unclean);
    }
}

static void no_broken_or_controlling_utf8_reaches_the_log(void **state)
{
    static const char *const values[] = {
        "\xc2\x9b[31m",     // CSI as a character of its own
        "\xc2",             // cut short
        "\xe2\x82",         // cut short
        "\xc0\xaf",         // overlong
        "\xed\xa0\x80",     // surrogate
        "\xf4\x90\x80\x80", // beyond Unicode
        "\xff\xfe",
        "moi\xe2\x80\xae"
        "vsc.exe",            // right to left from here
        "one\xe2\x80\xa8two", // line separator
        "\xe2\x81\xa6isolated\xe2\x81\xa9",
    };
    struct log_line line;

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        log_value(&line, values[i]);
        if (!is_clean(line.text)) {
            fail_msg("value %zu is raw in the log", i);
        }
    }
}

static void long_text_is_cut_between_characters(void **state)
{
    struct log_line line;
    char value[2001];

    (void)state;
    for (size_t offset = 0; offset < 3; offset++) {
        memset(value, 'a', sizeof value);
        for (size_t i = offset; i + 3 < sizeof value; i += 3) {
            memcpy(value + i, "€", 3);
        }
        value[sizeof value - 1] = '\0';
        log_value(&line, value);
        assert_non_null(strstr(line.text, "...\" rows=812"));
        assert_true(strlen(line.text) < 2 * LOG_TEXT_BYTES);
        if (!is_clean(line.text)) {
            fail_msg("cut within a character, offset %zu", offset);
        }
    }
}

static void hostile_name_leaves_room_for_what_follows(void **state)
{
    struct log_line line;
    char name[256];
    char message[256];

    (void)state;
    memset(name, 1, sizeof name - 1);
    memset(message, '"', sizeof message - 1);
    name[sizeof name - 1] = message[sizeof message - 1] = '\0';
    log_begin(&line, LOG_ERROR, "file_rejected");
    log_text(&line, "file", name);
    log_text(&line, "place", "x:1");
    log_text(&line, "error", message);
    log_number(&line, "rows", 812);
    assert_true(line.used < sizeof line.text);
    assert_int_equal(line.used, strlen(line.text));
    assert_true(is_clean(line.text));
    assert_true(is_balanced(line.text));
    assert_non_null(strstr(line.text, " rows=812"));
}

static void line_never_outgrows_its_room(void **state)
{
    struct log_line line;
    char value[LOG_TEXT_BYTES + 1];

    (void)state;
    memset(value, 2, sizeof value - 1);
    value[sizeof value - 1] = '\0';
    log_begin(&line, LOG_ERROR, "tested");
    for (int i = 0; i < 20; i++) {
        log_text(&line, "k", value);
        log_number(&line, "n", UINT64_MAX);
        assert_true(line.used < sizeof line.text);
        assert_int_equal(line.used, strlen(line.text));
    }
}

static void failure_says_file_place_and_error_on_one_line(void **state)
{
    struct tally_err err = {.place = "03.csv:7", .message = "field longer\nthan 64"};
    char out[512] = {0};
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    log_failure(LOG_ERROR, "file_rejected", "03.csv", &err);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    ssize_t got = read(ends[0], out, sizeof out - 1);
    close(ends[0]);
    assert_true(got > 0);
    assert_string_equal(out, "<3>event=file_rejected file=03.csv place=03.csv:7 "
                             "error=\"field longer\\x0athan 64\"\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(event_is_one_line_of_keys_and_values),
        cmocka_unit_test(priority_stands_in_front_for_journald),
        cmocka_unit_test(utf8_of_a_name_stays_readable),
        cmocka_unit_test(no_single_byte_reaches_the_log_raw),
        cmocka_unit_test(no_broken_or_controlling_utf8_reaches_the_log),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(hostile_name_leaves_room_for_what_follows),
        cmocka_unit_test(line_never_outgrows_its_room),
        cmocka_unit_test(failure_says_file_place_and_error_on_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
