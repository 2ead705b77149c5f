// store/columns_private.h - what writing and reading columns share.
#ifndef STORE_COLUMNS_PRIVATE_H
#define STORE_COLUMNS_PRIVATE_H

#include "store/columns.h"

// A column begins with one byte: its width, and whether it stands as differences. Numbers are read
// eight bytes at a time, so that so many follow the last column.
enum { COLUMNS_WIDTH_MAX = 64, COLUMNS_DIFFERENCES = 128, COLUMNS_SLACK_BYTES = 8 };

// What a row of numbers takes: its least one, and bits for what the others exceed it by.
struct columns_span {
    uint64_t least;
    uint32_t width;
};

#endif
