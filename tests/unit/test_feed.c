// The keys of a [feed NAME] section: what is taken and what is refused, with the reason.
#include "ingest/feed.h"

#include "ingest/feed_spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct feed *open_feed(void)
{
    struct tally_err err;
    struct feed *feed = feed_open("attacks", &err);

    assert_non_null(feed);
    return feed;
}

static void set(struct feed *feed, const char *key, const char *value)
{
    struct tally_err err;

    if (!feed_set(feed, key, value, "/nowhere", &err)) {
        fail_msg("%s = %s: %s", key, value, err.message);
    }
}

static void refuses(const char *key, const char *value, const char *part)
{
    struct feed *feed = open_feed();
    struct tally_err err = {.code = TALLY_OK};

    if (feed_set(feed, key, value, "/nowhere", &err)) {
        fail_msg("%s = %s was taken", key, value);
    }
    if (!strstr(err.message, part)) {
        fail_msg("%s = %s: %s", key, value, err.message);
    }
    feed_close(feed);
}

static void check_refuses(struct feed *feed, const char *part)
{
    struct tally_err err;

    assert_false(feed_check(feed, &err));
    assert_int_equal(err.code, TALLY_INVALID);
    if (!strstr(err.message, part)) {
        fail_msg("wanted %s, got %s", part, err.message);
    }
    feed_close(feed);
}

static bool takes_both_orders(const char *formats)
{
    struct tally_err err;
    struct feed *feed = open_feed();

    assert_true(feed_set(feed, "date_format", formats, "", &err));
    bool both = feed_takes_both_day_orders(feed);
    feed_close(feed);
    return both;
}

static void formats_that_take_day_and_month_in_both_orders_are_known(void **state)
{
    (void)state;
    assert_true(takes_both_orders("%d/%m/%Y | %m/%d/%Y"));
    assert_true(takes_both_orders("%m-%d-%Y | %Y-%m-%d | %d-%m-%Y"));
    assert_false(takes_both_orders("%d/%m/%Y | %m-%d-%Y"));
    assert_false(takes_both_orders("%d/%m/%Y | %Y/%m/%d | %d %B %Y"));
    assert_false(takes_both_orders("%d/%m/%Y | %d/%m/%Y"));
    assert_false(takes_both_orders(""));
}

static void values_out_of_bounds_say_what_would_be_right(void **state)
{
    (void)state;
    refuses("colour", "red", "no key \"colour\"");
    refuses("mode", "append", "upsert, snapshot or deletions");
    refuses("kind", "rumours", "incidents or claims");
    refuses("delimiter", ";", "comma, tab, semicolon or pipe");
    refuses("quote", "single", "double or none");
    refuses("encoding", "utf-9", "no such encoding");
    refuses("preamble", "-1", "0 to 1000");
    refuses("reject_max", "101%", "at most 100%");
    refuses("reject_max", "-3", "a number of rows");
    refuses("century", "1950", "1900, 2000");
    refuses("date_format", "%d/%m", "no year");
    refuses("date_format", "%Q %Y", "%Q");
    refuses("revision_format", "%y", "four digits");
    refuses("dim.feed", "x", "a meaning of its own");
    refuses("dim.a b", "x", "a name has");
    refuses("dim.", "x", "a name has");
    refuses("measure.killed_reported", "x", "_reported");
    refuses("measure.n", "count where x", "a condition reads");
    refuses("measure.n", "count where x in ,", "at least one value");
    refuses("unknown", "\"open", "not closed");
    refuses("columns", "2 b, 1 a", "have to rise");
    refuses("map.x", "absent.csv", "No such file");
    refuses("decimal", "dot", "point or comma");
    refuses("rows", "per-person", "per-incident or per-victim");
    refuses("header", "maybe", "present or none");
    refuses("final_newline", "always", "optional or required");
    refuses("preamble", "many", "0 to 1000");
    refuses("year_min", "10000", "-9999 to 9999");
    refuses("century", "many", "1900, 2000");
    refuses("reject_max", "1x%", "a share such as");
    refuses("reject_max", "1.2.3%", "a share such as");
    refuses("column_counts", "4 0", "1 to 4096");
    refuses("column_counts", "4097", "1 to 4096");
    refuses("column_counts", "some", "1 to 4096");
    refuses("column_counts", "1 2 3 4 5 6 7 8 9", "at most 8");
    refuses("column_counts", "\"4", "not closed");
    refuses("columns", "5000 b", "have to rise");
    refuses("files", "\"open", "not closed");
    refuses("files", "x-[[:digit:]]*.csv", "write [0-9]");
    refuses("measure.n", "count where in a", "a condition reads");
    refuses("revision_format", "%Q", "%Q");
    refuses("reject_max", "%", "a share such as");
    refuses("reject_max", ".%", "a share such as");
    refuses("files", "\"a\"b", "not closed, or text stands behind it");
    refuses("id", "\"a|b", "not closed");
    refuses("id", "\"a\" b", "not closed, or text stands behind it");
    refuses("dim.p", "\"a\" b | c", "not closed");
    refuses("optional", "\"a, b", "not closed");
    refuses("columns", "7 \"a, b", "not closed");
    refuses("columns", "99999999999999999999 a", "have to rise");
    refuses("measure.n", "count where \"x in a", "not closed");
    refuses("measure.n", "\"x where y in a", "not closed");
    refuses("measure.n", "count where x in \"a, b", "not closed");
    refuses("measure.n", "count where x in a where y in b", "one condition only");
}

