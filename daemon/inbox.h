// daemon/inbox.h - the folders that files move through, and the rules of admission.
//
//   inbox/NAME --claim--> claimed/NAME --retire--> done/NAME  or  rejected/NAME
//
// Every file is in exactly one of them at any time: each step is one rename, and nothing is ever
// overwritten. What stands in claimed/ at a start was being read when the last run ended.
//
// Threads: descriptors only; claim on the loop thread, retire on a worker.
#ifndef DAEMON_INBOX_H
#define DAEMON_INBOX_H

#include "base/disk.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { INBOX_NAME_BYTES = 256 };

struct inbox {
    int state_fd;
    int lock_fd;
    int inbox_fd;
    int claimed_fd;
    int done_fd;
    int rejected_fd;
};

// Makes and opens the folders below the state directory, and takes its lock (TALLY_BUSY).
bool inbox_open(struct inbox *inbox, const char *state, struct tally_err *err);
void inbox_close(struct inbox *inbox);

// Whether a name may be a feed at all: no dotfile, *.tmp or *.part.
bool inbox_name_waits(const char *name);

enum inbox_claim {
    INBOX_CLAIMED, // out_fd reads it from its start
    INBOX_GONE,    // no longer there
    INBOX_WRITING, // somebody has it open for writing: later
    INBOX_UNFIT,   // err says what is wrong; it stays in the inbox
    INBOX_LATER,   // a file of this name is still being worked on, or others keep swapping it
    INBOX_FAILED,  // the disk could not do it now: err; nothing may overtake the file
};
// A file is not claimed before there is room for as many bytes as it has: its rows take about that
// in the ledger, mostly less. TALLY_NO_SPACE says how much is missing; compressed files may need
// more.
bool inbox_has_room(const struct inbox *inbox, uint64_t bytes, struct tally_err *err);
enum inbox_claim inbox_claim(const struct inbox *inbox, const char *name, int *out_fd,
                             struct disk_entry *out_entry, struct tally_err *err);

// Certain: nobody has the file open for writing.
bool inbox_is_closed(const struct inbox *inbox, const char *name);

// The folder, inbox or claimed, of which the one under its name is no longer the one that is open.
// NULL: neither. Without them nothing comes in any more, and no call would fail for it.
const char *inbox_lost(const struct inbox *inbox);

// claimed/NAME again, after a restart.
int inbox_reopen(const struct inbox *inbox, const char *name, struct disk_entry *out_entry,
                 struct tally_err *err);

// Moves claimed/NAME to `dir_fd` (done_fd or rejected_fd) under its name, or with ".2", ".3" ...
// behind it when that is taken. out_name says which. Not synced: a rename that a power cut undoes
// leaves the file where the next start looks, and finds it in the ledger.
bool inbox_retire(const struct inbox *inbox, const char *name, int dir_fd,
                  char out_name[INBOX_NAME_BYTES], struct tally_err *err);

// Moves claimed/NAME to rejected/ with `reason` in NAME.reason.txt beside it, both under the first
// number at which NAME is free and the reason is free or says the same. The reason stands there
// first, so that a restart in between comes to the same names again.
bool inbox_reject(const struct inbox *inbox, const char *name, const char *reason,
                  char out_name[INBOX_NAME_BYTES], struct tally_err *err);

#endif
