#include "store/cluster/cluster_store.h"

#include "base/clock.h"
#include "base/disk.h"
#include "store/cluster/cluster_private.h"
#include "store/cluster/figures.h"
#include "store/cluster/schema.h"
#include "store/cluster/sql.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

// ---- rollups ------------------------------------------------------------------------------

static bool has_feed(const struct rollup_def *def, const char *feed)
{
    for (size_t i = 0; i < def->feeds_count; i++) {
        if (strcmp(def->feeds[i].name, feed) == 0) {
            return true;
        }
    }
    return false;
}

void cluster_mark_feed(struct cluster_store *store, const char *feed, uint64_t number)
{
    for (size_t i = 0; i < store->rollups_count; i++) {
        if (has_feed(&store->rollup[i].def, feed)) {
            store->rollup[i].dirty = true;
            store->rollup[i].generation = number;
            store->rollup[i].batches++;
        }
    }
}

static void rollups_done(struct cluster_rollup *rollups, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rollup_def_done(&rollups[i].def);
    }
    free(rollups);
}

static bool copy_def(const struct rollup_def *def, struct rollup_def *out, struct tally_err *err)
{
    struct bytes encoded;

    bytes_init(&encoded);
    rollup_def_encode(def, &encoded);
    struct cursor in = cursor_over(encoded.data, encoded.count);
    bool ok = encoded.ok ? rollup_def_decode(out, &in, err)
                         : err_set(err, TALLY_NO_MEMORY, "no memory for a rollup");
    bytes_done(&encoded);
    return ok;
}

static const struct cluster_rollup *find_same(const struct cluster_store *store,
                                              const struct rollup_def *def)
{
    for (size_t i = 0; i < store->rollups_count; i++) {
        if (rollup_def_equal(&store->rollup[i].def, def)) {
            return &store->rollup[i];
        }
    }
    return NULL;
}

// What the list says of a rollup's batches. Returns whether that is news.
static bool look_at_list(const struct cluster_store *store, struct cluster_rollup *rollup)
{
    uint64_t generation = 0;
    uint64_t batches = 0;

    for (size_t i = 0; i < store->log.count; i++) {
        const struct log_entry *entry = &store->log.entry[i];
        if (entry->number > 0 && has_feed(&rollup->def, entry->shape->feed)) {
            generation = entry->number > generation ? entry->number : generation;
            batches++;
        }
    }
    bool news = generation != rollup->generation || batches != rollup->batches;
    rollup->generation = generation;
    rollup->batches = batches;
    return news;
}

static bool cluster_set_rollups(struct store *common, const struct rollup_def *defs, size_t count,
                                struct tally_err *err)
{
    struct cluster_store *store = cluster_of(common);
    struct cluster_rollup *fresh = calloc(count + 1, sizeof *fresh);

    if (!fresh) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for rollups");
    }
    for (size_t i = 0; i < count; i++) {
        const struct cluster_rollup *same = find_same(store, &defs[i]);
        if (!copy_def(&defs[i], &fresh[i].def, err)) {
            rollups_done(fresh, i + 1);
            return false;
        }
        (void)look_at_list(store, &fresh[i]);
        fresh[i].dirty = !same || same->dirty;
    }
    rollups_done(store->rollup, store->rollups_count);
    store->rollup = fresh;
    store->rollups_count = count;
    return true;
}

static size_t cluster_rollups_count(const struct store *common)
{
    return cluster_of_const(common)->rollups_count;
}

static struct store_rollup_view cluster_rollup_at(const struct store *common, size_t index)
{
    const struct cluster_rollup *rollup = &cluster_of_const(common)->rollup[index];

    return (struct store_rollup_view){
        .name = rollup->def.name, .generation = rollup->generation, .waits = rollup->dirty};
}

// ---- the list of batches ------------------------------------------------------------------

// Incidents that count, of each feed: a FORGET takes all that was before it.
static void count_live(struct cluster_store *store)
{
    struct state *known = &store->known;

    for (size_t i = 0; i < store->log.count; i++) {
        const struct log_entry *entry = &store->log.entry[i];
        struct state_feed *feed =
            entry->number > 0 ? (struct state_feed *)state_find_feed(known, entry->shape->feed)
                              : NULL;
        if (feed && entry->begin.mode == BATCH_FORGET) {
            feed->live = 0;
        } else if (feed) {
            feed->live += entry->counts.added - entry->counts.withdrawn;
        }
    }
}

