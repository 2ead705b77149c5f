// store/unpacker.h - the frames of one batch as rows by the state's codes: what store/packer.h
// packed.
//
//   NAMES  TEXTS  VALUES  --->  code of the batch -> code of the state, given where it is new
//   ROWS                  --->  struct state_row, one by one
//
// Memory: 4 bytes a code of the batch, and the rows of one frame.
#ifndef STORE_UNPACKER_H
#define STORE_UNPACKER_H

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

struct unpacker {
    struct state *state;
    uint16_t shape;
    struct unpacker_codes names;
    struct unpacker_codes texts;
    struct unpacker_codes values;
    struct columns *columns;
};

void unpacker_init(struct unpacker *unpacker, struct state *state);
void unpacker_done(struct unpacker *unpacker);

bool unpacker_begin(struct unpacker *unpacker, uint16_t shape, struct tally_err *err);

// A frame of kind NAMES, TEXTS or VALUES. Errors: TALLY_CORRUPT, TALLY_NO_MEMORY.
bool unpacker_take_codes(struct unpacker *unpacker, enum ledger_kind kind, struct cursor payload,
                         struct tally_err *err);

// A frame of kind ROWS; how many rows it has. Then each of them.
bool unpacker_take_rows(struct unpacker *unpacker, struct cursor payload, uint32_t *out_count,
                        struct tally_err *err);
// Fills out_row->dims in the caller's array, which the row then points to.
bool unpacker_row(const struct unpacker *unpacker, uint32_t index, uint32_t dims[SHAPE_DIMS_MAX],
                  struct state_row *out_row, struct tally_err *err);

#endif
