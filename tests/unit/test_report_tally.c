#include "report/tally.h"

#include "base/disk.h"
#include "tests/unit/one_core.h"
#include "tests/unit/report_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

// A rollup file and what is opened of it.
struct desk {
    char path[64];
    struct tally_rollup *rollup;
    struct tally_err err;
};

static void open_desk(struct desk *desk, const struct fixture_incident *incidents, size_t count)
{
    struct fixture fixture;
    size_t bytes;

    *desk = (struct desk){.path = "/tmp/tally-test-XXXXXX"};
    fixture_open(&fixture);
    for (size_t i = 0; i < count; i++) {
        fixture_put(&fixture, &incidents[i]);
    }
    unsigned char *data = fixture_encode(&fixture, &bytes);
    int fd = mkstemp(desk->path);
    assert_true(fd >= 0);
    assert_true(disk_write_at(fd, data, bytes, 0, &desk->err));
    disk_close(fd);
    free(data);
    fixture_close(&fixture);
    desk->rollup = tally_open(desk->path, &desk->err);
    assert_non_null(desk->rollup);
}

static void close_desk(struct desk *desk)
{
    tally_close(desk->rollup);
    assert_true(disk_unlink(AT_FDCWD, desk->path, &desk->err));
}

static const struct fixture_incident some[] = {
    {0, "a", 100, 100, "Chad", "army", 3, FIXTURE_UNKNOWN, 1},
    {0, "b", 101, 140, "Chad", "army", 4, 10, 1},
    {0, "c", 101, 101, "Mali", "mob", FIXTURE_UNKNOWN, FIXTURE_UNKNOWN, 1},
    {1, "a", 130, 130, "Chad", "army", 5, 0, 1},
};
enum { SOME = sizeof some / sizeof some[0] };

static void a_rollup_describes_itself(void **state)
{
    char digest[TALLY_DIGEST_BYTES];
    struct desk desk;

    (void)state;
    open_desk(&desk, some, SOME);
    const struct tally_rollup *rollup = desk.rollup;
    assert_string_equal(tally_name(rollup), "harm");
    assert_int_equal(tally_generation(rollup), 1);
    assert_int_equal(strlen(tally_digest(rollup, digest)), 32);
    assert_int_equal(tally_feeds(rollup), 2);
    assert_string_equal(tally_feed(rollup, 1), "ucdp");
    assert_true(tally_feed_has(rollup, 0, 1));
    assert_false(tally_feed_has(rollup, 1, 1));
    assert_int_equal(tally_coverage(rollup, 0).last_day, 140);
    assert_int_equal(tally_dims(rollup), 3);
    assert_string_equal(tally_dim(rollup, 1), "actor");
    assert_int_equal(tally_find_dim(rollup, "nothing"), -1);
    assert_int_equal(tally_find_measure(rollup, "wounded"), 1);
    assert_int_equal(tally_windows(rollup), 1);
    assert_int_equal(tally_window_days(rollup, 0), 50);
    assert_int_equal(tally_first_day(rollup), 100);
    assert_int_equal(tally_last_day(rollup), 140);
    assert_true(tally_verify(rollup, &desk.err));
    close_desk(&desk);
}

static void a_group_is_found_by_its_texts(void **state)
{
    static const char *const there[] = {"Chad", "army", "ucdp"};
    static const char *const absent[] = {"Chad", "mob", "ucdp"};
    struct tally_sum sums[TALLY_MEASURES_MAX];
    uint64_t incidents;
    struct desk desk;

    (void)state;
    open_desk(&desk, some, SOME);
    assert_int_equal(tally_groups(desk.rollup), 3);
    assert_int_equal(tally_find_group(desk.rollup, absent), -1);
    int64_t group = tally_find_group(desk.rollup, there);
    assert_int_equal(group, 1);
    assert_true(tally_window(desk.rollup, (size_t)group, TALLY_START, 81, 130, &incidents, sums,
                             &desk.err));
    assert_int_equal(incidents, 1);
    assert_int_equal(sums[0].sum, 5);
    assert_int_equal(sums[0].reported, 1);
    assert_int_equal(sums[0].state, TALLY_KNOWN);
    assert_int_equal(sums[1].reported, 0);
    assert_false(tally_window(desk.rollup, 0, TALLY_START, 2, 1, &incidents, sums, &desk.err));
    assert_int_equal(desk.err.code, TALLY_INVALID);
    close_desk(&desk);
}

