// The rolling series as charts: one large one for each figure, small ones for the first groups.
#include "report/page.h"

#include "base/day.h"
#include "report/chart.h"
#include "report/html.h"
#include "report/number.h"

#include <stdlib.h>
#include <string.h>

enum {
    POINTS_MAX = 1830, // five years of days
    SMALL_POINTS_MAX = 370,
    LEAD_PX = 200,
    OTHER_PX = 110,
    SMALL_PX = 56,
    LABEL_X = 500, // width of a number in units of CHART_X, on a wide page
    WORDS_X = 400, // of the words behind it
    HEAD_PX = 26,  // above the plot, for the last value
    SMALL_HEAD_PX = 6,
    FOOT_PX = 22, // below it, for the days
    SMALL_FOOT_PX = 2,
};

enum line { LINE_BEST, LINE_LOW, LINE_HIGH, LINES };

struct drawing {
    const struct page *page;
    struct series series;
    struct chart chart;
    struct chart_line line[LINES];
    size_t axis_width; // characters
};

static bool drawing_init(struct drawing *drawing, const struct page *page, size_t points_max,
                         struct tally_err *err)
{
    int32_t to = page->period[PAGE_NOW].last_day;
    size_t days = (size_t)(to - page->chart_from) + 1;
    uint32_t step = (uint32_t)((days + points_max - 1) / points_max);
    // No further apart than a window is long, or incidents would fall between two points.
    step = step < page->options->days ? step : page->options->days;
    size_t count = (days - 1) / step + 1;

    *drawing = (struct drawing){
        .page = page,
        .chart = {.out = page->out, .from = page->chart_from, .to = to, .step = step}};
    if (!series_init(&drawing->series, page->def->measures_count, page->options->basis,
                     page->options->days, page->chart_from, to, err)) {
        return false;
    }
    for (size_t i = 0; i < LINES; i++) {
        drawing->line[i] = (struct chart_line){.value = calloc(count, sizeof(bytes_i128)),
                                               .known = calloc(count, sizeof(bool)),
                                               .count = count};
    }
    return true;
}

static bool drawing_is_open(const struct drawing *drawing, struct tally_err *err)
{
    for (size_t i = 0; i < LINES; i++) {
        if (!drawing->line[i].value || !drawing->line[i].known) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for a chart");
        }
    }
    return true;
}

static void drawing_done(struct drawing *drawing)
{
    for (size_t i = 0; i < LINES; i++) {
        free(drawing->line[i].value);
        free(drawing->line[i].known);
    }
    series_done(&drawing->series);
}

static int32_t day_at(const struct drawing *drawing, size_t at)
{
    size_t after = drawing->line[0].count - 1 - at;

    return drawing->chart.to - (int32_t)(after * drawing->chart.step);
}

// A window without incidents is drawn as 0; one whose incidents do not say, or that no feed has
// reported on, as a gap.
static bool is_drawn(const struct drawing *drawing, const struct rollup_sums *sums, int measure,
                     int32_t day)
{
    return sums->incidents > 0
               ? page_reported(sums, measure) > 0
               : page_is_reached(drawing->page, day - (int32_t)drawing->series.days + 1, day);
}

static void take_line(struct drawing *drawing, enum line which, const struct page_figure *figure)
{
    struct chart_line *line = &drawing->line[which];
    int measure = which == LINE_LOW    ? figure->low
                  : which == LINE_HIGH ? figure->high
                                       : figure->measure;
    struct rollup_sums sums;

    for (size_t i = 0; i < line->count; i++) {
        int32_t day = day_at(drawing, i);
        series_at(&drawing->series, day, &sums);
        line->known[i] = is_drawn(drawing, &sums, measure, day) &&
                         (which == LINE_BEST || page_range_fits(&sums, figure));
        line->value[i] = line->known[i] ? page_value(&sums, measure, 0).number : 0;
    }
}

static void take_lines(struct drawing *drawing, const struct page_figure *figure)
{
    take_line(drawing, LINE_BEST, figure);
    if (page_has_range(figure)) {
        take_line(drawing, LINE_LOW, figure);
        take_line(drawing, LINE_HIGH, figure);
    }
}

