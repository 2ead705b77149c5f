// ingest/revision_text.h - revisions that are no whole numbers, as feeds write them.
//
//   2020-01-31, v2, 9.5       order in time by their bytes, or as numbers (store/revision.h)
//   NA, 14/3/2021, 1,234      would outlast all that follows, or put it in a wrong order: refused
#ifndef INGEST_REVISION_TEXT_H
#define INGEST_REVISION_TEXT_H

#include "ingest/text.h"

// Why a text cannot say which of two versions is newer, in words that stand behind it; NULL: it
// can. Any text is newer than any number, so that one such row would hold for good. `decimal`: '.'
// or
// ','. Requires: trimmed, and no whole number.
const char *revision_text_explain(struct text text, char decimal);

// "10,5" of a feed with decimal = comma is the number 10.5, written into `room`; any other text as
// it is.
struct text revision_text_with_point(struct text text, char decimal, char *room, size_t room_bytes);

#endif
