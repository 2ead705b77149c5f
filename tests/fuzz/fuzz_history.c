// tests/fuzz/fuzz_history.c - what files do to the store, one after the other, against a plain
// model.
//
// The input is a list of steps: a file of upserts, of a snapshot (of all, or by place) or of
// deletions, with a few rows each; the same bytes again; a file that is aborted; a restart; a kill
// in the middle of a file, with half of a frame left behind; publishing. Oracle: the words of the
// design told in arrays and loops. After each step the store holds what the model holds; at the end
// so do the published rollup, for windows of every basis, and a replay to a batch in the past.
#include "base/disk.h"
#include "store/rollup_read.h"
#include "store/embedded.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { IDS = 8, PLACES = 4, BATCHES_MAX = 24, ROWS_MAX = 6, STEPS_MAX = 40, FILES_MAX = 64 };

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

// ---- the model --------------------------------------------------------------------------------

static const char *const places[PLACES] = {"", "Kabul", "Herat", "Balkh"};
static const char *const revisions[] = {"",   "1",  "2",   "07",         "9",  "10",
                                        "1a", "2a", "1.5", "2020-01-01", "-3", "x"};
enum { REVISIONS = sizeof revisions / sizeof *revisions };

// The revisions above in their order: none, numbers by value, other texts by their bytes.
static const int revision_rank[REVISIONS] = {0, 2, 4, 5, 6, 7, 8, 10, 3, 9, 1, 11};

struct told {
    int id;
    int revision; // index
    int first;
    int lasts;
    int place;
    int killed; // -1: unknown
};

struct known {
    bool any; // a version is kept
    bool live;
    bool deleted; // by a revision, that holds up to deleted_to
    int deleted_to;
    struct told told;
};

struct model {
    struct known known[IDS];
    bool in_force[PLACES + 1]; // snapshots by place; the last one: of all
    int newest[PLACES + 1];    // their revisions, as ranks
    uint64_t batches;
};

static int rank_of(const struct told *row)
{
    return revision_rank[row->revision];
}

static void model_put(struct model *model, const struct told *row)
{
    model->known[row->id] = (struct known){.any = true, .live = true, .told = *row};
}

static bool is_held_back(const struct known *known, const struct told *row)
{
    return known->deleted && row->revision > 0 && rank_of(row) <= known->deleted_to;
}

static void model_upsert(struct model *model, const struct told *row)
{
    const struct known *known = &model->known[row->id];

    if ((known->deleted && rank_of(row) <= known->deleted_to) ||
        (known->any && rank_of(row) < rank_of(&known->told))) {
        return;
    }
    model_put(model, row);
}

static void model_delete(struct model *model, const struct told *row)
{
    struct known *known = &model->known[row->id];

    if (row->revision > 0) {
        if ((known->any && rank_of(row) < rank_of(&known->told)) ||
            (known->deleted && rank_of(row) < known->deleted_to)) {
            return;
        }
        known->deleted = true;
        known->deleted_to = rank_of(row);
    }
    known->live = false;
}

static int scope_of(const struct told *row, bool by_place)
{
    return by_place ? row->place : PLACES;
}

static bool same_told(const struct told *a, const struct told *b)
{
    return a->revision == b->revision && a->first == b->first && a->lasts == b->lasts &&
           a->place == b->place && a->killed == b->killed;
}

// A snapshot by place says first what is known of an id, then something older in another place: it
// is refused unless it is in force where the first row stands.
static bool model_refuses(const struct model *model, const struct told *rows, size_t count,
                          bool by_place)
{
    enum { NOTHING, UNCHANGED, CHANGED } said[IDS] = {NOTHING};
    bool leant_on[PLACES] = {false};
    int newest = 0;

    for (size_t i = 0; by_place && i < count; i++) {
        const struct told *row = &rows[i];
        const struct known *known = &model->known[row->id];
        newest = rank_of(row) > newest ? rank_of(row) : newest;
        if (said[row->id] == NOTHING) {
            said[row->id] = known->live && same_told(row, &known->told) ? UNCHANGED : CHANGED;
        } else if (said[row->id] == UNCHANGED && rank_of(row) < rank_of(&known->told) &&
                   row->place != known->told.place) {
            leant_on[known->told.place] = true;
        }
    }
    for (int place = 0; place < PLACES; place++) {
        if (leant_on[place] && model->in_force[place] && newest > 0 &&
            newest < model->newest[place]) {
            return true;
        }
    }
    return false;
}

