// store/cluster/cluster_files.c - files into the cluster, from the first row to the log (contracts
// in store/store.h and store/engine.h).
#include "store/cluster/cluster_private.h"

#include "base/checksum.h"
#include "base/clock.h"
#include "store/cluster/sql.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Of a batch's key: microseconds since 1970 in front, so that a later batch has a greater one, and
// who began it behind.
enum { KEY_WRITER_BITS = 12 };

static bool no_memory(struct tally_err *err)
{
    return err_set(err, TALLY_NO_MEMORY, "no memory for a batch");
}

// ---- files that were accepted -------------------------------------------------------------

static bool is_accepted(const struct log_entry *entry, struct digest digest)
{
    return entry->end.outcome == FILE_ACCEPTED && entry->begin.mode != BATCH_FORGET &&
           digest_equal(entry->end.digest, digest);
}

// Not taken back by a FORGET.
static bool counts(const struct cluster_store *store, uint64_t key)
{
    for (size_t at = 0; at < store->committed.count; at += sizeof key) {
        if (memcmp(store->committed.data + at, &key, sizeof key) == 0) {
            return true;
        }
    }
    return false;
}

static const struct log_entry *find_accepted(const struct cluster_store *store,
                                             struct digest digest)
{
    for (size_t i = store->sealed_count; i-- > 0;) {
        if (is_accepted(&store->sealed[i].entry, digest)) {
            return &store->sealed[i].entry;
        }
    }
    for (size_t i = store->log.count; i-- > 0;) {
        if (is_accepted(&store->log.entry[i], digest) && counts(store, store->log.entry[i].batch)) {
            return &store->log.entry[i];
        }
    }
    return NULL;
}

bool cluster_find_accepted(const struct store *common, struct digest digest,
                           struct store_accepted *out_accepted)
{
    const struct log_entry *entry = find_accepted(cluster_of_const(common), digest);

    if (entry) {
        *out_accepted = (struct store_accepted){.batch = entry->number,
                                                .file = entry->file,
                                                .rejected = entry->end.rejected,
                                                .key = entry->batch};
    }
    return entry != NULL;
}

// ---- begin, append ------------------------------------------------------------------------

static bool copy_text(char **slot, const char *text, struct tally_err *err)
{
    char *copy = strdup(text);

    if (!copy) {
        return no_memory(err);
    }
    free(*slot);
    *slot = copy;
    return true;
}

uint64_t cluster_next_key(struct cluster_store *store)
{
    uint64_t writer = checksum64(store->options->writer, strlen(store->options->writer), 0);
    uint64_t time = (uint64_t)clock_now_ms() * 1000;
    uint64_t known = store->last_key >> KEY_WRITER_BITS;

    if (time <= known) {
        time = known + 1;
    }
    store->last_key = time << KEY_WRITER_BITS | writer >> (64 - KEY_WRITER_BITS);
    return store->last_key;
}

static uint64_t next_number(const struct cluster_store *store)
{
    uint64_t number = store->common.batches + 1;

    assert(number <= UINT32_MAX);
    return number;
}

static void clear_abandoned(struct cluster_store *store)
{
    if (store->abandoned) {
        batch_abandon(&store->batch);
        batch_done(&store->batch);
        store->abandoned = false;
    }
}

bool cluster_begin(struct store *common, const struct store_file *file, struct tally_err *err)
{
    struct cluster_store *store = cluster_of(common);

    assert(!store->open);
    clear_abandoned(store);
    if (common->batches >= UINT32_MAX) {
        return err_set(err, TALLY_LIMIT, "more than %u batches", UINT32_MAX);
    }
    if (!copy_text(&store->source, file->feed, err) || !copy_text(&store->file, file->name, err) ||
        !copy_text(&store->header, file->header, err)) {
        return false;
    }
    bool by_revision;
    if (!cluster_take_feed(store, file->shape->feed, &by_revision, err)) {
        return false;
    }
    struct batch_of of = {.servers = store->servers,
                          .shapes = &store->shapes,
                          .committed = &store->committed,
                          .log = &store->known,
                          .shape = file->shape,
                          .key = cluster_next_key(store),
                          .number = (uint32_t)next_number(store),
                          .mode = file->mode,
                          .by_revision = by_revision,
                          .scope_dim = file->scope_dim};
    store->open = true;
    return batch_begin(&store->batch, &of, err);
}

