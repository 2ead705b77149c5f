#include "report/select.h"

#include "report/period.h"
#include "tests/unit/report_fixture.h"

#include <stdlib.h>

enum { RANDOM_INCIDENTS = 600, RANDOM_DAYS = 120 };

static const char *const countries[] = {"Chad", "Mali", "Niger"};
static const char *const actors[] = {"army", "mob", ""};

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

static void make_random(struct fixture_incident *incident, char id[16], unsigned number,
                        unsigned *seed)
{
    int32_t first_day = (int32_t)(next_random(seed) % RANDOM_DAYS);
    unsigned length = next_random(seed) % 4 == 0 ? next_random(seed) % 60 : 0;

    snprintf(id, 16, "i%u", number);
    *incident = (struct fixture_incident){
        .feed = (int)(next_random(seed) % 2),
        .id = id,
        .first_day = first_day,
        .last_day = first_day + (int32_t)length,
        .country = countries[next_random(seed) % 3],
        .actor = actors[next_random(seed) % 3],
        .killed = next_random(seed) % 5 == 0 ? FIXTURE_UNKNOWN : (int)(next_random(seed) % 50),
        .wounded = next_random(seed) % 2 == 0 ? FIXTURE_UNKNOWN : (int)(next_random(seed) % 90)};
}

struct world {
    struct fixture fixture;
    struct fixture_incident incident[RANDOM_INCIDENTS];
    char id[RANDOM_INCIDENTS][16];
    struct rollup *rollup;
};

static struct world *make_world(unsigned seed)
{
    struct world *world = calloc(1, sizeof *world);

    assert_non_null(world);
    fixture_open(&world->fixture);
    for (unsigned i = 0; i < RANDOM_INCIDENTS; i++) {
        make_random(&world->incident[i], world->id[i], i, &seed);
        fixture_put(&world->fixture, &world->incident[i]);
    }
    world->rollup = fixture_rollup(&world->fixture);
    return world;
}

static void free_world(struct world *world)
{
    rollup_close(world->rollup);
    fixture_close(&world->fixture);
    free(world);
}

static void recount(const struct world *world, const char *country, enum basis basis,
                    const struct period *period, struct rollup_sums *out_sums)
{
    *out_sums = (struct rollup_sums){0};
    for (size_t i = 0; i < RANDOM_INCIDENTS; i++) {
        const struct fixture_incident *incident = &world->incident[i];
        if (!period_holds(period, basis, incident->first_day, incident->last_day) ||
            (country && strcmp(country, incident->country) != 0)) {
            continue;
        }
        out_sums->incidents++;
        if (incident->killed != FIXTURE_UNKNOWN) {
            out_sums->measure[0].sum += incident->killed;
            out_sums->measure[0].reported++;
        }
        if (incident->feed == 0 && incident->wounded != FIXTURE_UNKNOWN) {
            out_sums->measure[1].sum += incident->wounded;
            out_sums->measure[1].reported++;
        }
    }
}

static void assert_same(const struct rollup_sums *a, const struct rollup_sums *b)
{
    assert_int_equal(a->incidents, b->incidents);
    for (size_t m = 0; m < 2; m++) {
        assert_true(a->measure[m].sum == b->measure[m].sum);
        assert_int_equal(a->measure[m].reported, b->measure[m].reported);
    }
}

static void select_where(struct select *select, const struct rollup *rollup, const char *by_list,
                         const char *const *conditions, size_t count)
{
    struct tally_err err;
    struct where where;
    struct by by;

    assert_true(by_parse(&by, rollup_def(rollup), by_list, &err));
    assert_true(where_init(&where, rollup_def(rollup), conditions, count, &err));
    assert_true(select_init(select, rollup, &where, &by, &err));
    where_done(&where);
}

static void select_by(struct select *select, const struct rollup *rollup, const char *by_list,
                      const char *condition)
{
    select_where(select, rollup, by_list, &condition, condition ? 1 : 0);
}