// False: superseded.
static bool model_snapshot(struct model *model, const struct told *rows, size_t count,
                           bool by_place)
{
    bool holds[PLACES + 1] = {0};
    bool any = false;
    bool mentioned[IDS] = {0};
    int said[IDS];
    int newest = 0;

    for (size_t i = 0; i < count; i++) {
        newest = rank_of(&rows[i]) > newest ? rank_of(&rows[i]) : newest;
        said[rows[i].id] = -1;
    }
    for (size_t i = 0; i < count; i++) {
        int scope = scope_of(&rows[i], by_place);
        // No revision on either side says nothing of which is newer.
        holds[scope] = !model->in_force[scope] || model->newest[scope] == 0 || newest == 0 ||
                       newest >= model->newest[scope];
        any = any || holds[scope];
    }
    for (int scope = 0; scope <= PLACES && any; scope++) {
        if (holds[scope]) {
            model->in_force[scope] = true;
            model->newest[scope] = newest;
        }
    }
    for (size_t i = 0; i < count && any; i++) {
        const struct told *row = &rows[i];
        mentioned[row->id] = true;
        // Rows of one snapshot that share an id are compared with each other, and with nothing else
        // but what was deleted by a revision.
        if (holds[scope_of(row, by_place)] && rank_of(row) >= said[row->id] &&
            !is_held_back(&model->known[row->id], row)) {
            said[row->id] = rank_of(row);
            model_put(model, row);
        }
    }
    for (int id = 0; id < IDS && any; id++) {
        struct known *known = &model->known[id];
        if (known->live && !mentioned[id] && holds[scope_of(&known->told, by_place)]) {
            known->live = false;
        }
    }
    return any;
}

// ---- the store --------------------------------------------------------------------------------

struct play {
    char dir[40];
    int fd;
    struct shape *shape;
    struct rollup_def def;
    struct store *store;
    struct model model;
    struct model past[BATCHES_MAX + 1]; // after each batch
    bool accepted[FILES_MAX];           // by digest
    uint64_t files;
    bool by_place; // snapshots
    struct cursor in;
};

static void start(struct play *play)
{
    struct store_options options = {.segment_bytes_max = 512, .defs = &play->def, .defs_count = 1};
    struct tally_err err;

    play->store = store_open(play->fd, &options, &err);
    require(play->store && store_batches(play->store) == play->model.batches);
}

static void add_row(struct rows *rows, const struct told *told, bool deletion)
{
    char id[8];
    struct rows_span place;
    struct tally_err err;
    struct row *row = rows_add(rows, &err);
    const char *revision = revisions[told->revision];
    struct revision parsed = revision_of_text(revision, strlen(revision));

    snprintf(id, sizeof id, "i%d", told->id);
    require(row && rows_add_text(rows, id, strlen(id), &row->id, &err) &&
            rows_add_text(rows, places[told->place], strlen(places[told->place]), &place, &err) &&
            rows_add_new_text(rows, 0, place, &err) &&
            rows_add_text(rows, revision, strlen(revision), &row->revision_text, &err));
    row->op = deletion ? ROWS_WITHDRAW : ROWS_PUT;
    row->record = rows->count;
    row->line = rows->count + 1;
    row->first_day = told->first;
    row->last_day = told->first + told->lasts;
    row->revision_kind = parsed.kind;
    row->revision_number = parsed.number;
    row->reported = told->killed >= 0;
    rows_dims(rows, rows->count - 1)[0] = (uint32_t)rows->count;
    rows_measures(rows, rows->count - 1)[0] = told->killed >= 0 ? told->killed : 0;
}

static size_t take_rows(struct cursor *in, struct told rows[ROWS_MAX])
{
    size_t count = cursor_take_u8(in) % (ROWS_MAX + 1);

    for (size_t i = 0; i < count; i++) {
        uint8_t a = cursor_take_u8(in);
        uint8_t b = cursor_take_u8(in);
        uint8_t c = cursor_take_u8(in);
        rows[i] = (struct told){.id = a % IDS,
                                .revision = b % REVISIONS,
                                .first = c % 16,
                                .lasts = c % 3 == 0 ? (a >> 4) % 5 : 0,
                                .place = (a >> 3) % PLACES,
                                .killed = (b >> 4) % 8 - 1};
    }
    return count;
}

enum step { UPSERT, SNAPSHOT, DELETIONS, RESTART, KILL, ABORT, PUBLISH, STEPS };

static void begin(struct play *play, enum step step, const struct told *rows, size_t count)
{
    static const enum batch_mode modes[] = {
        [UPSERT] = BATCH_UPSERT, [SNAPSHOT] = BATCH_SNAPSHOT, [DELETIONS] = BATCH_DELETIONS};
    struct store_file file = {.mode = modes[step],
                              .feed = "a",
                              .name = "a.csv",
                              .header = "id",
                              .scope_dim = step == SNAPSHOT && play->by_place ? 0 : -1,
                              .shape = play->shape};
    struct tally_err err;
    struct rows chunk;

    rows_init(&chunk);
    rows_clear(&chunk, play->shape);
    for (size_t i = 0; i < count; i++) {
        add_row(&chunk, &rows[i], step == DELETIONS);
    }
    require(store_begin(play->store, &file, &err) && store_append(play->store, &chunk, &err));
    rows_done(&chunk);
}