bool cluster_append(struct store *common, const struct rows *rows, struct tally_err *err)
{
    struct cluster_store *store = cluster_of(common);

    assert(store->open);
    progress_step(&common->progress);
    return batch_append(&store->batch, rows, err);
}

// The loop's thread may call it: what was left on the servers waits for a worker.
bool cluster_abort(struct store *common, struct tally_err *err)
{
    struct cluster_store *store = cluster_of(common);

    (void)err;
    store->abandoned |= store->open;
    store->open = false;
    return true;
}

// ---- seal ---------------------------------------------------------------------------------

static struct cluster_entry *add_sealed(struct cluster_store *store, struct tally_err *err)
{
    if (store->sealed_count == store->sealed_capacity) {
        size_t capacity = store->sealed_capacity ? store->sealed_capacity * 2 : 16;
        struct cluster_entry *grown = realloc(store->sealed, capacity * sizeof *grown);
        if (!grown) {
            no_memory(err);
            return NULL;
        }
        store->sealed = grown;
        store->sealed_capacity = capacity;
    }
    struct cluster_entry *entry = &store->sealed[store->sealed_count];
    *entry = (struct cluster_entry){0};
    bytes_init(&entry->texts);
    return entry;
}

void cluster_forget_sealed(struct cluster_store *store)
{
    for (size_t i = 0; i < store->sealed_count; i++) {
        bytes_done(&store->sealed[i].texts);
        shape_close(store->sealed[i].shape);
    }
    store->sealed_count = 0;
    store->put_count = 0;
}

// Times in the log never step back.
static int64_t next_time_ms(struct cluster_store *store, int64_t now_ms)
{
    if (now_ms > store->last_time_ms) {
        store->last_time_ms = now_ms;
    }
    return store->last_time_ms;
}

static struct batch_end end_of(struct cluster_store *store, enum file_outcome outcome,
                               const struct store_file_end *file)
{
    return (struct batch_end){.version = LEDGER_VERSION,
                              .outcome = outcome,
                              .time_ms = next_time_ms(store, file->time_ms),
                              .digest = file->digest,
                              .bytes = file->bytes,
                              .records = file->records,
                              .rejected = file->rejected,
                              .disordered = file->disordered,
                              .unterminated = file->unterminated,
                              .any_day = file->any_day,
                              .first_day = file->first_day,
                              .last_day = file->last_day};
}

// All texts of an entry in one piece of memory: where each begins is known once all are put.
struct text_at {
    size_t at;
    size_t bytes;
};

static struct text_at keep(struct cluster_entry *entry, const char *text, size_t bytes)
{
    struct text_at at = {.at = entry->texts.count, .bytes = bytes};

    bytes_put(&entry->texts, text, bytes);
    bytes_put_u8(&entry->texts, 0);
    return at;
}

static const char *text_of(const struct cluster_entry *entry, struct text_at at)
{
    return (const char *)entry->texts.data + at.at;
}

static uint64_t put_scopes(const struct batch *batch, struct bytes *out)
{
    if (batch->of.mode != BATCH_SNAPSHOT) {
        return 0;
    }
    for (size_t i = 0; i < batch->scopes_count; i++) {
        const struct texts_entry *text = texts_get(&batch->texts, batch->scope[i].place);
        bytes_put_text(out, text->text, text->bytes);
        bytes_put_u8(out, batch_in_force(batch, &batch->scope[i]));
    }
    return batch->scopes_count;
}

// The row of the log, whole but for being put.
static bool make_entry(struct cluster_store *store, const struct store_file_end *file,
                       struct cluster_entry *out, struct tally_err *err)
{
    const struct batch *batch = &store->batch;
    struct batch_end end = end_of(store, FILE_ACCEPTED, file);
    struct bytes shape;
    struct bytes scopes;

