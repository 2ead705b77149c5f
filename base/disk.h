// base/disk.h - the one seam between tallyd and the file system.
//
//   store/ daemon/ report/ --> base/disk_files.c   whole files: replace, load, copy
//                          \-> base/disk.c         one system call a function
//                               tests/crash/sim_calls.c, linked in its place: a disk in memory
//                               that cuts the power
//
// Every call that changes the disk goes through here. Paths are relative to a directory
// descriptor (AT_FDCWD is allowed). All loops over EINTR and short writes are here and nowhere
// else.
//
// Errors: false (or -1) with TALLY_IO or TALLY_NO_SPACE, naming the call and the path; of a sync
// always TALLY_SYNC_FAILED.
// Threads: no state; a descriptor belongs to one thread at a time.
#ifndef BASE_DISK_H
#define BASE_DISK_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// openat(2) with O_CLOEXEC added. Returns the descriptor or -1.
int disk_open(int dir_fd, const char *path, int flags, mode_t mode, struct tally_err *err);
void disk_close(int fd);

// What lies under a name, without following a symbolic link.
struct disk_entry {
    bool regular;
    const char *kind; // "regular file", "directory", "FIFO", "symbolic link", ...
    uint64_t links;
    uint64_t bytes;
    uint64_t device;
    uint64_t inode;
    int64_t modified_ms; // content, since 1970
    int64_t changed_ns;  // inode: also when it was renamed
};
bool disk_look(int dir_fd, const char *path, struct disk_entry *out_entry, struct tally_err *err);
bool disk_look_open(int fd, struct disk_entry *out_entry, struct tally_err *err);

// Opens a file that somebody else put there for reading: never through a symbolic link, never
// outside the directory, never waiting for the other end of a FIFO. Returns -1 on an error.
int disk_open_beneath(int dir_fd, const char *path, struct tally_err *err);

// Whether a process has the file open for writing. The system tells its owner and root alone, and
// not of every file system.
enum disk_writers { DISK_WRITERS_NONE, DISK_WRITERS_SOME, DISK_WRITERS_UNKNOWN };
enum disk_writers disk_writers(int fd);

// An exclusive lock that ends with the descriptor. TALLY_BUSY when somebody else has it.
bool disk_lock(int fd, struct tally_err *err);

// At most `count` bytes; 0 at the end; -1 on an error.
ssize_t disk_read(int fd, void *data, size_t count, struct tally_err *err);
ssize_t disk_read_at(int fd, void *data, size_t count, uint64_t offset, struct tally_err *err);

// Exactly `count` bytes.
bool disk_write_at(int fd, const void *data, size_t count, uint64_t offset, struct tally_err *err);

bool disk_bytes(int fd, uint64_t *out_bytes, struct tally_err *err);
bool disk_truncate(int fd, uint64_t bytes, struct tally_err *err);

// fdatasync, and fsync of a directory: its names are safe. A failure is final: nobody knows what
// is on the disk then, and a second call may say that all is well. End the process, never retry.
bool disk_sync_data(int fd, struct tally_err *err);
bool disk_sync_dir(int dir_fd, struct tally_err *err);

// A hint: what was written is about to be synced, and the disk may begin. What goes wrong is said
// by the sync.
void disk_sync_soon(int fd);

// What the kernel keeps of a synced file from `offset` on is read from the disk again.
bool disk_forget(int fd, uint64_t offset, struct tally_err *err);

// Bytes that are free on the file system of an open file or folder.
bool disk_room(int fd, uint64_t *out_bytes, struct tally_err *err);

bool disk_rename(int from_dir_fd, const char *from, int to_dir_fd, const char *to,
                 struct tally_err *err);
// Each name gets what the other had, in one step.
bool disk_exchange(int one_dir_fd, const char *one, int other_dir_fd, const char *other,
                   struct tally_err *err);
// Never replaces: false with sys_errno EEXIST when `to` is there already.
bool disk_rename_new(int from_dir_fd, const char *from, int to_dir_fd, const char *to,
                     struct tally_err *err);
// A file counts as written now. For those who watch it: a failure is told to nobody.
void disk_touch(int dir_fd, const char *path);
bool disk_unlink(int dir_fd, const char *path, struct tally_err *err); // absent is no error
bool disk_rmdir(int dir_fd, const char *path, struct tally_err *err);
bool disk_mkdir(int dir_fd, const char *path, mode_t mode,
                struct tally_err *err); // present is fine

// Whether a name ends so: ".csv".
bool disk_name_ends(const char *name, const char *ending);

// The names in a directory, sorted by bytes, without "." and "..". Freed by disk_names_done.
struct disk_names {
    char **name;
    size_t count;
};
bool disk_list(int dir_fd, const char *path, struct disk_names *out_names, struct tally_err *err);

// ---- disk_files.c -------------------------------------------------------------------------

bool disk_names_add(struct disk_names *names, const char *name, struct tally_err *err);
void disk_names_sort(struct disk_names *names);
void disk_names_done(struct disk_names *names);

// Writes a whole file so that it is there in full or not at all, even after a power cut:
// PATH.tmp, sync, rename, sync of the directory. `path` has no slash.
bool disk_replace(int dir_fd, const char *path, const void *data, size_t count, mode_t mode,
                  struct tally_err *err);

// A whole file in memory that the caller frees. TALLY_LIMIT beyond bytes_max.
bool disk_load(int dir_fd, const char *path, size_t bytes_max, unsigned char **out_data,
               size_t *out_count, struct tally_err *err);

// A copy under a new name, not synced.
bool disk_copy(int from_dir_fd, const char *from, int to_dir_fd, const char *to, mode_t mode,
               struct tally_err *err);

// Removes a folder and all below it, following nothing. Absent is no error.
bool disk_remove_tree(int dir_fd, const char *path, struct tally_err *err);

#endif
