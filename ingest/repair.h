// ingest/repair.h - a CSV of rejected rows that somebody corrected, as records of its feed again.
//
//   feed,...,reason,explanation,raw
//   attacks,...,header,...,"id,date,dead"           <- the header of the file that they stood in
//   attacks,...,date-unreadable,...,"7,2020-09-01,1"    <- given as the record 7 | 2020-09-01 | 1
//
// Rows are read with the feed's own dialect, but always as UTF-8: so they were set aside. Line and
// offset of a row are those in the repair file.
#ifndef INGEST_REPAIR_H
#define INGEST_REPAIR_H

#include "ingest/header.h"

#include <stddef.h>
#include <stdint.h>

struct repair;

// Whether the content begins with the columns of a CSV of rejected rows, and no others.
bool repair_recognises(const unsigned char *head, size_t head_count,
                       const struct ingest_limits *limits, bool *out_recognised,
                       struct tally_err *err);

// `limits` are those of the rows.
struct repair *repair_open(const struct ingest_limits *limits, decode_pull *pull, void *context,
                           struct tally_err *err);
void repair_close(struct repair *repair); // NULL is allowed

// The feed that the rows name. *out_header: the header of these rows, or NULL for a headerless
// feed; valid until repair_next. NULL: see err, TALLY_REFUSED for rows that cannot be repaired so.
const struct feed *repair_begin(struct repair *repair, const struct feed *const *feeds,
                                size_t feeds_count, const struct record **out_header,
                                struct tally_err *err);

// As records_next does. `binding`: of the header, or of the headerless feed.
enum records_step repair_next(struct repair *repair, const struct header_binding *binding,
                              const struct record **out_record, struct tally_err *err);

// Physical line of the row at hand, for messages.
uint64_t repair_line(const struct repair *repair);

#endif
