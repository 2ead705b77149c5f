// tally series: the window of N days that ends on each day from --from to --to.
#include "report/run.h"

#include "base/day.h"
#include "report/figures.h"
#include "report/glyphs.h"
#include "report/number.h"
#include "report/period.h"
#include "report/select.h"
#include "report/origin.h"

#include <stdlib.h>
#include <string.h>

enum {
    SPARK_POINTS_MAX = 60,
    SPARK_NAME_WIDTH_MAX = 30,
    SPARK_ROWS_MAX = 20,
};

struct view {
    const struct options *options;
    const struct rollup *rollup;
    const struct rollup_def *def;
    struct select select;
    struct series series;
    struct sheet sheet;
    struct print *print;
    bool keeps_rows; // to be sorted or cut once all are there
};

static bool parse_days(const struct options *options, int32_t *out_from, int32_t *out_to,
                       struct tally_err *err)
{
    struct period period;

    if (!options_parse_day("from", options->from, out_from, err) ||
        !options_parse_day("to", options->to, out_to, err)) {
        return false;
    }
    if (*out_from > *out_to) {
        return err_set(err, TALLY_INVALID, "--from %s is after --to %s", options->from,
                       options->to);
    }
    if ((int64_t)*out_to - *out_from >= SERIES_DAYS_MAX) {
        return err_set(err, TALLY_INVALID, "a series has at most %d days", SERIES_DAYS_MAX);
    }
    return period_of(options->days, *out_from, &period, err);
}

static void add_columns(struct view *view)
{
    struct sheet *sheet = &view->sheet;

    for (size_t i = 0; i < view->select.by.count; i++) {
        sheet_add_column(sheet, SHEET_TEXT, 0, "", view->def->dims[view->select.by.dim[i]], "");
    }
    sheet_add_column(sheet, SHEET_DAY, 0, "", "window_start", "");
    sheet_add_column(sheet, SHEET_DAY, 0, "", "window_end", "");
    sheet_add_column(sheet, SHEET_NUMBER, SHEET_NOT_IN_TABLE, "", "days", "");
    sheet_add_column(sheet, SHEET_TEXT, SHEET_NOT_IN_TABLE, "", "basis", "");
    sheet_rank(sheet, "window_start", 2);
    size_t first = figures_add_columns(sheet, view->def, "");
    sheet->bar_column =
        figures_bar_column(sheet, first, view->def->measures_count, view->options->sort);
}

static bool add_day(struct view *view, size_t row, int32_t day, struct tally_err *err)
{
    struct rollup_sums sums;
    struct sheet_value *at = sheet_add_row(&view->sheet, err);

    if (!at) {
        return false;
    }
    for (size_t i = 0; i < view->select.by.count; i++) {
        size_t bytes;
        const char *text = select_text(&view->select, row, i, &bytes);
        *at++ = sheet_text(text, bytes);
    }
    *at++ = sheet_number((bytes_i128)day - view->options->days + 1);
    *at++ = sheet_number(day);
    *at++ = sheet_number(view->options->days);
    *at++ = sheet_name(basis_name(view->options->basis));
    series_at(&view->series, day, &sums);
    figures_put(at, view->def, view->select.row[row].measures, &sums);
    return true;
}

// Names the row and draws the course of its first measure, a few days a block.
static void note_spark(struct view *view, size_t row)
{
    bytes_i128 points[SPARK_POINTS_MAX];
    size_t days = (size_t)((int64_t)view->series.to - view->series.from + 1);
    size_t count = days < SPARK_POINTS_MAX ? days : SPARK_POINTS_MAX;
    bool any_measure = view->def->measures_count > 0;
    struct rollup_sums sums;
    struct bytes line;

    for (size_t i = 0; i < count; i++) {
        size_t offset = count == 1 ? 0 : i * (days - 1) / (count - 1);
        series_at(&view->series, view->series.from + (int32_t)offset, &sums);
        points[i] = any_measure ? sums.measure[0].sum : (bytes_i128)sums.incidents;
    }
    bytes_init(&line);
    for (size_t i = 0; i < view->select.by.count; i++) {
        size_t bytes;
        const char *text = select_text(&view->select, row, i, &bytes);
        glyphs_put(&line, text, bytes, SPARK_NAME_WIDTH_MAX);
        bytes_put(&line, "  ", 2);
    }
    glyphs_put_spark(&line, points, count);
    sheet_add_note(&view->sheet, sheet_printf(&view->sheet, "%s  %.*s",
                                              any_measure ? view->def->measures[0] : "incidents",
                                              (int)line.count, (const char *)line.data));
    bytes_done(&line);
}