static void texts_are_copied_as_by_snprintf(void **state)
{
    struct desk desk;
    char text[8] = "xxxxxxx";

    (void)state;
    open_desk(&desk, some, SOME);
    assert_int_equal(tally_text(desk.rollup, 1, 2, text, sizeof text), 4);
    assert_string_equal(text, "ucdp");
    assert_int_equal(tally_text(desk.rollup, 1, 2, text, 3), 4);
    assert_string_equal(text, "uc");
    assert_int_equal(tally_text(desk.rollup, 1, 2, text, 1), 4);
    assert_string_equal(text, "");
    assert_int_equal(tally_text(desk.rollup, 1, 2, NULL, 0), 4);
    close_desk(&desk);
}

static void absent_is_not_unknown_and_unknown_is_not_zero(void **state)
{
    struct tally_sum sums[TALLY_MEASURES_MAX];
    uint64_t incidents;
    struct desk desk;

    (void)state;
    open_desk(&desk, some, SOME);
    // Chad, army, acled on day 100: wounded not given. On 101: 10. On 102: nothing happened.
    assert_true(tally_window(desk.rollup, 0, TALLY_START, 100, 100, &incidents, sums, &desk.err));
    assert_int_equal(sums[1].state, TALLY_UNKNOWN);
    assert_true(tally_window(desk.rollup, 0, TALLY_START, 101, 101, &incidents, sums, &desk.err));
    assert_int_equal(sums[1].state, TALLY_KNOWN);
    assert_true(tally_window(desk.rollup, 0, TALLY_START, 102, 102, &incidents, sums, &desk.err));
    assert_int_equal(incidents, 0);
    assert_int_equal(sums[1].state, TALLY_UNKNOWN);
    // ucdp has no such column.
    assert_true(tally_window(desk.rollup, 1, TALLY_START, 130, 130, &incidents, sums, &desk.err));
    assert_int_equal(sums[0].state, TALLY_KNOWN);
    assert_int_equal(sums[1].state, TALLY_ABSENT);
    close_desk(&desk);
}

static struct tally_selection *select_by(struct desk *desk, const char *by, const char *where)
{
    struct tally_selection *selection =
        tally_selection_open(desk->rollup, &by, by != NULL, &where, where != NULL, &desk->err);

    if (!selection) {
        fail_msg("%s", desk->err.message);
    }
    return selection;
}

static void matching_groups_add_up_to_a_total(void **state)
{
    static const struct {
        const char *where;
        enum tally_basis basis;
        int32_t first_day, last_day;
        uint64_t incidents;
        int64_t killed;
        uint64_t reported;
    } cases[] = {
        {NULL, TALLY_START, 100, 101, 3, 7, 2},
        {"country=Chad", TALLY_INSIDE, 100, 130, 2, 8, 2},
        {"country=Chad,Mali", TALLY_OVERLAP, 120, 120, 1, 4, 1},
        {"country=!Chad", TALLY_END, 0, 1000, 1, 0, 0},
        {"country=Peru", TALLY_OVERLAP, 0, 1000, 0, 0, 0},
    };
    struct desk desk;

    (void)state;
    open_desk(&desk, some, SOME);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tally_selection *total = select_by(&desk, NULL, cases[i].where);
        struct tally_sum sums[TALLY_MEASURES_MAX];
        uint64_t incidents;
        assert_int_equal(tally_selection_rows(total), 1);
        assert_true(tally_selection_window(total, 0, cases[i].basis, cases[i].first_day,
                                           cases[i].last_day, &incidents, sums, &desk.err));
        assert_int_equal(incidents, cases[i].incidents);
        assert_int_equal(sums[0].sum, cases[i].killed);
        assert_int_equal(sums[0].reported, cases[i].reported);
        tally_selection_close(total);
    }
    close_desk(&desk);
}

