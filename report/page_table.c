// The tables: every group of the window, and the windows one after the other.
#include "report/page.h"

#include "report/chart.h"
#include "report/html.h"

#include <string.h>

enum { WINDOWS_MAX = 12, BAR_WIDTH = 100 };

void page_put_group(const struct page *page, size_t row, const char *between)
{
    for (size_t i = 0; i < page->groups.by.count; i++) {
        size_t bytes;
        const char *text = select_text(&page->groups, row, i, &bytes);
        fputs(i > 0 ? between : "", page->out);
        html_value(page->out, text, bytes);
    }
}

// --- cells ---

static void put_number(FILE *out, struct page_value value)
{
    fputs(value.state == PAGE_KNOWN ? "<td>" : "<td class=\"no\">", out);
    page_put_value(out, value);
    fputs("</td>", out);
}

// Whether a column that says how many reported is worth its place.
static bool tells_reported(const struct page *page, const struct page_figure *figure)
{
    for (size_t i = 0; figure->measure >= 0 && i < page->groups_count; i++) {
        const struct rollup_sums *sums = &page->group[i].sums[PAGE_NOW];
        if (page_reported(sums, figure->measure) != sums->incidents) {
            return true;
        }
    }
    return false;
}

static void put_head_cell(FILE *out, const char *name, const char *more, bool sorted)
{
    fprintf(out, "<th scope=\"col\"%s>", sorted ? " aria-sort=\"descending\"" : "");
    html_name(out, name);
    fprintf(out, "%s</th>", more);
}

static void put_head(const struct page *page)
{
    FILE *out = page->out;

    fputs("<thead><tr>", out);
    for (size_t i = 0; i < page->groups.by.count; i++) {
        fputs("<th scope=\"col\" class=\"text\">", out);
        html_name(out, page->def->dims[page->groups.by.dim[i]]);
        fputs("</th>", out);
    }
    for (size_t i = 0; i < page->figures_count; i++) {
        const struct page_figure *figure = &page->figure[i];
        put_head_cell(out, figure->name, "", i == 0);
        if (page_has_range(figure)) {
            put_head_cell(out, figure->name, ", low to high", false);
        }
        if (tells_reported(page, figure)) {
            put_head_cell(out, figure->name, ", reported by", false);
        }
    }
    put_head_cell(out, page->figure[0].name, ", window before", false);
    put_head_cell(out, page->figure[0].name, ", a year ago", false);
    fputs("</tr></thead>\n", out);
}

// The number with a bar beside it, whose length is that of `most` at the most.
static void put_bar(FILE *out, struct page_value value, bytes_i128 most)
{
    const struct chart scale = {.top = most > 0 ? most : 1};
    int width = value.state == PAGE_KNOWN
                    ? (CHART_Y - chart_y(&scale, value.number)) * BAR_WIDTH / CHART_Y
                    : 0;

    fputs(value.state == PAGE_KNOWN ? "<td class=\"lead\">" : "<td class=\"lead no\">", out);
    if (width > 0 || (value.state == PAGE_KNOWN && value.number > 0)) {
        fprintf(out,
                "<svg aria-hidden=\"true\" width=\"72\" height=\"10\" viewBox=\"0 0 %d 10\""
                " preserveAspectRatio=\"none\"><rect width=\"%d\" height=\"10\"/></svg>",
                BAR_WIDTH, width > 0 ? width : 1);
    }
    page_put_value(out, value);
    fputs("</td>", out);
}

static void put_figures(const struct page *page, const struct rollup_sums sums[PAGE_PERIODS],
                        uint64_t measures, bytes_i128 most)
{
    FILE *out = page->out;

    for (size_t i = 0; i < page->figures_count; i++) {
        const struct page_figure *figure = &page->figure[i];
        struct page_value value = page_value(&sums[PAGE_NOW], figure->measure, measures);
        if (i == 0 && most > 0) {
            put_bar(out, value, most);
        } else {
            put_number(out, value);
        }
        if (page_has_range(figure)) {
            fputs("<td>", out);
            page_put_range(page, &sums[PAGE_NOW], figure, measures);
            fputs("</td>", out);
        }
        if (tells_reported(page, figure)) {
            put_number(out, (struct page_value){.number = (bytes_i128)page_reported(
                                                    &sums[PAGE_NOW], figure->measure)});
        }
    }
    put_number(out, page_value(&sums[PAGE_PREVIOUS], page->figure[0].measure, measures));
    put_number(out, page_value(&sums[PAGE_YEAR_AGO], page->figure[0].measure, measures));
}

// --- the groups ---

static size_t rows_shown(const struct page *page)
{
    uint64_t most = page->options->limited ? page->options->limit : PAGE_ROWS_MAX;

    return page->groups_count < most ? page->groups_count : (size_t)most;
}

static void put_row(const struct page *page, const struct page_group *group, bytes_i128 most)
{
    FILE *out = page->out;

    fputs("<tr>", out);
    for (size_t i = 0; i < page->groups.by.count; i++) {
        size_t bytes;
        const char *text = select_text(&page->groups, group->row, i, &bytes);
        fputs(i == 0 ? "<th scope=\"row\">" : "<td class=\"text\">", out);
        html_value(out, text, bytes);
        fputs(i == 0 ? "</th>" : "</td>", out);
    }
    put_figures(page, group->sums, page->groups.row[group->row].measures, most);
    fputs("</tr>\n", out);
}

