// tests/unit/crafted.h - batches whose frames are whole and whose content is not: what a decoder
// meets where the writer had a bug, or memory did.
//
//     {.version = 1, .frame = {{LEDGER_ROWS, BYTES("\0\1x")}}, .rows = 1, .says = "malformed row"}
#ifndef TESTS_UNIT_CRAFTED_H
#define TESTS_UNIT_CRAFTED_H

#include "base/day.h"
#include "store/columns.h"
#include "store/ledger_write.h"
#include "store/rows.h"
#include "tests/unit/store_case.h"

#define BYTES(text) .bytes = (text), .count = sizeof(text) - 1

enum { CRAFTED_FRAMES_MAX = 3 };

struct crafted_frame {
    enum ledger_kind kind;
    const char *bytes; // NULL: the end of the list, or as usual
    size_t count;
};

struct crafted_batch {
    uint32_t version;
    uint64_t before; // batches before it
    enum batch_mode mode;
    int scope; // 1 + the dimension; 0: of the whole feed
    struct crafted_frame begin;
    struct crafted_frame frame[CRAFTED_FRAMES_MAX];
    bool row;  // of version 2: a frame of one row, sound but for
    bool cell; // this value
    enum column column;
    uint64_t value;
    uint64_t rows; // that its end counts
    uint64_t scopes;
    struct crafted_frame scope_list;
    struct crafted_frame end;
    bool endless;     // nothing ends it
    bool foreign;     // its end ties together other frames
    const char *says; // replaying it
    const char *told; // salvaging it; NULL: it is copied
};

struct crafted {
    char dir[40];
    int fd;
    struct ledger *ledger;
    struct shape *shape; // of feed f: country; killed
    struct tally_err err;
};

static inline void crafted_open(struct crafted *crafted)
{
    static const struct ledger_position start = {1, LEDGER_SEGMENT_HEADER_BYTES};
    static const char *const dims[] = {"country"};
    static const char *const measures[] = {"killed"};

    case_make_dir(crafted->dir);
    crafted->fd = case_open_dir(crafted->dir, "");
    crafted->ledger = ledger_open(crafted->fd, start, 1 << 20, &crafted->err);
    crafted->shape = shape_open("f", dims, 1, measures, 1, &crafted->err);
    case_check(crafted->ledger && crafted->shape, &crafted->err);
}

static inline void crafted_close(struct crafted *crafted)
{
    ledger_close(crafted->ledger);
    shape_close(crafted->shape);
    disk_close(crafted->fd);
    case_remove_dir(crafted->dir);
}

static inline void crafted_put(struct crafted *crafted, enum ledger_kind kind, uint64_t batch,
                               struct bytes *payload)
{
    case_check(ledger_append(crafted->ledger, kind, batch, payload, &crafted->err), &crafted->err);
    bytes_clear(payload);
}

// The frame as it is told, or what `payload` holds.
static inline void crafted_put_frame(struct crafted *crafted, const struct crafted_frame *frame,
                                     enum ledger_kind usual, uint64_t batch, struct bytes *payload)
{
    if (frame->bytes) {
        bytes_clear(payload);
        bytes_put(payload, frame->bytes, frame->count);
    }
    crafted_put(crafted, frame->bytes ? frame->kind : usual, batch, payload);
}

static inline void crafted_put_row(struct crafted *crafted, const struct crafted_batch *batch,
                                   uint64_t number, struct bytes *payload)
{
    struct columns *columns = calloc(1, sizeof *columns);

    assert_non_null(columns);
    columns->count = 1;
    columns->dims_count = 1;
    if (batch->cell) {
        columns->value[batch->column][0] = batch->value;
    }
    columns_encode(columns, payload);
    crafted_put(crafted, LEDGER_ROWS, number, payload);
    free(columns);
}

static inline void crafted_end(struct crafted *crafted, const struct crafted_batch *batch,
                               uint64_t number, struct bytes *payload)
{
    const struct crafted_frame *list = &batch->scope_list;
    struct batch_end end = {.version = batch->version,
                            .rows = batch->rows,
                            .scopes = batch->scopes,
                            .scope_list = cursor_over(list->bytes, list->count),
                            .chain = ledger_batch_chain(crafted->ledger) ^ batch->foreign};

    batch_end_encode(&end, payload);
    crafted_put_frame(crafted, &batch->end, LEDGER_COMMIT, number, payload);
    case_check(ledger_commit(crafted->ledger, &crafted->err), &crafted->err);
}

