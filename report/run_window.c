// tally window: totals of the last N days, by group, with the windows to compare them with.
#include "report/run.h"

#include "base/day.h"
#include "report/figures.h"
#include "report/period.h"
#include "report/select.h"
#include "report/origin.h"

#include <stdlib.h>
#include <string.h>

enum { PERIODS_MAX = 3 };

struct view {
    const struct options *options;
    const struct rollup *rollup;
    const struct rollup_def *def;
    struct select select;
    struct period period[PERIODS_MAX]; // the window, then those to compare it with
    const char *prefix[PERIODS_MAX];
    size_t periods_count;
    struct rollup_cursor cursor[PERIODS_MAX];
    struct rollup_sums total[PERIODS_MAX];
    struct sheet sheet;
    size_t figures_column;
};

static bool add_compared(struct view *view, const char *prefix, int32_t last_day,
                         struct tally_err *err)
{
    view->prefix[view->periods_count] = prefix;
    return period_of(view->options->days, last_day, &view->period[view->periods_count++], err) ||
           err_wrap(err, "--compare");
}

static bool find_periods(struct view *view, struct tally_err *err)
{
    struct period *asked = &view->period[0];

    view->prefix[0] = "";
    view->periods_count = 1;
    if (!period_asked(view->options, view->rollup, asked, err)) {
        return false;
    }
    if (view->options->previous && asked->first_day == DAY_MIN) {
        return err_set(err, TALLY_INVALID, "--compare: nothing is before the calendar");
    }
    return (!view->options->previous ||
            add_compared(view, "previous_", asked->first_day - 1, err)) &&
           (!view->options->year_ago ||
            add_compared(view, "year_ago_", day_year_ago(asked->last_day), err));
}

static void add_columns(struct view *view)
{
    struct sheet *sheet = &view->sheet;

    for (size_t i = 0; i < view->select.by.count; i++) {
        sheet_add_column(sheet, SHEET_TEXT, 0, "", view->def->dims[view->select.by.dim[i]], "");
    }
    sheet_add_column(sheet, SHEET_DAY, SHEET_NOT_IN_TABLE, "", "window_start", "");
    sheet_add_column(sheet, SHEET_DAY, SHEET_NOT_IN_TABLE, "", "window_end", "");
    sheet_add_column(sheet, SHEET_NUMBER, SHEET_NOT_IN_TABLE, "", "days", "");
    sheet_add_column(sheet, SHEET_TEXT, SHEET_NOT_IN_TABLE, "", "basis", "");
    view->figures_column = figures_add_columns(sheet, view->def, "");
    for (size_t i = 1; i < view->periods_count; i++) {
        figures_add_columns(sheet, view->def, view->prefix[i]);
    }
}

static void put_period(const struct view *view, struct sheet_value *at)
{
    const struct period *period = &view->period[0];

    *at++ = sheet_number(period->first_day);
    *at++ = sheet_number(period->last_day);
    *at++ = sheet_number(period->days);
    *at = sheet_name(basis_name(view->options->basis));
}

static void put_figures(const struct view *view, struct sheet_value *row, uint64_t measures,
                        const struct rollup_sums sums[PERIODS_MAX])
{
    struct sheet_value *at = row + view->figures_column;

    for (size_t i = 0; i < view->periods_count; i++) {
        at = figures_put(at, view->def, measures, &sums[i]);
    }
}

static bool add_row(struct view *view, size_t row, struct tally_err *err)
{
    struct rollup_sums sums[PERIODS_MAX];
    uint64_t incidents = 0;

    for (size_t i = 0; i < view->periods_count; i++) {
        const struct period *period = &view->period[i];
        if (!select_window(&view->select, &view->cursor[i], row, view->options->basis,
                           period->first_day, period->last_day, &sums[i], err)) {
            return false;
        }
        sums_add(&view->total[i], &sums[i], view->def->measures_count);
        incidents += sums[i].incidents;
    }
    if (view->select.by.count > 0 && incidents == 0) {
        return true;
    }
    struct sheet_value *at = sheet_add_row(&view->sheet, err);
    if (!at) {
        return false;
    }
    for (size_t i = 0; i < view->select.by.count; i++) {
        size_t bytes;
        const char *text = select_text(&view->select, row, i, &bytes);
        at[i] = sheet_text(text, bytes);
    }
    put_period(view, at + view->select.by.count);
    put_figures(view, at, view->select.row[row].measures, sums);
    return true;
}

