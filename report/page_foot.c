// What stands behind the figures: coverage, how to read them, the rollup, the command.
#include "report/page.h"

#include "base/day.h"
#include "report/html.h"
#include "report/number.h"

#include <string.h>

// --- coverage ---

static void put_days_between(FILE *out, int64_t days, const char *words)
{
    page_put_length(out, (uint32_t)days);
    fputs(words, out);
}

// What a feed covers of this window.
static void put_part(const struct page *page, struct rollup_coverage coverage)
{
    const struct period *now = &page->period[PAGE_NOW];
    FILE *out = page->out;

    if (coverage.last_day < now->first_day || coverage.first_day > now->last_day) {
        fputs("none of it", out);
        return;
    }
    if (coverage.first_day <= now->first_day && coverage.last_day >= now->last_day) {
        fputs("all of it", out);
        return;
    }
    if (coverage.first_day > now->first_day) {
        put_days_between(out, (int64_t)coverage.first_day - now->first_day,
                         " at its start are missing");
    }
    if (coverage.last_day < now->last_day) {
        fputs(coverage.first_day > now->first_day ? ", " : "", out);
        put_days_between(out, (int64_t)now->last_day - coverage.last_day,
                         " at its end are missing");
    }
}

static void put_measures(const struct page *page, uint64_t measures)
{
    bool any = false;

    for (size_t i = 0; i + 1 < page->figures_count; i++) {
        const struct page_figure *figure = &page->figure[i];
        if (measures >> figure->measure & 1) {
            fputs(any ? ", " : "", page->out);
            html_name(page->out, figure->name);
            any = true;
        }
    }
    fputs(any ? "" : "incidents only", page->out);
}

static void put_feed(const struct page *page, const struct rollup_feed *feed,
                     struct rollup_coverage coverage)
{
    FILE *out = page->out;
    char day[DAY_TEXT_BYTES];

    fputs("<tr><th scope=\"row\"><bdi>", out);
    html_name(out, feed->name);
    fputs("</bdi></th><td class=\"text\">", out);
    put_measures(page, feed->measures);
    fputs("</td>", out);
    if (!coverage.any) {
        fputs("<td colspan=\"3\" class=\"text warn\">no data yet</td></tr>\n", out);
        return;
    }
    fprintf(out, "<td>%s</td>", day_format_iso(coverage.first_day, day));
    fprintf(out, "<td>%s</td><td class=\"text\">", day_format_iso(coverage.last_day, day));
    put_part(page, coverage);
    fputs("</td></tr>\n", out);
}

static void put_coverage(const struct page *page)
{
    FILE *out = page->out;

    fputs("<section aria-labelledby=\"coverage\"><h2 id=\"coverage\">What the feeds cover</h2>\n"
          "<div class=\"wide\" role=\"region\" aria-labelledby=\"coverage\" "
          "tabindex=\"0\">\n<table>\n"
          "<caption>Days that each feed has reported on, and how much of this window that is."
          "</caption>\n<thead><tr><th scope=\"col\" class=\"text\">feed</th>"
          "<th scope=\"col\" class=\"text\">reports</th><th scope=\"col\">first day</th>"
          "<th scope=\"col\">last day</th><th scope=\"col\" class=\"text\">of this window</th>"
          "</tr></thead>\n<tbody>\n",
          out);
    for (size_t i = 0; i < page->def->feeds_count; i++) {
        if (where_has_feed(&page->where, page->def, i)) {
            put_feed(page, &page->def->feeds[i], rollup_coverage(page->rollup, i));
        }
    }
    fputs("</tbody></table></div></section>\n", out);
}

// --- the command ---

static bool is_plain(const char *text)
{
    return text[0] != '\0' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                        "_-+=:,./@%") == strlen(text);
}

// As a shell reads it.
static void put_word(FILE *out, const char *option, const char *text)
{
    fprintf(out, " %s%s", option, option[0] ? " " : "");
    if (is_plain(text)) {
        html_name(out, text);
        return;
    }
    fputs("&#39;", out);
    for (; *text; text++) {
        if (*text == '\'') {
            fputs("&#39;\\&#39;&#39;", out);
        } else {
            size_t bytes = strcspn(text, "'");
            html_text(out, text, bytes);
            text += bytes - 1;
        }
    }
    fputs("&#39;", out);
}