static void put_total(const struct page *page)
{
    FILE *out = page->out;

    fprintf(out, "<tfoot><tr><th scope=\"row\" colspan=\"%zu\">total</th>", page->groups.by.count);
    put_figures(page, page->sums, page->total.measures, 0);
    fputs("</tr></tfoot>\n", out);
}

static void put_caption(const struct page *page, size_t shown)
{
    const struct period *now = &page->period[PAGE_NOW];
    FILE *out = page->out;

    fputs("<caption>", out);
    page_put_length(out, now->days);
    fputs(", ", out);
    html_days_iso(out, now->first_day, now->last_day);
    fputs(", ", out);
    if (shown < page->groups_count) {
        fputs("the ", out);
        html_count(out, (bytes_i128)shown);
        fputs(" of ", out);
        html_count(out, (bytes_i128)page->groups_count);
        fputs(" groups with most ", out);
        html_name(out, page->figure[0].name);
        fputs("; the total is of all. ", out);
        fputs("<code>tally window</code> lists the others.", out);
    } else {
        fputs("most ", out);
        html_name(out, page->figure[0].name);
        fputs(" first.", out);
    }
    fputs("</caption>\n", out);
}

void page_put_table(const struct page *page)
{
    size_t shown = rows_shown(page);
    FILE *out = page->out;

    if (page->groups_count == 0) {
        return;
    }
    struct page_value most = page_value(&page->group[0].sums[PAGE_NOW], page->figure[0].measure, 0);
    fputs("<section aria-labelledby=\"table\"><h2 id=\"table\">By ", out);
    for (size_t i = 0; i < page->groups.by.count; i++) {
        fputs(i == 0 ? "" : i + 1 == page->groups.by.count ? " and " : ", ", out);
        html_name(out, page->def->dims[page->groups.by.dim[i]]);
    }
    fputs("</h2>\n<div class=\"wide\" role=\"region\" aria-labelledby=\"table\" tabindex=\"0\">\n"
          "<table class=\"sortable\">\n",
          out);
    put_caption(page, shown);
    put_head(page);
    fputs("<tbody>\n", out);
    for (size_t i = 0; i < shown; i++) {
        put_row(page, &page->group[i], most.state == PAGE_KNOWN ? most.number : 0);
    }
    fputs("</tbody>\n", out);
    put_total(page);
    fputs("</table></div></section>\n", out);
}

// --- window by window ---

static const char *window_mark(const struct page *page, const struct period *period)
{
    return page_is_whole(page, period->first_day, period->last_day) ? ""
           : page_is_reached(page, period->first_day, period->last_day)
               ? " <span class=\"warn\">incomplete</span>"
               : " <span class=\"warn\">not covered</span>";
}

static bool put_window(const struct page *page, const struct period *period, struct tally_err *err)
{
    struct rollup_sums sums;
    FILE *out = page->out;

    if (!select_window(&page->total, NULL, 0, page->options->basis, period->first_day,
                       period->last_day, &sums, err)) {
        return false;
    }
    fputs("<tr><th scope=\"row\" class=\"days\">", out);
    html_days_iso(out, period->first_day, period->last_day);
    fprintf(out, "%s</th>", window_mark(page, period));
    for (size_t i = 0; i < page->figures_count; i++) {
        int measure = page->figure[i].measure;
        put_number(out, page_value(&sums, measure, page->total.measures));
        if (measure >= 0) {
            put_number(out,
                       (struct page_value){.number = (bytes_i128)page_reported(&sums, measure)});
        }
    }
    fputs("</tr>\n", out);
    return true;
}

static void put_windows_head(const struct page *page)
{
    FILE *out = page->out;

    fputs(
        "<section aria-labelledby=\"windows\"><h2 id=\"windows\">Window by window</h2>\n"
        "<div class=\"wide\" role=\"region\" aria-labelledby=\"windows\" tabindex=\"0\">\n<table>\n"
        "<caption>Windows of ",
        out);
    page_put_length(out, page->options->days);
    fputs(", one after the other, the last one first.</caption>\n<thead><tr>"
          "<th scope=\"col\" class=\"text\">window</th>",
          out);
    for (size_t i = 0; i < page->figures_count; i++) {
        put_head_cell(out, page->figure[i].name, "", false);
        if (page->figure[i].measure >= 0) {
            put_head_cell(out, page->figure[i].name, ", reported by", false);
        }
    }
    fputs("</tr></thead>\n<tbody>\n", out);
}

bool page_put_windows(const struct page *page, struct tally_err *err)
{
    struct period period = page->period[PAGE_NOW];
    struct tally_err ignored;

    put_windows_head(page);
    for (size_t i = 0; i < WINDOWS_MAX; i++) {
        if (!put_window(page, &period, err)) {
            return false;
        }
        // As far back as some feed has reported.
        if (!period_of(period.days, period.first_day - 1, &period, &ignored) ||
            !page_is_reached(page, period.first_day, period.last_day)) {
            break;
        }
    }
    fputs("</tbody></table></div></section>\n", page->out);
    return true;
}
