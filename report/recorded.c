#include "report/recorded.h"

#include "base/day.h"
#include "report/number.h"
#include "report/options.h"
#include "report/select.h"

#include <stdio.h>
#include <string.h>

enum { CONDITIONS_MAX = CLAIM_CONDITIONS_MAX + OPTIONS_WHERE_MAX };

// One claim on its way to its figures.
struct search {
    struct recorded *out;
    const struct claim *claim;
    const struct rollup *rollup;
    const struct rollup_def *def;
    struct sheet *texts;
    const char *condition[CONDITIONS_MAX]; // "DIM=LIST" on dimensions of the rollup
    size_t conditions_count;
    struct where where;
    struct rollup_sums sums[BASIS_INSIDE + 1];
};

// The first reason stands: the later ones follow from it.
static void refuse(struct search *search, const char *reason)
{
    if (!search->out->not_comparable) {
        search->out->not_comparable = reason;
    }
}

static void leave_open(struct search *search, const char *reason)
{
    const char *before = search->out->open;

    search->out->open = before[0] ? sheet_printf(search->texts, "%s; %s", before, reason) : reason;
}

static const char *copy(struct search *search, struct claim_span span)
{
    return sheet_printf(search->texts, "%.*s", (int)span.bytes, span.at);
}

const char *recorded_filter_text(struct sheet *texts, const struct filter *filter)
{
    const char *text =
        sheet_printf(texts, "%s=%s", filter->dim ? filter->dim : "", filter->negated ? "!" : "");

    for (size_t i = 0; i < filter->patterns_count; i++) {
        text = sheet_printf(texts, "%s%s%s", text, i ? "," : "", filter->patterns[i]);
    }
    return text;
}

// --- which part of the rollup ---

static const struct filter *find_filter(const struct rollup_def *def, const char *dim)
{
    for (size_t i = 0; i < def->filters_count; i++) {
        if (strcmp(def->filters[i].dim, dim) == 0) {
            return &def->filters[i];
        }
    }
    return NULL;
}

static bool filter_equal(const struct filter *a, const struct filter *b)
{
    bool equal = a->negated == b->negated && a->patterns_count == b->patterns_count;

    for (size_t i = 0; equal && i < a->patterns_count; i++) {
        equal = strcmp(a->patterns[i], b->patterns[i]) == 0;
    }
    return equal;
}

// Whether everything that the claim's list names is something that the rollup counts.
static bool filter_covers(const struct filter *rollup, const struct filter *claimed)
{
    if (filter_equal(rollup, claimed)) {
        return true;
    }
    bool covers = !claimed->negated;
    for (size_t i = 0; covers && i < claimed->patterns_count; i++) {
        const char *pattern = claimed->patterns[i];
        covers = !strpbrk(pattern, "*?\\") && filter_matches(rollup, pattern, strlen(pattern));
    }
    return covers;
}

// A condition of the claim: on a dimension of the rollup, or what the rollup counts anyway.
static bool add_condition(struct search *search, const char *dim, const char *list,
                          struct tally_err *err)
{
    const struct filter *own = find_filter(search->def, dim);
    struct filter claimed = {0};

    if (own) {
        if (!filter_init(&claimed, dim, list, err)) {
            return false;
        }
        bool covers = filter_covers(own, &claimed);
        bool equal = filter_equal(own, &claimed);
        filter_done(&claimed);
        if (!covers) {
            refuse(search, sheet_printf(search->texts, "the rollup counts only %s, not %s=%s",
                                        recorded_filter_text(search->texts, own), dim, list));
        }
        if (equal) {
            return true;
        }
    }
    search->condition[search->conditions_count++] = sheet_printf(search->texts, "%s=%s", dim, list);
    return true;
}

static bool names_dim(const struct claim *claim, const char *dim, size_t bytes)
{
    for (size_t i = 0; i < claim->conditions.count; i++) {
        const struct claim_span *span = &claim->conditions.condition[i].dim;
        if (span->bytes == bytes && memcmp(span->at, dim, bytes) == 0) {
            return true;
        }
    }
    return false;
}

// Whether an earlier condition is on the dimension of this one.
static bool names_before(const struct claim_conditions *conditions, size_t index)
{
    const struct claim_span *dim = &conditions->condition[index].dim;

    for (size_t i = 0; i < index; i++) {
        const struct claim_span *earlier = &conditions->condition[i].dim;
        if (earlier->bytes == dim->bytes && memcmp(earlier->at, dim->at, dim->bytes) == 0) {
            return true;
        }
    }
    return false;
}

static bool add_conditions(struct search *search, const char *const *where, size_t where_count,
                           struct tally_err *err)
{
    const struct claim_conditions *conditions = &search->claim->conditions;

