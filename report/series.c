// The windows of a series, by differences.
//
// A window of N days that ends on day e holds an incident of the days f .. l exactly when e lies in
//
//     start    f .. f+N-1          overlap  f .. l+N-1
//     end      l .. l+N-1          inside   l .. f+N-1  (nothing for an incident longer than N)
//
// so each incident adds its figures at the first such e and takes them off behind the last one;
// running sums then give every window. Cells hold all incidents by their first day: for a basis
// other than start, spans are taken off there and put where they belong.
#include "report/select.h"

#include <stdlib.h>
#include <string.h>

bool series_init(struct series *series, size_t measures_count, enum basis basis, uint32_t days,
                 int32_t from, int32_t to, struct tally_err *err)
{
    size_t width = 1 + 2 * measures_count;
    size_t count = (size_t)((int64_t)to - from + 1);
    bytes_i128 *step = calloc(count, width * sizeof *step);

    if (!step) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a series of %zu days", count);
    }
    *series = (struct series){.step = step,
                              .width = width,
                              .measures_count = measures_count,
                              .from = from,
                              .to = to,
                              .days = days,
                              .basis = basis};
    return true;
}

void series_done(struct series *series)
{
    free(series->step);
}

static void add_step(struct series *series, int64_t day, const struct rollup_sums *sums, int sign)
{
    bytes_i128 *step = series->step + (size_t)(day - series->from) * series->width;

    *step++ += sign * (bytes_i128)sums->incidents;
    for (size_t m = 0; m < series->measures_count; m++) {
        *step++ += sign * sums->measure[m].sum;
        *step++ += sign * (bytes_i128)sums->measure[m].reported;
    }
}

// The windows that end on the days first_end .. last_end hold these sums.
static void add_ends(struct series *series, int64_t first_end, int64_t last_end,
                     const struct rollup_sums *sums, int sign)
{
    if (first_end > last_end || last_end < series->from || first_end > series->to) {
        return;
    }
    add_step(series, first_end < series->from ? series->from : first_end, sums, sign);
    if (last_end < series->to) {
        add_step(series, last_end + 1, sums, -sign);
    }
}

static void add_span(struct series *series, int64_t first, int64_t last,
                     const struct rollup_sums *sums)
{
    int64_t more = (int64_t)series->days - 1;
    int64_t first_end = series->basis == BASIS_OVERLAP ? first : last;
    int64_t last_end = (series->basis == BASIS_INSIDE ? first : last) + more;

    add_ends(series, first, first + more, sums, -1);
    add_ends(series, first_end, last_end, sums, 1);
}

// All groups of the row. Cells count by first day; for another basis spans are moved.
static bool add_groups(struct series *series, const struct select *select, size_t row,
                       enum rollup_walk_over over, struct tally_err *err)
{
    const struct select_row *of = &select->row[row];
    struct rollup_walk *walk = rollup_walk_open(select->rollup, over, err);
    struct rollup_entry entry;

    if (!walk) {
        return false;
    }
    err->code = TALLY_OK;
    for (size_t i = of->first; err->code == TALLY_OK && i < of->first + of->count; i++) {
        rollup_walk_group(walk, select->group[i]);
        while (rollup_walk_next(walk, &entry, err)) {
            int64_t first = entry.first_day;
            if (over == ROLLUP_WALK_CELLS) {
                add_ends(series, first, first + (int64_t)series->days - 1, &entry.sums, 1);
            } else {
                add_span(series, first, entry.last_day, &entry.sums);
            }
        }
    }
    rollup_walk_close(walk);
    return err->code == TALLY_OK;
}

bool series_fill(struct series *series, const struct select *select, size_t row,
                 struct tally_err *err)
{
    size_t count = (size_t)((int64_t)series->to - series->from + 1);

    memset(series->step, 0, count * series->width * sizeof *series->step);
    if (!add_groups(series, select, row, ROLLUP_WALK_CELLS, err) ||
        (series->basis != BASIS_START &&
         !add_groups(series, select, row, ROLLUP_WALK_SPANS, err))) {
        return false;
    }
    for (size_t i = series->width; i < count * series->width; i++) {
        series->step[i] += series->step[i - series->width];
    }
    return true;
}

void series_at(const struct series *series, int32_t last_day, struct rollup_sums *out_sums)
{
    size_t day = (size_t)((int64_t)last_day - series->from);
    const bytes_i128 *step = series->step + day * series->width;

    *out_sums = (struct rollup_sums){.incidents = (uint64_t)*step++};
    for (size_t m = 0; m < series->measures_count; m++) {
        out_sums->measure[m].sum = *step++;
        out_sums->measure[m].reported = (uint64_t)*step++;
    }
}
