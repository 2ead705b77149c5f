// store/shape.h - what the incidents of one feed look like: names of dimensions and measures.
//
// A shape never changes. A feed whose mapping changes gets a new shape; the incidents kept under
// the old one stay as they are and simply lack what the new one added.
#ifndef STORE_SHAPE_H
#define STORE_SHAPE_H

#include "base/bytes.h"
#include "base/err.h"

#include <stddef.h>

enum {
    SHAPE_DIMS_MAX = 64,
    SHAPE_MEASURES_MAX = 64, // one bit each in a row's `reported`
    SHAPE_NAME_BYTES_MAX = 64,
};

struct shape {
    char *feed;
    char **dims;
    char **measures;
    size_t dims_count;
    size_t measures_count;
};

// Copies all names. Errors: NULL, TALLY_INVALID for too many, TALLY_NO_MEMORY.
struct shape *shape_open(const char *feed, const char *const *dims, size_t dims_count,
                         const char *const *measures, size_t measures_count, struct tally_err *err);
void shape_close(struct shape *shape);
bool shape_equal(const struct shape *a, const struct shape *b);

// Position of a name, or -1: absent is no error.
int shape_find_dim(const struct shape *shape, const char *name);
int shape_find_measure(const struct shape *shape, const char *name);

void shape_encode(const struct shape *shape, struct bytes *out);
struct shape *shape_decode(struct cursor *in, struct tally_err *err);

#endif