static void rows_are_sorted_and_say_what_is_absent(void **state)
{
    struct tally_sum sums[TALLY_MEASURES_MAX];
    uint64_t incidents;
    struct desk desk;
    char text[16];
    size_t count;

    (void)state;
    open_desk(&desk, some, SOME);
    struct tally_selection *feeds = select_by(&desk, "feed", NULL);
    assert_int_equal(tally_selection_rows(feeds), 2);
    assert_int_equal(tally_selection_text(feeds, 1, 0, text, sizeof text), 4);
    assert_string_equal(text, "ucdp");
    assert_true(tally_selection_window(feeds, 0, TALLY_START, 0, 500, &incidents, sums, &desk.err));
    assert_int_equal(incidents, 3);
    assert_int_equal(sums[1].state, TALLY_KNOWN);
    assert_true(tally_selection_window(feeds, 1, TALLY_START, 0, 500, &incidents, sums, &desk.err));
    assert_int_equal(incidents, 1);
    assert_int_equal(sums[1].state, TALLY_ABSENT);
    tally_selection_close(feeds);

    struct tally_selection *ucdp = select_by(&desk, "country", "feed=ucdp");
    assert_int_equal(tally_selection_rows(ucdp), 1);
    const size_t *group = tally_selection_groups(ucdp, 0, &count);
    assert_int_equal(count, 1);
    assert_int_equal(group[0], 1); // of (Chad, army, acled) (Chad, army, ucdp) (Mali, mob, acled)
    assert_true(tally_selection_has_feed(ucdp, 1));
    assert_false(tally_selection_has_feed(ucdp, 0));
    assert_true(tally_selection_window(ucdp, 0, TALLY_START, 0, 500, &incidents, sums, &desk.err));
    assert_int_equal(sums[1].state, TALLY_ABSENT);
    tally_selection_close(ucdp);
    close_desk(&desk);
}

static void all_windows_at_once_are_those_of_each_row(void **state)
{
    enum { ROWS_MAX = 8 };
    struct desk desk;

    (void)state;
    open_desk(&desk, some, SOME);
    struct tally_selection *feeds = select_by(&desk, "feed", NULL);
    size_t measures = tally_measures(desk.rollup);
    assert_in_range(tally_selection_rows(feeds), 2, ROWS_MAX);
    for (int basis = TALLY_START; basis <= TALLY_INSIDE; basis++) {
        struct tally_sum all[ROWS_MAX * TALLY_MEASURES_MAX];
        uint64_t incidents[ROWS_MAX];
        uint64_t only[ROWS_MAX];
        assert_true(tally_selection_windows(feeds, (enum tally_basis)basis, 90, 150, incidents, all,
                                            &desk.err));
        assert_true(tally_selection_windows(feeds, (enum tally_basis)basis, 90, 150, only, NULL,
                                            &desk.err));
        for (size_t row = 0; row < tally_selection_rows(feeds); row++) {
            struct tally_sum want[TALLY_MEASURES_MAX];
            uint64_t want_incidents;
            assert_true(tally_selection_window(feeds, row, (enum tally_basis)basis, 90, 150,
                                               &want_incidents, want, &desk.err));
            assert_int_equal(incidents[row], want_incidents);
            assert_int_equal(only[row], want_incidents);
            for (size_t m = 0; m < measures; m++) {
                const struct tally_sum *have = &all[row * measures + m];
                assert_int_equal(have->sum, want[m].sum);
                assert_int_equal(have->reported, want[m].reported);
                assert_int_equal(have->state, want[m].state);
            }
        }
    }
    uint64_t none;
    assert_false(tally_selection_windows(feeds, TALLY_START, 2, 1, &none, NULL, &desk.err));
    assert_int_equal(desk.err.code, TALLY_INVALID);
    tally_selection_close(feeds);
    close_desk(&desk);
}

