// Day cells of a rollup: exact, and the same bytes whatever came and went.
#include "store/cells.h"

#include "store/cells_fill.h"
#include "tests/unit/one_core.h"
#include "tests/unit/report_fixture.h"
#include "tests/unit/rollup_look.h"

#include <stdlib.h>

static struct fixture_incident incident(const char *id, int32_t day, const char *country,
                                        int64_t killed)
{
    return (struct fixture_incident){.id = id,
                                     .first_day = day,
                                     .last_day = day,
                                     .country = country,
                                     .actor = "army",
                                     .killed = killed,
                                     .wounded = FIXTURE_UNKNOWN,
                                     .revision = 1};
}

static void put(struct fixture *fixture, struct fixture_incident from)
{
    fixture_put(fixture, &from);
}

static void withdraw(struct fixture *fixture, struct fixture_incident from)
{
    fixture_apply(fixture, ROWS_WITHDRAW, &from);
}

// The file that these cells give now, coverage aside: that of a feed only grows.
static struct bytes encode(struct fixture *fixture, struct cells *cells)
{
    struct cells_provenance provenance = {.generation = 1};
    struct bytes bytes;

    for (size_t i = 0; i < fixture->state.feeds_count; i++) {
        fixture->state.feed[i].any_day = false;
    }
    bytes_init(&bytes);
    assert_true(cells_encode(cells, &fixture->state, &provenance, &bytes, &fixture->err));
    return bytes;
}

static void same_bytes(struct bytes a, struct bytes b)
{
    assert_int_equal(a.count, b.count);
    assert_memory_equal(a.data, b.data, a.count);
    bytes_done(&a);
    bytes_done(&b);
}

static struct rollup *read_back(struct fixture *fixture, struct cells *cells)
{
    struct bytes bytes = encode(fixture, cells);
    struct rollup *rollup = rollup_open_memory(bytes.data, bytes.count, &fixture->err);

    if (!rollup || !rollup_verify(rollup, &fixture->err)) {
        fail_msg("%s: %s", fixture->err.place, fixture->err.message);
    }
    return rollup;
}

static struct cells *open_cells(struct fixture *fixture)
{
    struct cells *cells = cells_open(&fixture->state, &fixture->def, &fixture->err);

    assert_non_null(cells);
    return cells;
}

static void adding_and_taking_off_in_any_order_restores_the_bytes(void **state)
{
    static const char *const countries[] = {"Chad", "Mali", "Peru", ""};
    struct fixture fixture;
    struct fixture plain;
    char id[16];

    (void)state;
    fixture_open(&fixture);
    fixture_open(&plain);
    struct cells *cells = open_cells(&fixture);
    struct cells *want = open_cells(&plain);
    for (int i = 0; i < 200; i++) { // some come and go, the rest stays
        snprintf(id, sizeof id, "%d", i * 7919 % 200);
        struct fixture_incident one = incident(id, i * 31 % 17, countries[i % 4], i);
        one.last_day += i % 3;
        put(&fixture, one);
    }
    for (int i = 199; i >= 0; i--) {
        snprintf(id, sizeof id, "%d", i * 7919 % 200);
        struct fixture_incident one = incident(id, i * 31 % 17, countries[i % 4], i);
        one.last_day += i % 3;
        if (i % 5 == 0) {
            put(&plain, one);
        } else {
            one.revision = 2;
            withdraw(&fixture, one);
        }
    }
    same_bytes(encode(&fixture, cells), encode(&plain, want));
    cells_close(cells);
    cells_close(want);
    fixture_close(&fixture);
    fixture_close(&plain);
}

static void correction_that_is_taken_back_restores_the_bytes(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture);
    struct cells *cells = open_cells(&fixture);
    put(&fixture, incident("a", 10, "Chad", 3));
    struct bytes before = encode(&fixture, cells);
    struct fixture_incident moved = incident("a", 20, "Mali", INT64_MAX);
    moved.revision = 2;
    moved.last_day = 40;
    put(&fixture, moved);
    struct fixture_incident again = incident("a", 10, "Chad", 3);
    again.revision = 3;
    put(&fixture, again);
    same_bytes(before, encode(&fixture, cells));
    cells_close(cells);
    fixture_close(&fixture);
}

