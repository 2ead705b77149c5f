// ingest/decode.h - content in any encoding in, UTF-8 without a byte order mark out.
//
// A byte order mark decides over the named encoding. What the encoding does not define becomes
// the byte 0xff, which is never UTF-8: the row that holds it is rejected where it matters. One unit
// of the encoding is passed over then, so that what follows is read as it was meant.
#ifndef INGEST_DECODE_H
#define INGEST_DECODE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Some bytes, at most `count`; 0 at the end; -1: see err.
typedef ssize_t decode_pull(void *context, void *data, size_t count, struct tally_err *err);

struct decode;

// `encoding`: a name that iconv knows, or NULL for UTF-8.
// Errors: TALLY_INVALID for an unknown encoding, TALLY_NO_MEMORY.
struct decode *decode_open(const char *encoding, decode_pull *pull, void *context,
                           struct tally_err *err);
void decode_close(struct decode *decode); // NULL is allowed

// Is a decode_pull itself, with the decode as its context. Requires: count >= 4, so that any
// character fits, or TALLY_INVALID.
ssize_t decode_read(void *context, void *data, size_t count, struct tally_err *err);

// Bytes of the mark that was left out; known after the first read.
size_t decode_mark_bytes(const struct decode *decode);

// What is converted, as configured or as the mark said; NULL: nothing, the content is UTF-8. Known
// after the first read.
const char *decode_encoding(const struct decode *decode);

// Whether the content ended within a character. Known after the read that gave 0.
bool decode_is_cut(const struct decode *decode);

// Whether iconv knows the encoding. Where it cannot say now (no memory), reading a file will.
bool decode_knows(const char *encoding);

#endif