    for (size_t i = 0; i < conditions->count; i++) {
        const char *dim = copy(search, conditions->condition[i].dim);
        if (names_before(conditions, i)) {
            refuse(search, sheet_printf(search->texts,
                                        "its own filter has two conditions on %s, "
                                        "which both have to hold",
                                        dim));
        } else if (!add_condition(search, dim, copy(search, conditions->condition[i].list), err)) {
            return false;
        }
    }
    for (size_t i = 0; i < where_count; i++) {
        // Two conditions on one dimension would mean either, and here both have to hold.
        if (names_dim(search->claim, where[i], strcspn(where[i], "="))) {
            refuse(search, sheet_printf(search->texts,
                                        "its own filter and --where %s are on one "
                                        "dimension",
                                        where[i]));
            continue;
        }
        search->condition[search->conditions_count++] = where[i];
        leave_open(search, sheet_printf(search->texts, "--where counts only %s", where[i]));
    }
    return where_init(&search->where, search->def, search->condition, search->conditions_count,
                      err);
}

static void note_narrower_rollup(struct search *search)
{
    for (size_t i = 0; i < search->def->filters_count; i++) {
        const struct filter *own = &search->def->filters[i];
        if (!names_dim(search->claim, own->dim, strlen(own->dim))) {
            leave_open(search, sheet_printf(search->texts, "the rollup counts only %s",
                                            recorded_filter_text(search->texts, own)));
        }
    }
}

// --- how far the feeds go ---

static void check_feed(struct search *search, size_t feed)
{
    struct rollup_coverage coverage = rollup_coverage(search->rollup, feed);
    const char *name = search->def->feeds[feed].name;
    int32_t first_day = search->claim->first_day;
    int32_t last_day = search->claim->last_day;
    char covered[DAY_TEXT_BYTES];
    char wanted[DAY_TEXT_BYTES];

    if (!coverage.any) {
        refuse(search, sheet_printf(search->texts, "feed %s has no data yet", name));
        return;
    }
    if (coverage.last_day < last_day) {
        refuse(search, sheet_printf(search->texts, "feed %s covers through %s; the claim ends %s",
                                    name, day_format_iso(coverage.last_day, covered),
                                    day_format_iso(last_day, wanted)));
    }
    if (coverage.first_day > last_day) {
        refuse(search, sheet_printf(search->texts, "feed %s begins on %s; the claim ends %s", name,
                                    day_format_iso(coverage.first_day, covered),
                                    day_format_iso(last_day, wanted)));
    } else if (coverage.first_day > first_day) {
        leave_open(search, sheet_printf(search->texts, "feed %s begins on %s; the claim starts %s",
                                        name, day_format_iso(coverage.first_day, covered),
                                        day_format_iso(first_day, wanted)));
    }
}

static void check_feeds(struct search *search)
{
    const char *names = "";
    size_t feeds = 0;

    for (size_t i = 0; i < search->def->feeds_count; i++) {
        if (where_has_feed(&search->where, search->def, i)) {
            names = sheet_printf(search->texts, "%s%s%s", names, feeds ? ", " : "",
                                 search->def->feeds[i].name);
            feeds++;
            check_feed(search, i);
        }
    }
    if (feeds > 1) {
        search->out->not_comparable = sheet_printf(
            search->texts, "feeds %s may report the same events; choose one by --where feed=NAME",
            names);
    }
    if (feeds == 0) {
        search->out->not_comparable = "no feed of the rollup passes the filter";
    }
}

// --- the figures ---

static bool find_sums(struct search *search, struct tally_err *err)
{
    static const enum basis bases[] = {BASIS_START, BASIS_OVERLAP, BASIS_INSIDE};
    const struct claim *days = search->claim;
    const struct by by = {.count = 0};
    struct select select;

    if (!select_init(&select, search->rollup, &search->where, &by, err)) {
        return false;
    }
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof bases / sizeof bases[0]; i++) {
        ok = select_window(&select, NULL, 0, bases[i], days->first_day, days->last_day,
                           &search->sums[bases[i]], err);
    }
    select_done(&select);
    return ok;
}

// The figure of a measure by one basis; nothing is given of a measure that the rollup lacks.
static struct recorded_figure figure_of(const struct search *search, enum basis basis,
                                        const char *measure, uint64_t *out_reported)
{
    const struct rollup_sums *sums = &search->sums[basis];
    int at = rollup_def_find_measure(search->def, measure);

    *out_reported = 0;
    if (strcmp(measure, "incidents") == 0) {
        *out_reported = sums->incidents;
        return (struct recorded_figure){.given = true, .sum = (bytes_i128)sums->incidents};
    }
    if (at < 0 || sums->measure[at].reported == 0) {
        return (struct recorded_figure){.given = false};
    }
    *out_reported = sums->measure[at].reported;
    return (struct recorded_figure){.given = true, .sum = sums->measure[at].sum};
}

static void add_figure(struct recorded_figure *total, bool first, struct recorded_figure figure)
{
    total->given = (first || total->given) && figure.given;
    total->sum += figure.sum;
}