static void groups_that_became_empty_disappear(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture);
    struct cells *cells = open_cells(&fixture);
    put(&fixture, incident("a", 10, "Chad", 3));
    put(&fixture, incident("b", 11, "Mali", 3));
    withdraw(&fixture, incident("a", 10, "Chad", 3));
    struct rollup *rollup = read_back(&fixture, cells);
    assert_int_equal(rollup_groups(rollup), 1);
    assert_int_equal(rollup_values(rollup, 0), 1);
    assert_look_text(rollup, 0, 0, "Mali");
    assert_int_equal(rollup_first_day(rollup), 11);
    rollup_close(rollup);
    withdraw(&fixture, incident("b", 11, "Mali", 3));
    rollup = read_back(&fixture, cells);
    assert_int_equal(rollup_groups(rollup), 0);
    assert_false(rollup_any_day(rollup));
    rollup_close(rollup);
    cells_close(cells);
    fixture_close(&fixture);
}

static void sums_beyond_64_bits_are_exact(void **state)
{
    struct fixture fixture;
    struct rollup_sums sums;

    (void)state;
    fixture_open(&fixture);
    struct cells *cells = open_cells(&fixture);
    put(&fixture, incident("a", 10, "Chad", INT64_MAX));
    put(&fixture, incident("b", 10, "Chad", INT64_MAX));
    put(&fixture, incident("c", 10, "Chad", 2));
    struct rollup *rollup = read_back(&fixture, cells);
    assert_int_equal(look_cell(rollup, 0, &sums), 10);
    assert_true(sums.measure[0].sum == ((bytes_i128)1 << 64));
    assert_int_equal(sums.measure[0].reported, 3);
    rollup_close(rollup);
    withdraw(&fixture, incident("b", 10, "Chad", INT64_MAX));
    rollup = read_back(&fixture, cells);
    look_cell(rollup, 0, &sums);
    assert_true(sums.measure[0].sum == (bytes_i128)INT64_MAX + 2);
    rollup_close(rollup);
    cells_close(cells);
    fixture_close(&fixture);
}

static void smallest_values_are_exact_too(void **state)
{
    static const int64_t values[] = {INT64_MIN,
                                     -1 - (int64_t)INT32_MAX,
                                     INT32_MIN,
                                     -32769,
                                     -32768,
                                     -129,
                                     -128,
                                     -1,
                                     0,
                                     127,
                                     128,
                                     32767,
                                     32768,
                                     INT32_MAX,
                                     1 + (int64_t)INT32_MAX};
    struct rollup_sums sums;

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct fixture fixture;
        fixture_open(&fixture);
        struct cells *cells = open_cells(&fixture);
        // FIXTURE_UNKNOWN is -1: two incidents make it.
        put(&fixture, incident("a", 10, "Chad", values[i] == -1 ? -2 : values[i]));
        put(&fixture, incident("b", 10, "Chad", values[i] == -1 ? 1 : 0));
        struct rollup *rollup = read_back(&fixture, cells);
        look_cell(rollup, 0, &sums);
        assert_true(sums.measure[0].sum == values[i]);
        rollup_close(rollup);
        cells_close(cells);
        fixture_close(&fixture);
    }
}

static void unknown_is_not_zero(void **state)
{
    struct fixture fixture;
    struct rollup_sums sums;

    (void)state;
    fixture_open(&fixture);
    struct cells *cells = open_cells(&fixture);
    put(&fixture, incident("a", 10, "Chad", FIXTURE_UNKNOWN));
    put(&fixture, incident("b", 10, "Chad", 0));
    put(&fixture, incident("c", 10, "Chad", 4));
    struct rollup *rollup = read_back(&fixture, cells);
    look_cell(rollup, 0, &sums);
    assert_int_equal(sums.incidents, 3);
    assert_int_equal(sums.measure[0].reported, 2);
    assert_int_equal(sums.measure[1].reported, 0);
    rollup_close(rollup);
    cells_close(cells);
    fixture_close(&fixture);
}

