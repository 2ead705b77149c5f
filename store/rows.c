#include "store/rows.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 64, TEXTS_BYTES_MAX = 1 << 30 };

void rows_init(struct rows *rows)
{
    *rows = (struct rows){0};
    bytes_init(&rows->texts);
}

void rows_done(struct rows *rows)
{
    bytes_done(&rows->texts);
    free(rows->row);
    free(rows->dims);
    free(rows->measures);
    free(rows->new_texts);
    free(rows->rejects);
    *rows = (struct rows){0};
}

static size_t next_capacity(size_t capacity)
{
    return capacity ? capacity * 2 : CAPACITY_MIN;
}

// Room for `capacity` rows of the present shape. False: no memory, everything is as before.
static bool resize_rows(struct rows *rows, size_t capacity)
{
    size_t dims_count = rows->shape->dims_count ? rows->shape->dims_count : 1;
    size_t measures_count = rows->shape->measures_count ? rows->shape->measures_count : 1;

    struct row *row = realloc(rows->row, capacity * sizeof *row);
    rows->row = row ? row : rows->row;
    uint32_t *dims = realloc(rows->dims, capacity * dims_count * sizeof *dims);
    rows->dims = dims ? dims : rows->dims;
    int64_t *measures = realloc(rows->measures, capacity * measures_count * sizeof *measures);
    rows->measures = measures ? measures : rows->measures;
    if (!row || !dims || !measures) {
        return false;
    }
    rows->capacity = capacity;
    return true;
}

void rows_clear(struct rows *rows, const struct shape *shape)
{
    rows->shape = shape;
    rows->count = 0;
    rows->new_texts_count = 0;
    rows->rejects_count = 0;
    bytes_clear(&rows->texts);
    // The shape may be wider than the one before, and that one may be gone already.
    if (!shape || (rows->capacity > 0 && !resize_rows(rows, rows->capacity))) {
        rows->capacity = 0;
    }
}

bool rows_add_text(struct rows *rows, const char *text, size_t bytes, struct rows_span *out,
                   struct tally_err *err)
{
    if (bytes > TEXTS_BYTES_MAX - rows->texts.count) {
        return err_set(err, TALLY_LIMIT, "texts of one chunk of rows exceed %d bytes",
                       TEXTS_BYTES_MAX);
    }
    struct rows_span span = {.at = (uint32_t)rows->texts.count, .bytes = (uint32_t)bytes};
    bytes_put(&rows->texts, text, bytes);
    if (!rows->texts.ok) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a text of %zu bytes", bytes);
    }
    *out = span;
    return true;
}

const char *rows_text(const struct rows *rows, struct rows_span span)
{
    return span.bytes ? (const char *)rows->texts.data + span.at : "";
}

struct row *rows_add_of(struct rows *rows, const uint32_t *dims, const int64_t *measures,
                        struct tally_err *err)
{
    assert(rows->shape);
    if (rows->count == rows->capacity && !resize_rows(rows, next_capacity(rows->capacity))) {
        err_set(err, TALLY_NO_MEMORY, "no memory for %zu rows", rows->capacity * 2);
        return NULL;
    }
    size_t index = rows->count++;
    uint32_t *row_dims = rows_dims(rows, index);
    int64_t *row_measures = rows_measures(rows, index);
    for (size_t i = 0; i < rows->shape->dims_count; i++) {
        row_dims[i] = dims ? dims[i] : 0;
    }
    for (size_t i = 0; i < rows->shape->measures_count; i++) {
        row_measures[i] = measures ? measures[i] : 0;
    }
    return &rows->row[index];
}

struct row *rows_add(struct rows *rows, struct tally_err *err)
{
    struct row *row = rows_add_of(rows, NULL, NULL, err);

    if (row) {
        *row = (struct row){0};
    }
    return row;
}

bool rows_add_new_text(struct rows *rows, uint32_t dim, struct rows_span text,
                       struct tally_err *err)
{
    if (rows->new_texts_count == rows->new_texts_capacity) {
        size_t capacity = next_capacity(rows->new_texts_capacity);
        struct rows_new_text *grown = realloc(rows->new_texts, capacity * sizeof *grown);
        if (!grown) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for %zu texts", capacity);
        }
        rows->new_texts = grown;
        rows->new_texts_capacity = capacity;
    }
    rows->new_texts[rows->new_texts_count++] = (struct rows_new_text){.dim = dim, .text = text};
    return true;
}

struct rows_reject *rows_add_reject(struct rows *rows, struct tally_err *err)
{
    if (rows->rejects_count == rows->rejects_capacity) {
        size_t capacity = next_capacity(rows->rejects_capacity);
        struct rows_reject *grown = realloc(rows->rejects, capacity * sizeof *grown);
        if (!grown) {
            err_set(err, TALLY_NO_MEMORY, "no memory for %zu rejected rows", capacity);
            return NULL;
        }
        rows->rejects = grown;
        rows->rejects_capacity = capacity;
    }
    struct rows_reject *reject = &rows->rejects[rows->rejects_count++];
    *reject = (struct rows_reject){.reason = ""};
    return reject;
}

uint32_t *rows_dims(const struct rows *rows, size_t index)
{
    return rows->dims + index * rows->shape->dims_count;
}

int64_t *rows_measures(const struct rows *rows, size_t index)
{
    return rows->measures + index * rows->shape->measures_count;
}

struct revision rows_revision(const struct rows *rows, size_t index)
{
    const struct row *row = &rows->row[index];

    return (struct revision){
        .kind = row->revision_kind,
        .number = row->revision_number,
        .text = rows_text(rows, row->revision_text),
        .bytes = row->revision_text.bytes,
    };
}

size_t rows_bytes(const struct rows *rows)
{
    size_t row_bytes = rows->shape
                           ? sizeof *rows->row + rows->shape->dims_count * sizeof(uint32_t) +
                                 rows->shape->measures_count * sizeof(int64_t)
                           : 0;

    return rows->texts.count + rows->count * row_bytes +
           rows->new_texts_count * sizeof *rows->new_texts +
           rows->rejects_count * sizeof *rows->rejects;
}
