// tests/fuzz/fuzz_ingest.c - any bytes through ingest.
//
// The first byte picks a feed and a block size, the rest is the file. Oracle: the same rows,
// rejects and outcome whatever the size of the blocks in which the file is read, by either parser,
// and on any number of cores.
#include "base/checksum.h"
#include "ingest/ingest.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct setting {
    const char *key;
    const char *value;
};

enum { FEEDS_COUNT = 8, SETTINGS_MAX = 12, BLOCKS_MAX = 3 };

static const struct setting descriptions[FEEDS_COUNT][SETTINGS_MAX] = {
    {{"id", "id"}, {"date", "date"}, {"dim.x", "x"}, {"measure.n", "n"}, {"optional", "x, n"}},
    {{"id", "id"},
     {"date", "date"},
     {"end_date", "end"},
     {"revision", "r"},
     {"mode", "snapshot"},
     {"unknown", "-99 NA"},
     {"optional", "end, r"}},
    {{"id", "id"},
     {"date", "date"},
     {"rows", "per-victim"},
     {"measure.n", "count where x in Y"},
     {"measure.m", "n where x not in Y"},
     {"optional", "n"}},
    {{"id", "a"},
     {"year", "b"},
     {"month", "c"},
     {"day", "d"},
     {"header", "none"},
     {"columns", "a, b, c, d"},
     {"delimiter", "tab"},
     {"quote", "none"},
     {"century", "0"}},
    {{"id", "id"},
     {"date", "date"},
     {"encoding", "windows-1252"},
     {"delimiter", "semicolon"},
     {"decimal", "comma"},
     {"measure.k.low", "a"},
     {"measure.k", "b"},
     {"optional", "a, b"}},
    {{"id", "id"},
     {"revision", "r"},
     {"mode", "deletions"},
     {"deletes", "x"},
     {"revision_format", "%Y %b %d %I:%M:%S %p | %Y-%m-%dT%H:%M:%S.%f%z"}},
    {{"id", "id"},
     {"date", "date"},
     {"date_format", "%d/%m/%y | %d %B %Y | %Y.%j | %Y%m%d"},
     {"century", "1900"},
     {"preamble", "2"},
     {"reject_max", "50%"},
     {"dim.c", "\"const\""}},
    {{"id", "id"}, {"date", "date"}, {"encoding", "utf-16le"}, {"dim.x", "x"}},
};

struct input {
    const uint8_t *data;
    size_t bytes;
    size_t at;
    size_t block;
};

static ssize_t read_input(void *context, void *data, size_t count)
{
    struct input *input = context;
    size_t left = input->bytes - input->at;
    size_t taken = count < input->block ? count : input->block;

    taken = taken < left ? taken : left;
    if (taken > 0) {
        memcpy(data, input->data + input->at, taken);
    }
    input->at += taken;
    return (ssize_t)taken;
}

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void put_span(struct bytes *out, const struct rows *rows, struct rows_span span)
{
    require(span.at <= rows->texts.count && span.bytes <= rows->texts.count - span.at);
    bytes_put_text(out, rows_text(rows, span), span.bytes);
}

static void put_row(struct bytes *out, const struct rows *rows, size_t index)
{
    const struct row *row = &rows->row[index];

    require(row->first_day <= row->last_day);
    bytes_put_u8(out, (uint8_t)row->op);
    put_span(out, rows, row->id);
    put_span(out, rows, row->revision_text);
    bytes_put_u64(out, row->record);
    bytes_put_u64(out, row->line);
    bytes_put_zigzag(out, row->first_day);
    bytes_put_zigzag(out, row->last_day);
    bytes_put_zigzag(out, row->revision_number);
    bytes_put_u64(out, row->reported);
    for (size_t i = 0; i < rows->shape->dims_count; i++) {
        bytes_put_u32(out, rows_dims(rows, index)[i]);
    }
    for (size_t i = 0; i < rows->shape->measures_count; i++) {
        require(rows_measures(rows, index)[i] >= 0);
        bytes_put_zigzag(out, rows_measures(rows, index)[i]);
    }
}

// What comes out, whatever the chunks.
struct outcome {
    struct bytes texts;
    struct bytes rows;
    struct bytes rejects;
};

static void put_chunk(struct outcome *out, const struct rows *rows)
{
    for (size_t i = 0; i < rows->new_texts_count; i++) {
        bytes_put_u32(&out->texts, rows->new_texts[i].dim);
        put_span(&out->texts, rows, rows->new_texts[i].text);
    }
    for (size_t i = 0; i < rows->count; i++) {
        put_row(&out->rows, rows, i);
    }
    for (size_t i = 0; i < rows->rejects_count; i++) {
        bytes_put_u64(&out->rejects, rows->rejects[i].record);
        bytes_put_u64(&out->rejects, rows->rejects[i].line);
        bytes_put_u64(&out->rejects, rows->rejects[i].offset);
        bytes_put_text(&out->rejects, rows->rejects[i].reason, strlen(rows->rejects[i].reason));
        put_span(&out->rejects, rows, rows->rejects[i].detail);
        put_span(&out->rejects, rows, rows->rejects[i].raw);
    }
}