static void lasting_incidents_stand_in_cells_and_spans(void **state)
{
    struct fixture fixture;
    struct rollup_sums sums;

    (void)state;
    fixture_open(&fixture);
    struct cells *cells = open_cells(&fixture);
    struct fixture_incident lasting = incident("a", 10, "Chad", 5);
    lasting.last_day = 12;
    put(&fixture, lasting);
    lasting.id = "b";
    put(&fixture, lasting);
    lasting.id = "c";
    lasting.last_day = 11;
    put(&fixture, lasting);
    put(&fixture, incident("d", 10, "Chad", 1));
    struct rollup *rollup = read_back(&fixture, cells);
    assert_int_equal(rollup_cells(rollup), 1);
    assert_int_equal(rollup_spans(rollup), 2);
    look_cell(rollup, 0, &sums);
    assert_int_equal(sums.incidents, 4);
    assert_true(sums.measure[0].sum == 16);
    struct rollup_entry span = look_entry(rollup, ROLLUP_WALK_SPANS, 1);
    assert_int_equal(span.first_day, 10);
    assert_int_equal(span.last_day, 12);
    assert_int_equal(span.sums.incidents, 2);
    assert_int_equal(rollup_last_day(rollup), 12);
    rollup_close(rollup);
    cells_close(cells);
    fixture_close(&fixture);
}

static void filters_choose_and_moving_out_of_them_takes_off(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture);
    assert_true(rollup_def_add_filter(&fixture.def, "country", "Chad, M*", &fixture.err));
    assert_true(rollup_def_add_filter(&fixture.def, "actor", "!mob", &fixture.err));
    struct cells *cells = open_cells(&fixture);
    put(&fixture, incident("a", 10, "Chad", 3));
    put(&fixture, incident("b", 10, "Peru", 3));
    put(&fixture, incident("c", 10, "Mali", 3));
    struct fixture_incident mob = incident("d", 10, "Chad", 3);
    mob.actor = "mob";
    put(&fixture, mob);
    struct rollup *rollup = read_back(&fixture, cells);
    assert_int_equal(rollup_groups(rollup), 2);
    rollup_close(rollup);
    struct fixture_incident moved = incident("a", 10, "Peru", 3);
    moved.revision = 2;
    put(&fixture, moved);
    moved = incident("b", 10, "Chad", 3);
    moved.revision = 2;
    put(&fixture, moved);
    rollup = read_back(&fixture, cells);
    assert_int_equal(rollup_groups(rollup), 2);
    assert_int_equal(rollup_cells(rollup), 2);
    rollup_close(rollup);
    cells_close(cells);
    fixture_close(&fixture);
}

static void filter_on_a_dimension_that_a_feed_lacks_sees_the_unknown_text(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture);
    assert_true(rollup_def_add_filter(&fixture.def, "target", "!civilians", &fixture.err));
    struct cells *cells = open_cells(&fixture);
    put(&fixture, incident("a", 10, "Chad", 3));
    struct rollup *rollup = read_back(&fixture, cells);
    assert_int_equal(rollup_groups(rollup), 1);
    rollup_close(rollup);
    cells_close(cells);
    fixture_close(&fixture);
}

static void feeds_do_not_mix(void **state)
{
    struct fixture fixture;
    struct rollup_sums sums;

    (void)state;
    fixture_open(&fixture);
    struct cells *cells = open_cells(&fixture);
    put(&fixture, incident("a", 10, "Chad", 3));
    struct fixture_incident other = incident("a", 10, "Chad", 40);
    other.feed = 1;
    put(&fixture, other);
    struct rollup *rollup = read_back(&fixture, cells);
    assert_int_equal(rollup_groups(rollup), 2);
    assert_look_text(rollup, 1, 2, "ucdp");
    look_cell(rollup, 1, &sums);
    assert_true(sums.measure[0].sum == 40);
    rollup_close(rollup);
    cells_close(cells);
    fixture_close(&fixture);
}

