#include "base/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

void *pages_alloc(size_t bytes)
{
    if (bytes < PAGES_LARGE_BYTES) {
        return malloc(bytes);
    }
    if (bytes > SIZE_MAX / 2) {
        return NULL;
    }
    size_t whole = (bytes + PAGES_LARGE_BYTES - 1) / PAGES_LARGE_BYTES * PAGES_LARGE_BYTES;
    void *data = aligned_alloc(PAGES_LARGE_BYTES, whole);
    if (data) {
        (void)madvise(data, whole, MADV_HUGEPAGE);
    }
    return data;
}
