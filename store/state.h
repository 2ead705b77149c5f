// store/state.h - every incident once, at its newest revision, in memory.
//
//   (feed, id) --index--> incident { days, revision, dims, measures, where it came from }
//                             |
//                             +--> observers (day cells of each rollup): old taken off, new put on
//
// The state is a pure function of the ledger: it changes by state_apply only, and replaying the
// same batches gives the same state. Memory: about 48 bytes, 4 a dimension, 8 a measure and the
// id's own bytes an incident, and 12 for the index.
//
// Threads: one at a time.
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include "base/err.h"
#include "store/ledger_read.h"
#include "store/shape.h"
#include "store/texts.h"

#include <stddef.h>
#include <stdint.h>

enum {
    STATE_SHAPES_MAX = UINT16_MAX,
    STATE_INCIDENTS_MAX = UINT32_MAX / 2, // so that counts of incidents fit 32 bits
};

enum incident_flags {
    INCIDENT_WITHDRAWN = 1, // counts nowhere; may come back
    INCIDENT_TOMBSTONE = 2, // withdrawn by a deletion of `revision`: only a newer one comes back
    INCIDENT_REVISION_NUMBER = 4,
    INCIDENT_REVISION_TEXT = 8,
};

// Followed in memory by dims, measures, id and revision text; see the functions below.
struct incident {
    uint32_t batch; // that brought this version
    uint32_t record;
    uint32_t line;
    int32_t first_day;
    int32_t last_day;
    uint16_t shape;
    uint16_t flags;
    uint32_t id_bytes;
    uint32_t seen;     // mark of the batch at hand; never part of the content
    int64_t revision;  // number, or length of the text
    uint64_t reported; // bit m: measure m of the shape was given
};

// The newest revision of the snapshot in force for one scope value.
struct state_scope {
    uint32_t text; // code of the scope value; 0 for a whole feed
    struct revision newest;
    char *newest_text; // owned
};

struct state_feed {
    char *name;
    uint32_t text; // code of the name
    bool any_day;
    int32_t first_day; // of all rows ever accepted: the coverage
    int32_t last_day;
    int64_t newest_ms;         // when its newest batch was committed; 0: it has none
    bool claims;               // its rows are claims (store/claim.h)
    uint64_t live;             // incidents that count
    struct state_scope *scope; // sorted by text
    size_t scopes_count;
    size_t scopes_capacity;
};

struct state;

// Called when an incident starts (+1) or stops (-1) counting as it now stands.
typedef bool state_on_change(void *context, const struct state *state,
                             const struct incident *incident, int sign, struct tally_err *err);
struct state_observer {
    state_on_change *on_change;
    void *context;
};

struct state {
    struct texts texts;
    struct shape **shape;
    uint16_t *shape_feed; // index in feed
    size_t shapes_count;
    struct state_feed *feed;
    size_t feeds_count;
    unsigned char **chunk; // incidents stand in chunks, addressed by 8-byte units
    size_t chunks_count;
    uint32_t chunk_used; // units used in the newest chunk
    uint64_t *slot;      // hash << 32 | incident handle; 0 is free
    size_t slots;        // power of two
    size_t incidents;    // in the index, withdrawn ones included
    struct state_observer *observer;
    size_t observers_count;
};

// What a batch did.
struct batch_counts {
    uint64_t added;
    uint64_t revised;
    uint64_t withdrawn;
    uint64_t unchanged;
    uint64_t older;
    uint64_t conflicts; // equal revisions with different content
};

bool state_init(struct state *state, struct tally_err *err);
void state_done(struct state *state);
bool state_observe(struct state *state, state_on_change *on_change, void *context,
                   struct tally_err *err);
// Tells all of them; for state.c and state_forget.c.
bool state_notify(const struct state *state, const struct incident *incident, int sign,
                  struct tally_err *err);
void state_unobserve(struct state *state, const void *context); // absent is fine

// Index of a feed or a shape, added when new.
bool state_add_feed(struct state *state, const char *name, size_t bytes, uint32_t *out_feed,
                    struct tally_err *err);
bool state_add_shape(struct state *state, const struct shape *shape, uint16_t *out_shape,
                     struct tally_err *err);
const struct state_feed *state_find_feed(const struct state *state, const char *name);

// What a batch adds before its rows; cutting back forgets it again (an abandoned batch).
struct state_mark {
    uint32_t texts;
    size_t feeds;
    size_t shapes;
};
struct state_mark state_mark(const struct state *state);
void state_cut(struct state *state, struct state_mark mark);

struct incident *state_find(const struct state *state, uint32_t feed, const char *id,
                            size_t id_bytes);

// The parts of an incident.
const struct shape *state_shape(const struct state *state, const struct incident *incident);
const struct state_feed *state_feed_of(const struct state *state, const struct incident *incident);
const uint32_t *incident_dims(const struct incident *incident);
const int64_t *incident_measures(const struct state *state, const struct incident *incident);
const char *incident_id(const struct state *state, const struct incident *incident);
struct revision incident_revision(const struct state *state, const struct incident *incident);

// All incidents, in order of memory, withdrawn ones included; NULL ends. Start with {0}.
struct state_walk {
    size_t slot;
};
struct incident *state_next(const struct state *state, struct state_walk *walk);

// True when a row says exactly what is kept, revision included.
bool state_equals(const struct state *state, const struct incident *incident, uint16_t shape,
                  const struct ledger_row *row);

// One row of a committed batch.
struct state_batch {
    uint32_t number;
    enum batch_mode mode;
    uint16_t shape;
    uint32_t feed;
};
bool state_apply(struct state *state, const struct state_batch *batch, const struct ledger_row *row,
                 struct batch_counts *counts, struct tally_err *err);

// A batch of mode BATCH_FORGET: nothing of its feed counts any more, and nothing is remembered.
bool state_forget(struct state *state, const struct state_batch *batch, struct tally_err *err);

// What a batch says beside its rows: coverage and snapshots in force.
bool state_apply_end(struct state *state, const struct state_batch *batch,
                     const struct batch_end *end, struct tally_err *err);

// A file that made no batch: a superseded snapshot still says which days its feed covers.
void state_apply_note(struct state *state, const struct batch_end *end);

// The text code under which an incident is kept for a scope that dimension `scope_dim` of `shape`
// names; 0 when scope_dim is -1.
uint32_t state_kept_scope(const struct state *state, const struct incident *incident,
                          uint16_t shape, int scope_dim);

// The snapshot in force for a scope value, or NULL.
const struct state_scope *state_find_scope(const struct state *state, uint32_t feed, uint32_t text);

#endif
