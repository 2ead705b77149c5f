// ingest/memory.h - text that lies in memory, as something to pull from.
#ifndef INGEST_MEMORY_H
#define INGEST_MEMORY_H

#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

struct memory {
    const unsigned char *data;
    size_t count;
    size_t at;
};

// Is a decode_pull; its context is the memory. Never fails.
ssize_t memory_pull(void *context, void *data, size_t count, struct tally_err *err);

#endif