static bytes_i128 greatest(const struct drawing *drawing, const struct page_figure *figure)
{
    bytes_i128 most = 0;

    for (size_t which = 0; which < (page_has_range(figure) ? LINES : 1); which++) {
        const struct chart_line *line = &drawing->line[which];
        for (size_t i = 0; i < line->count; i++) {
            most = line->known[i] && line->value[i] > most ? line->value[i] : most;
        }
    }
    return most;
}

// --- the drawing ---

// The parts that feeds cover in full are drawn through, the others dashed.
static void put_line_in_parts(const struct drawing *drawing)
{
    const struct chart_line *line = &drawing->line[LINE_BEST];
    int32_t more = (int32_t)drawing->page->options->days - 1;
    size_t first = 0;

    while (first < line->count) {
        int32_t day = day_at(drawing, first);
        bool whole = page_is_whole(drawing->page, day - more, day);
        size_t last = first;
        while (last + 1 < line->count) {
            int32_t next = day_at(drawing, last + 1);
            if (page_is_whole(drawing->page, next - more, next) != whole) {
                break;
            }
            last++;
        }
        // Up to the first point of the next part, so that the line is one.
        chart_put_line(&drawing->chart, line, whole ? "line" : "line part", first, last + 1);
        first = last + 1;
    }
}

static void put_plot(const struct drawing *drawing, const struct page_figure *figure)
{
    const struct chart *chart = &drawing->chart;
    const struct period *now = &drawing->page->period[PAGE_NOW];

    chart_open_plot(chart);
    chart_put_days(chart, "now", now->first_day, now->last_day);
    chart_put_grid(chart);
    if (page_has_range(figure)) {
        chart_put_area(chart, &drawing->line[LINE_LOW], &drawing->line[LINE_HIGH], "band");
    }
    put_line_in_parts(drawing);
    chart_close_plot(chart);
}

static void put_dot(const struct chart *chart, const char *class, int32_t day, bytes_i128 value,
                    int radius)
{
    fprintf(chart->out, "<circle class=\"%s\" r=\"%d\" cx=\"", class, radius);
    chart_put_cx(chart, day);
    fputs("\" cy=\"", chart->out);
    chart_put_cy(chart, value, 0);
    fputs("\"/>", chart->out);
}

// The greatest value where the label of a day would stand: on its left.
static bytes_i128 greatest_beside(const struct drawing *drawing, int32_t day, bytes_i128 value,
                                  int width)
{
    const struct chart_line *line = &drawing->line[LINE_BEST];
    bytes_i128 most = value;

    for (size_t i = 0; i < line->count && day_at(drawing, i) <= day; i++) {
        bool beside =
            chart_x(&drawing->chart, day) - chart_x(&drawing->chart, day_at(drawing, i)) < width;
        most = beside && line->known[i] && line->value[i] > most ? line->value[i] : most;
    }
    return most;
}

// A dot on the line, and its number above whatever the line does there, joined by a stroke.
static void put_label(const struct drawing *drawing, const char *class, int32_t day,
                      bytes_i128 value, const char *words)
{
    const struct chart *chart = &drawing->chart;
    bytes_i128 above = greatest_beside(drawing, day, value, words[0] ? LABEL_X + WORDS_X : LABEL_X);

    fprintf(chart->out, "<line class=\"stem %s\" x1=\"", class);
    chart_put_cx(chart, day);
    fputs("\" x2=\"", chart->out);
    chart_put_cx(chart, day);
    fputs("\" y1=\"", chart->out);
    chart_put_cy(chart, value, 0);
    fputs("\" y2=\"", chart->out);
    chart_put_cy(chart, above, 8);
    fprintf(chart->out, "\"/><text class=\"said %s\" text-anchor=\"end\" x=\"", class);
    chart_put_cx(chart, day);
    fputs("\" y=\"", chart->out);
    chart_put_cy(chart, above, 10);
    fputs("\">", chart->out);
    html_count(chart->out, value);
    fprintf(chart->out, "%s</text>", words);
}

// Whether a label fits between the left end and the label of the last window.
static bool has_room(int x)
{
    return x > LABEL_X + WORDS_X && x < CHART_X - 2 * LABEL_X;
}