static void take_file(struct play *play, enum step step)
{
    struct told rows[ROWS_MAX];
    size_t count = take_rows(&play->in, rows);
    uint64_t content =
        cursor_take_u8(&play->in) % 8 == 0 && play->files > 0 ? play->files - 1 : play->files++;
    struct store_file_end end = {.digest = {content, 7}, .records = count};
    struct store_outcome outcome = {0};
    struct tally_err err;
    enum file_outcome want = FILE_ACCEPTED;

    begin(play, step, rows, count);
    bool ok = store_commit(play->store, &end, &outcome, &err);
    if (play->accepted[content]) {
        require(ok && outcome.outcome == FILE_DUPLICATE);
        return;
    }
    if (step == SNAPSHOT) {
        if (count == 0) {
            require(!ok && err.code == TALLY_REFUSED); // it would withdraw everything
            return;
        }
        struct model after = play->model;
        if (model_snapshot(&after, rows, count, play->by_place) &&
            model_refuses(&play->model, rows, count, play->by_place)) {
            require(!ok && err.code == TALLY_REFUSED);
            return;
        }
        want = model_snapshot(&play->model, rows, count, play->by_place) ? FILE_ACCEPTED
                                                                         : FILE_SUPERSEDED;
    }
    for (size_t i = 0; i < count && step == UPSERT; i++) {
        model_upsert(&play->model, &rows[i]);
    }
    for (size_t i = 0; i < count && step == DELETIONS; i++) {
        model_delete(&play->model, &rows[i]);
    }
    require(ok && outcome.outcome == want);
    if (want == FILE_ACCEPTED) {
        play->accepted[content] = true;
        require(outcome.batch == ++play->model.batches);
        play->past[play->model.batches] = play->model;
    }
}

// The process ends within a file, and a write ends within a frame.
static void kill_within(struct play *play)
{
    static const unsigned char torn[40] = {16, 0, 0, 0, LEDGER_ROWS};
    struct told rows[ROWS_MAX];
    struct disk_names names;
    struct tally_err err;
    size_t count = take_rows(&play->in, rows);
    size_t left = cursor_take_u8(&play->in) % sizeof torn;
    uint64_t bytes;

    begin(play, UPSERT, rows, count);
    store_close(play->store);
    int dir_fd = disk_open(play->fd, "ledger", O_RDONLY | O_DIRECTORY, 0, &err);
    require(dir_fd >= 0 && disk_list(dir_fd, ".", &names, &err) && names.count > 0);
    int fd = disk_open(dir_fd, names.name[names.count - 1], O_RDWR, 0, &err);
    require(fd >= 0 && disk_bytes(fd, &bytes, &err) && disk_write_at(fd, torn, left, bytes, &err));
    disk_close(fd);
    disk_names_done(&names);
    disk_close(dir_fd);
    start(play);
}

// ---- comparing --------------------------------------------------------------------------------

static void compare(const struct state *state, const struct model *model)
{
    const struct state_feed *feed = state_find_feed(state, "a");
    uint64_t live = 0;

    for (int i = 0; i < IDS; i++) {
        const struct known *known = &model->known[i];
        char id[8];
        snprintf(id, sizeof id, "i%d", i);
        const struct incident *incident =
            feed ? state_find(state, (uint32_t)(feed - state->feed), id, strlen(id)) : NULL;
        bool counts = incident && incident_is_live(incident);
        require(counts == known->live);
        live += known->live;
        if (!counts) {
            continue;
        }
        const struct texts_entry *place =
            texts_get(&state->texts, incident_dim(state, incident, 0));
        require(strcmp(place->text, places[known->told.place]) == 0);
        require(incident_first_day(incident) == known->told.first &&
                incident_last_day(state, incident) == known->told.first + known->told.lasts);
        require((incident_reported(state, incident) & 1) == (known->told.killed >= 0));
        require(incident_measures(state, incident)[0] ==
                (known->told.killed >= 0 ? known->told.killed : 0));
    }
    require((feed ? feed->live : 0) == live);
}

static bool belongs(const struct told *told, enum basis basis, int first, int last)
{
    int end = told->first + told->lasts;

    switch (basis) {
    case BASIS_START:
        return told->first >= first && told->first <= last;
    case BASIS_END:
        return end >= first && end <= last;
    case BASIS_OVERLAP:
        return told->first <= last && end >= first;
    case BASIS_INSIDE:
        return told->first >= first && end <= last;
    }
    return false;
}

