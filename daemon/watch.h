// daemon/watch.h - the kernel's hints about the inbox.
//
// An inotify descriptor of our own, since libuv's uv_fs_event knows no close-write and drops a
// queue overflow silently. Hints only: the directory is the truth, and a hint that was lost
// (overflow, network file system) is made up for by looking again.
#ifndef DAEMON_WATCH_H
#define DAEMON_WATCH_H

#include "base/err.h"

// Returns a non-blocking descriptor to poll, closed by disk_close; -1 on an error.
int watch_open(const char *inbox_path, struct tally_err *err);

enum watch_event {
    WATCH_CREATED,  // a name came; somebody may be about to write
    WATCH_WRITTEN,  // somebody writes
    WATCH_READY,    // a file was closed after writing, or renamed in
    WATCH_GONE,     // removed, or renamed away
    WATCH_OVERFLOW, // hints were lost: look again
    WATCH_LOST,     // the inbox itself went away
};
typedef void watch_on_event(void *context, enum watch_event event, const char *name);

// Reads all hints that are there.
bool watch_read(int watch_fd, watch_on_event *on_event, void *context, struct tally_err *err);

#endif
