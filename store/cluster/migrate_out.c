// store/cluster/migrate_out.c - the cluster's batches into a ledger of this machine (contracts in
// migrate.h).
//
//   log     1  2  3 | 4 | 5  6  7  8 ...      batches of some 250,000 versions together, or one
//   shards  the versions of those batches, in order of batch; of a large batch a range of ids
#include "store/cluster/migrate.h"

#include "store/cluster/log.h"
#include "store/cluster/servers.h"
#include "store/cluster/shapes.h"
#include "store/cluster/sql.h"
#include "store/cluster/versions.h"
#include "store/restore.h"

#include <stdlib.h>
#include <string.h>

enum { GROUP_VERSIONS = 1 << 18, TEXTS_BYTES_MAX = 1 << 28 };

struct leaving {
    const struct migrate_out *out;
    const struct migrate_progress *progress;
    struct migrate_end *end;
    struct log log;
    struct shapes shapes;
    struct rows rows;
    struct arena texts; // of a batch
    uint32_t codes; // of its dimensions' texts so far: one a row, since the ledger keeps each once
    struct bytes answer[SERVERS_SHARDS_MAX];
    struct cursor at[SERVERS_SHARDS_MAX]; // in the answers
    struct version next[SERVERS_SHARDS_MAX];
    bool any[SERVERS_SHARDS_MAX]; // there is a next one
    size_t had;                   // files that the ledger has
};

static bool no_memory(struct tally_err *err)
{
    return err_set(err, TALLY_NO_MEMORY, "no memory for a batch");
}

// ---- what the ledger has ------------------------------------------------------------------

static bool skip_rows(void *context, const struct replay_file *file, bool *out_skip,
                      struct tally_err *err)
{
    (void)context;
    (void)file;
    (void)err;
    *out_skip = true;
    return true;
}

static bool check_same(void *context, const struct replay_file *file, struct tally_err *err)
{
    struct leaving *leaving = context;
    const struct log *log = &leaving->log;

    if (leaving->had == log->count) {
        return err_set(err, TALLY_INVALID,
                       "the ledger holds more files than the cluster: a cluster migrates into a "
                       "ledger that is empty or holds its own beginning");
    }
    const struct log_entry *entry = &log->entry[leaving->had++];
    leaving->end->passed += file->batch > 0;
    return (file->end->outcome == entry->end.outcome &&
            digest_equal(file->end->digest, entry->end.digest)) ||
           err_set(err, TALLY_INVALID,
                   "the ledger's file %zu is not %s as in the cluster: a cluster migrates into a "
                   "ledger that is empty or holds its own beginning",
                   leaving->had, entry->file);
}

static bool look_at_ledger(struct leaving *leaving, struct tally_err *err)
{
    struct replay_visitor visitor = {
        .context = leaving, .on_begin = skip_rows, .on_file = check_same};
    struct replay_end end;
    struct state state;

    if (!state_init(&state, err)) {
        return false;
    }
    bool ok = replay(&state, leaving->out->ledger_dir_fd, &replay_all, &visitor, &end, err);
    state_done(&state);
    return ok;
}

// ---- versions -----------------------------------------------------------------------------

static bool take_next(struct leaving *leaving, size_t shard, struct tally_err *err)
{
    struct cursor *in = &leaving->at[shard];

    leaving->any[shard] = cursor_left(in) > 0;
    return !leaving->any[shard] || version_take(&leaving->next[shard], in) ||
           err_set(err, TALLY_CORRUPT, "tally_versions: a malformed version");
}