static void note_newest(struct cluster_store *store)
{
    for (size_t i = 0; i < store->log.count; i++) {
        const struct log_entry *entry = &store->log.entry[i];
        if (entry->batch > store->last_key) {
            store->last_key = entry->batch;
        }
        if (entry->end.time_ms > store->last_time_ms) {
            store->last_time_ms = entry->end.time_ms;
        }
        if (entry->number > store->common.batches) {
            store->common.batches = entry->number;
        }
    }
}

// What is known of feeds and snapshots follows from the list alone. Requires: `known` is not
// initialised.
static bool know(const struct log *log, struct state *known, struct bytes *committed,
                 struct tally_err *err)
{
    if (!state_init(known, err)) {
        return false;
    }
    if (!log_apply(log, &replay_all, known, err) ||
        !log_committed(log, &replay_all, committed, err)) {
        state_done(known);
        return false;
    }
    return true;
}

// How many rows the cluster's list has.
static bool count_entries(struct cluster_store *store, uint64_t *out_count, struct tally_err *err)
{
    static const struct servers_question question = {
        .sql = "SELECT uniqExact(batch) FROM tally_batches_local"};
    struct bytes answer;

    bytes_init(&answer);
    bool ok = servers_ask(store->servers, 0, &question, &answer, err);
    struct cursor in = cursor_over(answer.data, answer.count);
    *out_count = cursor_take_u64(&in);
    bytes_done(&answer);
    return ok && (in.ok || err_set(err, TALLY_CORRUPT, "tally_batches: a malformed count"));
}

bool cluster_load(struct cluster_store *store, struct tally_err *err)
{
    struct log log;
    struct bytes committed;
    struct state known;

    assert(store->put_count == store->sealed_count && !store->open);
    // Beside what is there, which goes on being right where this fails.
    log_init(&log);
    bytes_init(&committed);
    if (!log_load(&log, store->servers, err) || !shapes_load(&store->shapes, store->servers, err) ||
        !know(&log, &known, &committed, err)) {
        log_done(&log);
        bytes_done(&committed);
        return false;
    }
    log_done(&store->log);
    bytes_done(&store->committed);
    state_done(&store->known);
    store->log = log;
    store->committed = committed;
    store->known = known;
    count_live(store);
    note_newest(store);
    cluster_forget_sealed(store);
    for (size_t i = 0; i < store->rollups_count; i++) {
        store->rollup[i].dirty |= look_at_list(store, &store->rollup[i]);
    }
    return true;
}

static bool cluster_refresh(struct store *common, struct tally_err *err)
{
    struct cluster_store *store = cluster_of(common);
    uint64_t count;

    return count_entries(store, &count, err) &&
           (count == store->log.count + store->put_count || cluster_load(store, err));
}

// ---- publishing ---------------------------------------------------------------------------

static bool encode(struct cluster_store *store, const struct rollup_def *def, struct state *state,
                   struct bytes *out, struct tally_err *err)
{
    struct rollup_source sources[ROLLUP_SOURCES_MAX];
    struct cells_provenance provenance;

    if (!log_apply(&store->log, &replay_all, state, err)) {
        return false;
    }
    struct cells *cells = cells_open(state, def, err);
    bool ok = cells && figures_fill(store->servers, &store->committed, state, cells, err);
    if (ok) {
        log_sources(&store->log, &replay_all, def, sources, &provenance);
        ok = cells_encode(cells, state, &provenance, out, err);
    }
    cells_close(cells);
    return ok;
}

// The figures are the cluster's, the file is made as that of an embedded ledger.
static bool publish_one(struct cluster_store *store, struct cluster_rollup *rollup,
                        struct tally_err *err)
{
    struct state state;
    struct bytes file;

