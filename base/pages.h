// base/pages.h - large pages for large tables that are looked up at random.
//
// A look-up in a table of many MiB waits for the address as long as for the memory: with pages of
// 2 MiB the processor knows most addresses already, and a fresh table costs fewer page faults.
#ifndef BASE_PAGES_H
#define BASE_PAGES_H

#include <stddef.h>

// A hint for memory that was just allocated and not touched yet; changes nothing but speed.
void pages_advise_large(void *data, size_t bytes);

#endif
