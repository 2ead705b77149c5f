// report/html.h - text, numbers and days as HTML, safe in content and in quoted attributes.
//
// All output goes to a stream, whose errors are asked for once, at its end.
#ifndef REPORT_HTML_H
#define REPORT_HTML_H

#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { HTML_TEXT_BYTES_MAX = 200 }; // longer texts of a feed end in an ellipsis

// Escaped. Bytes that are no UTF-8, controls and marks that turn the direction of what follows
// become U+FFFD.
void html_text(FILE *out, const char *text, size_t bytes);
void html_name(FILE *out, const char *name); // terminated

// A text of a feed in an element of its own direction. The empty one says that it is not known.
void html_value(FILE *out, const char *text, size_t bytes);

void html_count(FILE *out, bytes_i128 number);                  // 1,234,567
void html_change(FILE *out, bytes_i128 number);                 // +47, −3, ±0
void html_percent(FILE *out, bytes_i128 change, bytes_i128 of); // +22 %; under 1 %

// <time datetime="2020-10-24">24 October 2020</time>
void html_day(FILE *out, int32_t day);
// "5 September to 24 October 2020": a year and month that both share is said once.
void html_days(FILE *out, int32_t first_day, int32_t last_day);
// "2020-09-05 to 2020-10-24"
void html_days_iso(FILE *out, int32_t first_day, int32_t last_day);

#endif
