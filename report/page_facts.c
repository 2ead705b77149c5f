#include "report/page.h"

#include "base/day.h"

#include <stdlib.h>
#include <string.h>

enum { CHART_DAYS_MAX = 36600 };

// --- figures ---

static int find_estimate(const struct rollup_def *def, const char *name, const char *suffix)
{
    char text[ROLLUP_NAME_BYTES_MAX + 8];

    snprintf(text, sizeof text, "%s%s", name, suffix);
    return rollup_def_find_measure(def, text);
}

// Whether "killed.low" is told beside "killed".
static bool is_estimate(const struct rollup_def *def, const char *name)
{
    const char *dot = strrchr(name, '.');
    char stem[ROLLUP_NAME_BYTES_MAX + 1];

    if (!dot || (strcmp(dot, ".low") != 0 && strcmp(dot, ".high") != 0)) {
        return false;
    }
    snprintf(stem, sizeof stem, "%.*s", (int)(dot - name), name);
    return rollup_def_find_measure(def, stem) >= 0;
}

static void find_figures(struct page *page)
{
    const struct rollup_def *def = page->def;

    for (size_t m = 0; m < def->measures_count; m++) {
        const char *name = def->measures[m];
        if (!is_estimate(def, name)) {
            page->figure[page->figures_count++] =
                (struct page_figure){.name = name,
                                     .measure = (int)m,
                                     .low = find_estimate(def, name, ".low"),
                                     .high = find_estimate(def, name, ".high")};
        }
    }
    page->figure[page->figures_count++] =
        (struct page_figure){.name = "incidents", .measure = -1, .low = -1, .high = -1};
}

uint64_t page_reported(const struct rollup_sums *sums, int measure)
{
    return measure < 0 ? sums->incidents : sums->measure[measure].reported;
}

bool page_has_range(const struct page_figure *figure)
{
    return figure->low >= 0 && figure->high >= 0;
}

bool page_range_fits(const struct rollup_sums *sums, const struct page_figure *figure)
{
    uint64_t reported = page_reported(sums, figure->measure);

    return page_reported(sums, figure->low) == reported &&
           page_reported(sums, figure->high) == reported;
}

struct page_value page_value(const struct rollup_sums *sums, int measure, uint64_t measures)
{
    if (measure < 0) {
        return (struct page_value){.number = (bytes_i128)sums->incidents};
    }
    if (sums->measure[measure].reported > 0) {
        return (struct page_value){.number = sums->measure[measure].sum};
    }
    if (!(measures >> measure & 1)) {
        return (struct page_value){.state = PAGE_ABSENT};
    }
    return (struct page_value){.state = sums->incidents > 0 ? PAGE_UNKNOWN : PAGE_NONE};
}

bool page_is_participle(const char *name)
{
    size_t bytes = strlen(name);

    return bytes > 3 && strcmp(name + bytes - 2, "ed") == 0;
}

// --- days ---

static void add_coverage(struct page *page, struct rollup_coverage coverage)
{
    if (!page->any_coverage) {
        page->any_coverage = true;
        page->covered_first = page->reached_first = coverage.first_day;
        page->covered_last = page->reached_last = coverage.last_day;
        return;
    }
    if (coverage.first_day > page->covered_first) {
        page->covered_first = coverage.first_day;
    }
    if (coverage.last_day < page->covered_last) {
        page->covered_last = coverage.last_day;
    }
    if (coverage.first_day < page->reached_first) {
        page->reached_first = coverage.first_day;
    }
    if (coverage.last_day > page->reached_last) {
        page->reached_last = coverage.last_day;
    }
}

static void find_coverage(struct page *page)
{
    for (size_t i = 0; i < page->def->feeds_count; i++) {
        struct rollup_coverage coverage = rollup_coverage(page->rollup, i);
        if (coverage.any && where_has_feed(&page->where, page->def, i)) {
            add_coverage(page, coverage);
        }
    }
}

bool page_is_whole(const struct page *page, int32_t first_day, int32_t last_day)
{
    return page->any_coverage && first_day >= page->covered_first && last_day <= page->covered_last;
}

bool page_is_reached(const struct page *page, int32_t first_day, int32_t last_day)
{
    return page->any_coverage && first_day <= page->reached_last && last_day >= page->reached_first;
}

static bool find_periods(struct page *page, struct tally_err *err)
{
    const struct options *options = page->options;
    struct period *now = &page->period[PAGE_NOW];

    if (!period_asked(options, page->rollup, now, err)) {
        return false;
    }
    if (now->first_day == DAY_MIN) {
        return err_set(err, TALLY_INVALID, "nothing is before the calendar to compare with");
    }
    if (!period_of(options->days, now->first_day - 1, &page->period[PAGE_PREVIOUS], err) ||
        !period_of(options->days, day_year_ago(now->last_day), &page->period[PAGE_YEAR_AGO], err)) {
        return err_wrap(err, "the windows to compare with");
    }
    for (size_t i = 0; i < PAGE_PERIODS; i++) {
        page->is_whole[i] =
            page_is_whole(page, page->period[i].first_day, page->period[i].last_day);
    }
    return true;
}

