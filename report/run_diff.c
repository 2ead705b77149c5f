// tally diff: what changed between two states, by group.
//
// Both states are rolled up as they stood; rows are joined by their texts. diff_incidents.c lists
// the incidents behind it.
#include "report/run.h"

#include "base/day.h"
#include "report/diff.h"
#include "report/figures.h"
#include "report/history.h"
#include "report/select.h"

#include <stdlib.h>
#include <string.h>

static void add_columns(struct diff *diff)
{
    struct sheet *sheet = &diff->sheet;

    for (size_t i = 0; i < diff->by.count; i++) {
        sheet_add_column(sheet, SHEET_TEXT, 0, "", diff->def->dims[diff->by.dim[i]], "");
    }
    sheet_add_column(sheet, SHEET_COUNT, 0, "", "before_incidents", "");
    sheet_add_column(sheet, SHEET_COUNT, 0, "", "after_incidents", "");
    sheet_add_column(sheet, SHEET_COUNT, 0, "", "change", "");
    for (size_t m = 0; m < diff->def->measures_count; m++) {
        size_t before =
            sheet_add_column(sheet, SHEET_COUNT, 0, "before_", diff->def->measures[m], "");
        size_t after =
            sheet_add_column(sheet, SHEET_COUNT, 0, "after_", diff->def->measures[m], "");
        size_t change =
            sheet_add_column(sheet, SHEET_COUNT, 0, "change_", diff->def->measures[m], "");
        sheet->column[before].rank = 3; // it is the difference of the other two
        sheet->column[after].rank = 2;
        sheet->column[change].rank = 1;
    }
}

static struct sheet_value sum_value(const struct rollup_measure_sum *sum, bool present)
{
    if (sum->reported > 0) {
        return sheet_number(sum->sum);
    }
    return present ? (struct sheet_value){.state = SHEET_EMPTY} : sheet_absent();
}

static bool same_sums(const struct diff *diff, const struct rollup_sums *a,
                      const struct rollup_sums *b)
{
    bool same = a->incidents == b->incidents;

    for (size_t m = 0; same && m < diff->def->measures_count; m++) {
        same = a->measure[m].sum == b->measure[m].sum &&
               a->measure[m].reported == b->measure[m].reported;
    }
    return same;
}

// Sums of one row of one side; none where that side has no such row.
static bool side_sums(const struct diff *diff, const struct select *select, bool there, size_t row,
                      struct rollup_sums *out_sums, struct tally_err *err)
{
    rollup_sums_clear(out_sums, diff->def->measures_count);
    return !there || select_window(select, NULL, row, diff->options->basis, diff->period.first_day,
                                   diff->period.last_day, out_sums, err);
}

static void put_sums(const struct diff *diff, struct sheet_value *at, uint64_t measures,
                     const struct rollup_sums *before, const struct rollup_sums *after)
{
    *at++ = sheet_number((bytes_i128)before->incidents);
    *at++ = sheet_number((bytes_i128)after->incidents);
    *at++ = sheet_number((bytes_i128)after->incidents - (bytes_i128)before->incidents);
    for (size_t m = 0; m < diff->def->measures_count; m++) {
        bool present = measures >> m & 1;
        bool any = before->measure[m].reported > 0 || after->measure[m].reported > 0;
        *at++ = sum_value(&before->measure[m], present);
        *at++ = sum_value(&after->measure[m], present);
        *at++ = any ? sheet_number(after->measure[m].sum - before->measure[m].sum)
                    : sum_value(&after->measure[m], present);
    }
}

struct pair {
    const struct select *select[2]; // before, after
    size_t row[2];
    bool there[2];
};

static bool add_row(struct diff *diff, const struct pair *pair, struct tally_err *err)
{
    struct rollup_sums sums[2];
    const int side = pair->there[1] ? 1 : 0;

    for (int i = 0; i < 2; i++) {
        if (!side_sums(diff, pair->select[i], pair->there[i], pair->row[i], &sums[i], err)) {
            return false;
        }
    }
    if (diff->by.count > 0 && same_sums(diff, &sums[0], &sums[1])) {
        return true;
    }
    struct sheet_value *at = sheet_add_row(&diff->sheet, err);
    if (!at) {
        return false;
    }
    for (size_t i = 0; i < diff->by.count; i++) {
        size_t bytes;
        const char *text = select_text(pair->select[side], pair->row[side], i, &bytes);
        *at++ = sheet_copy(&diff->sheet, text, bytes); // outlives the selections
    }
    put_sums(diff, at, pair->select[side]->row[pair->row[side]].measures, &sums[0], &sums[1]);
    return true;
}

