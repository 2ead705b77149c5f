#include "daemon/stats.h"

#include <stdlib.h>
#include <string.h>

const uint64_t stats_bound_us[STATS_BUCKETS] = {
    1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 1000000, 5000000, 10000000, 60000000};

const char *stats_rows_name(enum stats_rows what)
{
    static const char *const names[] = {
        [STATS_ADDED] = "added",         [STATS_REVISED] = "revised",
        [STATS_WITHDRAWN] = "withdrawn", [STATS_UNCHANGED] = "unchanged",
        [STATS_OLDER] = "older",         [STATS_REJECTED] = "rejected"};

    return names[what];
}

void stats_done(struct stats *stats)
{
    for (size_t i = 0; i < stats->feeds_count; i++) {
        free(stats->feed[i].name);
    }
    free(stats->feed);
    *stats = (struct stats){0};
}

const struct stats_feed *stats_find_feed(const struct stats *stats, const char *name)
{
    for (size_t i = 0; i < stats->feeds_count; i++) {
        if (strcmp(stats->feed[i].name, name) == 0) {
            return &stats->feed[i];
        }
    }
    return NULL;
}

static struct stats_feed *add_feed(struct stats *stats, const char *name)
{
    struct stats_feed *feed = realloc(stats->feed, (stats->feeds_count + 1) * sizeof *feed);

    if (!feed) {
        return NULL;
    }
    stats->feed = feed;
    struct stats_feed fresh = {.name = strdup(name)};
    if (!fresh.name) {
        return NULL;
    }
    feed[stats->feeds_count] = fresh;
    return &feed[stats->feeds_count++];
}

void stats_know_feed(struct stats *stats, const char *name)
{
    if (!stats_find_feed(stats, name)) {
        (void)add_feed(stats, name);
    }
}

void stats_note_file(struct stats *stats, const struct stats_file *file)
{
    struct stats_feed *feed = (struct stats_feed *)stats_find_feed(stats, file->feed);

    stats->recent[stats->files++ % STATS_RECENT_MAX] = *file;
    if (!feed && (feed = add_feed(stats, file->feed)) == NULL) {
        return;
    }
    feed->files[file->outcome]++;
    if (file->outcome == FILE_ACCEPTED) {
        feed->rows[STATS_ADDED] += file->counts.added;
        feed->rows[STATS_REVISED] += file->counts.revised;
        feed->rows[STATS_WITHDRAWN] += file->counts.withdrawn;
        feed->rows[STATS_UNCHANGED] += file->counts.unchanged;
        feed->rows[STATS_OLDER] += file->counts.older;
        feed->rows[STATS_REJECTED] += file->rejected;
    }
}

void stats_note_time(struct stats_histogram *histogram, uint64_t us)
{
    size_t bucket = 0;

    while (bucket < STATS_BUCKETS && us > stats_bound_us[bucket]) {
        bucket++;
    }
    histogram->count[bucket]++;
    histogram->sum_us += us;
}

uint64_t stats_count(const struct stats_histogram *histogram)
{
    uint64_t count = 0;

    for (size_t i = 0; i <= STATS_BUCKETS; i++) {
        count += histogram->count[i];
    }
    return count;
}
