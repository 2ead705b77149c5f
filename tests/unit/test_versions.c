// Rows of tally_versions, as servers say them: what cannot be is not taken, and what fits no shape
// is not applied.
#include "store/cluster/versions.h"
#include "base/day.h"
#include "store/id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct told {
    size_t id_bytes;
    uint8_t op;
    int32_t first_day;
    int32_t last_day;
    size_t dims;
    size_t measures;
    size_t cut; // bytes that are missing
    bool taken;
    bool fits; // the shape of two dimensions and one measure
};

static const struct told rows[] = {
    {3, VERSION_COUNTS, 5, 7, 2, 1, 0, true, true},
    {3, VERSION_WITHDRAWN, 5, 7, 2, 1, 0, true, true},
    {3, VERSION_BURIED, 0, 0, 2, 1, 0, true, true},
    {ID_BYTES_MAX, VERSION_COUNTS, DAY_MIN, DAY_MAX, 2, 1, 0, true, true},
    {3, VERSION_COUNTS, 5, 7, 1, 1, 0, true, false},
    {3, VERSION_COUNTS, 5, 7, 2, 2, 0, true, false},
    {100, VERSION_COUNTS, 5, 7, 2, 0, 0, true, false},
    {ID_BYTES_MAX + 1, VERSION_COUNTS, 5, 7, 2, 1, 0, false, false},
    {3, VERSION_BURIED + 1, 5, 7, 2, 1, 0, false, false},
    {3, VERSION_COUNTS, 7, 5, 2, 1, 0, false, false},
    {3, VERSION_COUNTS, DAY_MIN - 1, 5, 2, 1, 0, false, false},
    {3, VERSION_COUNTS, 5, DAY_MAX + 1, 2, 1, 0, false, false},
    {3, VERSION_COUNTS, 5, 7, SHAPE_DIMS_MAX + 1, 1, 0, false, false},
    {3, VERSION_COUNTS, 5, 7, 2, SHAPE_MEASURES_MAX + 1, 0, false, false},
    {3, VERSION_COUNTS, 5, 7, 2, 1, 1, false, false},
    {3, VERSION_COUNTS, 5, 7, 2, 1, 30, false, false},
    {3, VERSION_COUNTS, 5, 7, 2, 1, 60, false, false},
};

static void put(const struct told *told, uint64_t shape, struct bytes *out)
{
    static char id[ID_BYTES_MAX + 1];

    memset(id, 'i', sizeof id);
    bytes_put_text(out, id, told->id_bytes);
    bytes_put_u8(out, told->op);
    bytes_put_text(out, "1", 1);
    bytes_put_u64(out, shape);
    bytes_put_u32(out, (uint32_t)told->first_day);
    bytes_put_u32(out, (uint32_t)told->last_day);
    bytes_put_u64(out, 1);
    bytes_put_varint(out, told->dims);
    for (size_t i = 0; i < told->dims; i++) {
        bytes_put_text(out, "Chad", 4);
    }
    bytes_put_varint(out, told->measures);
    for (size_t i = 0; i < told->measures; i++) {
        bytes_put_u64(out, 3);
    }
    for (uint64_t i = 0; i < 3; i++) { // batch, record, line
        bytes_put_u64(out, 20 + i);
    }
    out->count -= told->cut;
}

static void apply(const struct told *told, const struct version *version,
                  const struct shapes *shapes)
{
    struct tally_err err = {0};
    struct state state;

    assert_true(state_init(&state, &err));
    bool ok = version_apply(version, shapes, 1, &state, &err);
    assert_int_equal(ok, told->fits);
    assert_true(ok || err.code == TALLY_CORRUPT);
    assert_int_equal(state_incidents(&state), told->fits);
    state_done(&state);
}

static void only_what_can_be_is_taken(void **state)
{
    static const char *const dims[] = {"country", "kind"};
    static const char *const measures[] = {"killed"};
    struct tally_err err;
    struct shape *shape = shape_open("a", dims, 2, measures, 1, &err);
    struct shapes_entry entry = {.hash = 77, .shape = shape};
    const struct shapes known = {.entry = &entry, .count = 1};
    const struct shapes none = {0};

    (void)state;
    assert_non_null(shape);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct version version;
        struct bytes bytes;
        bytes_init(&bytes);
        put(&rows[i], entry.hash, &bytes);
        struct cursor in = cursor_over(bytes.data, bytes.count);
        if (version_take(&version, &in) != rows[i].taken) {
            fail_msg("row %zu", i);
        }
        if (rows[i].taken) {
            struct told stranger = rows[i];
            stranger.fits = false;
            apply(&rows[i], &version, &known);
            apply(&stranger, &version, &none);
        }
        bytes_done(&bytes);
    }
    shape_close(shape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_can_be_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
