// store/cluster/versions.h - what a batch made of an incident, as a row of tally_versions.
//
//   feed id_hash id | rank buried batch record  | op revision shape days values dims line
//                     which one is the newest     what the incident is by it
//
// A version says all of an incident as it stood behind the batch, so that the newest one alone is
// enough. Which one is the newest: the greatest (rank, buried, batch, record). In a feed that is
// ordered by its revisions, rank is the revision (rank.h), and a burial stands above what it
// buries, whichever came first; in other feeds both are empty, and the later batch has the word.
#ifndef STORE_CLUSTER_VERSIONS_H
#define STORE_CLUSTER_VERSIONS_H

#include "base/bytes.h"
#include "base/err.h"
#include "store/cluster/shapes.h"
#include "store/state.h"

#include <stddef.h>
#include <stdint.h>

enum version_op {
    VERSION_COUNTS,
    VERSION_WITHDRAWN,
    VERSION_BURIED, // withdrawn by a deletion of `revision`: only a newer one comes back
};

// The columns that version_take takes.
#define VERSIONS_COLUMNS                                                                           \
    "id, op, revision, shape, first_day, last_day, reported, dims, measures, batch, record, line"

// Texts lie in the answer that it was taken from.
struct version {
    const char *id;
    size_t id_bytes;
    enum version_op op;
    const char *revision;
    size_t revision_bytes;
    uint64_t shape; // hash
    int32_t first_day;
    int32_t last_day;
    uint64_t reported;
    struct cursor dims;     // dims_count texts
    struct cursor measures; // measures_count int64
    size_t dims_count;
    size_t measures_count;
    uint64_t batch; // key
    uint64_t record;
    uint64_t line;
};

uint64_t version_hash(const char *id, size_t bytes); // id_hash

// False: malformed.
bool version_take(struct version *out, struct cursor *in);

// Makes the incident what the version says. Requires: the state has none of this id. `number`: of
// its batch, for its origin. Errors: TALLY_CORRUPT where its shape is not known or differs.
bool version_apply(const struct version *version, const struct shapes *shapes, uint32_t number,
                   struct state *state, struct tally_err *err);

// Puts a row: the incident as it stands in the state, said by this batch.
struct version_of {
    uint64_t shape; // hash of the incident's shape
    uint64_t batch; // key
    bool by_revision;
};
void version_put(const struct state *state, const struct incident *incident,
                 const struct version_of *of, struct bytes *out);

#endif
