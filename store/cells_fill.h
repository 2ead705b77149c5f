// store/cells_fill.h - between the two halves of filling day cells at once (private to store/).
//
//   cells_fill.c   incidents --by slices--> what a cell needs to know of each, by groups
//   cells_page.c   one group --> its days as a page --> its lists
#ifndef STORE_CELLS_FILL_H
#define STORE_CELLS_FILL_H

#include "store/cells_group.h"

enum { CELLS_PAGE_DAYS = 1 << 15 }; // a group whose first days lie further apart has no page

struct cells_told {
    uint32_t values; // code of the state
    uint16_t day;    // first day, from that of the group
    uint16_t shape;
};
_Static_assert(CELLS_PAGE_DAYS <= UINT16_MAX && STATE_SHAPES_MAX <= UINT16_MAX, "both fit");

struct cells_lasting {
    int32_t first_day;
    int32_t last_day;
    uint32_t values;
    uint16_t shape;
};

// Incidents by group: those of group g end at told_end[g]; of them those that last more than a day
// once more, to lasting_end[g].
struct cells_sorted {
    struct cells_told *told;
    struct cells_lasting *lasting; // sorted by days where a group's lists are made
    uint32_t *told_end;
    uint32_t *lasting_end;
    int32_t *first_day; // by group
    uint64_t *work_end; // what groups cost, added up: each incident one, and each cell, as it seems
};

// Makes the lists of all groups. Threads: shared out by ranges of groups. Errors: TALLY_NO_MEMORY.
bool cells_fill_pages(struct cells *cells, const struct state *state,
                      const struct cells_sorted *sorted, struct tally_err *err);

#endif