static void late_cells_equal_those_that_watched_from_the_start(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture);
    struct cells *early = open_cells(&fixture);
    put(&fixture, incident("a", 10, "Chad", 3));
    put(&fixture, incident("b", 12, "Mali", 5));
    put(&fixture, incident("c", 12, "Mali", 5));
    withdraw(&fixture, incident("a", 10, "Chad", 3));
    struct cells *late = open_cells(&fixture);
    same_bytes(encode(&fixture, early), encode(&fixture, late));
    put(&fixture, incident("d", -700000, "", 1));
    same_bytes(encode(&fixture, early), encode(&fixture, late));
    cells_close(early);
    cells_close(late);
    fixture_close(&fixture);
}

// Days of one group near each other and thousands of years apart, lasting incidents, unknown
// measures, withdrawn ones: added up at once they give what they gave one by one, and go on from
// there alike.
static void all_at_once_equals_one_by_one(void **state)
{
    static const char *const countries[] = {"Chad", "Mali", "Peru", ""};
    struct fixture fixture;
    char id[16];

    (void)state;
    for (int scattered = 0; scattered < 2; scattered++) {
        fixture_open(&fixture);
        struct cells *early = open_cells(&fixture);
        for (int i = 0; i < 3000; i++) {
            snprintf(id, sizeof id, "%d", i);
            struct fixture_incident one =
                incident(id, i * 7919 % 700, countries[i % 4], i % 3 ? i : FIXTURE_UNKNOWN);
            one.first_day += scattered && i % 50 == 0 ? 2000000 : 0;
            one.last_day = one.first_day + (i % 7 == 0 ? i % 30 : 0);
            one.feed = i % 2;
            put(&fixture, one);
            if (i % 11 == 0) {
                one.revision = 2;
                withdraw(&fixture, one);
            }
        }
        struct cells *late = open_cells(&fixture);
        same_bytes(encode(&fixture, early), encode(&fixture, late));
        assert_true(cells_begin_anew(early, &fixture.state, &fixture.err));
        put(&fixture, incident("5", 3, "Togo", 9)); // seen by one of them alone
        put(&fixture, incident("new", -5, "Chad", 8));
        assert_true(cells_take_in(early, &fixture.state, &fixture.err));
        same_bytes(encode(&fixture, early), encode(&fixture, late));
        put(&fixture, incident("newer", 800, "Mali", 1));
        same_bytes(encode(&fixture, early), encode(&fixture, late));
        cells_close(early);
        cells_close(late);
        fixture_close(&fixture);
    }
}

// Lanes of rows go to whichever core is free: what one noted of an incident another one may take
// back in the next batch.
static void cores_take_back_what_others_noted(void **state)
{
    enum { CORES = 3, ROUNDS = 40 };
    const struct cells_change came = {
        .first_day = 5, .last_day = 7, .sign = 1, .value = {3}, .reported = {true}};
    struct cells_change went = came;
    struct cells_groups groups;
    struct tally_err err;

    (void)state;
    went.sign = -1;
    assert_true(cells_groups_init(&groups, 1, 1, &err));
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t codes[] = {round % 5};
        for (unsigned core = CORES; core-- > 0;) {
            assert_true(cells_groups_note(&groups, core, codes, core > 0 ? &came : &went, &err));
        }
    }
    assert_true(cells_groups_find_noted(&groups, &err));
    assert_int_equal(groups.count, 5);
    for (uint32_t group = 0; group < groups.count; group++) {
        assert_int_equal(groups.group[group].incidents, ROUNDS / 5 * (CORES - 2));
    }
    assert_int_equal(cells_groups_changes(&groups), ROUNDS * CORES);
    assert_true(cells_groups_settle(&groups, &err));
    assert_int_equal(groups.entries, 2 * 5); // a cell and a span each
    cells_groups_done(&groups);
}

// All that counts, headline too, taken in and packed by one core and by all that there are.
static void any_number_of_cores_writes_the_same(struct fixture *fixture)
{
    size_t count;
    size_t count_alone;
    unsigned char *file = fixture_encode(fixture, &count);
    cpu_set_t all = use_one_core();
    unsigned char *alone = fixture_encode(fixture, &count_alone);

    use_cores(all);
    assert_int_equal(count, count_alone);
    assert_memory_equal(file, alone, count);
    free(alone);
    struct rollup *rollup = rollup_open_memory(file, count, &fixture->err);
    assert_non_null(rollup);
    assert_true(rollup_coverage(rollup, 0).any);
    assert_true(rollup_verify(rollup, &fixture->err));
    rollup_close(rollup);
}

