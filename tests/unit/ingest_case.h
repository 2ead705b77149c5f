// tests/unit/ingest_case.h - a made-up file through ingest, and what came out as one text.
//
//     +7 2019-09-30..2019-09-30 r1 l2 rev=5 [Kabul|civilians] 3 ?      put, ? for not reported
//     -7 rev=5                                                         withdraw
//     =7                                                               keep
//     !date-unreadable r2 l3 @24 "8,soon,1"                            rejected
//     END 3 rows, 1 rejected        or        REFUSED message [place]
//
// Each file is read in blocks of 1 byte, 7 bytes and whole, always by either parser, and on several
// cores: the outcome has to be the same.
#ifndef TESTS_INGEST_CASE_H
#define TESTS_INGEST_CASE_H

#include "base/bytes.h"
#include "base/day.h"
#include "ingest/ingest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CASE_FEEDS_MAX = 8, CASE_DIMS_MAX = 16, CASE_TEXTS_MAX = 512 };

struct ingest_case {
    struct feed *feeds[CASE_FEEDS_MAX];
    size_t feeds_count;
    struct ingest_limits limits;
    const char *name;
};

struct case_file {
    const unsigned char *data;
    size_t count;
    size_t at;
    size_t block;
};

static inline ssize_t case_read(void *context, void *data, size_t count)
{
    struct case_file *file = context;
    size_t left = file->count - file->at;
    size_t taken = count < file->block ? count : file->block;

    taken = taken < left ? taken : left;
    if (taken > 0) {
        memcpy(data, file->data + file->at, taken);
    }
    file->at += taken;
    return (ssize_t)taken;
}

// A feed from lines of "key = value".
static inline struct feed *case_feed(const char *name, const char *lines)
{
    struct tally_err err;
    struct feed *feed = feed_open(name, &err);
    char *copy = strdup(lines);
    char *rest = NULL;

    assert_non_null(feed);
    for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *value = strchr(line, '=');
        assert_non_null(value);
        *value++ = '\0';
        line[strcspn(line, " ")] = '\0';
        if (!feed_set(feed, line, value, "", &err)) {
            fail_msg("%s: %s", line, err.message);
        }
    }
    free(copy);
    if (!feed_check(feed, &err)) {
        fail_msg("%s", err.message);
    }
    return feed;
}

static inline struct ingest_case case_open(const char *lines)
{
    struct ingest_case test = {.limits = ingest_limits_default, .name = "made-up.csv"};

    test.feeds[test.feeds_count++] = case_feed("attacks", lines);
    return test;
}

static inline void case_add(struct ingest_case *test, const char *name, const char *lines)
{
    test->feeds[test->feeds_count++] = case_feed(name, lines);
}

static inline void case_close(struct ingest_case *test)
{
    for (size_t i = 0; i < test->feeds_count; i++) {
        feed_close(test->feeds[i]);
    }
}

// Texts of the codes seen so far, by dimension.
struct case_texts {
    char *text[CASE_DIMS_MAX][CASE_TEXTS_MAX];
    size_t count[CASE_DIMS_MAX];
};

__attribute__((format(printf, 2, 3))) static inline void case_print(struct bytes *out,
                                                                    const char *format, ...)
{
    char line[8192];
    va_list args;

    va_start(args, format);
    int bytes = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    assert_in_range(bytes, 0, sizeof line - 1);
    bytes_put(out, line, (size_t)bytes);
}

