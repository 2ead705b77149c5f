#include "report/number.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const char *number_format(bytes_i128 number, char separator, char text[NUMBER_BYTES])
{
    char reversed[NUMBER_BYTES];
    size_t count = 0;
    size_t digits = 0;
    bool negative = number < 0;

    do {
        int digit = (int)(number % 10);
        if (separator && digits > 0 && digits % 3 == 0) {
            reversed[count++] = separator;
        }
        reversed[count++] = (char)('0' + (digit < 0 ? -digit : digit));
        digits++;
        number /= 10;
    } while (number != 0);
    if (negative) {
        reversed[count++] = '-';
    }
    for (size_t i = 0; i < count; i++) {
        text[i] = reversed[count - 1 - i];
    }
    text[count] = '\0';
    return text;
}

const char *number_format_time(int64_t time_ms, char text[NUMBER_TIME_BYTES])
{
    time_t seconds = (time_t)(time_ms / 1000 - (time_ms % 1000 < 0));
    int ms = (int)(time_ms - (int64_t)seconds * 1000);
    struct tm utc;

    if (!gmtime_r(&seconds, &utc)) {
        text[0] = '\0';
        return text;
    }
    size_t used = strftime(text, NUMBER_TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + used, NUMBER_TIME_BYTES - used, ".%03dZ", ms);
    return text;
}

bool number_parse(const char *text, uint64_t max, uint64_t *out_number)
{
    uint64_t number = 0;

    if (*text == '\0') {
        return false;
    }
    for (; *text; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(*text - '0');
        if (digit > max || number > (max - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    *out_number = number;
    return true;
}
