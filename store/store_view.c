// store/store_view.c - what the store holds, for a status (contracts in store.h).
#include "store/store_private.h"

#include <assert.h>

static struct store_feed_view view_of(const struct state_feed *feed)
{
    return (struct store_feed_view){.name = feed->name,
                                    .any_day = feed->any_day,
                                    .first_day = feed->first_day,
                                    .last_day = feed->last_day,
                                    .newest_ms = feed->newest_ms,
                                    .incidents = feed->live};
}

size_t store_feeds_count(const struct store *store)
{
    return store->state.feeds_count;
}

struct store_feed_view store_feed_at(const struct store *store, size_t index)
{
    assert(index < store->state.feeds_count);
    return view_of(&store->state.feed[index]);
}

bool store_find_feed(const struct store *store, const char *name, struct store_feed_view *out_view)
{
    const struct state_feed *feed = state_find_feed(&store->state, name);

    if (feed) {
        *out_view = view_of(feed);
    }
    return feed != NULL;
}

size_t store_rollups_count(const struct store *store)
{
    return store->rollups_count;
}

struct store_rollup_view store_rollup_at(const struct store *store, size_t index)
{
    assert(index < store->rollups_count);
    const struct store_rollup *rollup = &store->rollup[index];
    uint64_t newest =
        rollup->batches ? rollup->recent[(rollup->batches - 1) % ROLLUP_SOURCES_MAX] : 0;
    return (struct store_rollup_view){.name = cells_def(rollup->cells)->name,
                                      .generation = newest,
                                      .patch_bytes = rollup->patch_bytes,
                                      .waits = rollup->dirty};
}