// So many that slices of them are taken in beside each other, each of which meets most groups.
static void many_at_once_equal_one_by_one(void **state)
{
    static const char *const actors[] = {"army", "police", "", "crowd"};
    struct fixture fixture;
    char id[16];
    char country[16];

    (void)state;
    fixture_open(&fixture);
    struct cells *early = open_cells(&fixture);
    for (int i = 0; i < 140000; i++) {
        snprintf(id, sizeof id, "%d", i);
        snprintf(country, sizeof country, "%d", i / 3 % 250);
        struct fixture_incident one =
            incident(id, i * 7919 % 1500, country, i % 5 ? i % 40 : FIXTURE_UNKNOWN);
        one.actor = actors[i % 4];
        one.first_day += i % 1000 == 3 ? 40000 : 0; // a few groups are too far apart for a page
        one.last_day = one.first_day + (i % 9 == 0 ? i % 20 : 0);
        one.killed = i % 30000 == 7 ? INT64_MAX - i : i % 30011 == 9 ? INT64_MIN + i : one.killed;
        one.feed = i % 3 == 0;
        put(&fixture, one);
        if (i % 101 == 0) {
            one.revision = 2;
            withdraw(&fixture, one);
        }
    }
    any_number_of_cores_writes_the_same(&fixture);
    struct cells *late = open_cells(&fixture);
    same_bytes(encode(&fixture, early), encode(&fixture, late));
    struct rollup *rollup = read_back(&fixture, late);
    assert_true(rollup_groups(rollup) >= 1000);
    rollup_close(rollup);
    cells_close(early);
    cells_close(late);
    fixture_close(&fixture);
}

// More groups than 16 bits number, and more sets of measures, where one core meets them all.
static void very_many_groups_and_values_equal_one_by_one(void **state)
{
    enum { COUNT = UINT16_MAX + 5000 };
    struct fixture fixture;
    char id[16];

    (void)state;
    fixture_open(&fixture);
    struct cells *early = open_cells(&fixture);
    for (int i = 0; i < COUNT; i++) {
        snprintf(id, sizeof id, "%d", i);
        struct fixture_incident one = incident(id, i % 90, id, i);
        one.feed = i % 2;
        one.last_day += i % 4 == 3;
        put(&fixture, one);
    }
    struct cells *late = open_cells(&fixture);
    cpu_set_t all = use_one_core();
    struct cells *alone = open_cells(&fixture);
    use_cores(all);
    same_bytes(encode(&fixture, early), encode(&fixture, late));
    same_bytes(encode(&fixture, early), encode(&fixture, alone));
    cells_close(early);
    cells_close(late);
    cells_close(alone);
    fixture_close(&fixture);
}

static void what_is_told_of_incidents_comes_back_in_any_width(void **state)
{
    enum { COUNT = 5 };
    static const struct cells_told_form forms[] = {{4, 16}, {4, 3},  {4, 0}, {6, 32},
                                                   {6, 17}, {6, 16}, {8, 32}};
    unsigned char told[COUNT * 8];

    (void)state;
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        struct cells_told_form form = forms[f];
        uint32_t shape_bits = form.stride * 8 - 16 - form.values_bits;
        uint32_t shape_max = shape_bits >= 16 ? UINT16_MAX : (1U << shape_bits) - 1;
        uint32_t values_max = (uint32_t)(((uint64_t)1 << form.values_bits) - 1);
        for (uint32_t i = COUNT; i-- > 0;) { // the neighbours stay as they are
            cells_told_put(
                form, told, i,
                (struct cells_told){.day = (uint16_t)(UINT16_MAX - i),
                                    .values = values_max - values_max / COUNT * i,
                                    .shape = (uint16_t)(shape_max - shape_max / COUNT * i)});
        }
        for (uint32_t i = 0; i < COUNT; i++) {
            struct cells_told back = cells_told_get(form, told, i);
            assert_int_equal(back.day, UINT16_MAX - i);
            assert_int_equal(back.values, values_max - values_max / COUNT * i);
            assert_int_equal(back.shape, shape_max - shape_max / COUNT * i);
        }
    }
}

