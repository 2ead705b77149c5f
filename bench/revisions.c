// bench/revisions.c - what a revision file costs, from its bytes until it is durable and published.
//
//     bench_revisions CONF BASE.csv REVISION.csv...
//
// CONF is a configuration whose `state` is an empty folder. The base file is taken in first; then
// each revision file, the way the daemon does it but one step after the other. A line is printed of
// the base, of each revision, and of the fold, which is writing the whole rollup anew: what every
// file would cost without patches.
//
//     what, rows, parse, commit, publish, total,
//     parse_cpu, commit_cpu, publish_cpu, patch_bytes, resident_bytes
//
// Times are in ms; those of the processor tell more on a machine that others share. parse is
// reading the file and writing its rows to the ledger; commit the sync and applying them; publish
// the patch, or the whole rollup.
#include "base/disk.h"
#include "base/pages.h"
#include "daemon/intake.h"
#include "store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct progress nobody;

static double clock_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void check(bool ok, const struct tally_err *err)
{
    if (!ok) {
        fprintf(stderr, "bench_revisions: %s: %s\n", err->place, err->message);
        exit(EXIT_FAILURE);
    }
}

static void on_mistake(void *context, const struct tally_err *mistake)
{
    (void)context;
    fprintf(stderr, "bench_revisions: %s: %s\n", mistake->place, mistake->message);
}

struct cost {
    double wall_ms;
    double cpu_ms;
};

static struct cost now(void)
{
    return (struct cost){.wall_ms = clock_ms(CLOCK_MONOTONIC),
                         .cpu_ms = clock_ms(CLOCK_PROCESS_CPUTIME_ID)};
}

static struct cost since(struct cost before)
{
    struct cost after = now();

    return (struct cost){.wall_ms = after.wall_ms - before.wall_ms,
                         .cpu_ms = after.cpu_ms - before.cpu_ms};
}

struct parts {
    struct cost parse;
    struct cost commit;
    uint64_t rows;
};

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static struct parts take_in(struct inbox *inbox, const struct config *config, struct store *store,
                            const char *path)
{
    const char *name = name_of(path);
    struct disk_entry entry;
    struct tally_err err;
    struct parts parts;
    int fd;

    check(disk_copy(AT_FDCWD, path, inbox->inbox_fd, name, 0600, &err), &err);
    struct cost start = now();
    check(inbox_claim(inbox, name, &fd, &entry, &err) == INBOX_CLAIMED, &err);
    struct intake *intake = intake_open(inbox, config, name, fd, entry.bytes, false, nobody, &err);
    check(intake, &err);
    check(intake_take_in(intake, store) == INTAKE_COMPLETE, &intake->err);
    parts.parse = since(start);
    start = now();
    check(intake_settle(intake, store, INTAKE_COMPLETE) == INTAKE_SETTLED, &intake->err);
    parts.commit = since(start);
    parts.rows = intake->outcome.counts.added + intake->outcome.counts.revised;
    intake_close(intake);
    return parts;
}

static struct cost cost_of(bool (*work)(struct store *store, struct tally_err *err),
                           struct store *store)
{
    struct tally_err err;
    struct cost start = now();

    check(work(store, &err), &err);
    return since(start);
}

static unsigned long long resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long long pages = 0;

    if (file) {
        (void)!fscanf(file, "%*u %llu", &pages);
        fclose(file);
    }
    return pages * (unsigned long long)sysconf(_SC_PAGESIZE);
}

static void say(const char *what, const struct store *store, struct parts parts,
                struct cost publish)
{
    printf("%s,%llu,%.2f,%.2f,%.2f,%.2f,%.2f,%.2f,%.2f,%llu,%llu\n", what,
           (unsigned long long)parts.rows, parts.parse.wall_ms, parts.commit.wall_ms,
           publish.wall_ms, parts.parse.wall_ms + parts.commit.wall_ms + publish.wall_ms,
           parts.parse.cpu_ms, parts.commit.cpu_ms, publish.cpu_ms,
           (unsigned long long)store_rollup_at(store, 0).patch_bytes, resident_bytes());
}

static void measure(struct inbox *inbox, const struct config *config, struct store *store,
                    char **files)
{
    const char *what = "base";

    puts("what,rows,parse_ms,commit_ms,publish_ms,total_ms,parse_cpu_ms,commit_cpu_ms,"
         "publish_cpu_ms,patch_bytes,resident_bytes");
    for (; *files; files++, what = "revision") {
        struct parts parts = take_in(inbox, config, store, *files);
        say(what, store, parts, cost_of(store_publish, store));
    }
    say("fold", store, (struct parts){0}, cost_of(store_fold, store));
}

int main(int argc, char **argv)
{
    struct config config;
    struct inbox inbox;
    struct tally_err err;

    if (argc < 4) {
        fputs("usage: bench_revisions CONF BASE.csv REVISION.csv...\n", stderr);
        return EXIT_FAILURE;
    }
    pages_one_heap();
    if (!config_load(&config, argv[1], "/nowhere", on_mistake, NULL)) {
        return EXIT_FAILURE;
    }
    check(inbox_open(&inbox, config.state, &err), &err);
    struct store_options options = {.segment_bytes_max = config.segment_bytes_max,
                                    .defs = config.defs,
                                    .defs_count = config.defs_count,
                                    .patch_from_bytes = config.patch_from_bytes};
    struct store *store = store_open(inbox.state_fd, &options, &err);
    check(store, &err);
    measure(&inbox, &config, store, argv + 2);
    store_close(store);
    inbox_close(&inbox);
    config_done(&config);
    return EXIT_SUCCESS;
}
