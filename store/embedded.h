// store/embedded.h - the parts of the engine of this machine's ledger (private to embedded*.c and
// snapshot.c).
#ifndef STORE_EMBEDDED_H
#define STORE_EMBEDDED_H

#include "store/cells.h"
#include "store/committed.h"
#include "store/engine.h"
#include "store/ledger_write.h"
#include "store/packer.h"
#include "store/state.h"

// A batch that was accepted, found by the digest of its file.
struct accepted {
    struct digest digest;
    uint64_t batch;
    int64_t time_ms;
    uint64_t rejected;
    struct ledger_position at;
    uint32_t feed;  // whose incidents it changed: index in the state
    bool forgets;   // it is no file: what its feed brought before is forgotten
    bool forgotten; // the same bytes may come again
    char *file;
};

struct embedded_rollup {
    struct cells *cells;
    bool dirty;           // the file on disk is older than the cells
    bool patched;         // there may be a patch beside it
    uint64_t base_bytes;  // 0: it was not written since the start
    uint64_t patch_bytes; // of the patch of that base; 0: there is none
    uint64_t batches;
    uint64_t recent[ROLLUP_SOURCES_MAX]; // batch numbers, a ring
};

// A scope value that a snapshot names.
struct pending_scope {
    uint32_t place; // of its text in the packer
    uint32_t known; // its code in the state, or PACKER_UNKNOWN
};

// The batch at hand.
struct pending {
    bool open;
    struct state_mark mark; // what the state held before it
    uint64_t number;
    enum batch_mode mode;
    uint16_t shape;
    uint32_t feed;
    int scope_dim;
    struct ledger_position at; // of its BEGIN
    char *feed_name;           // that the file came in by
    char *file;
    uint64_t skipped_unchanged;
    uint64_t skipped_older;
    struct pending_scope *scope; // those seen
    size_t scopes_count;
    size_t scopes_capacity;
    unsigned char *scope_seen; // a bit a place
    size_t scope_seen_bytes;
    unsigned char *scope_known; // a bit a text code of the state
    size_t scope_known_bytes;
    uint32_t *leant_on; // scopes whose unchanged row made one of another scope older
    size_t leant_on_count;
    size_t leant_on_capacity;
    struct bytes newest_text;
    struct revision newest;
    uint64_t puts;
};

struct embedded {
    struct store common;
    uint64_t patch_from_bytes;
    int state_fd;
    int ledger_fd;
    int committed_fd;
    struct committed committed; // as the mark says it
    bool mark_unsynced;
    struct state state;
    struct ledger *ledger;
    bool broken; // a batch is on the disk and could not be applied
    struct ledger_reader *reader;
    int64_t last_time_ms; // of the newest batch or note: times in the ledger never step back
    struct accepted *accepted;
    size_t accepted_count;
    size_t accepted_capacity;
    size_t *accepted_slot; // index + 1
    size_t accepted_slots; // power of two
    struct embedded_rollup *rollup;
    size_t rollups_count;
    struct pending pending;
    struct packer packer; // of its rows
};

static inline struct embedded *embedded_of(struct store *common)
{
    return (struct embedded *)common; // its first member
}

static inline const struct embedded *embedded_of_const(const struct store *common)
{
    return (const struct embedded *)common;
}

// Remembers an accepted batch and marks the rollups of its feed as dirty. Takes over its file name,
// also on failure.
bool embedded_add_accepted(struct embedded *store, const struct accepted *accepted,
                           struct tally_err *err);
// A batch of one of the rollup's feeds: it is among its sources, and the file on disk is old.
void embedded_note_source(const struct embedded *store, struct embedded_rollup *rollup,
                          const struct accepted *accepted);
bool embedded_rollup_has_feed(const struct embedded_rollup *rollup, const char *feed);
void embedded_mark_feed(struct embedded *store,
                        const char *feed); // its rollups are to be published
// Moves the mark of what was committed to the end of the ledger.
void embedded_mark_committed(struct embedded *store, uint64_t batches);
// Rows that were set aside go to the ledger as they come.
bool embedded_put_rejects(struct embedded *store, const struct rows *rows, struct tally_err *err);
// Reads the batch at hand, which is whole in the ledger, back into the state, as a restart would.
bool embedded_apply(struct embedded *store, struct digest digest, uint64_t rejected,
                    struct store_outcome *out_outcome, struct tally_err *err);
const struct accepted *embedded_lookup(const struct embedded *store, struct digest digest);

// ---- the functions of engine.h ------------------------------------------------------------

void embedded_close(struct store *common);
bool embedded_is_broken(const struct store *common);
bool embedded_is_synced(const struct store *common);
uint64_t embedded_incidents(const struct store *common);
bool embedded_find_accepted(const struct store *common, struct digest digest,
                            struct store_accepted *out_accepted);
bool embedded_each_reject(const struct store *common, uint64_t key,
                          const struct replay_visitor *visitor, struct tally_err *err);

bool embedded_begin(struct store *common, const struct store_file *file, struct tally_err *err);
bool embedded_append(struct store *common, const struct rows *rows, struct tally_err *err);
struct store_open_batch embedded_open_batch(const struct store *common);
bool embedded_seal(struct store *common, const struct store_file_end *end,
                   struct store_outcome *out_outcome, struct tally_err *err);
bool embedded_abort(struct store *common, struct tally_err *err);
bool embedded_sync(struct store *common, struct tally_err *err);
bool embedded_note(struct store *common, enum file_outcome outcome, const char *feed,
                   const char *name, const struct store_file_end *file, const char *place,
                   const char *reason, struct tally_err *err);
bool embedded_forget(struct store *common, const char *feed, int64_t time_ms,
                     struct tally_err *err);

bool embedded_publish(struct store *common, struct tally_err *err);
bool embedded_needs_publishing(const struct store *common);
enum store_patches embedded_patches(const struct store *common);
bool embedded_fold(struct store *common, struct tally_err *err);
bool embedded_set_rollups(struct store *common, const struct rollup_def *defs, size_t count,
                          struct tally_err *err);

size_t embedded_feeds_count(const struct store *common);
struct store_feed_view embedded_feed_at(const struct store *common, size_t index);
size_t embedded_rollups_count(const struct store *common);
struct store_rollup_view embedded_rollup_at(const struct store *common, size_t index);

#endif