static void assert_list(const struct feed_list *list, const char *const *want, size_t count)
{
    assert_int_equal(list->count, count);
    for (size_t i = 0; i < count; i++) {
        if (!text_is(list->items[i], want[i])) {
            fail_msg("item %zu is %.*s, not %s", i, (int)list->items[i].bytes, list->items[i].at,
                     want[i]);
        }
    }
}
#define ASSERT_LIST(list, ...)                                                                     \
    assert_list(&(list), (const char *const[]){__VA_ARGS__},                                       \
                sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void quotes_keep_separators_and_words(void **state)
{
    struct feed *feed = open_feed();

    (void)state;
    set(feed, "id", "\"p|q\" | r");
    ASSERT_LIST(feed->fixed[FEED_ID], "p|q", "r");
    set(feed, "optional", "\"w, x\",y , \" z \"");
    ASSERT_LIST(feed->optional, "w, x", "y", " z ");
    set(feed, "columns", "\"p, q\", 3 \"7 r\", 4 s t, 5, \"6 u\"");
    ASSERT_LIST(feed->columns, "p, q", "", "7 r", "s t", "5", "6 u");
    set(feed, "dim.p", "\"p q\" | \"p r\"");
    ASSERT_LIST(feed->dims[0].columns, "p q", "p r");
    assert_null(feed->dims[0].constant.at);
    set(feed, "dim.p", "\"p q\"");
    assert_true(text_is(feed->dims[0].constant, "p q"));
    set(feed, "measure.n", "count where \"Died in hospital\" in Y, \"A, B\"");
    ASSERT_LIST(feed->measures[0].condition_columns, "Died in hospital");
    ASSERT_LIST(feed->measures[0].condition_values, "Y", "A, B");
    assert_false(feed->measures[0].negated);
    set(feed, "measure.n",
        "\"killed where known\" | killed where \"a | b\" | \"not in\" not in \"\", in c");
    ASSERT_LIST(feed->measures[0].columns, "killed where known", "killed");
    ASSERT_LIST(feed->measures[0].condition_columns, "a | b", "not in");
    ASSERT_LIST(feed->measures[0].condition_values, "", "in c");
    assert_true(feed->measures[0].negated);
    set(feed, "measure.n", "count where \"is not\" in \"B where C\", D in E, 5\" gun");
    ASSERT_LIST(feed->measures[0].condition_columns, "is not");
    ASSERT_LIST(feed->measures[0].condition_values, "B where C", "D in E", "5\" gun");
    assert_false(feed->measures[0].negated);
    set(feed, "measure.n", "\"say \"no\" twice\""); // quotes that nothing ends behind
    ASSERT_LIST(feed->measures[0].columns, "say \"no\" twice");
    set(feed, "measure.n", "\"count\""); // a column
    ASSERT_LIST(feed->measures[0].columns, "count");
    feed_close(feed);
}

static struct feed *say(const char *key, const char *value)
{
    struct feed *feed = open_feed();

    set(feed, "id", "number");
    set(feed, "measure.killed", "Killed");
    set(feed, key, value);
    return feed;
}

// Each key, set and then taken back, is as if it had never been set.
static void every_key_is_taken_back_by_an_empty_value(void **state)
{
    static const char *const values[][2] = {{"files", "*.csv"},
                                            {"kind", "claims"},
                                            {"mode", "snapshot"},
                                            {"scope", "x"},
                                            {"deletes", "other"},
                                            {"revision", "r"},
                                            {"year", "y"},
                                            {"month", "m"},
                                            {"day", "d"},
                                            {"end_date", "e"},
                                            {"end_year", "ey"},
                                            {"end_month", "em"},
                                            {"end_day", "ed"},
                                            {"days", "n"},
                                            {"days_end", "last"},
                                            {"date_format", "%d.%m.%y"},
                                            {"century", "1900"},
                                            {"year_min", "-5"},
                                            {"revision_format", "%Y"},
                                            {"optional", "x"},
                                            {"unknown", "NA"},
                                            {"rows", "per-victim"},
                                            {"delimiter", "tab"},
                                            {"quote", "none"},
                                            {"encoding", "latin1"},
                                            {"decimal", "comma"},
                                            {"preamble", "3"},
                                            {"header", "none"},
                                            {"columns", "a, 3 b, 5 c"},
                                            {"column_counts", "5 6"},
                                            {"reject_max", "0.5%"},
                                            {"final_newline", "required"}};
    struct feed *never = say("date", "date");

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct feed *feed = say("date", "date");
        struct tally_err err;
        set(feed, values[i][0], values[i][1]);
        set(feed, values[i][0], "");
        if (!feed_check(feed, &err)) {
            fail_msg("%s = %s: %s", values[i][0], values[i][1], err.message);
        }
        assert_true(feed_reads_alike(never, feed));
        feed_close(feed);
    }
    feed_close(never);
}

