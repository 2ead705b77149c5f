// daemon/group.h - small files that wait together are made to last together.
//
//   claimed:   a.csv   b.csv   c.csv   d.csv            on a worker, one after the other:
//                 |       |       |       |
//              batch 7  batch 8  refused  batch 9       each read, stored and sealed by itself
//                 +-------+-------+-------+
//                            |
//                         one sync                      until here nothing is told of any of them
//                            |
//               done/   done/  rejected/  done/         each retired by itself
//
// Each file stays a batch of its own, all or nothing, and sees what those before it said: what
// comes of the files is the same as if each had come alone. Only the wait for the disk is shared. A
// group is what waits at the moment when the worker is free: a file that comes alone waits for
// nobody.
//
// Failure: a refused file is cut off and noted alone; the batches before it in the group stay. When
// a file has to wait for room, those before it are synced and told, and those behind it wait with
// it, so that nothing is overtaken. When the sync fails, nothing of the group was told, and the
// process ends: the next start finds all its files in claimed/, and in the ledger what of it
// reached the disk. When it is a cluster that cannot be reached, the group stays as it is, and is
// settled again later: from the sync on.
//
// Threads: group_add on the loop thread while no worker has the group; group_settle on a worker.
#ifndef DAEMON_GROUP_H
#define DAEMON_GROUP_H

#include "daemon/intake.h"

enum {
    GROUP_FILES_MAX = 256, // fewer where few descriptors are allowed
    GROUP_BYTES_MAX = 4 << 20,
    GROUP_FILE_BYTES_MAX = 256 << 10, // a longer file is read and stored side by side, alone
    GROUP_RECORDS_MAX = 50000,        // what is sealed then waits for no further file
};

struct group_file {
    char name[INBOX_NAME_BYTES];
    int fd; // -1: the intake's, or closed
    uint64_t bytes;
    uint64_t claimed_ns;   // clock_ticks_ns then
    struct intake *intake; // NULL: not begun
    enum intake_result result;
    struct tally_err err; // of LATER and FATAL
};

struct group {
    struct group_file *file; // GROUP_FILES_MAX of them, made with the first
    size_t count;
    size_t ended;              // the first so many have a result
    bool unsynced;             // which holds once they are synced: settle it again
    struct tally_err sync_err; // why they are not
    uint64_t bytes;
};

void group_done(struct group *group);

// Whether a file of this length goes into a group at all: a compressed one has more in it than it
// looks, and is read alone.
bool group_is_for(int fd, uint64_t bytes);
bool group_is_full(const struct group *group);

// Takes over fd. Requires: it is not full. False without memory: TALLY_NO_MEMORY; fd is closed
// then.
bool group_add(struct group *group, const char *name, int fd, uint64_t bytes, uint64_t claimed_ns,
               struct tally_err *err);

// Reads, stores and seals one file after the other, syncs once, retires them. Files from `ended` on
// were not begun: they come next or, after a LATER or FATAL, not now.
void group_settle(struct group *group, const struct inbox *inbox, const struct config *config,
                  struct store *store, struct progress progress);

// Drops the files that have a result.
void group_drop_ended(struct group *group);

#endif
