// tally explain: the incidents behind the figures of a window, down to file, record and line.
#include "report/run.h"

#include "report/period.h"
#include "report/origin.h"
#include "report/where.h"

#include <stdlib.h>
#include <string.h>

struct behind {
    const struct incident *incident;
};

struct explain {
    const struct options *options;
    const struct origin *origin;
    const struct rollup_def *def;
    const struct state *state;
    struct where where;
    struct period period;
    struct behind *behind;
    size_t count;
    size_t capacity;
    struct sheet sheet;
};

// *out_counts: it stands behind the figures.
static bool find_counts(const struct explain *explain, const struct incident *incident,
                        uint32_t codes[ROLLUP_DIMS_MAX], bool *out_counts, struct tally_err *err)
{
    struct cells *cells = moment_cells(explain->origin->moment);

    *out_counts = false;
    if (!incident_is_live(incident) ||
        !period_holds(&explain->period, explain->options->basis, incident_first_day(incident),
                      incident_last_day(explain->state, incident))) {
        return true;
    }
    err->code = TALLY_OK;
    if (!cells_matches(cells, explain->state, incident, codes, err)) {
        return err->code == TALLY_OK;
    }
    for (size_t i = 0; i < explain->def->dims_count; i++) {
        const struct texts_entry *text = texts_get(&explain->state->texts, codes[i]);
        if (!where_matches(&explain->where, i, text->text, text->bytes)) {
            return true;
        }
    }
    *out_counts = true;
    return true;
}

static bool keep(struct explain *explain, const struct incident *incident, struct tally_err *err)
{
    if (explain->count == explain->capacity) {
        size_t capacity = explain->capacity ? explain->capacity * 2 : 256;
        struct behind *grown = realloc(explain->behind, capacity * sizeof *grown);
        if (!grown) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for %zu incidents", capacity);
        }
        explain->behind = grown;
        explain->capacity = capacity;
    }
    explain->behind[explain->count++].incident = incident;
    return true;
}

static bool collect(struct explain *explain, struct tally_err *err)
{
    struct state_walk walk = {0};
    uint32_t codes[ROLLUP_DIMS_MAX];
    const struct incident *incident;
    bool counts;

    while ((incident = state_next(explain->state, &walk))) {
        if (!find_counts(explain, incident, codes, &counts, err) ||
            (counts && !keep(explain, incident, err))) {
            return false;
        }
    }
    return true;
}

static int compare_incidents(const void *a, const void *b, void *context)
{
    const struct state *state = context;
    const struct incident *incident_a = ((const struct behind *)a)->incident;
    const struct incident *incident_b = ((const struct behind *)b)->incident;

    int32_t day_a = incident_first_day(incident_a);
    int32_t day_b = incident_first_day(incident_b);
    if (day_a != day_b) {
        return day_a < day_b ? -1 : 1;
    }
    int order =
        strcmp(state_feed_of(state, incident_a)->name, state_feed_of(state, incident_b)->name);
    if (order != 0) {
        return order;
    }
    struct id_text id_a;
    struct id_text id_b;
    incident_id(state, incident_a, &id_a);
    incident_id(state, incident_b, &id_b);
    order = memcmp(id_a.text, id_b.text, id_a.bytes < id_b.bytes ? id_a.bytes : id_b.bytes);
    return order != 0 ? order : (id_a.bytes > id_b.bytes) - (id_a.bytes < id_b.bytes);
}

static void add_columns(struct explain *explain)
{
    const struct rollup_def *def = explain->def;
    struct sheet *sheet = &explain->sheet;

    for (size_t i = 0; i < def->dims_count; i++) {
        sheet_add_column(sheet, SHEET_TEXT, 0, "", def->dims[i], "");
    }
    if (rollup_def_find_dim(def, ROLLUP_DIM_FEED) < 0) {
        sheet_add_column(sheet, SHEET_TEXT, 0, "", "feed", "");
    }
    sheet_add_column(sheet, SHEET_TEXT, SHEET_WHOLE, "", "id", "");
    sheet_add_column(sheet, SHEET_DAY, 0, "", "first_day", "");
    sheet_add_column(sheet, SHEET_DAY, 0, "", "last_day", "");
    for (size_t m = 0; m < def->measures_count; m++) {
        sheet_add_column(sheet, SHEET_COUNT, 0, "", def->measures[m], "");
    }
    sheet_add_column(sheet, SHEET_TEXT, SHEET_UNLESS_ZERO, "", "revision", "");
    sheet_add_column(sheet, SHEET_NUMBER, 0, "", "batch", "");
    sheet_add_column(sheet, SHEET_TEXT, 0, "", "file", "");
    sheet_add_column(sheet, SHEET_TEXT, SHEET_NOT_IN_TABLE, "", "digest", "");
    sheet_add_column(sheet, SHEET_NUMBER, 0, "", "record", "");
    sheet_add_column(sheet, SHEET_NUMBER, 0, "", "line", "");
    sheet_rank(sheet, "revision", 4);
    sheet_rank(sheet, "record", 3);
    sheet_rank(sheet, "batch", 2);
    sheet_rank(sheet, "line", 1);
    sheet_rank(sheet, "file", 1);
}

