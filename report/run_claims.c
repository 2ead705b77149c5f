// tally claims: what was said of a number of days against what is recorded of them.
#include "report/run.h"

#include "base/day.h"
#include "report/claims.h"
#include "report/origin.h"
#include "report/recorded.h"

#include <stdlib.h>
#include <string.h>

enum { VERDICTS = VERDICT_NOT_COMPARABLE + 1 };

struct view {
    const struct options *options;
    const struct origin *origin;
    const struct rollup_def *def;
    struct claims claims;
    // --where: on the claims themselves, or else on the rollup.
    struct filter chosen[CLAIM_TEXTS + 1];
    size_t chosen_count;
    const char *where[OPTIONS_WHERE_MAX];
    size_t where_count;
    size_t found[VERDICTS];
    struct sheet sheet;
};

// --- which claims ---

static bool add_chosen(struct view *view, const char *name, const char *list, struct tally_err *err)
{
    for (size_t i = 0; i < view->chosen_count; i++) {
        if (strcmp(view->chosen[i].dim, name) == 0) {
            return filter_add(&view->chosen[i], list, err);
        }
    }
    if (!filter_init(&view->chosen[view->chosen_count], name, list, err)) {
        return false;
    }
    view->chosen_count++;
    return true;
}

static bool sort_conditions(struct view *view, struct tally_err *err)
{
    const struct options *options = view->options;
    struct claim_span ignored;
    struct where where;

    for (size_t i = 0; i < options->where_count; i++) {
        const char *equals = strchrnul(options->where[i], '=');
        const char *name = sheet_printf(&view->sheet, "%.*s", (int)(equals - options->where[i]),
                                        options->where[i]);
        if (!equals[0] || !claims_text(NULL, name, &ignored)) {
            view->where[view->where_count++] = options->where[i];
        } else if (!add_chosen(view, name, equals + 1, err)) {
            return err_wrap(err, "--where %.80s", options->where[i]);
        }
    }
    if (!where_init(&where, view->def, view->where, view->where_count, err)) {
        return false;
    }
    where_done(&where);
    return true;
}

static bool is_chosen(const struct view *view, const struct claim *claim)
{
    for (size_t i = 0; i < view->chosen_count; i++) {
        struct claim_span text;
        claims_text(claim, view->chosen[i].dim, &text);
        if (!filter_matches(&view->chosen[i], text.at, text.bytes)) {
            return false;
        }
    }
    return true;
}

// --- the sheet ---

static void add_columns(struct sheet *sheet)
{
    static const struct {
        const char *name;
        enum sheet_kind kind;
        unsigned flags;
        unsigned char rank;
    } columns[] = {
        {"id", SHEET_TEXT, SHEET_WHOLE, 0},
        {"speaker", SHEET_TEXT, 0, 2},
        {"stated_on", SHEET_TEXT, SHEET_UNLESS_ZERO, 6},
        {"first_day", SHEET_DAY, 0, 0},
        {"last_day", SHEET_DAY, 0, 0},
        {"measure", SHEET_TEXT, 0, 0},
        {"filter", SHEET_TEXT, SHEET_UNLESS_ZERO | SHEET_FOLDS, 0},
        {"qualifier", SHEET_TEXT, 0, 0},
        {"value", SHEET_COUNT, 0, 0},
        {"recorded_inside", SHEET_COUNT, 0, 5},
        {"recorded_start", SHEET_COUNT, 0, 4},
        {"recorded_overlap", SHEET_COUNT, 0, 5},
        {"recorded_low", SHEET_COUNT, 0, 0},
        {"recorded_high", SHEET_COUNT, 0, 0},
        {"reported", SHEET_COUNT, 0, 7},
        {"incidents", SHEET_COUNT, 0, 7},
        {"verdict", SHEET_TEXT, 0, 0},
        {"reason", SHEET_TEXT, SHEET_FOLDS, 0},
        {"parts_sum", SHEET_COUNT, SHEET_UNLESS_ZERO, 3},
        {"parts_verdict", SHEET_TEXT, SHEET_UNLESS_ZERO | SHEET_FOLDS, 0},
        {"responses", SHEET_TEXT, SHEET_FOLDS, 0},
        {"part_of", SHEET_TEXT, SHEET_UNLESS_ZERO, 3},
        {"feed", SHEET_TEXT, SHEET_NOT_IN_TABLE, 0},
        {"batch", SHEET_NUMBER, SHEET_NOT_IN_TABLE, 0},
        {"file", SHEET_TEXT, SHEET_NOT_IN_TABLE, 0},
        {"digest", SHEET_TEXT, SHEET_NOT_IN_TABLE, 0},
        {"record", SHEET_NUMBER, SHEET_NOT_IN_TABLE, 0},
        {"line", SHEET_NUMBER, SHEET_NOT_IN_TABLE, 0},
    };

    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        bool recorded = strncmp(columns[i].name, "recorded_", strlen("recorded_")) == 0;
        size_t at =
            sheet_add_column(sheet, columns[i].kind, columns[i].flags, recorded ? "recorded_" : "",
                             columns[i].name + (recorded ? strlen("recorded_") : 0), "");
        sheet->column[at].rank = columns[i].rank;
    }
}

