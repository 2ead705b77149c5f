// libtally: selections and series, over the evaluation core of the commands.
#include "report/tally_private.h"

#include "base/err.h"
#include "base/team.h"
#include "report/select.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert((int)TALLY_SERIES_DAYS_MAX == (int)SERIES_DAYS_MAX, "public bound");

struct tally_selection {
    const struct tally_rollup *rollup;
    struct where where;
    struct select select;
};

static bool take_by(struct by *by, const struct rollup_def *def, const char *const *names,
                    size_t count, struct tally_err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!by_add(by, def, names[i], strlen(names[i]), err)) {
            return false;
        }
    }
    return true;
}

struct tally_selection *tally_selection_open(const struct tally_rollup *rollup,
                                             const char *const *by, size_t by_count,
                                             const char *const *where, size_t where_count,
                                             struct tally_err *err)
{
    const struct rollup_def *def = rollup_def(rollup->rollup);
    struct tally_selection *selection = malloc(sizeof *selection);
    struct by dims = {.count = 0};

    if (!selection) {
        err_set(err, TALLY_NO_MEMORY, "no memory");
        return NULL;
    }
    selection->rollup = rollup;
    if (!take_by(&dims, def, by, by_count, err) ||
        !where_init(&selection->where, def, where, where_count, err)) {
        free(selection);
        return NULL;
    }
    if (!select_init(&selection->select, rollup->rollup, &selection->where, &dims, err)) {
        where_done(&selection->where);
        free(selection);
        return NULL;
    }
    return selection;
}

void tally_selection_close(struct tally_selection *selection)
{
    if (selection) {
        select_done(&selection->select);
        where_done(&selection->where);
        free(selection);
    }
}

size_t tally_selection_rows(const struct tally_selection *selection)
{
    return selection->select.rows_count;
}

size_t tally_selection_text(const struct tally_selection *selection, size_t row, size_t position,
                            char *out, size_t capacity)
{
    size_t bytes;

    assert(row < selection->select.rows_count && position < selection->select.by.count);
    const char *text = select_text(&selection->select, row, position, &bytes);
    return tally_put_text(text, bytes, out, capacity);
}

const size_t *tally_selection_groups(const struct tally_selection *selection, size_t row,
                                     size_t *out_count)
{
    assert(row < selection->select.rows_count);
    *out_count = selection->select.row[row].count;
    return selection->select.group + selection->select.row[row].first;
}

bool tally_selection_window(const struct tally_selection *selection, size_t row,
                            enum tally_basis basis, int32_t first_day, int32_t last_day,
                            uint64_t *out_incidents, struct tally_sum *out_sums,
                            struct tally_err *err)
{
    struct rollup_sums sums;

    assert(row < selection->select.rows_count);
    if (!tally_check_window(first_day, last_day, err)) {
        return false;
    }
    if (!select_window(&selection->select, NULL, row, (enum basis)basis, first_day, last_day, &sums,
                       err)) {
        return false;
    }
    return tally_put_sums(selection->rollup, selection->select.row[row].measures, &sums,
                          out_incidents, out_sums, err);
}

// ---- the windows of all rows ---------------------------------------------------------------

// Some of the rows, for one core.
struct windows_share {
    bool ok;
    struct tally_err err;
};

struct windows {
    const struct tally_selection *selection;
    enum basis basis;
    int32_t first_day;
    int32_t last_day;
    uint64_t *incidents;
    struct tally_sum *sums; // or NULL
    unsigned parts;
    struct windows_share share[TEAM_PARTS_MAX];
};

static void add_up_some(void *context, unsigned part)
{
    struct windows *windows = context;
    struct windows_share *share = &windows->share[part];
    const struct select *select = &windows->selection->select;
    const struct tally_rollup *rollup = windows->selection->rollup;
    size_t measures = tally_measures(rollup);
    size_t end = team_begin(select->rows_count, part + 1, windows->parts);
    struct rollup_cursor cursor = {0};
    struct rollup_sums sums;

    share->ok = true;
    for (size_t row = team_begin(select->rows_count, part, windows->parts); share->ok && row < end;
         row++) {
        share->ok =
            select_window(select, &cursor, row, windows->basis, windows->first_day,
                          windows->last_day, &sums, &share->err) &&
            tally_put_sums(rollup, select->row[row].measures, &sums, &windows->incidents[row],
                           windows->sums ? windows->sums + row * measures : NULL, &share->err);
    }
}

