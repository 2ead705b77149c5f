// store/cells_group.h - groups of day cells in memory (private to store/).
//
//   codes of the dimension values --hash--> group { cells by day, spans by (first, last) }
//
//   changes, noted by each core --> pending --settle--> lists of the groups: all that counts
//   as they come                          \-gather--> differences: what changed since the base file
//
// A change costs a few words at the end of what its core noted. All that was noted gets its groups
// at once, on all cores, and is pending then. Lists are what the base file of the rollup says.
// While it stands, pending changes are gathered into differences, sorted by group and day, which
// are what the patch says: that costs what changed. When the base is to be written anew, or much
// has changed, differences and changes are settled: merged into the lists, each of which is walked
// once.
//
//   what counts = lists + differences + pending + noted
//
// Differences and changes are entries of one kind, of a stride that depends on the number of
// measures:
//
//   [struct cells_entry][sum 16 bytes] x measures [reported u32] x measures
//
// Lists, which are most of the memory, hold the same numbers column by column, each column as wide
// as the widest number of the group needs:
//
//   [width u8] x columns [day - first day]... [last day - day]... [incidents]...
//                        {[sum]... [incidents that lack it]...} x measures
//
// Memory: some 5 bytes an entry of one measure, where entries of one kind take 40; and as many as
// it takes where sums need 128 bits.
#ifndef STORE_CELLS_GROUP_H
#define STORE_CELLS_GROUP_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/team.h"
#include "store/cells.h"
#include "store/cells_keys.h"
#include "store/rollup_def.h"
#include "store/rollup_format.h"

#include <stddef.h>
#include <stdint.h>

struct cells_entry {
    int32_t first_day;
    int32_t last_day;   // of a cell: the same
    uint32_t incidents; // of a difference modulo 2^32, as its reported counts are
    uint32_t group;     // of changes and differences
};

// An entry with room for all measures that there can be.
struct cells_room {
    struct cells_entry entry;
    unsigned char sums[ROLLUP_MEASURES_MAX * (sizeof(bytes_i128) + sizeof(uint32_t))];
};

// Packed, oldest entry first.
struct cells_list {
    unsigned char *data; // NULL: it has none
    uint32_t count;
    int32_t first_day; // of the oldest entry
};

// A list of changes or differences that grows.
struct cells_run {
    unsigned char *data;
    uint32_t count;
    uint32_t capacity;
};

#define CELLS_NO_BASE UINT32_MAX

// What one core noted: changes whose groups are not looked up yet.
struct cells_noted {
    struct cells_run changes;
    uint32_t *codes; // of the group of each: [codes_capacity][dims]
    uint32_t codes_capacity;
};

struct cells_group {
    uint64_t incidents;      // in all cells; 0: the group is left out
    uint32_t base;           // its number in the base file; CELLS_NO_BASE: it is not there
    bool digested;           // `digest` is known
    struct digest digest;    // of its texts
    struct cells_list cells; // no entry without incidents
    struct cells_list spans;
};

struct cells_groups {
    size_t measures_count;
    size_t stride;                            // bytes an entry
    struct cells_noted noted[TEAM_PARTS_MAX]; // by core
    struct cells_run pending;                 // a cell, and a span where it lasts
    struct cells_run cells; // differences, sorted by group and days, none of them nothing
    struct cells_run spans;
    struct cells_run spare_cells; // memory of the differences before the last gathering
    struct cells_run spare_spans;
    uint64_t entries;       // in all lists
    bool moved;             // the lists are no longer what the base file says
    struct cells_keys keys; // the number of each group
    struct cells_group *group;
    uint32_t count;
    uint32_t capacity;
};

struct cells_change {
    int32_t first_day;
    int32_t last_day;
    int sign; // +1 or -1
    int64_t value[ROLLUP_MEASURES_MAX];
    bool reported[ROLLUP_MEASURES_MAX];
};