static bool any_incident(const struct view *view)
{
    for (int64_t day = view->series.from; day <= view->series.to; day++) {
        size_t at = (size_t)(day - view->series.from) * view->series.width;
        if (view->series.step[at] != 0) {
            return true;
        }
    }
    return false;
}

static bool add_rows(struct view *view, struct tally_err *err)
{
    for (size_t row = 0; row < view->select.rows_count; row++) {
        if (!series_fill(&view->series, &view->select, row, err)) {
            return false;
        }
        if (view->select.by.count > 0 && !any_incident(view)) {
            continue;
        }
        for (int64_t day = view->series.from; day <= view->series.to; day++) {
            if (!add_day(view, row, (int32_t)day, err)) {
                return false;
            }
        }
        if (view->print->format == PRINT_TABLE && row < SPARK_ROWS_MAX) {
            note_spark(view, row);
        }
        if (!view->keeps_rows) {
            print_rows(view->print, &view->sheet);
        }
    }
    return true;
}

static const char *make_title(struct view *view)
{
    const struct options *options = view->options;
    char days[NUMBER_BYTES];
    const char *title =
        sheet_printf(&view->sheet, "%s · windows of %s days ending %s .. %s · by %s",
                     view->def->name, number_format(options->days, ',', days), options->from,
                     options->to, basis_name(options->basis));

    for (size_t i = 0; i < options->where_count; i++) {
        title = sheet_printf(&view->sheet, "%s · %s", title, options->where[i]);
    }
    return options->as_of ? sheet_printf(&view->sheet, "%s · as of %s", title, options->as_of)
                          : title;
}

static bool show(struct view *view, const struct where *where, struct tally_err *err)
{
    struct sheet *sheet = &view->sheet;
    const struct options *options = view->options;

    sheet->title = make_title(view);
    add_columns(view);
    // A wrong column is refused before anything is computed.
    if ((options->sort && !sheet_sort(sheet, options->sort, err)) || !add_rows(view, err) ||
        (options->sort && !sheet_sort(sheet, options->sort, err))) {
        return false;
    }
    if (options->limited) {
        sheet_limit(sheet, options->limit);
    }
    period_warn_end(view->print, view->rollup, where, view->series.to);
    return print_end(view->print, sheet, err);
}

static bool select_and_show(struct view *view, struct tally_err *err)
{
    const struct options *options = view->options;
    struct where where;
    struct by by;
    int32_t from;
    int32_t to;

    if (!parse_days(options, &from, &to, err) || !by_parse(&by, view->def, options->by, err) ||
        !where_init(&where, view->def, options->where, options->where_count, err)) {
        return false;
    }
    bool done = select_init(&view->select, view->rollup, &where, &by, err);
    if (done) {
        done = series_init(&view->series, view->def->measures_count, options->basis, options->days,
                           from, to, err);
        if (done) {
            done = show(view, &where, err);
            series_done(&view->series);
        }
        select_done(&view->select);
    }
    where_done(&where);
    return done;
}

bool run_series(const struct options *options, struct print *print, struct tally_err *err)
{
    struct origin origin;

    if (!origin_open(&origin, options, ORIGIN_FIGURES, err)) {
        return false;
    }
    struct view view = {.options = options,
                        .rollup = origin.rollup,
                        .def = rollup_def(origin.rollup),
                        .print = print,
                        .keeps_rows = options->sort || options->limited};
    sheet_init(&view.sheet);
    bool done = select_and_show(&view, err);
    sheet_done(&view.sheet);
    origin_close(&origin);
    return done;
}