    if (!state_init(&state, err)) {
        return false;
    }
    bytes_init(&file);
    bool ok = encode(store, &rollup->def, &state, &file, err) &&
              store_put_rollup(&store->common, rollup->def.name, &file, err);
    bytes_done(&file);
    state_done(&state);
    rollup->dirty &= !ok;
    return ok || err_wrap(err, "publish %s", rollup->def.name);
}

static bool cluster_needs_publishing(const struct store *common)
{
    const struct cluster_store *store = cluster_of_const(common);

    for (size_t i = 0; i < store->rollups_count; i++) {
        if (store->rollup[i].dirty) {
            return true;
        }
    }
    return false;
}

static bool cluster_publish(struct store *common, struct tally_err *err)
{
    struct cluster_store *store = cluster_of(common);

    if (cluster_needs_publishing(common) && store->put_count > 0 && !cluster_load(store, err)) {
        return false;
    }
    for (size_t i = 0; i < store->rollups_count; i++) {
        progress_step(&common->progress);
        if (store->rollup[i].dirty && !publish_one(store, &store->rollup[i], err)) {
            return false;
        }
    }
    return true;
}

// ---- feeds --------------------------------------------------------------------------------

struct registered {
    const char *writer;
    size_t writer_bytes;
    bool any;
    bool by_revision;
    uint64_t time_us;
};

// Who registered the feed first. Writers are told apart by their names, should two have the same
// time.
static bool is_earlier(const struct registered *a, const struct registered *b)
{
    size_t bytes = a->writer_bytes < b->writer_bytes ? a->writer_bytes : b->writer_bytes;
    int order = memcmp(a->writer, b->writer, bytes);

    return a->time_us != b->time_us ? a->time_us < b->time_us
           : order != 0             ? order < 0
                                    : a->writer_bytes < b->writer_bytes;
}

static bool find_registered(struct cluster_store *store, const char *feed, struct bytes *answer,
                            struct registered *out, struct tally_err *err)
{
    struct bytes sql;

    *out = (struct registered){0};
    bytes_clear(answer);
    bytes_init(&sql);
    sql_print(&sql, "SELECT writer, by_revision, time_us FROM tally_feeds_local WHERE feed = ");
    sql_quote(&sql, feed, strlen(feed));
    struct servers_question question = {.sql = sql_text(&sql)};
    bool ok = question.sql ? servers_ask(store->servers, 0, &question, answer, err)
                           : err_set(err, TALLY_NO_MEMORY, "no memory for a feed");
    bytes_done(&sql);
    struct cursor in = cursor_over(answer->data, answer->count);
    while (ok && cursor_left(&in) > 0) {
        struct registered row = {.any = true};
        row.writer = cursor_take_text(&in, &row.writer_bytes);
        row.by_revision = cursor_take_u8(&in) != 0;
        row.time_us = cursor_take_u64(&in);
        ok = in.ok || err_set(err, TALLY_CORRUPT, "tally_feeds: a malformed row");
        if (ok && (!out->any || is_earlier(&row, out))) {
            *out = row;
        }
    }
    return ok;
}

static bool put_feed(struct cluster_store *store, const struct cluster_feed *feed,
                     struct tally_err *err)
{
    const char *writer = store->options->writer;
    struct bytes row;

    bytes_init(&row);
    bytes_put_text(&row, feed->name, strlen(feed->name));
    bytes_put_text(&row, writer, strlen(writer));
    bytes_put_u8(&row, feed->by_revision);
    bytes_put_u64(&row, (uint64_t)clock_now_ms() * 1000);
    bool ok = (row.ok || err_set(err, TALLY_NO_MEMORY, "no memory for a feed")) &&
              servers_insert_at(store->servers, 0, "tally_feeds_local", &row, err);
    bytes_done(&row);
    return ok;
}

static bool check_order(const struct cluster_feed *feed, const struct registered *first,
                        struct tally_err *err)
{
    return !first->any || first->by_revision == feed->by_revision ||
           err_set(err, TALLY_INVALID,
                   "feed %s is kept on this cluster as one %s: its mode and whether it has a "
                   "revision column cannot change there; give it another name",
                   feed->name,
                   first->by_revision ? "ordered by its revisions"
                                      : "in which the later batch has the word");
}

