#include "ingest/decode.h"

#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { RAW_BYTES = 64 * 1024, MARK_BYTES_MAX = 4 };

#define NOT_CONVERTING ((iconv_t)-1)

struct decode {
    decode_pull *pull;
    void *context;
    const char *encoding; // NULL: UTF-8
    iconv_t iconv;        // NOT_CONVERTING while the bytes pass as they are
    size_t mark_bytes;
    size_t unit_bytes; // of the encoding: what is passed over at a character that is none
    bool started;
    bool ended; // the pull said so
    bool cut;   // within a character

    unsigned char *raw; // pulled and not yet handed out
    size_t raw_at;
    size_t raw_count;
};

static bool is_utf8(const char *encoding)
{
    return strcasecmp(encoding, "utf-8") == 0 || strcasecmp(encoding, "utf8") == 0 ||
           strcasecmp(encoding, "ascii") == 0 || strcasecmp(encoding, "us-ascii") == 0;
}

struct decode *decode_open(const char *encoding, decode_pull *pull, void *context,
                           struct tally_err *err)
{
    struct decode *decode = calloc(1, sizeof *decode);
    unsigned char *raw = malloc(RAW_BYTES);

    if (!decode || !raw) {
        free(decode);
        free(raw);
        err_set(err, TALLY_NO_MEMORY, "no memory to decode a file");
        return NULL;
    }
    *decode = (struct decode){
        .pull = pull,
        .context = context,
        .encoding = encoding && !is_utf8(encoding) ? encoding : NULL,
        .iconv = NOT_CONVERTING,
        .raw = raw,
    };
    return decode;
}

void decode_close(struct decode *decode)
{
    if (decode) {
        if (decode->iconv != NOT_CONVERTING) {
            iconv_close(decode->iconv);
        }
        free(decode->raw);
        free(decode);
    }
}

bool decode_knows(const char *encoding)
{
    iconv_t iconv = iconv_open("UTF-8", encoding);

    if (iconv == NOT_CONVERTING) {
        return errno != EINVAL;
    }
    iconv_close(iconv);
    return true;
}

// Adds to the raw bytes at hand. Requires: room for them.
static bool pull_raw(struct decode *decode, struct tally_err *err)
{
    memmove(decode->raw, decode->raw + decode->raw_at, decode->raw_count - decode->raw_at);
    decode->raw_count -= decode->raw_at;
    decode->raw_at = 0;
    ssize_t got = decode->pull(decode->context, decode->raw + decode->raw_count,
                               RAW_BYTES - decode->raw_count, err);
    if (got < 0) {
        return false;
    }
    decode->ended = got == 0;
    decode->raw_count += (size_t)got;
    return true;
}

// What a byte order mark says about the encoding that was configured.
static const char *read_mark(struct decode *decode)
{
    // The longer ones first: that of UTF-32LE begins with that of UTF-16LE.
    static const struct {
        const char *bytes;
        size_t count;
        const char *encoding; // NULL: UTF-8
    } marks[] = {{"\xff\xfe\0", 4, "UTF-32LE"},
                 {"\0\0\xfe\xff", 4, "UTF-32BE"},
                 {"\xef\xbb\xbf", 3, NULL},
                 {"\xff\xfe", 2, "UTF-16LE"},
                 {"\xfe\xff", 2, "UTF-16BE"}};
    const unsigned char *raw = decode->raw;

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (decode->raw_count >= marks[i].count &&
            memcmp(raw, marks[i].bytes, marks[i].count) == 0) {
            decode->mark_bytes = marks[i].count;
            return marks[i].encoding;
        }
    }
    return decode->encoding;
}

// How many bytes the encoding takes for "a", or 0 without memory.
static size_t count_bytes(const char *encoding, const char *text)
{
    char in_bytes[8];
    char out_bytes[32];
    char *in = in_bytes;
    char *out = out_bytes;
    size_t in_left = strlen(text);
    size_t out_left = sizeof out_bytes;
    iconv_t iconv_back = iconv_open(encoding, "UTF-8");

    if (iconv_back == NOT_CONVERTING) {
        return 0;
    }
    snprintf(in_bytes, sizeof in_bytes, "%s", text);
    iconv(iconv_back, &in, &in_left, &out, &out_left);
    iconv_close(iconv_back);
    return sizeof out_bytes - out_left;
}

