#include "daemon/metrics.h"

#include "daemon/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_BYTES = 2 * LOG_SHOWN_BYTES, DAY_S = 86400 };

static void put(struct bytes *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct bytes *out, const char *format, ...)
{
    char line[LABEL_BYTES * 2 + 200];
    va_list args;

    va_start(args, format);
    int wrote = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    bytes_put(out, line, wrote > 0 && (size_t)wrote < sizeof line ? (size_t)wrote : 0);
}

static void put_family(struct bytes *out, const char *name, const char *type, const char *help)
{
    put(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

// A backslash, a quote or a line end would end the label early.
static const char *label(const char *name, char text[LABEL_BYTES])
{
    char shown[LOG_SHOWN_BYTES];
    size_t used = 0;

    log_escape(name, shown, sizeof shown);
    for (const char *at = shown; *at; at++) {
        if (*at == '\\' || *at == '"') {
            text[used++] = '\\';
        }
        text[used++] = *at;
    }
    text[used] = '\0';
    return text;
}

static void put_gauge(struct bytes *out, const char *name, const char *help, uint64_t value)
{
    put_family(out, name, "gauge", help);
    put(out, "%s %llu\n", name, (unsigned long long)value);
}

static void put_counter(struct bytes *out, const char *name, const char *help, uint64_t value)
{
    put_family(out, name, "counter", help);
    put(out, "%s_total %llu\n", name, (unsigned long long)value);
}

// Milliseconds as seconds.
static void put_seconds(struct bytes *out, const char *name, const char *help, uint64_t ms)
{
    put_family(out, name, "gauge", help);
    put(out, "%s %llu.%03u\n", name, (unsigned long long)(ms / 1000), (unsigned)(ms % 1000));
}

static void put_histogram(struct bytes *out, const char *name, const char *help,
                          const struct stats_histogram *histogram)
{
    uint64_t count = 0;

    put_family(out, name, "histogram", help);
    for (size_t i = 0; i < STATS_BUCKETS; i++) {
        uint64_t bound = stats_bound_us[i];
        count += histogram->count[i];
        put(out, "%s_bucket{le=\"%llu.%04u\"} %llu\n", name, (unsigned long long)(bound / 1000000),
            (unsigned)(bound % 1000000 / 100), (unsigned long long)count);
    }
    count += histogram->count[STATS_BUCKETS];
    put(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %llu.%06u\n%s_count %llu\n", name,
        (unsigned long long)count, name, (unsigned long long)(histogram->sum_us / 1000000),
        (unsigned)(histogram->sum_us % 1000000), name, (unsigned long long)count);
}

static void put_files(struct bytes *out, const struct stats *stats)
{
    char text[LABEL_BYTES];

    put_family(out, "tallyd_files", "counter", "Files that ended, since the start");
    for (size_t i = 0; i < stats->feeds_count; i++) {
        for (int outcome = 0; outcome < STATS_OUTCOMES; outcome++) {
            put(out, "tallyd_files_total{feed=\"%s\",outcome=\"%s\"} %llu\n",
                label(stats->feed[i].name, text), file_outcome_name((enum file_outcome)outcome),
                (unsigned long long)stats->feed[i].files[outcome]);
        }
    }
    put_family(out, "tallyd_rows", "counter", "What the rows of accepted files did");
    for (size_t i = 0; i < stats->feeds_count; i++) {
        for (int what = 0; what < STATS_ROWS_COUNT; what++) {
            put(out, "tallyd_rows_total{feed=\"%s\",outcome=\"%s\"} %llu\n",
                label(stats->feed[i].name, text), stats_rows_name((enum stats_rows)what),
                (unsigned long long)stats->feed[i].rows[what]);
        }
    }
}

// Times of feeds: those that have none have no line.
static void put_feeds(struct bytes *out, const struct status_store *store)
{
    char text[LABEL_BYTES];

    put_family(out, "tallyd_feed_incidents", "gauge", "Incidents of the feed that count");
    for (size_t i = 0; i < store->feeds_count; i++) {
        put(out, "tallyd_feed_incidents{feed=\"%s\"} %llu\n", label(store->feed[i].name, text),
            (unsigned long long)store->feed[i].incidents);
    }
    put_family(out, "tallyd_feed_coverage_timestamp_seconds", "gauge",
               "The last day that the feed has reported on, at 00:00 UTC");
    for (size_t i = 0; i < store->feeds_count; i++) {
        if (store->feed[i].any_day) {
            put(out, "tallyd_feed_coverage_timestamp_seconds{feed=\"%s\"} %lld\n",
                label(store->feed[i].name, text), (long long)store->feed[i].last_day * DAY_S);
        }
    }
    put_family(out, "tallyd_feed_newest_timestamp_seconds", "gauge",
               "When the newest file of the feed was accepted");
    for (size_t i = 0; i < store->feeds_count; i++) {
        if (store->feed[i].newest_ms > 0) {
            put(out, "tallyd_feed_newest_timestamp_seconds{feed=\"%s\"} %lld\n",
                label(store->feed[i].name, text), (long long)store->feed[i].newest_ms / 1000);
        }
    }
}

static void put_rollups(struct bytes *out, const struct status *status)
{
    const struct status_store *store = status->store;
    char text[LABEL_BYTES];

    put_family(out, "tallyd_rollup_generation", "gauge", "The newest batch of the rollup's feeds");
    for (size_t i = 0; i < store->rollups_count; i++) {
        put(out, "tallyd_rollup_generation{rollup=\"%s\"} %llu\n",
            label(store->rollup[i].name, text), (unsigned long long)store->rollup[i].generation);
    }
    put_family(out, "tallyd_rollup_bytes", "gauge", "Size of the rollup's file and its patch");
    for (size_t i = 0; i < store->rollups_count; i++) {
        put(out, "tallyd_rollup_bytes{rollup=\"%s\"} %llu\n", label(store->rollup[i].name, text),
            (unsigned long long)status->rollup_bytes[i]);
    }
    put_family(out, "tallyd_rollup_patch_bytes", "gauge", "Size of the patch beside the file");
    for (size_t i = 0; i < store->rollups_count; i++) {
        put(out, "tallyd_rollup_patch_bytes{rollup=\"%s\"} %llu\n",
            label(store->rollup[i].name, text), (unsigned long long)store->rollup[i].patch_bytes);
    }
}

static void put_store(struct bytes *out, const struct status_store *store)
{
    char text[LABEL_BYTES];

    put_family(out, "tallyd_store", "gauge", "Where the ledger is, as a label");
    put(out, "tallyd_store{engine=\"%s\"} 1\n", store->engine);
    if (store->hosts_count > 0) {
        put_family(out, "tallyd_store_reachable", "gauge",
                   "1 where a server of the store answered when it was asked last");
    }
    for (size_t i = 0; i < store->hosts_count; i++) {
        put(out, "tallyd_store_reachable{host=\"%s\"} %d\n", label(store->host[i].name, text),
            store->host[i].reachable);
    }
}

void metrics_text(const struct status *status, struct bytes *out)
{
    const struct stats *stats = status->stats;
    uint64_t now_ms = (uint64_t)status->now_ms;

    put_family(out, "tallyd_build", "gauge", "The version, as a label");
    put(out, "tallyd_build{version=\"%s\"} 1\n", TALLY_VERSION);
    put_seconds(out, "tallyd_timestamp_seconds", "When this text was made", now_ms);
    put_seconds(out, "tallyd_start_timestamp_seconds", "When tallyd started",
                (uint64_t)status->started_ms);
    put_gauge(out, "tallyd_generation", "Batches in the ledger", status->store->batches);
    put_gauge(out, "tallyd_incidents", "Incidents that are kept, withdrawn ones included",
              status->store->incidents);
    put_gauge(out, "tallyd_files_waiting", "Files that wait to be read", status->waiting);
    put_seconds(out, "tallyd_oldest_waiting_seconds", "How long the oldest of them has waited",
                status->oldest_wait_ms);
    put_gauge(out, "tallyd_paused",
              "1 while nothing is taken in for want of room or of the store's servers",
              status->paused ? 1 : 0);
    put_gauge(out, "tallyd_memory_bytes", "Resident memory", status->memory_bytes);
    put_gauge(out, "tallyd_ledger_bytes", "Size of the ledger", status->ledger_bytes);
    put_counter(out, "tallyd_hints_lost", "Overflows of the kernel's queue", stats->hints_lost);
    put_counter(out, "tallyd_looks", "Looks at the inbox", stats->looks);
    put_counter(out, "tallyd_log_suppressed", "Lines of the log that were summed up",
                stats->suppressed);
    put_files(out, stats);
    put_feeds(out, status->store);
    put_rollups(out, status);
    put_store(out, status->store);
    put_histogram(out, "tallyd_commit_seconds", "From the last row of a file until it is safe",
                  &stats->commit);
    put_histogram(out, "tallyd_publish_seconds", "Writing the rollups that changed",
                  &stats->publish);
    put_histogram(out, "tallyd_fold_seconds", "Folding the patch of a rollup into its file",
                  &stats->fold);
    put(out, "# EOF\n");
}
