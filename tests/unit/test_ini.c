#include "base/ini.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct seen {
    char text[4096];        // "LINE section.key=value", one entry a line; "+" where it continues
    const char *refuse_key; // entries with this key are wrong
};

static bool note_entry(void *context, const struct ini_entry *entry, struct tally_err *err)
{
    struct seen *seen = context;
    size_t used = strlen(seen->text);

    if (seen->refuse_key && strcmp(entry->key, seen->refuse_key) == 0) {
        return err_set(err, TALLY_INVALID, "no such key: %s", entry->key);
    }
    snprintf(seen->text + used, sizeof seen->text - used, "%d%s %s.%s=%s\n", entry->line,
             entry->continued ? "+" : "", entry->section, entry->key, entry->value);
    return true;
}

static bool read_content(const char *content, struct seen *seen, struct tally_err *err)
{
    char path[] = "/tmp/tally-test-ini-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    close(fd);
    bool ok = ini_read(path, note_entry, seen, err);
    unlink(path);
    return ok;
}

static void reads_as(const char *content, const char *want)
{
    struct seen seen = {0};
    struct tally_err err = {0};

    if (!read_content(content, &seen, &err)) {
        fail_msg("%s: %s", err.place, err.message);
    }
    assert_string_equal(seen.text, want);
}

static void wrong_at_line(const char *content, int line, const char *message)
{
    struct seen seen = {.refuse_key = "wrong"};
    struct tally_err err = {0};
    char place[16];

    assert_false(read_content(content, &seen, &err));
    snprintf(place, sizeof place, ":%d", line);
    const char *colon = strrchr(err.place, ':');
    assert_non_null(colon);
    assert_string_equal(colon, place);
    assert_non_null(strstr(err.message, message));
}

static void entries_know_their_section_and_line(void **state)
{
    (void)state;
    reads_as("", "");
    reads_as("[tallyd]\n; comment\nstate = /var/lib/tallyd ; inline\n\n[feed ucdp]\nmode=snapshot",
             "1 tallyd.=\n3 tallyd.state=/var/lib/tallyd\n5 feed ucdp.=\n"
             "6 feed ucdp.mode=snapshot\n");
    reads_as("a = 1\n", "1 .a=1\n");
}

static void an_indented_line_continues_the_value(void **state)
{
    (void)state;
    reads_as("[rollup r]\nmeasures = killed\n    wounded\nby = a\n",
             "1 rollup r.=\n2 rollup r.measures=killed\n3+ rollup r.measures=wounded\n4 rollup "
             "r.by=a\n");
    reads_as("[rollup r]\nmeasures = killed\n    wounded\t; both\n    ; a remark\n  a;b\n",
             "1 rollup r.=\n2 rollup r.measures=killed\n3+ rollup r.measures=wounded\n5+ rollup "
             "r.measures=a;b\n");
}

static void every_mistake_has_its_line(void **state)
{
    (void)state;
    wrong_at_line("[a]\nb = 1\nwrong = 2\nc = 3\n", 3, "no such key: wrong");
    wrong_at_line("[a]\nneither section nor key\nb = 1\n", 2, "");
    wrong_at_line("[a]\nb = 1\n  c = 2\n", 3, "first column");
}

static void a_line_that_would_be_cut_is_refused(void **state)
{
    char content[600];

    (void)state;
    memset(content, 'v', sizeof content - 1);
    memcpy(content, "[a]\nb = ", 8);
    content[sizeof content - 1] = '\0';
    wrong_at_line(content, 2, "line longer than");
}

static void a_file_that_is_absent_is_named(void **state)
{
    struct seen seen = {0};
    struct tally_err err;

    (void)state;
    assert_false(ini_read("/nonexistent/tallyd.conf", note_entry, &seen, &err));
    assert_int_equal(err.code, TALLY_IO);
    assert_non_null(strstr(err.message, "/nonexistent/tallyd.conf"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_know_their_section_and_line),
        cmocka_unit_test(an_indented_line_continues_the_value),
        cmocka_unit_test(every_mistake_has_its_line),
        cmocka_unit_test(a_line_that_would_be_cut_is_refused),
        cmocka_unit_test(a_file_that_is_absent_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
