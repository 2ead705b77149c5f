// tests/unit/rollup_look.h - single texts, cells and windows of a rollup, for tests.
#ifndef TESTS_UNIT_ROLLUP_LOOK_H
#define TESTS_UNIT_ROLLUP_LOOK_H

#include "store/rollup_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

enum { LOOK_TEXT_BYTES = 256 };

static inline void look_check(bool ok, const struct tally_err *err)
{
    if (!ok) {
        fail_msg("%s: %s", err->place, err->message);
    }
}

// A group's text of a dimension.
static inline void assert_look_text(const struct rollup *rollup, size_t group, size_t dim,
                                    const char *want)
{
    uint32_t values[ROLLUP_DIMS_MAX];
    char text[LOOK_TEXT_BYTES] = "";

    rollup_group_values(rollup, group, values);
    size_t bytes = rollup_value(rollup, dim, values[dim], text, sizeof text - 1);
    assert_true(bytes < sizeof text);
    text[bytes] = '\0';
    assert_string_equal(text, want);
}

// The group with these texts; -1: none.
static inline int64_t look_group(const struct rollup *rollup, const char *const *texts)
{
    uint32_t values[ROLLUP_DIMS_MAX];

    for (size_t dim = 0; dim < rollup_def(rollup)->dims_count; dim++) {
        if (!rollup_find_value(rollup, dim, texts[dim], strlen(texts[dim]), &values[dim])) {
            return -1;
        }
    }
    return rollup_find_group(rollup, values);
}

// Entry number `index` of all groups, one group after another, oldest first.
static inline struct rollup_entry look_entry(const struct rollup *rollup,
                                             enum rollup_walk_over over, uint64_t index)
{
    struct tally_err err = {.code = TALLY_OK};
    struct rollup_walk *walk = rollup_walk_open(rollup, over, &err);
    struct rollup_entry entry = {0};
    bool found = false;

    look_check(walk, &err);
    for (size_t group = 0; !found && group < rollup_groups(rollup); group++) {
        rollup_walk_group(walk, group);
        while (!found && rollup_walk_next(walk, &entry, &err)) {
            found = index-- == 0;
        }
        look_check(err.code == TALLY_OK, &err);
    }
    rollup_walk_close(walk);
    assert_true(found);
    return entry;
}

static inline int32_t look_cell(const struct rollup *rollup, uint64_t index,
                                struct rollup_sums *out_sums)
{
    struct rollup_entry entry = look_entry(rollup, ROLLUP_WALK_CELLS, index);

    *out_sums = entry.sums;
    return entry.first_day;
}

static inline void look_window(const struct rollup *rollup, size_t group, enum basis basis,
                               int32_t first_day, int32_t last_day, struct rollup_sums *sums)
{
    struct tally_err err;

    look_check(rollup_add_window(rollup, NULL, group, basis, first_day, last_day, sums, &err),
               &err);
}

#endif