// Charts reach back some years or ten windows, but not far beyond the first day with data.
static void find_chart(struct page *page)
{
    const struct period *now = &page->period[PAGE_NOW];
    int64_t days = PAGE_YEARS * 365 + 1;
    int64_t first = (int64_t)now->last_day - 3 * (int64_t)now->days + 1;

    days = (int64_t)now->days * 10 > days ? (int64_t)now->days * 10 : days;
    days = days < CHART_DAYS_MAX ? days : CHART_DAYS_MAX;
    if (rollup_any_day(page->rollup) && rollup_first_day(page->rollup) < first) {
        first = rollup_first_day(page->rollup);
    }
    int64_t from = now->last_day - days + 1;
    from = from > first ? from : first;
    page->chart_from = (int32_t)(from > DAY_MIN ? from : DAY_MIN);
}

// --- groups ---

static bool find_group(struct page *page, struct rollup_cursor cursor[PAGE_PERIODS], size_t row,
                       struct tally_err *err)
{
    struct page_group *group = &page->group[page->groups_count];
    uint64_t incidents = 0;

    group->row = row;
    for (size_t i = 0; i < PAGE_PERIODS; i++) {
        if (!select_window(&page->groups, &cursor[i], row, page->options->basis,
                           page->period[i].first_day, page->period[i].last_day, &group->sums[i],
                           err)) {
            return false;
        }
        incidents += group->sums[i].incidents;
    }
    page->groups_count += incidents > 0;
    return true;
}

static int compare_values(struct page_value a, struct page_value b)
{
    if ((a.state == PAGE_KNOWN) != (b.state == PAGE_KNOWN)) {
        return a.state == PAGE_KNOWN ? -1 : 1;
    }
    return (a.number < b.number) - (a.number > b.number);
}

// The greatest of figure 0 first, then the most incidents, then by the bytes of the texts.
static int compare_groups(const void *a, const void *b, void *context)
{
    const struct page *page = context;
    const struct page_group *group_a = a;
    const struct page_group *group_b = b;
    const struct rollup_sums *sums_a = &group_a->sums[PAGE_NOW];
    const struct rollup_sums *sums_b = &group_b->sums[PAGE_NOW];
    int measure = page->figure[0].measure;
    int order = compare_values(page_value(sums_a, measure, 0), page_value(sums_b, measure, 0));

    if (order == 0) {
        order = compare_values(page_value(sums_a, -1, 0), page_value(sums_b, -1, 0));
    }
    return order != 0 ? order : (group_a->row > group_b->row) - (group_a->row < group_b->row);
}

static bool find_groups(struct page *page, struct tally_err *err)
{
    size_t rows = page->groups.rows_count;
    struct rollup_cursor cursor[PAGE_PERIODS] = {0};

    page->group = calloc(rows + 1, sizeof *page->group);
    if (!page->group) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for %zu groups", rows);
    }
    for (size_t row = 0; page->groups.by.count > 0 && row < rows; row++) {
        if (!find_group(page, cursor, row, err)) {
            return false;
        }
    }
    qsort_r(page->group, page->groups_count, sizeof *page->group, compare_groups, page);
    return true;
}

// --- all of it ---

static bool open_select(struct select *select, const struct page *page, const struct by *by,
                        struct tally_err *err)
{
    if (select_init(select, page->rollup, &page->where, by, err)) {
        return true;
    }
    *select = (struct select){0}; // so that page_done finds nothing to free
    return false;
}

static bool find_rows(struct page *page, struct tally_err *err)
{
    const struct by none = {.count = 0};
    const char *first = page->def->dims_count > 0 ? page->def->dims[0] : NULL;
    struct by by;

    if (!by_parse(&by, page->def, page->options->by ? page->options->by : first, err) ||
        !open_select(&page->total, page, &none, err)) {
        return false;
    }
    for (size_t i = 0; i < PAGE_PERIODS; i++) {
        if (!select_window(&page->total, NULL, 0, page->options->basis, page->period[i].first_day,
                           page->period[i].last_day, &page->sums[i], err)) {
            return false;
        }
    }
    return open_select(&page->groups, page, &by, err) && find_groups(page, err);
}

bool page_find(struct page *page, const struct options *options, const struct rollup *rollup,
               struct tally_err *err)
{
    *page = (struct page){.options = options, .rollup = rollup, .def = rollup_def(rollup)};
    if (!where_init(&page->where, page->def, options->where, options->where_count, err)) {
        return false;
    }
    find_figures(page);
    find_coverage(page);
    if (!find_periods(page, err) || !find_rows(page, err) ||
        !rollup_provenance(rollup, &page->provenance, err)) {
        page_done(page);
        return false;
    }
    find_chart(page);
    return true;
}

void page_done(struct page *page)
{
    free(page->group);
    select_done(&page->groups);
    select_done(&page->total);
    where_done(&page->where);
}
