// store/unpacker.h - the frames of one batch as rows by the state's codes: what store/packer.h
// packed.
//
//   NAMES  TEXTS  VALUES  --->  code of the batch -> code of the state, given where it is new
//   ROWS ROWS ROWS        --->  wait, then many at once, each core some frames: struct state_rows
//
// A row may only use codes that stand before its frame, so that a frame that waits remembers how
// many there were.
//
// Memory: 4 bytes a code of the batch. Of the frames that wait, 131,072 rows at most, the payloads,
// and a struct columns a core. Twice, since rows are unpacked while those before them are applied,
// 4 bytes a dimension of each row and 49 for itself.
#ifndef STORE_UNPACKER_H
#define STORE_UNPACKER_H

#include "base/team.h"
#include "store/columns.h"
#include "store/ledger_read.h"
#include "store/state.h"

#include <stdbool.h>
#include <stdint.h>

struct unpacker_codes {
    uint32_t *code; // of the state, by code of the batch
    uint32_t count;
    uint32_t capacity;
};

enum { UNPACKER_FRAMES_MAX = 128, UNPACKER_ROOMS = 2 };

// A frame of kind ROWS that waits.
struct unpacker_frame {
    struct ledger_frame frame; // its payload stands in `payloads`
    size_t payload_at;
    uint32_t names; // codes that stand before it
    uint32_t texts;
    uint32_t values;
    uint32_t row; // its first one among those of all that wait
};

// What one call of unpacker_take_rows makes.
struct unpacker_room {
    struct state_row *row;
    uint32_t *dims;            // of each row
    struct state_slice *slice; // one a frame
    size_t rows_capacity;
    size_t dims_capacity;
    size_t slices_capacity;
};

// What a core works with.
struct unpacker_core {
    struct columns columns;
    uint64_t id[COLUMNS_ROWS_MAX];
    uint8_t part[COLUMNS_ROWS_MAX]; // that the id is of
};

struct unpacker {
    struct state *state;
    uint16_t shape;
    struct unpacker_codes names;
    struct unpacker_codes texts;
    struct unpacker_codes values;
    struct unpacker_frame waiting[UNPACKER_FRAMES_MAX];
    uint32_t frames;
    uint32_t rows; // of them all
    struct bytes payloads;
    struct unpacker_room room[UNPACKER_ROOMS];
    unsigned at; // the room that is used next
    struct unpacker_core *core[TEAM_PARTS_MAX];
};

void unpacker_init(struct unpacker *unpacker, struct state *state);
void unpacker_done(struct unpacker *unpacker);

bool unpacker_begin(struct unpacker *unpacker, uint16_t shape, struct tally_err *err);

// A frame of kind NAMES, TEXTS or VALUES. Errors: TALLY_CORRUPT, TALLY_NO_MEMORY.
bool unpacker_take_codes(struct unpacker *unpacker, enum ledger_kind kind, struct cursor payload,
                         struct tally_err *err);

// A frame of kind ROWS waits. Requires: fewer than UNPACKER_FRAMES_MAX do. Errors: as above.
bool unpacker_put_rows(struct unpacker *unpacker, const struct ledger_frame *frame,
                       struct tally_err *err);
// The rows of all frames that wait, good until the next call but one; then none waits. `beside`, or
// NULL, goes on with those of the call before on each core that has done its share.
// *out_wrong: the frame that err speaks of, or NULL. Errors: as above.
bool unpacker_take_rows(struct unpacker *unpacker, struct state_applying *beside,
                        struct state_rows *out_rows, const struct ledger_frame **out_wrong,
                        struct tally_err *err);

#endif
