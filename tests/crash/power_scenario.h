// tests/crash/power_scenario.h - made-up files for a seed, and a plain model of what they mean.
//
//   files     attacks (revisions, some with bad rows), deletions of attacks, reports (snapshots),
//             one that fits no feed, the same bytes again under another name
//   model     what counts after some of them were taken in, in some order: arrays and loops
#ifndef TESTS_CRASH_POWER_SCENARIO_H
#define TESTS_CRASH_POWER_SCENARIO_H

#include "base/checksum.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SCENARIO_FILES_MAX = 6,
    SCENARIO_ROWS_MAX = 4,
    SCENARIO_IDS = 6,
    SCENARIO_PLACES = 3,
    SCENARIO_DAYS = 6,
    SCENARIO_FIRST_DAY = 18536, // 2020-10-01
    SCENARIO_UNKNOWN = -1,
};

enum scenario_kind { ATTACKS, DELETIONS, REPORTS, UNFIT };
enum scenario_feed { FEED_ATTACKS, FEED_REPORTS, SCENARIO_FEEDS };

struct scenario_row {
    unsigned id;
    unsigned revision;
    int32_t first_day;
    int32_t last_day;
    unsigned place;
    int killed; // or SCENARIO_UNKNOWN
};

struct scenario_file {
    char name[32];
    enum scenario_kind kind;
    struct scenario_row row[SCENARIO_ROWS_MAX];
    size_t rows;
    size_t bad_rows;
    char content[512];
    size_t bytes;
    struct digest digest;
};

struct scenario {
    struct scenario_file file[SCENARIO_FILES_MAX];
    size_t files;
    uint64_t segment_bytes_max;
};

extern const char scenario_config[]; // what tallyd.conf holds behind `state`

void scenario_make(struct scenario *scenario, uint64_t *seed);

struct model_incident {
    bool known;
    bool live;
    struct scenario_row row;
};
struct model {
    struct model_incident incident[SCENARIO_FEEDS][SCENARIO_IDS];
};
void model_take(struct model *model, const struct scenario_file *file);

const char *scenario_id(unsigned id);
const char *scenario_place(unsigned place);

#endif
