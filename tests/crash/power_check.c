// tests/crash/power_check.c - what must hold in a state that a power cut left (contracts in
// power.h).
#include "tests/crash/power.h"

#include "report/run.h"
#include "store/embedded.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool power_wrong(struct run *run, const char *format, ...)
{
    va_list args;
    size_t used;

    used = (size_t)snprintf(run->wrong, sizeof run->wrong,
                            "seed %llu, power cut before %s %s "
                            "(change %llu, variant %zu), %s: ",
                            (unsigned long long)run->seed, run->call.name, run->call.path,
                            (unsigned long long)run->call.number, run->variant, run->stage);
    va_start(args, format);
    vsnprintf(run->wrong + used, sizeof run->wrong - used, format, args);
    va_end(args);
    return false;
}

static bool err_wrong(struct run *run, const char *what, const struct tally_err *err)
{
    return power_wrong(run, "%s: %s: %s", what, err->place, err->message);
}

// ---- what the ledger says -----------------------------------------------------------------

struct told {
    struct run *run;
    struct model model;
    unsigned accepted[SCENARIO_FILES_MAX]; // how often a file with this content was accepted
    unsigned noted[SCENARIO_FILES_MAX][4]; // how often by outcome, under its name
};

static const struct scenario_file *file_of(const struct run *run, struct digest digest)
{
    for (size_t i = 0; i < run->scenario.files; i++) {
        if (digest_equal(run->scenario.file[i].digest, digest)) {
            return &run->scenario.file[i];
        }
    }
    return NULL;
}

static bool on_told(void *context, const struct replay_file *file, struct tally_err *err)
{
    struct told *told = context;
    const struct scenario *scenario = &told->run->scenario;
    const struct scenario_file *from = file_of(told->run, file->end->digest);
    const char *name = file->begin ? file->begin->file : file->end->file;
    size_t bytes = file->begin ? file->begin->file_bytes : file->end->file_bytes;

    if (!from) {
        return err_set(err, TALLY_CORRUPT, "a file that nobody dropped");
    }
    for (size_t i = 0; i < scenario->files; i++) {
        const struct scenario_file *dropped = &scenario->file[i];
        told->noted[i][file->end->outcome] +=
            strlen(dropped->name) == bytes && memcmp(dropped->name, name, bytes) == 0;
        told->accepted[i] += file->batch > 0 && digest_equal(dropped->digest, from->digest);
    }
    if (file->batch > 0) {
        model_take(&told->model, from);
    }
    return true;
}

// All that was said to be settled is there, and nothing counts twice.
static bool check_told(const struct told *told)
{
    struct run *run = told->run;

    for (size_t i = 0; i < run->scenario.files; i++) {
        const struct scenario_file *file = &run->scenario.file[i];
        if (told->accepted[i] > 1) {
            return power_wrong(run, "%s was accepted %u times", file->name, told->accepted[i]);
        }
        if (told->accepted[i] > 0 && file->kind == UNFIT) {
            return power_wrong(run, "%s was accepted, which fits no feed", file->name);
        }
        if (run->settled[i] && told->noted[i][run->outcome[i]] == 0) {
            return power_wrong(run, "%s was said to be %s, and the ledger does not know it",
                               file->name, file_outcome_name(run->outcome[i]));
        }
    }
    return true;
}

// ---- what counts --------------------------------------------------------------------------

static const char *const feed_names[] = {[FEED_ATTACKS] = "attacks", [FEED_REPORTS] = "reports"};

static bool check_incident(struct run *run, const struct state *state, const char *feed_name,
                           unsigned id, const struct model_incident *want)
{
    const struct state_feed *feed = state_find_feed(state, feed_name);
    const char *text = scenario_id(id);
    const struct incident *incident =
        feed ? state_find(state, (uint32_t)(feed - state->feed), text, strlen(text)) : NULL;
    bool live = incident && incident_is_live(incident);

    if (live != want->live) {
        return power_wrong(run, "%s %s counts: %d, not %d", feed_name, text, live, want->live);
    }
    if (!live) {
        return true;
    }
    bool reported = incident_reported(state, incident) & 1;
    int killed = reported ? (int)incident_measures(state, incident)[0] : SCENARIO_UNKNOWN;
    const char *place = texts_get(&state->texts, incident_dim(state, incident, 0))->text;
    if (incident_first_day(incident) != want->row.first_day ||
        incident_last_day(state, incident) != want->row.last_day || killed != want->row.killed ||
        strcmp(place, scenario_place(want->row.place)) != 0) {
        return power_wrong(run, "%s %s is another version", feed_name, text);
    }
    return true;
}