// Of a file that was refused nothing counts but why.
static struct digest end(struct outcome *out, enum ingest_step step, const struct tally_err *err,
                         const struct ingest_summary *summary)
{
    struct bytes *all = &out->texts;

    if (step == INGEST_REFUSED) {
        bytes_clear(all);
        bytes_put_text(all, err->place, strlen(err->place));
        bytes_put_text(all, err->message, strlen(err->message));
    } else {
        bytes_put(all, out->rows.data, out->rows.count);
        bytes_put(all, out->rejects.data, out->rejects.count);
        bytes_put_u64(all, summary->disordered);
        bytes_put_zigzag(all, summary->any_day ? summary->first_day : 0);
        bytes_put_zigzag(all, summary->any_day ? summary->last_day : 0);
    }
    bytes_put_u8(all, (uint8_t)step);
    bytes_put_u64(all, summary->records);
    require(all->ok);
    struct digest digest = digest_of(all->data, all->count);
    bytes_done(&out->texts);
    bytes_done(&out->rows);
    bytes_done(&out->rejects);
    return digest;
}

static struct digest outcome_of(const struct feed *feed, struct input input,
                                enum ingest_parser parser, unsigned blocks)
{
    const struct ingest_limits limits = {
        .field_bytes_max = 200,
        .record_bytes_max = 300,
        .columns_max = 50,
        .records_max = 10000,
        .inflated_bytes_max = 1 << 20,
        .inflate_ratio_max = 100,
        .memory_bytes_max = 1 << 20,
        .chunk_rows = 7,
        .chunk_bytes = 4096,
        .parser = parser,
        .block_bytes = 29,
        .blocks = blocks,
    };
    struct tally_err err;
    struct rows rows[BLOCKS_MAX];
    struct ingest_turn turn = {.chunks = rows, .chunks_max = blocks};
    struct outcome out;
    enum ingest_step step;

    for (size_t i = 0; i < BLOCKS_MAX; i++) {
        rows_init(&rows[i]);
    }
    bytes_init(&out.texts);
    bytes_init(&out.rows);
    bytes_init(&out.rejects);
    struct ingest *ingest = ingest_open(&feed, 1, "input.csv", &limits, read_input, &input, &err);
    require(ingest);
    do {
        step = ingest_next(ingest, &turn, &err);
        for (size_t i = 0; i < turn.count && (step == INGEST_CHUNK || step == INGEST_END); i++) {
            put_chunk(&out, &rows[i]);
        }
    } while (step == INGEST_CHUNK);
    require(step != INGEST_FAILED);
    require(step == INGEST_END || err.message[0] != '\0');
    struct digest digest = end(&out, step, &err, ingest_summary(ingest));
    require(ingest_finish_digest(ingest, &err));
    require(digest_equal(ingest_summary(ingest)->digest, digest_of(input.data, input.bytes)));
    ingest_close(ingest);
    for (size_t i = 0; i < BLOCKS_MAX; i++) {
        rows_done(&rows[i]);
    }
    return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct tally_err err;
    uint8_t choice = bytes > 0 ? data[0] : 0;
    const struct setting *settings = descriptions[choice % FEEDS_COUNT];
    struct input input = {
        .data = bytes > 0 ? data + 1 : data, .bytes = bytes > 0 ? bytes - 1 : 0, .block = SIZE_MAX};
    struct feed *feed = feed_open("fuzz", &err);

    require(feed);
    for (size_t i = 0; i < SETTINGS_MAX && settings[i].key; i++) {
        require(feed_set(feed, settings[i].key, settings[i].value, "", &err));
    }
    require(feed_check(feed, &err));
    struct digest whole = outcome_of(feed, input, INGEST_LIBCSV, 1);
    require(digest_equal(outcome_of(feed, input, INGEST_SPLIT, 1), whole));
    require(digest_equal(outcome_of(feed, input, INGEST_SPLIT, BLOCKS_MAX), whole));
    input.block = 1 + (size_t)choice / FEEDS_COUNT;
    require(digest_equal(outcome_of(feed, input, INGEST_SPLIT, 1), whole));
    require(digest_equal(outcome_of(feed, input, INGEST_SPLIT, 2), whole));
    require(digest_equal(outcome_of(feed, input, INGEST_LIBCSV, 1), whole));
    feed_close(feed);
    return 0;
}
