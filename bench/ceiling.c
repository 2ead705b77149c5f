// bench/ceiling.c - what the machine and libcsv allow on one file: nothing kept, nothing added up.
//
//     read    read(2) through one reused buffer, to the end
//     libcsv  the same, and every byte through libcsv, which hands over every field
//
// Prints what it saw, so that two runs can be compared: bytes, and for libcsv records and fields.
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <csv.h>

enum { BUFFER_BYTES = 256 * 1024 };

struct counts {
    uint64_t bytes;
    uint64_t records;
    uint64_t fields;
};

static void on_field(void *field, size_t bytes, void *context)
{
    struct counts *counts = context;

    (void)field;
    (void)bytes;
    counts->fields++;
}

static void on_record(int terminator, void *context)
{
    struct counts *counts = context;

    (void)terminator;
    counts->records++;
}

// `parser` NULL: only reads.
static bool pass(int fd, struct csv_parser *parser, struct counts *counts)
{
    static char buffer[BUFFER_BYTES];
    ssize_t got;

    while ((got = read(fd, buffer, sizeof buffer)) > 0) {
        size_t count = (size_t)got;
        counts->bytes += count;
        if (parser != NULL &&
            csv_parse(parser, buffer, count, on_field, on_record, counts) != count) {
            fprintf(stderr, "bench_ceiling: libcsv: %s\n", csv_strerror(csv_error(parser)));
            return false;
        }
    }
    if (got < 0) {
        perror("bench_ceiling: read");
        return false;
    }
    return parser == NULL || csv_fini(parser, on_field, on_record, counts) == 0;
}

int main(int argc, char **argv)
{
    struct counts counts = {0};
    struct csv_parser parser;

    if (argc != 3 || (strcmp(argv[1], "read") != 0 && strcmp(argv[1], "libcsv") != 0)) {
        fputs("usage: bench_ceiling read|libcsv FILE\n", stderr);
        return EX_USAGE;
    }
    int fd = open(argv[2], O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        perror(argv[2]);
        return EX_NOINPUT;
    }
    bool parses = strcmp(argv[1], "libcsv") == 0;
    if (parses && csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
        return EX_SOFTWARE;
    }
    bool done = pass(fd, parses ? &parser : NULL, &counts);
    if (parses) {
        csv_free(&parser);
    }
    close(fd);
    printf("bytes=%" PRIu64 " records=%" PRIu64 " fields=%" PRIu64 "\n", counts.bytes,
           counts.records, counts.fields);
    return done ? EX_OK : EX_DATAERR;
}