static bool check_incidents(struct run *run, const struct state *state, const struct model *model)
{
    uint64_t live = 0;
    uint64_t counted = 0;

    for (int feed = 0; feed < SCENARIO_FEEDS; feed++) {
        for (unsigned id = 0; id < SCENARIO_IDS; id++) {
            const struct model_incident *want = &model->incident[feed][id];
            live += want->live;
            if (!check_incident(run, state, feed_names[feed], id, want)) {
                return false;
            }
        }
    }
    for (size_t i = 0; i < state->feeds_count; i++) {
        counted += state->feed[i].live;
    }
    return counted == live ? true
                           : power_wrong(run, "%llu incidents count, not %llu",
                                         (unsigned long long)counted, (unsigned long long)live);
}

// One window of one place and feed, counted from the model.
static struct rollup_sums recount(const struct model *model, int feed, unsigned place,
                                  int32_t first_day, int32_t last_day)
{
    struct rollup_sums sums = {0};

    for (unsigned id = 0; id < SCENARIO_IDS; id++) {
        const struct model_incident *incident = &model->incident[feed][id];
        const struct scenario_row *row = &incident->row;
        if (!incident->live || row->place != place || row->first_day < first_day ||
            row->first_day > last_day) {
            continue;
        }
        sums.incidents++;
        if (row->killed != SCENARIO_UNKNOWN) {
            sums.measure[0].sum += row->killed;
            sums.measure[0].reported++;
        }
    }
    return sums;
}

// The group of a feed and a place; -1: there is none.
static int64_t group_of(const struct rollup *rollup, int feed, unsigned place)
{
    const char *texts[] = {feed_names[feed], scenario_place(place)};
    uint32_t values[2];

    for (size_t dim = 0; dim < 2; dim++) {
        if (!rollup_find_value(rollup, dim, texts[dim], strlen(texts[dim]), &values[dim])) {
            return -1;
        }
    }
    return rollup_find_group(rollup, values);
}

static bool check_window(struct run *run, const struct rollup *rollup, const struct model *model,
                         int feed, unsigned place, int32_t first, int32_t last)
{
    int32_t from = SCENARIO_FIRST_DAY + first;
    int32_t to = SCENARIO_FIRST_DAY + last;
    struct rollup_sums want = recount(model, feed, place, from, to);
    int64_t group = group_of(rollup, feed, place);
    struct rollup_sums got = {0};
    struct tally_err err;

    if (group >= 0 &&
        !rollup_add_window(rollup, NULL, (size_t)group, BASIS_START, from, to, &got, &err)) {
        return err_wrong(run, "a window", &err);
    }
    bool equal = got.incidents == want.incidents && got.measure[0].sum == want.measure[0].sum &&
                 got.measure[0].reported == want.measure[0].reported;
    return equal ? true
                 : power_wrong(run, "the window of %s, %s from day %d to %d is not its recount",
                               feed_names[feed], scenario_place(place), first, last);
}

static bool check_windows(struct run *run, const struct rollup *rollup, const struct model *model)
{
    for (int i = 0; i < SCENARIO_FEEDS * SCENARIO_PLACES; i++) {
        int feed = i % SCENARIO_FEEDS;
        unsigned place = (unsigned)(i / SCENARIO_FEEDS);
        for (int32_t first = 0; first < SCENARIO_DAYS; first++) {
            for (int32_t last = first; last < SCENARIO_DAYS; last++) {
                if (!check_window(run, rollup, model, feed, place, first, last)) {
                    return false;
                }
            }
        }
    }
    return true;
}

static bool check_rollup(struct run *run, const struct model *model)
{
    static const char path[] = "/state/rollup/all.rollup";
    struct tally_err err;
    struct rollup *rollup = rollup_open(AT_FDCWD, path, &err);

    if (!rollup) {
        return err_wrong(run, path, &err);
    }
    bool ok = rollup_verify(rollup, &err) ? check_windows(run, rollup, model)
                                          : err_wrong(run, path, &err);
    rollup_close(rollup);
    return ok;
}

// The state in memory and, once they are published, the rollups.
bool power_check_figures(struct run *run, const struct store *store, bool published)
{
    struct told told = {.run = run};
    struct replay_visitor visitor = {.context = &told, .on_file = on_told};
    struct replay_end end;
    struct state again;
    struct tally_err err;

    if (!state_init(&again, &err)) {
        return err_wrong(run, "memory", &err);
    }
    bool ok =
        replay(&again, embedded_of_const(store)->ledger_fd, &replay_all, &visitor, &end, &err);
    state_done(&again);
    if (!ok) {
        return err_wrong(run, "the ledger", &err);
    }
    return check_told(&told) &&
           check_incidents(run, &embedded_of_const(store)->state, &told.model) &&
           (!published || check_rollup(run, &told.model));
}

