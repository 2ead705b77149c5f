// Packed lists of day cells give back what was packed, and groups are numbered as they come.
#include "store/cells_group.h"

#include "tests/unit/packed.h"

enum { ENTRIES = 300 };

struct listed {
    struct cells_groups groups;
    unsigned char *data;
    uint32_t order[ENTRIES];
    struct cells_list list;
    struct tally_err err;
};

static struct cells_entry *entry_of(const struct listed *listed, uint32_t index)
{
    return (struct cells_entry *)(void *)(listed->data + index * listed->groups.stride);
}

static void make_entry(struct listed *listed, uint32_t index, int32_t day, unsigned bits,
                       uint64_t *seed)
{
    struct cells_entry *entry = entry_of(listed, index);

    memset(entry, 0, listed->groups.stride);
    entry->first_day = day;
    entry->last_day = day + (int32_t)packed_number(seed, bits < 20 ? bits : 20);
    entry->incidents = 1 + (uint32_t)packed_number(seed, bits < 31 ? bits : 31);
    for (size_t m = 0; m < listed->groups.measures_count; m++) {
        bytes_i128 sum = (bytes_i128)packed_number(seed, bits < 64 ? bits : 64);
        sum <<= bits > 64 ? packed_below(seed, bits - UINT64_C(63)) : 0;
        uint32_t reported = (uint32_t)packed_below(seed, entry->incidents + UINT64_C(1));
        cells_entry_set(&listed->groups, entry, m, packed_below(seed, 3) ? sum : -sum,
                        packed_below(seed, 2) ? entry->incidents : reported);
    }
}

static void open_list(struct listed *listed, size_t measures, unsigned bits, uint64_t seed)
{
    int32_t day = -400000;

    assert_true(cells_groups_init(&listed->groups, 2, measures, &listed->err));
    listed->data = malloc(ENTRIES * listed->groups.stride);
    assert_non_null(listed->data);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        day += 2 + (int32_t)packed_number(&seed, bits < 14 ? bits : 14);
        make_entry(listed, ENTRIES - 1 - i, day, bits, &seed);
        listed->order[i] = ENTRIES - 1 - i;
    }
    assert_true(cells_list_pack(&listed->groups, listed->data, listed->order, ENTRIES,
                                &listed->list, &listed->err));
}

static void close_list(struct listed *listed)
{
    free(listed->data);
    free(listed->list.data);
    cells_groups_done(&listed->groups);
}

static void packed_entries_come_back_and_are_found(void **state)
{
    static const unsigned bits[] = {0, 1, 7, 8, 15, 16, 31, 32, 63, 64, 96};
    static const size_t measures[] = {0, 1, 2, ROLLUP_MEASURES_MAX};

    (void)state;
    for (size_t at = 0; at < sizeof bits / sizeof *bits * 4; at++) {
        struct listed listed;
        struct cells_columns columns;
        struct cells_room room;
        uint32_t index;
        open_list(&listed, measures[at % 4], bits[at / 4], at);
        cells_list_open(&listed.groups, &listed.list, &columns);
        assert_int_equal(columns.count, ENTRIES);
        for (uint32_t i = 0; i < ENTRIES; i++) {
            const struct cells_entry *want = entry_of(&listed, listed.order[i]);
            cells_list_get(&listed.groups, &columns, i, &room.entry);
            assert_memory_equal(&room.entry, want,
                                sizeof *want + measures[at % 4] * (sizeof(bytes_i128) + 4));
            for (uint32_t guess = 0; guess < ENTRIES; guess += 1 + guess / 4) {
                assert_true(
                    cells_list_find(&columns, guess, want->first_day, want->last_day, &index));
                assert_int_equal(index, i);
                assert_false(
                    cells_list_find(&columns, guess, want->first_day + 1, want->last_day, &index));
                assert_false(
                    cells_list_find(&columns, guess, want->first_day, want->last_day + 1, &index));
                assert_false(
                    cells_list_find(&columns, guess, want->first_day - 1, want->last_day, &index));
            }
        }
        close_list(&listed);
    }
}

