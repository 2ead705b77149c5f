#include "tests/unit/fail.h"

#include "base/arena.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <iconv.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>
#include <zlib.h>
#include <zstd.h>

static struct {
    bool armed;
    enum fail_kind kind;
    long left;
    const char *name; // that failed
} fail;

long fail_step(enum fail_kind kind)
{
#ifdef __SANITIZE_ADDRESS__
    return kind == FAIL_MEMORY && !getenv("TALLY_LONG") ? 7 : 1;
#else
    (void)kind;
    return 1;
#endif
}

void fail_arm(enum fail_kind kind, long at)
{
    fail.armed = true;
    fail.kind = kind;
    fail.left = at;
    fail.name = NULL;
}

bool fail_disarm(const char **out_name)
{
    fail.armed = false;
    *out_name = fail.name;
    return fail.name;
}

__attribute__((noinline)) static void fail_here(void)
{
    __asm__ volatile("");
}

// Those that a slow file system may let a signal interrupt.
static bool is_interruptible(const char *name)
{
    static const char *const names[] = {"openat", "read", "pread", "pwrite", "ftruncate"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool fails(enum fail_kind kind, const char *name)
{
    bool signalled = fail.kind == FAIL_SIGNAL && kind == FAIL_CALL && is_interruptible(name);

    if (!fail.armed || (fail.kind != kind && !signalled) || --fail.left != 0) {
        return false;
    }
    fail.name = name;
    fail_here();
    errno = kind == FAIL_MEMORY ? ENOMEM : signalled ? EINTR : EIO;
    return true;
}

// A function that stands in front of another one: result, name, parameters, arguments.
#define IN_FRONT(kind, failed, result, name, parameters, arguments)                                \
    result __real_##name parameters;                                                               \
    result __wrap_##name parameters;                                                               \
    result __wrap_##name parameters                                                                \
    {                                                                                              \
        return fails(kind, #name) ? (failed) : __real_##name arguments;                            \
    }

#define MEMORY(name, parameters, arguments)                                                        \
    IN_FRONT(FAIL_MEMORY, NULL, void *, name, parameters, arguments)
#define CALL(result, name, parameters, arguments)                                                  \
    IN_FRONT(FAIL_CALL, -1, result, name, parameters, arguments)

MEMORY(malloc, (size_t bytes), (bytes))
MEMORY(calloc, (size_t count, size_t bytes), (count, bytes))
MEMORY(realloc, (void *old, size_t bytes), (old, bytes))
IN_FRONT(FAIL_MEMORY, NULL, char *, strdup, (const char *text), (text))
IN_FRONT(FAIL_MEMORY, NULL, char *, strndup, (const char *text, size_t bytes), (text, bytes))
IN_FRONT(FAIL_MEMORY, NULL, ZSTD_DCtx *, ZSTD_createDCtx, (void), ())
IN_FRONT(FAIL_MEMORY, NULL, XXH3_state_t *, XXH3_createState, (void), ())
IN_FRONT(FAIL_MEMORY, Z_MEM_ERROR, int, inflateInit2_,
         (z_stream * stream, int bits, const char *version, int size),
         (stream, bits, version, size))
IN_FRONT(FAIL_MEMORY, (iconv_t)-1, iconv_t, iconv_open, (const char *to, const char *from),
         (to, from))

// What an arena hands out may be what it asks the system for: its block may be full.
#define ARENA(result, name, parameters, arguments)                                                 \
    result __real_##name parameters;                                                               \
    result __wrap_##name parameters;                                                               \
    result __wrap_##name parameters                                                                \
    {                                                                                              \
        if (fails(FAIL_MEMORY, #name)) {                                                           \
            err_set(err, TALLY_NO_MEMORY, "no memory for %zu bytes", bytes);                       \
            return NULL;                                                                           \
        }                                                                                          \
        return __real_##name arguments;                                                            \
    }

ARENA(void *, arena_alloc, (struct arena * arena, size_t bytes, struct tally_err *err),
      (arena, bytes, err))
ARENA(char *, arena_text,
      (struct arena * arena, const char *text, size_t bytes, struct tally_err *err),
      (arena, text, bytes, err))

CALL(ssize_t, read, (int fd, void *data, size_t count), (fd, data, count))
CALL(ssize_t, pread, (int fd, void *data, size_t count, off_t at), (fd, data, count, at))
CALL(ssize_t, pwrite, (int fd, const void *data, size_t count, off_t at), (fd, data, count, at))
CALL(int, ftruncate, (int fd, off_t bytes), (fd, bytes))
CALL(int, fdatasync, (int fd), (fd))
CALL(int, fsync, (int fd), (fd))
CALL(int, renameat, (int from_fd, const char *from, int to_fd, const char *to),
     (from_fd, from, to_fd, to))
CALL(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
CALL(int, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode))
CALL(int, fstat, (int fd, struct stat *status), (fd, status))
CALL(int, fstatat, (int fd, const char *path, struct stat *status, int flags),
     (fd, path, status, flags))
IN_FRONT(FAIL_CALL, NULL, DIR *, fdopendir, (int fd), (fd))
IN_FRONT(FAIL_CALL, NULL, struct dirent *, readdir, (DIR * dir), (dir))
IN_FRONT(FAIL_CALL, MAP_FAILED, void *, mmap,
         (void *at, size_t bytes, int protection, int flags, int fd, off_t offset),
         (at, bytes, protection, flags, fd, offset))

int __real_openat(int dir_fd, const char *path, int flags, ...);
int __wrap_openat(int dir_fd, const char *path, int flags, ...);
int __wrap_openat(int dir_fd, const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    unsigned mode = flags & O_CREAT ? va_arg(args, unsigned) : 0;
    va_end(args);
    return fails(FAIL_CALL, "openat") ? -1 : __real_openat(dir_fd, path, flags, mode);
}