// A range of the versions of these batches, in order of batch.
static bool ask(struct leaving *leaving, const uint64_t *keys, size_t count, uint64_t range,
                uint64_t ranges, struct tally_err *err)
{
    size_t shards = servers_shards(leaving->out->servers);
    struct servers_numbers numbers = {.name = "batches", .number = keys, .count = count};
    struct bytes sql;

    bytes_init(&sql);
    sql_print(&sql,
              "SELECT " VERSIONS_COLUMNS " FROM tally_versions_local WHERE batch IN batches AND "
              "id_hash %% %llu = %llu ORDER BY batch, feed, id_hash, id, rank DESC, buried DESC, "
              "record DESC LIMIT 1 BY batch, feed, id_hash, id",
              (unsigned long long)ranges, (unsigned long long)range);
    struct servers_question question = {
        .sql = sql_text(&sql), .numbers = &numbers, .numbers_count = 1};
    for (size_t i = 0; i < shards; i++) {
        bytes_clear(&leaving->answer[i]);
    }
    bool ok = question.sql
                  ? servers_ask_each(leaving->out->servers, &question, leaving->answer, err)
                  : no_memory(err);
    bytes_done(&sql);
    for (size_t i = 0; ok && i < shards; i++) {
        leaving->at[i] = cursor_over(leaving->answer[i].data, leaving->answer[i].count);
        ok = take_next(leaving, i, err);
    }
    return ok;
}

// Another daemon committed something newer before this batch: it changed nothing any more.
static bool is_passed(const struct leaving *leaving, const struct log_entry *entry,
                      const struct version *version)
{
    const struct revision own = revision_of_text(version->revision, version->revision_bytes);
    struct revision kept;

    return entry->begin.mode != BATCH_SNAPSHOT && version->op != VERSION_COUNTS &&
           restore_find(leaving->out->store, entry->shape->feed, version->id, version->id_bytes,
                        &kept) &&
           revision_compare(&kept, &own) > 0;
}

static bool add_dims(struct leaving *leaving, const struct version *version, struct tally_err *err)
{
    struct rows *rows = &leaving->rows;
    struct cursor in = version->dims;

    for (uint32_t i = 0; i < version->dims_count; i++) {
        struct rows_span span;
        size_t bytes;
        const char *text = cursor_take_text(&in, &bytes);
        if (!rows_add_text(rows, text, bytes, &span, err) ||
            !rows_add_new_text(rows, i, span, err)) {
            return false;
        }
        rows_dims(rows, rows->count - 1)[i] = leaving->codes;
    }
    return true;
}

static bool add_row(struct leaving *leaving, const struct version *version, struct tally_err *err)
{
    const struct shape *shape = leaving->rows.shape;
    const struct shape *own = shapes_find(&leaving->shapes, version->shape);
    const struct revision revision = revision_of_text(version->revision, version->revision_bytes);
    struct rows *rows = &leaving->rows;
    bool put = version->op == VERSION_COUNTS;
    struct row *row = rows_add(rows, err);
    struct rows_span id;
    struct rows_span text = {0};

    if (!row || !rows_add_text(rows, version->id, version->id_bytes, &id, err) ||
        (version->op != VERSION_WITHDRAWN &&
         !rows_add_text(rows, version->revision, version->revision_bytes, &text, err))) {
        return false;
    }
    row->op = put ? ROWS_PUT : ROWS_WITHDRAW;
    row->id = id;
    row->record = version->record;
    row->line = version->line;
    row->revision_text = text;
    if (version->op != VERSION_WITHDRAWN) {
        row->revision_kind = revision.kind;
        row->revision_number = revision.number;
    }
    if (!put) {
        return true;
    }
    if (!own || !shape_equal(own, shape)) {
        return err_set(err, TALLY_CORRUPT, "tally_versions: incident %.*s has no shape that fits",
                       (int)(version->id_bytes < 60 ? version->id_bytes : 60), version->id);
    }
    row->first_day = version->first_day;
    row->last_day = version->last_day;
    row->reported = version->reported;
    struct cursor in = version->measures;
    for (size_t i = 0; i < version->measures_count; i++) {
        rows_measures(rows, rows->count - 1)[i] = (int64_t)cursor_take_u64(&in);
    }
    leaving->codes++;
    return add_dims(leaving, version, err);
}

