#include "tests/crash/power_scenario.h"

#include "tests/crash/sim_disk.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char scenario_config[] = "[feed attacks]\n"
                               "files = *attacks*\n"
                               "id = id\n"
                               "revision = revision\n"
                               "date = first\n"
                               "end_date = last\n"
                               "dim.place = place\n"
                               "measure.killed = killed\n"
                               "[feed retractions]\n"
                               "files = *deletions*\n"
                               "mode = deletions\n"
                               "deletes = attacks\n"
                               "id = id\n"
                               "[feed reports]\n"
                               "files = *reports*\n"
                               "mode = snapshot\n"
                               "id = report\n"
                               "date = first\n"
                               "end_date = last\n"
                               "dim.place = where\n"
                               "measure.killed = dead\n"
                               "[rollup all]\n"
                               "feeds = attacks reports\n"
                               "by = feed place\n"
                               "measures = killed\n"
                               "windows = 3d\n";

const char *scenario_id(unsigned id)
{
    static const char *const ids[SCENARIO_IDS] = {"A-1", "A-2", "A-3", "A-4", "A-5", "A-6"};
    return ids[id];
}

const char *scenario_place(unsigned place)
{
    static const char *const places[SCENARIO_PLACES] = {"Herat", "Kabul", "Kunduz"};
    return places[place];
}

// ---- files --------------------------------------------------------------------------------

__attribute__((format(printf, 2, 3))) static void say(struct scenario_file *file,
                                                      const char *format, ...)
{
    va_list args;

    va_start(args, format);
    file->bytes += (size_t)vsnprintf(file->content + file->bytes,
                                     sizeof file->content - file->bytes, format, args);
    va_end(args);
}

static void say_row(struct scenario_file *file, const struct scenario_row *row)
{
    char killed[16] = "";

    if (row->killed != SCENARIO_UNKNOWN) {
        snprintf(killed, sizeof killed, "%d", row->killed);
    }
    int first = row->first_day - SCENARIO_FIRST_DAY + 1;
    int last = row->last_day - SCENARIO_FIRST_DAY + 1;
    if (file->kind == ATTACKS) {
        say(file, "%s,%u,2020-10-%02d,2020-10-%02d,%s,%s\n", scenario_id(row->id), row->revision,
            first, last, scenario_place(row->place), killed);
    } else if (file->kind == REPORTS) {
        say(file, "%s,2020-10-%02d,2020-10-%02d,%s,%s\n", scenario_id(row->id), first, last,
            scenario_place(row->place), killed);
    } else {
        say(file, "%s\n", scenario_id(row->id));
    }
}

static void make_row(struct scenario_row *row, unsigned id, uint64_t *seed)
{
    row->id = id;
    row->revision = 1 + sim_random(seed, 3);
    row->first_day = SCENARIO_FIRST_DAY + (int32_t)sim_random(seed, SCENARIO_DAYS);
    row->last_day = row->first_day + (int32_t)(sim_random(seed, 4) / 3);
    row->place = sim_random(seed, SCENARIO_PLACES);
    row->killed = (int)sim_random(seed, 10) - 1;
}

static void make_rows(struct scenario_file *file, uint64_t *seed)
{
    unsigned id = sim_random(seed, SCENARIO_IDS);

    file->rows = 1 + sim_random(seed, SCENARIO_ROWS_MAX);
    for (size_t i = 0; i < file->rows; i++) {
        id = (id + 1) % SCENARIO_IDS;
        make_row(&file->row[i], id, seed);
        say_row(file, &file->row[i]);
    }
    if (file->kind == ATTACKS && sim_random(seed, 4) == 0) {
        file->bad_rows = 1;
        say(file, "A-7,1,2020-02-30,2020-02-30,Kabul,1\n");
    }
}

static void make_file(struct scenario_file *file, size_t number, uint64_t *seed)
{
    static const char *const names[] = {
        [ATTACKS] = "attacks", [DELETIONS] = "deletions", [REPORTS] = "reports", [UNFIT] = "else"};
    static const char *const headers[] = {[ATTACKS] = "id,revision,first,last,place,killed\n",
                                          [DELETIONS] = "id\n",
                                          [REPORTS] = "report,first,last,where,dead\n",
                                          [UNFIT] = "month,total\n2020-01,17\n"};
    static const enum scenario_kind kinds[] = {ATTACKS, ATTACKS, ATTACKS, DELETIONS,
                                               REPORTS, REPORTS, UNFIT};

    file->kind = kinds[sim_random(seed, sizeof kinds / sizeof *kinds)];
    snprintf(file->name, sizeof file->name, "%zu-%s.csv", number, names[file->kind]);
    say(file, "%s", headers[file->kind]);
    if (file->kind != UNFIT) {
        make_rows(file, seed);
    }
}

void scenario_make(struct scenario *scenario, uint64_t *seed)
{
    memset(scenario, 0, sizeof *scenario);
    scenario->files = 3 + sim_random(seed, SCENARIO_FILES_MAX - 2);
    scenario->segment_bytes_max = sim_random(seed, 2) ? 400 : 1 << 20; // a few frames, or all
    for (size_t i = 0; i < scenario->files; i++) {
        struct scenario_file *file = &scenario->file[i];
        if (i > 0 && sim_random(seed, 5) == 0) {
            *file = scenario->file[sim_random(seed, (uint32_t)i)];
            snprintf(file->name, sizeof file->name, "%zu-again.csv", i + 1);
        } else {
            make_file(file, i + 1, seed);
        }
        file->digest = digest_of(file->content, file->bytes);
    }
}

// ---- model --------------------------------------------------------------------------------

static bool is_listed(const struct scenario_file *file, unsigned id)
{
    for (size_t i = 0; i < file->rows; i++) {
        if (file->row[i].id == id) {
            return true;
        }
    }
    return false;
}

void model_take(struct model *model, const struct scenario_file *file)
{
    enum scenario_feed feed = file->kind == REPORTS ? FEED_REPORTS : FEED_ATTACKS;

    for (unsigned id = 0; file->kind == REPORTS && id < SCENARIO_IDS; id++) {
        struct model_incident *incident = &model->incident[feed][id];
        incident->live = incident->live && is_listed(file, id);
    }
    for (size_t i = 0; i < file->rows; i++) {
        const struct scenario_row *row = &file->row[i];
        struct model_incident *incident = &model->incident[feed][row->id];
        if (file->kind == DELETIONS) {
            incident->live = false;
        } else if (file->kind == REPORTS || !incident->known ||
                   row->revision >= incident->row.revision) {
            *incident = (struct model_incident){.known = true, .live = true, .row = *row};
        }
    }
}
