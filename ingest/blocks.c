#include "ingest/blocks.h"

#include "base/clock.h"
#include "ingest/summary.h"

#include <stdlib.h>

enum {
    DROPPED_FREE = 16, // blocks in vain that say nothing of a file
    BLOCK_FIRST_SHARE = 16,
    BLOCK_SHRINKS_MAX = 64, // below such a part of a block no thread is worth its work
    SHARES = 1 << 16,
    SHARE_MIN = SHARES / 32, // without a block nothing is read ahead
    TEXT_SHARE = 16,
};

struct block {
    struct records *records;
    struct map *map;
    struct codes_alias alias;
    struct records_place begin;
    uint64_t stop; // where the next block begins
    struct records_place end;
    struct incident incident;
    struct ingest_summary summary; // of its rows
};

struct blocks {
    const struct feed *feed;
    const struct header_binding *binding;
    const struct ingest_limits *limits;
    size_t map_bytes_max;
    size_t block_bytes_most; // on average, of all rounds
    size_t block_bytes_max;  // since a chunk was full
    size_t block_bytes;
    struct part {
        uint64_t share; // of SHARES, of the text; the first is of the records in order
        uint64_t took_ns;
    } part[INGEST_CHUNKS_MAX];
    uint64_t taken;
    uint64_t dropped;
    unsigned begun;
    unsigned count;
    struct block block[INGEST_CHUNKS_MAX];
};

static bool open_map(const struct blocks *blocks, struct block *block, struct tally_err *err)
{
    map_close(block->map);
    codes_alias_done(&block->alias);
    block->map = map_open(blocks->feed, blocks->binding, blocks->map_bytes_max, err);
    return block->map;
}

size_t blocks_bytes(const struct ingest_limits *limits, unsigned parts)
{
    size_t bytes = limits->memory_bytes_max / TEXT_SHARE / 2 / parts;
    return bytes < limits->block_bytes ? bytes : limits->block_bytes;
}

size_t blocks_first_bytes(const struct ingest_limits *limits, unsigned parts)
{
    size_t bytes = blocks_bytes(limits, parts);
    return bytes < BLOCK_FIRST_SHARE ? bytes : bytes / BLOCK_FIRST_SHARE;
}

struct blocks *blocks_open(const struct feed *feed, const struct header_binding *binding,
                           const struct records *records, const struct ingest_limits *limits,
                           unsigned count, size_t bytes_max, struct tally_err *err)
{
    struct blocks *blocks = calloc(1, sizeof *blocks);
    bool ok = blocks;

    if (!blocks) {
        err_set(err, TALLY_NO_MEMORY, "no memory to map rows");
        return NULL;
    }
    blocks->feed = feed;
    blocks->binding = binding;
    blocks->limits = limits;
    blocks->map_bytes_max = bytes_max / count;
    blocks->block_bytes_most = blocks_bytes(limits, count + 1);
    blocks->block_bytes_max = blocks->block_bytes_most;
    blocks->block_bytes = blocks_first_bytes(limits, count + 1);
    blocks->count = count;
    for (unsigned i = 0; i <= count; i++) {
        blocks->part[i].share = SHARES / (count + 1);
    }
    for (unsigned i = 0; ok && i < count; i++) {
        struct block *block = &blocks->block[i];
        block->records = records_open_beside(records, err);
        ok = block->records && open_map(blocks, block, err);
    }
    if (!ok) {
        blocks_close(blocks);
        return NULL;
    }
    return blocks;
}

void blocks_close(struct blocks *blocks)
{
    if (blocks) {
        for (unsigned i = 0; i < blocks->count; i++) {
            records_close(blocks->block[i].records);
            map_close(blocks->block[i].map);
            codes_alias_done(&blocks->block[i].alias);
        }
        free(blocks);
    }
}

// With some room for rows that are shorter than those before.
static bool is_full(const struct blocks *blocks, unsigned part, const struct rows *chunk)
{
    return rows_are_full(chunk, blocks->limits, blocks->part[part].share + SHARES / 8, SHARES);
}

bool blocks_in_order_are_full(const struct blocks *blocks, const struct rows *chunk)
{
    return is_full(blocks, 0, chunk);
}

bool blocks_are_of_use(const struct blocks *blocks)
{
    return blocks->dropped <= DROPPED_FREE + blocks->taken / 4 &&
           blocks->block_bytes_max >= blocks->block_bytes_most / BLOCK_SHRINKS_MAX;
}

