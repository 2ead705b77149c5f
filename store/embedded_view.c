// store/embedded_view.c - what the store holds, for a status (contracts in store.h).
#include "store/embedded.h"

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

size_t embedded_feeds_count(const struct store *common)
{
    const struct embedded *store = embedded_of_const(common);
    return store->state.feeds_count;
}

struct store_feed_view embedded_feed_at(const struct store *common, size_t index)
{
    const struct embedded *store = embedded_of_const(common);
    assert(index < store->state.feeds_count);
    return view_of(&store->state.feed[index]);
}

size_t embedded_rollups_count(const struct store *common)
{
    const struct embedded *store = embedded_of_const(common);
    return store->rollups_count;
}

struct store_rollup_view embedded_rollup_at(const struct store *common, size_t index)
{
    const struct embedded *store = embedded_of_const(common);
    assert(index < store->rollups_count);
    const struct embedded_rollup *rollup = &store->rollup[index];
    uint64_t newest =
        rollup->batches ? rollup->recent[(rollup->batches - 1) % ROLLUP_SOURCES_MAX] : 0;
    return (struct store_rollup_view){.name = cells_def(rollup->cells)->name,
                                      .generation = newest,
                                      .patch_bytes = rollup->patch_bytes,
                                      .waits = rollup->dirty};
}
