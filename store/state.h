// store/state.h - every incident once, at its newest revision, in memory.
//
//   (feed, id) --index--> incident { days, revision, dims, values }
//                             |
//                             +--> observers (day cells of each rollup): old taken off, new put on
//
//   dims:   text codes of its dimensions
//   values: code of { which measures were given, the measures }, shared by all that have the same
//
// The state is a pure function of the ledger: it changes by state_apply only, and replaying the
// same batches gives the same state. Memory an incident: store/incidents.h, and some 60 bytes for
// the head of an id, a revision or values that no other incident has.
//
// Threads: one at a time.
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include "base/err.h"
#include "base/team.h"
#include "store/id.h"
#include "store/incidents.h"
#include "store/ledger_read.h"
#include "store/shape.h"
#include "store/texts.h"

#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STATE_SHAPES_MAX = UINT16_MAX,
    STATE_MARKS = 8, // values of incident_seen that one batch may use
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
    int64_t newest_ms; // when its newest batch was committed; 0: it has none
    bool claims;       // its rows are claims (store/claim.h)
    uint64_t live;     // incidents that count
    struct incidents incidents;
    struct state_scope *scope; // sorted by text
    size_t scopes_count;
    size_t scopes_capacity;
};

struct state;

// Called when an incident starts (+1) or stops (-1) counting as it now stands. `core`: which of the
// cores that tell it, below TEAM_PARTS_MAX; STATE_ALONE: no other one does.
#define STATE_ALONE UINT_MAX
typedef bool state_on_change(void *context, const struct state *state,
                             const struct incident *incident, int sign, unsigned core,
                             struct tally_err *err);
struct state_observer {
    state_on_change *on_change;
    // Before several cores tell it of some rows, in no order of theirs but that of each incident.
    // NULL: it is told by one alone.
    bool (*on_cores_begin)(void *context, const struct state *state, struct tally_err *err);
    void *context; // for state_observe to set
};

