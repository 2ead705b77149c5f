// Names that somebody began to write: put, dropped, forgotten, and never more than there is room.
#include "daemon/unclosed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void name_is_there_until_it_is_dropped(void **state)
{
    struct unclosed unclosed = {.count = 0};

    (void)state;
    assert_false(unclosed_has(&unclosed, "a.csv"));
    unclosed_put(&unclosed, "a.csv");
    unclosed_put(&unclosed, "b.csv");
    unclosed_put(&unclosed, "a.csv"); // written again
    assert_true(unclosed_has(&unclosed, "a.csv"));
    unclosed_drop(&unclosed, "a.csv");
    assert_false(unclosed_has(&unclosed, "a.csv"));
    assert_true(unclosed_has(&unclosed, "b.csv"));
    unclosed_drop(&unclosed, "a.csv");
    assert_true(unclosed_has(&unclosed, "b.csv"));
}

static void lost_hints_forget_all(void **state)
{
    struct unclosed unclosed = {.count = 0};

    (void)state;
    unclosed_put(&unclosed, "a.csv");
    unclosed_clear(&unclosed);
    assert_false(unclosed_has(&unclosed, "a.csv"));
}

static void more_than_there_is_room_for_are_not_known(void **state)
{
    struct unclosed unclosed = {.count = 0};
    char name[32];

    (void)state;
    for (int i = 0; i <= UNCLOSED_MAX; i++) {
        snprintf(name, sizeof name, "%d.csv", i);
        unclosed_put(&unclosed, name);
        assert_int_equal(unclosed_has(&unclosed, name), i < UNCLOSED_MAX);
    }
    unclosed_drop(&unclosed, "0.csv");
    unclosed_put(&unclosed, name);
    assert_true(unclosed_has(&unclosed, name));
    assert_true(unclosed_has(&unclosed, "1.csv"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_is_there_until_it_is_dropped),
        cmocka_unit_test(lost_hints_forget_all),
        cmocka_unit_test(more_than_there_is_room_for_are_not_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