static struct sheet_value text_value(struct claim_span text)
{
    return text.bytes > 0 ? sheet_text(text.at, text.bytes) : (struct sheet_value){0};
}

static struct sheet_value figure_value(const struct recorded *recorded,
                                       struct recorded_figure figure)
{
    return recorded->any && figure.given ? sheet_number(figure.sum) : (struct sheet_value){0};
}

static struct sheet_value *put_claim(struct sheet_value *at, const struct claim *claim)
{
    const struct claim_span *text = claim->text;

    *at++ = text_value(claim->id);
    *at++ = text_value(text[CLAIM_SPEAKER]);
    *at++ = text_value(text[CLAIM_STATED_ON]);
    *at++ = sheet_number(claim->first_day);
    *at++ = sheet_number(claim->last_day);
    *at++ = text_value(text[CLAIM_MEASURE]);
    *at++ = text_value(text[CLAIM_FILTER]);
    *at++ = claim->readable ? sheet_name(claim_qualifier_name(claim->qualifier))
                            : text_value(text[CLAIM_QUALIFIER]);
    *at++ = claim->readable ? sheet_number(claim->value) : (struct sheet_value){0};
    return at;
}

// The range is of no use where nobody reported the measure.
static struct sheet_value *put_recorded(struct sheet_value *at, const struct recorded *recorded)
{
    *at++ = figure_value(recorded, recorded->inside);
    *at++ = figure_value(recorded, recorded->start);
    *at++ = figure_value(recorded, recorded->overlap);
    if (recorded->any && recorded->overlap.given) {
        at[0] = sheet_number(recorded->range.low);
        at[1] = sheet_number(recorded->range.high);
    }
    at += 2;
    if (recorded->any) {
        at[0] = sheet_number((bytes_i128)recorded->reported);
        at[1] = sheet_number((bytes_i128)recorded->incidents);
    }
    return at + 2;
}

static struct sheet_value *put_parts(struct sheet_value *at, struct sheet *sheet,
                                     const struct claim *claim)
{
    char verdict[CLAIMS_PARTS_BYTES];

    if (claim->parts_count > 0) {
        at[0] = sheet_number(claim->parts_sum);
    }
    claims_parts_verdict(claim, verdict);
    if (verdict[0]) {
        at[1] = sheet_copy(sheet, verdict, strlen(verdict));
    }
    return at + 2;
}

static void put_source(struct sheet_value *at, struct view *view, const struct claim *claim)
{
    const struct incident *incident = claim->incident;
    const struct incident_origin origin = incident_origin(view->claims.state, incident);
    const struct moment_file *file = moment_file(view->origin->moment, incident);
    char digest[DIGEST_TEXT_BYTES];

    *at++ = sheet_name(state_feed_of(view->claims.state, incident)->name);
    *at++ = sheet_number((bytes_i128)(file ? file->batch : origin.batch));
    if (file) {
        digest_format(file->digest, digest);
        at[0] = sheet_name(file->name);
        at[1] = sheet_copy(&view->sheet, digest, strlen(digest));
    }
    at += 2;
    *at++ = sheet_number(origin.record);
    *at = sheet_number(origin.line);
}

