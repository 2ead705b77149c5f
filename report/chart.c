#include "report/chart.h"

#include "base/day.h"
#include "report/html.h"

enum { VALUE_TICKS_MAX = 4, MONTH_TICKS_DAYS_MAX = 550, LAST_LABEL_X = 9300 };

// 1, 2, 5, 10, 20, 50, ...: the least that needs no more ticks than there may be.
void chart_set_top(struct chart *chart, bytes_i128 max)
{
    static const int steps[] = {1, 2, 5};
    bytes_i128 power = 1;
    size_t at = 0;

    chart->tick = 1;
    while (chart->tick * VALUE_TICKS_MAX < max) {
        at++;
        power *= at % 3 == 0 ? 10 : 1;
        chart->tick = steps[at % 3] * power;
    }
    chart->top = chart->tick;
    while (chart->top < max) {
        chart->top += chart->tick;
    }
}

int chart_x(const struct chart *chart, int64_t day)
{
    int64_t days = (int64_t)chart->to - chart->from;

    return days == 0 ? CHART_X : (int)((day - chart->from) * CHART_X / days);
}

int chart_y(const struct chart *chart, bytes_i128 value)
{
    bytes_i128 top = chart->top;

    value = value < 0 ? 0 : value;
    // Halved until the product below fits.
    while (top > (bytes_i128)1 << 100) {
        top >>= 1;
        value >>= 1;
    }
    return CHART_Y - (int)(value * CHART_Y / top);
}

void chart_put_cx(const struct chart *chart, int64_t day)
{
    int x = chart_x(chart, day);

    fprintf(chart->out, "%d.%02d%%", x / 100, x % 100);
}

void chart_put_cy(const struct chart *chart, bytes_i128 value, int above_px)
{
    int tenths =
        chart_y(chart, value) * chart->plot_px * 10 / CHART_Y + (chart->top_px - above_px) * 10;

    fprintf(chart->out, "%d.%d", tenths / 10, tenths % 10);
}

void chart_open_plot(const struct chart *chart)
{
    fprintf(chart->out,
            "<svg class=\"plot\" y=\"%d\" width=\"100%%\" height=\"%d\" viewBox=\"0 0 %d %d\""
            " preserveAspectRatio=\"none\">",
            chart->top_px, chart->plot_px, CHART_X, CHART_Y);
}

void chart_close_plot(const struct chart *chart)
{
    fputs("</svg>", chart->out);
}

void chart_put_grid(const struct chart *chart)
{
    fputs("<path class=\"grid\" d=\"", chart->out);
    for (bytes_i128 value = chart->tick; value <= chart->top; value += chart->tick) {
        fprintf(chart->out, "M0,%dH%d", chart_y(chart, value), CHART_X);
    }
    fprintf(chart->out, "\"/><path class=\"zero\" d=\"M0,%dH%d\"/>", CHART_Y, CHART_X);
}

void chart_put_days(const struct chart *chart, const char *class, int32_t first_day,
                    int32_t last_day)
{
    int left = chart_x(chart, first_day > chart->from ? first_day : chart->from);
    int right = chart_x(chart, last_day);

    fprintf(chart->out, "<rect class=\"%s\" x=\"%d\" y=\"0\" width=\"%d\" height=\"%d\"/>", class,
            left, right > left ? right - left : 1, CHART_Y);
}

static int64_t day_of(const struct chart *chart, const struct chart_line *line, size_t at)
{
    return (int64_t)chart->to - (int64_t)(line->count - 1 - at) * chart->step;
}

static void put_point(const struct chart *chart, const struct chart_line *line, size_t at,
                      const char *command)
{
    fprintf(chart->out, "%s%d,%d", command, chart_x(chart, day_of(chart, line, at)),
            chart_y(chart, line->value[at]));
}

void chart_put_line(const struct chart *chart, const struct chart_line *line, const char *class,
                    size_t first, size_t last)
{
    bool drawn = false;

    fprintf(chart->out, "<path class=\"%s\" d=\"", class);
    for (size_t i = first; i <= last && i < line->count; i++) {
        if (line->known[i]) {
            put_point(chart, line, i, drawn ? " " : "M");
        }
        drawn = line->known[i];
    }
    fputs("\"/>", chart->out);
}

