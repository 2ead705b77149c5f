// store/ledger_read.h - walking the ledger frame by frame.
//
//   ledger/000001.seg   [header][frame][frame]...      000002.seg   [header][frame]...
//   a batch             BEGIN  NAMES TEXTS VALUES ROWS ... REJECTS ...  COMMIT
//   no batch            FILE   (a duplicate, a refused or superseded file)
//
// Each frame has its checksum, seeded by where it stands, so that a frame in another place is as
// wrong as a flipped bit. What counts ends with the last COMMIT or FILE; everything behind it is
// a batch that never became one.
#ifndef STORE_LEDGER_READ_H
#define STORE_LEDGER_READ_H

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/err.h"
#include "store/revision.h"
#include "store/shape.h"

#include <stddef.h>
#include <stdint.h>

enum ledger_kind {
    LEDGER_BEGIN = 1,
    LEDGER_TEXTS = 2,
    LEDGER_ROWS = 3,
    LEDGER_REJECTS = 4,
    LEDGER_COMMIT = 5,
    LEDGER_FILE = 6,
    LEDGER_NAMES = 7,
    LEDGER_VALUES = 8,
};

enum {
    LEDGER_VERSION = 2,
    LEDGER_VERSION_ROWS = 1, // of which each row stands alone and texts are numbered for good
    LEDGER_SEGMENT_HEADER_BYTES = 24,
    LEDGER_FRAME_HEADER_BYTES = 24,
    LEDGER_FRAME_BYTES_MAX = 16 << 20,
    LEDGER_SEGMENT_NAME_BYTES = 16,
    // Added to the kind of a frame that was written while units before its own were not synced yet:
    // a power cut may leave it whole behind one of them that is not.
    LEDGER_BEHIND_UNSYNCED = 0x100,
};

// Where a frame starts. {1, 24} is the first one.
struct ledger_position {
    uint32_t segment;
    uint64_t offset;
};
int ledger_position_compare(struct ledger_position a, struct ledger_position b);

struct ledger_frame {
    enum ledger_kind kind;
    uint32_t version; // of its segment
    uint64_t batch;
    struct ledger_position at;
    struct ledger_position next;
    uint64_t checksum;
    struct cursor payload; // valid until the next call
};

enum ledger_step {
    LEDGER_FRAME, // out_frame is filled
    LEDGER_END,   // nothing more, at a frame's border
    LEDGER_TORN,  // bytes that are no whole frame: err says where and why
    LEDGER_ERROR, // a system call failed
};

struct ledger_reader;
struct ledger_reader *ledger_reader_open(int ledger_dir_fd, struct tally_err *err);
void ledger_reader_close(struct ledger_reader *reader); // NULL is allowed
void ledger_reader_seek(struct ledger_reader *reader, struct ledger_position position);
enum ledger_step ledger_reader_next(struct ledger_reader *reader, struct ledger_frame *out_frame,
                                    struct tally_err *err);

// The same where there has to be one: of a unit that was found whole. False also at the END, with
// TALLY_CORRUPT.
bool ledger_reader_go_on(struct ledger_reader *reader, struct ledger_frame *out_frame,
                         struct tally_err *err);

// Behind the last frame that was returned; of a torn one: its start.
struct ledger_position ledger_reader_position(const struct ledger_reader *reader);

// After END: false with TALLY_CORRUPT when a later segment is there, so that one is missing.
bool ledger_reader_check_end(struct ledger_reader *reader, struct tally_err *err);

// After TORN, with `batches` committed before: may these bytes be the tail of a batch that was
// never committed? False keeps err when something behind them proves that they were: a further
// segment, the end of a unit followed by another one, or a later batch. A unit proves nothing that
// was written before those in front of it were synced.
bool ledger_reader_check_tail(struct ledger_reader *reader, uint64_t batches,
                              struct tally_err *err);

// For salvage only. A lenient reader takes a segment whose header is damaged; after TORN, or END
// with a segment missing, it goes on at the next whole frame. False without err (code TALLY_OK):
// there is none.
void ledger_reader_be_lenient(struct ledger_reader *reader);
bool ledger_reader_resync(struct ledger_reader *reader, struct tally_err *err);

