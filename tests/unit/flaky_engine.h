// tests/unit/flaky_engine.h - a store whose servers cannot be reached, on demand.
//
//   loop, intake, group --store.h--> flaky table --.left[what] > 0--> TALLY_UNAVAILABLE
//                                                \--0--> the embedded engine
//
// The ledger is a real one, so that what comes of the files can be looked at.
#ifndef TESTS_FLAKY_ENGINE_H
#define TESTS_FLAKY_ENGINE_H

#include "store/embedded.h"
#include "store/engine.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

enum flaky_call {
    FLAKY_BEGIN,
    FLAKY_APPEND,
    FLAKY_SEAL,
    FLAKY_SYNC,
    FLAKY_PUBLISH,
    FLAKY_REFRESH,
    FLAKY_CALLS,
};

// One at a time, as the table has no context. Set before a worker has the store.
static struct flaky {
    const struct store_engine *real;
    struct store_engine table;
    unsigned left[FLAKY_CALLS];  // so many calls still fail
    unsigned calls[FLAKY_CALLS]; // that were made
    unsigned published;
    unsigned end_after;     // SIGTERM when rollups were written so often; 0: never
    unsigned end_at_seals;  // or when so many batches were sealed
    bool end_while_waiting; // SIGTERM comes while a call waits for its server
    bool breaks;            // a sync that fails breaks the store
    bool waited;            // and was told to give up
} flaky;

static bool flaky_waits(const struct store *store)
{
    struct pollfd stop = {.fd = store->stop_fd, .events = POLLIN};

    kill(getpid(), SIGTERM);
    return poll(&stop, 1, 10000) == 1;
}

// False: this call fails.
static bool flaky_goes(const struct store *store, enum flaky_call what, struct tally_err *err)
{
    flaky.calls[what]++;
    if (flaky.left[what] == 0) {
        return true;
    }
    flaky.left[what]--;
    if (flaky.end_while_waiting) {
        flaky.waited = flaky_waits(store);
    }
    return err_set(err, TALLY_UNAVAILABLE, "server %u cannot be reached", (unsigned)what);
}

static bool flaky_begin(struct store *store, const struct store_file *file, struct tally_err *err)
{
    return flaky_goes(store, FLAKY_BEGIN, err) && flaky.real->begin(store, file, err);
}

static bool flaky_append(struct store *store, const struct rows *rows, struct tally_err *err)
{
    return flaky_goes(store, FLAKY_APPEND, err) && flaky.real->append(store, rows, err);
}

static bool flaky_seal(struct store *store, const struct store_file_end *end,
                       struct store_outcome *out_outcome, struct tally_err *err)
{
    bool ok = flaky_goes(store, FLAKY_SEAL, err) && flaky.real->seal(store, end, out_outcome, err);

    if (ok && flaky.end_at_seals > 0 && --flaky.end_at_seals == 0) {
        kill(getpid(), SIGTERM);
    }
    return ok;
}

static bool flaky_sync(struct store *store, struct tally_err *err)
{
    bool goes = flaky_goes(store, FLAKY_SYNC, err);

    embedded_of(store)->broken = !goes && flaky.breaks;
    return goes && flaky.real->sync(store, err);
}

static bool flaky_publish(struct store *store, struct tally_err *err)
{
    bool ok = flaky_goes(store, FLAKY_PUBLISH, err) && flaky.real->publish(store, err);

    flaky.published += ok;
    if (ok && flaky.published == flaky.end_after) {
        kill(getpid(), SIGTERM);
    }
    return ok;
}

static bool flaky_refresh(struct store *store, struct tally_err *err)
{
    return flaky_goes(store, FLAKY_REFRESH, err);
}

// From now on `store`, an embedded one, goes through the table. `shared`: others may write to it.
static void flaky_wrap(struct store *store, bool shared)
{
    flaky = (struct flaky){.real = store->engine, .table = *store->engine};
    flaky.table.begin = flaky_begin;
    flaky.table.append = flaky_append;
    flaky.table.seal = flaky_seal;
    flaky.table.sync = flaky_sync;
    flaky.table.publish = flaky_publish;
    flaky.table.refresh = shared ? flaky_refresh : NULL;
    store->engine = &flaky.table;
}

#endif
