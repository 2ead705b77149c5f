// store/salvage.h - what is whole of a damaged ledger, in a new one.
//
//   old   [batch 1] [batch 2] ..damage.. [half of 3] [batch 4] [note] [batch 5]
//   new   [batch 1] [batch 2]                        [batch 3] [note] [batch 4]
//
// A unit (a batch, or the note of a file that made none) is whole when each of its frames is, and
// each text that its rows use can still be read. Whole units are copied as they are, in order, and
// counted anew; the others are told. The old ledger is only read.
//
// What comes out is a valid ledger, but not the same history: incidents that only a lost batch
// spoke of are missing, and rows that a later file did not need to repeat are not in it.
#ifndef STORE_SALVAGE_H
#define STORE_SALVAGE_H

#include "base/err.h"
#include "store/ledger_read.h"

#include <stddef.h>
#include <stdint.h>

struct salvage_lost {
    uint64_t batch;   // 0: the note of a file that made none, or what was never committed
    uint64_t batches; // how many from it on; 0 for a note
    const char *file; // "": its name cannot be read
    size_t file_bytes;
    struct ledger_position from; // what cannot be read, or where the unit begins
    const char *why;
};

struct salvage_visitor {
    void *context;
    bool (*on_lost)(void *context, const struct salvage_lost *lost, struct tally_err *err);
};

struct salvage_counts {
    uint64_t batches; // copied
    uint64_t notes;
    uint64_t lost; // units
};

// `to_dir_fd`: an empty folder, or -1 to look only.
bool salvage(int from_dir_fd, int to_dir_fd, const struct salvage_visitor *visitor,
             struct salvage_counts *out_counts, struct tally_err *err);

#endif