    bytes_init(&shape);
    bytes_init(&scopes);
    shape_encode(batch->of.shape, &shape);
    end.scopes = put_scopes(batch, &scopes);
    end.rows = batch->counts.added + batch->counts.revised + batch->counts.withdrawn;
    end.skipped_unchanged = batch->counts.unchanged;
    end.skipped_older = batch->counts.older;
    end.newest = batch->newest;
    struct text_at source = keep(out, store->source, strlen(store->source));
    struct text_at name = keep(out, store->file, strlen(store->file));
    struct text_at header = keep(out, store->header, strlen(store->header));
    struct text_at newest =
        keep(out, (const char *)batch->newest_text.data, batch->newest_text.count);
    struct text_at shape_at = keep(out, (const char *)shape.data, shape.count);
    struct text_at scopes_at = keep(out, (const char *)scopes.data, scopes.count);
    struct cursor in = cursor_over(shape.data, shape.count);
    bool ok = out->texts.ok && shape.ok && scopes.ok;
    out->shape = ok ? shape_decode(&in, err) : NULL;
    bytes_done(&shape);
    bytes_done(&scopes);
    if (!out->shape) {
        return ok ? false : no_memory(err);
    }
    end.newest.text = text_of(out, newest);
    end.scope_list = cursor_over(text_of(out, scopes_at), scopes_at.bytes);
    out->entry =
        (struct log_entry){.batch = batch->of.key,
                           .number = batch->of.number,
                           .writer = store->options->writer,
                           .begin = {.mode = batch->of.mode,
                                     .feed = text_of(out, source),
                                     .feed_bytes = source.bytes,
                                     .file = text_of(out, name),
                                     .file_bytes = name.bytes,
                                     .header = text_of(out, header),
                                     .header_bytes = header.bytes,
                                     .scope_dim = batch->of.scope_dim,
                                     .shape = cursor_over(text_of(out, shape_at), shape_at.bytes)},
                           .end = end,
                           .counts = batch->counts,
                           .shape = out->shape,
                           .file = text_of(out, name)};
    return true;
}

// From here on later batches see it, and its rollups are old; nobody else does before the sync.
static bool count_it(struct cluster_store *store, const struct cluster_entry *sealed,
                     struct tally_err *err)
{
    const struct batch *batch = &store->batch;
    struct state *known = &store->known;
    uint16_t shape;

    if (!bytes_reserve(&store->committed, sizeof batch->of.key)) {
        store->committed.ok = true; // it holds what it held
        return no_memory(err);
    }
    if (!state_add_shape(known, batch->of.shape, &shape, err)) {
        return false;
    }
    struct state_batch as = {.number = batch->of.number,
                             .mode = batch->of.mode,
                             .shape = shape,
                             .feed = known->shape_feed[shape]};
    if (!state_apply_end(known, &as, &sealed->entry.end, err)) {
        return false;
    }
    known->feed[as.feed].live += batch->counts.added - batch->counts.withdrawn;
    bytes_put(&store->committed, &batch->of.key, sizeof batch->of.key);
    return true;
}

static bool accept(struct cluster_store *store, const struct store_file_end *end,
                   struct store_outcome *out_outcome, struct tally_err *err)
{
    struct batch *batch = &store->batch;
    struct cluster_entry *sealed = add_sealed(store, err);

    if (!sealed) {
        return false;
    }
    if (!make_entry(store, end, sealed, err) || !count_it(store, sealed, err)) {
        bytes_done(&sealed->texts);
        shape_close(sealed->shape);
        return false;
    }
    store->sealed_count++;
    store->common.batches = batch->of.number;
    cluster_mark_feed(store, batch->of.shape->feed, batch->of.number);
    *out_outcome = (struct store_outcome){
        .outcome = FILE_ACCEPTED, .batch = batch->of.number, .counts = batch->counts};
    store->open = false;
    batch_done(batch);
    return true;
}

struct store_open_batch cluster_open_batch(const struct store *common)
{
    const struct cluster_store *store = cluster_of_const(common);
    const struct batch *batch = &store->batch;
    bool snapshot = batch->of.mode == BATCH_SNAPSHOT;

