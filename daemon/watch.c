#include "daemon/watch.h"

#include "base/disk.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/inotify.h>

int watch_open(const char *inbox_path, struct tally_err *err)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    if (fd < 0) {
        err_sys(err, "inotify_init1");
        return -1;
    }
    uint32_t events = IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE |
                      IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
    if (inotify_add_watch(fd, inbox_path, events) < 0) {
        err_sys(err, "watch %.150s", inbox_path);
        disk_close(fd);
        return -1;
    }
    return fd;
}

static enum watch_event event_of(uint32_t mask)
{
    if (mask & IN_Q_OVERFLOW) {
        return WATCH_OVERFLOW;
    }
    if (mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)) {
        return WATCH_LOST;
    }
    return mask & IN_CREATE                     ? WATCH_CREATED
           : mask & IN_MODIFY                   ? WATCH_WRITTEN
           : mask & (IN_DELETE | IN_MOVED_FROM) ? WATCH_GONE
                                                : WATCH_READY;
}

static void tell_all(const unsigned char *data, size_t count, watch_on_event *on_event,
                     void *context)
{
    for (size_t at = 0; at + sizeof(struct inotify_event) <= count;) {
        struct inotify_event event; // copied: the kernel's padding aligns, C does not promise it
        memcpy(&event, data + at, sizeof event);
        const char *name = event.len ? (const char *)data + at + sizeof event : "";
        on_event(context, event_of(event.mask), name);
        at += sizeof event + event.len;
    }
}

bool watch_read(int watch_fd, watch_on_event *on_event, void *context, struct tally_err *err)
{
    unsigned char data[65536];

    for (;;) {
        ssize_t got = disk_read(watch_fd, data, sizeof data, err);
        if (got < 0) {
            return err->sys_errno == EAGAIN;
        }
        if (got == 0) {
            return true;
        }
        tell_all(data, (size_t)got, on_event, context);
    }
}