static void put_labels(const struct drawing *drawing, const struct page_figure *figure)
{
    const struct page *page = drawing->page;
    const struct chart *chart = &drawing->chart;
    const struct period *then = &page->period[PAGE_YEAR_AGO];
    struct page_value now = page_value(&page->sums[PAGE_NOW], figure->measure, 0);
    struct page_value ago = page_value(&page->sums[PAGE_YEAR_AGO], figure->measure, 0);

    if (ago.state == PAGE_KNOWN && page->is_whole[PAGE_YEAR_AGO] &&
        has_room(chart_x(chart, then->last_day))) {
        put_label(drawing, "ago", then->last_day, ago.number, " a year ago");
        put_dot(chart, "dot ago", then->last_day, ago.number, 3);
    }
    if (now.state == PAGE_KNOWN) {
        put_label(drawing, "last", chart->to, now.number, "");
        put_dot(chart, "dot", chart->to, now.number, 4);
    }
}

// --- its words ---

static void put_name_of(const struct page *page, const struct page_figure *figure)
{
    html_name(page->out, figure->name);
    fputs(" in ", page->out);
    page_put_length(page->out, page->options->days);
}

static void put_peak(const struct drawing *drawing)
{
    const struct chart_line *line = &drawing->line[LINE_BEST];
    FILE *out = drawing->page->out;
    size_t peak = line->count;

    for (size_t i = 0; i < line->count; i++) {
        if (line->known[i] && (peak == line->count || line->value[i] > line->value[peak])) {
            peak = i;
        }
    }
    if (peak == line->count) {
        fputs("No window of these years has a known figure.", out);
        return;
    }
    fputs("Highest: ", out);
    html_count(out, line->value[peak]);
    fputs(" in the window that ended on ", out);
    html_day(out, day_at(drawing, peak));
    fputs(".", out);
}

static void put_title(const struct drawing *drawing, const struct page_figure *figure, size_t id)
{
    const struct page *page = drawing->page;
    FILE *out = page->out;
    struct page_value now = page_value(&page->sums[PAGE_NOW], figure->measure, 0);

    fprintf(out, "<title id=\"t%zu\">", id);
    put_name_of(page, figure);
    fprintf(out, ", ending on each day</title><desc id=\"d%zu\">A line from ", id);
    html_days_iso(out, drawing->chart.from, drawing->chart.to);
    fputs(". In the last window: ", out);
    page_put_value(out, now);
    fputs(".</desc>", out);
}

static void put_list(FILE *out, const char *name, const struct chart_line *line)
{
    char number[NUMBER_BYTES];

    fprintf(out, " data-%s=\"", name);
    for (size_t i = 0; i < line->count; i++) {
        fputs(i > 0 ? "," : "", out);
        if (line->known[i]) {
            fputs(number_format(line->value[i], '\0', number), out);
        }
    }
    fputs("\"", out);
}

// What the script reads the chart off from.
static void put_data(const struct drawing *drawing, const struct page_figure *figure)
{
    FILE *out = drawing->page->out;

    fprintf(out, " data-from=\"%d\" data-to=\"%d\" data-step=\"%u\" data-days=\"%u\" data-name=\"",
            drawing->chart.from, drawing->chart.to, drawing->chart.step,
            drawing->page->options->days);
    html_name(out, figure->name);
    fputs("\"", out);
    put_list(out, "best", &drawing->line[LINE_BEST]);
    if (page_has_range(figure)) {
        put_list(out, "low", &drawing->line[LINE_LOW]);
        put_list(out, "high", &drawing->line[LINE_HIGH]);
    }
}

static void put_notes(const struct drawing *drawing, const struct page_figure *figure)
{
    FILE *out = drawing->page->out;

    fputs("<p class=\"note\">", out);
    put_peak(drawing);
    if (page_has_range(figure)) {
        fputs(" The band reaches from the low to the high estimate.", out);
    }
    fputs("</p></figure>\n", out);
}

// As much room beside the plots as the longest number of their axes takes: one for all, so that
// the same day stands at the same place in each.
static const char *gutter(const struct drawing *drawing)
{
    return drawing->axis_width <= 3   ? "small-axis"
           : drawing->axis_width <= 7 ? "axis"
                                      : "wide-axis";
}

