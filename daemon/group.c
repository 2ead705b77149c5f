#include "daemon/group.h"

#include "base/clock.h"
#include "base/disk.h"
#include "ingest/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DESCRIPTORS_LEFT = 48 }; // for all that is no file of a group

static void drop(struct group_file *file)
{
    intake_close(file->intake);
    disk_close(file->fd);
}

void group_done(struct group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        drop(&group->file[i]);
    }
    free(group->file);
    *group = (struct group){0};
}

bool group_is_for(int fd, uint64_t bytes)
{
    unsigned char head[4];
    struct tally_err ignored; // reading it says so again

    if (bytes > GROUP_FILE_BYTES_MAX) {
        return false;
    }
    ssize_t got = disk_read_at(fd, head, sizeof head, 0, &ignored);
    return got < 0 || !source_is_compressed(head, (size_t)got);
}

// Each holds a descriptor until its turn comes.
static size_t files_max(void)
{
    long most = sysconf(_SC_OPEN_MAX); // -1: any number

    if (most < 0 || most >= GROUP_FILES_MAX + DESCRIPTORS_LEFT) {
        return GROUP_FILES_MAX;
    }
    return most > DESCRIPTORS_LEFT ? (size_t)(most - DESCRIPTORS_LEFT) : 1;
}

bool group_is_full(const struct group *group)
{
    return group->count >= files_max() || group->bytes >= GROUP_BYTES_MAX;
}

bool group_add(struct group *group, const char *name, int fd, uint64_t bytes, uint64_t claimed_ns,
               struct tally_err *err)
{
    if (!group->file) {
        group->file = malloc(GROUP_FILES_MAX * sizeof *group->file);
    }
    if (!group->file) {
        disk_close(fd);
        return err_set(err, TALLY_NO_MEMORY, "no memory to read %s", name);
    }
    struct group_file *file = &group->file[group->count++];
    *file = (struct group_file){.fd = fd, .bytes = bytes, .claimed_ns = claimed_ns};
    snprintf(file->name, sizeof file->name, "%s", name);
    group->bytes += bytes;
    return true;
}

// ---- on a worker --------------------------------------------------------------------------

// From its first byte to the end of its batch, or to the note that it was refused.
static void seal(struct group_file *file, const struct inbox *inbox, const struct config *config,
                 struct store *store, struct progress progress)
{
    file->intake =
        intake_open(inbox, config, file->name, file->fd, file->bytes, false, progress, &file->err);
    file->fd = -1;
    if (!file->intake) {
        file->result = INTAKE_LATER;
        return;
    }
    file->intake->claimed_ns = file->claimed_ns;
    enum intake_end end = intake_take_in(file->intake, store);
    file->result = intake_seal(file->intake, store, end);
    file->err = file->intake->err;
    intake_release(file->intake);
}

static void retire(struct group *group, struct store *store, struct progress progress)
{
    const struct group_file *failed = NULL;

    for (size_t i = 0; i < group->ended; i++) {
        struct group_file *file = &group->file[i];
        if (file->result != INTAKE_SETTLED) {
            return; // the last one that was begun
        }
        if (failed) { // it is taken in, and stays in claimed/ too
            file->result = failed->result;
            file->err = failed->err;
            continue;
        }
        progress_step(&progress);
        file->result = intake_retire(file->intake, store);
        file->err = file->intake->err;
        failed = file->result == INTAKE_SETTLED ? NULL : file;
    }
}

// What was sealed lasts, or nobody knows whether it does.
static bool sync_sealed(struct group *group, struct store *store)
{
    struct group_file *first = &group->file[0];
    uint64_t began_ns = clock_ticks_ns();

    group->unsynced = false;
    if (!store_sync(store, &group->sync_err)) {
        group->unsynced = intake_may_sync_again(store, &group->sync_err);
        if (!group->unsynced) {
            first->err = group->sync_err;
            first->result = INTAKE_FATAL;
            group->ended = 1;
        }
        return false;
    }
    uint64_t took_ns = clock_ticks_ns() - began_ns;
    for (size_t i = 0; i < group->ended; i++) {
        if (group->file[i].result == INTAKE_SETTLED) {
            group->file[i].intake->lasts = true;
            group->file[i].intake->parts.sync_ns += took_ns;
        }
    }
    return true;
}

// Returns the result of the last one that was begun.
static enum intake_result seal_all(struct group *group, const struct inbox *inbox,
                                   const struct config *config, struct store *store,
                                   struct progress progress)
{
    enum intake_result result = INTAKE_SETTLED;
    uint64_t records = 0;

    while (group->ended < group->count && result == INTAKE_SETTLED && records < GROUP_RECORDS_MAX) {
        struct group_file *file = &group->file[group->ended++];
        seal(file, inbox, config, store, progress);
        result = file->result;
        records += result == INTAKE_SETTLED ? file->intake->summary.records : 0;
    }
    return result;
}

void group_settle(struct group *group, const struct inbox *inbox, const struct config *config,
                  struct store *store, struct progress progress)
{
    enum intake_result result =
        group->unsynced ? INTAKE_SETTLED : seal_all(group, inbox, config, store, progress);

    // After a failure for good nothing more is asked of the disk: nothing of the group is told.
    if (result != INTAKE_FATAL && sync_sealed(group, store)) {
        retire(group, store, progress);
    }
}

void group_drop_ended(struct group *group)
{
    for (size_t i = 0; i < group->ended; i++) {
        group->bytes -= group->file[i].bytes;
        drop(&group->file[i]);
    }
    group->count -= group->ended;
    memmove(group->file, group->file + group->ended, group->count * sizeof *group->file);
    group->ended = 0;
}
