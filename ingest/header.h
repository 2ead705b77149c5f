// ingest/header.h - which feed a file belongs to, and where its columns stand.
//
//     file     id, note, when, dead
//     feed     id = id   date = date | when   measure.killed = dead
//     binding  slot of column: 0 -1 1 2      field of role: id 0, date 1, killed 2
#ifndef INGEST_HEADER_H
#define INGEST_HEADER_H

#include "ingest/feed_spec.h"
#include "ingest/records.h"

#include <stdint.h>

enum { HEADER_NAMES_BYTES = 84 };

struct header_binding {
    int32_t *slot; // by column of the file: which field of a record it becomes, or -1
    size_t columns;
    size_t fields;                         // that are read
    int32_t field_of_role[FEED_ROLES_MAX]; // -1: the file has no such column
    uint32_t name_of_role[FEED_ROLES_MAX]; // which of the role's names the file has
    size_t missing; // columns that the feed needs and the file lacks or has twice
    char missing_names[HEADER_NAMES_BYTES]; // of the first ones
    const char *encoding;                   // of the file, once it is read; NULL: UTF-8
};

// Binds the cells of a header, or of the first record where the feed has none.
bool header_bind(const struct feed *feed, const struct text *cells, size_t count,
                 struct header_binding *out, struct tally_err *err);
void header_unbind(struct header_binding *binding);

// Whether the record behind a header holds HXL tags and no data.
bool header_is_hxl(const struct text *header, size_t header_count, const struct text *cells,
                   size_t count);

// How much of a content is looked at for its header.
enum { HEADER_HEAD_KIB = 256, HEADER_HEAD_BYTES = HEADER_HEAD_KIB * 1024 };

// The feed whose columns the file has. `head`: the first bytes of the content, all of it unless
// there are more than HEADER_HEAD_BYTES; NULL: see err, TALLY_REFUSED says what is missing from the
// nearest feed.
const struct feed *header_choose(const struct feed *const *feeds, size_t feeds_count,
                                 const char *name, const unsigned char *head, size_t head_count,
                                 const struct ingest_limits *limits, struct tally_err *err);

#endif
