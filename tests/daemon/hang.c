// tests/daemon/hang.c - a disk that hangs or dawdles, by LD_PRELOAD.
//
//   TALLY_HANG=FILE   while FILE exists, fdatasync does not come back; FILE.hangs says that it was
//   met TALLY_DAWDLE=MS   each read of 4 KiB or more takes so long
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

enum { LOOK_US = 10000, LONG_READ_BYTES = 4096 };

static void tell_that_it_hangs(const char *file)
{
    char path[4096];

    snprintf(path, sizeof path, "%s.hangs", file);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    if (fd >= 0) {
        close(fd);
    }
}

int fdatasync(int fd)
{
    int (*real)(int) = (int (*)(int))(void *)dlsym(RTLD_NEXT, "fdatasync");
    const char *file = getenv("TALLY_HANG");

    if (file && access(file, F_OK) == 0) {
        tell_that_it_hangs(file);
        while (access(file, F_OK) == 0) {
            usleep(LOOK_US);
        }
    }
    return real(fd);
}

ssize_t read(int fd, void *data, size_t count)
{
    ssize_t (*real)(int, void *, size_t) =
        (ssize_t(*)(int, void *, size_t))(void *)dlsym(RTLD_NEXT, "read");
    const char *dawdle = getenv("TALLY_DAWDLE");

    if (dawdle && count >= LONG_READ_BYTES) {
        usleep((useconds_t)(strtoul(dawdle, NULL, 10) * 1000));
    }
    return real(fd, data, count);
}
