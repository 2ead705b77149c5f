// store/changes.h - which incidents of a rollup differ between two states, and in what.
//
//   before                    after
//   42  Kabul  killed 3       42  Kabul  killed 5      counts
//   43  Kabul  killed 1       43  Herat  killed 1      moved-group
//   44  Kabul  killed 1                                withdrawn
//                             45  Herat  killed 2      appeared
//
// What counts is what the rollup sees: its feeds, filters, dimensions and measures. An incident
// that is still there but no longer passes the rollup's filters moved out of its groups.
#ifndef STORE_CHANGES_H
#define STORE_CHANGES_H

#include "base/err.h"
#include "store/cells.h"
#include "store/state.h"

#include <stdint.h>

enum change_kinds {
    CHANGE_APPEARED = 1,
    CHANGE_WITHDRAWN = 2,
    CHANGE_MOVED_DAY = 4,
    CHANGE_MOVED_GROUP = 8,
    CHANGE_COUNTS = 16,
};

enum { CHANGE_KINDS_BYTES = 48 };

// "moved-day,counts". Returns `text`.
const char *change_kinds_format(unsigned kinds, char text[CHANGE_KINDS_BYTES]);

// One incident on one side; NULL where it does not count.
struct change_side {
    const struct incident *incident;
    uint32_t dims[ROLLUP_DIMS_MAX]; // text codes of that side's state
};

struct change {
    unsigned kinds;
    struct change_side before;
    struct change_side after;
};

struct changes_state {
    const struct state *state;
    struct cells *cells; // of this state; both sides have the same definition
};

// Valid during the call. False after filling err stops.
typedef bool changes_on_change(void *context, const struct change *change, struct tally_err *err);

// Calls on_change for each incident that differs, in no order of note.
bool changes_find(const struct changes_state *before, const struct changes_state *after,
                  changes_on_change *on_change, void *context, struct tally_err *err);

// The value of a rollup's measure in an incident. False: not reported.
bool changes_measure(const struct state *state, const struct incident *incident,
                     const char *measure, int64_t *out_value);

#endif