static bool check_writer(const struct cluster_store *store, const struct cluster_feed *feed,
                         const struct registered *first, struct tally_err *err)
{
    const char *writer = store->options->writer;

    return feed->by_revision ||
           (strlen(writer) == first->writer_bytes &&
            memcmp(writer, first->writer, first->writer_bytes) == 0) ||
           err_set(err, TALLY_REFUSED,
                   "feed %s is served by the daemon %.*s: without a revision column, or as a "
                   "snapshot, only one may serve it, or nobody could say which file is newer",
                   feed->name, (int)(first->writer_bytes < 60 ? first->writer_bytes : 60),
                   first->writer);
}

// Asked again behind the registration: of two that come at once the earlier one has the feed.
static bool register_feed(struct cluster_store *store, const struct cluster_feed *feed,
                          struct tally_err *err)
{
    struct registered first;
    struct bytes answer;

    bytes_init(&answer);
    bool ok = find_registered(store, feed->name, &answer, &first, err);
    if (ok && !first.any) {
        ok = put_feed(store, feed, err) && find_registered(store, feed->name, &answer, &first, err);
    }
    ok = ok && check_order(feed, &first, err) && check_writer(store, feed, &first, err);
    bytes_done(&answer);
    return ok;
}

bool cluster_take_feed(struct cluster_store *store, const char *name, bool *out_by_revision,
                       struct tally_err *err)
{
    *out_by_revision = false;
    for (size_t i = 0; i < store->feeds_count; i++) {
        struct cluster_feed *feed = &store->feed[i];
        if (strcmp(feed->name, name) == 0) {
            *out_by_revision = feed->by_revision;
            feed->registered = feed->registered || register_feed(store, feed, err);
            return feed->registered;
        }
    }
    return true; // the configuration has it no more: nobody brings files of it
}

static bool look_at_feed(struct cluster_store *store, const struct cluster_feed *feed,
                         struct tally_err *err)
{
    struct registered first;
    struct bytes answer;

    bytes_init(&answer);
    bool ok =
        find_registered(store, feed->name, &answer, &first, err) && check_order(feed, &first, err);
    bytes_done(&answer);
    return ok;
}

static void feeds_done(struct cluster_feed *feeds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(feeds[i].name);
    }
    free(feeds);
}

static bool cluster_set_feeds(struct store *common, const struct store_feed *feeds, size_t count,
                              struct tally_err *err)
{
    struct cluster_store *store = cluster_of(common);
    struct cluster_feed *fresh = calloc(count + 1, sizeof *fresh);

    if (!fresh) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for feeds");
    }
    for (size_t i = 0; i < count; i++) {
        fresh[i] = (struct cluster_feed){.name = strdup(feeds[i].name),
                                         .by_revision = feeds[i].by_revision};
        if (!fresh[i].name) {
            feeds_done(fresh, count);
            return err_set(err, TALLY_NO_MEMORY, "no memory for feeds");
        }
        if (!look_at_feed(store, &fresh[i], err)) {
            feeds_done(fresh, count);
            return false;
        }
    }
    feeds_done(store->feed, store->feeds_count);
    store->feed = fresh;
    store->feeds_count = count;
    return true;
}

// ---- what it holds ------------------------------------------------------------------------

static size_t cluster_feeds_count(const struct store *common)
{
    return cluster_of_const(common)->known.feeds_count;
}

static struct store_feed_view cluster_feed_at(const struct store *common, size_t index)
{
    const struct state_feed *feed = &cluster_of_const(common)->known.feed[index];

    return (struct store_feed_view){.name = feed->name,
                                    .any_day = feed->any_day,
                                    .first_day = feed->first_day,
                                    .last_day = feed->last_day,
                                    .newest_ms = feed->newest_ms,
                                    .incidents = feed->live};
}

static uint64_t cluster_incidents(const struct store *common)
{
    const struct state *known = &cluster_of_const(common)->known;
    uint64_t count = 0;

    for (size_t i = 0; i < known->feeds_count; i++) {
        count += known->feed[i].live;
    }
    return count;
}

static size_t cluster_hosts_count(const struct store *common)
{
    return cluster_of_const(common)->options->hosts_count;
}