// 2 for UTF-16, 4 for UTF-32: the second letter, since a mark may stand before the first.
static size_t unit_bytes(const char *encoding)
{
    size_t bytes = count_bytes(encoding, "aa") - count_bytes(encoding, "a");
    return bytes >= 1 && bytes <= 4 ? bytes : 1;
}

static bool start(struct decode *decode, struct tally_err *err)
{
    while (decode->raw_count < MARK_BYTES_MAX && !decode->ended) {
        if (!pull_raw(decode, err)) {
            return false;
        }
    }
    const char *encoding = read_mark(decode);
    decode->raw_at = decode->mark_bytes;
    if (encoding) {
        decode->iconv = iconv_open("UTF-8", encoding);
        if (decode->iconv == NOT_CONVERTING) {
            return err_set(err, errno == EINVAL ? TALLY_INVALID : TALLY_NO_MEMORY,
                           "encoding \"%s\" is not known here; `iconv -l` lists what is", encoding);
        }
        decode->unit_bytes = unit_bytes(encoding);
    }
    decode->encoding = encoding;
    decode->started = true;
    return true;
}

static ssize_t pass(struct decode *decode, void *data, size_t count, struct tally_err *err)
{
    size_t left = decode->raw_count - decode->raw_at;

    if (left == 0) { // straight through, without a copy
        return decode->pull(decode->context, data, count, err);
    }
    size_t taken = left < count ? left : count;
    memcpy(data, decode->raw + decode->raw_at, taken);
    decode->raw_at += taken;
    return (ssize_t)taken;
}

// Converts what is at hand. Sets *out_starved when it needs more raw bytes to go on.
static size_t convert_some(struct decode *decode, char *data, size_t count, bool *out_starved)
{
    char *in = (char *)decode->raw + decode->raw_at;
    size_t in_left = decode->raw_count - decode->raw_at;
    char *out = data;
    size_t out_left = count;
    size_t status = iconv(decode->iconv, &in, &in_left, &out, &out_left);

    *out_starved = status != (size_t)-1 || errno == EINVAL;
    if (status == (size_t)-1 && errno == EILSEQ && out_left > 0 && in_left > 0) {
        *out++ = (char)0xff;
        out_left--;
        in_left -= decode->unit_bytes < in_left ? decode->unit_bytes : in_left;
    }
    decode->raw_at = decode->raw_count - in_left;
    return count - out_left;
}

// A letter that the next one might still have changed, as in windows-1255 and -1258.
static ssize_t convert_last(struct decode *decode, char *data, size_t count, struct tally_err *err)
{
    char *out = data;
    size_t left = count;

    if (iconv(decode->iconv, NULL, NULL, &out, &left) == (size_t)-1) {
        err_set(err, TALLY_INVALID, "no room for one character");
        return -1;
    }
    return (ssize_t)(count - left);
}

static ssize_t convert(struct decode *decode, char *data, size_t count, struct tally_err *err)
{
    for (;;) {
        bool starved = true;
        if (decode->raw_at < decode->raw_count) {
            size_t made = convert_some(decode, data, count, &starved);
            if (made > 0) {
                return (ssize_t)made;
            }
        }
        if (!starved) {
            err_set(err, TALLY_INVALID, "no room for one character");
            return -1;
        }
        if (decode->ended && decode->raw_at < decode->raw_count) {
            decode->raw_at = decode->raw_count;
            decode->cut = true;
            data[0] = (char)0xff;
            return 1;
        }
        if (decode->ended) {
            return convert_last(decode, data, count, err);
        }
        if (!pull_raw(decode, err)) {
            return -1;
        }
    }
}

ssize_t decode_read(void *context, void *data, size_t count, struct tally_err *err)
{
    struct decode *decode = context;

    if (!decode->started && !start(decode, err)) {
        return -1;
    }
    return decode->iconv == NOT_CONVERTING ? pass(decode, data, count, err)
                                           : convert(decode, data, count, err);
}

size_t decode_mark_bytes(const struct decode *decode)
{
    return decode->mark_bytes;
}

const char *decode_encoding(const struct decode *decode)
{
    return decode->encoding;
}

bool decode_is_cut(const struct decode *decode)
{
    return decode->cut;
}
