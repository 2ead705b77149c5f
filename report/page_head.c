// What the page says first: the sentence, what is not known, each figure beside those to compare.
#include "report/page.h"

#include "report/html.h"

#include <string.h>

void page_put_length(FILE *out, uint32_t days)
{
    html_count(out, days);
    fputs(days == 1 ? " day" : " days", out);
}

void page_put_value(FILE *out, struct page_value value)
{
    switch (value.state) {
    case PAGE_KNOWN:
        html_count(out, value.number);
        return;
    case PAGE_UNKNOWN:
        fputs("unknown", out);
        return;
    case PAGE_NONE:
        fputs("–", out);
        return;
    case PAGE_ABSENT:
        fputs("not recorded", out);
        return;
    }
}

static struct page_value value_now(const struct page *page, int measure)
{
    return page_value(&page->sums[PAGE_NOW], measure, page->total.measures);
}

static void put_incidents(FILE *out, uint64_t incidents)
{
    html_count(out, (bytes_i128)incidents);
    fputs(incidents == 1 ? " incident" : " incidents", out);
}

// --- the sentence ---

struct known {
    const struct page_figure *figure[ROLLUP_MEASURES_MAX];
    size_t count;
};

// The measures of one kind that some incident gave.
static struct known find_known(const struct page *page, bool participles)
{
    struct known known = {.count = 0};

    for (size_t i = 0; i + 1 < page->figures_count; i++) {
        const struct page_figure *figure = &page->figure[i];
        if (page_is_participle(figure->name) == participles &&
            value_now(page, figure->measure).state == PAGE_KNOWN) {
            known.figure[known.count++] = figure;
        }
    }
    return known;
}

static const char *between(size_t at, size_t count)
{
    return at == 0 ? "" : at + 1 == count ? " and " : ", ";
}

// "261 were killed and 602 wounded"
static void put_participles(const struct page *page, const struct known *known)
{
    for (size_t i = 0; i < known->count; i++) {
        bytes_i128 number = value_now(page, known->figure[i]->measure).number;
        fputs(between(i, known->count), page->out);
        html_count(page->out, number);
        fputs(i > 0 ? " " : number == 1 ? " was " : " were ", page->out);
        html_name(page->out, known->figure[i]->name);
    }
}

// ": fatalities 261 and civilians 33"
static void put_nouns(const struct page *page, const struct known *known)
{
    fputs(known->count > 0 ? ": " : "", page->out);
    for (size_t i = 0; i < known->count; i++) {
        fputs(between(i, known->count), page->out);
        html_name(page->out, known->figure[i]->name);
        fputs(" ", page->out);
        html_count(page->out, value_now(page, known->figure[i]->measure).number);
    }
}

static void put_what(const struct page *page)
{
    struct known participles = find_known(page, true);
    struct known nouns = find_known(page, false);
    uint64_t incidents = page->sums[PAGE_NOW].incidents;

    if (incidents == 0) {
        fputs("no incidents were recorded", page->out);
    } else if (participles.count > 0) {
        put_participles(page, &participles);
        fputs(" in ", page->out);
        put_incidents(page->out, incidents);
    } else {
        put_incidents(page->out, incidents);
        fputs(incidents == 1 ? " was recorded" : " were recorded", page->out);
        put_nouns(page, &nouns);
    }
}

static void put_sentence(const struct page *page)
{
    const struct period *now = &page->period[PAGE_NOW];

    if (now->days == 1) {
        fputs("On ", page->out);
    } else {
        fputs("In the ", page->out);
        page_put_length(page->out, now->days);
        fputs(" from ", page->out);
    }
    html_days(page->out, now->first_day, now->last_day);
    fputs(", ", page->out);
    put_what(page);
    fputs(".", page->out);
}

// --- what has to be known to read it ---

static void put_conditions(const struct page *page)
{
    const struct options *options = page->options;

    fputs("<p class=\"over\"><bdi>", page->out);
    html_name(page->out, page->def->name);
    fputs("</bdi>", page->out);
    for (size_t i = 0; i < options->where_count; i++) {
        fputs(" · <bdi>", page->out);
        html_name(page->out, options->where[i]);
        fputs("</bdi>", page->out);
    }
    if (options->as_of) {
        fputs(" · as it stood at ", page->out);
        html_name(page->out, options->as_of);
    }
    fputs("</p>\n", page->out);
}

