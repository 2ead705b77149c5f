// tests/crash/sim_disk.h - a disk in memory that cuts the power, linked in place of base/disk.c.
//
//   visible    what a process sees: every call at once
//   kept       what is on the platter: all that a sync made safe
//   pending    the calls in between, in order; a power cut keeps any legal part of them
//
// Legal is what POSIX promises and no more. Writes that were not synced are kept in any
// combination, each whole, cut short, as zeros or with a hole. Names (made, renamed, removed) are
// kept in any combination too, unless the directory was synced; only what one call needs of
// another goes with it, and a rename is one step. A folder whose own name was not synced takes all
// that is in it along. A sync that fails drops what it should have
// written, and the next one says that all is well, as Linux does.
//
// One disk at a time is the one that base/disk.h speaks to: sim_disk_use.
#ifndef TESTS_CRASH_SIM_DISK_H
#define TESTS_CRASH_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What becomes of a call that changes the disk.
enum sim_fault {
    SIM_FINE,
    SIM_KILLED, // the process ends before it: this and every further call fails
    SIM_EIO,
    SIM_ENOSPC,     // only calls that need room fail; a write leaves half of its bytes
    SIM_SYNC_FAILS, // only a sync fails, and drops what was pending
};

struct sim_call {
    const char *name; // "write", "sync_dir", ...
    const char *path; // or ""
    uint64_t number;  // of calls that change this disk, from 1
};

// Asked before each call that changes the disk.
typedef enum sim_fault sim_on_change(void *context, const struct sim_call *call);

struct sim_disk;
struct sim_disk *sim_disk_open(void); // with an empty root directory
void sim_disk_close(struct sim_disk *disk);
struct sim_disk *sim_disk_use(struct sim_disk *disk); // the one that was in use before
void sim_disk_on_change(struct sim_disk *disk, sim_on_change *on_change, void *context);

// After a kill: no descriptors are left, what was written is still visible.
void sim_disk_restart(struct sim_disk *disk);
bool sim_disk_was_killed(const struct sim_disk *disk);

// A folder or file that somebody else put there, safely. `path` from the root.
void sim_disk_put_folder(struct sim_disk *disk, const char *path);
void sim_disk_put_file(struct sim_disk *disk, const char *path, const void *data, size_t count);

size_t sim_disk_pending(const struct sim_disk *disk);
uint64_t sim_disk_hash(const struct sim_disk *disk); // of all that is visible

// The disk as the power cut leaves it: variant 0 keeps nothing that is pending, 1 everything,
// then each call alone, all but one, all up to one (the last of them torn), and behind these any
// part, drawn by the seed.
struct sim_disk *sim_disk_cut(const struct sim_disk *disk, size_t variant, uint64_t *seed);

// The next of a sequence of numbers, below a bound.
uint32_t sim_random(uint64_t *seed, uint32_t below);

#endif