static int compare_rows(const struct pair *pair)
{
    for (size_t i = 0; i < pair->select[0]->by.count; i++) {
        size_t bytes[2];
        const char *a = select_text(pair->select[0], pair->row[0], i, &bytes[0]);
        const char *b = select_text(pair->select[1], pair->row[1], i, &bytes[1]);
        int order = memcmp(a, b, bytes[0] < bytes[1] ? bytes[0] : bytes[1]);
        order = order != 0 ? order : (bytes[0] > bytes[1]) - (bytes[0] < bytes[1]);
        if (order != 0) {
            return order;
        }
    }
    return 0;
}

// Both sides are sorted by the same texts.
static bool join_rows(struct diff *diff, const struct select *before, const struct select *after,
                      struct tally_err *err)
{
    struct pair pair = {.select = {before, after}};

    while (pair.row[0] < before->rows_count || pair.row[1] < after->rows_count) {
        bool ended[2] = {pair.row[0] == before->rows_count, pair.row[1] == after->rows_count};
        int order = ended[0] ? 1 : ended[1] ? -1 : compare_rows(&pair);
        pair.there[0] = order <= 0;
        pair.there[1] = order >= 0;
        if (!add_row(diff, &pair, err)) {
            return false;
        }
        pair.row[0] += pair.there[0];
        pair.row[1] += pair.there[1];
    }
    return true;
}

static bool diff_groups(struct diff *diff, struct tally_err *err)
{
    struct select before;
    struct select after;

    add_columns(diff);
    if (!select_init(&before, moment_rollup(diff->before), &diff->where, &diff->by, err)) {
        return false;
    }
    bool done = select_init(&after, moment_rollup(diff->after), &diff->where, &diff->by, err);
    if (done) {
        done = join_rows(diff, &before, &after, err);
        select_done(&after);
    }
    select_done(&before);
    return done;
}

static bool open_moment(const char *option, const char *text, const struct rollup_def *def,
                        struct history *history, struct moment **out_moment, struct tally_err *err)
{
    struct replay_until until;

    if (!replay_until_parse(text, &until, err)) {
        return err_wrap(err, "--%s", option);
    }
    *out_moment = moment_open(history, def, &until, err);
    return *out_moment != NULL;
}

static bool find_period(struct diff *diff, struct tally_err *err)
{
    if (diff->options->days > 0) {
        return period_asked(diff->options, moment_rollup(diff->after), &diff->period, err);
    }
    diff->period = (struct period){.first_day = DAY_MIN, .last_day = DAY_MAX};
    return true;
}

static void make_title(struct diff *diff)
{
    struct sheet *sheet = &diff->sheet;
    const char *about =
        diff->options->days > 0
            ? period_title(sheet, moment_rollup(diff->after), diff->options, &diff->period)
            : sheet_printf(sheet, "%s · all days", diff->def->name);

    sheet->title =
        sheet_printf(sheet, "%s · from %s (batch %llu) to %s (batch %llu)", about,
                     diff->options->from, (unsigned long long)moment_batches(diff->before),
                     diff->options->to, (unsigned long long)moment_batches(diff->after));
}

static bool show(struct diff *diff, struct print *print, struct tally_err *err)
{
    const struct options *options = diff->options;
    struct sheet *sheet = &diff->sheet;

    make_title(diff);
    bool done = options->incidents ? diff_incidents(diff, err) : diff_groups(diff, err);
    if (!done || (options->sort && !sheet_sort(sheet, options->sort, err))) {
        return false;
    }
    if (options->limited) {
        sheet_limit(sheet, options->limit);
    }
    return print_end(print, sheet, err);
}

static bool open_moments(struct diff *diff, const struct rollup *file, struct history *history,
                         struct tally_err *err)
{
    const struct options *options = diff->options;

    return open_moment("from", options->from, diff->def, history, &diff->before, err) &&
           open_moment("to", options->to, diff->def, history, &diff->after, err) &&
           moment_check_file(diff->before, file, err) &&
           moment_check_file(diff->after, file, err) &&
           (!options->incidents || moment_take_changed(diff->before, diff->after, err));
}

bool run_diff(const struct options *options, struct print *print, struct tally_err *err)
{
    struct rollup *rollup = origin_open_file(options, options->args[0], err);
    struct history *history = rollup ? history_open(options, err) : NULL;
    struct diff diff = {.options = options};
    bool done = history;

    sheet_init(&diff.sheet);
    if (done) {
        diff.def = rollup_def(rollup);
        done = by_parse(&diff.by, diff.def, options->by, err) &&
               where_init(&diff.where, diff.def, options->where, options->where_count, err);
    }
    if (done) {
        done = open_moments(&diff, rollup, history, err) && find_period(&diff, err) &&
               show(&diff, print, err);
        where_done(&diff.where);
    }
    sheet_done(&diff.sheet);
    moment_close(diff.before);
    moment_close(diff.after);
    history_close(history);
    rollup_close(rollup);
    return done;
}