static struct sheet_value measure_value(const struct explain *explain,
                                        const struct incident *incident, size_t measure)
{
    const struct shape *shape = state_shape(explain->state, incident);
    int at = shape_find_measure(shape, explain->def->measures[measure]);

    if (at < 0) {
        return sheet_absent();
    }
    if (!(incident_reported(explain->state, incident) >> at & 1)) {
        return (struct sheet_value){.state = SHEET_EMPTY};
    }
    return sheet_number(incident_measures(explain->state, incident)[at]);
}

static void put_origin(struct explain *explain, const struct incident *incident,
                       struct sheet_value *at)
{
    struct sheet *sheet = &explain->sheet;
    char number[REVISION_NUMBER_BYTES];
    char digest[DIGEST_TEXT_BYTES];
    size_t bytes;
    struct revision revision = incident_revision(explain->state, incident);
    const struct incident_origin origin = incident_origin(explain->state, incident);
    const struct moment_file *file = moment_file(explain->origin->moment, incident);
    const char *text = revision_format(&revision, number, &bytes);

    *at++ = sheet_copy(sheet, text, bytes);
    *at++ = sheet_number((bytes_i128)(file ? file->batch : origin.batch));
    if (file) {
        at[0] = sheet_name(file->name);
        digest_format(file->digest, digest);
        at[1] = sheet_copy(sheet, digest, strlen(digest));
    }
    at += 2;
    *at++ = sheet_number(origin.record);
    *at = sheet_number(origin.line);
}

static bool add_row(struct explain *explain, const struct incident *incident, struct tally_err *err)
{
    const struct rollup_def *def = explain->def;
    uint32_t codes[ROLLUP_DIMS_MAX];
    struct id_text id;
    struct sheet_value *at = sheet_add_row(&explain->sheet, err);

    if (!at || !cells_matches(moment_cells(explain->origin->moment), explain->state, incident,
                              codes, err)) {
        return false;
    }
    for (size_t i = 0; i < def->dims_count; i++) {
        const struct texts_entry *text = texts_get(&explain->state->texts, codes[i]);
        *at++ = sheet_text(text->text, text->bytes);
    }
    if (rollup_def_find_dim(def, ROLLUP_DIM_FEED) < 0) {
        *at++ = sheet_name(state_feed_of(explain->state, incident)->name);
    }
    incident_id(explain->state, incident, &id);
    *at++ = sheet_copy(&explain->sheet, id.text, id.bytes);
    *at++ = sheet_number(incident_first_day(incident));
    *at++ = sheet_number(incident_last_day(explain->state, incident));
    for (size_t m = 0; m < def->measures_count; m++) {
        *at++ = measure_value(explain, incident, m);
    }
    put_origin(explain, incident, at);
    return true;
}

static bool show(struct explain *explain, struct print *print, struct tally_err *err)
{
    const struct options *options = explain->options;
    struct sheet *sheet = &explain->sheet;

    sheet->title = period_title(sheet, explain->origin->rollup, options, &explain->period);
    add_columns(explain);
    if (!collect(explain, err)) {
        return false;
    }
    if (explain->count > 0) {
        qsort_r(explain->behind, explain->count, sizeof *explain->behind, compare_incidents,
                (void *)(uintptr_t)explain->state);
    }
    for (size_t i = 0; i < explain->count; i++) {
        if (!add_row(explain, explain->behind[i].incident, err)) {
            return false;
        }
    }
    if (options->sort && !sheet_sort(sheet, options->sort, err)) {
        return false;
    }
    if (options->limited) {
        sheet_limit(sheet, options->limit);
    }
    period_warn_end(print, explain->origin->rollup, &explain->where, explain->period.last_day);
    return print_end(print, sheet, err);
}

bool run_explain(const struct options *options, struct print *print, struct tally_err *err)
{
    struct origin origin;

    if (!origin_open(&origin, options, ORIGIN_INCIDENTS, err)) {
        return false;
    }
    struct explain explain = {
        .options = options, .origin = &origin, .def = rollup_def(origin.rollup)};
    sheet_init(&explain.sheet);
    bool done = period_asked(options, origin.rollup, &explain.period, err) &&
                where_init(&explain.where, explain.def, options->where, options->where_count, err);
    if (done) {
        done = moment_take_behind(origin.moment, explain.period.first_day, explain.period.last_day,
                                  &explain.where, err);
        if (done) {
            explain.state = moment_state(origin.moment);
            done = show(&explain, print, err);
        }
        where_done(&explain.where);
    }
    sheet_done(&explain.sheet);
    free(explain.behind);
    origin_close(&origin);
    return done;
}
