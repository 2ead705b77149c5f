#include "ingest/source.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum {
    PEEK_FIRST = 16 * 1024,
    FILE_BYTES = 64 * 1024,   // compressed bytes at hand
    RATIO_FREE = 1 << 20,     // inflated bytes up to which the ratio is not looked at
    ZSTD_WINDOW_LOG_MAX = 27, // 128 MiB, what `zstd --long` makes
    ZSTD_WINDOW_LOG_MIN = 10,
};

enum source_kind { SOURCE_PLAIN, SOURCE_GZIP, SOURCE_ZSTD };

// What is dropped in the place of CSV, by its first bytes. No header begins so by chance: where
// letters do, what follows them belongs to it.
static const struct {
    const char *bytes;
    size_t count;
    const char *what;
    const char *remedy;
} not_csv[] = {
    {"PK\3\4", 4, "a ZIP archive",
     "drop what is in it, as it is or in gzip or zstd: unzip -p FILE > NAME.csv; a spreadsheet "
     "(.xlsx, .ods) has to be saved as CSV"},
    {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 8, "an Excel workbook (.xls)", "save it as CSV"},
    {"%PDF-", 5, "a PDF document", "ask its publisher for the table as CSV"},
    {"7z\xbc\xaf\x27\x1c", 6, "a 7z archive", "drop what is in it, as it is or in gzip or zstd"},
    {"\xfd\x37zXZ\0", 6, "compressed with xz",
     "drop it as it is or in gzip or zstd: xz -dc FILE > NAME.csv"},
    {"BZh91AY&SY", 10, "compressed with bzip2",
     "drop it as it is or in gzip or zstd: bzip2 -dc FILE > NAME.csv"},
    {"PAR1\x15", 5, "a Parquet file", "export its rows as CSV"},
    {"SQLite format 3", 16, "a SQLite database", "export the table as CSV"},
};

enum { KIND_BYTES = 16 }; // that tell the kind of a file

struct source {
    ingest_read *read;
    void *context;
    const struct ingest_limits *limits;
    struct digest_stream *digest;
    uint64_t bytes; // of the file, read so far
    bool file_ended;
    enum source_kind kind;
    bool kind_known;

    // Bytes of the file that were read but not used yet.
    unsigned char *file;
    size_t file_at;
    size_t file_count;

    z_stream zlib;
    bool zlib_ready;
    ZSTD_DCtx *zstd;
    bool within_member;      // of a gzip or zstd file: its end was not seen yet
    uint64_t inflated_bytes; // handed out, when compressed

    // Content that was looked at, and is read before any other.
    unsigned char *peeked;
    size_t peeked_at;
    size_t peeked_count;
};

struct source *source_open(ingest_read *read, void *context, const struct ingest_limits *limits,
                           struct tally_err *err)
{
    struct source *source = calloc(1, sizeof *source);

    if (!source) {
        err_set(err, TALLY_NO_MEMORY, "no memory to read a file");
        return NULL;
    }
    source->read = read;
    source->context = context;
    source->limits = limits;
    source->digest = digest_stream_open(err);
    source->file = malloc(FILE_BYTES);
    if (!source->digest || !source->file) {
        err_set(err, TALLY_NO_MEMORY, "no memory to read a file");
        source_close(source);
        return NULL;
    }
    return source;
}

void source_close(struct source *source)
{
    if (source) {
        if (source->zlib_ready) {
            inflateEnd(&source->zlib);
        }
        ZSTD_freeDCtx(source->zstd);
        digest_stream_close(source->digest);
        free(source->peeked);
        free(source->file);
        free(source);
    }
}

size_t source_memory(const struct source *source)
{
    return source->zstd ? ZSTD_sizeof_DCtx(source->zstd) : 0;
}

static ssize_t read_file(struct source *source, void *data, size_t count, struct tally_err *err)
{
    if (source->file_ended) {
        return 0;
    }
    ssize_t got = source->read(source->context, data, count);
    while (got < 0 && errno == EINTR) {
        got = source->read(source->context, data, count);
    }
    if (got < 0) {
        err_sys(err, "read");
        return -1;
    }
    source->file_ended = got == 0;
    source->bytes += (uint64_t)got;
    digest_stream_add(source->digest, data, (size_t)got);
    return got;
}

// Puts at least `want` bytes at hand unless the file ends before.
static bool fill(struct source *source, size_t want, struct tally_err *err)
{
    if (source->file_count - source->file_at < want) {
        memmove(source->file, source->file + source->file_at, source->file_count - source->file_at);
        source->file_count -= source->file_at;
        source->file_at = 0;
    }
    while (source->file_count - source->file_at < want && !source->file_ended) {
        ssize_t got = read_file(source, source->file + source->file_count,
                                FILE_BYTES - source->file_count, err);
        if (got < 0) {
            return false;
        }
        source->file_count += (size_t)got;
    }
    return true;
}

