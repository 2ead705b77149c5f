// Configuration files: what they mean, and every mistake with its file and line.
#include "daemon/config.h"

#include "base/disk.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define CONFIG_TEST(test) cmocka_unit_test_setup_teardown(test, open_room, close_room)

// A feed that is right: lines 1 to 7.
#define GOOD_FEED                                                                                  \
    "[feed attacks]\n"                                                                             \
    "id = no\n"                                                                                    \
    "date = date\n"                                                                                \
    "dim.province = Province\n"                                                                    \
    "dim.target = Target\n"                                                                        \
    "measure.killed = Killed\n"                                                                    \
    "\n"

enum { MISTAKES_MAX = 32 };

struct room {
    char dir[40];
    struct config config;
    struct tally_err mistake[MISTAKES_MAX];
    size_t mistakes;
    bool loaded;
};

static void write_file(struct room *room, const char *name, const char *content)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", room->dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static int open_room(void **state)
{
    struct room *room = calloc(1, sizeof *room);
    char path[64];

    assert_non_null(room);
    snprintf(room->dir, sizeof room->dir, "/tmp/tally-test-XXXXXX");
    assert_non_null(mkdtemp(room->dir));
    snprintf(path, sizeof path, "%s/presets", room->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/c.d", room->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    *state = room;
    return 0;
}

static void unload(struct room *room)
{
    if (room->loaded) {
        config_done(&room->config);
    }
    room->loaded = false;
    room->mistakes = 0;
}

static int close_room(void **state)
{
    struct room *room = *state;
    struct tally_err err;

    unload(room);
    assert_true(disk_remove_tree(AT_FDCWD, room->dir, &err));
    free(room);
    return 0;
}

static void on_mistake(void *context, const struct tally_err *mistake)
{
    struct room *room = context;

    assert_true(room->mistakes < MISTAKES_MAX);
    room->mistake[room->mistakes++] = *mistake;
}

static bool load(struct room *room, const char *content)
{
    char path[64];
    char presets[64];

    unload(room);
    write_file(room, "c", content);
    snprintf(path, sizeof path, "%s/c", room->dir);
    snprintf(presets, sizeof presets, "%s/presets", room->dir);
    room->loaded = true;
    bool ok = config_load(&room->config, path, presets, on_mistake, room);
    assert_true(ok == (room->mistakes == 0));
    return ok;
}

static void accepts(struct room *room, const char *content)
{
    if (!load(room, content)) {
        fail_msg("%s: %s", room->mistake[0].place, room->mistake[0].message);
    }
}

// `place`: the end of it, such as "/c:7".
static void tells(const struct room *room, const char *place, const char *words)
{
    for (size_t i = 0; i < room->mistakes; i++) {
        const char *at = room->mistake[i].place;
        size_t bytes = strlen(at);
        size_t want = strlen(place);
        if (bytes >= want && strcmp(at + bytes - want, place) == 0 &&
            strstr(room->mistake[i].message, words)) {
            return;
        }
    }
    fail_msg("no mistake at %s says '%s'; %zu were told, the first at %s: %s", place, words,
             room->mistakes, room->mistakes ? room->mistake[0].place : "",
             room->mistakes ? room->mistake[0].message : "");
}

static const struct rollup_def *rollup_named(const struct room *room, const char *name)
{
    for (size_t i = 0; i < room->config.defs_count; i++) {
        if (strcmp(room->config.defs[i].name, name) == 0) {
            return &room->config.defs[i];
        }
    }
    fail_msg("no rollup %s", name);
    return NULL;
}

// ---- what it means ------------------------------------------------------------------------

static void values_become_settings(void **state)
{
    struct room *room = *state;

    accepts(room, "[tallyd]\nstate = /srv/tally ; a comment\nscan_interval = 2min\n"
                  "settle = 1500 ms\nsegment_max = 1G\nrecords_max = 7\nfield_max = 64\n"
                  "parser = libcsv\n" GOOD_FEED
                  "[rollup harm]\nfeeds = attacks\nwhere.target = civilians, aid*\n"
                  "by = province\nmeasures = killed\nwindows = 7d 50 365d\n");
    assert_string_equal(room->config.state, "/srv/tally");
    assert_int_equal(room->config.scan_interval_ms, 120000);
    assert_int_equal(room->config.settle_ms, 1500);
    assert_int_equal(room->config.segment_bytes_max, 1 << 30);
    assert_int_equal(room->config.limits.records_max, 7);
    assert_int_equal(room->config.limits.field_bytes_max, 64);
    assert_int_equal(room->config.limits.parser, INGEST_LIBCSV);
    assert_int_equal(room->config.feeds_count, 1);
    const struct rollup_def *def = rollup_named(room, "harm");
    assert_int_equal(def->windows_count, 3);
    assert_int_equal(def->windows[1], 50);
    assert_string_equal(def->dims[0], "province");
    assert_int_equal(def->dims_count, 1); // one feed: no `feed`
    assert_true(filter_matches(&def->filters[0], "aid worker", 10));
    assert_int_equal(def->feeds[0].measures, 1);
}

static void empty_configuration_has_the_defaults(void **state)
{
    struct room *room = *state;

    accepts(room, "");
    assert_string_equal(room->config.state, "/var/lib/tallyd");
    assert_int_equal(room->config.scan_interval_ms, 5000);
    assert_int_equal(room->config.feeds_count, 0);
    assert_int_equal(room->config.defs_count, 0);
}

static void help_tells_every_default(void **state)
{
    struct room *room = *state;
    char content[4096] = "[tallyd]\n";

    for (size_t i = 0; i < config_keys_count(); i++) {
        struct config_key_help help = config_key_at(i);
        size_t used = strlen(content);
        assert_non_null(help.help);
        if (strcmp(help.section, "tallyd") == 0 && help.fallback) {
            snprintf(content + used, sizeof content - used, "%s = %s\n", help.name, help.fallback);
        }
    }
    accepts(room, content);
}

static void store_is_told_which_feeds_there_are(void **state)
{
    struct room *room = *state;

    accepts(room, "[store]\nengine = clickhouse\nhosts = a\ncluster = main\n"
                  "[feed gone]\nid = id\nmode = deletions\ndeletes = first\n"
                  "[feed first]\nid = id\ndate = day\n"
                  "[feed second]\nid = id\ndate = day\nrevision = version\n"
                  "[feed whole]\nid = id\ndate = day\nrevision = version\nmode = snapshot\n");
    assert_true(room->config.cluster.used);
    assert_string_equal(room->config.cluster.host[0], "a:8123");
    static const struct store_feed want[] = {{"first", false}, {"second", true}, {"whole", false}};
    assert_int_equal(room->config.store_feeds_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(room->config.store_feeds[i].name, want[i].name);
        assert_int_equal(room->config.store_feeds[i].by_revision, want[i].by_revision);
    }
}

static void drop_ins_override_in_order_of_name(void **state)
{
    struct room *room = *state;

    write_file(room, "c.d/20.conf", "[tallyd]\nstate = /second\n[rollup harm]\nby = target\n");
    write_file(room, "c.d/10.conf",
               "[tallyd]\nstate = /first\nsettle = 7s\n"
               "[feed attacks]\ndate = day\n");
    write_file(room, "c.d/30.txt", "this is read by nobody");
    write_file(room, "c.d/.40.conf", "nor is this");
    accepts(room, "[tallyd]\nstate = /main\nsettle = 1s\n" GOOD_FEED
                  "[rollup harm]\nfeeds = attacks\nby = province\nmeasures = killed\n");
    assert_string_equal(room->config.state, "/second");
    assert_int_equal(room->config.settle_ms, 7000);
    const struct rollup_def *def = rollup_named(room, "harm");
    assert_int_equal(def->dims_count, 1);
    assert_string_equal(def->dims[0], "target"); // replaced as a whole
}

static void mistake_of_a_drop_in_names_the_drop_in(void **state)
{
    struct room *room = *state;

    write_file(room, "c.d/10.conf", "[tallyd]\n\nsettle = soon\n");
    assert_false(load(room, "[tallyd]\nstate = /main\n"));
    tells(room, "/c.d/10.conf:3", "a time such as");
}

static void continued_lines_are_one_value(void **state)
{
    struct room *room = *state;

    accepts(room, GOOD_FEED "[rollup harm]\nfeeds = attacks\nby = province\n    target\n"
                            "windows = 7d\n  50d\n\t365d\n");
    const struct rollup_def *def = rollup_named(room, "harm");
    assert_int_equal(def->dims_count, 2);
    assert_int_equal(def->windows_count, 3);
}

static void comment_behind_a_continued_line_is_a_comment(void **state)
{
    struct room *room = *state;

    accepts(room, GOOD_FEED "[rollup harm]\nfeeds = attacks\nwindows = 7d ; a week\n"
                            "    50d ; seven of them\n");
    assert_int_equal(rollup_named(room, "harm")->windows_count, 2);
}

static void rollup_over_several_feeds_gets_the_feed(void **state)
{
    struct room *room = *state;

    accepts(room, GOOD_FEED "[feed other]\nid = id\ndate = date\ndim.province = p\n"
                            "measure.wounded = w\n"
                            "[rollup both]\nfeeds = attacks, other\nby = province\n"
                            "measures = killed wounded\n"
                            "[rollup named]\nfeeds = attacks other\nby = feed province\n"
                            "[rollup one]\nfeeds = other\nby =\nmeasures =\n");
    const struct rollup_def *both = rollup_named(room, "both");
    assert_int_equal(both->dims_count, 2);
    assert_string_equal(both->dims[1], "feed");
    assert_int_equal(both->feeds[0].measures, 1); // killed
    assert_int_equal(both->feeds[1].measures, 2); // wounded
    assert_int_equal(rollup_named(room, "named")->dims_count, 2);
    assert_int_equal(rollup_named(room, "one")->dims_count, 0);
    assert_int_equal(rollup_named(room, "one")->measures_count, 0);
}

// ---- presets ------------------------------------------------------------------------------

static void section_overrides_its_preset_wherever_the_line_stands(void **state)
{
    struct room *room = *state;

    write_file(room, "presets/base.conf",
               "[feed base]\nid = no\ndate = date\nmode = snapshot\ndim.x = x\n");
    accepts(room, "[feed mine]\nmode = upsert\ndim.y = y\npreset = base\n"
                  "[rollup r]\nfeeds = mine\nby = x y\n");
    assert_int_equal(feed_mode(room->config.feeds[0]), FEED_UPSERT);
    assert_int_equal(feed_shape(room->config.feeds[0])->dims_count, 2);
    assert_string_equal(feed_name(room->config.feeds[0]), "mine");
}

static void preset_may_have_a_preset(void **state)
{
    struct room *room = *state;

    write_file(room, "presets/a.conf", "[feed a]\npreset = b\nmode = snapshot\n");
    write_file(room, "presets/b.conf", "[feed b]\nid = no\ndate = date\nmode = upsert\n");
    accepts(room, "[feed mine]\npreset = a\n");
    assert_int_equal(feed_mode(room->config.feeds[0]), FEED_SNAPSHOT);
}

static void presets_in_a_circle_are_a_mistake(void **state)
{
    struct room *room = *state;

    write_file(room, "presets/a.conf", "[feed a]\npreset = b\n");
    write_file(room, "presets/b.conf", "[feed b]\npreset = a\n");
    assert_false(load(room, "[feed mine]\npreset = a\n"));
    tells(room, ":2", "circle");
}

static void mistake_in_a_preset_names_the_preset(void **state)
{
    struct room *room = *state;

    write_file(room, "presets/a.conf", "[feed a]\nid = no\nmode = sideways\n");
    assert_false(load(room, "[feed mine]\npreset = a\n"));
    tells(room, "/presets/a.conf:3", "mode");
    write_file(room, "presets/b.conf", "[feed b]\nid = no\nno equals sign\n");
    assert_false(load(room, "[feed mine]\npreset = b\n"));
    tells(room, "/presets/b.conf:3", "key = value");
}

static void preset_without_its_section_is_a_mistake(void **state)
{
    struct room *room = *state;

    write_file(room, "presets/a.conf", "[feed b]\nid = no\ndate = date\n");
    assert_false(load(room, "[feed mine]\npreset = a\nid = no\ndate = d\n"));
    tells(room, "/c:2", "a");
}

// ---- mistakes -----------------------------------------------------------------------------

static void each_mistake_has_its_line_and_says_what_is_wrong(void **state)
{
    static const struct {
        const char *content;
        const char *place;
        const char *words;
    } cases[] = {
        {"[tallyd]\nstat = /x\n", "/c:2", "no key 'stat'"},
        {"[tallyd]\nstate =\n", "/c:2", "needs a path"},
        {"[tallyd]\n\nsettle = 5 days\n", "/c:3", "a time such as"},
        {"[tallyd]\nsettle = -1s\n", "/c:2", "a time such as"},
        {"[tallyd]\nsettle = 2h\n", "/c:2", "allowed are 0 to 3600000"},
        {"[tallyd]\nsegment_max = 1\n", "/c:2", "allowed are 65536"},
        {"[tallyd]\nsegment_max = 1m\n", "/c:2", "a size such as 64M"},
        {"[tallyd]\nsegment_max = 99999999999999999999999\n", "/c:2", "allowed are"},
        {"[tallyd]\nsegment_max = 99999999999T\n", "/c:2", "segment_max"},
        {"[tallyd]\nparser = quick\n", "/c:2", "split or libcsv"},
        {"[tallyd]\nrecords_max = many\n", "/c:2", "a whole number"},
        {"[tallyd]\nstate = /a\nstate = /b\n", "/c:3", "stands twice"},
        {"state = /a\n", "/c:1", "[feed NAME]"},
        {"[tally]\nstate = /a\n", "/c:1", "[feed NAME]"},
        {"[feeds x]\nid = a\n", "/c:1", "[feed NAME]"},
        {"[tallyd]\nstate\n", "/c:2", "key = value"},
        {"[store]\nengine = mysql\n", "/c:2", "ledger or clickhouse"},
        {"[store]\n\nhost = a\n", "/c:3", "[store] has no key 'host'"},
        {"[store]\nengine = clickhouse\ncluster = c\n", "/c:1", "needs `hosts`"},
        {"[store]\nengine = clickhouse\nhosts = a a\ncluster = c\n", "/c:3", "stands twice"},
        {"[tallyd\nstate = /a\n", "/c:1", "key = value"},
        {"[feed x]\nid = a\nfoo = b\n", "/c:3", "foo"},
        {"[feed x]\nid = a\n", "/c:1", "date"},
        {"[feed x]\nid = a\ndate = b\nmode = always\n", "/c:4", "snapshot"},
        {"[feed x]\npreset = nothing\n", "/c:2", "no preset 'nothing'"},
        {"[feed x]\npreset = ../c\n", "/c:2", "no slash"},
        {"[feed ]\nid = a\ndate = b\n", "/c:1", "[feed NAME]"},
        {"[feed x]\nid = a\nmode = deletions\ndeletes = y\n", "/c:4", "no feed 'y'"},
        {GOOD_FEED "[rollup r]\nby = province\n", "/c:8", "needs `feeds"},
        {GOOD_FEED "[rollup r]\nfeeds = attack\n", "/c:9", "no feed 'attack'"},
        {GOOD_FEED "[rollup r]\nfeeds = attacks\nby = city\n", "/c:10", "province, target"},
        {GOOD_FEED "[rollup r]\nfeeds = attacks\nmeasures = dead\n", "/c:10", "are: killed"},
        {GOOD_FEED "[rollup r]\nfeeds = attacks\nwhere.city = x\n", "/c:10", "dimension 'city'"},
        {GOOD_FEED "[rollup r]\nfeeds = attacks\nwhere. = x\n", "/c:10", "no key 'where.'"},
        {GOOD_FEED "[rollup r]\nfeeds = attacks\nwhere.target = \"x\n", "/c:10", "open quote"},
        {GOOD_FEED "[rollup r]\nfeeds = attacks\nwindows = 50w\n", "/c:10", "such as 50d"},
        {GOOD_FEED "[rollup r]\nfeeds = attacks\nwindows = 0d\n", "/c:10", "1 to 36600"},
        {GOOD_FEED "[rollup r]\nfeeds = attacks\nwindows = 7d 7\n", "/c:10", "twice"},
        {GOOD_FEED "[rollup r]\nfeeds = attacks attacks\n", "/c:9", "twice"},
        {GOOD_FEED "[rollup r]\nfeeds = attacks\nevery = x\n", "/c:10", "no key 'every'"},
        {GOOD_FEED "[rollup ../r]\nfeeds = attacks\n", "/c:8", "name of a file"},
        {GOOD_FEED "[rollup .r]\nfeeds = attacks\n", "/c:8", "name of a file"},
    };
    struct room *room = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (load(room, cases[i].content)) {
            fail_msg("passes:\n%s", cases[i].content);
        }
        tells(room, cases[i].place, cases[i].words);
    }
}

