// store/ledger_write.h - appending to the ledger.
//
//   append, append, ... -> seal -> append, ... -> seal -> sync (both accepted)
//                       -> abort (cut off again)
//
// Happy path: frames are gathered and written behind the last whole unit; seal writes the last one
// of a unit. Units that were sealed one after the other share the fdatasync of one sync; only when
// that came back do they count. A full segment is synced before the next one is begun, and the
// directory with it. Failure: a failed write leaves a tail that counts for nothing; ledger_abort
// cuts it off and leaves the units that were sealed before. A failed sync is final: nobody can know
// what is on the disk, so the process has to end and read the ledger anew (`ledger_is_broken`).
//
// Threads: one at a time.
#ifndef STORE_LEDGER_WRITE_H
#define STORE_LEDGER_WRITE_H

#include "base/err.h"
#include "store/ledger_read.h"

#include <stddef.h>
#include <stdint.h>

struct ledger;

// Before the replay at a start: what the last run wrote and did not sync goes to the disk, and what
// the kernel holds of it is forgotten, so that the replay reads what is really there. After a sync
// that failed the kernel may show bytes that never reached the disk. Only the newest segment can
// hold such bytes: the ones before it were synced before it was begun. What stands before
// `committed` was synced.
bool ledger_settle(int dir_fd, struct ledger_position committed, struct tally_err *err);

// `end`: where the last commit ends, as replay found it; what stands behind it is cut off.
// A ledger without segments gets its first one. Memory: borrows dir_fd.
struct ledger *ledger_open(int dir_fd, struct ledger_position end, uint64_t segment_bytes_max,
                           struct tally_err *err);
void ledger_close(struct ledger *ledger); // NULL is allowed; an open batch is left as a torn tail

// Before a unit: what follows is of this version of the format, in a segment of its own where the
// one at hand is of another.
bool ledger_use_version(struct ledger *ledger, uint32_t version, struct tally_err *err);

bool ledger_append(struct ledger *ledger, enum ledger_kind kind, uint64_t batch,
                   const struct bytes *payload, struct tally_err *err);
// What was appended is a whole unit, which an abort leaves alone.
bool ledger_seal(struct ledger *ledger, struct tally_err *err);
// Makes all that was sealed last. Costs nothing where all is synced.
bool ledger_sync(struct ledger *ledger, struct tally_err *err);
bool ledger_commit(struct ledger *ledger, struct tally_err *err); // seals and syncs
bool ledger_abort(struct ledger *ledger, struct tally_err *err);  // back to the last whole unit

// Over the frames of the batch that began last: for its COMMIT (struct batch_end).
uint64_t ledger_batch_chain(const struct ledger *ledger);

struct ledger_position ledger_end(const struct ledger *ledger);       // behind all appended
struct ledger_position ledger_committed(const struct ledger *ledger); // behind all that is synced
bool ledger_is_synced(const struct ledger *ledger);                   // all that was sealed
bool ledger_is_broken(const struct ledger *ledger);

#endif
