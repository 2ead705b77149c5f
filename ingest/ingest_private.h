// ingest/ingest_private.h - what ingest.c and ingest_header.c share.
//
//   ingest.c         chunks of rows, and how a file ends
//   ingest_header.c  what the first bytes and the header tell
#ifndef INGEST_INGEST_PRIVATE_H
#define INGEST_INGEST_PRIVATE_H

#include "ingest/blocks.h"
#include "ingest/decode.h"
#include "ingest/header.h"
#include "ingest/ingest.h"
#include "ingest/map.h"
#include "ingest/records.h"
#include "ingest/repair.h"
#include "ingest/source.h"
#include "ingest/victims.h"

enum ingest_stage {
    STAGE_HEADER, // nothing read yet
    STAGE_RECORDS,
    STAGE_VICTIMS, // all read; the incidents put together are handed over
    STAGE_OVER,    // END, REFUSED or FAILED was said
};

struct ingest {
    const struct feed *const *feeds;
    size_t feeds_count;
    char *name;
    struct ingest_limits limits;
    enum ingest_stage stage;

    struct source *source;
    struct decode *decode;
    struct records *records; // NULL while rejected rows are repaired ...
    struct repair *repair;   // ... and this is NULL else
    struct header_binding binding;
    const struct record *given; // records that were read together
    size_t given_count;
    size_t given_at; // the one at hand
    struct map *map;
    unsigned cores;        // that may map it
    struct blocks *blocks; // NULL: one core is enough, or ...
    bool alone;            // ... the only one that is of use
    struct victims victims;
    bool victims_ready;
    struct incident incident;
    bool meanwhile_done; // of the turn at hand

    struct ingest_summary summary;
    char *header;                            // summary.header
    char first_reject[RECORDS_DETAIL_BYTES]; // why the first rejected row was rejected
};

// Recognises the feed and reads up to the first record. Errors: as of ingest_next.
bool ingest_read_header(struct ingest *ingest, struct tally_err *err);

#endif
