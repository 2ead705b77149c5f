// store/cells_fill.h - between the two halves of filling day cells at once (private to store/).
//
//   cells_fill.c   incidents --by slices--> what a cell needs to know of each, by groups
//   cells_page.c   one group --> its days as a page --> its lists
#ifndef STORE_CELLS_FILL_H
#define STORE_CELLS_FILL_H

#include "store/cells_group.h"

#include <string.h>

enum { CELLS_PAGE_DAYS = 1 << 15 }; // a group whose first days lie further apart has no page

// What a cell needs to know of an incident: its first day from that of the group, 2 bytes, and its
// values and shape, codes of the state, as wide as the greatest of these: 4, 6 or 8 bytes in all.
struct cells_told {
    uint16_t day;
    uint16_t shape;
    uint32_t values;
};
_Static_assert(CELLS_PAGE_DAYS <= UINT16_MAX && STATE_SHAPES_MAX <= UINT16_MAX, "both fit");

struct cells_told_form {
    uint32_t stride;
    uint32_t values_bits;
};

static inline size_t cells_told_at(struct cells_told_form form, uint32_t index)
{
    return (size_t)index * form.stride;
}

static inline void cells_told_put(struct cells_told_form form, unsigned char *told, uint32_t index,
                                  struct cells_told from)
{
    uint64_t all =
        from.day | (uint64_t)from.values << 16 | (uint64_t)from.shape << (form.values_bits + 16);
    uint32_t low = (uint32_t)all;
    uint32_t high = (uint32_t)(all >> 32);

    memcpy(told + cells_told_at(form, index), &low, sizeof low);
    if (form.stride == 6) {
        uint16_t two = (uint16_t)high;
        memcpy(told + cells_told_at(form, index) + sizeof low, &two, sizeof two);
    } else if (form.stride == 8) {
        memcpy(told + cells_told_at(form, index) + sizeof low, &high, sizeof high);
    }
}

static inline struct cells_told cells_told_get(struct cells_told_form form,
                                               const unsigned char *told, uint32_t index)
{
    const unsigned char *at = told + cells_told_at(form, index);
    uint32_t low;
    uint16_t two = 0;
    uint32_t high = 0;

    memcpy(&low, at, sizeof low);
    if (form.stride == 6) {
        memcpy(&two, at + sizeof low, sizeof two);
        high = two;
    } else if (form.stride == 8) {
        memcpy(&high, at + sizeof low, sizeof high);
    }
    uint64_t codes = ((uint64_t)high << 32 | low) >> 16;
    return (struct cells_told){.day = (uint16_t)low,
                               .values =
                                   (uint32_t)(codes & (((uint64_t)1 << form.values_bits) - 1)),
                               .shape = (uint16_t)(codes >> form.values_bits)};
}

struct cells_lasting {
    int32_t first_day;
    int32_t last_day;
    uint32_t values;
    uint16_t shape;
};

// Incidents by group: those of group g end at told_end[g]; of them those that last more than a day
// once more, to lasting_end[g].
struct cells_sorted {
    struct cells_told_form form;
    unsigned char *told;           // of that form
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
