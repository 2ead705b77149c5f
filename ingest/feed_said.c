// ingest/feed_said.c - what a feed's keys were set to, and whether two feeds read the same by them.
#include "ingest/feed_map.h"
#include "ingest/feed_setting.h"

#include <stdlib.h>
#include <string.h>

bool setting_note(const struct feed_setting *setting)
{
    struct feed *feed = setting->feed;
    const char *value;

    if (!setting_keep(setting, setting->value, &value)) {
        return false;
    }
    struct feed_said said = {.value = {value, setting->value.bytes}};
    for (size_t i = 0; i < feed->said_count; i++) {
        if (strcmp(feed->said[i].key, setting->key) == 0) {
            feed->said[i].value = said.value;
            return true;
        }
    }
    struct feed_said *grown = realloc(feed->said, (feed->said_count + 1) * sizeof *grown);
    if (!grown) {
        return err_set(setting->err, TALLY_NO_MEMORY, "no memory for feed %s", feed->name);
    }
    feed->said = grown;
    if (!setting_keep(setting, text_of(setting->key), &said.key)) {
        return false;
    }
    feed->said[feed->said_count++] = said;
    return true;
}

static bool is_about_content(const char *key)
{
    return strcmp(key, "files") != 0 && strcmp(key, "reject_max") != 0;
}

// The last word on each key; one that was taken back is as good as never said.
static const struct feed_said *find_said(const struct feed *feed, const char *key)
{
    for (size_t i = 0; i < feed->said_count; i++) {
        if (strcmp(feed->said[i].key, key) == 0) {
            return feed->said[i].value.bytes > 0 ? &feed->said[i] : NULL;
        }
    }
    return NULL;
}

static bool says_all_of(const struct feed *feed, const struct feed *other)
{
    for (size_t i = 0; i < other->said_count; i++) {
        const struct feed_said *said = find_said(other, other->said[i].key);
        const struct feed_said *ours = find_said(feed, other->said[i].key);
        if (said && is_about_content(said->key) &&
            (!ours || !text_equal(ours->value, said->value))) {
            return false;
        }
    }
    return true;
}

bool feed_reads_alike(const struct feed *a, const struct feed *b)
{
    bool same = says_all_of(a, b) && says_all_of(b, a) && a->maps_count == b->maps_count;

    for (size_t i = 0; same && i < a->maps_count; i++) {
        const struct feed_map *map = feed_map_find(b, a->maps[i]->dim);
        same = map && feed_map_equal(a->maps[i], map);
    }
    return same;
}
