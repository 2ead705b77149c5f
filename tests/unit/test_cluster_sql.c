// Statements put together: texts and names that mean nothing else, filters, the columns of views.
#include "store/cluster/schema_private.h"
#include "store/cluster/sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void quoted_is(const char *text, size_t bytes, const char *want)
{
    struct bytes sql;

    bytes_init(&sql);
    sql_quote(&sql, text, bytes);
    assert_string_equal(sql_text(&sql), want);
    bytes_done(&sql);
}

static void text_stays_within_its_quotes(void **state)
{
    (void)state;
    quoted_is("", 0, "''");
    quoted_is("it's", 4, "'it\\'s'");
    quoted_is("a\\", 2, "'a\\\\'");
    quoted_is("a\0\n\x7f\xc3\xa4", 6, "'a\\x00\\x0A\\x7F\\xC3\\xA4'");
    quoted_is("`\" --", 5, "'`\" --'");
}

static void name_stays_within_its_quotes(void **state)
{
    struct bytes sql;

    (void)state;
    bytes_init(&sql);
    sql_name(&sql, "a`b\\c'd\xc3\xa4");
    assert_string_equal(sql_text(&sql), "`a\\`b\\\\c'd\xc3\xa4`");
    bytes_done(&sql);
}

static void statement_grows_and_goes_on(void **state)
{
    struct bytes sql;
    char want[4001];

    (void)state;
    bytes_init(&sql);
    for (int i = 0; i < 1000; i++) {
        sql_print(&sql, "%04d", i);
        snprintf(want + 4 * (size_t)i, 5, "%04d", i);
        assert_string_equal(sql_text(&sql), want);
    }
    sql.ok = false;
    assert_null(sql_text(&sql));
    bytes_done(&sql);
}

static void filter_is(const char *list, const char *want)
{
    struct tally_err err;
    struct filter filter;
    struct bytes sql;

    bytes_init(&sql);
    assert_true(filter_init(&filter, "d", list, &err));
    schema_put_filter(&sql, &filter, "x");
    assert_string_equal(sql_text(&sql), want);
    filter_done(&filter);
    bytes_done(&sql);
}

#define CHARACTERS_OF_X                                                                            \
    "replaceRegexpAll(hex(x), '([0-7].|(?:C[2-9A-F]|D.)[89AB].|(?:E0[AB].|E[1-9ABCEF][89AB].|"     \
    "ED[89].)[89AB].|(?:F0[9AB].|F[123][89AB].|F48.)[89AB].[89AB].|..)', '\\\\1 ')"

// That they let the same through as filter_matches: tests/cluster/filters.c.
static void filter_is_a_list_or_an_expression(void **state)
{
    (void)state;
    filter_is("", "(x IN (''))");
    filter_is("a, \"b*\", c\\?", "(x IN ('a', 'b*', 'c?'))");
    filter_is("!a", "NOT (x IN ('a'))");
    filter_is("a*", "(match(" CHARACTERS_OF_X ", '^(?:61 (?:[^ ]+ )*)$'))");
    filter_is("! b, ?\\*, *\xc3\xa4\xc3", "NOT (x IN ('b') OR match(" CHARACTERS_OF_X
                                          ", '^(?:[^ ]+ 2A |(?:[^ ]+ )*C3A4 C3 )$'))");
}

static void add_rollup(struct rollup_def *def, const char *name, const char *dim,
                       const char *measure)
{
    struct tally_err err;

    assert_true(rollup_def_set_name(def, name, &err) && rollup_def_add_feed(def, "f", &err) &&
                rollup_def_add_dim(def, dim, &err) && rollup_def_add_measure(def, measure, &err) &&
                rollup_def_add_window(def, 7, &err));
    def->feeds[0].measures = 1;
}

static bool has(const struct schema_views *views, size_t view, const char *text)
{
    return strstr((const char *)views->view[view].sql.data, text);
}

enum { CELLS = 4, WINDOW = 5 };

static void column_whose_name_is_taken_gets_another(void **state)
{
    struct cluster_options options = {.cluster = "c", .database = "d"};
    struct rollup_def defs[2] = {0};
    struct schema_views views;
    struct tally_err err;

    (void)state;
    add_rollup(&defs[0], "one", "day", "killed");
    add_rollup(&defs[1], "two", "killed", "incidents");
    assert_true(schema_views_init(&views, &options, defs, 2, &err));
    assert_true(has(&views, CELLS, "if((_rollup = 'one'), _d0, NULL) AS `day_`,"));
    assert_true(has(&views, CELLS, "if((_rollup = 'two'), _d1, NULL) AS `killed`,"));
    assert_true(has(&views, CELLS, "if(_sr0 = 0, NULL, _sm0) AS `killed_`,"));
    assert_true(has(&views, CELLS, " AS `killed_reported`,"));
    assert_true(has(&views, CELLS, "if(_sr1 = 0, NULL, _sm1) AS `incidents_`,"));
    assert_true(has(&views, CELLS, " AS `incidents_reported` "));
    assert_true(has(&views, WINDOW, "if((_rollup = 'one'), _d0, NULL) AS `day`,"));
    schema_views_done(&views);
    rollup_def_done(&defs[0]);
    rollup_def_done(&defs[1]);
}

static void views_are_named_by_what_they_say(void **state)
{
    struct cluster_options options = {.cluster = "c", .database = "d"};
    struct rollup_def def = {0};
    struct schema_views one;
    struct schema_views same;
    struct schema_views other;
    struct tally_err err;
    const size_t last = SCHEMA_VIEWS - 1;

    (void)state;
    add_rollup(&def, "one", "a", "killed");
    assert_true(schema_views_init(&one, &options, &def, 1, &err));
    assert_true(schema_views_init(&same, &options, &def, 1, &err));
    assert_true(rollup_def_add_window(&def, 8, &err));
    assert_true(schema_views_init(&other, &options, &def, 1, &err));
    assert_string_equal(one.view[last].sql.data, same.view[last].sql.data);
    assert_string_not_equal(one.view[last].sql.data, other.view[last].sql.data);
    schema_views_done(&one);
    schema_views_done(&same);
    schema_views_done(&other);
    rollup_def_done(&def);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_stays_within_its_quotes),
        cmocka_unit_test(name_stays_within_its_quotes),
        cmocka_unit_test(statement_grows_and_goes_on),
        cmocka_unit_test(filter_is_a_list_or_an_expression),
        cmocka_unit_test(column_whose_name_is_taken_gets_another),
        cmocka_unit_test(views_are_named_by_what_they_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