static struct store_host_view cluster_host_at(const struct store *common, size_t index)
{
    const struct cluster_store *store = cluster_of_const(common);

    return (struct store_host_view){.host = store->options->host[index],
                                    .reachable = servers_is_reachable(store->servers, index)};
}

// What is in memory follows from the servers: a process may always go on.
static bool cluster_is_broken(const struct store *common)
{
    (void)common;
    return false;
}

static bool cluster_is_synced(const struct store *common)
{
    const struct cluster_store *store = cluster_of_const(common);

    return store->put_count == store->sealed_count;
}

// ---- lifetime -----------------------------------------------------------------------------

static void cluster_close(struct store *common)
{
    struct cluster_store *store = cluster_of(common);

    cluster_forget_sealed(store);
    free(store->sealed);
    if (store->open || store->abandoned) {
        batch_done(&store->batch);
    }
    rollups_done(store->rollup, store->rollups_count);
    feeds_done(store->feed, store->feeds_count);
    free(store->source);
    free(store->file);
    free(store->header);
    bytes_done(&store->committed);
    state_done(&store->known);
    log_done(&store->log);
    shapes_done(&store->shapes);
    servers_close(store->servers);
    disk_close(common->rollup_fd);
    free(store);
}

static const struct store_engine engine = {.name = "clickhouse",
                                           .close = cluster_close,
                                           .is_broken = cluster_is_broken,
                                           .is_synced = cluster_is_synced,
                                           .incidents = cluster_incidents,
                                           .find_accepted = cluster_find_accepted,
                                           .begin = cluster_begin,
                                           .append = cluster_append,
                                           .open_batch = cluster_open_batch,
                                           .seal = cluster_seal,
                                           .abort = cluster_abort,
                                           .sync = cluster_sync,
                                           .note = cluster_note,
                                           .each_reject = cluster_each_reject,
                                           .publish = cluster_publish,
                                           .needs_publishing = cluster_needs_publishing,
                                           .set_rollups = cluster_set_rollups,
                                           .feeds_count = cluster_feeds_count,
                                           .feed_at = cluster_feed_at,
                                           .rollups_count = cluster_rollups_count,
                                           .rollup_at = cluster_rollup_at,
                                           .set_feeds = cluster_set_feeds,
                                           .refresh = cluster_refresh,
                                           .hosts_count = cluster_hosts_count,
                                           .host_at = cluster_host_at};

static bool open_parts(struct cluster_store *store, int state_dir_fd,
                       const struct store_options *options, struct tally_err *err)
{
    struct store *common = &store->common;

    common->rollup_fd = store_open_folder(state_dir_fd, "rollup", 0755, err);
    if (common->rollup_fd < 0 || !disk_sync_dir(state_dir_fd, err) ||
        !state_init(&store->known, err)) {
        return false;
    }
    struct progress progress = {.on_step = store_on_step, .context = common};
    store->servers = servers_open(store->options, progress, err);
    if (!store->servers) {
        return false;
    }
    servers_stop_by(store->servers, common->stop_fd);
    if (!schema_check(store->servers, NULL, 0, err) || !cluster_load(store, err) ||
        !cluster_set_feeds(common, options->feeds, options->feeds_count, err) ||
        !cluster_set_rollups(common, options->defs, options->defs_count, err)) {
        return false;
    }
    for (size_t i = 0; i < options->defs_count; i++) {
        if (!store_check_generation(common, options->defs[i].name, err)) {
            return false;
        }
    }
    return true;
}

struct store *cluster_store_open(int state_dir_fd, const struct cluster_options *cluster,
                                 const struct store_options *options, struct tally_err *err)
{
    struct cluster_store *store = calloc(1, sizeof *store);

    if (!store) {
        err_set(err, TALLY_NO_MEMORY, "no memory for the store");
        return NULL;
    }
    store_init(&store->common, &engine, options);
    store->options = cluster;
    shapes_init(&store->shapes);
    log_init(&store->log);
    bytes_init(&store->committed);
    if (!open_parts(store, state_dir_fd, options, err)) {
        cluster_close(&store->common);
        return NULL;
    }
    return &store->common;
}
