// daemon/reread.h - `tallyd --replay FEED`: all files of a feed read again, under the mapping of
// now.
//
//     ledger/          [ ... what was said until now ... ]
//     replay/ledger/   [ ... the same ...][FORGET feed][file 1][file 2] ...    made beside
//                      exchanged for ledger/ in one step when it is whole
//
// The files are those in done/ that the ledger ever accepted (or superseded) for the feed, or for
// feeds that delete from it, each once, in the order in which they came first. So the figures are
// those of a daemon that starts with nothing and gets these files in this order; doing it twice
// changes nothing; and what was so before, --as-of a batch before the FORGET, stays as it was.
//
// Failure modes: a file that is not in done/ with the bytes that the ledger knows: nothing is
// changed, and each one is named. No room, a kill, a power cut: the folder replay/ is left behind,
// counts for nothing, and is removed at the next start. A file that the new mapping refuses counts
// no more, as it would not with a fresh start.
#ifndef DAEMON_REREAD_H
#define DAEMON_REREAD_H

#include "daemon/config.h"
#include "daemon/inbox.h"

#define REREAD_FOLDER "replay"

// Requires: the inbox's lock is ours; no store is open. Returns an exit status: 0, 1 (a file was
// refused), EX_NOINPUT (a file is missing), EX_IOERR, ...
int reread_feed(const struct config *config, const struct inbox *inbox, const char *feed);

// What a replay that did not end left behind.
bool reread_clean(const struct inbox *inbox, struct tally_err *err);

#endif