static void no_more_dimensions_or_measures_than_a_shape_holds(void **state)
{
    struct feed *feed = open_feed();
    struct tally_err err;
    char key[32];

    (void)state;
    for (int i = 0; i < SHAPE_DIMS_MAX; i++) {
        snprintf(key, sizeof key, "dim.d%d", i);
        set(feed, key, "x");
    }
    assert_false(feed_set(feed, "dim.more", "x", "", &err));
    for (int i = 0; i < SHAPE_MEASURES_MAX; i++) {
        snprintf(key, sizeof key, "measure.m%d", i);
        set(feed, key, "x");
    }
    assert_false(feed_set(feed, "measure.more", "x", "", &err));
    feed_close(feed);
}

// ---- mapping files ----------------------------------------------------------------------------

static void save(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

// Whether the text is taken as a mapping file, or with which words it is refused.
static void mapping_file(const char *path, const char *text, const char *part)
{
    struct feed *feed = open_feed();
    struct tally_err err = {.code = TALLY_OK};

    save(path, text);
    bool ok = feed_set(feed, "map.place", path, "", &err);
    if (ok != !part || (part && !strstr(err.message, part))) {
        fail_msg("%s: wanted %s, got %s", text, part ? part : "success", err.message);
    }
    feed_close(feed);
}

static void mapping_files_say_what_is_wrong_with_them(void **state)
{
    char path[] = "/tmp/test_feed_map.XXXXXX";

    (void)state;
    close(mkstemp(path));
    mapping_file(path, "", NULL);
    mapping_file(path, "from,to\na,b\na,b\n", NULL);
    mapping_file(path, "To,From\nb,a\n", NULL);
    mapping_file(path, "a,b\nfrom,c\n", NULL);
    mapping_file(path, "to,b\n", NULL);
    mapping_file(path, "from,b\n", NULL);
    mapping_file(path, "a,b\na,c\n", "mapped to two texts");
    mapping_file(path, "a\n", "two columns");
    mapping_file(path, "\xff,b\n", "not UTF-8");
    mapping_file(path, "a,\xff\n", "not UTF-8");
    mapping_file(path, "a,b\"c\n", "a quote inside");
    mapping_file(path, "a,\"b", "never closed");
    unlink(path);
}

// With map.place = PATH, and other lines behind it.
static struct feed *with_map(const char *path, const char *text, const char *key)
{
    struct feed *feed = open_feed();

    save(path, text);
    set(feed, "id", "id");
    set(feed, "date", "date");
    set(feed, "dim.place", "Place");
    set(feed, "dim.actor", "Actor");
    set(feed, key, path);
    return feed;
}

static void feeds_read_alike_by_the_content_of_their_mapping_files(void **state)
{
    static const char *const others[] = {"a,b\nc,e\n", "a,b\n",        "a,b\nc,dd\n",
                                         "a,b\nx,d\n", "a,b\nccc,d\n", ""};
    char path[] = "/tmp/test_feed_map.XXXXXX";
    struct tally_err err;

    (void)state;
    close(mkstemp(path));
    struct feed *plain = with_map(path, "a,b\nc,d\n", "map.place");
    struct feed *same = with_map(path, "from,to\na,b\nc,d\na,b\n", "map.place");
    assert_true(feed_check(plain, &err) && feed_check(same, &err));
    assert_true(feed_reads_alike(plain, same));
    feed_close(same);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct feed *other = with_map(path, others[i], "map.place");
        assert_false(feed_reads_alike(plain, other));
        feed_close(other);
    }
    struct feed *elsewhere = with_map(path, "a,b\nc,d\n", "map.actor");
    assert_false(feed_reads_alike(plain, elsewhere));
    set(elsewhere, "map.actor", "");
    set(elsewhere, "map.place", path);
    set(elsewhere, "map.place", path); // in place of the earlier one
    assert_true(feed_reads_alike(plain, elsewhere));
    set(elsewhere, "map.nothing", path);
    check_refuses(elsewhere, "map.nothing has no dim.nothing");
    feed_close(plain);
    unlink(path);
}

