#include "report/select.h"

#include "base/day.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES_MAX = 256 }; // a longer text is found by trying all

int32_t select_end_day(const struct rollup *rollup)
{
    int32_t last_day = rollup_last_day(rollup);
    int32_t covered = DAY_MIN;

    for (size_t i = 0; i < rollup_def(rollup)->feeds_count; i++) {
        struct rollup_coverage coverage = rollup_coverage(rollup, i);
        if (coverage.any && coverage.last_day > covered) {
            covered = coverage.last_day;
        }
    }
    return covered > DAY_MIN && covered < last_day ? covered : last_day;
}

// For each dimension that has a condition: which of its distinct values pass.
struct passes {
    unsigned char *pass; // of all these dimensions, one after the other
    bool asked[ROLLUP_DIMS_MAX];
    size_t first[ROLLUP_DIMS_MAX]; // in pass, of a dimension that is asked
};

static bool passes_init(struct passes *passes, const struct select *select,
                        const struct where *where, struct tally_err *err)
{
    size_t count = 0;

    *passes = (struct passes){0};
    for (size_t i = 0; i < where->count; i++) {
        passes->asked[where->dim[i]] = true;
        passes->first[where->dim[i]] = count;
        count += rollup_values(select->rollup, where->dim[i]);
    }
    passes->pass = calloc(count + 1, sizeof *passes->pass);
    if (!passes->pass) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for %zu values", count);
    }
    for (size_t i = 0; i < where->count; i++) {
        size_t dim = where->dim[i];
        for (size_t value = 0; value < select->texts[dim].count; value++) {
            size_t bytes;
            const char *text = rollup_texts_get(&select->texts[dim], value, &bytes);
            passes->pass[passes->first[dim] + value] = where_matches(where, dim, text, bytes);
        }
    }
    return true;
}

static uint32_t value_of(const struct select *select, size_t group, size_t dim)
{
    return select->values[(group - select->first) * rollup_def(select->rollup)->dims_count + dim];
}

static bool group_passes(const struct select *select, const struct passes *passes, size_t group)
{
    for (size_t dim = 0; dim < rollup_def(select->rollup)->dims_count; dim++) {
        if (passes->asked[dim] &&
            !passes->pass[passes->first[dim] + value_of(select, group, dim)]) {
            return false;
        }
    }
    return true;
}

static int compare_by(const struct select *select, size_t a, size_t b)
{
    for (size_t i = 0; i < select->by.count; i++) {
        uint32_t value_a = value_of(select, a, select->by.dim[i]);
        uint32_t value_b = value_of(select, b, select->by.dim[i]);
        if (value_a != value_b) {
            return value_a < value_b ? -1 : 1;
        }
    }
    return 0;
}

static int compare_groups(const void *a, const void *b, void *context)
{
    size_t group_a = *(const size_t *)a;
    size_t group_b = *(const size_t *)b;
    int order = compare_by(context, group_a, group_b);

    return order != 0 ? order : (group_a > group_b) - (group_a < group_b);
}

static bool is_prefix(const struct by *by)
{
    for (size_t i = 0; i < by->count; i++) {
        if (by->dim[i] != i) {
            return false;
        }
    }
    return true;
}

static void make_rows(struct select *select)
{
    for (size_t i = 0; i < select->groups_count; i++) {
        if (i == 0 || compare_by(select, select->group[i - 1], select->group[i]) != 0) {
            select->row[select->rows_count++] = (struct select_row){.first = i};
        }
        select->row[select->rows_count - 1].count++;
    }
    if (select->by.count == 0 && select->rows_count == 0) {
        select->row[select->rows_count++] = (struct select_row){.first = 0};
    }
}

static void find_measures(struct select *select, const struct where *where)
{
    const struct rollup_def *def = rollup_def(select->rollup);

    select->measures = where_measures(where, def, NULL, 0);
    for (size_t row = 0; row < select->rows_count; row++) {
        select->row[row].measures = select->measures;
        for (size_t i = 0; i < select->by.count; i++) {
            if (strcmp(def->dims[select->by.dim[i]], ROLLUP_DIM_FEED) == 0) {
                size_t bytes;
                const char *feed = select_text(select, row, i, &bytes);
                select->row[row].measures = where_measures(where, def, feed, bytes);
            }
        }
    }
}

static bool make_room(struct select *select, size_t groups, struct tally_err *err)
{
    size_t dims = rollup_def(select->rollup)->dims_count;

    select->values = calloc(groups * dims + 1, sizeof *select->values);
    select->group = calloc(groups + 1, sizeof *select->group);
    select->row = calloc(groups + 1, sizeof *select->row);
    return (select->values && select->group && select->row) ||
           err_set(err, TALLY_NO_MEMORY, "no memory for %zu groups", groups);
}

static bool take_texts(struct select *select, const bool needed[ROLLUP_DIMS_MAX],
                       struct tally_err *err)
{
    bool ok = true;

