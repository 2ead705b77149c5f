// Packed cells and spans equal plain ones, read by every code that this machine runs.
#include "tests/unit/entries_model.h"

static const uint32_t edges[] = {1, 2, 63, 64, 65, 127, 128, 129, 255, 256, 257, 300};
enum { EDGES = sizeof edges / sizeof *edges };

static struct model model;
static struct entries_block block;

static void assert_same_sums(const struct rollup_sums *got, const struct rollup_sums *want)
{
    assert_true(got->incidents == want->incidents);
    for (uint32_t m = 0; m < model.measures; m++) {
        assert_true(got->measure[m].sum == want->measure[m].sum);
        assert_true(got->measure[m].reported == want->measure[m].reported);
    }
}

static void assert_block(uint32_t group, uint32_t first)
{
    for (uint32_t i = 0; i < block.count; i++) {
        const struct rollup_entry *want = &model.entry[group][first + i];
        struct rollup_entry entry = {0};
        entries_block_get(&model.entries, &block, i, &entry);
        assert_int_equal(entry.first_day, want->first_day);
        assert_int_equal(entry.last_day, want->last_day);
        assert_same_sums(&entry.sums, &want->sums);
    }
}

static void assert_entries_come_back(const struct entries_code *code)
{
    struct entries_cursor cursor = {0};

    for (uint32_t group = 0; group < model.groups; group++) {
        struct entries_place place;
        uint32_t read = 0;
        code->find(&model.entries, &cursor, group, &place);
        for (uint32_t i = 0; i < place.blocks; i++) {
            assert_true(code->load(&model.entries, &place, i, &block));
            assert_true(read + block.count <= model.count[group]);
            assert_block(group, read);
            read += block.count;
        }
        assert_int_equal(read, model.count[group]);
    }
}

static void assert_window(const struct entries_code *code, struct entries_cursor *cursor,
                          uint32_t group, enum basis basis, int32_t first_day, int32_t last_day)
{
    struct rollup_sums want = {.incidents = 5}; // added to what is there
    struct rollup_sums got = want;

    model_window(&model, group, basis, first_day, last_day, &want);
    if (model.spans) {
        assert_true(
            code->add_spans(&model.entries, cursor, group, basis, first_day, last_day, &got));
    } else {
        assert_true(code->add_cells(&model.entries, cursor, group, first_day, last_day, &got));
    }
    assert_same_sums(&got, &want);
}

static int32_t some_day(uint32_t group)
{
    if (model.count[group] > 0 && packed_below(&model.seed, 3) > 0) { // or a day beside one
        uint64_t at = packed_below(&model.seed, model.count[group]);
        const struct rollup_entry *entry = &model.entry[group][at];
        int32_t day = packed_below(&model.seed, 2) ? entry->first_day : entry->last_day;
        return day + (int32_t)packed_below(&model.seed, 3) - 1;
    }
    uint64_t days = (uint64_t)(model.last_day - model.first_day) + 60;
    return model.first_day - 30 + (int32_t)packed_below(&model.seed, days);
}

// The cursor comes from wherever the last look-up was.
static void assert_windows(const struct entries_code *code, unsigned rounds)
{
    struct entries_cursor cursor = {0};

    for (unsigned i = 0; i < rounds; i++) {
        uint32_t group = (uint32_t)packed_below(&model.seed, model.groups);
        int32_t one = some_day(group);
        int32_t other = packed_below(&model.seed, 4) > 0 ? some_day(group) : one;
        assert_window(code, &cursor, group, (enum basis)(i % 4), one < other ? one : other,
                      one < other ? other : one);
    }
    for (uint32_t group = 0; group < model.groups; group++) {
        for (int basis = BASIS_START; basis <= BASIS_INSIDE; basis++) {
            assert_window(code, &cursor, group, (enum basis)basis, DAY_MIN, DAY_MAX);
            assert_window(code, &cursor, group, (enum basis)basis, DAY_MIN, DAY_MIN);
            assert_window(code, &cursor, group, (enum basis)basis, DAY_MAX, DAY_MAX);
        }
    }
}

static void assert_holds(bool want)
{
    struct tally_err err;
    bool holds;

    assert_true(entries_verify(&model.entries, &holds, &err));
    assert_int_equal(holds, want);
}

// Encodes the model and reads it every way.
static void assert_comes_back(unsigned rounds)
{
    model_encode(&model);
    assert_holds(true);
    for (const struct entries_code *const *code = entries_codes(); *code; code++) {
        assert_entries_come_back(*code);
        if (model.groups > 0) {
            assert_windows(*code, rounds);
        }
    }
    model_done(&model);
}

static void groups_of_every_size_come_back(void **state)
{
    static const uint32_t measures[] = {0, 1, 3};

    (void)state;
    for (int spans = 0; spans < 2; spans++) {
        for (size_t m = 0; m < 3; m++) {
            for (int kind = MODEL_SMALL; kind <= MODEL_EXTREME; kind++) {
                model_init(&model, spans, measures[m], (uint64_t)kind);
                for (size_t i = 0; i < EDGES; i++) {
                    model_add_group(&model, edges[i], 1 + 9 * (uint32_t)(i % 4),
                                    (enum model_sums)kind);
                }
                assert_comes_back(1000);
            }
        }
    }
}

