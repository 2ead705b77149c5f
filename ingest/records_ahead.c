// records_ahead.c - text that is at hand, and others that read it further on.
//
//   buffer   | read already | records that are given ...      | stop                      |
//                           ^ next_at                         ^ guessed: others begin here
//
// The buffer is lent as it is: nobody moves it or adds to it while it is held.
#include "ingest/records_private.h"

#include "base/pages.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    GUESSES_MAX = 32,
    PULL_BYTES = 128 * 1024,
    PULL_BYTES_LEAST = 64, // into less room a character may not go, once it is UTF-8
    GAP_BYTES = 256 * 1024,
};

// A second buffer, which changes places with the first one: what is left of that is put in front of
// the text read ahead.
struct records_ahead {
    char *data;
    size_t capacity;
    size_t end; // of the text; it begins behind GAP_BYTES
    bool ended; // there is no more
    bool failed;
    struct tally_err err;
};

struct records_place records_place(const struct records *records)
{
    assert(records->few_at == records->few_count);
    return (struct records_place){.offset = records->buffer_offset + records->next_at,
                                  .line = records->next_line};
}

static size_t count_at_hand(const struct records *records)
{
    return records->end - records->next_at;
}

// ---- read ahead -------------------------------------------------------------------------------

void records_close_ahead(struct records_ahead *ahead)
{
    if (ahead) {
        free(ahead->data);
        free(ahead);
    }
}

static bool has_ahead(const struct records *records)
{
    const struct records_ahead *ahead = records->ahead;
    return ahead && (ahead->end > GAP_BYTES || ahead->ended || ahead->failed);
}

static bool reserve_ahead(struct records *records, size_t bytes)
{
    if (!records->ahead) {
        records->ahead = calloc(1, sizeof *records->ahead);
        if (!records->ahead) {
            return false;
        }
        records->ahead->end = GAP_BYTES;
    }
    struct records_ahead *ahead = records->ahead;
    size_t capacity = GAP_BYTES + bytes + PULL_BYTES_LEAST;
    if (ahead->capacity < capacity) {
        free(ahead->data);
        ahead->data = pages_alloc_passing(capacity + WORDS_BYTES);
        ahead->capacity = ahead->data ? capacity : 0;
    }
    return ahead->data;
}

// Without memory nothing is read ahead.
void records_read_ahead(struct records *records, size_t bytes, size_t bytes_max)
{
    if (records->pull_ended || records->failed || has_ahead(records) ||
        !reserve_ahead(records, bytes_max)) {
        return;
    }
    struct records_ahead *ahead = records->ahead;
    while (!ahead->ended && !ahead->failed && ahead->end < GAP_BYTES + bytes) {
        size_t room = GAP_BYTES + bytes + PULL_BYTES_LEAST - ahead->end;
        ssize_t got = records->pull(records->context, ahead->data + ahead->end,
                                    room < PULL_BYTES ? room : PULL_BYTES, &ahead->err);
        ahead->failed = got < 0;
        ahead->ended = got == 0;
        ahead->end += got > 0 ? (size_t)got : 0;
    }
}

// Its text is at hand now; nothing is ahead any more.
static void pass_ahead(struct records *records)
{
    struct records_ahead *ahead = records->ahead;

    records->pull_ended = ahead->ended;
    records->failed = ahead->failed;
    records->late = ahead->err;
    ahead->end = GAP_BYTES;
    ahead->ended = false;
    ahead->failed = false;
}

bool records_append_ahead(struct records *records, bool *out_any, struct tally_err *err)
{
    const struct records_ahead *ahead = records->ahead;

    *out_any = false;
    if (!has_ahead(records)) {
        return true;
    }
    size_t bytes = ahead->end - GAP_BYTES;
    *out_any = bytes > 0 || ahead->ended;
    if (!records_reserve(records, bytes, err)) {
        return false;
    }
    memcpy(records->buffer + records->end, ahead->data + GAP_BYTES, bytes);
    records->end += bytes;
    pass_ahead(records);
    return true;
}

