// store/engine.h - what stands behind store.h: one table of functions an engine.
//
//   daemon --store.h--> store.c --struct store_engine--> embedded*.c           ledger, this machine
//                                                   \--> cluster/cluster_*.c   servers
//
// An engine's store begins with a `struct store`, and whatever asks for a store goes by its table
// alone: no other code asks which engine it is. The contracts are those of store.h. Besides:
//
// Waiting: what asks servers gives up with TALLY_UNAVAILABLE once stop_fd is readable, wherever it
// is, and calls progress_step at least once a second while it waits. `abort`, `close` and whatever
// takes a const store but each_reject ask no server: the loop thread calls them.
// Refusals: what an engine cannot do at all is NULL where that is allowed below, and store.c says
// so (TALLY_UNSUPPORTED), or does nothing where nothing is meant.
#ifndef STORE_ENGINE_H
#define STORE_ENGINE_H

#include "base/bytes.h"
#include "store/store.h"

#include <sys/types.h>

// What decides whether the batch that is open becomes one (store_seal).
struct store_open_batch {
    enum batch_mode mode;
    const char *feed;
    const char *file;
    uint64_t puts;
    size_t scopes_in_force; // of a snapshot
};

struct store_engine {
    const char *name; // "ledger", as in [store] engine
    void (*close)(struct store *store);

    bool (*is_broken)(const struct store *store);
    bool (*is_synced)(const struct store *store);
    uint64_t (*incidents)(const struct store *store);
    bool (*find_accepted)(const struct store *store, struct digest digest,
                          struct store_accepted *out_accepted);

    bool (*begin)(struct store *store, const struct store_file *file, struct tally_err *err);
    bool (*append)(struct store *store, const struct rows *rows, struct tally_err *err);
    struct store_open_batch (*open_batch)(const struct store *store); // its texts outlive an abort
    // Of a batch that becomes one.
    bool (*seal)(struct store *store, const struct store_file_end *end,
                 struct store_outcome *out_outcome, struct tally_err *err);
    bool (*abort)(struct store *store, struct tally_err *err);
    bool (*sync)(struct store *store, struct tally_err *err);
    bool (*note)(struct store *store, enum file_outcome outcome, const char *feed, const char *name,
                 const struct store_file_end *end, const char *place, const char *reason,
                 struct tally_err *err);
    bool (*each_reject)(const struct store *store, uint64_t key,
                        const struct replay_visitor *visitor, struct tally_err *err);

    bool (*publish)(struct store *store, struct tally_err *err);
    bool (*needs_publishing)(const struct store *store);
    bool (*set_rollups)(struct store *store, const struct rollup_def *defs, size_t count,
                        struct tally_err *err);

    size_t (*feeds_count)(const struct store *store);
    struct store_feed_view (*feed_at)(const struct store *store, size_t index);
    size_t (*rollups_count)(const struct store *store);
    struct store_rollup_view (*rollup_at)(const struct store *store, size_t index);

    // NULL: it makes no difference how feeds are ordered.
    bool (*set_feeds)(struct store *store, const struct store_feed *feeds, size_t count,
                      struct tally_err *err);
    // NULL: nobody else writes to it (store_is_shared).
    bool (*refresh)(struct store *store, struct tally_err *err);
    // NULL: TALLY_UNSUPPORTED.
    bool (*forget)(struct store *store, const char *feed, int64_t time_ms, struct tally_err *err);
    // Both NULL: rollups have no patches.
    enum store_patches (*patches)(const struct store *store);
    bool (*fold)(struct store *store, struct tally_err *err);
    // Both NULL: it has no servers.
    size_t (*hosts_count)(const struct store *store);
    struct store_host_view (*host_at)(const struct store *store, size_t index);
};

// The first member of an engine's own struct.
struct store {
    const struct store_engine *engine;
    struct progress progress; // store_watch
    int stop_fd;              // of the options
    int rollup_fd;            // the folder of the rollups' files, opened by store_open_folder
    uint64_t batches;         // number of the newest
    uint64_t recovered_bytes; // store_recovered_bytes
};

// What both engines begin with; rollup_fd is -1.
void store_init(struct store *store, const struct store_engine *engine,
                const struct store_options *options);

// A progress callback whose context is the store: for readers and servers, so that store_watch
// holds for them too.
void store_on_step(void *context);

// A folder below the state's, made if absent. -1: err says why. What was made is lasting once the
// caller synced dir_fd.
int store_open_folder(int dir_fd, const char *name, mode_t mode, struct tally_err *err);

// A rollup is published after its batches were committed: one whose file on the disk knows more
// batches than store->batches proves that some were lost. TALLY_CORRUPT.
bool store_check_generation(const struct store *store, const char *rollup, struct tally_err *err);

// NAME.rollup becomes `file`, at once and for good; costs a sync of the folder where it says the
// same already.
enum { STORE_PATH_BYTES = ROLLUP_NAME_BYTES_MAX + 24 };
bool store_put_rollup(const struct store *store, const char *rollup, const struct bytes *file,
                      struct tally_err *err);

#endif
