// report/chart.h - lines over days as SVG that keeps its text readable at any width.
//
//   +-- <svg> as wide as its column, as high as it says; texts and dots at x in percent --+
//   |   +-- <svg viewBox="0 0 10000 1000"> stretched: areas and lines -------------------+ |
//   |   0 = first day                                                   10000 = last day | |
//   +------------------------------------------------------------------------------------+
//
// The value axis starts at 0. Whole numbers only: coordinates are rounded, values never are.
#ifndef REPORT_CHART_H
#define REPORT_CHART_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { CHART_X = 10000, CHART_Y = 1000, CHART_TICKS_MAX = 6 };

// One value every `step` days; the last one is of day `to`.
struct chart_line {
    bytes_i128 *value;
    bool *known;
    size_t count;
};

struct chart {
    FILE *out;
    int32_t from; // day of the first value
    int32_t to;
    uint32_t step;
    bytes_i128 top; // of the value axis, above 0
    bytes_i128 tick;
    int top_px; // where the plot begins within the drawing, and how high it is
    int plot_px;
};

// A round top and ticks for values up to `max`.
void chart_set_top(struct chart *chart, bytes_i128 max);

int chart_x(const struct chart *chart, int64_t day);       // 0 .. CHART_X
int chart_y(const struct chart *chart, bytes_i128 value);  // CHART_Y (zero) .. 0 (top)
void chart_put_cx(const struct chart *chart, int64_t day); // "83.25%"
void chart_put_cy(const struct chart *chart, bytes_i128 value, int above_px); // "104.5"

void chart_open_plot(const struct chart *chart);
void chart_close_plot(const struct chart *chart);
void chart_put_grid(const struct chart *chart);
// Shades the days first .. last.
void chart_put_days(const struct chart *chart, const char *class, int32_t first_day,
                    int32_t last_day);
// A line through the values number first .. last; unknown ones are gaps.
void chart_put_line(const struct chart *chart, const struct chart_line *line, const char *class,
                    size_t first, size_t last);
// The area between two lines, or between a line and 0 (`low` NULL), where both are known.
void chart_put_area(const struct chart *chart, const struct chart_line *low,
                    const struct chart_line *high, const char *class);

// Texts: the values of the grid, on its left; years or months below.
void chart_put_value_ticks(const struct chart *chart);
void chart_put_day_ticks(const struct chart *chart);

#endif