static void all_gaps_come_back(void **state)
{
    static const uint32_t spreads[] = {1, 2, 3, 30, 1000, 20000, 1000000};

    (void)state;
    for (int spans = 0; spans < 2; spans++) {
        for (size_t i = 0; i < sizeof spreads / sizeof *spreads; i++) {
            model_init(&model, spans, 1, i);
            model.last_day = DAY_MAX - 20000;
            model_add_group(&model, spreads[i] > 20000 ? 9 : 200, spreads[i], MODEL_SMALL);
            model_add_group(&model, spreads[i] > 20000 ? 6 : 150, spreads[i], MODEL_SMALL);
            assert_comes_back(1000);
        }
    }
}

static void as_many_measures_as_there_can_be_come_back(void **state)
{
    (void)state;
    for (int spans = 0; spans < 2; spans++) {
        model_init(&model, spans, ROLLUP_MEASURES_MAX, 7);
        model_add_group(&model, 70, 5, MODEL_SIGNED);
        model_add_group(&model, 130, 5, MODEL_EXTREME);
        assert_comes_back(300);
    }
}

static void groups_without_spans_between_others_come_back(void **state)
{
    (void)state;
    for (int spans = 0; spans < 2; spans++) {
        model_init(&model, spans, 1, 8);
        for (uint32_t i = 0; i < MODEL_GROUPS_MAX; i++) {
            model_add_group(&model, i % 5 == 0 ? 130 : i % 3 == 0 ? 2 : 0, 4, MODEL_SMALL);
        }
        assert_comes_back(3000);
    }
}

static void sections_without_entries_come_back(void **state)
{
    (void)state;
    for (int spans = 0; spans < 2; spans++) {
        for (uint32_t groups = 0; groups < 4; groups++) {
            model_init(&model, spans, groups % 3, 9);
            for (uint32_t i = 0; i < groups; i++) {
                model_add_group(&model, 0, 1, MODEL_SMALL);
            }
            assert_comes_back(20);
        }
    }
}

static void the_ends_of_the_calendar_come_back(void **state)
{
    (void)state;
    model_init(&model, false, 1, 10);
    model_add_group(&model, 2, 1, MODEL_SMALL);
    model.entry[0][0].first_day = model.entry[0][0].last_day = DAY_MAX;
    model.entry[0][1].first_day = model.entry[0][1].last_day = DAY_MIN;
    assert_comes_back(50);
    model_init(&model, true, 1, 11);
    model_add_group(&model, 1, 1, MODEL_SMALL);
    model.entry[0][0].first_day = DAY_MIN;
    model.entry[0][0].last_day = DAY_MAX;
    assert_comes_back(50);
}

static void greatest_sums_and_counts_come_back(void **state)
{
    const bytes_i128 most = (bytes_i128)1 << 96;

    (void)state;
    model_init(&model, false, 2, 12);
    model_add_group(&model, 300, 3, MODEL_SMALL);
    for (uint32_t i = 0; i < 300; i++) {
        struct rollup_sums *sums = &model.entry[0][i].sums;
        sums->incidents = sums->measure[0].reported = sums->measure[1].reported = UINT32_MAX;
        sums->measure[0].sum = most;
        sums->measure[1].sum = i % 2 ? most : -most;
    }
    assert_comes_back(1000);
}

// One cursor for all groups, whichever way it goes.
static void cursors_go_forward_backward_and_stay(void **state)
{
    (void)state;
    model_init(&model, false, 1, 13);
    for (uint32_t i = 0; i < MODEL_GROUPS_MAX; i++) {
        model_add_group(&model, 1 + i * 7 % 90, 3, MODEL_SMALL);
    }
    model_encode(&model);
    for (const struct entries_code *const *code = entries_codes(); *code; code++) {
        struct entries_cursor cursor = {0};
        for (uint32_t i = 0; i < 4 * MODEL_GROUPS_MAX; i++) {
            uint32_t step = i % MODEL_GROUPS_MAX;
            uint32_t group = i < MODEL_GROUPS_MAX       ? step
                             : i < 2 * MODEL_GROUPS_MAX ? MODEL_GROUPS_MAX - 1 - step
                             : i < 3 * MODEL_GROUPS_MAX ? step / 3
                                                        : step * 7 % MODEL_GROUPS_MAX;
            assert_window(*code, &cursor, group, BASIS_START, 17900, 18000);
        }
    }
    model_done(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_of_every_size_come_back),
        cmocka_unit_test(all_gaps_come_back),
        cmocka_unit_test(as_many_measures_as_there_can_be_come_back),
        cmocka_unit_test(groups_without_spans_between_others_come_back),
        cmocka_unit_test(sections_without_entries_come_back),
        cmocka_unit_test(the_ends_of_the_calendar_come_back),
        cmocka_unit_test(greatest_sums_and_counts_come_back),
        cmocka_unit_test(cursors_go_forward_backward_and_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
