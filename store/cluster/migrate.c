#include "store/cluster/migrate.h"

#include "base/checksum.h"
#include "store/cluster/cluster_private.h"
#include "store/cluster/versions.h"
#include "store/replay.h"

#include <stdlib.h>
#include <string.h>

enum { VERSIONS_BYTES = 16 << 20 }; // put at once

// An incident that the batch at hand changed.
struct changed {
    uint32_t feed;
    uint64_t id;
};

struct migration {
    struct cluster_store *store;
    struct state *state;
    const struct migrate_progress *progress;
    struct migrate_end *end;
    size_t file;  // how many batches and notes came so far
    size_t had;   // that the cluster has
    uint64_t key; // of the batch at hand
    struct changed *changed;
    size_t changed_count;
    size_t changed_capacity;
    uint64_t *hash; // of each shape of the state
    size_t hashes_count;
    struct bytes rejects;
};

static bool no_memory(struct tally_err *err)
{
    return err_set(err, TALLY_NO_MEMORY, "no memory for a batch");
}

static bool is_new(const struct migration *migration)
{
    return migration->file >= migration->had;
}

// ---- what a batch changes -----------------------------------------------------------------

static bool add_changed(struct migration *migration, uint32_t feed, uint64_t id,
                        struct tally_err *err)
{
    if (migration->changed_count == migration->changed_capacity) {
        size_t capacity = migration->changed_capacity ? migration->changed_capacity * 2 : 1024;
        struct changed *grown = realloc(migration->changed, capacity * sizeof *grown);
        if (!grown) {
            return no_memory(err);
        }
        migration->changed = grown;
        migration->changed_capacity = capacity;
    }
    migration->changed[migration->changed_count++] = (struct changed){.feed = feed, .id = id};
    return true;
}

static bool on_change(void *context, const struct state *state, const struct incident *incident,
                      int sign, unsigned core, struct tally_err *err)
{
    struct migration *migration = context;

    (void)sign;
    (void)core;
    return !is_new(migration) ||
           add_changed(migration, state->shape_feed[incident->shape], incident->id, err);
}

// A deletion of what does not count leaves a mark, which no observer is told of.
static bool add_buried(struct migration *migration, uint32_t feed, struct tally_err *err)
{
    const struct state *state = migration->state;
    const struct incidents *incidents = &state->feed[feed].incidents;
    struct incidents_walk walk = {0};
    const struct incident *incident;

    while ((incident = incidents_next(incidents, &walk)) != NULL) {
        if (incident_seen(incident) == state->mark &&
            incident_flags(incident) & INCIDENT_TOMBSTONE &&
            !add_changed(migration, feed, incident->id, err)) {
            return false;
        }
    }
    return true;
}

static int compare_changed(const void *a, const void *b)
{
    const struct changed *one = a;
    const struct changed *other = b;

    return one->feed != other->feed ? (one->feed > other->feed) - (one->feed < other->feed)
                                    : (one->id > other->id) - (one->id < other->id);
}

// ---- versions -----------------------------------------------------------------------------

static bool shape_of(struct migration *migration, const struct incident *incident,
                     uint64_t *out_hash, struct tally_err *err)
{
    const struct state *state = migration->state;
    struct cluster_store *store = migration->store;

    if (migration->hashes_count < state->shapes_count) {
        uint64_t *grown = realloc(migration->hash, state->shapes_count * sizeof *grown);
        if (!grown) {
            return no_memory(err);
        }
        migration->hash = grown;
        for (; migration->hashes_count < state->shapes_count; migration->hashes_count++) {
            if (!shapes_put(&store->shapes, store->servers, state->shape[migration->hashes_count],
                            &grown[migration->hashes_count], err)) {
                return false;
            }
        }
    }
    *out_hash = migration->hash[incident->shape];
    return true;
}

static bool insert(struct migration *migration, struct bytes *rows, struct tally_err *err)
{
    if (!rows->ok) {
        return no_memory(err);
    }
    bool ok =
        rows->count == 0 || servers_insert(migration->store->servers, "tally_versions", rows, err);
    bytes_clear(rows);
    return ok;
}

