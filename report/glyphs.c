#include "report/glyphs.h"

#include <stdio.h>
#include <string.h>

struct range {
    uint32_t first;
    uint32_t last;
};

// Marks that stand on the letter before them (Unicode 15, the scripts that feeds are written in).
static const struct range combining[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a}, {0x064b, 0x065f},
    {0x0670, 0x0670}, {0x06d6, 0x06dc}, {0x06df, 0x06e4}, {0x06e7, 0x06e8}, {0x0900, 0x0902},
    {0x093c, 0x093c}, {0x0941, 0x0948}, {0x094d, 0x094d}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a},
    {0x0e47, 0x0e4e}, {0x102d, 0x1030}, {0x1039, 0x103a}, {0x1ab0, 0x1aff}, {0x200b, 0x200d},
    {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
};
static const struct range wide[] = {
    {0x1100, 0x115f}, {0x2e80, 0xa4cf}, {0xac00, 0xd7a3},   {0xf900, 0xfaff},
    {0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0x1f300, 0x1faff}, {0x20000, 0x3fffd},
};
static const struct range steering[] = {
    {0x00, 0x1f},     {0x7f, 0x9f},     {0x061c, 0x061c}, {0x200e, 0x200f},
    {0x2028, 0x202e}, {0x2066, 0x2069}, {0xfeff, 0xfeff},
};

static bool in_ranges(const struct range *ranges, size_t count, uint32_t point)
{
    for (size_t i = 0; i < count; i++) {
        if (point >= ranges[i].first && point <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

#define IN_RANGES(ranges, point) in_ranges(ranges, sizeof(ranges) / sizeof((ranges)[0]), point)

bool glyphs_steers(uint32_t point)
{
    return IN_RANGES(steering, point);
}

size_t glyphs_take_point(const unsigned char *at, size_t left, uint32_t *out_point)
{
    size_t bytes = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    uint32_t point = bytes == 1 ? at[0] : at[0] & (0x7fU >> bytes);

    *out_point = UINT32_MAX;
    if (bytes == 0 || bytes > left || at[0] > 0xf4) {
        return 1;
    }
    for (size_t i = 1; i < bytes; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 1;
        }
        point = point << 6 | (at[i] & 0x3f);
    }
    bool surrogate = point >= 0xd800 && point < 0xe000;
    if (surrogate || point > 0x10ffff || (bytes == 3 && point < 0x800) ||
        (bytes == 4 && point < 0x10000)) {
        return 1;
    }
    *out_point = point;
    return bytes;
}

static size_t point_width(uint32_t point)
{
    return IN_RANGES(combining, point) ? 0 : IN_RANGES(wide, point) ? 2 : 1;
}

size_t glyphs_width(const char *text, size_t bytes)
{
    size_t width = 0;

    for (size_t i = 0; i < bytes;) {
        uint32_t point;
        i += glyphs_take_point((const unsigned char *)text + i, bytes - i, &point);
        width += point_width(point);
    }
    return width;
}

// Writes the character at `at`, escaped if need be, to `out`; returns how many bytes it took.
static size_t write_glyph(const char *at, size_t left, char out[16], size_t *out_width)
{
    uint32_t point;
    size_t bytes = glyphs_take_point((const unsigned char *)at, left, &point);

    if (point == UINT32_MAX) {
        snprintf(out, 16, "\\x%02x", (unsigned char)*at);
    } else if (point == '\n' || point == '\t' || point == '\r') {
        snprintf(out, 16, "\\%c", point == '\n' ? 'n' : point == '\t' ? 't' : 'r');
    } else if (glyphs_steers(point)) {
        snprintf(out, 16, point < 0x80 ? "\\x%02x" : "\\u%04x", point);
    } else {
        memcpy(out, at, bytes);
        out[bytes] = '\0';
        *out_width = point_width(point);
        return bytes;
    }
    *out_width = strlen(out);
    return bytes;
}

void glyphs_put(struct bytes *out, const char *text, size_t bytes, size_t width_max)
{
    size_t width = 0;
    size_t cut = out->count; // where an ellipsis still fits

    for (size_t i = 0; i < bytes;) {
        char glyph[16];
        size_t glyph_width;
        i += write_glyph(text + i, bytes - i, glyph, &glyph_width);
        if (width + glyph_width > width_max) {
            out->count = cut;
            bytes_put(out, "…", strlen("…"));
            return;
        }
        bytes_put(out, glyph, strlen(glyph));
        width += glyph_width;
        cut = width < width_max ? out->count : cut;
    }
}

void glyphs_put_bar(struct bytes *out, bytes_i128 value, bytes_i128 max, size_t width)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};

    if (value <= 0 || max <= 0) {
        return;
    }
    // Halved until the product below fits.
    while (max > (bytes_i128)1 << 100) {
        max >>= 1;
        value >>= 1;
    }
    size_t parts = (size_t)(value * (bytes_i128)(width * 8) / max);
    parts = parts == 0 ? 1 : parts; // something is never drawn as nothing
    for (size_t i = 0; i < parts / 8; i++) {
        bytes_put(out, "█", strlen("█"));
    }
    bytes_put(out, eighths[parts % 8], strlen(eighths[parts % 8]));
}

void glyphs_put_spark(struct bytes *out, const bytes_i128 *values, size_t values_count)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    bytes_i128 least = values[0];
    bytes_i128 greatest = values[0];

    for (size_t i = 1; i < values_count; i++) {
        least = values[i] < least ? values[i] : least;
        greatest = values[i] > greatest ? values[i] : greatest;
    }
    bytes_i128 range = greatest - least;
    int shift = 0;
    while (range >> shift > (bytes_i128)1 << 100) {
        shift++;
    }
    for (size_t i = 0; i < values_count; i++) {
        bytes_i128 above = (values[i] - least) >> shift;
        int block = range == 0 ? 0 : (int)(above * 7 / (range >> shift));
        bytes_put(out, blocks[block], strlen(blocks[block]));
    }
}