static void compare_window(const struct rollup *rollup, const struct model *model, int place,
                           enum basis basis, int first, int last)
{
    const char *text = places[place];
    size_t bytes = strlen(text);
    struct rollup_sums sums = {0};
    uint32_t value;
    int64_t group =
        rollup_find_value(rollup, 0, text, bytes, &value) ? rollup_find_group(rollup, &value) : -1;
    struct tally_err err;
    int64_t killed = 0;
    uint64_t incidents = 0;
    uint64_t reported = 0;

    for (int i = 0; i < IDS; i++) {
        const struct told *told = &model->known[i].told;
        if (model->known[i].live && told->place == place && belongs(told, basis, first, last)) {
            incidents++;
            reported += told->killed >= 0;
            killed += told->killed > 0 ? told->killed : 0;
        }
    }
    require(group < 0 ||
            rollup_add_window(rollup, NULL, (size_t)group, basis, first, last, &sums, &err));
    require(sums.incidents == incidents && sums.measure[0].reported == reported &&
            sums.measure[0].sum == killed);
}

static void compare_rollup(struct play *play)
{
    struct tally_err err;

    require(store_publish(play->store, &err));
    struct rollup *rollup = rollup_open(play->store->rollup_fd, "places.rollup", &err);
    require(rollup && rollup_verify(rollup, &err));
    for (int place = 0; place < PLACES; place++) {
        for (int basis = BASIS_START; basis <= BASIS_INSIDE; basis++) {
            for (int first = -2; first < 20; first += 3) {
                compare_window(rollup, &play->model, place, (enum basis)basis, first, first + 6);
            }
        }
    }
    rollup_close(rollup);
}

static void compare_past(const struct play *play, uint64_t batch)
{
    struct replay_until until = {.batch = batch, .time_ms = INT64_MAX};
    struct replay_end end;
    struct state state;
    struct tally_err err;

    require(state_init(&state, &err) &&
            replay(&state, embedded_of(play->store)->ledger_fd, &until, NULL, &end, &err));
    require(end.batches == batch);
    compare(&state, &play->past[batch]);
    state_done(&state);
}

// ---- playing ----------------------------------------------------------------------------------

static void step_on(struct play *play)
{
    struct told rows[ROWS_MAX];
    struct tally_err err;
    enum step step = cursor_take_u8(&play->in) % STEPS;

    switch (step) {
    case UPSERT:
    case SNAPSHOT:
    case DELETIONS:
        take_file(play, step);
        break;
    case RESTART:
        store_close(play->store);
        start(play);
        break;
    case KILL:
        kill_within(play);
        break;
    case ABORT:
        begin(play, UPSERT, rows, take_rows(&play->in, rows));
        require(store_abort(play->store, &err));
        break;
    default:
        require(store_publish(play->store, &err));
    }
    compare(&embedded_of(play->store)->state, &play->model);
}

static void open_play(struct play *play)
{
    static const char *const dims[] = {"place"};
    static const char *const measures[] = {"killed"};
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    struct tally_err err;

    snprintf(play->dir, sizeof play->dir, "%s/tally-fuzz-XXXXXX", parent);
    require(mkdtemp(play->dir));
    play->fd = disk_open(AT_FDCWD, play->dir, O_RDONLY | O_DIRECTORY, 0, &err);
    play->shape = shape_open("a", dims, 1, measures, 1, &err);
    require(play->fd >= 0 && play->shape && rollup_def_set_name(&play->def, "places", &err) &&
            rollup_def_add_feed(&play->def, "a", &err) &&
            rollup_def_add_dim(&play->def, "place", &err) &&
            rollup_def_add_measure(&play->def, "killed", &err) &&
            rollup_def_add_window(&play->def, 7, &err));
    play->def.feeds[0].measures = 1;
    start(play);
}

static void close_play(struct play *play)
{
    struct tally_err err;

    store_close(play->store);
    rollup_def_done(&play->def);
    shape_close(play->shape);
    disk_close(play->fd);
    require(disk_remove_tree(AT_FDCWD, play->dir, &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct play play;
    uint8_t past = bytes > 0 ? data[0] : 0;

    play = (struct play){.in = cursor_over(bytes > 0 ? data + 1 : data, bytes > 0 ? bytes - 1 : 0),
                         .by_place = past & 1};
    open_play(&play);
    for (int i = 0; i < STEPS_MAX && cursor_left(&play.in) > 0; i++) {
        if (play.model.batches < BATCHES_MAX) {
            step_on(&play);
        }
    }
    compare_rollup(&play);
    compare_past(&play, past / 2U % (play.model.batches + 1));
    store_close(play.store);
    start(&play);
    compare(&embedded_of(play.store)->state, &play.model);
    compare_rollup(&play);
    close_play(&play);
    return 0;
}
