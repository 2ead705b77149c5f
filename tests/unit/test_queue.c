// Names that wait, first in, first out.
#include "daemon/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void takes(struct queue *queue, const char *want)
{
    char *name = queue_take(queue);

    assert_non_null(name);
    assert_string_equal(name, want);
    free(name);
}

static void names_come_out_in_the_order_in_which_they_went_in(void **state)
{
    struct queue queue = {0};
    char name[16];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_true(queue_put(&queue, name));
    }
    assert_int_equal(queue_waiting(&queue), 1000);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "%d", i);
        takes(&queue, name);
    }
    assert_null(queue_take(&queue));
    queue_done(&queue);
}

static void newest_name_is_not_put_twice(void **state)
{
    struct queue queue = {0};

    (void)state;
    assert_true(queue_put(&queue, "a"));
    assert_true(queue_put(&queue, "a"));
    assert_true(queue_put(&queue, "b"));
    assert_true(queue_put(&queue, "a"));
    assert_int_equal(queue_waiting(&queue), 3);
    takes(&queue, "a");
    takes(&queue, "b");
    takes(&queue, "a");
    assert_true(queue_put(&queue, "a")); // it was taken: it may have come again
    assert_int_equal(queue_waiting(&queue), 1);
    queue_done(&queue);
}

static void long_run_of_putting_and_taking_needs_little_room(void **state)
{
    struct queue queue = {0};
    char name[16];
    int taken = 0;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_true(queue_put(&queue, name));
        if (i >= 10) {
            snprintf(name, sizeof name, "%d", taken++);
            takes(&queue, name);
        }
    }
    assert_int_equal(queue_waiting(&queue), 10);
    assert_true(queue.capacity <= 128);
    queue_done(&queue);
}

static void clearing_forgets_what_waits(void **state)
{
    struct queue queue = {0};

    (void)state;
    queue_put(&queue, "a");
    queue_put(&queue, "b");
    takes(&queue, "a");
    queue_clear(&queue);
    assert_int_equal(queue_waiting(&queue), 0);
    assert_null(queue_take(&queue));
    queue_put(&queue, "c");
    takes(&queue, "c");
    queue_done(&queue);
    queue_done(&queue);
}

static void queue_has_its_bound(void **state)
{
    struct queue queue = {0};
    char name[16];

    (void)state;
    for (int i = 0; i < QUEUE_NAMES_MAX; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_true(queue_put(&queue, name));
    }
    assert_false(queue_put(&queue, "one more"));
    takes(&queue, "0");
    assert_true(queue_put(&queue, "one more"));
    queue_done(&queue);
}

static void name_that_is_put_back_keeps_its_turn(void **state)
{
    struct queue queue = {0};
    char name[16];

    (void)state;
    assert_true(queue_put_back(&queue, "b")); // where nothing was taken
    assert_true(queue_put_back(&queue, "a"));
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_true(queue_put(&queue, name));
    }
    takes(&queue, "a");
    takes(&queue, "b");
    takes(&queue, "0");
    assert_true(queue_put_back(&queue, "0"));
    assert_true(queue_put_back(&queue, "z"));
    assert_int_equal(queue_waiting(&queue), 101);
    takes(&queue, "z");
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "%d", i);
        takes(&queue, name);
    }
    assert_null(queue_take(&queue));
    queue_done(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_come_out_in_the_order_in_which_they_went_in),
        cmocka_unit_test(newest_name_is_not_put_twice),
        cmocka_unit_test(long_run_of_putting_and_taking_needs_little_room),
        cmocka_unit_test(clearing_forgets_what_waits),
        cmocka_unit_test(queue_has_its_bound),
        cmocka_unit_test(name_that_is_put_back_keeps_its_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