static inline void crafted_batch(struct crafted *crafted, const struct crafted_batch *batch)
{
    uint64_t number = batch->before + (batch->begin.kind != LEDGER_FILE);
    struct batch_begin begin = {.mode = batch->mode,
                                .feed = "f",
                                .feed_bytes = 1,
                                .file = "one.csv",
                                .file_bytes = 7,
                                .scope_dim = batch->scope - 1};
    struct bytes payload;

    case_check(ledger_use_version(crafted->ledger, batch->version, &crafted->err), &crafted->err);
    bytes_init(&payload);
    batch_begin_encode(&begin, crafted->shape, &payload);
    crafted_put_frame(crafted, &batch->begin, LEDGER_BEGIN, number, &payload);
    for (size_t i = 0; i < CRAFTED_FRAMES_MAX && batch->frame[i].bytes; i++) {
        crafted_put_frame(crafted, &batch->frame[i], LEDGER_ROWS, number, &payload);
    }
    if (batch->row) {
        crafted_put_row(crafted, batch, number, &payload);
    }
    if (!batch->endless) {
        crafted_end(crafted, batch, number, &payload);
    }
    bytes_done(&payload);
}

#define CRAFTED_ROWS                                                                               \
    "its rows use texts that are lost, are malformed, or are those of another ledger"
#define CRAFTED_OLD_ROW(text)                                                                      \
    {                                                                                              \
        .version = 1, .frame = {{LEDGER_ROWS, BYTES(text)}}, .rows = 1, .says = "malformed row",   \
        .told = CRAFTED_ROWS                                                                       \
    }
#define CRAFTED_CELL(column_, value_)                                                              \
    {                                                                                              \
        .version = 2, .row = true, .cell = true, .column = (column_), .value = (value_),           \
        .rows = 1, .says = "malformed row", .told = CRAFTED_ROWS                                   \
    }
#define CRAFTED_FRAME(kind_, text, says_)                                                          \
    {                                                                                              \
        .version = 2, .frame = {{(kind_), BYTES(text)}}, .says = (says_), .told = CRAFTED_ROWS     \
    }
#define CRAFTED_BEGIN(text, says_)                                                                 \
    {                                                                                              \
        .version = 2, .begin = {LEDGER_BEGIN, BYTES(text)}, .says = (says_), .told = (says_)       \
    }

// A batch with an id that is longer than any. Its bytes stand in `text`.
static inline struct crafted_batch crafted_long_id(uint32_t version, struct bytes *text)
{
    bool rows = version == LEDGER_VERSION_ROWS;

    bytes_clear(text);
    bytes_put_u8(text, rows ? 0x20 : 1); // of a row, or how many names follow
    bytes_put_varint(text, ID_BYTES_MAX + 1);
    for (size_t i = 0; i <= ID_BYTES_MAX; i++) {
        bytes_put_u8(text, 'x');
    }
    bytes_put(text, "\0\0\0\0", rows ? 5 : 0);
    return (struct crafted_batch){
        .version = version,
        .frame = {{rows ? LEDGER_ROWS : LEDGER_NAMES, (const char *)text->data, text->count}},
        .rows = rows,
        .says = rows ? "malformed row" : "malformed text",
        .told = CRAFTED_ROWS};
}