static inline void case_print_row(struct bytes *out, const struct rows *rows, size_t index,
                                  const struct case_texts *texts)
{
    const struct row *row = &rows->row[index];
    struct revision revision = rows_revision(rows, index);
    char number[REVISION_NUMBER_BYTES];
    size_t revision_bytes;
    const char *text = revision_format(&revision, number, &revision_bytes);
    char first[DAY_TEXT_BYTES];
    char last[DAY_TEXT_BYTES];

    case_print(out, "%c%.*s", "+-="[row->op], (int)row -> id.bytes, rows_text(rows, row->id));
    if (row->op == ROWS_PUT) {
        case_print(out, " %s..%s r%llu l%llu", day_format_iso(row->first_day, first),
                   day_format_iso(row->last_day, last), (unsigned long long)row->record,
                   (unsigned long long)row->line);
    }
    if (revision_bytes > 0) {
        case_print(out, " rev=%.*s", (int)revision_bytes, text);
    }
    for (size_t i = 0; row->op == ROWS_PUT && i < rows->shape->dims_count; i++) {
        uint32_t code = rows_dims(rows, index)[i];
        assert_in_range(code, 0, texts->count[i]);
        case_print(out, "%s%s", i ? "|" : " [", code ? texts->text[i][code - 1] : "");
    }
    case_print(out, row->op == ROWS_PUT && rows->shape->dims_count > 0 ? "]" : "");
    for (size_t i = 0; row->op == ROWS_PUT && i < rows->shape->measures_count; i++) {
        if (row->reported >> i & 1) {
            case_print(out, " %lld", (long long)rows_measures(rows, index)[i]);
        } else {
            assert_int_equal(rows_measures(rows, index)[i], 0);
            case_print(out, " ?");
        }
    }
    case_print(out, "\n");
}

static inline void case_print_chunk(struct bytes *out, struct bytes *rejects,
                                    const struct rows *rows, struct case_texts *texts)
{
    for (size_t i = 0; i < rows->new_texts_count; i++) {
        uint32_t dim = rows->new_texts[i].dim;
        struct rows_span span = rows->new_texts[i].text;
        assert_in_range(texts->count[dim], 0, CASE_TEXTS_MAX - 1);
        texts->text[dim][texts->count[dim]++] = strndup(rows_text(rows, span), span.bytes);
    }
    for (size_t i = 0; i < rows->count; i++) {
        case_print_row(out, rows, i, texts);
    }
    for (size_t i = 0; i < rows->rejects_count; i++) {
        const struct rows_reject *reject = &rows->rejects[i];
        assert_true(reject->detail.bytes > 0);
        case_print(rejects, "!%s r%llu l%llu @%llu \"%.*s\"\n", reject->reason,
                   (unsigned long long)reject->record, (unsigned long long)reject->line,
                   (unsigned long long)reject->offset,
                   reject->raw.bytes < 60 ? (int)reject->raw.bytes : 60,
                   rows_text(rows, reject->raw));
    }
}

static inline void case_print_end(struct bytes *out, enum ingest_step step,
                                  const struct ingest_summary *summary, const struct tally_err *err)
{
    if (step == INGEST_REFUSED || step == INGEST_FAILED) {
        case_print(out, "%s %s [%s]\n", step == INGEST_REFUSED ? "REFUSED" : "FAILED", err->message,
                   err->place);
        return;
    }
    case_print(out, "END %llu rows, %llu rejected%s", (unsigned long long)summary->records,
               (unsigned long long)summary->rejected,
               summary->unterminated ? ", unterminated" : "");
    if (summary->disordered > 0) {
        case_print(out, ", %llu disordered", (unsigned long long)summary->disordered);
    }
    case_print(out, "\n");
}

// How it is read: what comes out is the same.
struct case_way {
    enum ingest_parser parser;
    size_t chunks_max;
    size_t block_bytes; // that each core maps
    unsigned blocks;
    size_t *chunks; // NULL, or how many came in all
};

