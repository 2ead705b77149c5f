// ingest/incident.h - one incident, as its row says it.
#ifndef INGEST_INCIDENT_H
#define INGEST_INCIDENT_H

#include "ingest/feed_spec.h"
#include "store/rows.h"

#include <stdint.h>

struct incident {
    enum rows_op op;
    struct text id; // valid as long as the record
    uint64_t record;
    uint64_t line;
    int32_t first_day;
    int32_t last_day;
    int32_t covered_day; // known to have been reported on: of an imprecise date its first day
    struct revision revision;
    uint64_t reported;
    const uint32_t *dims; // of ROWS_PUT
    int64_t measures[SHAPE_MEASURES_MAX];
};

// Whether low, best and high are out of order somewhere.
bool incident_is_disordered(const struct feed *feed, const struct incident *incident);

// Adds it to a chunk.
bool incident_put(const struct incident *incident, struct rows *chunk, struct tally_err *err);

#endif