static void put_by(const struct page *page)
{
    fputs(page->groups.by.count > 0 ? " --by " : "", page->out);
    for (size_t i = 0; i < page->groups.by.count; i++) {
        fputs(i > 0 ? "," : "", page->out);
        html_name(page->out, page->def->dims[page->groups.by.dim[i]]);
    }
}

static void put_command(const struct page *page)
{
    const struct options *options = page->options;
    const struct period *now = &page->period[PAGE_NOW];
    const char *slash = strrchr(options->to, '/');
    FILE *out = page->out;
    char end[DAY_TEXT_BYTES];

    fputs("<pre tabindex=\"0\"><code>tally report", out);
    put_word(out, "", page->def->name);
    fprintf(out, " --days %u --end %s", now->days, day_format_iso(now->last_day, end));
    put_by(page);
    for (size_t i = 0; i < options->where_count; i++) {
        put_word(out, "--where", options->where[i]);
    }
    if (options->basis != BASIS_START) {
        put_word(out, "--basis", basis_name(options->basis));
    }
    if (options->as_of) {
        put_word(out, "--as-of", options->as_of);
    }
    if (options->limited) {
        fprintf(out, " --limit %llu", (unsigned long long)options->limit);
    }
    put_word(out, "--to", slash ? slash + 1 : options->to);
    fputs("</code></pre>\n", out);
}

// --- where it comes from ---

static void put_last_file(const struct page *page)
{
    size_t count = page->provenance.sources;
    FILE *out = page->out;
    char time[NUMBER_TIME_BYTES];

    if (count == 0) {
        return;
    }
    const struct rollup_source *last = &page->provenance.source[count - 1];
    number_format_time(last->time_ms, time);
    fputs("<div><dt>last file</dt><dd>", out);
    html_value(out, last->file, last->file_bytes);
    fprintf(out, ", taken in <time>%s</time></dd></div>\n", time);
}

static void put_provenance(const struct page *page)
{
    FILE *out = page->out;
    char digest[DIGEST_TEXT_BYTES];

    fputs("<dl><div><dt>rollup</dt><dd><bdi>", out);
    html_name(out, page->def->name);
    fprintf(out,
            "</bdi></dd></div>\n<div><dt>generation</dt><dd>%llu</dd></div>\n"
            "<div><dt>content digest</dt><dd><code>%s</code></dd></div>\n",
            (unsigned long long)rollup_generation(page->rollup),
            digest_format(rollup_digest(page->rollup), digest));
    put_last_file(page);
    fputs("<div><dt>written by</dt><dd>tally " TALLY_VERSION "</dd></div></dl>\n", out);
}

static void put_reading(const struct page *page)
{
    FILE *out = page->out;

    fputs("<section aria-labelledby=\"reading\"><h2 id=\"reading\">How to read this</h2>\n<p>A "
          "window of ",
          out);
    page_put_length(out, page->options->days);
    fputs(
        " is that many calendar days, the first and the last one included. Totals are exact sums "
        "of what was reported: an incident counts once, at its newest revision. Where incidents "
        "did not report a measure, their share is unknown and the total is what is known: "
        "<i>unknown</i> stands where none of them did, – where there were no incidents, and <i>not "
        "recorded</i> where no feed has such a column. A window that reaches beyond the days that "
        "the feeds cover is incomplete; it is marked so and not compared.</p></section>\n",
        out);
}

void page_put_foot(const struct page *page)
{
    FILE *out = page->out;

    put_coverage(page);
    put_reading(page);
    fputs("<footer>\n<h2>Where it comes from</h2>\n", out);
    put_provenance(page);
    fputs("<p>This page is written by</p>\n", out);
    put_command(page);
    if (!page->options->as_of) {
        fprintf(out,
                "<p class=\"note\">Figures change when feeds are corrected. With <code>--as-of "
                "%llu</code> they come out as they stand here.</p>\n",
                (unsigned long long)rollup_generation(page->rollup));
    }
    fputs("</footer>\n", out);
}