static enum source_kind kind_of(const unsigned char *data, size_t count)
{
    if (count >= 2 && memcmp(data, "\x1f\x8b", 2) == 0) {
        return SOURCE_GZIP;
    }
    return count >= 4 && memcmp(data, "\x28\xb5\x2f\xfd", 4) == 0 ? SOURCE_ZSTD : SOURCE_PLAIN;
}

bool source_is_compressed(const unsigned char *data, size_t count)
{
    return kind_of(data, count) != SOURCE_PLAIN;
}

// A window of at most half the memory that the file may take: log2, rounded down.
static int window_log(size_t bytes_max)
{
    int log = ZSTD_WINDOW_LOG_MAX;

    while (log > ZSTD_WINDOW_LOG_MIN && (size_t)1 << log > bytes_max / 2) {
        log--;
    }
    return log;
}

static bool refuse_not_csv(const unsigned char *data, size_t count, struct tally_err *err)
{
    for (size_t i = 0; i < sizeof not_csv / sizeof *not_csv; i++) {
        if (count >= not_csv[i].count && memcmp(data, not_csv[i].bytes, not_csv[i].count) == 0) {
            return err_set(err, TALLY_REFUSED, "is %s, not CSV; %s", not_csv[i].what,
                           not_csv[i].remedy);
        }
    }
    return true;
}

static bool find_kind(struct source *source, struct tally_err *err)
{
    if (!fill(source, KIND_BYTES, err) || !refuse_not_csv(source->file, source->file_count, err)) {
        return false;
    }
    source->kind = kind_of(source->file, source->file_count);
    if (source->kind == SOURCE_GZIP) {
        source->zlib_ready = inflateInit2(&source->zlib, 15 + 16) == Z_OK;
    } else if (source->kind == SOURCE_ZSTD) {
        source->zstd = ZSTD_createDCtx();
    }
    if ((source->kind == SOURCE_GZIP && !source->zlib_ready) ||
        (source->kind == SOURCE_ZSTD && !source->zstd)) {
        return err_set(err, TALLY_NO_MEMORY, "no memory to inflate a file");
    }
    if (source->zstd) {
        ZSTD_DCtx_setParameter(source->zstd, ZSTD_d_windowLogMax,
                               window_log(source->limits->memory_bytes_max));
    }
    source->kind_known = true;
    return true;
}

// One step of inflating. Moves file_at on and tells how much came out.
static bool inflate_gzip(struct source *source, void *data, size_t count, size_t *out_count,
                         struct tally_err *err)
{
    z_stream *zlib = &source->zlib;
    size_t left = source->file_count - source->file_at;

    if (!source->within_member) { // another member follows: gzip files may be concatenated
        if (kind_of(source->file + source->file_at, left) != SOURCE_GZIP) {
            return err_set(err, TALLY_REFUSED,
                           "bytes that are not gzip follow the compressed content");
        }
        inflateReset(zlib);
        source->within_member = true;
    }
    zlib->next_in = source->file + source->file_at;
    zlib->avail_in = (uInt)left;
    zlib->next_out = data;
    zlib->avail_out = count < UINT32_MAX ? (uInt)count : UINT32_MAX;
    uInt room = zlib->avail_out;
    int status = inflate(zlib, Z_NO_FLUSH);
    source->file_at = source->file_count - zlib->avail_in;
    *out_count = room - zlib->avail_out;
    if (status == Z_STREAM_END) {
        source->within_member = false;
        return true;
    }
    if (status == Z_MEM_ERROR) {
        return err_set(err, TALLY_NO_MEMORY, "no memory to inflate a file");
    }
    return status == Z_OK || status == Z_BUF_ERROR ||
           err_set(err, TALLY_REFUSED, "damaged gzip content: %s",
                   zlib->msg ? zlib->msg : "not readable");
}

static bool inflate_zstd(struct source *source, void *data, size_t count, size_t *out_count,
                         struct tally_err *err)
{
    ZSTD_inBuffer in = {.src = source->file, .size = source->file_count, .pos = source->file_at};
    ZSTD_outBuffer out = {.dst = data, .size = count};