static const char *basis_words(enum basis basis)
{
    switch (basis) {
    case BASIS_START:
        return "An incident that lasts several days counts by its first.";
    case BASIS_END:
        return "An incident that lasts several days counts by its last.";
    case BASIS_OVERLAP:
        return "An incident counts when any of its days is in the window: the upper bound.";
    case BASIS_INSIDE:
        return "An incident counts when all of its days are in the window: the lower bound.";
    }
    return "";
}

// "1,950 reported how many were killed"
static void put_reported(const struct page *page, const struct page_figure *figure)
{
    uint64_t incidents = page->sums[PAGE_NOW].incidents;
    uint64_t reported = page_reported(&page->sums[PAGE_NOW], figure->measure);
    FILE *out = page->out;

    if (incidents == 1) {
        fputs(reported == 1 ? "it" : "it did not", out);
    } else if (reported == 0) {
        fputs("none", out);
    } else if (reported == incidents) {
        fputs("all", out);
    } else {
        html_count(out, (bytes_i128)reported);
    }
    fputs(incidents == 1 && reported == 0 ? " report " : " reported ", out);
    fputs(page_is_participle(figure->name) ? "how many were " : "", out);
    html_name(out, figure->name);
}

static void put_unknown(const struct page *page)
{
    uint64_t incidents = page->sums[PAGE_NOW].incidents;
    bool all_reported = true;

    if (incidents == 0 || page->figures_count == 1) {
        return;
    }
    if (incidents > 1) {
        fputs("Of ", page->out);
        put_incidents(page->out, incidents);
        fputs(", ", page->out);
    } else {
        fputs("There is one incident; ", page->out);
    }
    for (size_t i = 0; i + 1 < page->figures_count; i++) {
        fputs(between(i, page->figures_count - 1), page->out);
        put_reported(page, &page->figure[i]);
        all_reported = all_reported &&
                       page_reported(&page->sums[PAGE_NOW], page->figure[i].measure) == incidents;
    }
    fputs(all_reported ? ". " : ". What was not reported is unknown, not zero. ", page->out);
}

void page_put_covered(const struct page *page)
{
    if (page->covered_first <= page->covered_last) {
        html_days(page->out, page->covered_first, page->covered_last);
    } else {
        fputs("no day in common", page->out);
    }
}

static void put_incomplete(const struct page *page)
{
    if (page->is_whole[PAGE_NOW]) {
        return;
    }
    fputs("<p class=\"warn\"><b>Incomplete.</b> ", page->out);
    if (page->any_coverage) {
        fputs("The feeds do not cover all of this window; what all of them cover is ", page->out);
        page_put_covered(page);
        fputs(". More may have happened.</p>\n", page->out);
    } else {
        fputs("No feed has reported on any day yet.</p>\n", page->out);
    }
}

static void put_silent_feeds(const struct page *page)
{
    for (size_t i = 0; page->any_coverage && i < page->def->feeds_count; i++) {
        if (where_has_feed(&page->where, page->def, i) && !rollup_coverage(page->rollup, i).any) {
            fputs("<p class=\"warn\">Feed <bdi>", page->out);
            html_name(page->out, page->def->feeds[i].name);
            fputs("</bdi> has no data yet.</p>\n", page->out);
        }
    }
}

void page_put_head(const struct page *page)
{
    const struct period *now = &page->period[PAGE_NOW];

    fputs("<header>\n", page->out);
    put_conditions(page);
    fputs("<h1>", page->out);
    put_sentence(page);
    fputs("</h1>\n", page->out);
    put_incomplete(page);
    put_silent_feeds(page);
    fputs("<p class=\"lede\">", page->out);
    put_unknown(page);
    if (page->options->basis != BASIS_START || rollup_spans(page->rollup) > 0) {
        fputs(basis_words(page->options->basis), page->out);
    }
    fputs(" The window is <span class=\"days\">", page->out);
    html_days_iso(page->out, now->first_day, now->last_day);
    fputs(now->days == 1 ? "</span>.</p>\n</header>\n"
                         : "</span>, both days included.</p>\n</header>\n",
          page->out);
}

// --- the figures ---