static void dimension_that_came_later_is_unknown_in_older_incidents(void **state)
{
    static const char *const narrow[] = {"country"};
    static const char *const measures[] = {"killed"};
    struct fixture fixture;
    struct rollup_sums sums;

    (void)state;
    fixture_open(&fixture);
    struct cells *cells = open_cells(&fixture);
    struct shape *wide = fixture.shape[0];
    fixture.shape[0] = shape_open("acled", narrow, 1, measures, 1, &fixture.err);
    put(&fixture, incident("old", 10, "Chad", 3));
    shape_close(fixture.shape[0]);
    fixture.shape[0] = wide;
    struct fixture_incident newer = incident("new", 10, "Chad", 4);
    newer.wounded = 9;
    put(&fixture, newer);
    struct rollup *rollup = read_back(&fixture, cells);
    assert_int_equal(rollup_groups(rollup), 2);
    assert_look_text(rollup, 0, 1, "");
    assert_look_text(rollup, 1, 1, "army");
    look_cell(rollup, 0, &sums);
    assert_int_equal(sums.measure[1].reported, 0);
    look_cell(rollup, 1, &sums);
    assert_int_equal(sums.measure[1].reported, 1);
    rollup_close(rollup);
    cells_close(cells);
    fixture_close(&fixture);
}

static void rollup_without_dimensions_and_measures_counts_in_one_group(void **state)
{
    struct fixture fixture;
    struct rollup_def def = {0};
    struct rollup_sums sums = {0};

    (void)state;
    fixture_open(&fixture);
    assert_true(rollup_def_set_name(&def, "all", &fixture.err));
    assert_true(rollup_def_add_feed(&def, "acled", &fixture.err));
    struct cells *cells = cells_open(&fixture.state, &def, &fixture.err);
    assert_non_null(cells);
    put(&fixture, incident("a", 10, "Chad", 3));
    put(&fixture, incident("b", 11, "Mali", 3));
    struct rollup *rollup = read_back(&fixture, cells);
    assert_int_equal(rollup_groups(rollup), 1);
    assert_int_equal(look_group(rollup, NULL), 0);
    look_window(rollup, 0, BASIS_START, 10, 11, &sums);
    assert_int_equal(sums.incidents, 2);
    rollup_close(rollup);
    cells_close(cells);
    rollup_def_done(&def);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adding_and_taking_off_in_any_order_restores_the_bytes),
        cmocka_unit_test(correction_that_is_taken_back_restores_the_bytes),
        cmocka_unit_test(groups_that_became_empty_disappear),
        cmocka_unit_test(sums_beyond_64_bits_are_exact),
        cmocka_unit_test(smallest_values_are_exact_too),
        cmocka_unit_test(unknown_is_not_zero),
        cmocka_unit_test(lasting_incidents_stand_in_cells_and_spans),
        cmocka_unit_test(filters_choose_and_moving_out_of_them_takes_off),
        cmocka_unit_test(filter_on_a_dimension_that_a_feed_lacks_sees_the_unknown_text),
        cmocka_unit_test(feeds_do_not_mix),
        cmocka_unit_test(late_cells_equal_those_that_watched_from_the_start),
        cmocka_unit_test(all_at_once_equals_one_by_one),
        cmocka_unit_test(cores_take_back_what_others_noted),
        cmocka_unit_test(many_at_once_equal_one_by_one),
        cmocka_unit_test(very_many_groups_and_values_equal_one_by_one),
        cmocka_unit_test(what_is_told_of_incidents_comes_back_in_any_width),
        cmocka_unit_test(dimension_that_came_later_is_unknown_in_older_incidents),
        cmocka_unit_test(rollup_without_dimensions_and_measures_counts_in_one_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