static void several_mistakes_are_told_at_once(void **state)
{
    struct room *room = *state;

    assert_false(load(room, "[tallyd]\nstat = /x\nsettle = soon\n"                 // 2, 3
                            "[feed x]\nid = a\nfoo = b\nmode = sometimes\n"        // 6, 7
                            "[feed y]\nid = a\ndate = b\n"                         //
                            "[rollup r]\nfeeds = y z\nby = nothing\nwindows = x\n" // 14
                            "[rollup s]\nfeeds = y z\nby =\n[other]\nkey = x\n"    // 16, 18
                            "[rollup t]\nfeeds = y\nby = nothing\n"));             // 22
    tells(room, "/c:2", "stat");
    tells(room, "/c:3", "settle");
    tells(room, "/c:6", "foo");
    tells(room, "/c:7", "mode");
    tells(room, "/c:14", "window");
    tells(room, "/c:16", "'z'");
    tells(room, "/c:18", "other");
    tells(room, "/c:22", "'nothing'");
}

// All mistakes are told, each with its file and line, not only the first (config.h).
static void mistake_of_form_hides_no_other(void **state)
{
    struct room *room = *state;

    assert_false(load(room, "[tallyd]\nstate = /a\nstate = /b\nsettle = soon\n"));
    tells(room, "/c:3", "twice");
    tells(room, "/c:4", "settle");
}

