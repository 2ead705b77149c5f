#include "daemon/status.h"

#include "base/day.h"
#include "daemon/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

// ---- what the store says ------------------------------------------------------------------

static void drop_hosts(struct status_store *copy)
{
    for (size_t i = 0; i < copy->hosts_count; i++) {
        free(copy->host[i].name);
    }
    free(copy->host);
    copy->host = NULL;
    copy->hosts_count = 0;
}

void status_store_done(struct status_store *copy)
{
    drop_hosts(copy);
    for (size_t i = 0; i < copy->feeds_count; i++) {
        free(copy->feed[i].name);
    }
    for (size_t i = 0; i < copy->rollups_count; i++) {
        free(copy->rollup[i].name);
    }
    free(copy->feed);
    free(copy->rollup);
    *copy = (struct status_store){0};
}

static bool has_feed(const struct status_store *copy, const char *name)
{
    for (size_t i = 0; i < copy->feeds_count; i++) {
        if (strcmp(copy->feed[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool add_feed(struct status_store *copy, const struct store_feed_view *view)
{
    struct status_feed feed = {.name = strdup(view->name),
                               .any_day = view->any_day,
                               .first_day = view->first_day,
                               .last_day = view->last_day,
                               .newest_ms = view->newest_ms,
                               .incidents = view->incidents};

    if (feed.name) {
        copy->feed[copy->feeds_count++] = feed;
    }
    return feed.name != NULL;
}

static bool add_rollup(struct status_store *copy, const struct store_rollup_view *view)
{
    struct status_rollup rollup = {.name = strdup(view->name),
                                   .generation = view->generation,
                                   .patch_bytes = view->patch_bytes,
                                   .waits = view->waits};

    if (rollup.name) {
        copy->rollup[copy->rollups_count++] = rollup;
    }
    return rollup.name != NULL;
}

static bool fill(struct status_store *copy, const struct store *store, const struct config *config)
{
    struct store_feed_view feed;
    struct store_rollup_view rollup;

    copy->feed = calloc(store_feeds_count(store) + config->feeds_count + 1, sizeof *copy->feed);
    copy->rollup = calloc(store_rollups_count(store) + 1, sizeof *copy->rollup);
    bool ok = copy->feed && copy->rollup;
    for (size_t i = 0; ok && i < config->feeds_count; i++) {
        const char *name = feed_name(config->feeds[i]);
        feed = (struct store_feed_view){.name = name};
        (void)store_find_feed(store, name, &feed); // without incidents yet: its name alone
        ok = add_feed(copy, &feed);
    }
    for (size_t i = 0; ok && i < store_feeds_count(store); i++) {
        feed = store_feed_at(store, i);
        ok = has_feed(copy, feed.name) || add_feed(copy, &feed);
    }
    for (size_t i = 0; ok && i < store_rollups_count(store); i++) {
        rollup = store_rollup_at(store, i);
        ok = add_rollup(copy, &rollup);
    }
    return ok;
}

bool status_hosts_take(struct status_store *copy, const struct store *store, struct tally_err *err)
{
    size_t count = store_hosts_count(store);
    struct status_store fresh = {.host = calloc(count + 1, sizeof *fresh.host)};
    bool ok = fresh.host != NULL;

    for (size_t i = 0; ok && i < count; i++) {
        struct store_host_view view = store_host_at(store, i);
        fresh.host[i] =
            (struct status_host){.name = strdup(view.host), .reachable = view.reachable};
        ok = fresh.host[i].name != NULL;
        fresh.hosts_count += ok;
    }
    if (!ok) {
        drop_hosts(&fresh);
        return err_set(err, TALLY_NO_MEMORY, "no memory for the status");
    }
    drop_hosts(copy);
    copy->engine = store_engine_name(store);
    copy->host = fresh.host;
    copy->hosts_count = count;
    return true;
}

bool status_store_take(struct status_store *copy, const struct store *store,
                       const struct config *config, struct tally_err *err)
{
    struct status_store fresh = {.batches = store_batches(store),
                                 .incidents = store_incidents(store)};

    if (!fill(&fresh, store, config) || !status_hosts_take(&fresh, store, err)) {
        status_store_done(&fresh);
        return err_set(err, TALLY_NO_MEMORY, "no memory for the status");
    }
    status_store_done(copy);
    *copy = fresh;
    return true;
}

// ---- JSON ---------------------------------------------------------------------------------

bool status_expected_ms(const struct status_file *file, uint64_t *out_ms)
{
    if (file->bytes == 0 || file->bytes > file->bytes_total) {
        return false;
    }
    // Bytes are divided first where they are many: a rough guess needs no more.
    uint64_t left = file->bytes_total - file->bytes;
    unsigned shift = file->bytes_total >> 40 ? 20 : 0;
    uint64_t done = file->bytes >> shift;
    *out_ms = done ? (uint64_t)((bytes_i128)file->elapsed_ms * (left >> shift) / done) : 0;
    return done > 0;
}

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)(value > INT64_MAX ? INT64_MAX : value));
}

// Bytes that are no printable UTF-8 stand as \xNN, as in the log.
static json_t *name_of(const char *name)
{
    char shown[LOG_SHOWN_BYTES];

    log_escape(name, shown, sizeof shown);
    return json_string(shown);
}

static json_t *day_of(bool any, int32_t day)
{
    char text[DAY_TEXT_BYTES];

    return any ? json_string(day_format_iso(day, text)) : json_null();
}

static json_t *time_of(int64_t time_ms)
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm parts;
    char text[40];

    if (time_ms <= 0 || !gmtime_r(&seconds, &parts)) {
        return json_null();
    }
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return json_string(text);
}

static json_t *seconds_since(int64_t time_ms, int64_t now_ms)
{
    return time_ms > 0 ? number(now_ms > time_ms ? (uint64_t)(now_ms - time_ms) / 1000 : 0)
                       : json_null();
}

static void put_file_counts(json_t *to, const struct stats_feed *feed)
{
    json_t *files = json_object();
    json_t *rows = json_object();

    for (int i = 0; i < STATS_OUTCOMES; i++) {
        json_object_set_new(files, file_outcome_name((enum file_outcome)i),
                            number(feed ? feed->files[i] : 0));
    }
    for (int i = 0; i < STATS_ROWS_COUNT; i++) {
        json_object_set_new(rows, stats_rows_name((enum stats_rows)i),
                            number(feed ? feed->rows[i] : 0));
    }
    json_object_set_new(to, "files", files);
    json_object_set_new(to, "rows", rows);
}

static json_t *feeds_of(const struct status *status)
{
    json_t *list = json_array();

    for (size_t i = 0; i < status->store->feeds_count; i++) {
        const struct status_feed *feed = &status->store->feed[i];
        json_t *entry = json_object();
        json_object_set_new(entry, "feed", name_of(feed->name));
        json_object_set_new(entry, "incidents", number(feed->incidents));
        json_object_set_new(entry, "first_day", day_of(feed->any_day, feed->first_day));
        json_object_set_new(entry, "last_day", day_of(feed->any_day, feed->last_day));
        json_object_set_new(entry, "newest", time_of(feed->newest_ms));
        json_object_set_new(entry, "age_s", seconds_since(feed->newest_ms, status->now_ms));
        put_file_counts(entry, stats_find_feed(status->stats, feed->name));
        json_array_append_new(list, entry);
    }
    return list;
}

static json_t *rollups_of(const struct status *status)
{
    json_t *list = json_array();

    for (size_t i = 0; i < status->store->rollups_count; i++) {
        const struct status_rollup *rollup = &status->store->rollup[i];
        json_t *entry = json_object();
        json_object_set_new(entry, "rollup", name_of(rollup->name));
        json_object_set_new(entry, "generation", number(rollup->generation));
        json_object_set_new(entry, "bytes", number(status->rollup_bytes[i]));
        json_object_set_new(entry, "waits", json_boolean(rollup->waits));
        json_array_append_new(list, entry);
    }
    return list;
}

static json_t *hosts_of(const struct status *status)
{
    json_t *list = json_array();

    for (size_t i = 0; i < status->store->hosts_count; i++) {
        json_t *entry = json_object();
        json_object_set_new(entry, "host", name_of(status->store->host[i].name));
        json_object_set_new(entry, "reachable", json_boolean(status->store->host[i].reachable));
        json_array_append_new(list, entry);
    }
    return list;
}

static json_t *pause_of(const struct status *status)
{
    const struct pause *pause = status->pause;
    json_t *entry = json_object();

    if (!status->paused || !pause->event) {
        json_decref(entry);
        return json_null();
    }
    json_object_set_new(entry, "event", json_string(pause->event));
    json_object_set_new(entry, "file", name_of(pause->file));
    json_object_set_new(entry, "error", name_of(pause->err.message));
    json_object_set_new(entry, "s", number(status->paused_ms / 1000));
    return entry;
}

// Newest first.
static json_t *recent_of(const struct stats *stats)
{
    json_t *list = json_array();

    for (uint64_t i = 0; i < stats->files && i < STATS_RECENT_MAX; i++) {
        const struct stats_file *file = &stats->recent[(stats->files - 1 - i) % STATS_RECENT_MAX];
        json_t *entry = json_object();
        json_object_set_new(entry, "file", name_of(file->name));
        json_object_set_new(entry, "feed", name_of(file->feed));
        json_object_set_new(entry, "outcome", json_string(file_outcome_name(file->outcome)));
        json_object_set_new(entry, "batch", number(file->batch));
        json_object_set_new(entry, "rows", number(file->records));
        json_object_set_new(entry, "rejected", number(file->rejected));
        json_object_set_new(entry, "time", time_of(file->time_ms));
        json_object_set_new(entry, "ms", number(file->took_ms));
        json_array_append_new(list, entry);
    }
    return list;
}

static json_t *reading_of(const struct status_file *file)
{
    json_t *entry = json_object();
    uint64_t expected_ms;

    if (!file->name) {
        json_decref(entry);
        return json_null();
    }
    json_object_set_new(entry, "file", name_of(file->name));
    json_object_set_new(entry, "bytes", number(file->bytes));
    json_object_set_new(entry, "bytes_total", number(file->bytes_total));
    json_object_set_new(entry, "rows", number(file->rows));
    json_object_set_new(entry, "elapsed_ms", number(file->elapsed_ms));
    json_object_set_new(entry, "expected_ms",
                        status_expected_ms(file, &expected_ms) ? number(expected_ms) : json_null());
    return entry;
}

static json_t *root_of(const struct status *status)
{
    const struct stats *stats = status->stats;
    json_t *root = json_object();

    json_object_set_new(root, "version", json_string(TALLY_VERSION));
    json_object_set_new(root, "time", time_of(status->now_ms));
    json_object_set_new(root, "uptime_s", seconds_since(status->started_ms, status->now_ms));
    json_object_set_new(root, "generation", number(status->store->batches));
    json_object_set_new(root, "incidents", number(status->store->incidents));
    json_object_set_new(root, "waiting", number(status->waiting));
    json_object_set_new(root, "oldest_wait_s", number(status->oldest_wait_ms / 1000));
    json_object_set_new(root, "paused", json_boolean(status->paused));
    json_object_set_new(root, "pause", pause_of(status));
    json_object_set_new(root, "reloading", json_boolean(status->reloading));
    json_object_set_new(root, "stopping", json_boolean(status->stopping));
    json_object_set_new(root, "reading", reading_of(&status->file));
    json_object_set_new(root, "memory_bytes", number(status->memory_bytes));
    json_object_set_new(root, "engine", json_string(status->store->engine));
    json_object_set_new(root, "ledger_bytes", number(status->ledger_bytes));
    json_object_set_new(root, "hints_lost", number(stats->hints_lost));
    json_object_set_new(root, "looks", number(stats->looks));
    json_object_set_new(root, "files", number(stats->files));
    json_object_set_new(root, "hosts", hosts_of(status));
    json_object_set_new(root, "feeds", feeds_of(status));
    json_object_set_new(root, "rollups", rollups_of(status));
    json_object_set_new(root, "recent", recent_of(stats));
    return root;
}

static int put_part(const char *data, size_t bytes, void *context)
{
    struct bytes *out = context;

    bytes_put(out, data, bytes);
    return out->ok ? 0 : -1;
}

bool status_json(const struct status *status, struct bytes *out, struct tally_err *err)
{
    json_t *root = root_of(status);
    bool ok = root && json_dump_callback(root, put_part, out, JSON_COMPACT) == 0;

    json_decref(root);
    return ok || err_set(err, TALLY_NO_MEMORY, "no memory for the status");
}
