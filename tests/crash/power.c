// tests/crash/power.c - cuts the power at every change of the disk, and looks at what is left.
//
//   power [--states N] [--seed S] [--bug NAME]
//
// For one seed after the other: made-up files (power_scenario.c) go through the real code of the
// daemon and the store (power_daemon.c) on a disk in memory (sim_disk.h). Before each change of
// that disk, and at the end, many legal states that a power cut there could leave are made, and
// each is recovered by the same code. Meanwhile the run itself may be killed and started again, or
// meet a full disk, an I/O error or a sync that fails. What must hold stands in check_state.
//
// A failure names its seed; --seed S --states 1 repeats it. With --bug the program is to find
// that bug (base/planted.h), and fails when it does not.
#include "base/planted.h"
#include "tests/crash/power.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STATES = 100000,
    VARIANTS = 24,      // of one power cut, at most
    NESTED_EVERY = 300, // in the recovery of one state in so many, the power is cut too
    NESTED_VARIANTS = 3,
    SEEN_SLOTS = 1 << 22,
    FAULT_CALLS_MAX = 60, // the fault of a run comes within so many changes
};

static struct {
    uint64_t states;
    uint64_t cuts; // states that were seen before included
    uint64_t runs;
    uint64_t *seen;
} done;

// ---- one state ----------------------------------------------------------------------------

static enum sim_fault on_nested_change(void *context, const struct sim_call *call);

static bool stopped(struct run *run, const char *what, const struct tally_err *err)
{
    return power_wrong(run, "%s: %s: %s", what, err->place, err->message);
}

static bool recover(struct run *run, struct sim_disk *image, int depth)
{
    struct power_daemon daemon = {.config = run->config,
                                  .segment_bytes_max = run->scenario.segment_bytes_max,
                                  .group_files = sim_random(&run->choice, SCENARIO_FILES_MAX)};
    bool nested = depth == 0 && sim_random(&run->choice, NESTED_EVERY) == 0;

    if (nested) {
        sim_disk_on_change(image, on_nested_change, run);
    }
    bool ok = power_daemon_start(&daemon) || stopped(run, "start", &daemon.err);
    ok = ok && run->wrong[0] == '\0' && power_check_figures(run, daemon.store, false) &&
         (power_daemon_settle(&daemon) || stopped(run, "settle", &daemon.err)) &&
         run->wrong[0] == '\0';
    sim_disk_on_change(image, NULL, NULL);
    ok =
        ok && power_check_figures(run, daemon.store, true) && power_check_places(run, daemon.store);
    power_daemon_stop(&daemon);
    return ok;
}

static bool check_state(struct run *run, struct sim_disk *image, int depth)
{
    struct sim_disk *before = sim_disk_use(image);

    run->stage = "as it is found";
    bool ok = power_check_places(run, NULL) && power_check_readers(run);
    run->stage = "recovered";
    ok = ok && recover(run, image, depth) && power_check_readers(run);
    uint64_t hash = sim_disk_hash(image);
    run->stage = "recovered twice";
    ok = ok && recover(run, image, depth + 1);
    if (ok && sim_disk_hash(image) != hash) {
        ok = power_wrong(run, "the second recovery changed something");
    }
    sim_disk_use(before);
    return ok;
}

// ---- power cuts ---------------------------------------------------------------------------

static bool is_new(const struct run *run, uint64_t hash)
{
    for (size_t i = 0; i < run->scenario.files; i++) {
        hash = (hash ^ (run->settled[i] ? run->outcome[i] + 1 : 0)) * UINT64_C(1099511628211);
    }
    hash = (hash ^ run->published) * UINT64_C(1099511628211) | 1;
    for (size_t at = hash % SEEN_SLOTS, i = 0; i < 8; i++, at = (at + 1) % SEEN_SLOTS) {
        if (done.seen[at] == hash) {
            return false;
        }
        if (done.seen[at] == 0) {
            done.seen[at] = hash;
            return true;
        }
    }
    done.seen[hash % SEEN_SLOTS] = hash; // the oldest ones are forgotten
    return true;
}

