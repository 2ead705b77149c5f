// report/glyphs.h - text for a terminal: its width, its control characters, bars, sparklines.
#ifndef REPORT_GLYPHS_H
#define REPORT_GLYPHS_H

#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>

// One code point; returns its bytes, 1 for a byte that is no UTF-8 (*out_point is UINT32_MAX then).
// Requires: left > 0. Source: RFC 3629, shortest forms only.
size_t glyphs_take_point(const unsigned char *at, size_t left, uint32_t *out_point);

// Controls, and marks that turn the direction of what follows.
bool glyphs_steers(uint32_t point);

// Columns that UTF-8 text takes: wide letters two, combining marks none.
size_t glyphs_width(const char *text, size_t bytes);

// Appends text with everything that could steer a terminal written out: \n, \x1b, \u202e, and
// bytes that are no UTF-8 as \xNN. Beyond width_max columns it ends in an ellipsis.
void glyphs_put(struct bytes *out, const char *text, size_t bytes, size_t width_max);

// Appends a bar of value / max, `width` columns at the most, in eighths of a column.
void glyphs_put_bar(struct bytes *out, bytes_i128 value, bytes_i128 max, size_t width);

// Appends one block a value, between the least and the greatest; values_count > 0.
void glyphs_put_spark(struct bytes *out, const bytes_i128 *values, size_t values_count);

#endif