static void windows_equal_a_recount(void **state)
{
    struct world *world = make_world(7);
    struct tally_err err;
    struct select all;
    struct select by_country;

    (void)state;
    select_by(&all, world->rollup, NULL, NULL);
    select_by(&by_country, world->rollup, "country", NULL);
    assert_int_equal(by_country.rows_count, 3);
    for (uint32_t days = 1; days < 200; days = days * 3 + 1) {
        for (int32_t end = -5; end < RANDOM_DAYS + 70; end += 7) {
            struct period period = {end - (int32_t)days + 1, end, days};
            for (enum basis basis = BASIS_START; basis <= BASIS_INSIDE; basis++) {
                struct rollup_sums want;
                struct rollup_sums have;
                recount(world, NULL, basis, &period, &want);
                assert_true(select_window(&all, NULL, 0, basis, period.first_day, period.last_day,
                                          &have, &err));
                assert_same(&have, &want);
                recount(world, "Mali", basis, &period, &want);
                assert_true(select_window(&by_country, NULL, 1, basis, period.first_day,
                                          period.last_day, &have, &err));
                assert_same(&have, &want);
            }
        }
    }
    select_done(&all);
    select_done(&by_country);
    free_world(world);
}

static void a_series_equals_its_windows(void **state)
{
    struct world *world = make_world(11);
    struct tally_err err;
    struct select select;

    (void)state;
    select_by(&select, world->rollup, "actor", "country=Mali,Chad");
    for (enum basis basis = BASIS_START; basis <= BASIS_INSIDE; basis++) {
        for (uint32_t days = 1; days < 100; days += 24) {
            struct series series;
            assert_true(series_init(&series, 2, basis, days, 20, 110, &err));
            for (size_t row = 0; row < select.rows_count; row++) {
                assert_true(series_fill(&series, &select, row, &err));
                for (int32_t end = 20; end <= 110; end++) {
                    struct rollup_sums want;
                    struct rollup_sums have;
                    assert_true(select_window(&select, NULL, row, basis, end - (int32_t)days + 1,
                                              end, &want, &err));
                    series_at(&series, end, &have);
                    assert_same(&have, &want);
                }
            }
            series_done(&series);
        }
    }
    select_done(&select);
    free_world(world);
}

static void assert_row(const struct select *select, size_t row, const char *first,
                       const char *second)
{
    size_t bytes;
    const char *text = select_text(select, row, 0, &bytes);

    assert_int_equal(bytes, strlen(first));
    assert_memory_equal(text, first, bytes);
    text = select_text(select, row, 1, &bytes);
    assert_int_equal(bytes, strlen(second));
    assert_memory_equal(text, second, bytes);
}

static void rows_are_sorted_by_the_asked_dimensions(void **state)
{
    struct world *world = make_world(3);
    struct select select;

    (void)state;
    select_by(&select, world->rollup, "actor,country", "actor=!mob");
    assert_int_equal(select.rows_count, 6);
    assert_row(&select, 0, "", "Chad");
    assert_row(&select, 2, "", "Niger");
    assert_row(&select, 3, "army", "Chad");
    select_done(&select);
    free_world(world);
}

static void without_by_there_is_one_row_also_of_nothing(void **state)
{
    struct world *world = make_world(5);
    struct rollup_sums sums;
    struct tally_err err;
    struct select select;

    (void)state;
    select_by(&select, world->rollup, NULL, "country=Peru");
    assert_int_equal(select.rows_count, 1);
    assert_true(select_window(&select, NULL, 0, BASIS_START, 0, RANDOM_DAYS, &sums, &err));
    assert_int_equal(sums.incidents, 0);
    select_done(&select);
    select_by(&select, world->rollup, "country", "country=Peru");
    assert_int_equal(select.rows_count, 0);
    select_done(&select);
    free_world(world);
}

static void measures_are_those_of_the_feeds_behind_a_row(void **state)
{
    struct world *world = make_world(9);
    struct select select;

    (void)state;
    select_by(&select, world->rollup, "feed", NULL);
    assert_int_equal(select.row[0].measures, 3); // acled
    assert_int_equal(select.row[1].measures, 1); // ucdp has no wounded
    assert_int_equal(select.measures, 3);
    select_done(&select);
    select_by(&select, world->rollup, NULL, "feed=ucdp");
    assert_int_equal(select.row[0].measures, 1);
    select_done(&select);
    free_world(world);
}

