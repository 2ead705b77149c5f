// base/team.h - one piece of work shared out among the processor's cores.
//
//     team_run(part, context, parts)
//        part(context, 0)  on the caller's thread   |
//        part(context, 1)  on a thread of its own   |  returns when all have ended
//
// Each part owns what its number says and leaves what it found, its error too, in the context: a
// slice of an array, never a list that two of them grow. What comes out must not depend on how many
// parts there were.
//
// Threads run on other cores than the one that they were made on; team.c says why.
#ifndef BASE_TEAM_H
#define BASE_TEAM_H

#include <stddef.h>

enum { TEAM_PARTS_MAX = 8 };

// How many parts work of so many pieces is worth: one for each core that this process may use, at
// most TEAM_PARTS_MAX, and one alone for work below two times `pieces_least`, which costs less than
// a thread.
unsigned team_parts(size_t pieces, size_t pieces_least);

// Where part `part` of `parts` begins among so many pieces; it ends where the next one begins.
size_t team_begin(size_t pieces, unsigned part, unsigned parts);

typedef void team_part(void *context, unsigned part);

// A part for which no thread can be had is done by the caller. Threads take no signals.
// Requires: 1 <= parts <= TEAM_PARTS_MAX. Cost: some 20 us a thread.
void team_run(team_part *part, void *context, unsigned parts);

#endif
