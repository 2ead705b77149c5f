// report/number.h - numbers and times as text.
#ifndef REPORT_NUMBER_H
#define REPORT_NUMBER_H

#include "base/bytes.h"

#include <stdint.h>

enum { NUMBER_BYTES = 64, NUMBER_TIME_BYTES = 40 };

// "-1234567", or with a separator "-1,234,567"; '\0' for none. Returns `text`.
const char *number_format(bytes_i128 number, char separator, char text[NUMBER_BYTES]);

// "2020-10-24T12:30:00.125Z" from milliseconds since 1970.
const char *number_format_time(int64_t time_ms, char text[NUMBER_TIME_BYTES]);

// A whole number of digits up to `max`. False: not such a text.
bool number_parse(const char *text, uint64_t max, uint64_t *out_number);

#endif
