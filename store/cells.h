// store/cells.h - the day cells of one rollup, kept up to date incident by incident.
//
//   group (country, admin1)        cell: first day -> incidents, sums, reported
//     [Pakistan, Sindh]     --->     2009-05-01:  3   17  3
//                                    2009-05-02:  1    2  1
//                           --->   span: (first day, last day) -> the same, for incidents that
//                                    last more than a day; they stand in the cells as well
//
// Adding and then taking off the same incident restores the same content. A group that became empty
// stays in memory and is left out of what is written.
#ifndef STORE_CELLS_H
#define STORE_CELLS_H

#include "base/err.h"
#include "store/rollup_def.h"
#include "store/rollup_read.h"
#include "store/state.h"

#include <stddef.h>
#include <stdint.h>

struct cells;

// `def` is copied by its encoding. Attaches itself to the state as an observer and takes in what
// the state holds already.
struct cells *cells_open(struct state *state, const struct rollup_def *def, struct tally_err *err);
void cells_close(struct cells *cells); // NULL is allowed; close before the state

// For a batch that is most of what is kept: the cells forget all and leave the state, which may
// then change unseen, and take in what it holds. Between the two they say nothing. After a failure
// they are only good for cells_close.
bool cells_begin_anew(struct cells *cells, struct state *state, struct tally_err *err);
bool cells_take_in(struct cells *cells, struct state *state, struct tally_err *err);

const struct rollup_def *cells_def(const struct cells *cells);

// Does this incident belong to the rollup, and to which values of its dimensions?
// `out_codes`: def->dims_count text codes; may be NULL. False with err->code TALLY_OK: no.
bool cells_matches(struct cells *cells, const struct state *state, const struct incident *incident,
                   uint32_t *out_codes, struct tally_err *err);

// Sums that another store has taken, instead of incidents one by one.
//
// The dimensions that they have to be told apart by: what the rollup groups by, but the feed, and
// what it filters by. Names are the definition's own.
enum { CELLS_NAMES_MAX = ROLLUP_DIMS_MAX + ROLLUP_FILTERS_MAX };
size_t cells_names(const struct cells *cells, const char *names[CELLS_NAMES_MAX]);
// Whether the rollup's filters let these values through, and to which values of its dimensions they
// belong. `feed` and `codes`, one each of the names, are text codes of the state. `out_group`:
// def->dims_count codes.
bool cells_passes(struct cells *cells, const struct state *state, uint32_t feed,
                  const uint32_t *codes, uint32_t *out_group, bool *out_passes,
                  struct tally_err *err);
// Adds them, exact, where they pass. Sums are in the order of the rollup's measures.
// The file that is made next is a whole one. Errors: TALLY_NO_MEMORY; TALLY_LIMIT: more than
// INCIDENTS_MAX incidents of one group on one day; TALLY_CORRUPT: sums that no incidents have.
bool cells_add(struct cells *cells, const struct state *state, uint32_t feed, const uint32_t *codes,
               const struct rollup_entry *entry, struct tally_err *err);

// What a rollup file says of its making, beside its content.
struct cells_provenance {
    uint64_t generation;                // the last batch of the rollup's feeds
    uint64_t batches;                   // of the rollup's feeds
    const struct rollup_source *source; // the last ones, oldest first, at most ROLLUP_SOURCES_MAX
    size_t sources_count;
};

// The rollup file, complete: docs/format.md. Same incidents, same definition: same content
// sections and digest, in whatever order they came. Cost: all that is kept.
bool cells_encode(struct cells *cells, const struct state *state,
                  const struct cells_provenance *provenance, struct bytes *out,
                  struct tally_err *err);

// Says that the file which cells_encode made last is published: it is the base from now on, and
// what changes is kept as differences from it.
void cells_set_base(struct cells *cells);

// Whether a patch of the base can say what changed: there is one, and not too much has.
bool cells_can_patch(const struct cells *cells);

// The patch of the base: docs/format.md. Cost: what changed since the base, and a look at each
// group. *out_possible false: the first or last day of all incidents is gone, and only writing the
// base anew can tell which is the first or last now.
bool cells_encode_patch(struct cells *cells, const struct state *state,
                        const struct cells_provenance *provenance, struct bytes *out,
                        bool *out_possible, struct tally_err *err);

#endif