// As many groups as are shared out among the cores.
static void all_windows_are_the_same_on_any_number_of_cores(void **state)
{
    enum { GROUPS = 9000, ACTOR_BYTES = 8 };
    static char actor[GROUPS][ACTOR_BYTES];
    static struct fixture_incident incidents[GROUPS];
    static struct tally_sum sums[2][GROUPS * 2];
    static uint64_t counts[2][GROUPS];
    static const char *const by[] = {"actor"};
    struct desk desk;

    (void)state;
    for (int i = 0; i < GROUPS; i++) {
        snprintf(actor[i], sizeof actor[i], "a%d", i);
        incidents[i] = (struct fixture_incident){
            0, actor[i], 100, 100 + i % 2, "Chad", actor[i], i, FIXTURE_UNKNOWN, 1};
    }
    open_desk(&desk, incidents, GROUPS);
    struct tally_selection *actors = select_by(&desk, by[0], NULL);
    assert_int_equal(tally_selection_rows(actors), GROUPS);
    assert_int_equal(tally_measures(desk.rollup), 2);
    assert_true(
        tally_selection_windows(actors, TALLY_START, 0, 200, counts[0], sums[0], &desk.err));
    cpu_set_t all = use_one_core();
    assert_true(
        tally_selection_windows(actors, TALLY_START, 0, 200, counts[1], sums[1], &desk.err));
    use_cores(all);
    int64_t killed = 0;
    for (int row = 0; row < GROUPS; row++) {
        assert_int_equal(counts[0][row], 1);
        assert_int_equal(counts[1][row], 1);
        assert_int_equal(sums[0][row * 2].sum, sums[1][row * 2].sum);
        assert_int_equal(sums[0][row * 2].reported, sums[1][row * 2].reported);
        assert_int_equal(sums[0][row * 2 + 1].state, sums[1][row * 2 + 1].state);
        killed += sums[0][row * 2].sum;
    }
    assert_int_equal(killed, (int64_t)GROUPS * (GROUPS - 1) / 2);
    tally_selection_close(actors);
    close_desk(&desk);
}

static void refuses(struct desk *desk, const char *by, const char *where, const char *message)
{
    assert_null(
        tally_selection_open(desk->rollup, &by, by != NULL, &where, where != NULL, &desk->err));
    assert_int_equal(desk->err.code, TALLY_INVALID);
    assert_string_equal(desk->err.message, message);
}

static void what_makes_no_selection_is_refused(void **state)
{
    static const char *const twice[] = {"actor", "actor"};
    struct desk desk;

    (void)state;
    open_desk(&desk, some, SOME);
    refuses(&desk, "province", NULL,
            "no dimension 'province' in rollup harm; it has country, actor, feed");
    refuses(&desk, NULL, "province=Kabul",
            "no dimension 'province' in rollup harm; it has country, actor, feed");
    refuses(&desk, NULL, "Chad", "condition 'Chad': write DIM=VALUE");
    assert_null(tally_selection_open(desk.rollup, twice, 2, NULL, 0, &desk.err));
    assert_string_equal(desk.err.message, "dimension 'actor' is named twice");
    close_desk(&desk);
}

// A condition made of a text finds the group that has it and no other.
static void a_condition_is_for_exactly_its_text(void **state)
{
    static const char *const texts[] = {
        "",   "a",  "a,b", "a, b",  "\"a\", b", "!a",       "*", "a*",  "a?",   "a\\", "\\a",
        " a", "a ", "\ta", "\"a\"", "a\\,b",    "!\"a\",*", "é", "a=b", "a; b", "\\*"};
    enum { TEXTS = sizeof texts / sizeof texts[0] };
    struct fixture_incident incidents[TEXTS];
    struct desk desk;

    (void)state;
    for (size_t i = 0; i < TEXTS; i++) {
        incidents[i] = (struct fixture_incident){0, texts[i], 1, 1, texts[i], "x", 1, 1, 1};
    }
    incidents[0].id = "none";
    open_desk(&desk, incidents, TEXTS);
    for (size_t i = 0; i < TEXTS; i++) {
        char condition[64];
        char text[16];
        size_t bytes = tally_condition("country", texts[i], condition, sizeof condition);
        assert_int_equal(bytes, strlen(condition));
        struct tally_selection *found = select_by(&desk, "country", condition);
        assert_int_equal(tally_selection_rows(found), 1);
        tally_selection_text(found, 0, 0, text, sizeof text);
        assert_string_equal(text, texts[i]);
        tally_selection_close(found);
        assert_int_equal(tally_condition("country", texts[i], condition, 3), bytes);
        assert_string_equal(condition, "co");
    }
    close_desk(&desk);
}