static void contradictions_are_found_at_the_end(void **state)
{
    (void)state;
    check_refuses(open_feed(), "id = COLUMN is missing");
    struct feed *feed = open_feed();
    set(feed, "id", "id");
    check_refuses(feed, "date = COLUMN");
    feed = open_feed();
    set(feed, "id", "id");
    set(feed, "mode", "deletions");
    check_refuses(feed, "deletes = FEED");
    feed = open_feed();
    set(feed, "id", "id");
    set(feed, "mode", "deletions");
    set(feed, "deletes", "other");
    set(feed, "measure.killed", "dead");
    check_refuses(feed, "a measure makes no sense");
    feed = open_feed();
    set(feed, "id", "id");
    set(feed, "date", "date");
    set(feed, "scope", "country");
    check_refuses(feed, "scope belongs to mode = snapshot");
    feed = open_feed();
    set(feed, "id", "id");
    set(feed, "date", "date");
    set(feed, "mode", "snapshot");
    set(feed, "scope", "country");
    check_refuses(feed, "none of its dimensions");
    feed = open_feed();
    set(feed, "id", "id");
    set(feed, "date", "date");
    set(feed, "date_format", "%d/%m/%y");
    check_refuses(feed, "century");
    feed = open_feed();
    set(feed, "id", "id");
    set(feed, "days_end", "end");
    set(feed, "date", "date");
    check_refuses(feed, "days_end belongs to days");
    feed = open_feed();
    set(feed, "id", "id");
    set(feed, "kind", "claims");
    set(feed, "days", "days");
    set(feed, "end_date", "end");
    check_refuses(feed, "needs measure.value");
    set(feed = open_feed(), "kind", "claims");
    set(feed, "id", "id");
    set(feed, "date", "date");
    set(feed, "measure.value", "value");
    set(feed, "dim.speaker", "\"nobody\"");
    set(feed, "dim.measure", "measure");
    check_refuses(feed, "needs dim.qualifier");
    set(feed = open_feed(), "kind", "claims");
    set(feed, "id", "id");
    set(feed, "date", "date");
    set(feed, "mode", "snapshot");
    check_refuses(feed, "needs mode = upsert");
    feed = open_feed();
    set(feed, "id", "id");
    set(feed, "year", "y");
    set(feed, "day", "d");
    check_refuses(feed, "a day needs a month");
    feed = open_feed();
    set(feed, "id", "id");
    set(feed, "date", "d");
    set(feed, "header", "none");
    check_refuses(feed, "columns = NAME");
}

// A feed of these keys and values, up to a NULL.
static struct feed *made_of(const char *const *words)
{
    struct feed *feed = open_feed();

    for (; words[0]; words += 2) {
        set(feed, words[0], words[1]);
    }
    return feed;
}