static void cut_power(struct run *run, const struct sim_disk *disk, const struct sim_call *call,
                      size_t variants, int depth)
{
    size_t pending = sim_disk_pending(disk);
    // With nothing pending there is one state only.
    size_t count = pending == 0 ? 1 : variants;

    run->call = *call;
    for (size_t i = 0; i < count && run->wrong[0] == '\0'; i++) {
        bool named = i < 2 || (depth == 0 && i < count / 2);
        run->variant = i < 2   ? i
                       : named ? 2 + sim_random(&run->choice, (uint32_t)(3 * pending))
                               : 2 + 3 * pending;
        struct sim_disk *image = sim_disk_cut(disk, run->variant, &run->choice);
        done.cuts++;
        if (is_new(run, sim_disk_hash(image) + run->scenario.file[0].digest.low)) {
            done.states++;
            check_state(run, image, depth);
        }
        sim_disk_close(image);
    }
}

static enum sim_fault on_nested_change(void *context, const struct sim_call *call)
{
    struct run *run = context;
    struct sim_disk *image = sim_disk_use(NULL);
    struct sim_call outer = run->call;

    if (run->wrong[0] == '\0') {
        cut_power(run, image, call, NESTED_VARIANTS, 1);
    }
    run->call = run->wrong[0] == '\0' ? outer : run->call;
    run->stage = "recovered";
    sim_disk_use(image);
    return SIM_FINE;
}

static enum sim_fault on_change(void *context, const struct sim_call *call)
{
    struct run *run = context;

    if (run->wrong[0] == '\0') {
        cut_power(run, run->disk, call, VARIANTS, 0);
    }
    bool hit = run->fault != SIM_SYNC_FAILS || strncmp(call->name, "sync", 4) == 0;
    if (!hit || call->number < run->fault_from || run->faults_left == 0) {
        return SIM_FINE;
    }
    run->faults_left--;
    return run->fault;
}

// ---- one run ------------------------------------------------------------------------------

static void on_settled(void *context, const struct intake *intake)
{
    struct run *run = context;

    for (size_t i = 0; i < run->scenario.files; i++) {
        if (strcmp(run->scenario.file[i].name, intake->name) == 0) {
            run->settled[i] = true;
            run->outcome[i] = intake->outcome.outcome;
        }
    }
}

static void on_published(void *context, const struct store *store)
{
    struct run *run = context;
    run->published = store_rollup_at(store, 0).generation;
}

static void plan_fault(struct run *run)
{
    static const enum sim_fault faults[] = {SIM_FINE, SIM_KILLED, SIM_EIO, SIM_ENOSPC,
                                            SIM_SYNC_FAILS};

    run->fault = faults[sim_random(&run->chance, sizeof faults / sizeof *faults)];
    run->fault_from = 1 + sim_random(&run->chance, FAULT_CALLS_MAX);
    // The room is gone for some calls; the other faults hit one, or several lives in a row.
    run->faults_left = run->fault == SIM_ENOSPC ? 1 + sim_random(&run->chance, 8)
                                                : 1 + sim_random(&run->chance, 6) / 4;
}

static void set_out(struct run *run)
{
    if (sim_random(&run->chance, 4) == 0) { // a first start makes the folders
        struct power_daemon daemon = {.config = run->config};
        if (!power_daemon_start(&daemon)) {
            stopped(run, "the first start", &daemon.err);
        }
        power_daemon_stop(&daemon);
    } else {
        sim_disk_put_folder(run->disk, "/state");
        sim_disk_put_folder(run->disk, "/state/inbox");
    }
    for (size_t i = 0; i < run->scenario.files; i++) {
        const struct scenario_file *file = &run->scenario.file[i];
        char path[64];
        snprintf(path, sizeof path, "/state/inbox/%s", file->name);
        sim_disk_put_file(run->disk, path, file->content, file->bytes);
    }
}

// Lives one after the other, until one comes to its end.
static void live(struct run *run)
{
    enum { LIVES_MAX = 8 };
    bool each = sim_random(&run->chance, 2);
    size_t group_files = sim_random(&run->chance, SCENARIO_FILES_MAX);

    for (int i = 0; i < LIVES_MAX && run->wrong[0] == '\0'; i++) {
        struct power_daemon daemon = {.config = run->config,
                                      .segment_bytes_max = run->scenario.segment_bytes_max,
                                      .group_files = group_files,
                                      .publishes_each = each,
                                      .on_settled = on_settled,
                                      .on_published = on_published,
                                      .context = run};
        bool ended = power_daemon_start(&daemon) && power_daemon_settle(&daemon);
        ended = ended && !sim_disk_was_killed(run->disk);
        power_daemon_stop(&daemon);
        if (ended) {
            struct sim_call end = {.name = "the end", .path = ""};
            cut_power(run, run->disk, &end, VARIANTS, 0);
            return;
        }
        sim_disk_restart(run->disk);
        if (run->fault == SIM_FINE && run->wrong[0] == '\0') {
            run->call = (struct sim_call){.name = "nothing", .path = ""};
            run->stage = "a run without a fault";
            stopped(run, "ended", &daemon.err);
        }
    }
    if (run->wrong[0] == '\0') {
        power_wrong(run, "it never came to its end");
    }
}