static void a_series_gives_the_windows_one_by_one(void **state)
{
    struct desk desk;

    (void)state;
    open_desk(&desk, some, SOME);
    struct tally_selection *countries = select_by(&desk, "country", NULL);
    for (int basis = TALLY_START; basis <= TALLY_INSIDE; basis++) {
        for (size_t row = 0; row < tally_selection_rows(countries); row++) {
            struct tally_series *series =
                tally_series_open(countries, row, (enum tally_basis)basis, 30, 90, 180, &desk.err);
            assert_non_null(series);
            for (int32_t day = 90; day <= 180; day++) {
                struct tally_sum want[TALLY_MEASURES_MAX] = {{0}};
                struct tally_sum sums[TALLY_MEASURES_MAX] = {{0}};
                uint64_t incidents;
                uint64_t in_series;
                assert_true(tally_selection_window(countries, row, (enum tally_basis)basis,
                                                   day - 29, day, &incidents, want, &desk.err));
                assert_true(tally_series_window(series, day, &in_series, sums, &desk.err));
                assert_int_equal(in_series, incidents);
                for (size_t m = 0; m < tally_measures(desk.rollup); m++) {
                    assert_int_equal(sums[m].sum, want[m].sum);
                    assert_int_equal(sums[m].reported, want[m].reported);
                    assert_int_equal(sums[m].state, want[m].state);
                }
            }
            tally_series_close(series);
        }
    }
    assert_null(tally_series_open(countries, 0, TALLY_START, 0, 1, 1, &desk.err));
    assert_null(tally_series_open(countries, 0, TALLY_START, 1, 2, 1, &desk.err));
    assert_null(tally_series_open(countries, 0, TALLY_START, 1, INT32_MIN, INT32_MAX, &desk.err));
    assert_int_equal(desk.err.code, TALLY_INVALID);
    tally_selection_close(countries);
    close_desk(&desk);
}

static void a_sum_past_64_bits_is_an_error(void **state)
{
    static const struct fixture_incident huge[] = {
        {0, "a", 1, 1, "Chad", "army", INT64_MAX, 1, 1},
        {0, "b", 2, 2, "Chad", "army", 1, 1, 1},
    };
    struct tally_sum sums[TALLY_MEASURES_MAX] = {{.sum = 77}};
    uint64_t incidents = 99;
    struct desk desk;

    (void)state;
    open_desk(&desk, huge, 2);
    assert_false(tally_window(desk.rollup, 0, TALLY_START, 1, 2, &incidents, sums, &desk.err));
    assert_int_equal(desk.err.code, TALLY_OVERFLOW);
    assert_int_equal(incidents, 99);
    assert_int_equal(sums[0].sum, 77);
    assert_true(tally_window(desk.rollup, 0, TALLY_START, 1, 1, &incidents, sums, &desk.err));
    assert_true(sums[0].sum == INT64_MAX);
    close_desk(&desk);
}