static void contradictions_of_two_keys_each(void **state)
{
    static const struct {
        const char *words[12];
        const char *part;
    } cases[] = {
        {{"id", "i", "mode", "deletions", "deletes", "x", "dim.d", "c"}, "a dimension makes no"},
        {{"id", "i", "mode", "deletions", "deletes", "x", "rows", "per-victim"},
         "per-victim makes"},
        {{"id", "i", "date", "d", "year", "y"}, "not both"},
        {{"id", "i", "date", "d", "end_date", "e", "end_year", "y"}, "not both"},
        {{"id", "i", "date", "d", "month", "m"}, "a day needs a month"},
        {{"id", "i", "date", "d", "end_day", "m"}, "a day needs a month"},
        {{"id", "i", "date", "d", "end_month", "m"}, "a day needs a month"},
        {{"id", "i", "days", "d"}, "date = COLUMN"},
        {{"id", "i", "date", "d", "dim.n", "a", "measure.n", "b"}, "a dimension and a measure"},
        {{"id", "i", "date", "d", "kind", "claims", "measure.other", "v"}, "needs measure.value"},
        {{"id", "i", "date", "d", "kind", "claims", "measure.value", "v", "measure.b", "w"},
         "and no other"},
        {{"id", "i", "date", "d", "kind", "claims", "rows", "per-victim"}, "per-incident"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_refuses(made_of(cases[i].words), cases[i].part);
    }
}

static void later_values_replace_and_empty_ones_take_back(void **state)
{
    struct feed *feed = open_feed();
    struct tally_err err;

    (void)state;
    set(feed, "id", "a");
    set(feed, "date", "date");
    set(feed, "dim.country", "x");
    set(feed, "dim.admin1", "y");
    set(feed, "measure.killed", "dead");
    set(feed, "dim.country", "");
    set(feed, "measure.killed", "");
    set(feed, "measure.wounded", "hurt where sort in a, b");
    assert_true(feed_check(feed, &err));
    assert_int_equal(feed_shape(feed)->dims_count, 1);
    assert_string_equal(feed_shape(feed)->dims[0], "admin1");
    assert_int_equal(feed_shape(feed)->measures_count, 1);
    assert_string_equal(feed_shape(feed)->feed, "attacks");
    assert_string_equal(feed_target(feed), "attacks");
    assert_int_equal(feed_scope_dim(feed), -1);
    feed_close(feed);
}

static void globs_claim_names_with_or_without_compression(void **state)
{
    struct feed *feed = open_feed();

    (void)state;
    assert_false(feed_claims_file(feed, "any.csv"));
    set(feed, "files", "moi-*.csv \"with blank*.txt\"");
    assert_true(feed_claims_file(feed, "moi-2020.csv"));
    assert_true(feed_claims_file(feed, "moi-2020.csv.gz"));
    assert_true(feed_claims_file(feed, "moi-2020.csv.zst"));
    assert_true(feed_claims_file(feed, "with blank 2.txt"));
    set(feed, "files", "donn?es-[0-9]*");
    assert_true(feed_claims_file(feed, "donn\xc3\xa9"
                                       "es-2020.csv.gz"));
    assert_false(feed_claims_file(feed, "donn\xc3\xa9"
                                        "es-x.csv"));
    set(feed, "files", "moi-*.csv");
    assert_false(feed_claims_file(feed, "moi-2020.csv.bz2"));
    assert_false(feed_claims_file(feed, "x-moi-2020.csv"));
    feed_close(feed);
}

static void every_key_has_help(void **state)
{
    (void)state;
    assert_true(feed_keys_count() > 30);
    for (size_t i = 0; i < feed_keys_count(); i++) {
        struct feed_key_help help = feed_key_at(i);
        assert_true(strlen(help.name) > 0 && strlen(help.value) > 0);
        assert_true(strlen(help.fallback) > 0 && strlen(help.help) > 10);
    }
}

static void reads_alike(const char *key, const char *value, bool want)
{
    struct feed *plain = say("id", "number");
    struct feed *other = say(key, value);

    assert_int_equal(feed_reads_alike(plain, other), want);
    assert_int_equal(feed_reads_alike(other, plain), want);
    feed_close(plain);
    feed_close(other);
}

static void feeds_read_alike_where_no_key_about_content_differs(void **state)
{
    (void)state;
    reads_alike("id", "number", true);
    reads_alike("id", " number", true);
    reads_alike("files", "*.csv", true);
    reads_alike("reject_max", "5", true);
    reads_alike("revision", "", true); // taken back before it was said
    reads_alike("id", "code", false);
    reads_alike("dim.place", "Place", false);
    reads_alike("measure.killed", "", false);
    reads_alike("mode", "snapshot", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_out_of_bounds_say_what_would_be_right),
        cmocka_unit_test(quotes_keep_separators_and_words),
        cmocka_unit_test(contradictions_are_found_at_the_end),
        cmocka_unit_test(contradictions_of_two_keys_each),
        cmocka_unit_test(every_key_is_taken_back_by_an_empty_value),
        cmocka_unit_test(no_more_dimensions_or_measures_than_a_shape_holds),
        cmocka_unit_test(mapping_files_say_what_is_wrong_with_them),
        cmocka_unit_test(feeds_read_alike_by_the_content_of_their_mapping_files),
        cmocka_unit_test(later_values_replace_and_empty_ones_take_back),
        cmocka_unit_test(globs_claim_names_with_or_without_compression),
        cmocka_unit_test(every_key_has_help),
        cmocka_unit_test(formats_that_take_day_and_month_in_both_orders_are_known),
        cmocka_unit_test(feeds_read_alike_where_no_key_about_content_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