bool tally_selection_windows(const struct tally_selection *selection, enum tally_basis basis,
                             int32_t first_day, int32_t last_day, uint64_t *out_incidents,
                             struct tally_sum *out_sums, struct tally_err *err)
{
    enum { ROWS_LEAST = 2048 }; // some 0.2 ms: what fewer take is not worth a thread
    struct windows windows = {.selection = selection,
                              .basis = (enum basis)basis,
                              .first_day = first_day,
                              .last_day = last_day,
                              .sums = out_sums,
                              .parts = team_parts(selection->select.rows_count, ROWS_LEAST)};

    windows.incidents = out_incidents;
    if (!tally_check_window(first_day, last_day, err)) {
        return false;
    }
    team_run(add_up_some, &windows, windows.parts);
    for (unsigned part = 0; part < windows.parts; part++) {
        if (!windows.share[part].ok) {
            *err = windows.share[part].err;
            return false;
        }
    }
    return true;
}

bool tally_selection_has_feed(const struct tally_selection *selection, size_t feed)
{
    assert(feed < tally_feeds(selection->rollup));
    return where_has_feed(&selection->where, rollup_def(selection->rollup->rollup), feed);
}

// What the list of a condition would take for something else than itself.
static bool has_meaning(char c)
{
    return strchr("*?\\,\"! \t", c) != NULL;
}

// Copies as snprintf does, a character at a time.
struct sink {
    char *out;
    size_t capacity;
    size_t bytes;
};

static void put(struct sink *sink, char c)
{
    if (sink->bytes + 1 < sink->capacity) {
        sink->out[sink->bytes] = c;
    }
    sink->bytes++;
}

size_t tally_condition(const char *dim, const char *text, char *out, size_t capacity)
{
    struct sink sink = {.out = out, .capacity = capacity};

    for (; *dim; dim++) {
        put(&sink, *dim);
    }
    put(&sink, '=');
    for (; *text; text++) {
        if (has_meaning(*text)) {
            put(&sink, '\\');
        }
        put(&sink, *text);
    }
    if (capacity > 0) {
        out[sink.bytes < capacity ? sink.bytes : capacity - 1] = '\0';
    }
    return sink.bytes;
}

// ---- series -------------------------------------------------------------------------------

struct tally_series {
    const struct tally_rollup *rollup;
    uint64_t measures; // as for tally_put_sums
    struct series series;
};

static bool check_series(uint32_t days, int32_t from, int32_t to, struct tally_err *err)
{
    if (days < 1) {
        return err_set(err, TALLY_INVALID, "a window has at least a day");
    }
    if (from > to) {
        return err_set(err, TALLY_INVALID, "the series ends before it starts");
    }
    if ((int64_t)to - from >= SERIES_DAYS_MAX) {
        return err_set(err, TALLY_INVALID, "a series has at most %d days", SERIES_DAYS_MAX);
    }
    return true;
}

struct tally_series *tally_series_open(const struct tally_selection *selection, size_t row,
                                       enum tally_basis basis, uint32_t days, int32_t from,
                                       int32_t to, struct tally_err *err)
{
    assert(row < selection->select.rows_count);
    if (!check_series(days, from, to, err)) {
        return NULL;
    }
    struct tally_series *series = malloc(sizeof *series);
    if (!series) {
        err_set(err, TALLY_NO_MEMORY, "no memory");
        return NULL;
    }
    series->rollup = selection->rollup;
    series->measures = selection->select.row[row].measures;
    if (!series_init(&series->series, tally_measures(selection->rollup), (enum basis)basis, days,
                     from, to, err)) {
        free(series);
        return NULL;
    }
    if (!series_fill(&series->series, &selection->select, row, err)) {
        tally_series_close(series);
        return NULL;
    }
    return series;
}

void tally_series_close(struct tally_series *series)
{
    if (series) {
        series_done(&series->series);
        free(series);
    }
}

bool tally_series_window(const struct tally_series *series, int32_t last_day,
                         uint64_t *out_incidents, struct tally_sum *out_sums, struct tally_err *err)
{
    struct rollup_sums sums;

    assert(last_day >= series->series.from && last_day <= series->series.to);
    series_at(&series->series, last_day, &sums);
    return tally_put_sums(series->rollup, series->measures, &sums, out_incidents, out_sums, err);
}