static bool add_row(struct view *view, const struct claim *claim, struct tally_err *err)
{
    struct sheet *sheet = &view->sheet;
    struct recorded recorded;
    const char *reason = "";

    if (!recorded_find(&recorded, claim, view->origin->rollup, view->where, view->where_count,
                       sheet, err)) {
        return false;
    }
    struct sheet_value *at = sheet_add_row(sheet, err);
    if (!at) {
        return false;
    }
    enum verdict verdict = recorded_judge(&recorded, claim, sheet, &reason);
    view->found[verdict]++;
    at = put_recorded(put_claim(at, claim), &recorded);
    *at++ = sheet_name(verdict_name(verdict));
    *at++ = text_value((struct claim_span){.at = reason, .bytes = strlen(reason)});
    at = put_parts(at, sheet, claim);
    *at++ = text_value(claim->text[CLAIM_RESPONSES]);
    *at++ = text_value(claim->text[CLAIM_PART_OF]);
    put_source(at, view, claim);
    return true;
}

static void add_notes(struct view *view)
{
    struct sheet *sheet = &view->sheet;
    const char *counts = "";

    for (size_t i = 0; i < VERDICTS; i++) {
        if (view->found[i] > 0) {
            counts = sheet_printf(sheet, "%s%s%zu %s", counts, counts[0] ? ", " : "",
                                  view->found[i], verdict_name((enum verdict)i));
        }
    }
    sheet_add_note(sheet, counts[0] ? counts : "no claims");
    sheet_add_note(sheet, "A verdict is about what is recorded, from the figure of the incidents "
                          "inside the window to that of all that overlap it.");
}

static const char *make_title(struct view *view)
{
    struct sheet *sheet = &view->sheet;
    const struct options *options = view->options;
    const char *title = sheet_printf(sheet, "Claims against %s", view->def->name);

    for (size_t i = 0; i < view->def->filters_count; i++) {
        title = sheet_printf(sheet, "%s · only %s", title,
                             recorded_filter_text(sheet, &view->def->filters[i]));
    }
    for (size_t i = 0; i < options->where_count; i++) {
        title = sheet_printf(sheet, "%s · %s", title, options->where[i]);
    }
    return options->as_of ? sheet_printf(sheet, "%s · as of %s", title, options->as_of) : title;
}

static bool show(struct view *view, struct print *print, struct tally_err *err)
{
    const struct options *options = view->options;
    struct sheet *sheet = &view->sheet;

    sheet->title = make_title(view);
    add_columns(sheet);
    for (size_t i = 0; i < view->claims.count; i++) {
        const struct claim *claim = &view->claims.claim[i];
        if (is_chosen(view, claim) && !add_row(view, claim, err)) {
            return false;
        }
    }
    if (options->sort && !sheet_sort(sheet, options->sort, err)) {
        return false;
    }
    if (options->limited) {
        sheet_limit(sheet, options->limit);
    }
    add_notes(view);
    return print_end(print, sheet, err);
}

bool run_claims(const struct options *options, struct print *print, struct tally_err *err)
{
    struct origin origin;

    if (!origin_open(&origin, options, ORIGIN_LEDGER, err)) {
        return false;
    }
    struct view *view = calloc(1, sizeof *view);
    bool done = view || err_set(err, TALLY_NO_MEMORY, "no memory");
    if (view) {
        *view =
            (struct view){.options = options, .origin = &origin, .def = rollup_def(origin.rollup)};
        sheet_init(&view->sheet);
        done = moment_take_claims(origin.moment, err) &&
               claims_init(&view->claims, moment_state(origin.moment), err) &&
               sort_conditions(view, err) && show(view, print, err);
        claims_done(&view->claims);
        for (size_t i = 0; i < view->chosen_count; i++) {
            filter_done(&view->chosen[i]);
        }
        sheet_done(&view->sheet);
        free(view);
    }
    origin_close(&origin);
    return done;
}