static void find_axis_width(struct drawing *drawing)
{
    for (size_t i = 0; i < drawing->page->figures_count; i++) {
        char top[NUMBER_BYTES];
        take_lines(drawing, &drawing->page->figure[i]);
        chart_set_top(&drawing->chart, greatest(drawing, &drawing->page->figure[i]));
        size_t width = strlen(number_format(drawing->chart.top, ',', top));
        drawing->axis_width = width > drawing->axis_width ? width : drawing->axis_width;
    }
}

static void open_svg(const struct drawing *drawing, size_t at)
{
    const struct chart *chart = &drawing->chart;
    char top[NUMBER_BYTES];

    fprintf(chart->out,
            "<svg class=\"%s\" role=\"img\" aria-labelledby=\"t%zu d%zu\" height=\"%d\""
            " data-top=\"%d\" data-plot=\"%d\"",
            gutter(drawing), at, at, chart->top_px + chart->plot_px + FOOT_PX, chart->top_px,
            chart->plot_px);
    fprintf(chart->out, " data-max=\"%s\">", number_format(chart->top, '\0', top));
}

static void put_chart(struct drawing *drawing, size_t at)
{
    const struct page_figure *figure = &drawing->page->figure[at];
    struct chart *chart = &drawing->chart;
    FILE *out = drawing->page->out;

    take_lines(drawing, figure);
    chart->top_px = HEAD_PX;
    chart->plot_px = at == 0 ? LEAD_PX : OTHER_PX;
    chart_set_top(chart, greatest(drawing, figure));
    fputs("<figure class=\"chart\"", out);
    put_data(drawing, figure);
    fputs("><figcaption><span><b>", out);
    put_name_of(drawing->page, figure);
    fputs("</b>, ending on each day</span></figcaption>", out);
    open_svg(drawing, at);
    put_title(drawing, figure, at);
    put_plot(drawing, figure);
    chart_put_value_ticks(chart);
    chart_put_day_ticks(chart);
    put_labels(drawing, figure);
    fputs("</svg>", out);
    put_notes(drawing, figure);
}

static void put_shaded(const struct page *page)
{
    const struct period *now = &page->period[PAGE_NOW];
    FILE *out = page->out;

    fputs("<p class=\"note\">Each point of a line is a window of ", out);
    page_put_length(out, page->options->days);
    fputs(", drawn at its last day. Shaded: this window, ", out);
    html_days(out, now->first_day, now->last_day);
    fputs(".", out);
    if (page->any_coverage &&
        !page_is_whole(page, page->chart_from - (int32_t)page->options->days + 1, now->last_day)) {
        fputs(" Dashed: windows that reach beyond what all feeds cover, ", out);
        page_put_covered(page);
        fputs("; they are incomplete.", out);
    }
    fputs("</p>\n", out);
}

static void put_nothing(const struct drawing *drawing)
{
    FILE *out = drawing->page->out;

    fputs("<p>No incidents are recorded from ", out);
    html_day(out, drawing->chart.from);
    fputs(" to ", out);
    html_day(out, drawing->chart.to);
    fputs(".</p>\n", out);
}

static void put_all(struct drawing *drawing)
{
    put_shaded(drawing->page);
    for (size_t i = 0; i < drawing->page->figures_count; i++) {
        put_chart(drawing, i);
    }
}

bool page_put_charts(const struct page *page, struct tally_err *err)
{
    struct drawing drawing;

    if (!drawing_init(&drawing, page, POINTS_MAX, err)) {
        return false;
    }
    bool done =
        drawing_is_open(&drawing, err) && series_fill(&drawing.series, &page->total, 0, err);
    if (done) {
        fputs("<section aria-labelledby=\"course\"><h2 id=\"course\">Over the last years</h2>\n",
              page->out);
        find_axis_width(&drawing);
        // The incidents come last: are there any?
        if (greatest(&drawing, &page->figure[page->figures_count - 1]) == 0) {
            put_nothing(&drawing);
        } else {
            put_all(&drawing);
        }
        fputs("</section>\n", page->out);
    }
    drawing_done(&drawing);
    return done;
}

// --- small multiples ---

static bool take_group(struct drawing *drawing, const struct page_group *group,
                       struct tally_err *err)
{
    if (!series_fill(&drawing->series, &drawing->page->groups, group->row, err)) {
        return false;
    }
    take_line(drawing, LINE_BEST, &drawing->page->figure[0]);
    return true;
}