static inline char *case_outcome_by(const struct ingest_case *test, const void *data, size_t count,
                                    size_t block, const struct case_way *way)
{
    struct case_file file = {.data = data, .count = count, .block = block};
    struct ingest_limits limits = test->limits;
    struct case_texts texts = {0};
    struct bytes out;
    struct bytes rejects;
    struct rows rows[INGEST_CHUNKS_MAX];
    struct ingest_turn turn = {.chunks = rows, .chunks_max = way->chunks_max};
    struct tally_err err;
    enum ingest_step step;

    bytes_init(&out);
    bytes_init(&rejects);
    for (size_t i = 0; i < INGEST_CHUNKS_MAX; i++) {
        rows_init(&rows[i]);
    }
    limits.parser = way->parser;
    limits.block_bytes = way->block_bytes;
    limits.blocks = way->blocks;
    struct ingest *ingest = ingest_open((const struct feed *const *)test->feeds, test->feeds_count,
                                        test->name, &limits, case_read, &file, &err);
    assert_non_null(ingest);
    do {
        step = ingest_next(ingest, &turn, &err);
        if (way->chunks) {
            *way->chunks += turn.count;
        }
        for (size_t i = 0; step <= INGEST_END && i < turn.count; i++) {
            case_print_chunk(&out, &rejects, &rows[i], &texts);
        }
    } while (step == INGEST_CHUNK);
    if (step == INGEST_REFUSED) { // nothing of it counts
        struct tally_err ignored;
        bytes_clear(&out);
        bytes_clear(&rejects);
        assert_true(ingest_finish_digest(ingest, &ignored));
    }
    const struct ingest_summary *summary = ingest_summary(ingest);
    assert_true(digest_equal(summary->digest, digest_of(data, count)));
    assert_int_equal(summary->bytes, count);
    bytes_put(&out, rejects.data, rejects.count);
    case_print_end(&out, step, summary, &err);
    bytes_put_u8(&out, '\0');
    ingest_close(ingest);
    for (size_t i = 0; i < INGEST_CHUNKS_MAX; i++) {
        rows_done(&rows[i]);
    }
    bytes_done(&rejects);
    for (size_t i = 0; i < CASE_DIMS_MAX; i++) {
        for (size_t j = 0; j < texts.count[i]; j++) {
            free(texts.text[i][j]);
        }
    }
    return (char *)out.data;
}

// The outcome with one block size; the caller frees it.
static inline char *case_outcome(const struct ingest_case *test, const void *data, size_t count,
                                 size_t block)
{
    static const struct case_way ways[] = {
        {.parser = INGEST_SPLIT, .chunks_max = 1, .block_bytes = (size_t)1 << 20},
        {.parser = INGEST_LIBCSV, .chunks_max = 1, .block_bytes = (size_t)1 << 20},
        {.parser = INGEST_SPLIT, .chunks_max = INGEST_CHUNKS_MAX, .block_bytes = 24, .blocks = 2},
        {.parser = INGEST_SPLIT, .chunks_max = INGEST_CHUNKS_MAX, .block_bytes = 11, .blocks = 3},
        {.parser = INGEST_SPLIT, .chunks_max = INGEST_CHUNKS_MAX, .block_bytes = 100, .blocks = 4},
    };
    char *outcome = case_outcome_by(test, data, count, block, &ways[0]);

    for (size_t i = 1; i < sizeof ways / sizeof *ways; i++) {
        char *other = case_outcome_by(test, data, count, block, &ways[i]);
        assert_string_equal(outcome, other);
        free(other);
    }
    return outcome;
}

static inline void case_expect_bytes(struct ingest_case *test, const void *data, size_t count,
                                     const char *want)
{
    static const size_t blocks[] = {SIZE_MAX, 7, 1};

    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        char *outcome = case_outcome(test, data, count, blocks[i]);
        assert_string_equal(outcome, want);
        free(outcome);
    }
}

static inline void case_expect(struct ingest_case *test, const char *text, const char *want)
{
    case_expect_bytes(test, text, strlen(text), want);
}

// One feed, one file.
static inline void case_run(const char *lines, const char *text, const char *want)
{
    struct ingest_case test = case_open(lines);

    case_expect(&test, text, want);
    case_close(&test);
}

#endif
