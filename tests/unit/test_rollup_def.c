// What a rollup is, and the bytes that say so.
#include "store/rollup_def.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void fill(struct rollup_def *def)
{
    struct tally_err err;

    *def = (struct rollup_def){0};
    assert_true(rollup_def_set_name(def, "civilian-harm", &err));
    assert_true(rollup_def_add_feed(def, "acled", &err));
    assert_true(rollup_def_add_feed(def, "ucdp", &err));
    assert_true(rollup_def_add_dim(def, "country", &err));
    assert_true(rollup_def_add_dim(def, "feed", &err));
    assert_true(rollup_def_add_measure(def, "killed", &err));
    assert_true(rollup_def_add_filter(def, "target", "civilians, aid*", &err));
    assert_true(rollup_def_add_window(def, 50, &err));
    assert_true(rollup_def_add_window(def, 365, &err));
    def->feeds[0].measures = 1;
}

static void definition_survives_encoding(void **state)
{
    struct rollup_def def;
    struct rollup_def copy;
    struct bytes bytes;
    struct bytes again;
    struct tally_err err;

    (void)state;
    fill(&def);
    bytes_init(&bytes);
    bytes_init(&again);
    rollup_def_encode(&def, &bytes);
    struct cursor cursor = cursor_over(bytes.data, bytes.count);
    assert_true(rollup_def_decode(&copy, &cursor, &err));
    assert_int_equal(cursor_left(&cursor), 0);
    rollup_def_encode(&copy, &again);
    assert_int_equal(again.count, bytes.count);
    assert_memory_equal(again.data, bytes.data, bytes.count);
    assert_string_equal(copy.name, "civilian-harm");
    assert_int_equal(rollup_def_find_dim(&copy, "feed"), 1);
    assert_int_equal(rollup_def_find_dim(&copy, "killed"), -1);
    assert_int_equal(rollup_def_find_measure(&copy, "killed"), 0);
    assert_int_equal(copy.feeds[0].measures, 1);
    assert_int_equal(copy.feeds[1].measures, 0);
    assert_true(filter_matches(&copy.filters[0], "aid worker", 10));
    assert_int_equal(copy.windows[1], 365);
    rollup_def_done(&copy);
    rollup_def_done(&def);
    bytes_done(&bytes);
    bytes_done(&again);
}

static void every_truncation_of_a_definition_is_corrupt(void **state)
{
    struct rollup_def def;
    struct rollup_def copy;
    struct bytes bytes;
    struct tally_err err;

    (void)state;
    fill(&def);
    bytes_init(&bytes);
    rollup_def_encode(&def, &bytes);
    for (size_t count = 0; count < bytes.count; count++) {
        unsigned char *exact = test_malloc(count + 1); // so that a sanitizer sees the end
        memcpy(exact, bytes.data, count);
        struct cursor cursor = cursor_over(exact, count);
        assert_false(rollup_def_decode(&copy, &cursor, &err));
        assert_int_equal(err.code, TALLY_CORRUPT);
        test_free(exact);
    }
    rollup_def_done(&def);
    bytes_done(&bytes);
}

static void any_flipped_bit_of_a_definition_is_survived(void **state)
{
    struct rollup_def def;
    struct rollup_def copy;
    struct bytes bytes;
    struct tally_err err;

    (void)state;
    fill(&def);
    bytes_init(&bytes);
    rollup_def_encode(&def, &bytes);
    for (size_t i = 0; i < bytes.count * 8; i++) {
        bytes.data[i / 8] ^= (unsigned char)(1 << i % 8);
        struct cursor cursor = cursor_over(bytes.data, bytes.count);
        if (rollup_def_decode(&copy, &cursor, &err)) {
            assert_true(copy.feeds_count <= ROLLUP_FEEDS_MAX);
            assert_true(copy.dims_count <= ROLLUP_DIMS_MAX);
            rollup_def_done(&copy);
        }
        bytes.data[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    rollup_def_done(&def);
    bytes_done(&bytes);
}

static void wrong_names_are_refused(void **state)
{
    struct rollup_def def = {0};
    struct tally_err err;
    char longest[ROLLUP_NAME_BYTES_MAX + 2];

    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_false(rollup_def_set_name(&def, "", &err));
    assert_false(rollup_def_set_name(&def, ".hidden", &err));
    assert_false(rollup_def_set_name(&def, "../up", &err));
    assert_false(rollup_def_set_name(&def, "a/b", &err));
    assert_false(rollup_def_set_name(&def, longest, &err));
    assert_true(rollup_def_set_name(&def, longest + 1, &err));
    assert_true(rollup_def_add_dim(&def, "country", &err));
    assert_false(rollup_def_add_dim(&def, "country", &err));
    assert_non_null(strstr(err.message, "twice"));
    assert_true(rollup_def_add_feed(&def, "acled", &err));
    assert_false(rollup_def_add_feed(&def, "acled", &err));
    assert_false(rollup_def_add_measure(&def, "", &err));
    rollup_def_done(&def);
}

static void windows_have_bounds_and_differ(void **state)
{
    struct rollup_def def = {0};
    struct tally_err err;

    (void)state;
    assert_false(rollup_def_add_window(&def, 0, &err));
    assert_false(rollup_def_add_window(&def, ROLLUP_WINDOW_DAYS_MAX + 1, &err));
    assert_true(rollup_def_add_window(&def, ROLLUP_WINDOW_DAYS_MAX, &err));
    assert_false(rollup_def_add_window(&def, ROLLUP_WINDOW_DAYS_MAX, &err));
    for (uint32_t i = 1; i < ROLLUP_WINDOWS_MAX; i++) {
        assert_true(rollup_def_add_window(&def, i, &err));
    }
    assert_false(rollup_def_add_window(&def, 999, &err));
    assert_int_equal(err.code, TALLY_LIMIT);
    rollup_def_done(&def);
}

static void every_list_has_its_bound(void **state)
{
    struct rollup_def def = {0};
    struct tally_err err;
    char name[16];

    (void)state;
    for (int i = 0; i <= ROLLUP_FEEDS_MAX; i++) {
        snprintf(name, sizeof name, "n%d", i);
        assert_int_equal(rollup_def_add_feed(&def, name, &err), i < ROLLUP_FEEDS_MAX);
        assert_int_equal(rollup_def_add_dim(&def, name, &err), i < ROLLUP_DIMS_MAX);
        assert_int_equal(rollup_def_add_measure(&def, name, &err), i < ROLLUP_MEASURES_MAX);
        assert_int_equal(rollup_def_add_filter(&def, name, "x", &err), i < ROLLUP_FILTERS_MAX);
    }
    assert_true(rollup_def_add_filter(&def, "n0", "y", &err)); // widens the first
    assert_int_equal(def.filters[0].patterns_count, 2);
    rollup_def_done(&def);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(definition_survives_encoding),
        cmocka_unit_test(every_truncation_of_a_definition_is_corrupt),
        cmocka_unit_test(any_flipped_bit_of_a_definition_is_survived),
        cmocka_unit_test(wrong_names_are_refused),
        cmocka_unit_test(windows_have_bounds_and_differ),
        cmocka_unit_test(every_list_has_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
