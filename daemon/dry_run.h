// daemon/dry_run.h - what files would change, without changing anything.
//
// The ledger is copied into a folder of its own, the files are taken in there on the ordinary
// path, and `tally diff` tells the difference: what it says is what would happen, since nothing
// here is a second implementation. A running daemon is not disturbed.
#ifndef DAEMON_DRY_RUN_H
#define DAEMON_DRY_RUN_H

#include "daemon/config.h"

// `tally`: path of the command. Returns an exit status; 1 when a file would be rejected.
int dry_run(const struct config *config, const char *tally, char *const *files, size_t files_count);

#endif