    if (!source->within_member && source->inflated_bytes > 0) {
        // No later frame may take more than the memory that others reckon with since the first.
        ZSTD_DCtx_setParameter(source->zstd, ZSTD_d_windowLogMax,
                               window_log(2 * source_memory(source)));
    }
    size_t status = ZSTD_decompressStream(source->zstd, &out, &in);
    if (ZSTD_getErrorCode(status) == ZSTD_error_frameParameter_windowTooLarge) {
        return err_set(err, TALLY_LIMIT,
                       "inflating it takes more memory than half of memory_max = %zu, or than its "
                       "first frame",
                       source->limits->memory_bytes_max);
    }
    if (ZSTD_isError(status)) {
        return err_set(err, TALLY_REFUSED, "damaged zstd content: %s", ZSTD_getErrorName(status));
    }
    source->file_at = in.pos;
    source->within_member = status != 0;
    *out_count = out.pos;
    return true;
}

static bool check_inflated(struct source *source, size_t count, struct tally_err *err)
{
    source->inflated_bytes += count;
    if (source->inflated_bytes > source->limits->inflated_bytes_max) {
        return err_set(err, TALLY_LIMIT, "inflates to more than %llu bytes",
                       (unsigned long long)source->limits->inflated_bytes_max);
    }
    if (source->inflated_bytes > RATIO_FREE &&
        source->inflated_bytes / source->limits->inflate_ratio_max > source->bytes) {
        return err_set(err, TALLY_LIMIT, "inflates to more than %llu times its size",
                       (unsigned long long)source->limits->inflate_ratio_max);
    }
    return true;
}

static ssize_t read_inflated(struct source *source, void *data, size_t count, struct tally_err *err)
{
    size_t got = 0;

    while (got == 0) {
        // Two bytes: what follows a gzip member has to be told from another one.
        if (!fill(source, 2, err)) {
            return -1;
        }
        bool exhausted = source->file_at == source->file_count;
        if (exhausted && !source->within_member) {
            return 0;
        }
        bool ok = source->kind == SOURCE_GZIP ? inflate_gzip(source, data, count, &got, err)
                                              : inflate_zstd(source, data, count, &got, err);
        if (!ok || !check_inflated(source, got, err)) {
            return -1;
        }
        if (exhausted && got == 0 && source->within_member) {
            err_set(err, TALLY_REFUSED,
                    "cut short: the compressed content breaks off; deliver it again whole");
            return -1;
        }
    }
    return (ssize_t)got;
}

static ssize_t read_content(struct source *source, void *data, size_t count, struct tally_err *err)
{
    if (!source->kind_known && !find_kind(source, err)) {
        return -1;
    }
    if (source->kind != SOURCE_PLAIN) {
        return read_inflated(source, data, count, err);
    }
    size_t left = source->file_count - source->file_at;
    if (left == 0) {
        return read_file(source, data, count, err);
    }
    size_t taken = left < count ? left : count;
    memcpy(data, source->file + source->file_at, taken);
    source->file_at += taken;
    return (ssize_t)taken;
}

bool source_peek(struct source *source, size_t count, const unsigned char **out_data,
                 size_t *out_count, struct tally_err *err)
{
    size_t room = 0;
    ssize_t got = 1;

    assert(!source->peeked);
    while (got > 0 && source->peeked_count < count) {
        if (source->peeked_count == room) { // most files are small
            room = room == 0 ? PEEK_FIRST : 2 * room;
            room = room < count ? room : count;
            unsigned char *peeked = realloc(source->peeked, room);
            if (!peeked) {
                return err_set(err, TALLY_NO_MEMORY, "no memory for %zu bytes", room);
            }
            source->peeked = peeked;
        }
        got = read_content(source, source->peeked + source->peeked_count,
                           room - source->peeked_count, err);
        if (got < 0) {
            return false;
        }
        source->peeked_count += (size_t)got;
    }
    *out_data = source->peeked;
    *out_count = source->peeked_count;
    return true;
}

ssize_t source_read(struct source *source, void *data, size_t count, struct tally_err *err)
{
    size_t left = source->peeked_count - source->peeked_at;

    if (left == 0) {
        return read_content(source, data, count, err);
    }
    size_t taken = left < count ? left : count;
    memcpy(data, source->peeked + source->peeked_at, taken);
    source->peeked_at += taken;
    return (ssize_t)taken;
}

bool source_drain(struct source *source, struct tally_err *err)
{
    ssize_t got = 0;

    do {
        got = read_file(source, source->file, FILE_BYTES, err);
    } while (got > 0);
    return got == 0;
}

struct digest source_digest(const struct source *source)
{
    return digest_stream_value(source->digest);
}

uint64_t source_bytes(const struct source *source)
{
    return source->bytes;
}
