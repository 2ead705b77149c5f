// ingest/victims.h - rows of one file that share an id become one incident.
//
//     7, 2019-09-30, killed      ->     7, 2019-09-30: killed 1, wounded 1
//     7, 2019-09-30, wounded
//
// Days and dimensions are those of the first row, the revision is the greatest of them, and
// measures add up. The rows of an incident may stand anywhere in the file, so that all of them are
// held until its end.
#ifndef INGEST_VICTIMS_H
#define INGEST_VICTIMS_H

#include "ingest/map.h"

struct victims {
    struct rows rows;
    struct dict ids; // code: index of the row
    size_t given;    // rows that were handed out
    size_t bytes_max;
};

void victims_init(struct victims *victims, const struct shape *shape, size_t bytes_max);
void victims_done(struct victims *victims);

// *out_fits: false when a measure's sum leaves 64 bits; then nothing is added.
bool victims_add(struct victims *victims, const struct incident *incident, bool *out_fits,
                 struct tally_err *err);

// Moves the next incident to the chunk. *out_given: false when there is none.
bool victims_give(struct victims *victims, struct rows *chunk, bool *out_given,
                  struct tally_err *err);

#endif
