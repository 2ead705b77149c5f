// store/cluster/sql.h - statements put together, and how values are laid out in RowBinary.
//
//   UInt8/32/64, Int32/64   little-endian          String        varint length, bytes
//   Decimal(38, 0)          128 bits               Array(T)      varint count, the elements
//
// Numbers are put and taken by base/bytes.h as they are. Source: ClickHouse's page on formats.
#ifndef STORE_CLUSTER_SQL_H
#define STORE_CLUSTER_SQL_H

#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>

// A text: bytes_put_text and cursor_take_text are the same layout as String.

// A text within a statement, quotes and backslashes escaped: 'it\'s'.
void sql_quote(struct bytes *sql, const char *text, size_t count);
// The name of a column or table: `it\`s`.
void sql_name(struct bytes *sql, const char *name);
// Appends to a statement.
void sql_print(struct bytes *sql, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Ends a statement that was put together, which may go on: NULL where memory ran out.
const char *sql_text(struct bytes *sql);

#endif