static bool run_seed(const struct config *config, uint64_t seed)
{
    struct run run = {.config = config, .seed = seed, .chance = seed, .choice = ~seed};

    scenario_make(&run.scenario, &run.chance);
    plan_fault(&run);
    run.disk = sim_disk_open();
    struct sim_disk *before = sim_disk_use(run.disk);
    set_out(&run);
    sim_disk_on_change(run.disk, on_change, &run);
    live(&run);
    sim_disk_use(before);
    sim_disk_close(run.disk);
    done.runs++;
    if (run.wrong[0] != '\0') {
        printf("%s\n", run.wrong);
    }
    return run.wrong[0] == '\0';
}

// ---- the program --------------------------------------------------------------------------

#ifdef TALLY_PLANTED
enum planted planted_bug;

static bool plant(const char *name)
{
    static const char *const names[] = {
        [PLANTED_NO_SYNC_BEFORE_RENAME] = "no-sync-before-rename",
        [PLANTED_NO_DIRECTORY_SYNC] = "no-directory-sync",
        [PLANTED_ACCEPTED_BEFORE_SYNC] = "accepted-before-sync",
        [PLANTED_SYNC_RETRIED] = "sync-retried",
        [PLANTED_NO_TORN_TAIL_CHECK] = "no-torn-tail-check",
        [PLANTED_UNSYNCED_IS_PROOF] = "unsynced-is-proof",
        [PLANTED_COMMIT_BEFORE_ROWS] = "commit-before-rows",
        [PLANTED_INDEX_BEFORE_LEDGER] = "index-before-ledger",
        [PLANTED_PATCH_REMOVED_FIRST] = "patch-removed-first",
        [PLANTED_PATCH_OF_ANY_BASE] = "patch-of-any-base",
    };

    for (size_t i = 1; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], name) == 0) {
            planted_bug = (enum planted)i;
            return true;
        }
    }
    return false;
}
#else
static bool plant(const char *name)
{
    (void)name;
    return false; // this program has none
}
#endif

static void on_mistake(void *context, const struct tally_err *mistake)
{
    (void)context;
    fprintf(stderr, "power: %s: %s\n", mistake->place, mistake->message);
}

static bool load_config(struct config *config)
{
    char path[] = "/tmp/tally-power-XXXXXX";
    int fd = mkstemp(path);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

    if (!out) {
        return false;
    }
    fprintf(out, "[tallyd]\nstate = /state\n%s", scenario_config);
    fclose(out);
    struct sim_disk *disk = sim_disk_open(); // without any tallyd.conf.d
    struct sim_disk *before = sim_disk_use(disk);
    bool ok = config_load(config, path, "/nowhere", on_mistake, NULL);
    sim_disk_use(before);
    sim_disk_close(disk);
    remove(path);
    return ok;
}

int main(int argc, char **argv)
{
    uint64_t states = STATES;
    uint64_t seed = 1;
    const char *bug = NULL;
    struct config config;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--states") == 0) {
            states = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0) {
            seed = strtoull(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--bug") == 0 && plant(argv[i + 1])) {
            bug = argv[i + 1];
        } else {
            fprintf(stderr, "power: what is %s %s?\n", argv[i], argv[i + 1]);
            return 64;
        }
    }
    mallopt(M_MMAP_THRESHOLD, 1 << 28); // memory that is used again and again
    mallopt(M_TRIM_THRESHOLD, 1 << 28);
    done.seen = calloc(SEEN_SLOTS, sizeof *done.seen);
    if (!done.seen || !load_config(&config)) {
        return 70;
    }
    bool held = true;
    uint64_t first = seed;
    while (held && done.states < states) {
        held = run_seed(&config, seed++);
    }
    config_done(&config);
    free(done.seen);
    printf("power: %llu states of %llu cuts in %llu runs, seeds %llu to %llu: %s%s\n",
           (unsigned long long)done.states, (unsigned long long)done.cuts,
           (unsigned long long)done.runs, (unsigned long long)first, (unsigned long long)seed - 1,
           !held ? "it does not hold"
           : bug ? "it all holds, and should not: "
                 : "all that was accepted is there, once",
           bug && held ? bug : "");
    return held == (bug != NULL);
}
