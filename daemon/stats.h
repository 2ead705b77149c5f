// daemon/stats.h - what the daemon counted since it started.
//
//   feed "attacks"   files accepted 12, duplicate 1, rejected 0 ...   rows added 812, rejected 3
//   ... commit           histogram of how long it took, in seconds recent           the last files
//   and what became of them, a ring
//
// Counts of the run, not of the ledger: they start at 0, as counters of metrics do.
// Threads: of the loop thread.
#ifndef DAEMON_STATS_H
#define DAEMON_STATS_H

#include "base/err.h"
#include "store/ledger_read.h"
#include "store/state.h"

#include <stddef.h>
#include <stdint.h>

enum {
    STATS_OUTCOMES = FILE_SUPERSEDED + 1,
    STATS_BUCKETS = 12,
    STATS_RECENT_MAX = 10,
    STATS_NAME_BYTES = 256,
};

enum stats_rows {
    STATS_ADDED,
    STATS_REVISED,
    STATS_WITHDRAWN, // ids that a snapshot lacks included
    STATS_UNCHANGED,
    STATS_OLDER,
    STATS_REJECTED, // set aside
    STATS_ROWS_COUNT,
};
const char *stats_rows_name(enum stats_rows what);

struct stats_feed {
    char *name; // "": of files that no feed was found for
    uint64_t files[STATS_OUTCOMES];
    uint64_t rows[STATS_ROWS_COUNT];
};

// Upper bounds in microseconds; the last bucket has none.
extern const uint64_t stats_bound_us[STATS_BUCKETS];
struct stats_histogram {
    uint64_t count[STATS_BUCKETS + 1]; // each value in one of them
    uint64_t sum_us;
};

// One file as it ended.
struct stats_file {
    char name[STATS_NAME_BYTES];
    char feed[STATS_NAME_BYTES];
    enum file_outcome outcome;
    uint64_t batch;
    uint64_t records;
    uint64_t rejected;
    struct batch_counts counts;
    int64_t time_ms; // when it ended
    uint64_t took_ms;
};

struct stats {
    struct stats_feed *feed;
    size_t feeds_count;
    struct stats_histogram commit;
    struct stats_histogram publish;
    struct stats_histogram fold;
    struct stats_file recent[STATS_RECENT_MAX];
    uint64_t files;      // all; the newest is recent[(files - 1) % STATS_RECENT_MAX]
    uint64_t hints_lost; // overflows of the kernel's queue
    uint64_t looks;      // at the inbox
    uint64_t suppressed; // lines of the log
};

void stats_done(struct stats *stats);

// From here on it counts from 0: who watches counters sees the first file too. Known is fine;
// without memory it is left out.
void stats_know_feed(struct stats *stats, const char *name);

// Without memory for a new feed, the file is among the recent ones only.
void stats_note_file(struct stats *stats, const struct stats_file *file);
void stats_note_time(struct stats_histogram *histogram, uint64_t us);
uint64_t stats_count(const struct stats_histogram *histogram);

const struct stats_feed *stats_find_feed(const struct stats *stats, const char *name);

#endif
