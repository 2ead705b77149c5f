// daemon/intake.h - one claimed file on its way into the store: the work that workers do.
//
//   open -> parse ------> parse ------> ... -> seal -> (store_sync) -> retire
//             chunk 0  store  chunk 1  store     batch      it lasts     done/
//
// Two chunks, of as many parts as parsing fills at once: while one is parsed, the other is stored.
// The loop decides what runs when and hands each step what it may touch: parse touches the ingest
// and its chunk; store, seal and retire touch the store and theirs. Small files go through all of
// it on one worker, many of them before one sync (group.h).
//
// Failure modes: a bad file is refused: the batch is cut off, the reason noted in the ledger and
// beside the file in rejected/. A full disk, or a cluster that cannot be reached, leaves the file
// in claimed/ to be tried again. A failed sync of a disk is fatal; one of a cluster is tried again.
#ifndef DAEMON_INTAKE_H
#define DAEMON_INTAKE_H

#include "base/progress.h"
#include "daemon/config.h"
#include "daemon/inbox.h"
#include "daemon/noted.h"
#include "ingest/ingest.h"
#include "store/rows.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

enum { INTAKE_CHUNKS = 2 };

enum intake_result {
    INTAKE_SETTLED,  // outcome says how; once retired, the file is in done/ or rejected/
    INTAKE_LATER,    // no room on the disk or in memory, no server: still in claimed/, try again
    INTAKE_UNSYNCED, // sealed, and no server makes it last now: settle it again
    INTAKE_FATAL,    // the process has to end
};

// How long it took, in parts: what the log tells.
struct intake_parts {
    uint64_t wait_ns;   // for those before it in the group, and for a worker
    uint64_t read_ns;   // parse
    uint64_t store_ns;  // store and seal: into the ledger, and applied
    uint64_t sync_ns;   // until the disk had it, shared with the group
    uint64_t retire_ns; // into done/
};

struct intake {
    char name[INBOX_NAME_BYTES];
    int fd;
    uint64_t file_bytes;
    struct disk_entry opened;  // as it was before it was read
    uint64_t claimed_ns;       // clock_ticks_ns then
    bool reclaimed;            // it stood in claimed/ at the start
    bool known;                // to the ledger before: it was only moved
    const struct inbox *inbox; // NULL: the file is read where it stands, and stays there
    struct progress progress;  // of reading
    struct ingest *ingest;
    struct rows chunk[INTAKE_CHUNKS][INGEST_CHUNKS_MAX];
    size_t parts_count[INTAKE_CHUNKS]; // how many of them parsing filled
    int parsed;                        // the chunk that waits for the store, or -1
    enum ingest_step step;             // what parsing it said
    struct tally_err parse_err;        // for REFUSED and FAILED
    bool begun;                        // the store has a batch open
    bool stored;                       // so far
    struct tally_err err;              // of storing, settling
    struct tally_err refused;          // why, of a file that was
    struct store_outcome outcome;
    bool sealed;
    bool lasts;                    // the outcome is on the disk: it may be told
    struct ingest_summary summary; // as of sealing
    struct intake_parts parts;
    uint64_t sealing_ns; // clock_ticks_ns when its last row was stored
    uint64_t ended_ns;   // and when it was retired
    char retired_as[INBOX_NAME_BYTES];
    char rejects_file[INBOX_NAME_BYTES]; // or empty
};

// Takes over fd. `progress` is told of each read. NULL: TALLY_NO_MEMORY; fd is closed then.
struct intake *intake_open(const struct inbox *inbox, const struct config *config, const char *name,
                           int fd, uint64_t file_bytes, bool reclaimed, struct progress progress,
                           struct tally_err *err);
void intake_close(struct intake *intake); // NULL is allowed

enum intake_end {
    INTAKE_GOES_ON,    // there is more
    INTAKE_COMPLETE,   // all chunks are stored
    INTAKE_BAD_FILE,   // parsing refused it or could not read it: parse_err
    INTAKE_NOT_STORED, // the store failed: err
};
// Parses chunks for some 20 ms, one at least, each while the one before it is stored.
enum intake_end intake_read(struct intake *intake, struct store *store);
// Chunk after chunk, until the file has to end in some way.
enum intake_end intake_take_in(struct intake *intake, struct store *store);

// Ends the file after its last chunk was stored, or after a failure: its batch, or a note that it
// was refused, stands in the ledger and counts in memory. Not told before store_sync.
enum intake_result intake_seal(struct intake *intake, struct store *store, enum intake_end end);
// Gives back what it was read with. What became of it stays.
void intake_release(struct intake *intake);
// After store_sync: out of claimed/. Anything but SETTLED: it is taken in, and stays there too.
enum intake_result intake_retire(struct intake *intake, struct store *store);

// Whether store_sync may be called again after it failed so.
bool intake_may_sync_again(const struct store *store, const struct tally_err *err);

// Seal, sync and retire, of a file that comes alone; of one that is sealed only the rest.
enum intake_result intake_settle(struct intake *intake, struct store *store, enum intake_end end);

// A file of claimed/ that the ledger has already: only retires it. False: it has to be read.
// `noted`: what is noted of a file of this name, or NULL.
bool intake_retire_known(struct intake *intake, struct store *store, const struct noted_file *noted,
                         enum intake_result *out_result);

#endif
