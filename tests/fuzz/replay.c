// tests/fuzz/replay.c - runs a fuzz target over its corpus once, without libFuzzer.
//
//     fuzz_NAME DIRECTORY        the empty input, then every file of the directory
//
// A target that finds something wrong aborts; the last line printed names the input.
#include "base/disk.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { INPUT_BYTES_MAX = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes); // of the target

static bool replay(int dir_fd, const char *name, struct tally_err *err)
{
    unsigned char *data;
    size_t bytes;

    if (!disk_load(dir_fd, name, INPUT_BYTES_MAX, &data, &bytes, err)) {
        return false;
    }
    printf("%s\n", name);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, bytes);
    free(data);
    return true;
}

static bool replay_all(const char *path, size_t *out_count, struct tally_err *err)
{
    struct disk_names names = {0};
    int dir_fd = disk_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, err);
    bool ok = dir_fd >= 0 && disk_list(dir_fd, ".", &names, err);

    for (size_t i = 0; ok && i < names.count; i++) {
        ok = replay(dir_fd, names.name[i], err);
    }
    *out_count = names.count;
    disk_names_done(&names);
    disk_close(dir_fd);
    return ok;
}

int main(int argc, char **argv)
{
    struct tally_err err;
    size_t count = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 64;
    }
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    if (!replay_all(argv[1], &count, &err)) {
        fprintf(stderr, "%s: %s\n", argv[1], err.message);
        return 1;
    }
    printf("the empty input and %zu of the corpus: no crash\n", count);
    return 0;
}
