// base/checksum.h - XXH3 checksums and content digests (xxHash; Yann Collet's XXH3 specification).
//
// 64 bits guard blocks on disk, 128 bits name files and rollup contents. The written form of a
// digest is 32 hexadecimal digits, high half first, as `xxhsum -H2` prints it.
#ifndef BASE_CHECKSUM_H
#define BASE_CHECKSUM_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct digest {
    uint64_t low;
    uint64_t high;
};

enum { DIGEST_TEXT_BYTES = 33 };

uint64_t checksum64(const void *data, size_t count, uint64_t seed);

struct digest digest_of(const void *data, size_t count);
bool digest_equal(struct digest a, struct digest b);
struct digest digest_add(struct digest a, struct digest b); // as numbers, modulo 2^128
struct digest digest_subtract(struct digest a, struct digest b);
const char *digest_format(struct digest digest, char text[DIGEST_TEXT_BYTES]);
bool digest_parse(const char *text, struct digest *out_digest);

// A digest taken piece by piece. Errors: open gives NULL without memory.
struct digest_stream;
struct digest_stream *digest_stream_open(struct tally_err *err);
void digest_stream_add(struct digest_stream *stream, const void *data, size_t count);
struct digest digest_stream_value(const struct digest_stream *stream);
void digest_stream_close(struct digest_stream *stream); // NULL is allowed

#endif
