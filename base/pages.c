#include "base/pages.h"

#include <stdint.h>
#include <sys/mman.h>

enum { LARGE_BYTES = 2 << 20 };

void pages_advise_large(void *data, size_t bytes)
{
    uintptr_t begin = ((uintptr_t)data + LARGE_BYTES - 1) & ~(uintptr_t)(LARGE_BYTES - 1);
    uintptr_t end = ((uintptr_t)data + bytes) & ~(uintptr_t)(LARGE_BYTES - 1);

    if (end > begin) {
        (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
    }
}