    assert(store->open);
    return (struct store_open_batch){.mode = batch->of.mode,
                                     .feed = store->source,
                                     .file = store->file,
                                     .puts = batch->puts,
                                     .scopes_in_force =
                                         snapshot ? batch_scopes_in_force(batch) : 0};
}

bool cluster_seal(struct store *common, const struct store_file_end *end,
                  struct store_outcome *out_outcome, struct tally_err *err)
{
    struct cluster_store *store = cluster_of(common);
    struct batch *batch = &store->batch;

    if (!batch_end_rows(batch, err) || !accept(store, end, out_outcome, err)) {
        struct tally_err ignored;
        (void)cluster_abort(common, &ignored);
        return false;
    }
    return true;
}

bool cluster_note(struct store *common, enum file_outcome outcome, const char *feed,
                  const char *name, const struct store_file_end *file, const char *place,
                  const char *reason, struct tally_err *err)
{
    struct cluster_store *store = cluster_of(common);
    struct cluster_entry *note = add_sealed(store, err);

    if (!note) {
        return false;
    }
    struct batch_end end = end_of(store, outcome, file);
    // As the embedded ledger: only a superseded file reports on days.
    end.any_day &= outcome == FILE_SUPERSEDED;
    end.disordered = 0;
    struct text_at feed_at = keep(note, feed, strlen(feed));
    struct text_at name_at = keep(note, name, strlen(name));
    struct text_at place_at = keep(note, place, strlen(place));
    struct text_at reason_at = keep(note, reason, strlen(reason));
    if (!note->texts.ok) {
        bytes_done(&note->texts);
        return no_memory(err);
    }
    end.feed = text_of(note, feed_at);
    end.feed_bytes = feed_at.bytes;
    end.file = text_of(note, name_at);
    end.file_bytes = name_at.bytes;
    end.place = text_of(note, place_at);
    end.place_bytes = place_at.bytes;
    end.reason = text_of(note, reason_at);
    end.reason_bytes = reason_at.bytes;
    note->entry = (struct log_entry){.batch = cluster_next_key(store),
                                     .writer = store->options->writer,
                                     .end = end,
                                     .file = end.file};
    state_apply_note(&store->known, &end);
    store->sealed_count++;
    return true;
}

// ---- sync ---------------------------------------------------------------------------------

static bool put_sealed(struct cluster_store *store, struct tally_err *err)
{
    size_t count = store->sealed_count - store->put_count;
    struct log_entry *entries = malloc((count + 1) * sizeof *entries);

    if (!entries) {
        return no_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        entries[i] = store->sealed[store->put_count + i].entry;
    }
    bool ok = count == 0 || log_put(store->servers, entries, count, err);
    free(entries);
    if (ok) {
        store->put_count = store->sealed_count;
    }
    return ok;
}

// Putting the same rows again changes nothing: so a sync of which nobody knows how it went is done
// once more.
bool cluster_sync(struct store *common, struct tally_err *err)
{
    struct cluster_store *store = cluster_of(common);

    assert(!store->open);
    clear_abandoned(store);
    return put_sealed(store, err);
}

// ---- rejects ------------------------------------------------------------------------------

static const struct log_entry *find_batch(const struct cluster_store *store, uint64_t key)
{
    for (size_t i = store->sealed_count; i-- > 0;) {
        if (store->sealed[i].entry.batch == key) {
            return &store->sealed[i].entry;
        }
    }
    for (size_t i = store->log.count; i-- > 0;) {
        if (store->log.entry[i].batch == key) {
            return &store->log.entry[i];
        }
    }
    return NULL;
}

bool cluster_each_reject(const struct store *common, uint64_t key,
                         const struct replay_visitor *visitor, struct tally_err *err)
{
    const struct cluster_store *store = cluster_of_const(common);
    const struct log_entry *entry = find_batch(store, key);

    if (!entry) {
        return err_set(err, TALLY_NOT_FOUND, "no batch %llu", (unsigned long long)key);
    }
    return log_each_reject(store->servers, entry, visitor, err);
}
