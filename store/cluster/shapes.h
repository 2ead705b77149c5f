// store/cluster/shapes.h - which dimensions and measures the versions of a feed have
// (tally_shapes).
//
// A shape is named by 64 bits of a hash over what it says, so that daemons which never met give it
// the same name.
#ifndef STORE_CLUSTER_SHAPES_H
#define STORE_CLUSTER_SHAPES_H

#include "base/err.h"
#include "store/cluster/servers.h"
#include "store/shape.h"

#include <stddef.h>
#include <stdint.h>

struct shapes_entry {
    uint64_t hash;
    struct shape *shape;
};

struct shapes {
    struct shapes_entry *entry;
    size_t count;
};

void shapes_init(struct shapes *shapes);
void shapes_done(struct shapes *shapes);

// Errors: TALLY_NO_MEMORY.
bool shapes_hash(const struct shape *shape, uint64_t *out_hash, struct tally_err *err);

// Reads those that the cluster has and that are not known yet.
bool shapes_load(struct shapes *shapes, struct servers *servers, struct tally_err *err);
// NULL: not known.
const struct shape *shapes_find(const struct shapes *shapes, uint64_t hash);
// Puts it into the cluster where it is new. Errors: TALLY_CORRUPT where another shape has its hash.
bool shapes_put(struct shapes *shapes, struct servers *servers, const struct shape *shape,
                uint64_t *out_hash, struct tally_err *err);

#endif