static void note_unreported(struct search *search, const char *measure, uint64_t reported)
{
    char missing[NUMBER_BYTES];
    char all[NUMBER_BYTES];
    uint64_t incidents = search->sums[BASIS_OVERLAP].incidents;

    if (reported < incidents) {
        number_format((bytes_i128)(incidents - reported), ',', missing);
        number_format((bytes_i128)incidents, ',', all);
        leave_open(search, sheet_printf(search->texts, "%s of %s incidents did not report %s",
                                        missing, all, measure));
    }
}

// Low and high of one measure, estimates included. What lies inside the window is 0 where nothing
// does or nothing was reported: it is a lower bound.
static void add_range(struct search *search, const char *measure)
{
    const char *low_name = sheet_printf(search->texts, "%s.low", measure);
    const char *high_name = sheet_printf(search->texts, "%s.high", measure);
    struct range *range = &search->out->range;
    uint64_t best_reported;
    uint64_t reported;
    struct recorded_figure best_low = figure_of(search, BASIS_INSIDE, measure, &reported);
    struct recorded_figure low = figure_of(search, BASIS_INSIDE, low_name, &reported);
    struct recorded_figure best_high = figure_of(search, BASIS_OVERLAP, measure, &best_reported);
    struct recorded_figure high = figure_of(search, BASIS_OVERLAP, high_name, &reported);

    range->low += low.given && low.sum < best_low.sum ? low.sum : best_low.sum;
    range->high += high.given && high.sum > best_high.sum ? high.sum : best_high.sum;
    if (high.given) {
        note_unreported(search, high_name, reported);
    } else {
        note_unreported(search, measure, best_reported);
    }
}

static void add_measure(struct search *search, const char *measure, bool first)
{
    struct recorded *out = search->out;
    uint64_t reported;

    if (strcmp(measure, "incidents") != 0 && rollup_def_find_measure(search->def, measure) < 0) {
        refuse(search, sheet_printf(search->texts, "rollup %s has no measure %s", search->def->name,
                                    measure));
    }
    add_figure(&out->inside, first, figure_of(search, BASIS_INSIDE, measure, &reported));
    add_figure(&out->start, first, figure_of(search, BASIS_START, measure, &reported));
    struct recorded_figure overlap = figure_of(search, BASIS_OVERLAP, measure, &reported);
    add_figure(&out->overlap, first, overlap);
    out->reported = first || reported < out->reported ? reported : out->reported;
    if (!overlap.given) {
        refuse(search,
               out->incidents == 0
                   ? "no incidents are recorded in its days"
                   : sheet_printf(search->texts, "nobody reported %s in its days", measure));
    }
    add_range(search, measure);
}

static bool fill(struct search *search, struct tally_err *err)
{
    const struct claim_measures *measures = &search->claim->measures;
    struct recorded *out = search->out;

    check_feeds(search);
    if (!find_sums(search, err)) {
        return false;
    }
    out->any = true;
    out->incidents = search->sums[BASIS_OVERLAP].incidents;
    for (size_t i = 0; i < measures->count; i++) {
        add_measure(search, copy(search, measures->name[i]), i == 0);
    }
    note_narrower_rollup(search);
    return true;
}

bool recorded_find(struct recorded *out, const struct claim *claim, const struct rollup *rollup,
                   const char *const *where, size_t where_count, struct sheet *texts,
                   struct tally_err *err)
{
    struct search search = {
        .out = out, .claim = claim, .rollup = rollup, .def = rollup_def(rollup), .texts = texts};

    *out = (struct recorded){.open = ""};
    if (!claim->readable) {
        out->not_comparable = "qualifier, measure, filter or value cannot be read";
        return true;
    }
    if (!add_conditions(&search, where, where_count, err)) {
        // A dimension that the rollup does not have; anything else is a failure.
        out->not_comparable = sheet_printf(texts, "%s", err->message);
        return err->code == TALLY_INVALID;
    }
    bool done = fill(&search, err);
    where_done(&search.where);
    return done;
}

enum verdict recorded_judge(const struct recorded *recorded, const struct claim *claim,
                            struct sheet *texts, const char **out_reason)
{
    char gap_text[NUMBER_BYTES];
    bytes_i128 gap = 0;

    if (recorded->not_comparable) {
        *out_reason = recorded->not_comparable;
        return VERDICT_NOT_COMPARABLE;
    }
    struct range claimed = claims_range(claim);
    enum verdict verdict = verdict_of(claimed, recorded->range, &gap);
    number_format(gap, ',', gap_text);
    const char *open = recorded->open;
    switch (verdict) {
    case VERDICT_ABOVE:
        *out_reason = sheet_printf(texts, "%s above the highest recorded%s%s", gap_text,
                                   open[0] ? "; " : "", open);
        break;
    case VERDICT_BELOW: // more than is recorded would only widen the gap
        *out_reason = sheet_printf(texts, "%s below the lowest recorded", gap_text);
        break;
    case VERDICT_CONSISTENT:
    case VERDICT_NOT_COMPARABLE:
        *out_reason = claimed.endless ? "" : open;
        break;
    }
    return verdict;
}
