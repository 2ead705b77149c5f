#include "store/cluster/batch.h"

#include "store/cluster/judge.h"
#include "store/cluster/sql.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool no_memory(struct tally_err *err)
{
    return err_set(err, TALLY_NO_MEMORY, "no memory for a batch");
}

// ---- lifetime -----------------------------------------------------------------------------

bool batch_begin(struct batch *batch, const struct batch_of *of, struct tally_err *err)
{
    *batch = (struct batch){.of = *of, .newest = {.kind = REVISION_NONE}};
    rows_init(&batch->waiting);
    rows_clear(&batch->waiting, of->shape);
    bytes_init(&batch->newest_text);
    return texts_init(&batch->texts, TEXTS_UNALIGNED, err) &&
           shapes_put(of->shapes, of->servers, of->shape, &batch->shape_hash, err);
}

void batch_done(struct batch *batch)
{
    rows_done(&batch->waiting);
    texts_done(&batch->texts);
    for (size_t i = 0; i < SHAPE_DIMS_MAX; i++) {
        free(batch->dim[i].place);
    }
    free(batch->scope);
    free(batch->scope_seen);
    bytes_done(&batch->newest_text);
    *batch = (struct batch){0};
}

// ---- texts --------------------------------------------------------------------------------

static bool add_place(struct batch *batch, uint32_t dim, const char *text, size_t bytes,
                      struct tally_err *err)
{
    struct batch_dim *to = &batch->dim[dim];
    uint32_t place;

    if (!texts_intern(&batch->texts, text, bytes, &place, NULL, err)) {
        return false;
    }
    if (to->count == to->capacity) {
        size_t capacity = to->capacity ? to->capacity * 2 : 64;
        uint32_t *grown = realloc(to->place, capacity * sizeof *grown);
        if (!grown) {
            return no_memory(err);
        }
        to->place = grown;
        to->capacity = capacity;
    }
    to->place[to->count++] = place;
    return true;
}

static bool add_texts(struct batch *batch, const struct rows *rows, struct tally_err *err)
{
    for (uint32_t dim = 0; dim < rows->shape->dims_count; dim++) {
        if (batch->dim[dim].count == 0 && !add_place(batch, dim, "", 0, err)) {
            return false;
        }
    }
    for (size_t i = 0; i < rows->new_texts_count; i++) {
        const struct rows_new_text *text = &rows->new_texts[i];
        if (!add_place(batch, text->dim, rows_text(rows, text->text), text->text.bytes, err)) {
            return false;
        }
    }
    return true;
}

// ---- snapshots ----------------------------------------------------------------------------

static const struct state_scope *kept_scope(const struct batch *batch, uint32_t place)
{
    const struct state *log = batch->of.log;
    const struct state_feed *feed = state_find_feed(log, batch->of.shape->feed);
    const struct texts_entry *text = texts_get(&batch->texts, place);
    uint32_t code;

    return feed && texts_find(&log->texts, text->text, text->bytes, &code)
               ? state_find_scope(log, (uint32_t)(feed - log->feed), code)
               : NULL;
}

static bool grow_seen(struct batch *batch, uint32_t place)
{
    size_t count = ((size_t)place + 1) * 2;
    unsigned char *grown = realloc(batch->scope_seen, count);

    if (!grown) {
        return false;
    }
    memset(grown + batch->scope_seen_count, 0, count - batch->scope_seen_count);
    batch->scope_seen = grown;
    batch->scope_seen_count = count;
    return true;
}

static bool see_scope(struct batch *batch, uint32_t place, struct tally_err *err)
{
    if (place >= batch->scope_seen_count && !grow_seen(batch, place)) {
        return no_memory(err);
    }
    if (batch->scope_seen[place]) {
        return true;
    }
    if (batch->scopes_count == batch->scopes_capacity) {
        size_t capacity = batch->scopes_capacity ? batch->scopes_capacity * 2 : 16;
        struct batch_scope *grown = realloc(batch->scope, capacity * sizeof *grown);
        if (!grown) {
            return no_memory(err);
        }
        batch->scope = grown;
        batch->scopes_capacity = capacity;
    }
    batch->scope[batch->scopes_count++] =
        (struct batch_scope){.place = place, .kept = kept_scope(batch, place)};
    batch->scope_seen[place] = 1;
    return true;
}

static bool see_revision(struct batch *batch, const struct revision *revision,
                         struct tally_err *err)
{
    if (revision_compare(revision, &batch->newest) <= 0) {
        return true;
    }
    bytes_clear(&batch->newest_text);
    bytes_put(&batch->newest_text, revision->text,
              revision->kind == REVISION_TEXT ? revision->bytes : 0);
    batch->newest = *revision;
    batch->newest.text = (const char *)batch->newest_text.data;
    return batch->newest_text.ok || no_memory(err);
}

bool batch_in_force(const struct batch *batch, const struct batch_scope *scope)
{
    return !scope->kept || scope->kept->newest.kind == REVISION_NONE ||
           batch->newest.kind == REVISION_NONE ||
           revision_compare(&batch->newest, &scope->kept->newest) >= 0;
}

size_t batch_scopes_in_force(const struct batch *batch)
{
    size_t count = 0;

    for (size_t i = 0; i < batch->scopes_count; i++) {
        count += batch_in_force(batch, &batch->scope[i]);
    }
    return count;
}

