// tests/fuzz/fuzz_config.c - any bytes as configuration files.
//
// The input is up to three files with a line "%%" between them: tallyd.conf, the preset "a" and a
// drop-in.
//
// Oracles: a configuration that does not load tells at least one mistake, each with its words; one
// that loads has a shape behind every name of a rollup.
#include "base/disk.h"
#include "daemon/config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { FILES_COUNT = 3 };

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void on_mistake(void *context, const struct tally_err *mistake)
{
    size_t *count = context;

    require(mistake->code != TALLY_OK && mistake->message[0]);
    require(memchr(mistake->message, '\0', sizeof mistake->message));
    ++*count;
}

static void write_file(int dir_fd, const char *path, const uint8_t *data, size_t bytes)
{
    struct tally_err err;
    int fd = disk_open(dir_fd, path, O_WRONLY | O_CREAT, 0600, &err);

    require(fd >= 0 && disk_write_at(fd, data, bytes, 0, &err));
    disk_close(fd);
}

static void write_files(int dir_fd, const uint8_t *data, size_t bytes)
{
    static const char *const paths[FILES_COUNT] = {"c", "presets/a.conf", "c.d/z.conf"};
    static const char border[] = "\n%%\n";

    for (size_t i = 0; i < FILES_COUNT; i++) {
        const uint8_t *end = i + 1 < FILES_COUNT && bytes > 0
                                 ? memmem(data, bytes, border, sizeof border - 1)
                                 : NULL;
        size_t count = end ? (size_t)(end - data) + 1 : bytes;
        write_file(dir_fd, paths[i], data, count);
        size_t taken = end ? count + sizeof border - 2 : count;
        data += taken;
        bytes -= taken;
    }
}

static void check_rollup(const struct config *config, const struct rollup_def *def)
{
    require(def->name && def->feeds_count > 0);
    require(def->feeds_count == 1 || rollup_def_find_dim(def, ROLLUP_DIM_FEED) >= 0);
    for (size_t m = 0; m < def->measures_count; m++) {
        uint64_t feeds = 0;
        for (size_t i = 0; i < def->feeds_count; i++) {
            feeds += def->feeds[i].measures >> m & 1;
        }
        require(feeds > 0);
    }
    for (size_t i = 0; i < config->feeds_count; i++) {
        require(feed_name(config->feeds[i])[0]);
    }
}

static void check_loaded(const struct config *config)
{
    require(config->state && config->presets && config->segment_bytes_max > 0);
    for (size_t i = 0; i < config->feeds_count; i++) {
        require(feed_shape(config->feeds[i]));
    }
    for (size_t i = 0; i < config->defs_count; i++) {
        check_rollup(config, &config->defs[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    struct config config;
    struct tally_err err;
    char dir[40];
    char path[64];
    char presets[64];
    size_t mistakes = 0;

    snprintf(dir, sizeof dir, "%s/tally-fuzz-XXXXXX", parent);
    require(mkdtemp(dir));
    int fd = disk_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, &err);
    require(fd >= 0 && disk_mkdir(fd, "presets", 0700, &err) && disk_mkdir(fd, "c.d", 0700, &err));
    write_files(fd, data, bytes);
    snprintf(path, sizeof path, "%s/c", dir);
    snprintf(presets, sizeof presets, "%s/presets", dir);
    bool ok = config_load(&config, path, presets, on_mistake, &mistakes);
    require(ok == (mistakes == 0));
    if (ok) {
        check_loaded(&config);
    }
    config_done(&config);
    disk_close(fd);
    require(disk_remove_tree(AT_FDCWD, dir, &err));
    return 0;
}