static bool add_total(struct view *view, struct tally_err *err)
{
    if (view->select.by.count == 0) {
        return true;
    }
    struct sheet_value *total = sheet_add_total(&view->sheet, err);
    if (!total) {
        return false;
    }
    total[0] = sheet_name("total");
    put_period(view, total + view->select.by.count);
    put_figures(view, total, view->select.measures, view->total);
    return true;
}

static void add_notes(struct view *view, size_t rows_found)
{
    struct sheet *sheet = &view->sheet;

    if (sheet->rows_count < rows_found) {
        sheet_add_note(sheet, sheet_printf(sheet, "%zu of %zu rows; the total is of all.",
                                           sheet->rows_count, rows_found));
    }
    figures_note_unknown(sheet, view->def, view->select.measures, &view->total[0]);
    for (size_t i = 1; i < view->periods_count; i++) {
        char first[DAY_TEXT_BYTES];
        char last[DAY_TEXT_BYTES];
        sheet_add_note(sheet, sheet_printf(sheet, "%s: %s .. %s",
                                           view->prefix[i][0] == 'p' ? "previous" : "year ago",
                                           day_format_iso(view->period[i].first_day, first),
                                           day_format_iso(view->period[i].last_day, last)));
    }
}

static bool fill(struct view *view, struct tally_err *err)
{
    struct sheet *sheet = &view->sheet;
    const char *sort = view->options->sort;

    sheet->title = period_title(sheet, view->rollup, view->options, &view->period[0]);
    add_columns(view);
    for (size_t row = 0; row < view->select.rows_count; row++) {
        if (!add_row(view, row, err)) {
            return false;
        }
    }
    size_t rows_found = sheet->rows_count;
    if (!add_total(view, err) || (sort && !sheet_sort(sheet, sort, err))) {
        return false;
    }
    if (view->options->limited) {
        sheet_limit(sheet, view->options->limit);
    }
    sheet->bar_column =
        figures_bar_column(sheet, view->figures_column, view->def->measures_count, sort);
    add_notes(view, rows_found);
    return true;
}

static void warn(const struct view *view, struct print *print, const struct where *where)
{
    period_warn_end(print, view->rollup, where, view->period[0].last_day);
    for (size_t i = 1; i < view->periods_count; i++) {
        period_warn_start(print, view->rollup, where,
                          view->prefix[i][0] == 'p' ? "previous" : "year-ago",
                          view->period[i].first_day);
    }
}

static bool show(struct view *view, struct print *print, struct tally_err *err)
{
    struct where where;
    struct by by;

    if (!find_periods(view, err) || !by_parse(&by, view->def, view->options->by, err) ||
        !where_init(&where, view->def, view->options->where, view->options->where_count, err)) {
        return false;
    }
    if (!select_init(&view->select, view->rollup, &where, &by, err)) {
        where_done(&where);
        return false;
    }
    bool done = fill(view, err);
    if (done) {
        warn(view, print, &where);
        done = print_end(print, &view->sheet, err);
    }
    select_done(&view->select);
    where_done(&where);
    return done;
}

bool run_window(const struct options *options, struct print *print, struct tally_err *err)
{
    struct origin origin;

    if (!origin_open(&origin, options, ORIGIN_FIGURES, err)) {
        return false;
    }
    struct view *view = calloc(1, sizeof *view);
    bool done = view || err_set(err, TALLY_NO_MEMORY, "no memory");
    if (view) {
        view->options = options;
        view->rollup = origin.rollup;
        view->def = rollup_def(origin.rollup);
        sheet_init(&view->sheet);
        done = show(view, print, err);
        sheet_done(&view->sheet);
        free(view);
    }
    origin_close(&origin);
    return done;
}
