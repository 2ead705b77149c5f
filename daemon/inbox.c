#include "daemon/inbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SAME_NAME_MAX = 1000000,
    SWAPS_MAX = 3, // of a file by another one, before its turn passes
};

static int open_folder(int state_fd, const char *name, mode_t mode, struct tally_err *err)
{
    return disk_mkdir(state_fd, name, mode, err)
               ? disk_open(state_fd, name, O_RDONLY | O_DIRECTORY, 0, err)
               : -1;
}

// A folder that is made here stands in its parent for good before anything is put into it.
static int open_state(const char *state, struct tally_err *err)
{
    struct disk_entry entry;
    bool there = disk_look(AT_FDCWD, state, &entry, err);

    if (!there && !disk_mkdir(AT_FDCWD, state, 0755, err)) {
        return -1;
    }
    int fd = disk_open(AT_FDCWD, state, O_RDONLY | O_DIRECTORY, 0, err);
    if (fd < 0 || there) {
        return fd;
    }
    int parent_fd = disk_open(fd, "..", O_RDONLY | O_DIRECTORY, 0, err);
    bool ok = parent_fd >= 0 && disk_sync_dir(parent_fd, err);
    disk_close(parent_fd);
    if (!ok) {
        disk_close(fd);
    }
    return ok ? fd : -1;
}

// A file leaves claimed/ by a rename: one that cannot be is told before any file was claimed.
static bool can_take(const struct inbox *inbox, int dir_fd, const char *name, struct tally_err *err)
{
    struct disk_entry claimed;
    struct disk_entry other;

    if (!disk_look_open(inbox->claimed_fd, &claimed, err) || !disk_look_open(dir_fd, &other, err)) {
        return false;
    }
    return claimed.device == other.device ||
           err_set(err, TALLY_INVALID,
                   "%s/ is on another file system than claimed/: the folders of a state directory "
                   "are on one",
                   name);
}

static bool open_all(struct inbox *inbox, const char *state, struct tally_err *err)
{
    if ((inbox->state_fd = open_state(state, err)) < 0 ||
        (inbox->lock_fd = disk_open(inbox->state_fd, "lock", O_RDWR | O_CREAT, 0640, err)) < 0) {
        return false;
    }
    if (!disk_lock(inbox->lock_fd, err)) {
        return err->code == TALLY_BUSY
                   ? err_set(err, TALLY_BUSY, "another tallyd works in %.150s; stop it first",
                             state)
                   : false;
    }
    return (inbox->inbox_fd = open_folder(inbox->state_fd, "inbox", 0770, err)) >= 0 &&
           (inbox->claimed_fd = open_folder(inbox->state_fd, "claimed", 0750, err)) >= 0 &&
           (inbox->done_fd = open_folder(inbox->state_fd, "done", 0750, err)) >= 0 &&
           (inbox->rejected_fd = open_folder(inbox->state_fd, "rejected", 0750, err)) >= 0 &&
           can_take(inbox, inbox->done_fd, "done", err) &&
           can_take(inbox, inbox->rejected_fd, "rejected", err) &&
           disk_sync_dir(inbox->state_fd, err);
}

bool inbox_open(struct inbox *inbox, const char *state, struct tally_err *err)
{
    *inbox = (struct inbox){.state_fd = -1,
                            .lock_fd = -1,
                            .inbox_fd = -1,
                            .claimed_fd = -1,
                            .done_fd = -1,
                            .rejected_fd = -1};
    if (!open_all(inbox, state, err)) {
        inbox_close(inbox);
        return err_wrap(err, "state directory %.150s", state);
    }
    return true;
}

void inbox_close(struct inbox *inbox)
{
    disk_close(inbox->inbox_fd);
    disk_close(inbox->claimed_fd);
    disk_close(inbox->done_fd);
    disk_close(inbox->rejected_fd);
    disk_close(inbox->lock_fd);
    disk_close(inbox->state_fd);
}

bool inbox_name_waits(const char *name)
{
    return name[0] == '.' || disk_name_ends(name, ".tmp") || disk_name_ends(name, ".part");
}

static bool is_fit(const struct disk_entry *entry, struct tally_err *err)
{
    if (!entry->regular) {
        return err_set(err, TALLY_REFUSED, "a %s, not a regular file: it stays in the inbox",
                       entry->kind);
    }
    if (entry->links != 1) {
        return err_set(err, TALLY_REFUSED,
                       "a file with %llu hard links may change behind our back: drop a copy",
                       (unsigned long long)entry->links);
    }
    return true;
}

static bool is_same(const struct disk_entry *a, const struct disk_entry *b)
{
    return a->inode == b->inode && a->device == b->device;
}

// Too few descriptors, or too little memory, are no fault of the file.
static enum inbox_claim cannot_open(const struct tally_err *err)
{
    switch (err->sys_errno) {
    case ENOENT:
        return INBOX_GONE;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return INBOX_FAILED;
    default:
        return INBOX_UNFIT;
    }
}