// What the answers hold of this batch, as rows of one chunk.
static bool put_rows(struct leaving *leaving, const struct log_entry *entry, struct tally_err *err)
{
    size_t shards = servers_shards(leaving->out->servers);

    for (size_t i = 0; i < shards; i++) {
        while (leaving->any[i] && leaving->next[i].batch == entry->batch) {
            const struct version *version = &leaving->next[i];
            if ((!is_passed(leaving, entry, version) && !add_row(leaving, version, err)) ||
                !take_next(leaving, i, err)) {
                return false;
            }
        }
    }
    return restore_rows(leaving->out->store, &leaving->rows, err);
}

// ---- rejects ------------------------------------------------------------------------------

static bool add_text(struct rows *rows, struct cursor *in, struct rows_span *out,
                     struct tally_err *err)
{
    size_t bytes = 0;
    const char *text = cursor_take_text(in, &bytes);

    return text ? rows_add_text(rows, text, bytes, out, err)
                : err_set(err, TALLY_CORRUPT, "tally_rejects: a malformed row");
}

static bool add_reject(struct leaving *leaving, struct cursor *in, struct tally_err *err)
{
    struct rows_reject made = {
        .record = cursor_take_u64(in), .line = cursor_take_u64(in), .offset = cursor_take_u64(in)};
    size_t bytes = 0;
    const char *reason = cursor_take_text(in, &bytes);

    made.reason = reason ? arena_text(&leaving->texts, reason, bytes, err) : NULL;
    if (!made.reason || !add_text(&leaving->rows, in, &made.detail, err) ||
        !add_text(&leaving->rows, in, &made.raw, err)) {
        return reason ? false : err_set(err, TALLY_CORRUPT, "tally_rejects: a malformed row");
    }
    struct rows_reject *reject = rows_add_reject(&leaving->rows, err);
    if (reject) {
        *reject = made;
    }
    return reject != NULL;
}

static bool add_rejects(struct leaving *leaving, const struct log_entry *entry,
                        struct tally_err *err)
{
    struct bytes answer;
    struct bytes sql;

    if (entry->end.rejected == 0) {
        return true;
    }
    bytes_init(&answer);
    bytes_init(&sql);
    sql_print(&sql,
              "SELECT DISTINCT record, line, offset, reason, detail, raw FROM tally_rejects_local "
              "WHERE batch = %llu ORDER BY record, offset",
              (unsigned long long)entry->batch);
    struct servers_question question = {.sql = sql_text(&sql)};
    bool ok = question.sql ? servers_ask(leaving->out->servers, 0, &question, &answer, err)
                           : no_memory(err);
    struct cursor in = cursor_over(answer.data, answer.count);
    while (ok && cursor_left(&in) > 0) {
        ok = add_reject(leaving, &in, err);
    }
    bytes_done(&answer);
    bytes_done(&sql);
    return ok;
}

// ---- files --------------------------------------------------------------------------------

static bool begin(struct leaving *leaving, const struct log_entry *entry, struct tally_err *err)
{
    const struct batch_begin *from = &entry->begin;

    arena_reset(&leaving->texts);
    leaving->codes = 0;
    rows_clear(&leaving->rows, entry->shape);
    struct store_file file = {
        .mode = from->mode,
        .feed = arena_text(&leaving->texts, from->feed, from->feed_bytes, err),
        .name = entry->file,
        .header = arena_text(&leaving->texts, from->header, from->header_bytes, err),
        .scope_dim = from->scope_dim,
        .shape = entry->shape};
    return file.feed && file.header && restore_begin(leaving->out->store, &file, err) &&
           add_rejects(leaving, entry, err);
}

static bool end(struct leaving *leaving, const struct log_entry *entry, struct tally_err *err)
{
    const struct migrate_progress *progress = leaving->progress;
    struct store *store = leaving->out->store;
    struct batch_end end_of = entry->end;

    // Only what changed an incident is a version: all other rows were left out.
    end_of.skipped_unchanged = entry->counts.unchanged;
    end_of.skipped_older = entry->counts.older;
    if (!restore_end(store, &end_of, err)) {
        return err_wrap(err, "batch %llu", (unsigned long long)entry->number);
    }
    if (progress->on_batch) {
        progress->on_batch(progress->context, store_batches(store), store_incidents(store));
    }
    return true;
}

