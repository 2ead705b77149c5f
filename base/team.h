// base/team.h - one piece of work shared out among the processor's cores.
//
//     team_run(part, context, parts)
//        part(context, 0)  on the caller's thread     |
//        part(context, 1)  on a thread of the team's  |  returns when all have ended
//
// Each part owns what its number says and leaves what it found, its error too, in the context: a
// slice of an array, never a list that two of them grow. What comes out must not depend on how many
// parts there were.
//
// Threads run on other cores than their caller; team.c says why. One that has done its part waits
// some milliseconds for another, of any caller, and then ends: work comes in many short pieces, and
// making a thread costs more than most of them. After a fork the child begins with none.
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

// A part for which no thread can be had is done by the caller. Threads take no signals. May be
// called from several threads at once, and from a part.
// Requires: 1 <= parts <= TEAM_PARTS_MAX. Cost: some 10 us a thread that waits, 70 us a new one.
void team_run(team_part *part, void *context, unsigned parts);

#endif
