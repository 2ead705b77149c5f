#include "tests/unit/fail.h"

#include "base/arena.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <iconv.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>
#include <zlib.h>
#include <zstd.h>

enum { WAYS_MAX = 1 << 14, WAY_CALLS = 24 };

static struct {
    bool armed;
    bool new_ways; // of `thread` alone
    pthread_t thread;
    enum fail_kind kind;
    long left;
    const char *name;       // that failed
    uint64_t way[WAYS_MAX]; // where one failed already, by their sums; 0: none
} fail;

static _Thread_local bool paused;
static _Thread_local long live;

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
    fail.new_ways = false;
    fail.kind = kind;
    fail.left = at;
    fail.name = NULL;
}

void fail_arm_new(enum fail_kind kind)
{
    fail_arm(kind, 0);
    fail.new_ways = true;
    fail.thread = pthread_self();
}

bool fail_disarm(const char **out_name)
{
    fail.armed = false;
    *out_name = fail.name;
    return fail.name;
}

void fail_pause(void)
{
    assert(!paused);
    paused = true;
}

void fail_resume(void)
{
    assert(paused);
    paused = false;
}

long fail_live(void)
{
    return live;
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

static bool is_new_way(void)
{
    void *call[WAY_CALLS];
    uint64_t sum = XXH3_64bits(call, (size_t)backtrace(call, WAY_CALLS) * sizeof *call) | 1;
    size_t at = (size_t)(sum >> 32) % WAYS_MAX;

    for (size_t tries = 0; fail.way[at] != 0; tries++) {
        assert(tries < WAYS_MAX);
        if (fail.way[at] == sum) {
            return false;
        }
        at = (at + 1) % WAYS_MAX;
    }
    fail.way[at] = sum;
    return true;
}

static bool is_due(void)
{
    if (fail.new_ways) {
        return !fail.name && pthread_equal(fail.thread, pthread_self()) && is_new_way();
    }
    return --fail.left == 0;
}

static bool fails(enum fail_kind kind, const char *name)
{
    bool signalled = fail.kind == FAIL_SIGNAL && kind == FAIL_CALL && is_interruptible(name);

    if (!fail.armed || paused || (fail.kind != kind && !signalled) || !is_due()) {
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

#define CALL(result, name, parameters, arguments)                                                  \
    IN_FRONT(FAIL_CALL, -1, result, name, parameters, arguments)

static void *taken(void *block)
{
    live += block && !paused;
    return block;
}

// Those whose blocks are counted: name, parameters, arguments.
#define BLOCK(result, name, parameters, arguments)                                                 \
    result __real_##name parameters;                                                               \
    result __wrap_##name parameters;                                                               \
    result __wrap_##name parameters                                                                \
    {                                                                                              \
        return fails(FAIL_MEMORY, #name) ? NULL : taken(__real_##name arguments);                  \
    }

BLOCK(void *, malloc, (size_t bytes), (bytes))
BLOCK(void *, calloc, (size_t count, size_t bytes), (count, bytes))
BLOCK(void *, aligned_alloc, (size_t alignment, size_t bytes), (alignment, bytes))
BLOCK(char *, strdup, (const char *text), (text))
BLOCK(char *, strndup, (const char *text, size_t bytes), (text, bytes))

int __wrap_asprintf(char **out, const char *format, ...);
int __wrap_asprintf(char **out, const char *format, ...)
{
    va_list args;

    if (fails(FAIL_MEMORY, "asprintf")) {
        return -1;
    }
    va_start(args, format);
    int bytes = vasprintf(out, format, args);
    va_end(args);
    taken(bytes < 0 ? NULL : *out);
    return bytes;
}

char *__real_realpath(const char *path, char *resolved);
char *__wrap_realpath(const char *path, char *resolved);
char *__wrap_realpath(const char *path, char *resolved)
{
    char *found = __real_realpath(path, resolved);

    return resolved ? found : taken(found);
}

void *__real_realloc(void *old, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes)
{
    if (fails(FAIL_MEMORY, "realloc")) {
        return NULL;
    }
    return old ? __real_realloc(old, bytes) : taken(__real_realloc(NULL, bytes));
}

void __real_free(void *block);
void __wrap_free(void *block);
void __wrap_free(void *block)
{
    live -= block && !paused;
    __real_free(block);
}

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
