// tally dump: every day cell of a rollup as it is stored, or every span.
#include "report/run.h"

#include "report/figures.h"
#include "report/origin.h"
#include "report/where.h"

#include <string.h>

struct dump {
    const struct rollup *rollup;
    const struct rollup_def *def;
    const struct where *where;
    struct sheet sheet;
    uint64_t rows_left; // of --limit
};

static void add_columns(struct dump *dump, bool spans)
{
    for (size_t i = 0; i < dump->def->dims_count; i++) {
        sheet_add_column(&dump->sheet, SHEET_TEXT, 0, "", dump->def->dims[i], "");
    }
    sheet_add_column(&dump->sheet, SHEET_DAY, 0, "", spans ? "first_day" : "day", "");
    if (spans) {
        sheet_add_column(&dump->sheet, SHEET_DAY, 0, "", "last_day", "");
    }
    figures_add_columns(&dump->sheet, dump->def, "");
    dump->sheet.title = sheet_printf(&dump->sheet, "%s · %s", dump->def->name,
                                     spans ? "incidents of more than a day" : "day cells");
}

static bool add_row(struct dump *dump, size_t group, int32_t first_day, const int32_t *last_day,
                    const struct rollup_sums *sums, struct tally_err *err)
{
    struct sheet_value *at = sheet_add_row(&dump->sheet, err);

    if (!at) {
        return false;
    }
    for (size_t i = 0; i < dump->def->dims_count; i++) {
        size_t bytes;
        const char *text = rollup_text(dump->rollup, group, i, &bytes);
        *at++ = sheet_text(text, bytes);
    }
    *at++ = sheet_number(first_day);
    if (last_day) {
        *at++ = sheet_number(*last_day);
    }
    size_t feed_bytes = 0;
    int feed_dim = rollup_def_find_dim(dump->def, ROLLUP_DIM_FEED);
    const char *feed =
        feed_dim < 0 ? NULL : rollup_text(dump->rollup, group, (size_t)feed_dim, &feed_bytes);
    figures_put(at, dump->def, where_measures(dump->where, dump->def, feed, feed_bytes), sums);
    dump->rows_left--;
    return true;
}

static bool add_cells(struct dump *dump, size_t group, struct tally_err *err)
{
    uint64_t first;
    uint64_t count;
    struct rollup_sums sums;

    rollup_group_cells(dump->rollup, group, &first, &count);
    for (uint64_t i = first; i < first + count && dump->rows_left > 0; i++) {
        int32_t day = rollup_cell(dump->rollup, i, &sums);
        if (!add_row(dump, group, day, NULL, &sums, err)) {
            return false;
        }
    }
    return true;
}

static bool add_spans(struct dump *dump, size_t group, struct tally_err *err)
{
    uint64_t first;
    uint64_t count;
    struct rollup_sums sums;

    rollup_group_spans(dump->rollup, group, &first, &count);
    for (uint64_t i = first; i < first + count && dump->rows_left > 0; i++) {
        int32_t first_day;
        int32_t last_day;
        rollup_span(dump->rollup, i, &first_day, &last_day, &sums);
        if (!add_row(dump, group, first_day, &last_day, &sums, err)) {
            return false;
        }
    }
    return true;
}

static bool group_matches(const struct dump *dump, size_t group)
{
    for (size_t i = 0; i < dump->def->dims_count; i++) {
        size_t bytes;
        const char *text = rollup_text(dump->rollup, group, i, &bytes);
        if (!where_matches(dump->where, i, text, bytes)) {
            return false;
        }
    }
    return true;
}

static bool show(struct dump *dump, const struct options *options, struct print *print,
                 struct tally_err *err)
{
    add_columns(dump, options->spans);
    if (options->sort && !sheet_sort(&dump->sheet, options->sort, err)) {
        return false;
    }
    // A sorted dump is cut after sorting.
    dump->rows_left = options->limited && !options->sort ? options->limit : UINT64_MAX;
    for (size_t group = 0; group < rollup_groups(dump->rollup); group++) {
        if (!group_matches(dump, group)) {
            continue;
        }
        if (!(options->spans ? add_spans(dump, group, err) : add_cells(dump, group, err))) {
            return false;
        }
        if (!options->sort) {
            print_rows(print, &dump->sheet);
        }
    }
    if (options->sort && !sheet_sort(&dump->sheet, options->sort, err)) {
        return false;
    }
    if (options->sort && options->limited) {
        sheet_limit(&dump->sheet, options->limit);
    }
    return print_end(print, &dump->sheet, err);
}

bool run_dump(const struct options *options, struct print *print, struct tally_err *err)
{
    struct origin origin;
    struct where where;

    if (!origin_open(&origin, options, ORIGIN_FIGURES, err)) {
        return false;
    }
    struct dump dump = {.rollup = origin.rollup, .def = rollup_def(origin.rollup), .where = &where};
    bool done = where_init(&where, dump.def, options->where, options->where_count, err);
    if (done) {
        sheet_init(&dump.sheet);
        done = show(&dump, options, print, err);
        sheet_done(&dump.sheet);
        where_done(&where);
    }
    origin_close(&origin);
    return done;
}