static bool put_changed(struct migration *migration, const struct changed *changed,
                        struct bytes *rows, struct tally_err *err)
{
    const struct state *state = migration->state;
    const struct state_feed *feed = &state->feed[changed->feed];
    const struct incident *incident = incidents_find(&feed->incidents, changed->id);
    struct version_of of = {.batch = migration->key};

    if (!cluster_take_feed(migration->store, feed->name, &of.by_revision, err) ||
        !shape_of(migration, incident, &of.shape, err)) {
        return false;
    }
    version_put(state, incident, &of, rows);
    return rows->count < VERSIONS_BYTES || insert(migration, rows, err);
}

static bool put_versions(struct migration *migration, struct tally_err *err)
{
    struct changed *changed = migration->changed;
    struct bytes rows;
    bool ok = true;

    if (migration->changed_count > 0) {
        qsort(changed, migration->changed_count, sizeof *changed, compare_changed);
    }
    bytes_init(&rows);
    for (size_t i = 0; ok && i < migration->changed_count; i++) {
        ok = (i > 0 && compare_changed(&changed[i], &changed[i - 1]) == 0) ||
             put_changed(migration, &changed[i], &rows, err);
    }
    ok = ok && insert(migration, &rows, err);
    bytes_done(&rows);
    return ok;
}

// ---- files --------------------------------------------------------------------------------

// The cluster has it already: then it has to be the same.
static bool check_same(const struct migration *migration, const struct replay_file *file,
                       struct tally_err *err)
{
    const struct log_entry *entry = &migration->store->log.entry[migration->file];

    return (entry->number == file->batch && entry->end.outcome == file->end->outcome &&
            digest_equal(entry->end.digest, file->end->digest)) ||
           err_set(err, TALLY_INVALID,
                   "the cluster's file %zu is %s, which is not what the ledger has there: a ledger "
                   "migrates into a cluster that is empty or holds its own beginning",
                   migration->file + 1, entry->file);
}

static bool on_begin(void *context, const struct replay_file *file, bool *out_skip,
                     struct tally_err *err)
{
    struct migration *migration = context;

    (void)file;
    (void)err;
    *out_skip = false;
    migration->changed_count = 0;
    migration->key = cluster_next_key(migration->store);
    bytes_clear(&migration->rejects);
    return true;
}

static bool on_reject(void *context, const struct replay_file *file,
                      const struct replay_reject *reject, struct tally_err *err)
{
    struct migration *migration = context;
    struct bytes *out = &migration->rejects;

    (void)file;
    if (is_new(migration)) {
        bytes_put_u64(out, migration->key);
        bytes_put_u64(out, reject->record);
        bytes_put_u64(out, reject->line);
        bytes_put_u64(out, reject->offset);
        bytes_put_text(out, reject->reason, reject->reason_bytes);
        bytes_put_text(out, reject->detail, reject->detail_bytes);
        bytes_put_text(out, reject->raw, reject->raw_bytes);
    }
    return out->ok || no_memory(err);
}

static bool put_batch(struct migration *migration, const struct replay_file *file,
                      struct tally_err *err)
{
    struct shape *shape = batch_begin_shape(file->begin, err);
    uint32_t feed;

    if (!shape) {
        return false;
    }
    bool ok = state_add_feed(migration->state, shape->feed, strlen(shape->feed), &feed, err) &&
              (file->begin->mode != BATCH_DELETIONS || add_buried(migration, feed, err));
    shape_close(shape);
    if (!ok || !put_versions(migration, err)) {
        return false;
    }
    return migration->rejects.count == 0 ||
           servers_insert_at(migration->store->servers, 0, "tally_rejects_local",
                             &migration->rejects, err);
}

static bool put_file(struct migration *migration, const struct replay_file *file,
                     struct tally_err *err)
{
    struct log_entry entry = {.batch = file->batch > 0 ? migration->key
                                                       : cluster_next_key(migration->store),
                              .number = file->batch,
                              .writer = migration->store->options->writer,
                              .end = *file->end,
                              .counts = file->counts};

