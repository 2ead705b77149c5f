#include "ingest/memory.h"

#include <string.h>

ssize_t memory_pull(void *context, void *data, size_t count, struct tally_err *err)
{
    struct memory *memory = context;
    size_t left = memory->count - memory->at;
    size_t taken = left < count ? left : count;

    (void)err;
    if (taken > 0) {
        memcpy(data, memory->data + memory->at, taken);
    }
    memory->at += taken;
    return (ssize_t)taken;
}
