// bench/reload.c - what the machine allows a start: records that are read, checked and kept,
// nothing looked up, decoded or added up.
//
//     bench_reload write FILE COUNT    COUNT records of 64 bytes: id, 48 bytes by chance, checksum
//     bench_reload read FILE           reads them through one buffer, checks each, keeps all
#include "base/checksum.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { BUFFERED = 4096, CHECKED_BYTES = 56 };

struct record {
    uint64_t id;
    uint64_t content[6];
    uint64_t checksum;
};
_Static_assert(sizeof(struct record) == 64, "records of 64 bytes");

static bool write_all(FILE *file, uint64_t count)
{
    uint64_t chance = 1;

    for (uint64_t i = 0; i < count; i++) {
        struct record record = {.id = i};
        for (size_t part = 0; part < 6; part++) {
            chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            record.content[part] = chance;
        }
        record.checksum = checksum64(&record, CHECKED_BYTES, 0);
        if (fwrite(&record, sizeof record, 1, file) != 1) {
            return false;
        }
    }
    return true;
}

static bool read_all(FILE *file, uint64_t *out_count)
{
    static struct record buffer[BUFFERED];
    struct record *kept = NULL;
    uint64_t capacity = 0;
    uint64_t count = 0;
    size_t got;
    bool ok = true;

    while (ok && (got = fread(buffer, sizeof *buffer, BUFFERED, file)) > 0) {
        if (count + got > capacity) {
            capacity = capacity ? capacity * 2 : BUFFERED;
            struct record *grown = realloc(kept, capacity * sizeof *kept);
            ok = grown;
            kept = grown ? grown : kept;
        }
        for (size_t i = 0; ok && i < got; i++) {
            ok = checksum64(&buffer[i], CHECKED_BYTES, 0) == buffer[i].checksum;
            kept[count++] = buffer[i];
        }
    }
    free(kept);
    *out_count = count;
    return ok && !ferror(file);
}

int main(int argc, char **argv)
{
    bool writes = argc == 4 && strcmp(argv[1], "write") == 0;
    bool reads = argc == 3 && strcmp(argv[1], "read") == 0;

    if (!writes && !reads) {
        fprintf(stderr, "usage: bench_reload write FILE COUNT | read FILE\n");
        return EX_USAGE;
    }
    FILE *file = fopen(argv[2], writes ? "wb" : "rb");
    if (!file) {
        fprintf(stderr, "bench_reload: %s: %s\n", argv[2], strerror(errno));
        return EX_NOINPUT;
    }
    uint64_t count = 0;
    bool ok = writes ? write_all(file, strtoull(argv[3], NULL, 10)) : read_all(file, &count);
    ok = fclose(file) == 0 && ok;
    if (!ok) {
        fprintf(stderr, "bench_reload: %s: damaged, or no room\n", argv[2]);
        return EX_IOERR;
    }
    if (reads) {
        printf("records,%" PRIu64 "\n", count);
    }
    return EX_OK;
}
