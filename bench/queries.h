// bench/queries.h - the look-ups that every rival answers, and what each prints of itself.
//
//     17	20418	Chad	Lac	Battles       number of the group, last day, texts of its
//     dimensions
//
// One query a line, parted by tabs. The first QUERIES_SLOW of them are all that a rival with
// milliseconds a look-up is asked; everybody sums those up, so that all can be compared. All groups
// are asked for at the last days of the first QUERIES_DATES.
//
// What is timed is short: QUERIES_SLOW look-ups, all groups once, one opening. The median of many
// such times stands, so that what other programs do on the machine matters little; the least is
// what a machine with nothing else to do would show.
#ifndef BENCH_QUERIES_H
#define BENCH_QUERIES_H

#include <stddef.h>
#include <stdint.h>

enum {
    QUERIES_DIMS = 3,
    QUERIES_SLOW = 100,
    QUERIES_DATES = 5,
    QUERIES_PASSES = 5, // over all of them
    QUERIES_OPENINGS = 21,
};

struct query {
    int64_t group;
    int32_t last_day; // 0 is 1970-01-01
    const char *texts[QUERIES_DIMS];
};

struct queries {
    char *data;
    struct query *query;
    size_t count;
};

// Sums over answers: equal for all who answer alike.
struct answers {
    uint64_t incidents;
    int64_t killed;
};

// What one rival does; each takes its own `context`. Errors end the program.
struct rival {
    const char *name; // in the report
    void *context;
    void (*one)(void *context, const struct query *query, struct answers *sums);
    void (*all)(void *context, int32_t last_day, struct answers *sums);
    void (*open)(void *context); // opens and closes
};

struct queries queries_read(const char *path);
void queries_done(struct queries *queries);

double queries_now_ns(void);

// Lets the rival answer all queries, after some that warm up, and prints `"name": {medians and
// sums}`. An operation that is NULL is left out.
void queries_measure(const struct queries *queries, const struct rival *rival);

#endif
