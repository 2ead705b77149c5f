#include "base/pages.h"

#include <malloc.h>
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

void *pages_alloc_passing(size_t bytes)
{
    unsigned char *data = malloc(bytes);
    size_t front = PAGES_LARGE_BYTES - (uintptr_t)data % PAGES_LARGE_BYTES;

    if (data && bytes >= front + PAGES_LARGE_BYTES) {
        size_t whole = (bytes - front) / PAGES_LARGE_BYTES * PAGES_LARGE_BYTES;
        (void)madvise(data + front, whole, MADV_HUGEPAGE);
    }
    return data;
}

void pages_one_heap(void)
{
    (void)mallopt(M_ARENA_MAX, 1);
}