static void section_without_lines_is_a_mistake(void **state)
{
    struct room *room = *state;

    assert_false(load(room, GOOD_FEED "[rollup r]\n[rollup s]\nfeeds = attacks\n"));
}

static void two_sections_of_one_name_are_one(void **state)
{
    struct room *room = *state;

    load(room, GOOD_FEED "[rollup r]\nfeeds = attacks\n[rollup  r]\nfeeds = attacks\n");
    assert_true(room->config.defs_count <= 1 || room->mistakes > 0); // they share one file
}

static void line_that_is_too_long_is_a_mistake_and_not_cut(void **state)
{
    struct room *room = *state;
    char content[600];

    for (int bytes = 150; bytes < 400; bytes += 10) {
        snprintf(content, sizeof content, "[tallyd]\nstate = /%0*d\n", bytes, 7);
        if (load(room, content)) {
            assert_int_equal(strlen(room->config.state), bytes + 1);
        } else {
            tells(room, "/c:2", "longer than");
        }
    }
}

static void missing_file_is_named(void **state)
{
    struct room *room = *state;

    room->loaded = true;
    assert_false(config_load(&room->config, "/nonexistent/tallyd.conf", "/p", on_mistake, room));
    assert_int_equal(room->mistakes, 1);
    assert_non_null(strstr(room->mistake[0].message, "/nonexistent/tallyd.conf"));
}

