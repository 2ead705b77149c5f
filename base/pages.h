// base/pages.h - large pages for large tables that are looked up at random.
//
// A look-up in a table of many MiB waits for the address as long as for the memory: with pages of
// 2 MiB the processor knows most addresses already, and a fresh table costs fewer page faults.
#ifndef BASE_PAGES_H
#define BASE_PAGES_H

#include <stddef.h>

enum { PAGES_LARGE_BYTES = 2 << 20 };

// Uninitialised memory for `bytes` bytes, which free gives back. From PAGES_LARGE_BYTES on it
// begins with a large page and has nothing else, so that its last page may be touched whole. NULL:
// there is none.
void *pages_alloc(size_t bytes);

#endif
