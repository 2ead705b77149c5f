#include "base/team.h"

#include "tests/unit/one_core.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct adding {
    const uint32_t *number;
    size_t count;
    unsigned parts;
    uint64_t sum[TEAM_PARTS_MAX];
    unsigned times[TEAM_PARTS_MAX];
};

static void add_part(void *context, unsigned part)
{
    struct adding *adding = context;
    size_t end = team_begin(adding->count, part + 1, adding->parts);

    adding->times[part]++;
    for (size_t i = team_begin(adding->count, part, adding->parts); i < end; i++) {
        adding->sum[part] += adding->number[i];
    }
}

static void any_number_of_parts_does_all_of_it_once(void **state)
{
    enum { COUNT = 100003 };
    uint32_t *number = malloc(COUNT * sizeof *number);

    (void)state;
    for (uint32_t i = 0; i < COUNT; i++) {
        number[i] = i;
    }
    for (unsigned parts = 1; parts <= TEAM_PARTS_MAX; parts++) {
        struct adding adding = {.number = number, .count = COUNT, .parts = parts};
        uint64_t sum = 0;
        team_run(add_part, &adding, parts);
        for (unsigned i = 0; i < TEAM_PARTS_MAX; i++) {
            assert_int_equal(adding.times[i], i < parts);
            sum += adding.sum[i];
        }
        assert_int_equal(sum, (uint64_t)COUNT * (COUNT - 1) / 2);
    }
    free(number);
}

static void shares_differ_by_one_at_most(void **state)
{
    (void)state;
    for (size_t pieces = 0; pieces < 40; pieces++) {
        for (unsigned parts = 1; parts <= TEAM_PARTS_MAX; parts++) {
            assert_int_equal(team_begin(pieces, 0, parts), 0);
            assert_int_equal(team_begin(pieces, parts, parts), pieces);
            for (unsigned part = 0; part < parts; part++) {
                size_t share =
                    team_begin(pieces, part + 1, parts) - team_begin(pieces, part, parts);
                assert_in_range(share, pieces / parts, pieces / parts + 1);
            }
        }
    }
    assert_int_equal(team_begin(SIZE_MAX, 8, 8), SIZE_MAX);
}

static void little_work_is_not_shared(void **state)
{
    (void)state;
    assert_int_equal(team_parts(0, 1000), 1);
    assert_int_equal(team_parts(1999, 1000), 1);
    assert_in_range(team_parts(SIZE_MAX, 1000), 1, TEAM_PARTS_MAX);
    assert_in_range(team_parts(SIZE_MAX, 0), 1, TEAM_PARTS_MAX);
    cpu_set_t all = use_one_core();
    assert_int_equal(team_parts(SIZE_MAX, 1000), 1);
    use_cores(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_parts_does_all_of_it_once),
        cmocka_unit_test(shares_differ_by_one_at_most),
        cmocka_unit_test(little_work_is_not_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