// One text of each dimension finds the group directly; a second text, which nothing has, makes the
// same conditions try every group.
static void check_one_group(const struct rollup *rollup, const char *by, const char *const texts[3])
{
    const char *const dims[] = {"country", "actor", "feed"};
    struct select select[2];
    struct rollup_sums sums[2];
    struct tally_err err;

    for (size_t way = 0; way < 2; way++) {
        char room[3][64];
        const char *conditions[3];
        for (size_t dim = 0; dim < 3; dim++) {
            snprintf(room[dim], sizeof room[dim], "%s=\"%s\"%s", dims[dim], texts[dim],
                     way == 0 ? "" : ",nothing");
            conditions[dim] = room[dim];
        }
        select_where(&select[way], rollup, by, conditions, 3);
    }
    assert_int_equal(select[0].rows_count, select[1].rows_count);
    assert_int_equal(select[0].groups_count, select[1].groups_count);
    assert_int_equal(select[0].measures, select[1].measures);
    for (size_t row = 0; row < select[0].rows_count; row++) {
        assert_int_equal(select[0].row[row].measures, select[1].row[row].measures);
        for (size_t i = 0; i < select[0].by.count; i++) {
            size_t bytes[2];
            const char *text = select_text(&select[0], row, i, &bytes[0]);
            const char *want = select_text(&select[1], row, i, &bytes[1]);
            assert_int_equal(bytes[0], bytes[1]);
            assert_memory_equal(text, want, bytes[1]);
        }
        for (size_t way = 0; way < 2; way++) {
            assert_true(
                select_window(&select[way], NULL, row, BASIS_OVERLAP, 20, 80, &sums[way], &err));
        }
        assert_same(&sums[0], &sums[1]);
    }
    select_done(&select[0]);
    select_done(&select[1]);
}

static void one_text_of_each_dimension_finds_what_trying_all_finds(void **state)
{
    static const char *const by[] = {NULL, "country", "feed,actor", "country,actor,feed"};
    static const char *const feeds[] = {"acled", "ucdp", "none"};
    struct world *world = make_world(13);

    (void)state;
    for (size_t i = 0; i < sizeof by / sizeof by[0] * 27; i++) {
        const char *const texts[] = {countries[i / 3 % 3], actors[i % 3], feeds[i / 9 % 3]};
        check_one_group(world->rollup, by[i / 27], texts);
    }
    free_world(world);
}

static void unknown_dimensions_are_refused_by_name(void **state)
{
    const char *const wrong[] = {"admin1=x"};
    const char *const no_value[] = {"country"};
    struct fixture fixture;
    struct tally_err err;
    struct where where;
    struct by by;

    (void)state;
    fixture_open(&fixture);
    assert_false(where_init(&where, &fixture.def, wrong, 1, &err));
    assert_string_equal(err.message,
                        "no dimension 'admin1' in rollup harm; it has country, actor, feed");
    assert_false(where_init(&where, &fixture.def, no_value, 1, &err));
    assert_false(by_parse(&by, &fixture.def, "country,admin1", &err));
    assert_false(by_parse(&by, &fixture.def, "country,country", &err));
    assert_false(by_parse(&by, &fixture.def, "", &err));
    assert_true(by_parse(&by, &fixture.def, NULL, &err));
    assert_int_equal(by.count, 0);
    fixture_close(&fixture);
}

static void conditions_on_one_dimension_are_either(void **state)
{
    const char *const texts[] = {"country=Mali", "country=Ch*", "actor=army"};
    struct fixture fixture;
    struct tally_err err;
    struct where where;

    (void)state;
    fixture_open(&fixture);
    assert_true(where_init(&where, &fixture.def, texts, 3, &err));
    assert_true(where_matches(&where, 0, "Mali", 4));
    assert_true(where_matches(&where, 0, "Chad", 4));
    assert_false(where_matches(&where, 0, "Niger", 5));
    assert_true(where_matches(&where, 1, "army", 4));
    assert_false(where_matches(&where, 1, "mob", 3));
    assert_true(where_matches(&where, 2, "acled", 5));
    where_done(&where);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_equal_a_recount),
        cmocka_unit_test(a_series_equals_its_windows),
        cmocka_unit_test(rows_are_sorted_by_the_asked_dimensions),
        cmocka_unit_test(without_by_there_is_one_row_also_of_nothing),
        cmocka_unit_test(measures_are_those_of_the_feeds_behind_a_row),
        cmocka_unit_test(one_text_of_each_dimension_finds_what_trying_all_finds),
        cmocka_unit_test(unknown_dimensions_are_refused_by_name),
        cmocka_unit_test(conditions_on_one_dimension_are_either),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