static void entries_are_walked_by_day(void **state)
{
    struct tally_sum sums[TALLY_MEASURES_MAX];
    struct tally_entry entry;
    struct desk desk;

    (void)state;
    open_desk(&desk, some, SOME);
    struct tally_entries *cells = tally_entries_open(desk.rollup, 0, TALLY_CELLS, &desk.err);
    assert_true(tally_entries_next(cells, &entry, sums, &desk.err));
    assert_int_equal(entry.first_day, 100);
    assert_int_equal(sums[1].state, TALLY_UNKNOWN);
    assert_true(tally_entries_next(cells, &entry, sums, &desk.err));
    assert_int_equal(entry.first_day, 101);
    assert_int_equal(entry.last_day, 101);
    assert_int_equal(entry.incidents, 1);
    assert_int_equal(sums[1].sum, 10);
    assert_false(tally_entries_next(cells, &entry, sums, &desk.err));
    assert_int_equal(desk.err.code, TALLY_OK);
    assert_false(tally_entries_next(cells, &entry, NULL, &desk.err));
    tally_entries_close(cells);

    struct tally_entries *spans = tally_entries_open(desk.rollup, 0, TALLY_SPANS, &desk.err);
    assert_true(tally_entries_next(spans, &entry, sums, &desk.err));
    assert_int_equal(entry.first_day, 101);
    assert_int_equal(entry.last_day, 140);
    assert_int_equal(sums[0].sum, 4);
    assert_false(tally_entries_next(spans, &entry, sums, &desk.err));
    tally_entries_close(spans);
    close_desk(&desk);
}

static void an_entry_past_64_bits_is_passed_by(void **state)
{
    static const struct fixture_incident huge[] = {
        {0, "a", 1, 1, "Chad", "army", INT64_MAX, 1, 1},
        {0, "b", 1, 1, "Chad", "army", INT64_MAX, 1, 1},
        {0, "c", 2, 2, "Chad", "army", 3, 1, 1},
    };
    struct tally_sum sums[TALLY_MEASURES_MAX];
    struct tally_entry entry = {.incidents = 99};
    struct desk desk;

    (void)state;
    open_desk(&desk, huge, 3);
    struct tally_entries *cells = tally_entries_open(desk.rollup, 0, TALLY_CELLS, &desk.err);
    assert_false(tally_entries_next(cells, &entry, sums, &desk.err));
    assert_int_equal(desk.err.code, TALLY_OVERFLOW);
    assert_int_equal(entry.incidents, 99);
    assert_true(tally_entries_next(cells, &entry, sums, &desk.err));
    assert_int_equal(sums[0].sum, 3);
    tally_entries_close(cells);
    close_desk(&desk);
}

static void windows_end_where_the_data_does(void **state)
{
    int32_t day = 7;
    struct desk desk;

    (void)state;
    open_desk(&desk, some, SOME);
    assert_true(tally_end_day(desk.rollup, &day, &desk.err));
    assert_int_equal(day, 140);
    close_desk(&desk);
    open_desk(&desk, NULL, 0);
    assert_false(tally_end_day(desk.rollup, &day, &desk.err));
    assert_int_equal(desk.err.code, TALLY_NOT_FOUND);
    assert_int_equal(day, 140);
    close_desk(&desk);
}

static void a_file_that_is_replaced_keeps_its_content(void **state)
{
    static const struct fixture_incident other[] = {
        {0, "z", 100, 100, "Peru", "navy", 9, 9, 1},
    };
    struct tally_sum sums[TALLY_MEASURES_MAX];
    uint64_t incidents;
    struct desk old;
    struct desk new;

    (void)state;
    open_desk(&old, some, SOME);
    open_desk(&new, other, 1);
    assert_true(disk_rename(AT_FDCWD, new.path, AT_FDCWD, old.path, &old.err));
    struct tally_selection *total = select_by(&old, NULL, NULL);
    assert_true(tally_selection_window(total, 0, TALLY_START, 0, 500, &incidents, sums, &old.err));
    assert_int_equal(incidents, 4);
    assert_true(tally_verify(old.rollup, &old.err));
    tally_selection_close(total);
    tally_close(new.rollup);
    new.rollup = tally_open(old.path, &new.err);
    assert_int_equal(tally_groups(new.rollup), 1);
    tally_close(new.rollup);
    close_desk(&old);
}

enum { THREADS = 4, ROUNDS = 200 };

struct reader {
    const struct tally_rollup *rollup;
    const struct tally_selection *selection;
    bool right;
};

