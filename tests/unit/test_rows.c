// Chunks of rows and the shapes that say how wide they are.
#include "store/rows.h"
#include "store/shape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *const names[] = {"country", "admin1", "actor"};

static struct shape *open_shape(size_t dims_count, size_t measures_count)
{
    static const char *const measures[] = {"killed", "wounded"};
    struct tally_err err;
    struct shape *shape = shape_open("acled", names, dims_count, measures, measures_count, &err);

    assert_non_null(shape);
    return shape;
}

static void shape_survives_encoding(void **state)
{
    struct shape *shape = open_shape(3, 2);
    struct bytes bytes;
    struct tally_err err;

    (void)state;
    bytes_init(&bytes);
    shape_encode(shape, &bytes);
    struct cursor cursor = cursor_over(bytes.data, bytes.count);
    struct shape *copy = shape_decode(&cursor, &err);
    assert_non_null(copy);
    assert_true(shape_equal(shape, copy));
    assert_int_equal(shape_find_dim(copy, "actor"), 2);
    assert_int_equal(shape_find_measure(copy, "killed"), 0);
    assert_int_equal(shape_find_measure(copy, "actor"), -1);
    shape_close(copy);
    for (size_t count = 0; count < bytes.count; count++) {
        cursor = cursor_over(bytes.data, count);
        assert_null(shape_decode(&cursor, &err));
        assert_int_equal(err.code, TALLY_CORRUPT);
    }
    bytes_done(&bytes);
    shape_close(shape);
}

static void shape_refuses_too_many_dimensions(void **state)
{
    const char *many[SHAPE_DIMS_MAX + 1];
    struct tally_err err;

    (void)state;
    for (size_t i = 0; i <= SHAPE_DIMS_MAX; i++) {
        many[i] = "x";
    }
    assert_null(shape_open("f", many, SHAPE_DIMS_MAX + 1, NULL, 0, &err));
    assert_int_equal(err.code, TALLY_INVALID);
}

static void chunk_keeps_rows_texts_and_rejects(void **state)
{
    struct shape *shape = open_shape(3, 2);
    struct rows rows;
    struct tally_err err;

    (void)state;
    rows_init(&rows);
    rows_clear(&rows, shape);
    for (uint32_t i = 0; i < 1000; i++) {
        struct row *row = rows_add(&rows, &err);
        assert_non_null(row);
        row->record = i;
        assert_int_equal(rows_dims(&rows, i)[2], 0);
        rows_dims(&rows, i)[2] = i;
        rows_measures(&rows, i)[1] = -(int64_t)i;
        assert_true(rows_add_text(&rows, "some id", 7, &rows.row[i].id, &err));
    }
    assert_int_equal(rows_dims(&rows, 777)[2], 777);
    assert_int_equal(rows_measures(&rows, 777)[1], -777);
    assert_int_equal(rows_measures(&rows, 777)[0], 0);
    assert_memory_equal(rows_text(&rows, rows.row[999].id), "some id", 7);
    assert_true(rows_bytes(&rows) > 1000 * sizeof(struct row));
    assert_non_null(rows_add_reject(&rows, &err));
    assert_true(rows_add_new_text(&rows, 2, rows.row[0].id, &err));
    rows_done(&rows);
    shape_close(shape);
}

static void chunk_is_reused_for_a_wider_shape(void **state)
{
    struct shape *narrow = open_shape(0, 0);
    struct shape *wide = open_shape(3, 2);
    struct rows rows;
    struct tally_err err;

    (void)state;
    rows_init(&rows);
    rows_clear(&rows, narrow);
    for (size_t i = 0; i < 100; i++) {
        assert_non_null(rows_add(&rows, &err));
    }
    rows_clear(&rows, NULL);
    rows_clear(&rows, wide);
    assert_int_equal(rows.count, 0);
    for (size_t i = 0; i < 100; i++) {
        assert_non_null(rows_add(&rows, &err));
        rows_dims(&rows, i)[2] = 1;
    }
    rows_done(&rows);
    shape_close(narrow);
    shape_close(wide);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shape_survives_encoding),
        cmocka_unit_test(shape_refuses_too_many_dimensions),
        cmocka_unit_test(chunk_keeps_rows_texts_and_rejects),
        cmocka_unit_test(chunk_is_reused_for_a_wider_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