bool cells_groups_init(struct cells_groups *groups, size_t dims_count, size_t measures_count,
                       struct tally_err *err);
void cells_groups_done(struct cells_groups *groups);
// Cores of different numbers may note changes at once; nothing else is done meanwhile.
bool cells_groups_note(struct cells_groups *groups, unsigned core, const uint32_t *codes,
                       const struct cells_change *change, struct tally_err *err);
uint64_t cells_groups_noted(const struct cells_groups *groups); // how many
// How many are noted, pending, or differences.
uint64_t cells_groups_changes(const struct cells_groups *groups);
// Where what is noted and pending takes more memory than it should: settles.
bool cells_groups_limit(struct cells_groups *groups, struct tally_err *err);
// A change of a group that is known. Requires: nothing is noted.
bool cells_groups_put(struct cells_groups *groups, uint32_t group,
                      const struct cells_change *change, struct tally_err *err);
// Sums of many incidents instead of one. Requires: what entry->incidents says fits an entry.
bool cells_groups_add(struct cells_groups *groups, const uint32_t *codes,
                      const struct rollup_entry *entry, struct tally_err *err);
// The group of these codes, added when new.
bool cells_groups_find(struct cells_groups *groups, const uint32_t *codes, uint32_t *out_group,
                       struct tally_err *err);
// What was noted gets its groups, and is pending then: before groups are read or put to. After a
// failure (no memory) it can be tried again. Threads: shared out.
bool cells_groups_find_noted(struct cells_groups *groups, struct tally_err *err);
// Merges differences and what is pending into the lists: before those are read. After a failure it
// can be tried again. Errors: TALLY_NO_MEMORY; TALLY_LIMIT: an entry of more than INCIDENTS_MAX.
bool cells_groups_settle(struct cells_groups *groups, struct tally_err *err);

// Merges what is pending into the differences, and *now, which says of lists and differences
// together how many entries there are, their days and digests, goes along. After a failure (no
// memory) both are as before. Requires: *now is true of them before. Memory: meanwhile, differences
// and what is pending once more, and 4 bytes a group and a change.
bool cells_groups_gather(struct cells_groups *groups, const struct texts *texts,
                         struct rollup_made *now, struct tally_err *err);

const uint32_t *cells_group_codes(const struct cells_groups *groups, uint32_t group);
const struct cells_entry *cells_entry_at(const struct cells_groups *groups,
                                         const unsigned char *data, size_t index);
bytes_i128 cells_entry_sum(const struct cells_entry *entry, size_t measure);
uint32_t cells_entry_reported(const struct cells_groups *groups, const struct cells_entry *entry,
                              size_t measure);

// ---- packed lists -------------------------------------------------------------------------

enum { CELLS_COLUMNS_MAX = 3 + 2 * ROLLUP_MEASURES_MAX };

// A list that is being read: where its columns stand.
struct cells_columns {
    uint32_t count;
    int32_t first_day;
    const unsigned char *at[CELLS_COLUMNS_MAX];
    uint8_t width[CELLS_COLUMNS_MAX];
};

// The entries at positions `order` of `data`, or as they stand where `order` is NULL, which are
// sorted by days. Errors: TALLY_NO_MEMORY.
bool cells_list_pack(const struct cells_groups *groups, const unsigned char *data,
                     const uint32_t *order, uint32_t count, struct cells_list *out,
                     struct tally_err *err);
void cells_list_open(const struct cells_groups *groups, const struct cells_list *list,
                     struct cells_columns *out);
// `out` has room for the groups' stride.
void cells_list_get(const struct cells_groups *groups, const struct cells_columns *columns,
                    uint32_t index, struct cells_entry *out);
// `count` of them in plain numbers, the newest first, of which `first` are left out.
void cells_list_take(const struct cells_groups *groups, const struct cells_columns *columns,
                     uint32_t first, uint32_t count, struct entries_plain *out);
