// ingest/source.h - the bytes of a file: read once, digested, inflated if they are compressed.
//
//   read callback -> digest of what was read -> plain | gzip | zstd -> source_read
//
// The kind is told by the first bytes, never by the name; archives, workbooks and the like are
// refused by name. The first bytes of the content can be
// looked at before they are read: that is how a header is recognised.
#ifndef INGEST_SOURCE_H
#define INGEST_SOURCE_H

#include "base/checksum.h"
#include "ingest/ingest.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct source;

// The limits used are inflated_bytes_max, inflate_ratio_max and memory_bytes_max.
struct source *source_open(ingest_read *read, void *context, const struct ingest_limits *limits,
                           struct tally_err *err);
void source_close(struct source *source); // NULL is allowed

// The first bytes of the content, at most `count` of them; fewer only if it has no more.
// Requires: before the first source_read. Memory: valid until source_close.
bool source_peek(struct source *source, size_t count, const unsigned char **out_data,
                 size_t *out_count, struct tally_err *err);

// Whether a file that begins so is inflated. Four bytes decide.
bool source_is_compressed(const unsigned char *data, size_t count);

// Some of the content, at most `count` bytes; 0 at its end; -1: see err.
// Errors: TALLY_IO for the read itself, TALLY_REFUSED for content that is cut short or damaged,
// TALLY_LIMIT for one that inflates too far.
ssize_t source_read(struct source *source, void *data, size_t count, struct tally_err *err);

// Reads what is left of the file, without inflating it.
bool source_drain(struct source *source, struct tally_err *err);

// What inflating takes, known after the first read; it stays below half of memory_bytes_max.
size_t source_memory(const struct source *source);

struct digest source_digest(const struct source *source); // of the bytes read so far
uint64_t source_bytes(const struct source *source);

#endif
