// daemon/intake.h - one claimed file on its way into the store: the work that workers do.
//
//   open -> parse, parse, ... -> store, store, ... -> settle          (each on a worker)
//              chunk  ----------->  append             commit, retire
//
// Two chunks: while one is parsed, the other is stored. The loop decides what runs when and
// hands each step what it may touch: parse touches the ingest and its chunk, store and settle
// touch the store and theirs.
//
// Failure modes: a bad file is refused: the batch is cut off, the reason noted in the ledger and
// beside the file in rejected/. A full disk leaves the file in claimed/ to be tried again. A
// failed sync is fatal.
#ifndef DAEMON_INTAKE_H
#define DAEMON_INTAKE_H

#include "base/progress.h"
#include "daemon/config.h"
#include "daemon/inbox.h"
#include "ingest/ingest.h"
#include "store/rows.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

enum { INTAKE_CHUNKS = 2 };

enum intake_result {
    INTAKE_SETTLED, // outcome says how; the file is in done/ or rejected/
    INTAKE_LATER,   // no room on the disk or in memory: still in claimed/, try again
    INTAKE_FATAL,   // the process has to end
};

struct intake {
    char name[INBOX_NAME_BYTES];
    int fd;
    uint64_t file_bytes;
    struct disk_entry opened;  // as it was before it was read
    bool reclaimed;            // it stood in claimed/ at the start
    bool known;                // to the ledger before: it was only moved
    const struct inbox *inbox; // NULL: the file is read where it stands, and stays there
    struct progress progress;  // of reading
    struct ingest *ingest;
    struct rows chunk[INTAKE_CHUNKS];
    enum ingest_step step[INTAKE_CHUNKS]; // what parsing the chunk said
    struct tally_err parse_err;           // for REFUSED and FAILED
    bool begun;                           // the store has a batch open
    struct tally_err err;                 // of storing, settling
    struct store_outcome outcome;
    struct ingest_summary summary; // as of settling
    char retired_as[INBOX_NAME_BYTES];
    char rejects_file[INBOX_NAME_BYTES]; // or empty
};

// Takes over fd. `progress` is told of each read. NULL: TALLY_NO_MEMORY; fd is closed then.
struct intake *intake_open(const struct inbox *inbox, const struct config *config, const char *name,
                           int fd, uint64_t file_bytes, bool reclaimed, struct progress progress,
                           struct tally_err *err);
void intake_close(struct intake *intake); // NULL is allowed

void intake_parse(struct intake *intake, int chunk);

// Appends a parsed chunk. False: INTAKE_NOT_STORED, intake->err says why.
bool intake_store(struct intake *intake, struct store *store, int chunk);

// Ends the file after its last chunk was stored, or after a failure.
enum intake_end {
    INTAKE_COMPLETE,   // all chunks are stored
    INTAKE_BAD_FILE,   // parsing refused it or could not read it: parse_err
    INTAKE_NOT_STORED, // the store failed: err
};
enum intake_result intake_settle(struct intake *intake, struct store *store, enum intake_end end);

// A file of claimed/ that the ledger has already: only retires it. False: it has to be read.
bool intake_retire_known(struct intake *intake, struct store *store,
                         enum intake_result *out_result);

#endif