static void line_number_survives_a_long_path(void **state)
{
    struct room *room = *state;
    char path[256];
    char folder[121];

    memset(folder, 'd', sizeof folder - 1);
    folder[sizeof folder - 1] = '\0';
    snprintf(path, sizeof path, "%s/%s", room->dir, folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/%s/tallyd.conf", room->dir, folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("[tallyd]\nsettle = soon\n", file);
    fclose(file);
    room->loaded = true;
    assert_false(config_load(&room->config, path, "/p", on_mistake, room));
    tells(room, "tallyd.conf:2", "settle");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFIG_TEST(values_become_settings),
        CONFIG_TEST(empty_configuration_has_the_defaults),
        CONFIG_TEST(help_tells_every_default),
        CONFIG_TEST(store_is_told_which_feeds_there_are),
        CONFIG_TEST(drop_ins_override_in_order_of_name),
        CONFIG_TEST(mistake_of_a_drop_in_names_the_drop_in),
        CONFIG_TEST(continued_lines_are_one_value),
        CONFIG_TEST(comment_behind_a_continued_line_is_a_comment),
        CONFIG_TEST(rollup_over_several_feeds_gets_the_feed),
        CONFIG_TEST(section_overrides_its_preset_wherever_the_line_stands),
        CONFIG_TEST(preset_may_have_a_preset),
        CONFIG_TEST(presets_in_a_circle_are_a_mistake),
        CONFIG_TEST(mistake_in_a_preset_names_the_preset),
        CONFIG_TEST(preset_without_its_section_is_a_mistake),
        CONFIG_TEST(each_mistake_has_its_line_and_says_what_is_wrong),
        CONFIG_TEST(several_mistakes_are_told_at_once),
        CONFIG_TEST(mistake_of_form_hides_no_other),
        CONFIG_TEST(section_without_lines_is_a_mistake),
        CONFIG_TEST(two_sections_of_one_name_are_one),
        CONFIG_TEST(line_that_is_too_long_is_a_mistake_and_not_cut),
        CONFIG_TEST(missing_file_is_named),
        CONFIG_TEST(line_number_survives_a_long_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