// Whether further rows cannot change for which of its scopes the snapshot is in force: its newest
// revision only grows.
static bool is_decided(const struct batch *batch)
{
    for (size_t i = 0; i < batch->scopes_count; i++) {
        const struct state_scope *kept = batch->scope[i].kept;
        if (kept && kept->newest.kind != REVISION_NONE &&
            (batch->newest.kind == REVISION_NONE || !batch_in_force(batch, &batch->scope[i]))) {
            return false;
        }
    }
    return true;
}

static bool note_row(struct batch *batch, const struct rows *rows, size_t index,
                     struct tally_err *err)
{
    const struct revision revision = rows_revision(rows, index);
    int dim = batch->of.scope_dim;

    if (rows->row[index].op != ROWS_PUT) {
        return true;
    }
    batch->puts++;
    if (batch->of.mode != BATCH_SNAPSHOT) {
        return true;
    }
    uint32_t place = dim < 0 ? 0 : batch->dim[dim].place[rows_dims(rows, index)[dim]];
    return see_scope(batch, place, err) && see_revision(batch, &revision, err);
}

// ---- rows ---------------------------------------------------------------------------------

static bool copy_row(struct batch *batch, const struct rows *rows, size_t index,
                     struct tally_err *err)
{
    const struct row *from = &rows->row[index];
    struct rows *waiting = &batch->waiting;
    struct rows_span id;
    struct rows_span revision;

    if (from->id.bytes > ID_BYTES_MAX || from->revision_text.bytes > ID_BYTES_MAX) {
        return err_set(err, TALLY_REFUSED, "record %llu: id or revision longer than %d bytes",
                       (unsigned long long)from->record, ID_BYTES_MAX);
    }
    if (!rows_add_text(waiting, rows_text(rows, from->id), from->id.bytes, &id, err) ||
        !rows_add_text(waiting, rows_text(rows, from->revision_text), from->revision_text.bytes,
                       &revision, err)) {
        return false;
    }
    struct row *row = rows_add_of(waiting, rows_dims(rows, index), rows_measures(rows, index), err);
    if (row) {
        *row = *from;
        row->id = id;
        row->revision_text = revision;
    }
    return row != NULL;
}

static bool put_rejects(struct batch *batch, const struct rows *rows, struct tally_err *err)
{
    struct bytes out;

    bytes_init(&out);
    for (size_t i = 0; i < rows->rejects_count; i++) {
        const struct rows_reject *reject = &rows->rejects[i];
        bytes_put_u64(&out, batch->of.key);
        bytes_put_u64(&out, reject->record);
        bytes_put_u64(&out, reject->line);
        bytes_put_u64(&out, reject->offset);
        bytes_put_text(&out, reject->reason, strlen(reject->reason));
        bytes_put_text(&out, rows_text(rows, reject->detail), reject->detail.bytes);
        bytes_put_text(&out, rows_text(rows, reject->raw), reject->raw.bytes);
    }
    bool ok = (out.ok || no_memory(err)) &&
              (out.count == 0 ||
               servers_insert_at(batch->of.servers, 0, "tally_rejects_local", &out, err));
    bytes_done(&out);
    return ok;
}

bool batch_append(struct batch *batch, const struct rows *rows, struct tally_err *err)
{
    if (!add_texts(batch, rows, err)) {
        return false;
    }
    for (size_t i = 0; i < rows->count; i++) {
        if (!note_row(batch, rows, i, err) || !copy_row(batch, rows, i, err)) {
            return false;
        }
    }
    if (!put_rejects(batch, rows, err)) {
        return false;
    }
    if (batch->waiting.count < BATCH_ROWS) {
        return true;
    }
    if (is_decided(batch)) {
        return judge_waiting(batch, err);
    }
    return rows_bytes(&batch->waiting) < BATCH_WAITING_BYTES_MAX ||
           err_set(err, TALLY_LIMIT,
                   "a newer snapshot of feed %s is in force, and this file is too large to be kept "
                   "until it is read to its end",
                   batch->of.shape->feed);
}

// ---- the end ----------------------------------------------------------------------------

static void try_each(struct batch *batch, const char *statement)
{
    struct servers *servers = batch->of.servers;
    struct servers_question question = {.sql = statement};
    struct bytes ignored;
    struct tally_err err;

    bytes_init(&ignored);
    for (size_t i = 0; statement && i < servers_shards(servers); i++) {
        (void)servers_ask(servers, i, &question, &ignored, &err); // nobody counts what stays
    }
    bytes_done(&ignored);
}

static void forget_seen(struct batch *batch)
{
    struct bytes sql;

    if (batch->of.mode == BATCH_SNAPSHOT && batch->flushed) {
        bytes_init(&sql);
        sql_print(&sql, "ALTER TABLE tally_seen_local DROP PARTITION %llu",
                  (unsigned long long)batch->of.key);
        try_each(batch, sql_text(&sql));
        bytes_done(&sql);
    }
}

void batch_abandon(struct batch *batch)
{
    struct bytes sql;

    forget_seen(batch);
    if (batch->versions > 0) {
        bytes_init(&sql);
        sql_print(&sql, "ALTER TABLE tally_versions_local DELETE WHERE batch = %llu",
                  (unsigned long long)batch->of.key);
        try_each(batch, sql_text(&sql));
        bytes_done(&sql);
    }
}

bool batch_end_rows(struct batch *batch, struct tally_err *err)
{
    if (!judge_waiting(batch, err) ||
        (batch->of.mode == BATCH_SNAPSHOT && !judge_missing(batch, err))) {
        return false;
    }
    forget_seen(batch);
    return true;
}
