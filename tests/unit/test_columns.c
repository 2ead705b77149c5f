// Columns of packed numbers: whatever was put comes back, and nothing else decodes.
#include "store/columns.h"

#include "tests/unit/packed.h"

enum { DIMS = 3, USED = COLUMN_DIMS + DIMS };

// Memory that ends where the bytes do, so that sanitizers see what reads on.
static unsigned char *copy_of(const struct bytes *bytes, size_t count)
{
    unsigned char *copy = malloc(count + !count);

    assert_non_null(copy);
    return memcpy(copy, bytes->data, count);
}

static void decodes_as(const struct columns *want, const struct bytes *bytes)
{
    struct columns *got = malloc(sizeof *got);
    unsigned char *copy = copy_of(bytes, bytes->count);

    assert_non_null(got);
    assert_true(columns_decode(got, DIMS, cursor_over(copy, bytes->count)));
    assert_int_equal(got->count, want->count);
    for (int column = 0; column < USED; column++) {
        assert_memory_equal(got->value[column], want->value[column],
                            want->count * sizeof(uint64_t));
    }
    free(copy);
    free(got);
}

// Written by every code that this machine runs, to the same bytes.
static void come_back(const struct columns *columns)
{
    struct bytes bytes;

    bytes_init(&bytes);
    columns_encode(columns, &bytes);
    assert_true(bytes.ok);
    decodes_as(columns, &bytes);
    for (enum cpu_level level = CPU_ANY; level <= cpu_level(); level++) {
        struct bytes again;
        bytes_init(&again);
        columns_code(level)->encode(columns, &again);
        assert_true(again.ok);
        assert_int_equal(again.count, bytes.count);
        assert_memory_equal(again.data, bytes.data, bytes.count);
        bytes_done(&again);
    }
    bytes_done(&bytes);
}

static struct columns *make(uint32_t count)
{
    struct columns *columns = calloc(1, sizeof *columns);

    assert_non_null(columns);
    columns->count = count;
    columns->dims_count = DIMS;
    return columns;
}

static void numbers_of_every_width_come_back(void **state)
{
    static const uint32_t counts[] = {1, 2, 7, 8, 9, 300, COLUMNS_ROWS_MAX};
    uint64_t random = 1;

    (void)state;
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        struct columns *columns = make(counts[c]);
        for (unsigned width = 0; width <= 64; width++) {
            for (int column = 0; column < USED; column++) {
                for (uint32_t i = 0; i < counts[c]; i++) {
                    random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
                    uint64_t value = width == 0 ? 0 : random >> (64 - width);
                    columns->value[column][i] = column % 2 ? value : (uint64_t) - (int64_t)value;
                }
            }
            come_back(columns);
        }
        free(columns);
    }
}

static void extremes_and_steps_come_back(void **state)
{
    static const uint64_t extremes[] = {0, UINT64_MAX, INT64_MAX, (uint64_t)INT64_MIN, 1};
    struct columns *columns = make(50);

    (void)state;
    for (int column = 0; column < USED; column++) {
        for (uint32_t i = 0; i < 50; i++) {
            columns->value[column][i] = column < 4 ? extremes[(i * 7 + (unsigned)column) % 5]
                                                   : (uint64_t)column * i + 1000000;
        }
    }
    come_back(columns);
    free(columns);
}

// What counts up by one, as records and lines do, takes a few bytes whatever the number of rows.
static void rows_that_follow_each_other_cost_nothing(void **state)
{
    struct columns *columns = make(COLUMNS_ROWS_MAX);
    struct bytes bytes;

    (void)state;
    for (uint32_t i = 0; i < COLUMNS_ROWS_MAX; i++) {
        columns->value[COLUMN_RECORD][i] = 70000 + i;
        columns->value[COLUMN_NUMBER][i] = 5000000 - i;
    }
    bytes_init(&bytes);
    columns_encode(columns, &bytes);
    assert_true(bytes.count < 80);
    decodes_as(columns, &bytes);
    bytes_done(&bytes);
    free(columns);
}

static void every_truncation_and_wrong_shape_is_malformed(void **state)
{
    struct columns *columns = make(20);
    struct columns *got = malloc(sizeof *got);
    struct bytes bytes;

    (void)state;
    assert_non_null(got);
    for (int column = 0; column < USED; column++) {
        for (uint32_t i = 0; i < 20; i++) {
            columns->value[column][i] = i * i * (unsigned)column;
        }
    }
    bytes_init(&bytes);
    columns_encode(columns, &bytes);
    for (size_t cut = 0; cut < bytes.count; cut++) {
        unsigned char *copy = copy_of(&bytes, cut);
        assert_false(columns_decode(got, DIMS, cursor_over(copy, cut)));
        free(copy);
    }
    assert_false(columns_decode(got, DIMS - 1, cursor_over(bytes.data, bytes.count)));
    bytes_put_u8(&bytes, 0);
    assert_false(columns_decode(got, DIMS, cursor_over(bytes.data, bytes.count)));
    bytes_clear(&bytes);
    bytes_put_varint(&bytes, COLUMNS_ROWS_MAX + 1);
    bytes_put(&bytes, columns, 4096);
    assert_false(columns_decode(got, DIMS, cursor_over(bytes.data, bytes.count)));
    bytes.data[0] = 0; // no rows at all
    assert_false(columns_decode(got, DIMS, cursor_over(bytes.data, bytes.count)));
    bytes_done(&bytes);
    free(columns);
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_every_width_come_back),
        cmocka_unit_test(extremes_and_steps_come_back),
        cmocka_unit_test(rows_that_follow_each_other_cost_nothing),
        cmocka_unit_test(every_truncation_and_wrong_shape_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