struct state {
    struct texts texts;  // of dimensions, feeds and scopes
    struct texts names;  // heads of ids, revisions that are no numbers
    struct texts values; // arrays: reported, measures; 64 bits each
    struct shape **shape;
    uint16_t *shape_feed; // index in feed
    size_t shapes_count;
    struct state_feed *feed;
    size_t feeds_count;
    bool keeps_origins;
    unsigned mark; // incidents seen by the batch at hand have it, or up to STATE_MARKS - 1 more
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
// From now on each incident remembers which row said it. Requires: there is none yet.
void state_keep_origins(struct state *state);
void state_done(struct state *state);
bool state_observe(struct state *state, const struct state_observer *observer, void *context,
                   struct tally_err *err);
// Tells all of them; for state_apply.c and state_forget.c.
bool state_notify(const struct state *state, const struct incident *incident, int sign,
                  unsigned core, struct tally_err *err);
// Before they are told by several cores. *out_alone: one of them cannot be.
bool state_notify_begin(const struct state *state, bool *out_alone, struct tally_err *err);
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

uint64_t state_incidents(const struct state *state); // withdrawn ones included

// NULL: absent. It stays where it is until a row of its feed needs more room (incidents_fit).
struct incident *state_find(const struct state *state, uint32_t feed, const char *id,
                            size_t id_bytes);

// The parts of an incident.
const struct shape *state_shape(const struct state *state, const struct incident *incident);
const struct state_feed *state_feed_of(const struct state *state, const struct incident *incident);
int32_t incident_last_day(const struct state *state, const struct incident *incident);
uint32_t incident_dim(const struct state *state, const struct incident *incident, size_t dim);
uint32_t incident_values(const struct state *state, const struct incident *incident); // their code
uint64_t incident_reported(const struct state *state, const struct incident *incident); // bits
const int64_t *incident_measures(const struct state *state, const struct incident *incident);
// What a code of values stands for: the bits of what is reported, then the measures.
const int64_t *state_values(const struct state *state, uint32_t code);
void incident_id(const struct state *state, const struct incident *incident, struct id_text *out);
struct revision incident_revision(const struct state *state, const struct incident *incident);
// Requires: state_keep_origins.
struct incident_origin incident_origin(const struct state *state, const struct incident *incident);

// All incidents, feed by feed, withdrawn ones included; NULL ends. Start with {0}. The order is
// that of memory (incidents_next): it means nothing, but the same ledger gives the same one.
struct state_walk {
    size_t feed;
    struct incidents_walk at;
};
struct incident *state_next(const struct state *state, struct state_walk *walk);
// A walk whose next incident is the one behind the first `index` of all.
struct state_walk state_walk_from(const struct state *state, uint64_t index);

// One row of a committed batch.
struct state_batch {
    uint32_t number;
    enum batch_mode mode;
    uint16_t shape;
    uint32_t feed;
};

// A row by the state's own codes.
struct state_row {
    uint64_t id;
    int64_t revision;     // a number, or the code of a name; 0 where there is none
    const uint32_t *dims; // of ROWS_PUT
    uint32_t values;
    int32_t first_day;
    int32_t last_day;
    uint32_t record; // where it stood: struct incident_origin
    uint32_t line;
    uint8_t op;            // enum rows_op
    uint8_t revision_kind; // enum revision_kind
};
static inline uint32_t state_row_lasts(const struct state_row *row)
{
    return (uint32_t)(row->last_day - row->first_day);
}

// The codes, given new ones where need be.
bool state_take_values(struct state *state, size_t measures_count, uint64_t reported,
                       const int64_t *measures, uint32_t *out_values, struct tally_err *err);
bool state_take_row(struct state *state, uint16_t shape, const struct ledger_row *row,
                    struct state_row *out_row, struct tally_err *err);

// The code where it is known. False: no incident has this.
bool state_find_values(const struct state *state, size_t measures_count, uint64_t reported,
                       const int64_t *measures, uint32_t *out_values);

// A new mark, for a batch that begins.
void state_next_mark(struct state *state);

bool state_apply(struct state *state, const struct state_batch *batch, const struct state_row *row,
                 struct batch_counts *counts, struct tally_err *err);

// The same of many rows. The rows of each id are applied one after the other, and nothing depends
// on those of other ids: so rows go in lanes by the part that they are of, and whichever core is
// free takes the next lane, where all who observe can be told by several.
//
//   slice   lane 0: rows of parts 0-127 | lane 1: rows of parts 128-255     by order of the batch
//   slice   lane 0: rows of parts 0-127 | lane 1: rows of parts 128-255     and behind the first
//
// Slices are frames that several cores unpacked at once (store/unpacker.h).
struct state_slice {
    struct state_row *row[TEAM_PARTS_MAX]; // by lane
    uint32_t count[TEAM_PARTS_MAX];
    uint32_t of_part[INCIDENTS_PARTS]; // how many rows each part has
};
struct state_rows {
    struct state_slice *slice;
    unsigned slices;
    unsigned lanes;
    bool puts_only;             // all rows are ROWS_PUT
    bool index_later;           // see state_index_rows; for the caller to set
    uint32_t count;             // rows of all
    struct incidents_need need; // of all
};
// Which lane the rows of a part go in.
static inline unsigned state_lane(uint8_t part, unsigned lanes)
{
    return part * lanes / INCIDENTS_PARTS;
}
bool state_apply_rows(struct state *state, const struct state_batch *batch,
                      const struct state_rows *rows, struct batch_counts *counts,
                      struct tally_err *err);

// The same in steps, for cores that do something else beside it: begin; apply on each of them,
// which returns when no lane is left to take; end, when it has returned on all. Meanwhile nothing
// else of the state changes. begin may fail, and then there is nothing to end.
struct state_applying {
    struct state *state;
    const struct state_batch *batch;
    const struct state_rows *rows;
    unsigned cores;   // at most so many
    atomic_uint next; // lane that nobody has taken
    struct state_applied {
        unsigned core; // for who observes
        struct batch_counts counts;
        uint64_t rows; // so far
        bool failed;
        struct tally_err err;
    } core[TEAM_PARTS_MAX];
};
bool state_rows_begin(struct state_applying *applying, struct state *state,
                      const struct state_batch *batch, const struct state_rows *rows,
                      struct tally_err *err);
void state_rows_apply(struct state_applying *applying, unsigned core);
bool state_rows_end(struct state_applying *applying, struct batch_counts *counts,
                    struct tally_err *err);

// Rows of a batch that are most likely all new may be appended first, and looked up in the index
// when all of them are there (incidents_append): rows->index_later. Until this has been called,
// nothing is found, and `counts` know nothing of them. Requires of such rows: puts_only, and nobody
// observes. Errors: TALLY_NO_MEMORY; TALLY_LIMIT.
bool state_index_rows(struct state *state, const struct state_batch *batch,
                      struct batch_counts *counts, struct tally_err *err);

// A revision by the state's codes; for state_apply.c.
struct revision state_revision(const struct state *state, enum revision_kind kind,
                               int64_t revision);

// A batch of mode BATCH_FORGET: nothing of its feed counts any more, and nothing is remembered.
bool state_forget(struct state *state, const struct state_batch *batch, struct tally_err *err);

// What a batch says beside its rows: coverage and snapshots in force.
bool state_apply_end(struct state *state, const struct state_batch *batch,
                     const struct batch_end *end, struct tally_err *err);

// The next scope value of a snapshot: its text's code, given a new one where need be.
struct state_end_scope {
    uint32_t text;
    bool in_force;
};
bool state_take_scope(struct state *state, const struct batch_end *end, struct cursor *list,
                      struct state_end_scope *out_scope, struct tally_err *err);

// A file that made no batch: a superseded snapshot still says which days its feed covers.
void state_apply_note(struct state *state, const struct batch_end *end);

// The text code under which an incident is kept for a scope that dimension `scope_dim` of `shape`
// names; 0 when scope_dim is -1.
uint32_t state_kept_scope(const struct state *state, const struct incident *incident,
                          uint16_t shape, int scope_dim);

// The snapshot in force for a scope value, or NULL.
const struct state_scope *state_find_scope(const struct state *state, uint32_t feed, uint32_t text);

#endif