static bool find_greatest_of_groups(struct drawing *drawing, size_t count, bytes_i128 *out_most,
                                    struct tally_err *err)
{
    bytes_i128 most = 0;

    for (size_t i = 0; i < count; i++) {
        if (!take_group(drawing, &drawing->page->group[i], err)) {
            return false;
        }
        for (size_t at = 0; at < drawing->line[LINE_BEST].count; at++) {
            bytes_i128 value = drawing->line[LINE_BEST].value[at];
            most = value > most ? value : most;
        }
    }
    *out_most = most;
    return true;
}

static void put_small_plot(struct drawing *drawing, struct page_value now)
{
    const struct chart *chart = &drawing->chart;
    const struct period *window = &drawing->page->period[PAGE_NOW];

    chart_open_plot(chart);
    chart_put_days(chart, "now", window->first_day, window->last_day);
    chart_put_area(chart, NULL, &drawing->line[LINE_BEST], "fill");
    put_line_in_parts(drawing);
    fprintf(chart->out, "<path class=\"zero\" d=\"M0,%dH%d\"/>", CHART_Y, CHART_X);
    chart_close_plot(chart);
    if (now.state == PAGE_KNOWN) {
        put_dot(chart, "dot", chart->to, now.number, 3);
    }
}

static void put_small(struct drawing *drawing, const struct page_group *group)
{
    const struct page *page = drawing->page;
    const struct page_figure *figure = &page->figure[0];
    FILE *out = page->out;
    struct page_value now =
        page_value(&group->sums[PAGE_NOW], figure->measure, page->groups.row[group->row].measures);

    fputs("<li><h3>", out);
    page_put_group(page, group->row, " · ");
    fputs("</h3><p><b>", out);
    page_put_value(out, now);
    fputs("</b> ", out);
    html_name(out, figure->name);
    fprintf(out, "</p><svg aria-hidden=\"true\" width=\"100%%\" height=\"%d\">",
            SMALL_HEAD_PX + SMALL_PX + SMALL_FOOT_PX);
    put_small_plot(drawing, now);
    fputs("</svg></li>\n", out);
}

static void put_multiples_head(const struct drawing *drawing, size_t count)
{
    const struct page *page = drawing->page;
    const struct chart *chart = &drawing->chart;
    FILE *out = page->out;

    fputs("<section aria-labelledby=\"groups\"><h2 id=\"groups\">", out);
    if (count < page->groups_count) {
        fprintf(out, "The %zu with most ", count);
        html_name(out, page->figure[0].name);
    } else {
        fputs("Each by itself", out);
    }
    fputs("</h2>\n<p class=\"note\">", out);
    put_name_of(page, &page->figure[0]);
    fputs(", from ", out);
    html_day(out, chart->from);
    fputs(" to ", out);
    html_day(out, chart->to);
    fputs(", all on one scale from 0 to ", out);
    html_count(out, chart->top);
    fputs(".</p>\n<ol class=\"small\">\n", out);
}

static bool put_multiples(struct drawing *drawing, size_t count, struct tally_err *err)
{
    struct chart *chart = &drawing->chart;
    bytes_i128 most;

    chart->top_px = SMALL_HEAD_PX;
    chart->plot_px = SMALL_PX;
    if (!find_greatest_of_groups(drawing, count, &most, err)) {
        return false;
    }
    chart_set_top(chart, most);
    put_multiples_head(drawing, count);
    for (size_t i = 0; i < count; i++) {
        if (!take_group(drawing, &drawing->page->group[i], err)) {
            return false;
        }
        put_small(drawing, &drawing->page->group[i]);
    }
    fputs("</ol></section>\n", drawing->page->out);
    return true;
}

bool page_put_multiples(const struct page *page, struct tally_err *err)
{
    size_t count =
        page->groups_count < PAGE_MULTIPLES_MAX ? page->groups_count : PAGE_MULTIPLES_MAX;
    struct drawing drawing;

    if (count < 2) {
        return true; // nothing to set side by side
    }
    if (!drawing_init(&drawing, page, SMALL_POINTS_MAX, err)) {
        return false;
    }
    bool done = drawing_is_open(&drawing, err) && put_multiples(&drawing, count, err);
    drawing_done(&drawing);
    return done;
}