static void put_change(const struct page *page, const struct page_figure *figure, size_t then)
{
    struct page_value now = value_now(page, figure->measure);
    struct page_value before = page_value(&page->sums[then], figure->measure, page->total.measures);
    FILE *out = page->out;

    if (!page->is_whole[then]) {
        fputs(" <span class=\"warn\">incomplete</span>", out);
        return;
    }
    if (now.state != PAGE_KNOWN || before.state != PAGE_KNOWN || !page->is_whole[PAGE_NOW]) {
        return;
    }
    bytes_i128 change = now.number - before.number;
    fputs(" <span class=\"change\">now ", out);
    html_change(out, change);
    if (before.number > 0 && change != 0) {
        fputs(", ", out);
        html_percent(out, change, before.number);
    }
    fputs("</span>", out);
}

static void put_compared(const struct page *page, const struct page_figure *figure, size_t then,
                         const char *words)
{
    FILE *out = page->out;

    fprintf(out, "<div><dt>%s</dt><dd>", words);
    if (!page_is_reached(page, page->period[then].first_day, page->period[then].last_day)) {
        fputs("<span class=\"warn\">not covered</span></dd></div>\n", out);
        return;
    }
    page_put_value(out, page_value(&page->sums[then], figure->measure, page->total.measures));
    put_change(page, figure, then);
    fputs("</dd></div>\n", out);
}

void page_put_range(const struct page *page, const struct rollup_sums *sums,
                    const struct page_figure *figure, uint64_t measures)
{
    struct page_value low = page_value(sums, figure->low, measures);
    struct page_value high = page_value(sums, figure->high, measures);
    FILE *out = page->out;

    page_put_value(out, low);
    if (low.state != PAGE_KNOWN && high.state != PAGE_KNOWN) {
        return;
    }
    fputs(" to ", out);
    page_put_value(out, high);
    if (!page_range_fits(sums, figure)) {
        fputs(", of ", out);
        put_incidents(out, page_reported(sums, figure->low));
    }
}

static void put_estimates(const struct page *page, const struct page_figure *figure)
{
    if (page_has_range(figure)) {
        fputs("<div><dt>low to high</dt><dd>", page->out);
        page_put_range(page, &page->sums[PAGE_NOW], figure, page->total.measures);
        fputs("</dd></div>\n", page->out);
    }
}

static void put_reporting(const struct page *page, const struct page_figure *figure)
{
    const struct rollup_sums *now = &page->sums[PAGE_NOW];
    FILE *out = page->out;

    if (figure->measure < 0 || now->incidents == 0) {
        return;
    }
    fputs("<div><dt>reported by</dt><dd>", out);
    if (value_now(page, figure->measure).state == PAGE_ABSENT) {
        fputs("no feed", out);
    } else {
        html_count(out, (bytes_i128)page_reported(now, figure->measure));
        fputs(" of ", out);
        put_incidents(out, now->incidents);
    }
    fputs("</dd></div>\n", out);
}

// Windows of a year: the one before is the one a year ago.
static bool is_year_before(const struct page *page)
{
    return page->period[PAGE_PREVIOUS].last_day == page->period[PAGE_YEAR_AGO].last_day;
}

static void put_figure(const struct page *page, const struct page_figure *figure)
{
    struct page_value value = value_now(page, figure->measure);
    FILE *out = page->out;

    fputs("<li><h3>", out);
    html_name(out, figure->name);
    fprintf(out, "</h3>\n<p class=\"%s\">", value.state == PAGE_KNOWN ? "big" : "big words");
    page_put_value(out, value);
    fputs("</p>\n<dl>\n", out);
    put_estimates(page, figure);
    put_reporting(page, figure);
    if (!is_year_before(page)) {
        put_compared(page, figure, PAGE_PREVIOUS, "window before");
    }
    put_compared(page, figure, PAGE_YEAR_AGO, "a year ago");
    fputs("</dl></li>\n", out);
}

void page_put_figures(const struct page *page)
{
    const struct period *before = &page->period[PAGE_PREVIOUS];
    const struct period *then = &page->period[PAGE_YEAR_AGO];
    FILE *out = page->out;

    fputs("<section aria-labelledby=\"figures\"><h2 id=\"figures\">Totals</h2>\n"
          "<ul class=\"figures\">\n",
          out);
    for (size_t i = 0; i < page->figures_count; i++) {
        put_figure(page, &page->figure[i]);
    }
    fputs("</ul>\n<p class=\"note\">", out);
    if (!is_year_before(page)) {
        fputs("Window before: ", out);
        html_days_iso(out, before->first_day, before->last_day);
        fputs(". ", out);
    }
    fputs("A year ago: ", out);
    html_days_iso(out, then->first_day, then->last_day);
    fputs(".</p></section>\n", out);
}