    if (file->batch > 0) {
        entry.begin = *file->begin;
    }
    return (file->batch == 0 || put_batch(migration, file, err)) &&
           log_put(migration->store->servers, &entry, 1, err);
}

static bool on_file(void *context, const struct replay_file *file, struct tally_err *err)
{
    struct migration *migration = context;
    const struct migrate_progress *progress = migration->progress;

    progress_step(&migration->store->common.progress);
    if (is_new(migration) ? !put_file(migration, file, err) : !check_same(migration, file, err)) {
        return false;
    }
    migration->end->passed += file->batch > 0 && !is_new(migration);
    migration->end->batches += file->batch > 0;
    migration->file++;
    if (progress->on_batch && file->batch > 0) {
        progress->on_batch(progress->context, file->batch, state_incidents(migration->state));
    }
    return true;
}

// ---- what a cluster cannot say ------------------------------------------------------------

static bool is_by_revision(const struct cluster_store *store, const char *name)
{
    for (size_t i = 0; i < store->feeds_count; i++) {
        if (strcmp(store->feed[i].name, name) == 0) {
            return store->feed[i].by_revision;
        }
    }
    return false;
}

// In a cluster the greatest revision of an incident counts, at every moment. A snapshot is one word
// and may lower it: the ledger of a feed that was described so once has an order of its own.
static bool refuse_lowered(void *context, const struct replay_file *file, bool *out_skip,
                           struct tally_err *err)
{
    const struct cluster_store *store = context;

    *out_skip = true;
    if (file->begin->mode != BATCH_SNAPSHOT) {
        return true;
    }
    struct shape *shape = batch_begin_shape(file->begin, err);
    bool ok = shape &&
              (!is_by_revision(store, shape->feed) ||
               err_set(err, TALLY_INVALID,
                       "feed %s was `mode = snapshot` with batch %llu, %s, and is not now: its "
                       "snapshots may have lowered revisions, which a cluster cannot do; nothing "
                       "was changed; move it with `mode = snapshot`, which it then keeps",
                       shape->feed, (unsigned long long)file->batch, file->begin->file));
    shape_close(shape);
    return ok;
}

static bool can_move(struct cluster_store *store, int ledger_dir_fd, struct tally_err *err)
{
    struct replay_visitor visitor = {.context = store, .on_begin = refuse_lowered};
    struct replay_end end;
    struct state state;

    if (!state_init(&state, err)) {
        return false;
    }
    bool ok = replay(&state, ledger_dir_fd, &replay_all, &visitor, &end, err);
    state_done(&state);
    return ok;
}

// ---- moving -------------------------------------------------------------------------------

bool migrate_into(struct store *store, int ledger_dir_fd, struct state *state,
                  const struct migrate_progress *progress, struct migrate_end *out_end,
                  struct tally_err *err)
{
    struct cluster_store *cluster = cluster_of(store);
    struct migrate_end migrated = {0};
    struct migration migration = {.store = cluster,
                                  .state = state,
                                  .progress = progress,
                                  .end = &migrated,
                                  .had = cluster->log.count};
    static const struct state_observer observer = {.on_change = on_change};
    struct replay_visitor visitor = {
        .context = &migration, .on_begin = on_begin, .on_reject = on_reject, .on_file = on_file};
    struct replay_end end;

    bytes_init(&migration.rejects);
    bool ok = can_move(cluster, ledger_dir_fd, err) &&
              state_observe(state, &observer, &migration, err) &&
              replay(state, ledger_dir_fd, &replay_all, &visitor, &end, err);
    migrated.files = migration.file; // what stands behind them others have brought since
    if (ok && migration.file == 0 && migration.had > 0) {
        ok = err_set(err, TALLY_INVALID,
                     "the cluster holds %zu files and the ledger only 0: it is no ledger that the "
                     "cluster came from",
                     migration.had);
    }
    state_unobserve(state, &migration);
    free(migration.changed);
    free(migration.hash);
    bytes_done(&migration.rejects);
    if (ok) {
        *out_end = migrated;
    }
    return ok && cluster_load(cluster, err);
}
