#include "store/cluster/log.h"

#include "store/cluster/sql.h"

#include <stdlib.h>
#include <string.h>

enum { TEXTS_BYTES_MAX = 1 << 30, SHAPES_MAX = STATE_SHAPES_MAX };

// Columns as log_decode takes them: those of log_encode, in its order. What was put twice stands
// twice until the server merges it.
static const char log_question[] =
    "SELECT batch, number, writer, time_ms, outcome, feed, file, digest, records, rejected, added, "
    "revised, withdrawn, unchanged, older, conflicts, begin, end, mode, of_feed, any_day, "
    "first_day, last_day FROM tally_batches_local "
    "ORDER BY time_ms, batch";

void log_init(struct log *log)
{
    *log = (struct log){0};
    bytes_init(&log->answer);
    arena_init(&log->texts, TEXTS_BYTES_MAX);
}

static void forget(struct log *log)
{
    for (size_t i = 0; i < log->shapes_count; i++) {
        shape_close(log->shape[i]);
    }
    free(log->shape);
    free(log->entry);
    log->shape = NULL;
    log->shapes_count = 0;
    log->entry = NULL;
    log->count = 0;
    arena_reset(&log->texts);
}

void log_done(struct log *log)
{
    forget(log);
    bytes_done(&log->answer);
    arena_done(&log->texts);
}

// ---- rows out -----------------------------------------------------------------------------

// *out_shape: of a batch, else NULL.
static bool put_begin(const struct log_entry *entry, struct bytes *out, struct shape **out_shape,
                      struct tally_err *err)
{
    *out_shape = NULL;
    if (entry->number == 0) {
        return true;
    }
    *out_shape = batch_begin_shape(&entry->begin, err);
    if (!*out_shape) {
        return false;
    }
    batch_begin_encode(&entry->begin, *out_shape, out);
    return true;
}

// What the views for SQL need of it, which cannot read `begin` and `end`.
static void put_for_views(const struct log_entry *entry, const struct shape *shape,
                          struct bytes *out)
{
    const struct batch_end *end = &entry->end;

    bytes_put_u8(out, shape ? (uint8_t)entry->begin.mode : 0);
    bytes_put_text(out, shape ? shape->feed : end->feed,
                   shape ? strlen(shape->feed) : end->feed_bytes);
    bytes_put_u8(out, end->any_day);
    bytes_put_u32(out, (uint32_t)end->first_day);
    bytes_put_u32(out, (uint32_t)end->last_day);
}

static void put_counts(const struct log_entry *entry, struct bytes *out)
{
    bytes_put_u64(out, entry->end.records);
    bytes_put_u64(out, entry->end.rejected);
    bytes_put_u64(out, entry->counts.added);
    bytes_put_u64(out, entry->counts.revised);
    bytes_put_u64(out, entry->counts.withdrawn);
    bytes_put_u64(out, entry->counts.unchanged);
    bytes_put_u64(out, entry->counts.older);
    bytes_put_u64(out, entry->counts.conflicts);
}

static void put_file(const struct log_entry *entry, struct bytes *out)
{
    const struct batch_end *end = &entry->end;
    bool batch = entry->number > 0;
    char digest[DIGEST_TEXT_BYTES];

    bytes_put_u64(out, (uint64_t)end->time_ms);
    bytes_put_u8(out, (uint8_t)end->outcome);
    bytes_put_text(out, batch ? entry->begin.feed : end->feed,
                   batch ? entry->begin.feed_bytes : end->feed_bytes);
    bytes_put_text(out, batch ? entry->begin.file : end->file,
                   batch ? entry->begin.file_bytes : end->file_bytes);
    digest_format(end->digest, digest);
    bytes_put_text(out, digest, strlen(digest));
}

static bool put_entry(const struct log_entry *entry, struct bytes *scratch, struct bytes *out,
                      struct tally_err *err)
{
    struct batch_end end = entry->end;
    struct shape *shape;

    end.version = LEDGER_VERSION;
    bytes_put_u64(out, entry->batch);
    bytes_put_u32(out, (uint32_t)entry->number);
    bytes_put_text(out, entry->writer, strlen(entry->writer));
    put_file(entry, out);
    put_counts(entry, out);
    bytes_clear(scratch);
    if (!put_begin(entry, scratch, &shape, err)) {
        return false;
    }
    bytes_put_text(out, (const char *)scratch->data, scratch->count);
    out->ok = out->ok && scratch->ok; // before the scratch is cleared, which forgives it
    bytes_clear(scratch);
    batch_end_encode(&end, scratch);
    bytes_put_text(out, (const char *)scratch->data, scratch->count);
    put_for_views(entry, shape, out);
    shape_close(shape);
    return (out->ok && scratch->ok) || err_set(err, TALLY_NO_MEMORY, "no memory for a batch");
}

bool log_encode(const struct log_entry *entries, size_t count, struct bytes *out,
                struct tally_err *err)
{
    struct bytes scratch;
    bool ok = true;

    bytes_init(&scratch);
    for (size_t i = 0; ok && i < count; i++) {
        ok = put_entry(&entries[i], &scratch, out, err);
    }
    bytes_done(&scratch);
    return ok;
}

bool log_put(struct servers *servers, const struct log_entry *entries, size_t count,
             struct tally_err *err)
{
    struct bytes rows;

