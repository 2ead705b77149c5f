// base/planted.h - bugs that a test puts into the product to prove that it would catch them.
//
//     if (!PLANTED(NO_SYNC_BEFORE_RENAME) && !disk_sync_data(fd, err)) ...
//
// Each is what a careless hand might write. They exist only where TALLY_PLANTED is defined, which
// tests/crash alone does; everywhere else PLANTED is the constant false and costs nothing.
#ifndef BASE_PLANTED_H
#define BASE_PLANTED_H

#include <stdbool.h>

enum planted {
    PLANTED_NOTHING,
    PLANTED_NO_SYNC_BEFORE_RENAME, // disk_files.c: a replaced file may be empty afterwards
    PLANTED_NO_DIRECTORY_SYNC,     // disk_files.c, ledger_write.c: a new name may be gone
    PLANTED_ACCEPTED_BEFORE_SYNC,  // ledger_write.c: what counts may be gone
    PLANTED_SYNC_RETRIED,          // ledger_write.c: the second one lies
    PLANTED_NO_TORN_TAIL_CHECK,    // ledger_read.c: a half-written frame counts
    PLANTED_UNSYNCED_IS_PROOF,     // ledger_read.c: what a power cut left is called damage
    PLANTED_COMMIT_BEFORE_ROWS,    // ledger_write.c: a batch counts before it is there
    PLANTED_INDEX_BEFORE_LEDGER,   // embedded_batch.c: an abandoned batch is remembered
    PLANTED_PATCH_REMOVED_FIRST,   // embedded_publish.c: what was published may be gone
    PLANTED_PATCH_OF_ANY_BASE,     // rollup_sum.c: what the base contains is added again
};

#ifdef TALLY_PLANTED
extern enum planted planted_bug;
#define PLANTED(bug) (planted_bug == PLANTED_##bug)
#else
#define PLANTED(bug) false
#endif

#endif
