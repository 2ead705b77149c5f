// ingest/map.h - one CSV record in, one incident out, or the reason why not.
#ifndef INGEST_MAP_H
#define INGEST_MAP_H

#include "ingest/codes.h"
#include "ingest/header.h"
#include "ingest/incident.h"
#include "store/rows.h"

enum map_step {
    MAP_INCIDENT,
    MAP_REJECTED,       // the id was read: incident->id
    MAP_REJECTED_NO_ID, // nobody can say which incident it is
    MAP_ERROR,
};

struct map;

// `feed` and `binding` have to outlive the map. Texts of dimensions take at most `bytes_max`.
struct map *map_open(const struct feed *feed, const struct header_binding *binding,
                     size_t bytes_max, struct tally_err *err);
void map_close(struct map *map); // NULL is allowed

// Begins with a few records, RECORDS_FEW_MAX at most: their texts are looked up together, so that
// the memory of all is on its way at once. Requires: they stay valid while they are mapped.
void map_begin(struct map *map, const struct record *records, size_t count);

// Maps the next one of them. New texts of dimensions go to `chunk`; nothing else does. A reason for
// the rejection goes to *out_reason (static) and `detail`. Memory: as long as the records.
enum map_step map_next(struct map *map, uint64_t number, struct rows *chunk, struct incident *out,
                       const char **out_reason, char detail[RECORDS_DETAIL_BYTES],
                       struct tally_err *err);

// Of chunks that another map of the same file made: see codes.h.
bool map_has_room(const struct map *map, const struct rows *chunk);
bool map_take(struct map *map, struct codes_alias *alias, struct rows *chunk,
              struct tally_err *err);

#endif
