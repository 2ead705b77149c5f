// bench/lookup.c - how long look-ups in a rollup take, warm and in process, and where its bytes go.
//
//     bench_lookup sections FILE.rollup
//     bench_lookup look-ups FILE.rollup QUERIES DAYS
//
// Prints one line of JSON. Look-ups go through libtally: a group is found by its texts, all groups
// are a selection by all dimensions. `tallyd` reads with the code that fits this machine best and
// on all its cores, `one-core` on one of them, `portable` with the code for any machine.
#include "bench/queries.h"
#include "report/tally_private.h"
#include "store/rollup_private.h"

#include <err.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct looker {
    const char *path;
    struct tally_rollup *rollup;
    struct tally_selection *selection; // by all dimensions
    uint64_t *incidents;               // [rows of the selection]
    struct tally_sum *sums;            // [rows of the selection][measures]
    int32_t days;
};

static void fail(const struct tally_err *tally_err)
{
    errx(EX_DATAERR, "%s: %s", tally_err->place, tally_err->message);
}

static struct tally_rollup *open_rollup(const char *path)
{
    struct tally_err tally_err;
    struct tally_rollup *rollup = tally_open(path, &tally_err);

    if (!rollup) {
        fail(&tally_err);
    }
    return rollup;
}

// ---- sections -----------------------------------------------------------------------------

static void print_sections(const char *path)
{
    struct tally_rollup *opened = open_rollup(path);
    const struct rollup *rollup = opened->rollup;
    size_t frame = rollup->bytes;

    printf("{\"code\": \"%s\", \"groups\": %zu, \"cells\": %llu, \"sections\": {",
           rollup->code->name, rollup_groups(rollup), (unsigned long long)rollup_cells(rollup));
    for (int id = ROLLUP_SCHEMA; id <= ROLLUP_PROVENANCE; id++) {
        printf("\"%s\": %zu, ", rollup_section_name((enum rollup_section)id),
               rollup->section[id].bytes);
        frame -= rollup->section[id].bytes;
    }
    printf("\"frame\": %zu}}\n", frame);
    tally_close(opened);
}

// ---- look-ups -----------------------------------------------------------------------------

static void add(struct answers *sums, uint64_t incidents, const struct tally_sum *killed)
{
    sums->incidents += incidents;
    sums->killed += killed->sum;
}

static void look_up_one(void *context, const struct query *query, struct answers *sums)
{
    const struct looker *looker = context;
    struct tally_sum killed[TALLY_MEASURES_MAX];
    struct tally_err tally_err;
    uint64_t incidents;
    int64_t group = tally_find_group(looker->rollup, query->texts);

    if (group != query->group) {
        errx(EX_DATAERR, "group %lld is not found by its texts", (long long)query->group);
    }
    if (!tally_window(looker->rollup, (size_t)group, TALLY_START,
                      query->last_day - looker->days + 1, query->last_day, &incidents, killed,
                      &tally_err)) {
        fail(&tally_err);
    }
    add(sums, incidents, &killed[0]);
}

static void look_up_all(void *context, int32_t last_day, struct answers *sums)
{
    const struct looker *looker = context;
    size_t measures = tally_measures(looker->rollup);
    struct tally_err tally_err;

    if (!tally_selection_windows(looker->selection, TALLY_START, last_day - looker->days + 1,
                                 last_day, looker->incidents, looker->sums, &tally_err)) {
        fail(&tally_err);
    }
    for (size_t row = 0; row < tally_selection_rows(looker->selection); row++) {
        add(sums, looker->incidents[row], &looker->sums[row * measures]);
    }
}

static void open_and_close(void *context)
{
    const struct looker *looker = context;
    tally_close(open_rollup(looker->path));
}

static void open_selection(struct looker *looker)
{
    const char *by[TALLY_DIMS_MAX];
    struct tally_err tally_err;

    for (size_t i = 0; i < tally_dims(looker->rollup); i++) {
        by[i] = tally_dim(looker->rollup, i);
    }
    looker->selection =
        tally_selection_open(looker->rollup, by, tally_dims(looker->rollup), NULL, 0, &tally_err);
    if (!looker->selection) {
        fail(&tally_err);
    }
    size_t rows = tally_selection_rows(looker->selection);
    looker->incidents = calloc(rows, sizeof *looker->incidents);
    looker->sums = calloc(rows * tally_measures(looker->rollup), sizeof *looker->sums);
    if (!looker->incidents || !looker->sums) {
        errx(EX_OSERR, "no memory");
    }
}

// All groups without a second thread.
static void measure_one_core(const struct queries *queries, struct looker *looker)
{
    struct rival rival = {
        .name = "one-core", .context = looker, .one = look_up_one, .all = look_up_all};
    cpu_set_t all;
    cpu_set_t one;

    if (sched_getaffinity(0, sizeof all, &all) != 0) {
        err(EX_OSERR, "cores");
    }
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0) {
        err(EX_OSERR, "cores");
    }
    queries_measure(queries, &rival);
    if (sched_setaffinity(0, sizeof all, &all) != 0) {
        err(EX_OSERR, "cores");
    }
}

static void look_up(const char *path, const char *queries_path, const char *days)
{
    struct queries queries = queries_read(queries_path);
    struct looker looker = {
        .path = path, .rollup = open_rollup(path), .days = (int32_t)strtol(days, NULL, 10)};
    struct rival rival = {.name = "tallyd",
                          .context = &looker,
                          .one = look_up_one,
                          .all = look_up_all,
                          .open = open_and_close};

    if (tally_dims(looker.rollup) != QUERIES_DIMS || tally_measures(looker.rollup) < 1) {
        errx(EX_DATAERR, "%s: not by %d dimensions with a measure", path, QUERIES_DIMS);
    }
    open_selection(&looker);
    printf("{");
    queries_measure(&queries, &rival);
    printf(", ");
    measure_one_core(&queries, &looker);
    printf(", ");
    looker.rollup->rollup->code = &entries_code_portable;
    rival.name = "portable";
    queries_measure(&queries, &rival);
    printf("}\n");
    free(looker.incidents);
    free(looker.sums);
    tally_selection_close(looker.selection);
    tally_close(looker.rollup);
    queries_done(&queries);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "sections") == 0) {
        print_sections(argv[2]);
    } else if (argc == 5 && strcmp(argv[1], "look-ups") == 0) {
        look_up(argv[2], argv[3], argv[4]);
    } else {
        fprintf(stderr, "usage: bench_lookup sections FILE.rollup\n"
                        "       bench_lookup look-ups FILE.rollup QUERIES DAYS\n");
        return EX_USAGE;
    }
    return EX_OK;
}
