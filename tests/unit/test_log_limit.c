// The allowance of each event, and that nothing is lost between what is said and what is counted.
#include "daemon/log_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static uint64_t allowed(struct log_limit *limit, const char *event, uint64_t times, uint64_t now_ms)
{
    uint64_t count = 0;

    for (uint64_t i = 0; i < times; i++) {
        count += log_limit_allows(limit, event, now_ms);
    }
    return count;
}

static void each_event_has_its_own_allowance(void **state)
{
    struct log_limit limit = {0};

    (void)state;
    assert_int_equal(allowed(&limit, "one", 1000, 5), LOG_LIMIT_LINES);
    assert_int_equal(allowed(&limit, "two", 3, 5), 3);
    assert_int_equal(limit.event[0].suppressed, 1000 - LOG_LIMIT_LINES);
    assert_int_equal(limit.event[1].suppressed, 0);
}

static void allowance_begins_with_the_first_line_and_comes_again(void **state)
{
    struct log_limit limit = {0};

    (void)state;
    assert_int_equal(allowed(&limit, "one", 1, 1000), 1);
    assert_int_equal(allowed(&limit, "one", 1000, 1000 + LOG_LIMIT_MS - 1), LOG_LIMIT_LINES - 1);
    log_limit_tell(&limit, 1000 + LOG_LIMIT_MS - 1, false);
    assert_int_equal(limit.event[0].suppressed, 1001 - LOG_LIMIT_LINES); // not over yet
    assert_int_equal(allowed(&limit, "one", 1000, 1000 + LOG_LIMIT_MS), LOG_LIMIT_LINES);
    log_limit_tell(&limit, 1000 + LOG_LIMIT_MS, true);
    assert_int_equal(limit.event[0].suppressed, 0);
}

static void more_events_than_there_is_room_for_are_all_said(void **state)
{
    struct log_limit limit = {0};
    char event[LOG_EVENT_BYTES];

    (void)state;
    for (int i = 0; i < LOG_LIMIT_EVENTS; i++) {
        snprintf(event, sizeof event, "event_%d", i);
        assert_int_equal(allowed(&limit, event, 1, 0), 1);
    }
    assert_int_equal(allowed(&limit, "late", 1000, 0), 1000);
    assert_int_equal(allowed(&limit, "event_0", 1000, 0), LOG_LIMIT_LINES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_event_has_its_own_allowance),
        cmocka_unit_test(allowance_begins_with_the_first_line_and_comes_again),
        cmocka_unit_test(more_events_than_there_is_room_for_are_all_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