// One thing is wrong with each. A row of version 1: what it does, id, record, line, first day,
// dimension, measures.
static const struct crafted_batch crafted_malformed[] = {
    CRAFTED_OLD_ROW("\0\1x"),                                 // half a row
    CRAFTED_OLD_ROW("\3\1x\0\0"),                             // does what nothing does
    CRAFTED_OLD_ROW("\x20\1x\0\0\0\x63\0"),                   // a text that is nowhere
    CRAFTED_OLD_ROW("\x20\1x\0\0\0\x80\x80\x80\x80\x10\0"),   // no code at all
    CRAFTED_OLD_ROW("\x20\1x\0\0\x87\xd2\x95\x04\0\0"),       // before the year -9999
    CRAFTED_OLD_ROW("\x20\1x\0\0\xc2\x82\xe6\x02\0\0"),       // after the year 9999
    CRAFTED_OLD_ROW("\x20\1x\0\0\xff\xff\xff\xff\x0f\0\0"),   // on no day
    CRAFTED_OLD_ROW("\x20\1x\0\0\xfe\xff\xff\xff\x0f\0\0"),   // nor on this one
    CRAFTED_OLD_ROW("\x24\1x\0\0\0\xff\xff\xff\xff\x0f\0\0"), // lasts for ever
    {.version = 1,
     .frame = {{LEDGER_TEXTS, BYTES("\2\x09Mal")}},
     .says = "texts out of order"}, // half a text, which no row uses
    {.version = 1, .frame = {{LEDGER_TEXTS, BYTES("\7\4Mali")}}, .says = "texts out of order"},
    {.version = 1, .frame = {{LEDGER_TEXTS, BYTES("")}}, .says = "malformed texts"},
    {.version = 1, .rows = 3, .says = "not as many rows as its end says", .told = CRAFTED_ROWS},
    {.version = 1,
     .mode = BATCH_SNAPSHOT,
     .scope = 1,
     .scopes = 1,
     .scope_list = {0, BYTES("\x63\1")},
     .says = "malformed scopes",
     .told = CRAFTED_ROWS},
    {.version = 1,
     .mode = BATCH_SNAPSHOT,
     .scope = 1,
     .scopes = 1,
     .scope_list = {0, BYTES("\x80\x80\x80")},
     .says = "malformed scopes",
     .told = CRAFTED_ROWS},

    CRAFTED_CELL(COLUMN_OP, ROWS_KEEP + 1),
    CRAFTED_CELL(COLUMN_HEAD, 1),
    CRAFTED_CELL(COLUMN_NUMBER, UINT32_MAX + UINT64_C(1)),
    CRAFTED_CELL(COLUMN_REVISION_KIND, REVISION_TEXT + 1),
    CRAFTED_CELL(COLUMN_FIRST_DAY, (uint64_t)DAY_MIN - 1),
    CRAFTED_CELL(COLUMN_FIRST_DAY, (uint64_t)DAY_MAX + 1),
    CRAFTED_CELL(COLUMN_LASTS, (uint64_t)DAY_MAX + 1),
    CRAFTED_CELL(COLUMN_VALUES, 1),
    CRAFTED_CELL(COLUMN_DIMS, 1),
    CRAFTED_FRAME(LEDGER_ROWS, "", "malformed rows"),
    CRAFTED_FRAME(LEDGER_NAMES, "", "malformed codes"),
    CRAFTED_FRAME(LEDGER_NAMES, "\1\3ab", "malformed text"),
    CRAFTED_FRAME(LEDGER_NAMES, "\1\2abc", "malformed codes"),
    CRAFTED_FRAME(LEDGER_TEXTS, "\2\1a", "malformed text"),
    CRAFTED_FRAME(LEDGER_VALUES, "\1\1", "malformed values"),
    CRAFTED_FRAME(LEDGER_VALUES, "\1\2\0", "malformed values"), // of a second measure
    {.version = 2, .rows = 1, .says = "not as many rows as its end says", .told = CRAFTED_ROWS},
    {.version = 2, .foreign = true, .says = "parts of two ledgers are mixed", .told = CRAFTED_ROWS},
    {.version = 2,
     .mode = BATCH_SNAPSHOT,
     .scope = 1,
     .scopes = 1,
     .scope_list = {0, BYTES("\5ab")},
     .says = "malformed scopes",
     .told = CRAFTED_ROWS},
    {.version = 2,
     .mode = BATCH_SNAPSHOT,
     .scope = 2,
     .says = "a scope that is no dimension",
     .told = "a scope that is no dimension"},

    CRAFTED_BEGIN("", "malformed begin of a batch"),
    CRAFTED_BEGIN("\5\1\1f\0\0\1f\0\0", "malformed begin of a batch"),     // in no mode
    CRAFTED_BEGIN("\0\3\1f\0\0\1f\0\0", "malformed begin of a batch"),     // scope -2
    CRAFTED_BEGIN("\0\x80\1\1f\0\0\1f\0\0", "malformed begin of a batch"), // scope 64
    CRAFTED_BEGIN("\0\1\1f\0\0", "malformed shape of a feed"),
    CRAFTED_BEGIN("\0\1\1f\0\0\0\0\0", "malformed shape of a feed"),    // without a name
    CRAFTED_BEGIN("\0\1\1f\0\0\1\0\0\0", "malformed shape of a feed"),  // a NUL for one
    CRAFTED_BEGIN("\0\1\1f\0\0\1f\x7f\0", "malformed shape of a feed"), // 127 dimensions
    CRAFTED_BEGIN("\0\1\1f\0\0\1f\0\1\0", "malformed shape of a feed"), // a measure
    {.version = 2,
     .end = {LEDGER_COMMIT, BYTES("")},
     .says = "malformed end of a batch",
     .told = CRAFTED_ROWS},
    {.version = 2,
     .scopes = 2,
     .scope_list = {0, BYTES("\0\1\0")},
     .says = "malformed end of a batch",
     .told = CRAFTED_ROWS},
    {.version = 2,
     .frame = {{(enum ledger_kind)9, BYTES("x")}},
     .says = "a frame of unknown kind",
     .told = "a frame of unknown kind"},
    {.version = 2, .endless = true, .says = "a batch without its end", .told = "it has no end"},
    {.version = 2,
     .begin = {LEDGER_TEXTS, BYTES("x")},
     .says = "a frame outside a batch",
     .told = "it is not there"},
    {.version = 2,
     .begin = {LEDGER_FILE, BYTES("")},
     .endless = true,
     .says = "malformed end of a batch",
     .told = "malformed end of a batch"},
};
enum { CRAFTED_MALFORMED = sizeof crafted_malformed / sizeof *crafted_malformed };

#endif
