// store/committed.h - a mark of how far the ledger was committed, so that a lost end is noticed.
//
//   ledger/000003.seg   [...][COMMIT of batch 41]|
//   committed                    batch 41 ends here, at 000003.seg@0x5e20
//
// Damage in the last batch of a ledger looks like a batch that never ended. The mark tells the two
// apart: it is written after the commit is on the disk, so that it never says more than is true,
// and not synced, so that it costs no wait. The system writes it back within about half a minute;
// a stop syncs it. Until then a power cut may bring back an older mark, which says less: only
// damage to what was committed in that half minute, and seen by no rollup, still looks unfinished.
// It lies beside ledger/, not in it, since a copy of ledger/ taken at any moment is a backup.
#ifndef STORE_COMMITTED_H
#define STORE_COMMITTED_H

#include "base/err.h"
#include "store/ledger_read.h"
#include "store/replay.h"

#include <stdint.h>

struct committed {
    struct ledger_position at; // behind the last commit
    uint64_t batches;
};

// What the mark says; an absent or torn one knows of nothing. Errors: TALLY_IO.
bool committed_read(int state_dir_fd, struct committed *out_committed, struct tally_err *err);

// Against a replay of the whole ledger. Errors: TALLY_CORRUPT with where reading stopped.
bool committed_check(const struct committed *committed, const struct replay_end *end,
                     struct tally_err *err);

// The file, for committed_write; -1 on an error.
int committed_open(int state_dir_fd, struct tally_err *err);
// A mark that cannot be written stays what it was, and says less.
void committed_write(int fd, const struct committed *committed);

#endif
