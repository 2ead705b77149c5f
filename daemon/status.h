// daemon/status.h - one moment of the daemon, for people and for machines.
//
//     the loop --fills--> struct status --status_json--> tally status
//                                       --metrics_text-> node_exporter, tally status --format
//                                       openmetrics
//
// What the store says is copied whenever no worker has it (status_store), so that a status can be
// given while a large file is being committed.
#ifndef DAEMON_STATUS_H
#define DAEMON_STATUS_H

#include "base/bytes.h"
#include "base/err.h"
#include "daemon/config.h"
#include "daemon/pause.h"
#include "daemon/stats.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

struct status_feed {
    char *name;
    bool any_day;
    int32_t first_day; // coverage
    int32_t last_day;
    int64_t newest_ms;  // when its newest batch was committed; 0: it has none
    uint64_t incidents; // that count
};

struct status_rollup {
    char *name;
    uint64_t generation;
    uint64_t patch_bytes;
    bool waits; // to be published
};

struct status_host {
    char *name;
    bool reachable; // when it was asked last
};

struct status_store {
    const char *engine; // of [store]
    struct status_host *host;
    size_t hosts_count; // 0: it is on this machine
    uint64_t batches;
    uint64_t incidents; // withdrawn ones included
    struct status_feed *feed;
    size_t feeds_count;
    struct status_rollup *rollup;
    size_t rollups_count;
};

// Copies what the store says now, and the feeds that are configured and have nothing yet. Requires:
// no worker has it. Keeps the old copy and fails without memory.
bool status_store_take(struct status_store *copy, const struct store *store,
                       const struct config *config, struct tally_err *err);
// The same of its servers alone.
bool status_hosts_take(struct status_store *copy, const struct store *store, struct tally_err *err);
void status_store_done(struct status_store *copy);

// The file that is being read.
struct status_file {
    const char *name; // NULL: none
    uint64_t bytes;
    uint64_t bytes_total;
    uint64_t rows;
    uint64_t elapsed_ms;
};

// About how long the rest takes, when it goes on as it did; false before there is anything to say.
bool status_expected_ms(const struct status_file *file, uint64_t *out_ms);

struct status {
    int64_t now_ms;
    int64_t started_ms;
    uint64_t waiting;          // files in the inbox, or in claimed/ from before
    uint64_t oldest_wait_ms;   // of them; 0: none waits
    bool paused;               // no room on the disk, or no server of the store's
    const struct pause *pause; // why; its event is NULL while all goes on
    uint64_t paused_ms;        // since when
    bool reloading;
    bool stopping;
    struct status_file file;
    uint64_t memory_bytes;
    uint64_t ledger_bytes;
    const uint64_t *rollup_bytes; // in the order of store->rollup
    const struct stats *stats;
    const struct status_store *store;
};

// One line of JSON without its line end, appended. Errors: TALLY_NO_MEMORY.
bool status_json(const struct status *status, struct bytes *out, struct tally_err *err);

#endif