static bool is_filled(const struct chart_line *low, const struct chart_line *high, size_t at)
{
    return high->known[at] && (!low || low->known[at]);
}

// The run of values number first .. last: along the upper line, and back along the lower one.
static void put_run(const struct chart *chart, const struct chart_line *low,
                    const struct chart_line *high, size_t first, size_t last)
{
    for (size_t i = first; i <= last; i++) {
        put_point(chart, high, i, i == first ? "M" : " ");
    }
    if (!low) {
        fprintf(chart->out, " %d,%d %d,%d", chart_x(chart, day_of(chart, high, last)), CHART_Y,
                chart_x(chart, day_of(chart, high, first)), CHART_Y);
    }
    for (size_t i = last + 1; low && i > first; i--) {
        put_point(chart, low, i - 1, " ");
    }
    fputs("Z", chart->out);
}

void chart_put_area(const struct chart *chart, const struct chart_line *low,
                    const struct chart_line *high, const char *class)
{
    size_t first = 0;

    fprintf(chart->out, "<path class=\"%s\" d=\"", class);
    for (size_t i = 0; i < high->count; i++) {
        if (!is_filled(low, high, i)) {
            first = i + 1;
        } else if (i + 1 == high->count || !is_filled(low, high, i + 1)) {
            put_run(chart, low, high, first, i);
            first = i + 1;
        }
    }
    fputs("\"/>", chart->out);
}

void chart_put_value_ticks(const struct chart *chart)
{
    for (bytes_i128 value = 0; value <= chart->top; value += chart->tick) {
        fputs("<text class=\"tick\" text-anchor=\"end\" x=\"-8\" y=\"", chart->out);
        chart_put_cy(chart, value, -4);
        fputs("\">", chart->out);
        html_count(chart->out, value);
        fputs("</text>", chart->out);
    }
}

// --- days ---

static void put_day_tick(const struct chart *chart, int32_t day, const char *label)
{
    int y = chart->top_px + chart->plot_px;

    fputs("<line class=\"mark\" x1=\"", chart->out);
    chart_put_cx(chart, day);
    fputs("\" x2=\"", chart->out);
    chart_put_cx(chart, day);
    fprintf(chart->out, "\" y1=\"%d\" y2=\"%d\"/>", y, y + 5);
    if (chart_x(chart, day) <= LAST_LABEL_X) {
        fputs("<text class=\"tick\" x=\"", chart->out);
        chart_put_cx(chart, day);
        fprintf(chart->out, "\" y=\"%d\">%s</text>", y + 17, label);
    }
}

static void put_years(const struct chart *chart)
{
    int first = day_to_civil(chart->from).year;
    int last = day_to_civil(chart->to).year;
    int step = 1;

    while ((last - first) / step > CHART_TICKS_MAX) {
        step = step == 1 ? 2 : step == 2 ? 5 : step * 2;
    }
    for (int year = first; year <= last; year++) {
        int32_t day = day_from_civil((struct day_civil){year, 1, 1});
        char label[16];
        if (day >= chart->from && year % step == 0) {
            snprintf(label, sizeof label, "%d", year);
            put_day_tick(chart, day, label);
        }
    }
}

static void put_months(const struct chart *chart)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int32_t days = chart->to - chart->from;
    int step = days <= 150 ? 1 : days <= 300 ? 2 : 3;
    struct day_civil at = day_to_civil(chart->from);
    bool any = false;

    for (at.day = 1; day_from_civil(at) <= chart->to && at.year < DAY_YEAR_MAX;) {
        int32_t day = day_from_civil(at);
        char label[32];
        if (day >= chart->from && (at.month - 1) % step == 0) {
            snprintf(label, sizeof label, any && at.month > step ? "%.3s" : "%.3s %d",
                     names + (at.month - 1) * 3, at.year);
            put_day_tick(chart, day, label);
            any = true;
        }
        at.year += at.month == 12;
        at.month = at.month % 12 + 1;
    }
}

void chart_put_day_ticks(const struct chart *chart)
{
    if (chart->to - chart->from > MONTH_TICKS_DAYS_MAX) {
        put_years(chart);
    } else {
        put_months(chart);
    }
}
