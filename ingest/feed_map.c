#include "ingest/feed_map.h"

#include "base/disk.h"
#include "ingest/memory.h"
#include "ingest/records.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { MAP_BYTES_MAX = 64 << 20 };

void feed_map_close(struct feed_map *map)
{
    dict_done(&map->from);
    for (size_t i = 0; i < map->to.count; i++) {
        free((char *)map->to.items[i].at);
    }
    free(map->to.items);
    free(map);
}

const struct feed_map *feed_map_find(const struct feed *feed, const char *dim)
{
    for (size_t i = 0; i < feed->maps_count; i++) {
        if (strcmp(feed->maps[i]->dim, dim) == 0) {
            return feed->maps[i];
        }
    }
    return NULL;
}

bool feed_map_equal(const struct feed_map *a, const struct feed_map *b)
{
    bool same = a->to.count == b->to.count && a->from.texts.count == b->from.texts.count &&
                (a->from.texts.count == 0 ||
                 memcmp(a->from.texts.data, b->from.texts.data, a->from.texts.count) == 0);

    for (size_t i = 0; same && i < a->to.count; i++) {
        same = text_equal(a->to.items[i], b->to.items[i]);
    }
    return same;
}

struct text feed_map_text(const struct feed_map *map, struct text text)
{
    uint32_t index;

    return dict_find(&map->from, text, &index) ? map->to.items[index] : text;
}

static bool add_pair(struct feed_map *map, struct text from, struct text to, struct tally_err *err)
{
    uint32_t index;

    if (!text_is_utf8(from) || !text_is_utf8(to)) {
        return err_set(err, TALLY_INVALID, "not UTF-8");
    }
    if (dict_find(&map->from, from, &index)) {
        return text_equal(map->to.items[index], to) ||
               err_set(err, TALLY_INVALID, "\"%.*s\" is mapped to two texts", (int)from.bytes,
                       from.at);
    }
    struct text *items = realloc(map->to.items, (map->to.count + 1) * sizeof *items);
    if (!items) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a mapping file");
    }
    map->to.items = items;
    char *copy = text_copy(to);
    if (!copy) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a mapping file");
    }
    items[map->to.count++] = (struct text){.at = copy, .bytes = to.bytes};
    return dict_add(&map->from, from, (uint32_t)(map->to.count - 1), err);
}

// Which of the two columns is `from`; -1: the record is no header.
static int header_of(const struct record *record)
{
    struct text first = text_trim(record->fields[0]);
    struct text second = text_trim(record->fields[1]);

    if (text_is_ignoring_case(first, "from") && text_is_ignoring_case(second, "to")) {
        return 0;
    }
    return text_is_ignoring_case(first, "to") && text_is_ignoring_case(second, "from") ? 1 : -1;
}

static bool read_pairs(struct records *records, struct feed_map *map, const char *path,
                       struct tally_err *err)
{
    const struct record *record;
    enum records_step step;
    int from = 0;
    bool first = true;

    while ((step = records_next(records, &record, err)) == RECORDS_RECORD) {
        if (record->fields_count != 2) {
            err_set(err, TALLY_INVALID, "a mapping file has two columns, from and to; here are %zu",
                    record->fields_count);
            return err_place(err, "%s:%llu", path, (unsigned long long)record->line);
        }
        int header = first ? header_of(record) : -1;
        first = false;
        from = header >= 0 ? header : from;
        if (header < 0 && !add_pair(map, text_trim(record->fields[from]),
                                    text_trim(record->fields[1 - from]), err)) {
            return err_place(err, "%s:%llu", path, (unsigned long long)record->line);
        }
    }
    if (step == RECORDS_BROKEN || step == RECORDS_CUT_SHORT) {
        err_set(err, TALLY_INVALID, "%s", record->detail);
        return err_place(err, "%s:%llu", path, (unsigned long long)record->line);
    }
    return step == RECORDS_END;
}

static bool read_map(struct feed_map *map, const char *path, struct tally_err *err)
{
    struct memory memory = {0};
    unsigned char *data = NULL;
    struct records_dialect dialect = {.delimiter = ',', .quoted = true};

    if (!disk_load(AT_FDCWD, path, MAP_BYTES_MAX, &data, &memory.count, err)) {
        return false;
    }
    memory.data = data;
    struct decode *decode = decode_open(NULL, memory_pull, &memory, err);
    struct records *records =
        decode ? records_open(dialect, &ingest_limits_default, decode_read, decode, err) : NULL;
    bool ok = records && read_pairs(records, map, path, err);
    records_close(records);
    decode_close(decode);
    free(data);
    return ok;
}

static void forget(struct feed *feed, const char *dim)
{
    for (size_t i = 0; i < feed->maps_count; i++) {
        if (strcmp(feed->maps[i]->dim, dim) == 0) {
            feed_map_close(feed->maps[i]);
            feed->maps[i] = feed->maps[--feed->maps_count];
            return;
        }
    }
}

bool feed_map_set(struct feed *feed, const char *dim, const char *path, struct tally_err *err)
{
    forget(feed, dim);
    if (!path) {
        return true;
    }
    if (feed->maps_count == SHAPE_DIMS_MAX) {
        return err_set(err, TALLY_INVALID, "map.%s: too many mapping files", dim);
    }
    struct feed_map *map = calloc(1, sizeof *map);
    if (!map) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a mapping file");
    }
    dict_init(&map->from);
    map->dim = arena_text(&feed->boot, dim, strlen(dim), err);
    if (!map->dim || !read_map(map, path, err)) {
        feed_map_close(map);
        return err_wrap(err, "map.%s", dim);
    }
    feed->maps[feed->maps_count++] = map;
    return true;
}
