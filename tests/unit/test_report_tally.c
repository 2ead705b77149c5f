#include "report/tally.h"

#include "base/disk.h"
#include "tests/unit/report_fixture.h"

#include <fcntl.h>
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
    size_t bytes;

    (void)state;
    open_desk(&desk, some, SOME);
    assert_int_equal(tally_groups(desk.rollup), 3);
    assert_int_equal(tally_find_group(desk.rollup, absent), -1);
    int64_t group = tally_find_group(desk.rollup, there);
    assert_int_equal(group, 1);
    assert_memory_equal(tally_text(desk.rollup, 1, 2, &bytes), "ucdp", 4);
    assert_int_equal(bytes, 4);
    assert_true(tally_window(desk.rollup, (size_t)group, TALLY_START, 81, 130, &incidents, sums,
                             &desk.err));
    assert_int_equal(incidents, 1);
    assert_int_equal(sums[0].sum, 5);
    assert_int_equal(sums[0].reported, 1);
    assert_int_equal(sums[1].reported, 0);
    close_desk(&desk);
}

static void all_matching_groups_add_up(void **state)
{
    static const char *const chad[] = {"Chad", NULL, NULL};
    static const char *const peru[] = {"Peru", NULL, NULL};
    struct tally_sum sums[TALLY_MEASURES_MAX];
    uint64_t incidents;
    struct desk desk;

    (void)state;
    open_desk(&desk, some, SOME);
    assert_true(
        tally_window_all(desk.rollup, NULL, TALLY_START, 100, 101, &incidents, sums, &desk.err));
    assert_int_equal(incidents, 3);
    assert_int_equal(sums[0].sum, 7);
    assert_int_equal(sums[0].reported, 2);
    assert_int_equal(sums[1].sum, 10);
    assert_true(
        tally_window_all(desk.rollup, chad, TALLY_INSIDE, 100, 130, &incidents, NULL, &desk.err));
    assert_int_equal(incidents, 2);
    assert_true(
        tally_window_all(desk.rollup, peru, TALLY_OVERLAP, 0, 1000, &incidents, sums, &desk.err));
    assert_int_equal(incidents, 0);
    assert_int_equal(sums[0].reported, 0);
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

static void cells_are_walked_by_day(void **state)
{
    struct tally_sum sums[TALLY_MEASURES_MAX];
    uint64_t incidents;
    struct desk desk;
    int32_t day;

    (void)state;
    open_desk(&desk, some, SOME);
    assert_int_equal(tally_cells(desk.rollup, 0), 2);
    assert_true(tally_cell(desk.rollup, 0, 1, &day, &incidents, sums, &desk.err));
    assert_int_equal(day, 101);
    assert_int_equal(incidents, 1);
    assert_int_equal(sums[1].sum, 10);
    close_desk(&desk);
}

static void what_is_no_rollup_is_refused(void **state)
{
    struct tally_err err;

    (void)state;
    assert_null(tally_open("/nonexistent/x.rollup", &err));
    assert_null(tally_open("/dev/null", &err));
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
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rollup_describes_itself),
        cmocka_unit_test(a_group_is_found_by_its_texts),
        cmocka_unit_test(all_matching_groups_add_up),
        cmocka_unit_test(a_sum_past_64_bits_is_an_error),
        cmocka_unit_test(cells_are_walked_by_day),
        cmocka_unit_test(what_is_no_rollup_is_refused),
        cmocka_unit_test(days_are_parsed_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
