// tests/crash/power.h - one run of power.c, and what must hold in each state that it comes to.
#ifndef TESTS_CRASH_POWER_H
#define TESTS_CRASH_POWER_H

#include "store/store.h"
#include "tests/crash/power_daemon.h"
#include "tests/crash/power_scenario.h"
#include "tests/crash/sim_disk.h"

// What it is, and what it has said so far.
struct run {
    const struct config *config;
    struct scenario scenario;
    struct sim_disk *disk;
    uint64_t seed;   // of the run
    uint64_t chance; // its sequence of numbers
    uint64_t choice; // of the variants; apart, so that a bug's seed makes the same run
    bool settled[SCENARIO_FILES_MAX];
    enum file_outcome outcome[SCENARIO_FILES_MAX]; // of those that were settled
    uint64_t published; // generation of the rollup that was published last
    enum sim_fault fault;
    uint64_t fault_from; // number of the call
    uint64_t faults_left;
    struct sim_call call; // where the power is cut
    size_t variant;
    const char *stage;
    char wrong[400]; // what did not hold; empty: all did
};

// Fills run->wrong with what does not hold and where; returns false.
bool power_wrong(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Of the disk in use: each file is in exactly one folder. `finished`: nothing is left to do, so
// that each is where it ends, with what belongs beside it.
bool power_check_places(struct run *run, const struct store *finished);

// What a reader sees without any daemon: `tally verify`, and a rollup no older than any that was
// published.
bool power_check_readers(struct run *run);

// All that was said to be settled is in the ledger, each incident counts once and at its newest
// version, and once rollups are published, each window is its recount.
bool power_check_figures(struct run *run, const struct store *store, bool published);

#endif
