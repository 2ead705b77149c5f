// ingest/blocks.h - one large file, mapped on several cores.
//
//   text at hand   | records ...          | block 1 ...          | block 2 ...         | part of
//   one
//                  ^ the next record      ^ guessed              ^ guessed
//   this thread      maps up to block 1
//   another                                 maps up to block 2
//   another                                                        maps what is whole, and
//                                                                  reads what comes behind it
//
//   taken            always                 if the first ended     if block 1 ended
//                                           exactly here           exactly here
//
// Where a record begins is known only to one who read all text before it: a line feed may stand
// within quotes. So a block begins where a record seems to begin, and its rows are taken only if
// the records in front of it end there; else they are dropped, and that text is read once more.
// A block ends early at anything but a good row: what is wrong with a record or a row, and every
// refusal, is said by the one who reads in order. The outcome is that of one core alone.
//
// How long the blocks are is such that all take about as long as each other the next time.
//
// Each block has its own codes of dimensions, which are put into those of the file when it is
// taken.
//
// Memory: the text, of memory_bytes_max at most a sixteenth; chunks, together about as large as
// one; and the codes, of which the share of memory of the file has a part.
#ifndef INGEST_BLOCKS_H
#define INGEST_BLOCKS_H

#include "ingest/map.h"
#include "ingest/records.h"

struct blocks;

// How long a block is on average where so many parts are mapped at once: block_bytes, but no more
// than what a sixteenth of memory_bytes_max holds of two buffers of them.
size_t blocks_bytes(const struct ingest_limits *limits, unsigned parts);
// And in the first round, which is short: until text is at hand, one core waits.
size_t blocks_first_bytes(const struct ingest_limits *limits, unsigned parts);

// `count` blocks beside the text that is mapped by the caller; texts of their dimensions take at
// most `bytes_max` together. feed, binding and records have to outlive them.
// Errors: NULL, TALLY_NO_MEMORY.
struct blocks *blocks_open(const struct feed *feed, const struct header_binding *binding,
                           const struct records *records, const struct ingest_limits *limits,
                           unsigned count, size_t bytes_max, struct tally_err *err);
void blocks_close(struct blocks *blocks); // NULL is allowed

// Brings text to hand, looks for blocks in it, and maps each on a thread of its own into its chunk,
// while `in_order` reads the records in front of them on this one, until they are held.
// `meanwhile`, once, too: on the thread of the last block.
typedef void blocks_in_order(void *context);
struct blocks_meanwhile {
    void (*run)(void *context); // or NULL
    void *context;
};
void blocks_read(struct blocks *blocks, struct records *records, blocks_in_order *in_order,
                 void *context, const struct blocks_meanwhile *meanwhile, struct rows *chunks);

// Takes the blocks that follow on the records, which it moves behind them: the first *out_taken
// chunks. Their rows count on from `summary`, which is brought up to date. `full`: the chunk of the
// records was full before they got to the first block, and some are left.
// Errors: TALLY_NO_MEMORY.
bool blocks_take(struct blocks *blocks, struct records *records, struct map *map, bool full,
                 struct rows *chunks, struct ingest_summary *summary, unsigned *out_taken,
                 struct tally_err *err);

// Whether the chunk of the records in order has its part of what one may hold.
bool blocks_in_order_are_full(const struct blocks *blocks, const struct rows *chunk);

// Whether they are worth it for this file: most of them were taken.
bool blocks_are_of_use(const struct blocks *blocks);

#endif
