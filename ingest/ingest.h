// ingest/ingest.h - the bytes of one file in, chunks of mapped rows out.
//
//   read callback -> digest -> inflate -> decode -> CSV records -> mapped rows -> chunk
//                     (raw bytes)  gz, zstd   to UTF-8
//
// A CSV of rejected rows (daemon/rejects.h) that somebody corrected is recognised by its columns
// before any feed is asked: its rows are mapped as those of the feed that they name.
//
// Pure: no event loop, no globals, no store. The happy path: ingest_open, then ingest_next until
// it says END. A bad row goes into the chunk's rejects and never stops the file. A file that
// cannot be taken in as a whole (no feed has such a header, cut short, over budget, over a
// limit) says REFUSED with one message that names the place; nothing of it may be counted then.
//
// Offsets of rejected records are those of the inflated file; where another encoding was converted,
// those of the UTF-8 text. A chunk may list new texts of dimensions
// that a later chunk uses first, or that only a rejected row had. After REFUSED, END or FAILED
// there is no further ingest_next.
//
// Threads: one thread at a time; no state outside the struct.
#ifndef INGEST_INGEST_H
#define INGEST_INGEST_H

#include "base/checksum.h"
#include "base/err.h"
#include "base/team.h"
#include "ingest/feed.h"
#include "store/rows.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum ingest_parser {
    INGEST_SPLIT,  // fields are found by structure; libcsv reads what that does not prove
    INGEST_LIBCSV, // libcsv reads everything: the reference
};

struct ingest_limits {
    size_t field_bytes_max;      // one field after unquoting
    size_t record_bytes_max;     // one record in the file, with its line ends
    size_t columns_max;          // fields in a record
    uint64_t records_max;        // records in a file
    uint64_t inflated_bytes_max; // of a .gz or .zst
    uint64_t inflate_ratio_max;  // inflated : compressed, checked beyond the first MiB
    size_t memory_bytes_max;     // that one file may hold beside its records and chunks
    size_t chunk_rows;           // a chunk is handed over at so many rows ...
    size_t chunk_bytes;          // ... or about so many bytes of memory
    enum ingest_parser parser;   // the outcome is the same
    size_t block_bytes;          // of a large file, that each core maps at a time ...
    unsigned blocks;             // ... of so many at once, INGEST_CHUNKS_MAX at most; 0: one a core
};

extern const struct ingest_limits ingest_limits_default;

// At most `count` bytes of the file; 0 at its end; -1 with errno.
typedef ssize_t ingest_read(void *context, void *data, size_t count);

struct ingest_summary {
    const struct feed *feed; // NULL until the header was recognised
    struct digest digest;    // of the file's bytes as read; complete after END
    uint64_t bytes;          // read so far
    uint64_t records;        // after the header (and HXL row), rejected ones included
    uint64_t rejected;
    uint64_t disordered; // rows whose low, best, high are out of order
    bool unterminated;   // the last record had no line end
    bool repair;         // repaired rows: never a snapshot, whatever the feed's mode
    bool any_day;        // first_day and last_day are set
    int32_t first_day;   // of all mapped rows
    int32_t last_day;    // the feed's coverage after this file
    const char *header;  // raw header record in UTF-8, without line end; "" if there is none
};

enum ingest_step {
    INGEST_CHUNK,   // chunk holds rows, more may follow
    INGEST_END,     // chunk holds the last rows, maybe none; the summary is complete
    INGEST_REFUSED, // bad file: err says why
    INGEST_FAILED,  // not the file's fault: read error, no memory
};

struct ingest;

// `name`: the file's name, for globs and messages. `feeds` has to outlive the ingest.
struct ingest *ingest_open(const struct feed *const *feeds, size_t feeds_count, const char *name,
                           const struct ingest_limits *limits, ingest_read *read, void *context,
                           struct tally_err *err);
void ingest_close(struct ingest *ingest); // NULL is allowed

enum { INGEST_CHUNKS_MAX = TEAM_PARTS_MAX };

struct ingest_turn {
    struct rows *chunks; // initialised
    size_t chunks_max;   // 1 .. INGEST_CHUNKS_MAX
    size_t count;        // how many were filled
    // Something else that is to be done meanwhile, or NULL: called once, maybe on another thread.
    void (*meanwhile)(void *context);
    void *context;
};

// Clears chunks and fills one of them or more, those of a large file on several cores (blocks.h).
// What they hold together, in their order, does not depend on that.
enum ingest_step ingest_next(struct ingest *ingest, struct ingest_turn *turn,
                             struct tally_err *err);

// After REFUSED: reads on to the end of the file (bytes only) so that the digest is complete.
bool ingest_finish_digest(struct ingest *ingest, struct tally_err *err);

const struct ingest_summary *ingest_summary(const struct ingest *ingest);

#endif
