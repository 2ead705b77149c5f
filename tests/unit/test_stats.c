// Counters, the ring of last files and the histograms; how long the rest of a file may take.
#include "daemon/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct stats_file file_of(const char *feed, enum file_outcome outcome)
{
    struct stats_file file = {.outcome = outcome,
                              .rejected = 2,
                              .counts = {.added = 3, .revised = 1, .withdrawn = 4, .older = 5}};

    snprintf(file.feed, sizeof file.feed, "%s", feed);
    return file;
}

static void rows_count_for_accepted_files_only(void **state)
{
    struct stats stats = {0};
    const struct stats_file accepted = file_of("a", FILE_ACCEPTED);
    const struct stats_file refused = file_of("a", FILE_REJECTED);
    const struct stats_file unknown = file_of("", FILE_REJECTED);

    (void)state;
    stats_note_file(&stats, &accepted);
    stats_note_file(&stats, &refused);
    stats_note_file(&stats, &unknown);
    const struct stats_feed *feed = stats_find_feed(&stats, "a");
    assert_int_equal(feed->files[FILE_ACCEPTED], 1);
    assert_int_equal(feed->files[FILE_REJECTED], 1);
    assert_int_equal(feed->rows[STATS_ADDED], 3);
    assert_int_equal(feed->rows[STATS_REVISED], 1);
    assert_int_equal(feed->rows[STATS_WITHDRAWN], 4);
    assert_int_equal(feed->rows[STATS_OLDER], 5);
    assert_int_equal(feed->rows[STATS_REJECTED], 2);
    assert_int_equal(stats_find_feed(&stats, "")->files[FILE_REJECTED], 1);
    assert_null(stats_find_feed(&stats, "b"));
    stats_done(&stats);
}

static void ring_holds_the_last_files(void **state)
{
    struct stats stats = {0};

    (void)state;
    for (uint64_t i = 1; i <= STATS_RECENT_MAX + 3; i++) {
        struct stats_file file = file_of("a", FILE_ACCEPTED);
        file.batch = i;
        stats_note_file(&stats, &file);
    }
    for (uint64_t i = 0; i < STATS_RECENT_MAX; i++) {
        uint64_t newest = stats.files - 1 - i;
        assert_int_equal(stats.recent[newest % STATS_RECENT_MAX].batch, newest + 1);
    }
    stats_done(&stats);
}

static void each_time_falls_into_one_bucket(void **state)
{
    struct stats_histogram histogram = {0};

    (void)state;
    stats_note_time(&histogram, 0);
    stats_note_time(&histogram, stats_bound_us[0]); // a bound belongs to its bucket
    stats_note_time(&histogram, stats_bound_us[0] + 1);
    stats_note_time(&histogram, UINT32_MAX);
    assert_int_equal(histogram.count[0], 2);
    assert_int_equal(histogram.count[1], 1);
    assert_int_equal(histogram.count[STATS_BUCKETS], 1);
    assert_int_equal(stats_count(&histogram), 4);
    assert_int_equal(histogram.sum_us, 2 * stats_bound_us[0] + 1 + UINT32_MAX);
    for (size_t i = 1; i < STATS_BUCKETS; i++) {
        assert_true(stats_bound_us[i - 1] < stats_bound_us[i]);
    }
}

static bool expects(uint64_t bytes, uint64_t total, uint64_t elapsed_ms, uint64_t want_ms)
{
    struct status_file file = {
        .name = "x", .bytes = bytes, .bytes_total = total, .elapsed_ms = elapsed_ms};
    uint64_t ms = 0;

    return status_expected_ms(&file, &ms) && ms == want_ms;
}

static void the_rest_takes_as_long_as_what_was_read(void **state)
{
    uint64_t large = UINT64_C(1) << 62;

    (void)state;
    assert_true(expects(25, 100, 1000, 3000));
    assert_true(expects(100, 100, 1000, 0));
    assert_true(expects(large / 4, large, 1000, 3000));
    assert_false(expects(0, 100, 1000, 0));       // nothing to say yet
    assert_false(expects(101, 100, 1000, 0));     // it grew
    assert_false(expects(1, large, 86400000, 0)); // next to nothing of very much
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_count_for_accepted_files_only),
        cmocka_unit_test(ring_holds_the_last_files),
        cmocka_unit_test(each_time_falls_into_one_bucket),
        cmocka_unit_test(the_rest_takes_as_long_as_what_was_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
