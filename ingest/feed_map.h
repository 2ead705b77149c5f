// ingest/feed_map.h - mapping files: texts of a dimension that mean other texts.
//
//     from,to
//     N.W.F.P.,Khyber Pakhtunkhwa
//
// Two columns, with or without that header; the order of rows does not matter and nothing is
// mapped twice.
#ifndef INGEST_FEED_MAP_H
#define INGEST_FEED_MAP_H

#include "ingest/feed_spec.h"

// Reads the file and keeps it for a dimension of that name, in place of an earlier one. `path`
// NULL takes the earlier one back. Errors: TALLY_INVALID, TALLY_IO, with the line as place.
bool feed_map_set(struct feed *feed, const char *dim, const char *path, struct tally_err *err);

void feed_map_close(struct feed_map *map);

bool feed_map_equal(const struct feed_map *a, const struct feed_map *b); // in the same order

const struct feed_map *feed_map_find(const struct feed *feed, const char *dim);

// What the text means: itself if the file does not list it.
struct text feed_map_text(const struct feed_map *map, struct text text);

#endif