    for (size_t dim = 0; ok && dim < rollup_def(select->rollup)->dims_count; dim++) {
        ok = !needed[dim] || rollup_texts_init(&select->texts[dim], select->rollup, dim, err);
    }
    return ok;
}

// Tries every group.
static bool filter_groups(struct select *select, const struct where *where, struct tally_err *err)
{
    size_t groups = rollup_groups(select->rollup);
    struct passes passes;

    if (!make_room(select, groups, err) || !passes_init(&passes, select, where, err)) {
        return false;
    }
    rollup_all_values(select->rollup, select->values);
    for (size_t group = 0; group < groups; group++) {
        if (group_passes(select, &passes, group)) {
            select->group[select->groups_count++] = group;
        }
    }
    free(passes.pass);
    return true;
}

// Where the conditions leave one text of each dimension, the group is found as by a key. False:
// they leave more. *out_group: -1 if there is none such.
static bool find_group(const struct select *select, const struct where *where, int64_t *out_group)
{
    uint32_t values[ROLLUP_DIMS_MAX];
    bool known = true;

    if (where->count < rollup_def(select->rollup)->dims_count) {
        return false;
    }
    for (size_t i = 0; i < where->count; i++) {
        char text[KEY_BYTES_MAX];
        size_t bytes;
        size_t dim = where->dim[i];
        if (!filter_text(&where->filter[i], text, sizeof text, &bytes)) {
            return false;
        }
        known = known && rollup_find_value(select->rollup, dim, text, bytes, &values[dim]);
    }
    *out_group = known ? rollup_find_group(select->rollup, values) : -1;
    return true;
}

static bool take_group(struct select *select, int64_t group, struct tally_err *err)
{
    if (!make_room(select, 1, err)) {
        return false;
    }
    if (group >= 0) {
        select->first = (size_t)group;
        select->group[select->groups_count++] = (size_t)group;
        rollup_group_values(select->rollup, (size_t)group, select->values);
    }
    return true;
}

bool select_init(struct select *select, const struct rollup *rollup, const struct where *where,
                 const struct by *by, struct tally_err *err)
{
    bool needed[ROLLUP_DIMS_MAX] = {false};
    int64_t group;

    *select = (struct select){.rollup = rollup, .by = *by};
    bool is_one = find_group(select, where, &group);
    for (size_t i = 0; i < by->count; i++) {
        needed[by->dim[i]] = true;
    }
    for (size_t i = 0; i < where->count; i++) {
        needed[where->dim[i]] |= !is_one;
    }
    if (!take_texts(select, needed, err) ||
        !(is_one ? take_group(select, group, err) : filter_groups(select, where, err))) {
        select_done(select);
        return false;
    }
    if (!is_prefix(by)) {
        qsort_r(select->group, select->groups_count, sizeof *select->group, compare_groups, select);
    }
    make_rows(select);
    find_measures(select, where);
    return true;
}

bool select_each_group(struct select *select, const struct rollup *rollup,
                       const struct where *where, struct tally_err *err)
{
    static const struct where everything = {.count = 0};
    struct by by = {.count = rollup_def(rollup)->dims_count};

    for (size_t dim = 0; dim < by.count; dim++) {
        by.dim[dim] = dim;
    }
    return select_init(select, rollup, where ? where : &everything, &by, err);
}

void select_done(struct select *select)
{
    for (size_t dim = 0; dim < ROLLUP_DIMS_MAX; dim++) {
        rollup_texts_done(&select->texts[dim]);
    }
    free(select->values);
    free(select->group);
    free(select->row);
}

const char *select_text(const struct select *select, size_t row, size_t position, size_t *out_bytes)
{
    size_t dim = select->by.dim[position];
    size_t group = select->group[select->row[row].first];

    return rollup_texts_get(&select->texts[dim], value_of(select, group, dim), out_bytes);
}

bool select_window(const struct select *select, struct rollup_cursor *cursor, size_t row,
                   enum basis basis, int32_t first_day, int32_t last_day,
                   struct rollup_sums *out_sums, struct tally_err *err)
{
    const struct select_row *of = &select->row[row];
    struct rollup_cursor none;

    if (!cursor) {
        none.cells.set = none.spans.set = false;
        cursor = &none;
    }
    rollup_sums_clear(out_sums, rollup_def(select->rollup)->measures_count);
    for (size_t i = of->first; i < of->first + of->count; i++) {
        if (!rollup_add_window(select->rollup, cursor, select->group[i], basis, first_day, last_day,
                               out_sums, err)) {
            return false;
        }
    }
    return true;
}

void sums_add(struct rollup_sums *sums, const struct rollup_sums *more, size_t measures_count)
{
    sums->incidents += more->incidents;
    for (size_t m = 0; m < measures_count; m++) {
        sums->measure[m].sum += more->measure[m].sum;
        sums->measure[m].reported += more->measure[m].reported;
    }
}
