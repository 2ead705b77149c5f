// tally wait: until a rollup is of a later generation. No daemon is asked: the file is watched.
//
//     generation=0
//     while generation=$(tally wait harm --after "$generation"); do tally window harm ...; done
//
// The folder is watched first and the file read second, so that nothing falls between. Events are
// hints: the file is read again every LOOK_MS as well, for file systems that give none.
#include "report/run.h"

#include "base/disk.h"
#include "report/origin.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 5000 };

static int64_t monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int watch_folder(const struct options *options, struct tally_err *err)
{
    char *folder = origin_rollup_dir(options, options->args[0], err);
    int fd = folder ? inotify_init1(IN_CLOEXEC | IN_NONBLOCK) : -1;

    if (folder && (fd < 0 || inotify_add_watch(fd, folder,
                                               IN_MOVED_TO | IN_CLOSE_WRITE | IN_CREATE |
                                                   IN_ONLYDIR | IN_DELETE) < 0)) {
        err_sys(err, "watch %.150s", folder);
        origin_hint(options, err);
        disk_close(fd);
        fd = -1;
    }
    free(folder);
    return fd;
}

// *out_generation stays 0 while there is no such file and that is what is waited for.
static bool look(const struct options *options, uint64_t *out_generation, struct tally_err *err)
{
    struct rollup *rollup = origin_open_file(options, options->args[0], err);

    if (rollup) {
        *out_generation = rollup_generation(rollup);
        rollup_close(rollup);
        return true;
    }
    bool absent = err->code == TALLY_NOT_FOUND || err->sys_errno == ENOENT;
    return absent && options->after == 0;
}

// All hints that are there: what they say is looked up anyway.
static void drop_hints(int fd)
{
    char data[4096];
    struct tally_err none;

    while (disk_read(fd, data, sizeof data, &none) > 0) {
    }
}

static bool wait_for_hint(int fd, int64_t until_ms, struct tally_err *err)
{
    struct pollfd hint = {.fd = fd, .events = POLLIN};
    int64_t left_ms = until_ms - monotonic_ms();

    if (left_ms <= 0) {
        return err_set(err, TALLY_BUSY, "nothing new within the time");
    }
    if (poll(&hint, 1, left_ms < LOOK_MS ? (int)left_ms : LOOK_MS) < 0 && errno != EINTR) {
        return err_sys(err, "wait");
    }
    drop_hints(fd);
    return true;
}

static bool wait_until(const struct options *options, int fd, uint64_t *out_generation,
                       struct tally_err *err)
{
    int64_t until_ms =
        options->timeout_given ? monotonic_ms() + (int64_t)options->timeout_s * 1000 : INT64_MAX;

    for (;;) {
        *out_generation = 0;
        if (!look(options, out_generation, err)) {
            return false;
        }
        if (*out_generation > options->after) {
            return true;
        }
        if (!wait_for_hint(fd, until_ms, err)) {
            return false;
        }
    }
}

static bool print_generation(const struct options *options, uint64_t generation,
                             struct print *print, struct tally_err *err)
{
    struct sheet sheet;

    if (!options->format_given) { // for $(...)
        fprintf(print->out, "%llu\n", (unsigned long long)generation);
        return print_flush(print, err);
    }
    sheet_init(&sheet);
    sheet_add_column(&sheet, SHEET_TEXT, 0, "", "rollup", "");
    sheet_add_column(&sheet, SHEET_NUMBER, 0, "", "generation", "");
    struct sheet_value *at = sheet_add_row(&sheet, err);
    if (at) {
        at[0] = sheet_name(options->args[0]);
        at[1] = sheet_number(generation);
    }
    bool ok = at && print_end(print, &sheet, err);
    sheet_done(&sheet);
    return ok;
}

bool run_wait(const struct options *options, struct print *print, struct tally_err *err)
{
    uint64_t generation = 0;
    int fd = watch_folder(options, err);

    bool ok = fd >= 0 && wait_until(options, fd, &generation, err) &&
              print_generation(options, generation, print, err);
    disk_close(fd);
    return ok;
}
