// store/columns.h - the rows of a batch as columns of packed numbers: the payload of a ROWS frame.
//
//   rows    op head number record ...        columns   op      0 0 0 0      width 0
//           0  4    17     1                           number  17 18 21 22  differences, width 2
//           0  4    18     2        --->               record  1 2 3 4      differences, width 0
//
// Each column is written as what its values, or the differences between them, exceed the least one
// by, in as many bits as the greatest such excess takes; whichever is narrower. All arithmetic is
// modulo 2^64, so that any values come back. Source: frame of reference (Goldstein, Ramakrishnan,
// Shaft 1998). The bytes are told in docs/ledger.md.
#ifndef STORE_COLUMNS_H
#define STORE_COLUMNS_H

#include "base/bytes.h"
#include "base/cpu.h"
#include "store/shape.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    COLUMNS_ROWS_MAX = 1024,
    COLUMNS_STRIDE =
        COLUMNS_ROWS_MAX + 8, // so that the numbers of a row do not meet in one cache set
};

// In the order in which they are written. Codes are those of the batch (store/packer.h).
enum column {
    COLUMN_OP, // enum rows_op
    COLUMN_HEAD,
    COLUMN_NUMBER,
    COLUMN_RECORD,
    COLUMN_LINE,
    COLUMN_REVISION_KIND,
    COLUMN_REVISION, // a number, or the code of a name
    COLUMN_FIRST_DAY,
    COLUMN_LASTS, // last day - first day
    COLUMN_VALUES,
    COLUMN_DIMS, // the first one; the others of the shape follow
    COLUMNS_MAX = COLUMN_DIMS + SHAPE_DIMS_MAX,
};

struct columns {
    uint32_t count;
    uint32_t dims_count; // of the shape
    uint64_t value[COLUMNS_MAX][COLUMNS_STRIDE];
};

// Requires: 1 <= count <= COLUMNS_ROWS_MAX.
void columns_encode(const struct columns *columns, struct bytes *out);
// The same, compiled from one source for any machine and for newer ones: the same bytes.
struct columns_code {
    const char *name;
    void (*encode)(const struct columns *columns, struct bytes *out);
};
extern const struct columns_code columns_code_portable;
#ifdef STORE_FOR_X86
extern const struct columns_code columns_code_v3;
extern const struct columns_code columns_code_v4;
#endif
// Requires: level <= cpu_level().
const struct columns_code *columns_code(enum cpu_level level);
// False: not as columns_encode writes it for dims_count dimensions; *columns is then of no use.
bool columns_decode(struct columns *columns, uint32_t dims_count, struct cursor in);

#endif
