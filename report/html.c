#include "report/html.h"

#include "base/day.h"
#include "report/glyphs.h"
#include "report/number.h"

#include <string.h>

static const char *const month_names[] = {"January",   "February", "March",    "April",
                                          "May",       "June",     "July",     "August",
                                          "September", "October",  "November", "December"};

static const char *entity(uint32_t point)
{
    switch (point) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '\n':
    case '\r':
    case '\t':
        return " ";
    default:
        return point == UINT32_MAX || glyphs_steers(point) ? "\xef\xbf\xbd" : NULL;
    }
}

void html_text(FILE *out, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes;) {
        uint32_t point;
        size_t taken = glyphs_take_point((const unsigned char *)text + i, bytes - i, &point);
        const char *instead = entity(point);
        if (instead) {
            fputs(instead, out);
        } else {
            fwrite(text + i, 1, taken, out);
        }
        i += taken;
    }
}

void html_name(FILE *out, const char *name)
{
    html_text(out, name, strlen(name));
}

void html_value(FILE *out, const char *text, size_t bytes)
{
    if (bytes == 0) {
        fputs("<i>not stated</i>", out);
        return;
    }
    fputs("<bdi>", out);
    if (bytes <= HTML_TEXT_BYTES_MAX) {
        html_text(out, text, bytes);
    } else {
        size_t cut = HTML_TEXT_BYTES_MAX;
        while (cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80) {
            cut--; // not within a character
        }
        html_text(out, text, cut);
        fputs("…", out);
    }
    fputs("</bdi>", out);
}

void html_count(FILE *out, bytes_i128 number)
{
    char text[NUMBER_BYTES];

    if (number < 0) {
        fputs("−", out);
    }
    number_format(number, ',', text);
    fputs(text + (number < 0), out);
}

static void put_sign(FILE *out, bytes_i128 number)
{
    fputs(number > 0 ? "+" : number < 0 ? "−" : "±", out);
}

void html_change(FILE *out, bytes_i128 number)
{
    put_sign(out, number);
    html_count(out, number < 0 ? -number : number);
}

void html_percent(FILE *out, bytes_i128 change, bytes_i128 of)
{
    bytes_i128 size = change < 0 ? -change : change;

    // Halved until the product below fits.
    while (size > (bytes_i128)1 << 100) {
        size >>= 1;
        of >>= 1;
    }
    bytes_i128 percent = of > 0 ? (size * 200 + of) / (of * 2) : 0;
    if (percent == 0) {
        fputs("under 1", out);
    } else {
        put_sign(out, change);
        html_count(out, percent);
    }
    fputs("\xc2\xa0%", out); // does not break before the sign
}

static void put_year(FILE *out, int year)
{
    fprintf(out, year > 0 ? "%d" : "%d (astronomical)", year);
}

void html_day(FILE *out, int32_t day)
{
    struct day_civil civil = day_to_civil(day);
    char iso[DAY_TEXT_BYTES];

    fprintf(out, "<time datetime=\"%s\">%d %s ", day_format_iso(day, iso), civil.day,
            month_names[civil.month - 1]);
    put_year(out, civil.year);
    fputs("</time>", out);
}

void html_days(FILE *out, int32_t first_day, int32_t last_day)
{
    struct day_civil first = day_to_civil(first_day);
    struct day_civil last = day_to_civil(last_day);
    char iso[DAY_TEXT_BYTES];

    if (first_day != last_day) {
        fprintf(out, "<time datetime=\"%s\">%d", day_format_iso(first_day, iso), first.day);
        if (first.year != last.year || first.month != last.month) {
            fprintf(out, " %s", month_names[first.month - 1]);
        }
        if (first.year != last.year) {
            fputs(" ", out);
            put_year(out, first.year);
        }
        fputs("</time> to ", out);
    }
    html_day(out, last_day);
}

void html_days_iso(FILE *out, int32_t first_day, int32_t last_day)
{
    char first[DAY_TEXT_BYTES];
    char last[DAY_TEXT_BYTES];

    fprintf(out, "%s to %s", day_format_iso(first_day, first), day_format_iso(last_day, last));
}