static void guess_is_near_where_days_are_even(void **state)
{
    const struct cells_list list = {.count = 100, .first_day = -50};

    (void)state;
    for (int32_t i = 0; i < 100; i++) {
        assert_int_equal(cells_list_guess(&list, -50 + 3 * i, 249), i);
    }
    assert_int_equal(cells_list_guess(&list, -51, 249), 0);
    assert_int_equal(cells_list_guess(&list, DAY_MIN, DAY_MAX), 0);
    assert_int_equal(cells_list_guess(&list, 250, 249), 99);
    assert_int_equal(cells_list_guess(&list, DAY_MAX, -51), 0);
    assert_int_equal(cells_list_guess(&(struct cells_list){0}, DAY_MAX, DAY_MIN), 0);
}

// As most are: an offset of 2 bytes, a count of 1, a sum of 1, and everybody reported it.
static void ordinary_cell_takes_a_few_bytes(void **state)
{
    struct cells_groups groups;
    struct cells_list list;
    struct tally_err err;
    unsigned char *data;

    (void)state;
    assert_true(cells_groups_init(&groups, 0, 1, &err));
    data = calloc(ENTRIES, groups.stride);
    assert_non_null(data);
    for (int32_t i = 0; i < ENTRIES; i++) {
        struct cells_entry *entry =
            (struct cells_entry *)(void *)(data + (size_t)i * groups.stride);
        entry->first_day = entry->last_day = 18000 + 7 * i;
        entry->incidents = 2;
        cells_entry_set(&groups, entry, 0, i % 100, 2);
    }
    assert_true(cells_list_pack(&groups, data, NULL, ENTRIES, &list, &err));
    assert_int_equal(list.data[0], 2);
    assert_int_equal(list.data[1], 0);
    assert_int_equal(list.data[2], 1);
    assert_int_equal(list.data[3], 1);
    assert_int_equal(list.data[4], 0);
    free(data);
    free(list.data);
    cells_groups_done(&groups);
}

static void empty_list_has_no_entry(void **state)
{
    struct cells_groups groups;
    struct cells_list list = {.count = 9};
    struct cells_columns columns;
    struct tally_err err;
    uint32_t index;

    (void)state;
    assert_true(cells_groups_init(&groups, 0, 1, &err));
    assert_true(cells_list_pack(&groups, NULL, NULL, 0, &list, &err));
    assert_null(list.data);
    cells_list_open(&groups, &list, &columns);
    assert_int_equal(columns.count, 0);
    assert_false(cells_list_find(&columns, 0, 0, 0, &index));
    cells_groups_done(&groups);
}

static void keys_are_numbered_as_they_come(void **state)
{
    enum { KEYS = 5000 };
    struct cells_keys keys;
    struct tally_err err;
    uint32_t number;

    (void)state;
    for (size_t dims = 0; dims <= 3; dims++) {
        assert_true(cells_keys_init(&keys, dims, &err));
        for (uint32_t round = 0; round < 2; round++) {
            for (uint32_t i = 0; i < KEYS; i++) {
                const uint32_t codes[3] = {i, i % 7, UINT32_MAX - i};
                assert_true(cells_keys_find(&keys, codes, &number, &err));
                assert_int_equal(number, dims > 0 ? i : 0);
                assert_memory_equal(cells_keys_codes(&keys, number), codes, dims * sizeof *codes);
            }
        }
        assert_int_equal(keys.count, dims > 0 ? KEYS : 1);
        cells_keys_done(&keys);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_entries_come_back_and_are_found),
        cmocka_unit_test(guess_is_near_where_days_are_even),
        cmocka_unit_test(ordinary_cell_takes_a_few_bytes),
        cmocka_unit_test(empty_list_has_no_entry),
        cmocka_unit_test(keys_are_numbered_as_they_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
