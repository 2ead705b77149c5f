// store/packer.h - the rows of one batch as frames of the ledger.
//
//   row { id, revision, dims, measures }
//      |  each text and set of values gets a code of the batch when a row first uses it
//      v
//   NAMES  TEXTS  VALUES      what the codes stand for, in order of code
//   ROWS                      the rows by these codes (store/columns.h)
//
// A batch leans on nothing that another batch said, so that each can be read, copied or left out
// alone. What its codes are in the state is looked up once a code, and told to whoever compares
// rows with what is kept.
//
// A packer lasts as long as its store and serves one batch after the other. Memory: the texts and
// values of a batch, up to a bound behind which it begins to repeat them.
#ifndef STORE_PACKER_H
#define STORE_PACKER_H

#include "base/bytes.h"
#include "store/columns.h"
#include "store/ledger_write.h"
#include "store/rows.h"
#include "store/state.h"

#include <stdbool.h>
#include <stdint.h>

#define PACKER_UNKNOWN UINT32_MAX // no code: the state does not hold it

enum { PACKER_RECENT = 256 };

struct packer_entry {
    uint32_t known;   // code in the state, or PACKER_UNKNOWN
    uint32_t written; // code in the batch + 1; 0: no row that is written used it yet
};

// One kind of what rows share. A place counts up from 0 in order of first sight.
struct packer_dictionary {
    enum ledger_kind kind;
    struct texts seen; // place <-> bytes
    uint32_t
        recent[PACKER_RECENT]; // places seen lately, by a key of a few bits; 0 is the empty text
    struct packer_entry *entry;
    uint32_t capacity;
    uint32_t written;   // codes given in this batch
    struct bytes frame; // of them, those that are in no frame yet
    uint32_t in_frame;  // how many
};

struct packer {
    struct ledger *ledger;
    const struct state *state;
    uint64_t batch;
    uint16_t shape;
    uint64_t rows; // packed
    struct packer_dictionary names;
    struct packer_dictionary texts;
    struct packer_dictionary values;
    uint32_t *place[SHAPE_DIMS_MAX]; // a dimension's code in the file -> place in texts
    uint32_t places_count[SHAPE_DIMS_MAX];
    uint32_t places_capacity[SHAPE_DIMS_MAX];
    struct columns *columns;
    struct bytes payload;
};

bool packer_init(struct packer *packer, const struct state *state, struct tally_err *err);
void packer_done(struct packer *packer);

// A batch begins; what an abandoned one left is dropped. Memory: borrows the ledger.
bool packer_begin(struct packer *packer, struct ledger *ledger, uint64_t batch, uint16_t shape,
                  struct tally_err *err);

// A chunk begins, with the texts that it uses first.
bool packer_add_texts(struct packer *packer, const struct rows *rows, struct tally_err *err);

// One row, looked up: places in the packer, good until the next chunk begins.
struct packer_row {
    uint8_t op;
    uint32_t head; // place in names
    uint32_t number;
    struct revision revision;
    uint32_t revision_name; // place in names, of a text
    uint64_t record;
    uint64_t line;
    int32_t first_day;
    int32_t last_day;
    uint32_t dims[SHAPE_DIMS_MAX]; // places in texts; of ROWS_PUT only, as values
    uint32_t values;
};
bool packer_look_up(struct packer *packer, const struct rows *rows, size_t index,
                    struct packer_row *out_row, struct tally_err *err);

// Ask for the memory that finding the row's incident will look at: its place in the index, and some
// rows later the incident.
void packer_expect(const struct packer *packer, const struct packer_row *row, uint32_t feed);
void packer_expect_soon(const struct packer *packer, const struct packer_row *row, uint32_t feed);
// The incident that a row is about, or NULL.
struct incident *packer_find(const struct packer *packer, const struct packer_row *row,
                             uint32_t feed);
// Whether a row says exactly what is kept, revision included.
bool packer_equals(const struct packer *packer, const struct packer_row *row,
                   const struct incident *incident);
// The state's code of a text; PACKER_UNKNOWN: no incident has it.
uint32_t packer_known_text(const struct packer *packer, uint32_t place);

// Packs a row: it will be in the ledger.
bool packer_put(struct packer *packer, const struct packer_row *row, struct tally_err *err);
// Packs a row that withdraws an incident.
bool packer_put_withdrawal(struct packer *packer, const struct incident *incident,
                           struct tally_err *err);

// Writes the frames that are not full.
bool packer_flush(struct packer *packer, struct tally_err *err);

#endif