    bytes_init(&rows);
    bool ok = log_encode(entries, count, &rows, err) &&
              servers_insert_at(servers, 0, "tally_batches_local", &rows, err);
    bytes_done(&rows);
    return ok || err_wrap(err, "put into the list of batches");
}

// ---- rows in ------------------------------------------------------------------------------

static struct cursor take_bytes(struct cursor *in)
{
    size_t bytes = 0;
    const char *text = cursor_take_text(in, &bytes);

    return cursor_over(text, text ? bytes : 0);
}

static void skip_text(struct cursor *in)
{
    size_t bytes;
    (void)cursor_take_text(in, &bytes);
}

// What stands in columns of its own for people is left aside: `begin` and `end` say it.
static const char *take_columns(struct cursor *in, struct log_entry *entry,
                                struct cursor *out_begin, struct cursor *out_end,
                                size_t *out_writer_bytes)
{
    entry->batch = cursor_take_u64(in);
    entry->number = cursor_take_u32(in);
    const char *writer = cursor_take_text(in, out_writer_bytes);
    cursor_take(in, sizeof(uint64_t) + 1); // time, outcome
    skip_text(in);                         // feed
    skip_text(in);                         // file
    skip_text(in);                         // digest
    cursor_take(in, 2 * sizeof(uint64_t)); // records, rejected
    entry->counts.added = cursor_take_u64(in);
    entry->counts.revised = cursor_take_u64(in);
    entry->counts.withdrawn = cursor_take_u64(in);
    entry->counts.unchanged = cursor_take_u64(in);
    entry->counts.older = cursor_take_u64(in);
    entry->counts.conflicts = cursor_take_u64(in);
    *out_begin = take_bytes(in);
    *out_end = take_bytes(in);
    cursor_take(in, 1);                        // mode
    skip_text(in);                             // of_feed
    cursor_take(in, 1 + 2 * sizeof(uint32_t)); // any_day, first_day, last_day
    return writer;
}

// Batches mostly share a few shapes: each is kept once.
static bool keep_shape(struct log *log, const struct batch_begin *begin,
                       const struct shape **out_shape, struct tally_err *err)
{
    struct shape *shape = batch_begin_shape(begin, err);

    if (!shape) {
        return false;
    }
    for (size_t i = log->shapes_count; i > 0; i--) {
        if (shape_equal(log->shape[i - 1], shape)) {
            shape_close(shape);
            *out_shape = log->shape[i - 1];
            return true;
        }
    }
    struct shape **grown =
        log->shapes_count < SHAPES_MAX
            ? realloc(log->shape, (log->shapes_count + 1) * sizeof(struct shape *))
            : NULL;
    if (!grown) {
        shape_close(shape);
        return err_set(err, TALLY_NO_MEMORY, "no memory for the shapes of feeds");
    }
    log->shape = grown;
    log->shape[log->shapes_count++] = shape;
    *out_shape = shape;
    return true;
}

static bool decode_entry(struct log *log, struct cursor *in, struct log_entry *out,
                         struct tally_err *err)
{
    struct cursor begin;
    struct cursor end;
    size_t writer_bytes = 0;

    *out = (struct log_entry){0};
    const char *writer = take_columns(in, out, &begin, &end, &writer_bytes);
    if (!in->ok) {
        return err_set(err, TALLY_CORRUPT, "malformed list of batches");
    }
    if (!batch_end_decode(&out->end, LEDGER_VERSION, end, err) ||
        (out->number > 0 && (!batch_begin_decode(&out->begin, begin, err) ||
                             !keep_shape(log, &out->begin, &out->shape, err)))) {
        return err_wrap(err, "batch %llu", (unsigned long long)out->number);
    }
    const char *file = out->number > 0 ? out->begin.file : out->end.file;
    size_t file_bytes = out->number > 0 ? out->begin.file_bytes : out->end.file_bytes;
    out->writer = arena_text(&log->texts, writer, writer_bytes, err);
    out->file = out->writer ? arena_text(&log->texts, file, file_bytes, err) : NULL;
    return out->file;
}

static bool add_entry(struct log *log, const struct log_entry *entry, struct tally_err *err)
{
    if (log->count > 0 && log->entry[log->count - 1].batch == entry->batch) {
        return true; // put twice
    }
    if ((log->count & (log->count - 1)) == 0) {
        size_t capacity = log->count ? log->count * 2 : 1;
        struct log_entry *grown = realloc(log->entry, capacity * sizeof *grown);
        if (!grown) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for %zu batches", capacity);
        }
        log->entry = grown;
    }
    log->entry[log->count++] = *entry;
    return true;
}

bool log_decode(struct log *log, struct tally_err *err)
{
    struct cursor in = cursor_over(log->answer.data, log->answer.count);
    struct log_entry entry;

    forget(log);
    while (cursor_left(&in) > 0) {
        if (!decode_entry(log, &in, &entry, err) || !add_entry(log, &entry, err)) {
            forget(log);
            return false;
        }
    }
    return true;
}

bool log_load(struct log *log, struct servers *servers, struct tally_err *err)
{
    struct servers_question question = {.sql = log_question};

    bytes_clear(&log->answer);
    forget(log);
    return (servers_ask(servers, 0, &question, &log->answer, err) && log_decode(log, err)) ||
           err_wrap(err, "read the list of batches");
}