const char *ledger_segment_name(uint32_t segment, char name[LEDGER_SEGMENT_NAME_BYTES]);
uint32_t ledger_segment_number(const char *name); // 0: not the name of a segment
uint64_t ledger_frame_seed(struct ledger_position at);

// What ties the frames of a batch to its COMMIT: from 0, over the checksums of BEGIN and all that
// follow. Frames of two batches do not make one, wherever they stand.
uint64_t ledger_chain(uint64_t chain, uint64_t frame_checksum);

// How a batch changes the incidents of its feed. Claims are upserts that no rollup adds up.
// FORGET has no rows: nothing that its feed said before counts any more, in whatever mode it was
// said; what follows is the feed's files, read again under another mapping (daemon/reread.h).
enum batch_mode { BATCH_UPSERT, BATCH_SNAPSHOT, BATCH_DELETIONS, BATCH_CLAIMS, BATCH_FORGET };

enum file_outcome {
    FILE_ACCEPTED = 0, // in COMMIT
    FILE_DUPLICATE,    // the rest in FILE
    FILE_REJECTED,
    FILE_SUPERSEDED,
};
const char *file_outcome_name(enum file_outcome outcome);

// The payload of BEGIN.
struct batch_begin {
    enum batch_mode mode;
    const char *feed; // that the file came in by; its shape names the feed whose incidents change
    size_t feed_bytes;
    const char *file;
    size_t file_bytes;
    const char *header; // the CSV's header record
    size_t header_bytes;
    int scope_dim;       // of a snapshot: position in the shape, or -1 for the whole feed
    struct cursor shape; // shape_decode
};
void batch_begin_encode(const struct batch_begin *begin, const struct shape *shape,
                        struct bytes *out);
bool batch_begin_decode(struct batch_begin *begin, struct cursor in, struct tally_err *err);
// Its shape, which has the dimension that its scope names.
struct shape *batch_begin_shape(const struct batch_begin *begin, struct tally_err *err);

// The payload of COMMIT, and of FILE with a reason.
struct batch_end {
    uint32_t version; // in which it is written
    uint64_t chain;   // of COMMIT, from version 2 on: ledger_chain over the frames before it
    enum file_outcome outcome;
    int64_t time_ms; // since 1970, UTC
    struct digest digest;
    uint64_t bytes;
    uint64_t records;
    uint64_t rejected;
    uint64_t skipped_unchanged; // rows equal to what was kept: not in the ledger
    uint64_t skipped_older;     // rows of older revisions: not in the ledger
    uint64_t disordered;
    uint64_t rows; // in the ROWS frames of the batch
    bool unterminated;
    bool any_day;
    int32_t first_day;
    int32_t last_day;
    const char *file; // FILE only
    size_t file_bytes;
    const char *feed;
    size_t feed_bytes;
    const char *place;
    size_t place_bytes;
    const char *reason;
    size_t reason_bytes;
    // A snapshot by scope: its scope values, each with whether it is in force.
    uint64_t scopes;
    struct cursor scope_list; // (text, in force u8) each; in version 1 a code instead of the text
    struct revision newest;   // of the snapshot's rows
};
void batch_end_encode(const struct batch_end *end, struct bytes *out);
bool batch_end_decode(struct batch_end *end, uint32_t version, struct cursor in,
                      struct tally_err *err);

// One row in a ROWS frame of version 1; deltas are against the row before (zero at the frame's
// start).
struct ledger_row {
    uint8_t op; // enum rows_op (store/rows.h): 0 put, 1 withdraw, 2 keep
    const char *id;
    size_t id_bytes;
    uint64_t record;
    uint64_t line;
    int32_t first_day;
    int32_t last_day;
    struct revision revision;
    uint64_t reported;
    const uint32_t *dims;    // text codes
    const int64_t *measures; // 0 where not reported
};
struct ledger_row_base {
    uint64_t record;
    uint64_t line;
    int32_t first_day;
    int64_t revision;
};
void ledger_row_encode(const struct ledger_row *row, const struct shape *shape,
                       struct ledger_row_base *base, struct bytes *out);
// Fills dims and measures in the caller's arrays. False: malformed (the cursor is not ok).
bool ledger_row_decode(struct ledger_row *row, const struct shape *shape,
                       struct ledger_row_base *base, uint32_t *dims, int64_t *measures,
                       struct cursor *in);

#endif