// ---- where the files are ------------------------------------------------------------------

static const char *const folders[] = {"/state/inbox", "/state/claimed", "/state/done",
                                      "/state/rejected"};
enum { INBOX, CLAIMED, DONE, REJECTED, FOLDERS };

// How many files with this content a folder holds.
static unsigned count_content(const char *folder, const struct scenario_file *file)
{
    struct disk_names names;
    struct tally_err err;
    unsigned found = 0;
    int fd = disk_open(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, 0, &err);

    if (fd < 0 || !disk_list(fd, ".", &names, &err)) {
        disk_close(fd);
        return 0;
    }
    for (size_t i = 0; i < names.count; i++) {
        struct disk_entry entry;
        unsigned char *data;
        size_t count;
        // Nothing else is as long, but for an accident that the comparison sorts out.
        if (disk_look(fd, names.name[i], &entry, &err) && entry.bytes == file->bytes &&
            disk_load(fd, names.name[i], file->bytes, &data, &count, &err)) {
            found += count == file->bytes && memcmp(data, file->content, count) == 0;
            free(data);
        }
    }
    disk_names_done(&names);
    disk_close(fd);
    return found;
}

static bool name_is_there(const char *folder, const char *name)
{
    struct disk_entry entry;
    struct tally_err err;
    char path[120];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return disk_look(AT_FDCWD, path, &entry, &err);
}

static bool check_place(struct run *run, const struct scenario_file *file, bool finished)
{
    unsigned dropped = 0;
    unsigned found[FOLDERS];
    unsigned sum = 0;

    for (size_t i = 0; i < run->scenario.files; i++) {
        dropped += digest_equal(run->scenario.file[i].digest, file->digest);
    }
    for (int i = 0; i < FOLDERS; i++) {
        found[i] = count_content(folders[i], file);
        sum += found[i];
    }
    if (sum != dropped) {
        return power_wrong(run,
                           "%s: dropped %u times, found %u times: inbox %u claimed %u done %u "
                           "rejected %u",
                           file->name, dropped, sum, found[INBOX], found[CLAIMED], found[DONE],
                           found[REJECTED]);
    }
    if (finished && found[file->kind == UNFIT ? REJECTED : DONE] != dropped) {
        return power_wrong(run, "%s is not where it should end", file->name);
    }
    return true;
}

// Reasons beside refused files, rows that were set aside beside accepted ones.
static bool check_beside(struct run *run, const struct scenario_file *file,
                         const struct store *store)
{
    struct store_accepted accepted;
    char name[100];

    if (file->kind == UNFIT) {
        snprintf(name, sizeof name, "%s.reason.txt", file->name);
        return name_is_there(folders[REJECTED], name) ? true : power_wrong(run, "no %s", name);
    }
    if (file->bad_rows == 0 || !store_find_accepted(store, file->digest, &accepted) ||
        strcmp(accepted.file, file->name) != 0) {
        return true;
    }
    snprintf(name, sizeof name, "%s.batch-%llu.rejects.csv", file->name,
             (unsigned long long)accepted.batch);
    return name_is_there(folders[REJECTED], name) ? true : power_wrong(run, "no %s", name);
}

bool power_check_places(struct run *run, const struct store *finished)
{
    for (size_t i = 0; i < run->scenario.files; i++) {
        const struct scenario_file *file = &run->scenario.file[i];
        if (!check_place(run, file, finished) || (finished && !check_beside(run, file, finished))) {
            return false;
        }
    }
    return true;
}

// ---- what readers see ---------------------------------------------------------------------

// What was published once stays: no reader goes back.
static bool check_published(struct run *run)
{
    struct tally_err err;
    struct rollup *rollup = rollup_open(AT_FDCWD, "/state/rollup/all.rollup", &err);
    uint64_t generation = rollup ? rollup_generation(rollup) : 0;

    rollup_close(rollup);
    return generation >= run->published
               ? true
               : power_wrong(run, "the rollup is of generation %llu, %llu was published",
                             (unsigned long long)generation, (unsigned long long)run->published);
}

// What a reader sees, before any daemon has started: `tally verify`.
bool power_check_readers(struct run *run)
{
    char said[4096] = "";
    struct options options = {.command = COMMAND_VERIFY, .state = "/state"};
    struct tally_err err;

    if (!name_is_there("/state", "ledger") || !name_is_there("/state", "rollup")) {
        return true; // it never got so far
    }
    FILE *out = fmemopen(said, sizeof said, "w");
    struct print print = {.out = out, .warnings = out, .format = PRINT_CSV};
    bool ok = run_verify(&options, &print, &err);
    fclose(out);
    return ok ? check_published(run) : power_wrong(run, "tally verify: %s %s", err.message, said);
}