// ---- which text -----------------------------------------------------------------------------

static size_t round_bytes(const struct blocks *blocks, size_t block_bytes)
{
    return (blocks->count + 1) * block_bytes;
}

static size_t next_block_bytes(const struct blocks *blocks)
{
    size_t bytes = blocks->block_bytes * 2;
    return bytes < blocks->block_bytes_max ? bytes : blocks->block_bytes_max;
}

static void begin(struct blocks *blocks, struct records *records)
{
    uint64_t from = records_place(records).offset;
    size_t round = round_bytes(blocks, blocks->block_bytes);
    size_t bytes = records_fill(records, round, round_bytes(blocks, blocks->block_bytes_most));
    uint64_t end = from + (bytes < round ? bytes : round);
    uint64_t at = from;

    blocks->begun = 0;
    for (unsigned i = 0; i < blocks->count; i++) {
        struct block *block = &blocks->block[blocks->begun];
        at += round * blocks->part[i].share / SHARES;
        if (at >= end || !records_guess_beside(block->records, records, at, end, &block->begin)) {
            break;
        }
        block->stop = end;
        if (blocks->begun > 0) {
            block[-1].stop = block->begin.offset;
        }
        blocks->begun++;
    }
    if (blocks->begun > 0) {
        records_hold(records, blocks->block[0].begin.offset);
    }
    for (unsigned i = 0; i < blocks->begun; i++) {
        struct block *block = &blocks->block[i];
        records_begin_beside(block->records, records, block->begin, block->stop);
    }
}

// The time that a part of the text takes is taken to grow with it. Half a step at a time, so that
// what disturbs one round does not upset the next.
static void divide(struct blocks *blocks)
{
    uint64_t speed[INGEST_CHUNKS_MAX];
    uint64_t sum = 0;

    for (unsigned i = 0; i <= blocks->count; i++) {
        speed[i] = ((blocks->part[i].share + 1) << 24) / (blocks->part[i].took_ns + 1) + 1;
        sum += speed[i];
    }
    for (unsigned i = 0; i <= blocks->count; i++) {
        uint64_t share = speed[i] * SHARES / sum;
        share = share < SHARE_MIN ? SHARE_MIN : share;
        blocks->part[i].share = (blocks->part[i].share + share) / 2;
    }
}

// ---- mapping --------------------------------------------------------------------------------

// False: the record at hand is for the one who reads in order.
static bool map_one(const struct blocks *blocks, struct block *block, struct rows *chunk)
{
    char detail[RECORDS_DETAIL_BYTES];
    const char *reason;
    struct tally_err ignored;

    if (map_next(block->map, block->summary.records + 1, chunk, &block->incident, &reason, detail,
                 &ignored) != MAP_INCIDENT ||
        !incident_put(&block->incident, chunk, &ignored)) {
        return false;
    }
    block->summary.records++;
    summary_note(&block->summary, blocks->feed, &block->incident);
    return true;
}

// Returns how many of them: fewer than `count` where the block ends.
static size_t map_few(struct blocks *blocks, unsigned part, const struct record *given,
                      size_t count, struct rows *chunk)
{
    struct block *block = &blocks->block[part - 1];

    map_begin(block->map, given, count);
    for (size_t i = 0; i < count; i++) {
        if (is_full(blocks, part, chunk) || !map_one(blocks, block, chunk)) {
            return i;
        }
    }
    return count;
}

static void map_block(struct blocks *blocks, unsigned part, struct rows *chunk)
{
    struct block *block = &blocks->block[part - 1];
    const struct record *given;
    size_t count;
    struct tally_err ignored;

    block->summary = (struct ingest_summary){0};
    block->end = block->begin;
    while (records_next_few(block->records, &given, &count, &ignored) == RECORDS_RECORD) {
        size_t mapped = map_few(blocks, part, given, count, chunk);
        if (mapped < count) {
            block->end =
                (struct records_place){.offset = given[mapped].offset, .line = given[mapped].line};
            return;
        }
        block->end = records_place(block->records);
    }
}

struct reading {
    struct blocks *blocks;
    struct records *records;
    blocks_in_order *in_order;
    void *context;
    const struct blocks_meanwhile *meanwhile;
    unsigned parts;
    struct rows *chunks;
};