// Asks for the memory that cells_list_get will look at.
void cells_list_prefetch(const struct cells_groups *groups, const struct cells_columns *columns,
                         uint32_t index);
// Where an entry of this day most likely stands in a list, if the days up to `newest` have as
// many each. An empty one: 0.
uint32_t cells_list_guess(const struct cells_list *list, int32_t first_day, int32_t newest);
// The entry with these days, looked for around the guess. False: there is none.
bool cells_list_find(const struct cells_columns *columns, uint32_t guess, int32_t first_day,
                     int32_t last_day, uint32_t *out_index);

// ---- between the files that know entries --------------------------------------------------

// < 0: a stands before b.
int cells_compare_days(int32_t a_first, int32_t a_last, int32_t b_first, int32_t b_last);
// Room for `more` entries. Errors: TALLY_NO_MEMORY.
bool cells_run_reserve(const struct cells_groups *groups, struct cells_run *run, size_t more,
                       struct tally_err *err);
// At the end of a run that has room.
void cells_run_put(const struct cells_groups *groups, struct cells_run *run, uint32_t group,
                   const struct cells_change *change);
// Adds what `from` counts; all modulo 2^32 and 2^128.
void cells_entry_add(const struct cells_groups *groups, struct cells_entry *to,
                     const struct cells_entry *from);
// Adds one reported value of a measure.
void cells_entry_add_one(const struct cells_groups *groups, struct cells_entry *to, size_t measure,
                         int64_t value);
void cells_entry_set(const struct cells_groups *groups, struct cells_entry *entry, size_t measure,
                     bytes_i128 sum, uint32_t reported);
// Positions of pending changes, by group, then by days: those of group g stand from end[g - 1] to
// end[g]. The caller's zeroed memory: a number a group, and one a change.
void cells_sort_pending(const struct cells_groups *groups, uint32_t *end, uint32_t *order);

// ---- of struct cells ----------------------------------------------------------------------

// The base file that is published, and what is known of base and patch together.
struct cells_base {
    bool made;  // by cells_encode; not yet published
    bool ready; // published: a patch may be written of it
    struct rollup_made file;
    struct rollup_made now;
    uint32_t *order; // group in memory, by its number in the file
    uint32_t groups;
    struct dictionary_text *texts[ROLLUP_DIMS_MAX]; // the texts stay with the state
    uint32_t texts_count[ROLLUP_DIMS_MAX];
};

// Takes in all that counts in a state. Requires: nothing is there yet. Threads: shared out.
bool cells_fill(struct cells *cells, const struct state *state, struct tally_err *err);

// What each filter said of each text code, asked once. Zeroed: nothing yet.
struct cells_verdicts {
    uint8_t *of[ROLLUP_FILTERS_MAX];
    uint32_t count[ROLLUP_FILTERS_MAX];
};
void cells_verdicts_done(struct cells_verdicts *verdicts);

// Before incidents of all shapes of a state are matched.
bool cells_know_shapes(struct cells *cells, const struct state *state, struct tally_err *err);
// cells_matches without writing to the cells: *out_in says whether it belongs there. Threads: any
// number, each with verdicts of its own. Requires: the shapes are known.
bool cells_match(const struct cells *cells, const struct state *state,
                 struct cells_verdicts *verdicts, const struct incident *incident,
                 uint32_t *out_codes, bool *out_in, struct tally_err *err);
// Which measure of a shape each of the rollup's is; < 0: it has none. Requires: the shape is known.
const int *cells_measures_of(const struct cells *cells, uint32_t shape);
void cells_change_of(const struct cells *cells, const struct state *state,
                     const struct incident *incident, int sign, struct cells_change *out);

struct cells_groups *cells_groups(struct cells *cells);
struct cells_base *cells_base(struct cells *cells);

// What content says of generation, provenance and coverage.
void cells_fill_content(struct cells *cells, const struct state *state,
                        const struct cells_provenance *provenance, struct rollup_content *out);

#endif
