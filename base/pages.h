// base/pages.h - where memory comes from: large pages for large tables, and one heap for a process.
//
// A look-up in a table of many MiB waits for the address as long as for the memory: with pages of
// 2 MiB the processor knows most addresses already, and a fresh table costs fewer page faults.
//
// The C library (glibc) gives each thread a heap of its own. Jobs that come on one thread after the
// other then keep what they gave back on each of them. With one heap the next job has it, and it is
// warm; the lock is no matter, since memory is asked for a few times a thousand rows.
#ifndef BASE_PAGES_H
#define BASE_PAGES_H

#include <stddef.h>

enum { PAGES_LARGE_BYTES = 2 << 20 };

// Uninitialised memory for `bytes` bytes, which free gives back. From PAGES_LARGE_BYTES on it
// begins with a large page and has nothing else, so that its last page may be touched whole. NULL:
// there is none.
void *pages_alloc(size_t bytes);

// The same for what is soon freed, with as many large pages as lie in it wherever it begins. In
// front of memory that has to begin with one a gap is left; what small things come to lie there
// stay, and the next time no such memory is found in the same place (glibc 2.36).
void *pages_alloc_passing(size_t bytes);

// All threads have the heap of the first one. To be called before there are others.
void pages_one_heap(void);

#endif