static void *read_all(void *context)
{
    struct reader *reader = context;
    struct tally_err err;

    reader->right = true;
    for (int round = 0; round < ROUNDS; round++) {
        struct tally_sum sums[TALLY_MEASURES_MAX];
        uint64_t incidents = 0;
        uint64_t added = 0;
        for (size_t group = 0; group < tally_groups(reader->rollup); group++) {
            reader->right &=
                tally_window(reader->rollup, group, TALLY_OVERLAP, 0, 500, &incidents, sums, &err);
            added += incidents;
        }
        reader->right &= tally_selection_window(reader->selection, 0, TALLY_OVERLAP, 0, 500,
                                                &incidents, sums, &err);
        reader->right &= incidents == SOME && added == SOME && sums[0].sum == 12;
        reader->right &= tally_verify(reader->rollup, &err);
    }
    return NULL;
}

static void threads_read_one_rollup(void **state)
{
    struct reader reader[THREADS];
    pthread_t thread[THREADS];
    struct desk desk;

    (void)state;
    open_desk(&desk, some, SOME);
    struct tally_selection *total = select_by(&desk, NULL, NULL);
    for (size_t i = 0; i < THREADS; i++) {
        reader[i] = (struct reader){.rollup = desk.rollup, .selection = total};
        assert_int_equal(pthread_create(&thread[i], NULL, read_all, &reader[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_true(reader[i].right);
    }
    tally_selection_close(total);
    close_desk(&desk);
}

static void what_is_no_rollup_is_refused(void **state)
{
    struct tally_err err;

    (void)state;
    assert_null(tally_open("/nonexistent/x.rollup", &err));
    assert_int_equal(err.code, TALLY_NOT_FOUND);
    assert_null(tally_open("/dev/null", &err));
    assert_int_equal(err.code, TALLY_INVALID);
    tally_close(NULL);
}

static void days_are_parsed_strictly(void **state)
{
    char text[TALLY_DAY_BYTES];
    int32_t day = 5;

    (void)state;
    assert_true(tally_day_parse("2020-02-29", &day));
    assert_string_equal(tally_day_format(day, text), "2020-02-29");
    assert_false(tally_day_parse("2021-02-29", &day));
    assert_false(tally_day_parse("2020-2-9", &day));
    assert_string_equal(tally_day_format(tally_day_year_ago(day), text), "2019-02-28");
}

static void bases_have_names(void **state)
{
    enum tally_basis basis = TALLY_START;

    (void)state;
    for (int i = TALLY_START; i <= TALLY_INSIDE; i++) {
        assert_true(tally_basis_parse(tally_basis_name((enum tally_basis)i), &basis));
        assert_int_equal(basis, i);
    }
    assert_false(tally_basis_parse("outside", &basis));
    assert_int_equal(basis, TALLY_INSIDE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rollup_describes_itself),
        cmocka_unit_test(a_group_is_found_by_its_texts),
        cmocka_unit_test(texts_are_copied_as_by_snprintf),
        cmocka_unit_test(absent_is_not_unknown_and_unknown_is_not_zero),
        cmocka_unit_test(matching_groups_add_up_to_a_total),
        cmocka_unit_test(rows_are_sorted_and_say_what_is_absent),
        cmocka_unit_test(all_windows_at_once_are_those_of_each_row),
        cmocka_unit_test(all_windows_are_the_same_on_any_number_of_cores),
        cmocka_unit_test(what_makes_no_selection_is_refused),
        cmocka_unit_test(a_condition_is_for_exactly_its_text),
        cmocka_unit_test(a_series_gives_the_windows_one_by_one),
        cmocka_unit_test(a_sum_past_64_bits_is_an_error),
        cmocka_unit_test(entries_are_walked_by_day),
        cmocka_unit_test(an_entry_past_64_bits_is_passed_by),
        cmocka_unit_test(windows_end_where_the_data_does),
        cmocka_unit_test(a_file_that_is_replaced_keeps_its_content),
        cmocka_unit_test(threads_read_one_rollup),
        cmocka_unit_test(what_is_no_rollup_is_refused),
        cmocka_unit_test(days_are_parsed_strictly),
        cmocka_unit_test(bases_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
