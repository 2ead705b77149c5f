// daemon/loop_reload.c - SIGHUP: another configuration, between two files.
//
//   SIGHUP -> read it -> wrong: told, the old one stays
//                     -> right: waits for the file at hand -> rollups made (a worker) -> in force
//
// A file is read from its first to its last row under one configuration. What was taken in keeps
// the mapping that it was read with: the log names each feed whose mapping changed.
#include "daemon/log.h"
#include "daemon/loop_private.h"
#include "daemon/notify.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void on_mistake(void *context, const struct tally_err *mistake)
{
    struct loop *loop = context;

    loop_log_failure(loop, LOG_ERROR, "configuration_wrong", NULL, mistake);
}

static void free_config(struct config *config)
{
    if (config) {
        config_done(config);
        free(config);
    }
}

// Systemd waits for the last one that was asked for.
static void tell_ready(struct loop *loop)
{
    if (!loop->next_config && !loop->reloading_config) {
        notify_ready();
    }
    loop->told_idle = false;
}

static void refuse(struct loop *loop, struct config *config, const char *why)
{
    struct log_line line;

    log_begin(&line, LOG_ERROR, "reload_refused");
    log_text(&line, "config", loop->options->config_path);
    log_text(&line, "error", why);
    loop_log(loop, &line);
    free_config(config);
    tell_ready(loop);
}

static bool same_path(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void begin_reload(struct loop *loop)
{
    struct config *config = malloc(sizeof *config);

    if (!config) {
        refuse(loop, NULL, "no memory for a configuration");
    } else if (!config_load(config, loop->options->config_path, loop->options->presets, on_mistake,
                            loop)) {
        refuse(loop, config, "the configuration has mistakes; the one before stays in force");
    } else if (strcmp(config->state, loop->config->state) != 0) {
        refuse(loop, config, "another state directory needs a restart; nothing of it is in force");
    } else if (!same_path(config->control, loop->config->control)) {
        refuse(loop, config, "another control socket needs a restart; nothing of it is in force");
    } else if (!cluster_options_equal(&config->cluster, &loop->config->cluster)) {
        refuse(loop, config, "another [store] needs a restart; nothing of it is in force");
    } else {
        free_config(loop->next_config); // a signal came while one waited; one at work goes on
        loop->next_config = config;
    }
}

static void on_hangup(uv_signal_t *handle, int number)
{
    struct loop *loop = handle->data;

    (void)number;
    if (!loop->stopping) {
        notify_reloading();
        begin_reload(loop);
        loop_advance(loop);
    }
}

bool loop_start_reload(struct loop *loop)
{
    if (!loop->next_config) {
        return false;
    }
    loop->reloading_config = loop->next_config;
    loop->next_config = NULL;
    loop_start_store_job(loop, JOB_RELOAD);
    return true;
}

// On a worker.
void loop_run_reload(struct loop *loop)
{
    const struct config *config = loop->reloading_config;
    struct store *store = loop->options->store;
    struct tally_err ignored;

    loop->job_ok =
        store_set_feeds(store, config->store_feeds, config->store_feeds_count, &loop->job_err) &&
        store_set_rollups(store, config->defs, config->defs_count, &loop->job_err);
    if (!loop->job_ok) {
        config = loop->config;
        (void)store_set_feeds(store, config->store_feeds, config->store_feeds_count, &ignored);
    }
}

static const struct feed *find_feed(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->feeds_count; i++) {
        if (strcmp(feed_name(config->feeds[i]), name) == 0) {
            return config->feeds[i];
        }
    }
    return NULL;
}

static void log_feed(struct loop *loop, enum log_priority priority, const char *event,
                     const char *name, const char *note)
{
    struct log_line line;

    log_begin(&line, priority, event);
    log_text(&line, "feed", name);
    if (note) {
        log_text(&line, "note", note);
    }
    loop_log(loop, &line);
}

static void log_feeds(struct loop *loop, const struct config *before, const struct config *after)
{
    for (size_t i = 0; i < after->feeds_count; i++) {
        const struct feed *feed = after->feeds[i];
        const struct feed *old = find_feed(before, feed_name(feed));
        if (!old) {
            log_feed(loop, LOG_INFO, "feed_added", feed_name(feed), NULL);
        } else if (!feed_reads_alike(old, feed)) {
            log_feed(loop, LOG_NOTICE, "feed_changed", feed_name(feed),
                     "what was taken in keeps its old mapping; tallyd --replay reads it again");
        }
    }
    for (size_t i = 0; i < before->feeds_count; i++) {
        const char *name = feed_name(before->feeds[i]);
        if (!find_feed(after, name)) {
            log_feed(loop, LOG_NOTICE, "feed_removed", name,
                     "what was taken in stays in the ledger; no file comes in by it any more");
        }
    }
}

static void on_removed(void *context, const char *file)
{
    struct loop *loop = context;
    struct log_line line;

    log_begin(&line, LOG_NOTICE, "rollup_removed");
    log_text(&line, "file", file);
    loop_log(loop, &line);
}

static void remove_strangers(struct loop *loop)
{
    struct tally_err err;

    if (!store_remove_strangers(loop->options->store, on_removed, loop, &err)) {
        loop_log_failure(loop, LOG_WARNING, "rollup_not_removed", NULL, &err);
    }
}

void loop_on_reloaded(struct loop *loop)
{
    struct config *config = loop->reloading_config;
    struct log_line line;

    assert(!loop->intake &&
           loop->group.count == 0); // which would read by feeds that are about to go
    loop->reloading_config = NULL;
    if (!loop->job_ok) {
        refuse(loop, config, loop->job_err.message);
        return;
    }
    log_feeds(loop, loop->config, config);
    remove_strangers(loop);
    free_config(loop->own_config);
    loop->own_config = config;
    loop->config = config;
    log_begin(&line, LOG_INFO, "reloaded");
    log_text(&line, "config", loop->options->config_path);
    log_number(&line, "feeds", config->feeds_count);
    log_number(&line, "rollups", config->defs_count);
    loop_log(loop, &line);
    uv_timer_set_repeat(&loop->scan_timer, config->scan_interval_ms);
    uv_timer_again(&loop->scan_timer);
    loop_time_metrics(loop);
    loop->scan_wanted = true;
    tell_ready(loop);
}

void loop_listen_for_reload(struct loop *loop)
{
    uv_signal_init(&loop->uv, &loop->hangup);
    loop->hangup.data = loop;
    if (!loop->options->once) {
        uv_signal_start(&loop->hangup, on_hangup, SIGHUP);
    }
    remove_strangers(loop);
}

void loop_end_reload(struct loop *loop)
{
    free_config(loop->next_config);
    free_config(loop->reloading_config);
    free_config(loop->own_config);
    loop->next_config = NULL;
    loop->reloading_config = NULL;
    loop->own_config = NULL;
}
