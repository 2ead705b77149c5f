// tests/fuzz/replay.c - runs a fuzz target over its corpus once, without libFuzzer.
//
//     fuzz_NAME DIRECTORY            the empty input, then every file of the directory
//     fuzz_NAME --bytes DIRECTORY    and each file again with each of its bytes changed, in turn
//
// A target that finds something wrong aborts; the last line printed names the input.
#include "base/disk.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INPUT_BYTES_MAX = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes); // of the target

static char changed[64]; // which byte, for whoever reads why it aborted

static void tell_byte(int number)
{
    (void)number;
    (void)!write(STDOUT_FILENO, changed, sizeof changed);
}

// To little more or less, to much more or less, to nothing and to all that there can be.
static void change_each_byte(unsigned char *data, size_t bytes)
{
    signal(SIGABRT, tell_byte);
    for (size_t at = 0; at < bytes; at++) {
        const unsigned char was = data[at];
        const unsigned char values[] = {was ^ 1, was ^ 0x80, 0, 0xff};
        snprintf(changed, sizeof changed, "byte %zu changed\n", at);
        for (size_t i = 0; i < sizeof values; i++) {
            data[at] = values[i];
            if (values[i] != was) {
                LLVMFuzzerTestOneInput(data, bytes);
            }
        }
        data[at] = was;
    }
    signal(SIGABRT, SIG_DFL);
}

static bool replay(int dir_fd, const char *name, bool each_byte, struct tally_err *err)
{
    unsigned char *data;
    size_t bytes;

    if (!disk_load(dir_fd, name, INPUT_BYTES_MAX, &data, &bytes, err)) {
        return false;
    }
    printf("%s\n", name);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, bytes);
    if (each_byte) {
        change_each_byte(data, bytes);
    }
    free(data);
    return true;
}

static bool replay_all(const char *path, bool each_byte, size_t *out_count, struct tally_err *err)
{
    struct disk_names names = {0};
    int dir_fd = disk_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, err);
    bool ok = dir_fd >= 0 && disk_list(dir_fd, ".", &names, err);

    for (size_t i = 0; ok && i < names.count; i++) {
        ok = replay(dir_fd, names.name[i], each_byte, err);
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

    bool each_byte = argc == 3 && strcmp(argv[1], "--bytes") == 0;
    const char *path = argv[argc - 1];

    if (argc != 2 && !each_byte) {
        fprintf(stderr, "usage: %s [--bytes] DIRECTORY\n", argv[0]);
        return 64;
    }
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    if (!replay_all(path, each_byte, &count, &err)) {
        fprintf(stderr, "%s: %s\n", path, err.message);
        return 1;
    }
    printf("the empty input and %zu of the corpus: no crash\n", count);
    return 0;
}