// Opens what is in the inbox under this name now. CLAIMED: fit to be renamed.
static enum inbox_claim open_in_inbox(const struct inbox *inbox, const char *name, int *out_fd,
                                      struct disk_entry *out_entry, struct tally_err *err)
{
    if (!disk_look(inbox->inbox_fd, name, out_entry, err)) {
        return err->sys_errno == ENOENT ? INBOX_GONE : INBOX_UNFIT;
    }
    if (!is_fit(out_entry, err)) {
        return INBOX_UNFIT;
    }
    *out_fd = disk_open_beneath(inbox->inbox_fd, name, err);
    if (*out_fd < 0) {
        return cannot_open(err);
    }
    if (!disk_look_open(*out_fd, out_entry, err) || !is_fit(out_entry, err)) {
        return INBOX_UNFIT; // changed between the two looks
    }
    return disk_writers(*out_fd) == DISK_WRITERS_SOME ? INBOX_WRITING : INBOX_CLAIMED;
}

bool inbox_is_closed(const struct inbox *inbox, const char *name)
{
    struct tally_err ignored;
    int fd = disk_open_beneath(inbox->inbox_fd, name, &ignored);
    bool closed = fd >= 0 && disk_writers(fd) == DISK_WRITERS_NONE;

    disk_close(fd);
    return closed;
}

// NAME, NAME.2, NAME.3 ...; a name of up to 255 bytes makes room for the number.
static void number_name(const char *name, unsigned copy, char out_name[INBOX_NAME_BYTES])
{
    if (copy == 1) {
        snprintf(out_name, INBOX_NAME_BYTES, "%s", name);
    } else {
        snprintf(out_name, INBOX_NAME_BYTES, "%.*s.%u", INBOX_NAME_BYTES - 10, name, copy);
    }
}

// Out of claimed/, under the first of its numbered names that is free.
static bool move_claimed(const struct inbox *inbox, const char *name, int dir_fd,
                         char out_name[INBOX_NAME_BYTES], struct tally_err *err)
{
    for (unsigned copy = 1; copy < SAME_NAME_MAX; copy++) {
        number_name(name, copy, out_name);
        if (disk_rename_new(inbox->claimed_fd, name, dir_fd, out_name, err)) {
            return true;
        }
        if (err->sys_errno != EEXIST) {
            return false;
        }
    }
    return false;
}

// A mount point, an immutable file, a folder that we may not write: the file's own trouble, while
// a full or broken disk is everybody's.
static enum inbox_claim cannot_move(const struct tally_err *err)
{
    switch (err->sys_errno) {
    case EEXIST:
        return INBOX_LATER;
    case ENOENT:
        return INBOX_GONE;
    case EPERM:
    case EACCES:
    case EBUSY:
    case EXDEV:
        return INBOX_UNFIT;
    default:
        return INBOX_FAILED;
    }
}

// The name may have been given to another file between opening and renaming. That one goes back,
// under another name if its own was given away once more.
static enum inbox_claim rename_opened(const struct inbox *inbox, const char *name,
                                      const struct disk_entry *opened, bool *out_swapped,
                                      struct tally_err *err)
{
    struct disk_entry renamed;
    char back[INBOX_NAME_BYTES];

    if (!disk_rename_new(inbox->inbox_fd, name, inbox->claimed_fd, name, err)) {
        return cannot_move(err);
    }
    if (!disk_look(inbox->claimed_fd, name, &renamed, err) || !is_same(&renamed, opened)) {
        *out_swapped = move_claimed(inbox, name, inbox->inbox_fd, back, err);
        return *out_swapped ? INBOX_LATER : INBOX_FAILED;
    }
    return INBOX_CLAIMED;
}

bool inbox_has_room(const struct inbox *inbox, uint64_t bytes, struct tally_err *err)
{
    uint64_t room;

    if (!disk_room(inbox->state_fd, &room, err)) {
        return false;
    }
    if (bytes > room) {
        errno = ENOSPC;
        return err_sys(err, "it has %llu bytes, and %llu are free", (unsigned long long)bytes,
                       (unsigned long long)room);
    }
    return true;
}

static enum inbox_claim claim_once(const struct inbox *inbox, const char *name, int *out_fd,
                                   struct disk_entry *out_entry, bool *out_swapped,
                                   struct tally_err *err)
{
    int fd = -1;
    enum inbox_claim claim = open_in_inbox(inbox, name, &fd, out_entry, err);

    if (claim == INBOX_CLAIMED && !inbox_has_room(inbox, out_entry->bytes, err)) {
        claim = INBOX_FAILED;
    }
    if (claim == INBOX_CLAIMED) {
        claim = rename_opened(inbox, name, out_entry, out_swapped, err);
    }
    if (claim != INBOX_CLAIMED) {
        disk_close(fd);
        return claim;
    }
    *out_fd = fd;
    return INBOX_CLAIMED;
}

