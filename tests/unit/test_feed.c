// The keys of a [feed NAME] section: what is taken and what is refused, with the reason.
#include "ingest/feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

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

static struct feed *say(const char *key, const char *value)
{
    struct feed *feed = open_feed();

    set(feed, "id", "number");
    set(feed, "measure.killed", "Killed");
    set(feed, key, value);
    return feed;
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
        cmocka_unit_test(contradictions_are_found_at_the_end),
        cmocka_unit_test(later_values_replace_and_empty_ones_take_back),
        cmocka_unit_test(globs_claim_names_with_or_without_compression),
        cmocka_unit_test(every_key_has_help),
        cmocka_unit_test(feeds_read_alike_where_no_key_about_content_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
