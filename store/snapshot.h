// store/snapshot.h - the scopes of the snapshot that is being written (private to store/).
//
//   rows    Chad 2020-01-05   Mali 2020-01-06     scopes seen: Chad, Mali; newest 2020-01-06
//   kept    Mali has a newer snapshot in force    in force for: Chad
//
// For which of its scopes a snapshot is in force is known at its end, when its newest revision is.
#ifndef STORE_SNAPSHOT_H
#define STORE_SNAPSHOT_H

#include "store/embedded.h"

// One of its rows: the scope that it stands in, and its revision.
bool snapshot_note(struct embedded *store, const struct packer_row *row, struct tally_err *err);

// A row is older than one that was left out as unchanged. That holds only if the snapshot is in
// force for that one's scope: noted where the two scopes differ.
bool snapshot_lean_on(struct embedded *store, const struct incident *incident,
                      const struct packer_row *row, struct tally_err *err);

// That no row was left out for the sake of one that does not count. Errors: TALLY_REFUSED; the
// batch is aborted then.
bool snapshot_check(struct embedded *store, struct tally_err *err);

// Whether it is in force for a scope value, or there is a newer one already; and for how many.
bool snapshot_in_force(const struct embedded *store, uint32_t text);
size_t snapshot_scopes_in_force(const struct embedded *store);

// An incident that it no longer lists, of a scope for which it is in force.
bool snapshot_misses(const struct embedded *store, const struct incident *incident);

#endif