static uint64_t versions_of(const struct log_entry *entry)
{
    return entry->number == 0 ? 0
                              : 1 + entry->counts.added + entry->counts.revised +
                                    entry->counts.withdrawn + entry->counts.unchanged;
}

// Entries from `from` on, together few enough to be asked for at once; at least one. The answers
// come in order of key, the batches go in that of commit: where those differ, another group begins.
static size_t group_from(const struct log *log, size_t from)
{
    uint64_t versions = versions_of(&log->entry[from]);
    size_t to = from + 1;

    while (to < log->count && log->entry[to].batch > log->entry[to - 1].batch &&
           versions + versions_of(&log->entry[to]) <= GROUP_VERSIONS) {
        versions += versions_of(&log->entry[to++]);
    }
    return to;
}

static bool put_large(struct leaving *leaving, const struct log_entry *entry, struct tally_err *err)
{
    uint64_t ranges = versions_of(entry) / GROUP_VERSIONS + 1;
    bool ok = begin(leaving, entry, err);

    for (uint64_t range = 0; ok && range < ranges; range++) {
        ok = ask(leaving, &entry->batch, 1, range, ranges, err) && put_rows(leaving, entry, err);
        rows_clear(&leaving->rows, entry->shape);
    }
    return ok && end(leaving, entry, err);
}

static bool put_group(struct leaving *leaving, size_t from, size_t to, struct tally_err *err)
{
    struct log_entry *entry = leaving->log.entry;
    uint64_t *keys = malloc((to - from) * sizeof *keys);
    size_t count = 0;

    if (!keys) {
        return no_memory(err);
    }
    for (size_t i = from; i < to; i++) {
        if (entry[i].number > 0) {
            keys[count++] = entry[i].batch;
        }
    }
    bool ok = ask(leaving, keys, count, 0, 1, err);
    for (size_t i = from; ok && i < to; i++) {
        ok = entry[i].number == 0
                 ? restore_note(leaving->out->store, &entry[i].end, err)
                 : begin(leaving, &entry[i], err) && put_rows(leaving, &entry[i], err) &&
                       end(leaving, &entry[i], err);
    }
    free(keys);
    return ok;
}

static bool put_all(struct leaving *leaving, struct tally_err *err)
{
    const struct log *log = &leaving->log;

    for (size_t from = leaving->had; from < log->count;) {
        size_t to = group_from(log, from);
        bool large = versions_of(&log->entry[from]) > GROUP_VERSIONS;
        if (!(large ? put_large(leaving, &log->entry[from], err)
                    : put_group(leaving, from, to, err)) ||
            !store_sync(leaving->out->store, err)) {
            return false;
        }
        from = to;
    }
    return true;
}

bool migrate_out_of(const struct migrate_out *out, const struct migrate_progress *progress,
                    struct migrate_end *out_end, struct tally_err *err)
{
    struct migrate_end end_of = {0};
    struct leaving *leaving = calloc(1, sizeof *leaving);

    if (!leaving) {
        return no_memory(err);
    }
    leaving->out = out;
    leaving->progress = progress;
    leaving->end = &end_of;
    log_init(&leaving->log);
    shapes_init(&leaving->shapes);
    rows_init(&leaving->rows);
    arena_init(&leaving->texts, TEXTS_BYTES_MAX);
    for (size_t i = 0; i < SERVERS_SHARDS_MAX; i++) {
        bytes_init(&leaving->answer[i]);
    }
    bool ok = log_load(&leaving->log, out->servers, err) &&
              shapes_load(&leaving->shapes, out->servers, err);
    ok = ok && look_at_ledger(leaving, err) && put_all(leaving, err);
    for (size_t i = 0; i < SERVERS_SHARDS_MAX; i++) {
        bytes_done(&leaving->answer[i]);
    }
    arena_done(&leaving->texts);
    rows_done(&leaving->rows);
    shapes_done(&leaving->shapes);
    log_done(&leaving->log);
    free(leaving);
    end_of.batches = store_batches(out->store);
    if (ok) {
        *out_end = end_of;
    }
    return ok;
}