static void read_part(void *context, unsigned part)
{
    const struct reading *reading = context;
    struct blocks *blocks = reading->blocks;
    uint64_t began_ns = clock_ticks_ns();

    if (part + 1 == reading->parts && reading->meanwhile->run) {
        reading->meanwhile->run(reading->meanwhile->context);
    }
    if (part == 0) {
        reading->in_order(reading->context);
    } else if (part <= blocks->begun) {
        map_block(blocks, part, &reading->chunks[part - 1]);
    }
    if (part > 0 && part == blocks->begun) {
        records_read_ahead(reading->records, round_bytes(blocks, next_block_bytes(blocks)),
                           round_bytes(blocks, blocks->block_bytes_most));
    }
    blocks->part[part].took_ns = clock_ticks_ns() - began_ns;
}

void blocks_read(struct blocks *blocks, struct records *records, blocks_in_order *in_order,
                 void *context, const struct blocks_meanwhile *meanwhile, struct rows *chunks)
{
    struct reading reading = {.blocks = blocks,
                              .records = records,
                              .in_order = in_order,
                              .context = context,
                              .meanwhile = meanwhile,
                              .chunks = chunks};

    begin(blocks, records);
    reading.parts = blocks->begun == 0 && meanwhile->run ? 2 : blocks->begun + 1;
    for (unsigned i = 0; i < blocks->begun; i++) {
        rows_clear(&chunks[i], blocks->feed->shape);
    }
    team_run(read_part, &reading, reading.parts);
    if (blocks->begun == blocks->count) {
        divide(blocks);
    }
}

// ---- taking ---------------------------------------------------------------------------------

static void shift(struct rows *chunk, uint64_t records, uint64_t lines)
{
    for (size_t i = 0; i < chunk->count; i++) {
        chunk->row[i].record += records;
        chunk->row[i].line += lines;
    }
}

// The records end where the block begins, and no limit of the file is near.
static bool follows(const struct blocks *blocks, const struct block *block,
                    const struct records *records, const struct map *map, const struct rows *chunk,
                    const struct ingest_summary *summary)
{
    return block->summary.records > 0 && block->begin.offset == records_place(records).offset &&
           block->summary.records <= blocks->limits->records_max - summary->records &&
           map_has_room(map, chunk);
}

static bool take(struct block *block, struct records *records, struct map *map, struct rows *chunk,
                 struct ingest_summary *summary, struct tally_err *err)
{
    uint64_t lines = records_place(records).line - 1;

    if (!map_take(map, &block->alias, chunk, err)) {
        return false;
    }
    shift(chunk, summary->records, lines);
    summary_add(summary, &block->summary);
    records_go_on(records, (struct records_place){.offset = block->end.offset,
                                                  .line = lines + block->end.line});
    return true;
}

// Texts that only a block knows that was dropped are in no chunk: its codes begin anew.
static bool drop(struct blocks *blocks, unsigned from, struct tally_err *err)
{
    bool ok = true;

    for (unsigned i = from; ok && i < blocks->begun; i++) {
        ok = open_map(blocks, &blocks->block[i], err);
    }
    return ok;
}

// Those behind `from` that have rows.
static unsigned count_read(const struct blocks *blocks, unsigned from)
{
    unsigned count = 0;

    for (unsigned i = from; i < blocks->begun; i++) {
        count += blocks->block[i].summary.records > 0;
    }
    return count;
}

bool blocks_take(struct blocks *blocks, struct records *records, struct map *map, bool full,
                 struct rows *chunks, struct ingest_summary *summary, unsigned *out_taken,
                 struct tally_err *err)
{
    unsigned taken = 0;

    records_release(records);
    *out_taken = 0;
    while (!full && taken < blocks->begun &&
           follows(blocks, &blocks->block[taken], records, map, &chunks[taken], summary)) {
        if (!take(&blocks->block[taken], records, map, &chunks[taken], summary, err)) {
            return false;
        }
        taken++;
    }
    if (full) {
        blocks->block_bytes_max = blocks->block_bytes / 2;
    } else {
        blocks->dropped += count_read(blocks, taken);
    }
    blocks->taken += taken;
    blocks->block_bytes = next_block_bytes(blocks);
    *out_taken = taken;
    return drop(blocks, taken, err);
}