// What is left of the text at hand goes in front of that ahead.
static void exchange(struct records *records)
{
    struct records_ahead *ahead = records->ahead;
    size_t left = count_at_hand(records);
    uint64_t offset = records->buffer_offset + records->next_at;
    char *data = records->buffer;
    size_t capacity = records->capacity;

    memcpy(ahead->data + GAP_BYTES - left, data + records->next_at, left);
    records->buffer = ahead->data;
    records->capacity = ahead->capacity;
    records->end = ahead->end;
    records->buffer_offset = offset - (GAP_BYTES - left);
    ahead->data = data;
    ahead->capacity = capacity;
    records_move(records, GAP_BYTES - left, records->next_line);
    pass_ahead(records);
}

// ---- at hand ----------------------------------------------------------------------------------

size_t records_fill(struct records *records, size_t bytes, size_t bytes_max)
{
    assert(records->few_at == records->few_count && !records->held);
    if (records->again) {
        return count_at_hand(records);
    }
    records_begin(records);
    if (count_at_hand(records) <= GAP_BYTES) {
        records_read_ahead(records, bytes, bytes_max); // where nobody has
        if (has_ahead(records)) {
            exchange(records);
        }
    }
    if (count_at_hand(records) < bytes && !records->pull_ended && !records->failed &&
        records_reserve(records, bytes - count_at_hand(records), &records->late)) {
        while (!records->pull_ended && !records->failed && count_at_hand(records) < bytes) {
            records->failed = !records_pull(records, &records->late);
        }
    }
    return count_at_hand(records);
}

void records_hold(struct records *records, uint64_t stop)
{
    records->held = true;
    records->stop = (size_t)(stop - records->buffer_offset);
}

void records_release(struct records *records)
{
    records->held = false;
    records->starved = false;
    records->stop = SIZE_MAX;
}

void records_go_on(struct records *records, struct records_place place)
{
    assert(records->few_at == records->few_count && !records->held);
    records_move(records, (size_t)(place.offset - records->buffer_offset), place.line);
}

struct records *records_open_beside(const struct records *records, struct tally_err *err)
{
    struct records *beside = calloc(1, sizeof *beside);

    if (!beside) {
        err_set(err, TALLY_NO_MEMORY, "no memory to read records");
        return NULL;
    }
    beside->lent = true;
    beside->dialect = records->dialect;
    beside->limits = records->limits;
    beside->field_bytes_max = records->field_bytes_max;
    beside->line_feed.byte = '\n';
    beside->carriage_return.byte = '\r';
    beside->nul.byte = '\0';
    beside->code = records->code;
    beside->window_bytes = records->window_bytes;
    records_move(beside, 0, 1);
    if (!records_pick(beside, records->slot, records->columns, records->slots, err)) {
        records_close(beside);
        return NULL;
    }
    return beside;
}

void records_begin_beside(struct records *beside, const struct records *records,
                          struct records_place place, uint64_t stop)
{
    beside->buffer = records->buffer;
    beside->capacity = records->capacity;
    beside->end = records->end;
    beside->buffer_offset = records->buffer_offset;
    beside->few_at = 0;
    beside->few_count = 0;
    beside->again = false;
    beside->starved = false;
    records_hold(beside, stop);
    records_move(beside, (size_t)(place.offset - records->buffer_offset), place.line);
}

bool records_guess_beside(struct records *beside, const struct records *records, uint64_t from,
                          uint64_t end, struct records_place *out_place)
{
    const char *text = records->buffer;
    size_t at = (size_t)(from - records->buffer_offset);
    size_t last = (size_t)(end - records->buffer_offset);

    for (int i = 0; i < GUESSES_MAX && at < last; i++) {
        const char *feed = memchr(text + at, '\n', last - at);
        const struct record *record;
        size_t count;
        struct tally_err ignored;
        if (!feed || feed + 1 >= text + last) {
            return false;
        }
        at = (size_t)(feed + 1 - text);
        *out_place = (struct records_place){.offset = records->buffer_offset + at, .line = 1};
        records_begin_beside(beside, records, *out_place, end);
        if (records_next_few(beside, &record, &count, &ignored) == RECORDS_RECORD &&
            record->offset == out_place->offset) {
            return true;
        }
    }
    return false;
}