enum inbox_claim inbox_claim(const struct inbox *inbox, const char *name, int *out_fd,
                             struct disk_entry *out_entry, struct tally_err *err)
{
    enum inbox_claim claim = INBOX_LATER;
    bool swapped = true;

    for (int i = 0; i < SWAPS_MAX && swapped; i++) {
        swapped = false;
        claim = claim_once(inbox, name, out_fd, out_entry, &swapped, err);
    }
    return claim;
}

int inbox_reopen(const struct inbox *inbox, const char *name, struct disk_entry *out_entry,
                 struct tally_err *err)
{
    int fd = disk_open_beneath(inbox->claimed_fd, name, err);

    if (fd >= 0 && !disk_look_open(fd, out_entry, err)) {
        disk_close(fd);
        fd = -1;
    }
    return fd;
}

// Followed as it was when it was opened: it may be a link.
static bool is_there(const struct inbox *inbox, const char *name, int opened_fd)
{
    struct disk_entry named;
    struct disk_entry opened;
    struct tally_err err;
    int fd = disk_open(inbox->state_fd, name, O_RDONLY | O_DIRECTORY, 0, &err);

    if (fd < 0) {
        return err.sys_errno != ENOENT && err.sys_errno != ENOTDIR;
    }
    bool same = disk_look_open(fd, &named, &err) && disk_look_open(opened_fd, &opened, &err) &&
                is_same(&named, &opened);
    disk_close(fd);
    return same;
}

const char *inbox_lost(const struct inbox *inbox)
{
    return !is_there(inbox, "inbox", inbox->inbox_fd)       ? "inbox"
           : !is_there(inbox, "claimed", inbox->claimed_fd) ? "claimed"
                                                            : NULL;
}

bool inbox_retire(const struct inbox *inbox, const char *name, int dir_fd,
                  char out_name[INBOX_NAME_BYTES], struct tally_err *err)
{
    return move_claimed(inbox, name, dir_fd, out_name, err);
}

static bool is_taken(int dir_fd, const char *name)
{
    struct disk_entry entry;
    struct tally_err ignored;
    return disk_look(dir_fd, name, &entry, &ignored);
}

static bool has_content(int dir_fd, const char *name, const char *text)
{
    struct tally_err ignored;
    unsigned char *data;
    size_t count;

    if (!disk_load(dir_fd, name, strlen(text), &data, &count, &ignored)) {
        return false;
    }
    bool same = count == strlen(text) && memcmp(data, text, count) == 0;
    free(data);
    return same;
}

// Whether the reason may stand there: nothing does, or it says the same, from a run before this
// one.
static bool fits_reason(int dir_fd, const char *beside, const char *reason)
{
    return !is_taken(dir_fd, beside) || has_content(dir_fd, beside, reason);
}

// NAME.reason.txt. A name that is too long for that is cut, and the reason has a number of its own:
// several files may be cut to the same.
static bool name_reason(int dir_fd, const char *name, const char *reason,
                        char beside[INBOX_NAME_BYTES])
{
    enum { CUT_BYTES = INBOX_NAME_BYTES - 32 };
    unsigned copies = strlen(name) > CUT_BYTES ? SAME_NAME_MAX : 2;

    for (unsigned copy = 1; copy < copies; copy++) {
        char cut[INBOX_NAME_BYTES];
        char numbered[INBOX_NAME_BYTES];
        snprintf(cut, sizeof cut, "%.*s", CUT_BYTES, name);
        number_name(cut, copy, numbered);
        snprintf(beside, INBOX_NAME_BYTES, "%.*s.reason.txt", INBOX_NAME_BYTES - 12, numbered);
        if (fits_reason(dir_fd, beside, reason)) {
            return true;
        }
    }
    return false;
}

static bool write_reason(int dir_fd, const char *beside, const char *reason, struct tally_err *err)
{
    if (is_taken(dir_fd, beside)) {
        return disk_sync_dir(dir_fd, err); // that run may have been killed before it did so
    }
    return disk_replace(dir_fd, beside, reason, strlen(reason), 0640, err);
}

bool inbox_reject(const struct inbox *inbox, const char *name, const char *reason,
                  char out_name[INBOX_NAME_BYTES], struct tally_err *err)
{
    int dir_fd = inbox->rejected_fd;
    char beside[INBOX_NAME_BYTES];

    // Both have the same number: whoever took away one of an earlier pair left the other.
    for (unsigned copy = 1; copy < SAME_NAME_MAX; copy++) {
        number_name(name, copy, out_name);
        if (!is_taken(dir_fd, out_name) && name_reason(dir_fd, out_name, reason, beside)) {
            return write_reason(dir_fd, beside, reason, err) &&
                   disk_rename_new(inbox->claimed_fd, name, dir_fd, out_name, err);
        }
    }
    return err_set(err, TALLY_LIMIT, "too many refused files of this name");
}
