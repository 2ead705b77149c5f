// ingest/feed.h - a feed as the configuration describes it: which columns mean what.
//
//     feed_open -> feed_set, feed_set, ... -> feed_check      then it never changes
//
// The keys of a [feed NAME] section are one table in feed_keys.c; it drives parsing, bounds and
// help. Threads: after feed_check a feed may be read by any thread.
#ifndef INGEST_FEED_H
#define INGEST_FEED_H

#include "base/err.h"
#include "store/shape.h"

#include <stddef.h>

struct feed;

enum feed_mode { FEED_UPSERT, FEED_SNAPSHOT, FEED_DELETIONS };

struct feed *feed_open(const char *name, struct tally_err *err);
void feed_close(struct feed *feed); // NULL is allowed

// Sets one key; a later value replaces an earlier one, an empty one takes it back. `dir`: directory
// that relative file names in the value start from. Errors: TALLY_INVALID saying what is wrong with
// key or value and what would be right; the caller knows file and line.
bool feed_set(struct feed *feed, const char *key, const char *value, const char *dir,
              struct tally_err *err);

// After the last key: what is missing or contradictory. Builds the shape.
bool feed_check(struct feed *feed, struct tally_err *err);

// Whether two feeds read the same from every file: the same keys, `files` and `reject_max` aside,
// and the same content of the files that they name.
bool feed_reads_alike(const struct feed *a, const struct feed *b);

// Whether its date_format reads days before months and months before days: most dates fit both.
bool feed_takes_both_day_orders(const struct feed *feed);

const char *feed_name(const struct feed *feed);
enum feed_mode feed_mode(const struct feed *feed);
bool feed_is_claims(const struct feed *feed);      // store/claim.h
bool feed_is_by_revision(const struct feed *feed); // an upsert with a revision column
const char *feed_target(const struct feed *feed);  // whose incidents: `deletes`, else its own name
const struct shape *feed_shape(const struct feed *feed);
int feed_scope_dim(const struct feed *feed); // position in the shape, or -1: the whole feed

// Whether one of the globs of `files` fits the name, with or without .gz or .zst behind it.
bool feed_claims_file(const struct feed *feed, const char *name);

// The keys, for help and the manual. A name that ends in a dot is followed by a name of yours.
struct feed_key_help {
    const char *name;
    const char *value;    // its form
    const char *fallback; // what holds without the key
    const char *help;
};
size_t feed_keys_count(void);
struct feed_key_help feed_key_at(size_t index); // Requires: index < feed_keys_count()

#endif
