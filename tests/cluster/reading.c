// tests/cluster/reading.c - random versions on real shards, read back: figures and incidents have
// to be those of the embedded engine for the same batches.
//
//   cluster_reading SEED HOSTS CLUSTER DATABASE      the database is made
//
// The batches go to a state by state_apply; what each changed goes to the cluster as versions. Then
// each moment is asked for, and compared with a state that took in only the batches up to it.
// Between them: rows that stand twice, as after a retry, batches that were never committed, two
// that did not see each other, a FORGET, a note.
#include "base/day.h"
#include "store/cells.h"
#include "store/cluster/figures.h"
#include "store/cluster/kept.h"
#include "store/cluster/log.h"
#include "store/cluster/schema.h"
#include "store/cluster/shapes.h"
#include "store/cluster/versions.h"
#include "store/rows.h"
#include "tests/state_dump.h"
#include "tests/state_put.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCHES = 10, ROWS = 60, IDS = 90, SHAPES = 4, KEY = 1000, NOTE_BEHIND = 6, AT_ONCE = 7 };

struct test_row {
    uint8_t op;
    char id[12];
    int32_t first_day;
    int32_t last_day;
    int64_t revision; // 0: none
    const char *dim[3];
    int64_t measure[2];
    uint64_t reported;
};

struct test_batch {
    enum batch_mode mode;
    int shape;
    struct test_row row[ROWS];
};

struct trial {
    unsigned seed;
    struct tally_err err;
    struct cluster_options options;
    struct servers *servers;
    struct shape *shape[SHAPES];
    struct test_batch batch[BATCHES + 1]; // from 1 on
    struct log log;
};

static void check(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void check(bool ok, const char *format, ...)
{
    va_list args;

    if (!ok) {
        va_start(args, format);
        vfprintf(stderr, format, args);
        va_end(args);
        fputc('\n', stderr);
        exit(1);
    }
}

static void must(const struct trial *trial, bool ok)
{
    check(ok, "seed %u: %s %s", trial->seed, trial->err.place, trial->err.message);
}

static int any(struct trial *trial, int below)
{
    return rand_r(&trial->seed) % below;
}

// ---- random batches -----------------------------------------------------------------------

// Feed a is ordered by its revision and was mapped in two ways, and so was b, which has none.
static void make_shapes(struct trial *trial)
{
    static const char *const dims[SHAPES][3] = {{"country", "actor", "target"},
                                                {"target", "country", "actor"},
                                                {"country", "actor", "place"},
                                                {"actor", "country", "target"}};
    static const char *const measures[SHAPES][2] = {
        {"killed", "wounded"}, {"wounded", "killed"}, {"killed", "wounded"}, {"wounded", "hurt"}};

    for (int i = 0; i < SHAPES; i++) {
        trial->shape[i] = shape_open(i < 2 ? "a" : "b", dims[i], i == 2 ? 2 : 3, measures[i],
                                     i == 3 ? 1 : 2, &trial->err);
        must(trial, trial->shape[i]);
    }
}

static void make_row(struct trial *trial, bool by_revision, enum batch_mode mode,
                     struct test_row *out)
{
    static const char *const texts[] = {"Chad", "Mali",   "it's \\ a \"place\"",
                                        "",     "Tschad", "\xc3\x84gypten"};

    *out = (struct test_row){.op = mode == BATCH_DELETIONS ? ROWS_WITHDRAW : ROWS_PUT,
                             .first_day = 14000 + any(trial, 30)};
    snprintf(out->id, sizeof out->id, "%d", any(trial, IDS));
    out->last_day = out->first_day + (any(trial, 3) ? 0 : any(trial, 9));
    out->revision =
        !by_revision || (out->op == ROWS_WITHDRAW && any(trial, 2)) ? 0 : 1 + any(trial, 9);
    for (int i = 0; i < 3; i++) {
        out->dim[i] = texts[any(trial, 6)];
    }
    for (int i = 0; i < 2; i++) {
        if (any(trial, 3)) {
            out->reported |= UINT64_C(1) << i;
            out->measure[i] = any(trial, 20) ? any(trial, 50) : INT64_MAX - any(trial, 3);
        }
    }
}

static void make_batches(struct trial *trial)
{
    for (int i = 1; i <= BATCHES; i++) {
        struct test_batch *batch = &trial->batch[i];
        bool at_once = i == AT_ONCE || i == AT_ONCE + 1;
        batch->shape = at_once ? i % 2 : any(trial, SHAPES);
        batch->mode = i == BATCHES / 2 ? BATCH_FORGET
                      : at_once        ? BATCH_UPSERT
                      : any(trial, 4)  ? BATCH_UPSERT
                                       : BATCH_DELETIONS;
        for (int row = 0; row < ROWS; row++) {
            make_row(trial, batch->shape < 2, batch->mode, &batch->row[row]);
        }
    }
}

// ---- into a state -------------------------------------------------------------------------

static void put_row(struct trial *trial, struct state *state, const struct state_batch *batch,
                    const struct test_row *from, uint64_t record)
{
    const struct shape *shape = state->shape[batch->shape];
    struct batch_counts ignored = {0};
    uint32_t dims[3] = {0};
    int64_t measures[2] = {0};
    struct ledger_row row = {.op = from->op,
                             .id = from->id,
                             .id_bytes = strlen(from->id),
                             .record = record,
                             .line = record + 1,
                             .first_day = from->first_day,
                             .last_day = from->last_day,
                             .dims = dims,
                             .measures = measures};

    if (from->revision) {
        row.revision = revision_of_number(from->revision);
    }
    for (size_t i = 0; i < shape->dims_count; i++) {
        must(trial, texts_intern(&state->texts, from->dim[i], strlen(from->dim[i]), &dims[i], NULL,
                                 &trial->err));
    }
    for (size_t i = 0; i < shape->measures_count; i++) {
        measures[i] = from->measure[i];
        row.reported |= from->reported & UINT64_C(1) << i;
    }
    must(trial, state_put(state, batch, &row, &ignored, &trial->err));
}

static struct batch_end end_of(const struct test_batch *batch, uint64_t number)
{
    struct batch_end end = {.version = LEDGER_VERSION,
                            .time_ms = (int64_t)(number * 86400000),
                            .digest = {number, 7},
                            .records = ROWS,
                            .any_day = batch->mode == BATCH_UPSERT,
                            .first_day = 14000 + (int32_t)number,
                            .last_day = 14020 + (int32_t)number};

    if (batch->mode == BATCH_FORGET) {
        end.records = 0;
    }
    return end;
}

static struct state_batch begin_batch(struct trial *trial, struct state *state, uint64_t number)
{
    const struct test_batch *from = &trial->batch[number];
    struct state_batch batch = {.number = (uint32_t)number, .mode = from->mode};

    must(trial, state_add_shape(state, trial->shape[from->shape], &batch.shape, &trial->err));
    batch.feed = state->shape_feed[batch.shape];
    state_next_mark(state);
    if (from->mode == BATCH_FORGET) {
        must(trial, state_forget(state, &batch, &trial->err));
    }
    return batch;
}

static struct batch_end note(void)
{
    return (struct batch_end){.version = LEDGER_VERSION,
                              .outcome = FILE_SUPERSEDED,
                              .time_ms = (int64_t)(NOTE_BEHIND * 86400000LL + 1),
                              .any_day = true,
                              .first_day = 12345,
                              .last_day = 15555,
                              .file = "old.csv",
                              .file_bytes = 7,
                              .feed = "a",
                              .feed_bytes = 1};
}

// A state as of a batch, the embedded engine's way.
static void apply_until(struct trial *trial, struct state *state, uint64_t until)
{
    must(trial, state_init(state, &trial->err));
    state_keep_origins(state);
    for (uint64_t number = 1; number <= until; number++) {
        const struct test_batch *from = &trial->batch[number];
        struct state_batch batch = begin_batch(trial, state, number);
        struct batch_end end = end_of(from, number);
        for (int i = 0; from->mode != BATCH_FORGET && i < ROWS; i++) {
            put_row(trial, state, &batch, &from->row[i], (uint64_t)i + 1);
        }
        must(trial, state_apply_end(state, &batch, &end, &trial->err));
        if (number == NOTE_BEHIND) {
            struct batch_end old = note();
            state_apply_note(state, &old);
        }
    }
}

// ---- into the cluster ---------------------------------------------------------------------

static uint64_t dump_of(const struct state *state, const struct incident *incident)
{
    struct bytes bytes;

    bytes_init(&bytes);
    if (incident) {
        state_dump_incident(state, incident, &bytes);
    }
    uint64_t sum = incident ? checksum64(bytes.data, bytes.count, 0) : 0;
    bytes_done(&bytes);
    return sum;
}

static void put_versions(struct trial *trial, uint64_t number, bool commits)
{
    const struct test_batch *from = &trial->batch[number];
    uint64_t before[ROWS];
    struct state state;
    struct bytes rows;
    struct version_of of = {.batch = KEY * number + !commits, .by_revision = from->shape < 2};

    // Two daemons at once: the second one has not seen what the first one put.
    apply_until(trial, &state, number == AT_ONCE + 1 ? number - 2 : number - 1);
    struct state_batch batch = begin_batch(trial, &state, number);
    for (int i = 0; i < ROWS; i++) {
        const char *id = from->row[i].id;
        before[i] = dump_of(&state, state_find(&state, batch.feed, id, strlen(id)));
    }
    for (int i = 0; i < ROWS; i++) {
        put_row(trial, &state, &batch, &from->row[i], (uint64_t)i + 1);
    }
    bytes_init(&rows);
    for (int i = 0; i < ROWS; i++) {
        const char *id = from->row[i].id;
        const struct incident *now = state_find(&state, batch.feed, id, strlen(id));
        if (now && dump_of(&state, now) != before[i]) {
            uint64_t hash;
            must(trial, shapes_hash(state_shape(&state, now), &hash, &trial->err));
            of.shape = hash;
            version_put(&state, now, &of, &rows);
        }
    }
    must(trial, servers_insert(trial->servers, "tally_versions", &rows, &trial->err));
    if (number % 3 == 0) { // once more, as a retry would
        must(trial, servers_insert(trial->servers, "tally_versions", &rows, &trial->err));
    }
    bytes_done(&rows);
    state_done(&state);
}

static void put_entry(struct trial *trial, uint64_t number)
{
    struct bytes shape;
    char file[32];

    bytes_init(&shape);
    snprintf(file, sizeof file, "file-%llu.csv", (unsigned long long)number);
    const struct test_batch *from = &trial->batch[number];
    const struct shape *of = trial->shape[from->shape];
    shape_encode(of, &shape);
    struct log_entry entry = {
        .batch = KEY * number,
        .number = number,
        .writer = "test",
        .begin = {.mode = from->mode,
                  .feed = of->feed,
                  .feed_bytes = strlen(of->feed),
                  .file = file,
                  .file_bytes = strlen(file),
                  .header = "",
                  .scope_dim = -1,
                  .shape = cursor_over(shape.data, shape.count)},
        .end = end_of(from, number),
        .counts = {.added = number, .older = 3},
    };
    must(trial, log_put(trial->servers, &entry, 1, &trial->err));
    bytes_done(&shape);
    if (number == NOTE_BEHIND) {
        struct log_entry old = {.batch = KEY * number + 5, .writer = "test", .end = note()};
        must(trial, log_put(trial->servers, &old, 1, &trial->err));
    }
}

static void put_all(struct trial *trial)
{
    struct shapes shapes;
    uint64_t hash;

    shapes_init(&shapes);
    for (int i = 0; i < SHAPES; i++) {
        must(trial, shapes_put(&shapes, trial->servers, trial->shape[i], &hash, &trial->err));
    }
    shapes_done(&shapes);
    for (uint64_t number = 1; number <= BATCHES; number++) {
        if (trial->batch[number].mode != BATCH_FORGET) {
            put_versions(trial, number, true);
            if (number % 4 == 1) { // begun, and never committed
                put_versions(trial, number, false);
            }
        }
        put_entry(trial, number);
    }
}

// ---- figures ------------------------------------------------------------------------------

static const struct {
    const char *dims;
    const char *measures;
    const char *filter; // NAME=LIST
    const char *feeds;
} defs[] = {
    {"country,feed", "killed,wounded", NULL, "a,b"},
    {"target,actor,feed", "wounded,hurt,nothing", "country=Chad, Ma*, \"\"", "a,b"},
    {"", "", NULL, "a"},
    {"place,nowhere", "killed", "place=!Mali", "b"},
    {"actor", "wounded", "feed=b", "a,b"},
    {"", "killed", NULL, "nobody"},
};
enum { DEFS = sizeof defs / sizeof *defs };

typedef bool add_word(struct rollup_def *def, const char *word, struct tally_err *err);

static void add_words(struct trial *trial, struct rollup_def *def, const char *list, add_word *add)
{
    char copy[64];
    char *rest = NULL;

    snprintf(copy, sizeof copy, "%s", list);
    for (char *word = strtok_r(copy, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
        must(trial, add(def, word, &trial->err));
    }
}

static void make_def(struct trial *trial, size_t i, struct rollup_def *def)
{
    char name[16] = "";

    *def = (struct rollup_def){0};
    must(trial, rollup_def_set_name(def, "test", &trial->err));
    must(trial, rollup_def_add_window(def, 7, &trial->err));
    add_words(trial, def, defs[i].feeds, rollup_def_add_feed);
    add_words(trial, def, defs[i].dims, rollup_def_add_dim);
    add_words(trial, def, defs[i].measures, rollup_def_add_measure);
    if (defs[i].filter) {
        size_t bytes = strcspn(defs[i].filter, "=");
        snprintf(name, sizeof name, "%.*s", (int)bytes, defs[i].filter);
        must(trial, rollup_def_add_filter(def, name, defs[i].filter + bytes + 1, &trial->err));
    }
}

static void compare_figures(struct trial *trial, const struct replay_until *until,
                            struct state *want, size_t which)
{
    struct rollup_source sources[ROLLUP_SOURCES_MAX];
    struct cells_provenance provenance;
    struct rollup_def def;
    struct bytes committed;
    struct bytes ours;
    struct bytes theirs;
    struct state state;

    bytes_init(&committed);
    bytes_init(&ours);
    bytes_init(&theirs);
    make_def(trial, which, &def);
    log_sources(&trial->log, until, &def, sources, &provenance);
    struct cells *cells = cells_open(want, &def, &trial->err);
    must(trial, cells && cells_encode(cells, want, &provenance, &ours, &trial->err));
    cells_close(cells);

    must(trial, state_init(&state, &trial->err) &&
                    log_committed(&trial->log, until, &committed, &trial->err) &&
                    log_apply(&trial->log, until, &state, &trial->err));
    cells = cells_open(&state, &def, &trial->err);
    must(trial, cells && figures_fill_by(trial->servers, &committed, which % 2 ? 60 : 1 << 20,
                                         &state, cells, &trial->err));
    must(trial, cells_encode(cells, &state, &provenance, &theirs, &trial->err));
    cells_close(cells);
    check(ours.count == theirs.count && memcmp(ours.data, theirs.data, ours.count) == 0,
          "as of %llu/%lld, rollup %zu: the cluster's file differs",
          (unsigned long long)until->batch, (long long)until->time_ms, which);
    state_done(&state);
    rollup_def_done(&def);
    bytes_done(&committed);
    bytes_done(&ours);
    bytes_done(&theirs);
}

// ---- incidents ----------------------------------------------------------------------------

// All that is known of one, by its texts. `log`: the origin's batch is a place there.
static uint64_t sum_of(const struct state *state, const struct incident *incident,
                       const struct log *log)
{
    const struct shape *shape = state_shape(state, incident);
    const struct revision revision = incident_revision(state, incident);
    struct incident_origin origin = incident_origin(state, incident);
    struct bytes bytes;
    struct id_text id;

    bytes_init(&bytes);
    incident_id(state, incident, &id);
    bytes_put_text(&bytes, id.text, id.bytes);
    shape_encode(shape, &bytes);
    bytes_put_u64(&bytes, log ? log->entry[origin.batch - 1].number : origin.batch);
    bytes_put_u64(&bytes, origin.record);
    bytes_put_u64(&bytes, origin.line);
    bytes_put_u32(&bytes, (uint32_t)incident_first_day(incident));
    bytes_put_u32(&bytes, (uint32_t)incident_last_day(state, incident));
    bytes_put_u64(&bytes, incident_reported(state, incident));
    state_dump_revision(&revision, &bytes);
    for (size_t i = 0; i < shape->dims_count; i++) {
        const struct texts_entry *text = texts_get(&state->texts, incident_dim(state, incident, i));
        bytes_put_text(&bytes, text->text, text->bytes);
    }
    bytes_put(&bytes, incident_measures(state, incident), shape->measures_count * sizeof(int64_t));
    uint64_t sum = checksum64(bytes.data, bytes.count, 0);
    bytes_done(&bytes);
    return sum;
}

struct sums {
    uint64_t count;
    uint64_t sum;
};

// Those of a feed that have a day that is wanted.
static struct sums sums_of(const struct state *state, const struct log *log, const char *feed,
                           const struct kept_want *want)
{
    struct state_walk walk = {0};
    const struct incident *incident;
    struct sums sums = {0};

    while ((incident = state_next(state, &walk)) != NULL) {
        if (incident_is_live(incident) &&
            (!feed || strcmp(state_feed_of(state, incident)->name, feed) == 0) &&
            incident_first_day(incident) <= want->last_day &&
            incident_last_day(state, incident) >= want->first_day) {
            sums.count++;
            sums.sum += sum_of(state, incident, log);
        }
    }
    return sums;
}

static void load(struct trial *trial, const struct replay_until *until,
                 const struct kept_want *want, struct state *out)
{
    struct bytes committed;

    bytes_init(&committed);
    must(trial, state_init(out, &trial->err));
    state_keep_origins(out);
    must(trial, log_committed(&trial->log, until, &committed, &trial->err) &&
                    log_apply(&trial->log, until, out, &trial->err) &&
                    kept_load(trial->servers, &trial->log, &committed, want, out, &trial->err));
    bytes_done(&committed);
}

static void compare_incidents(struct trial *trial, const struct replay_until *until,
                              const struct state *want)
{
    static const char *const feeds[] = {"a", "b"};
    struct kept_want wants[] = {
        {.feed = feeds, .feeds_count = 2, .first_day = DAY_MIN, .last_day = DAY_MAX},
        {.feed = feeds, .feeds_count = 1, .first_day = 14005, .last_day = 14009},
        {.feed = feeds + 1,
         .feeds_count = 1,
         .first_day = 14029,
         .last_day = DAY_MAX,
         .range_versions = 10},
    };

    for (size_t i = 0; i < sizeof wants / sizeof *wants; i++) {
        const char *feed = wants[i].feeds_count == 1 ? wants[i].feed[0] : NULL;
        struct state state;
        load(trial, until, &wants[i], &state);
        struct sums ours = sums_of(want, NULL, feed, &wants[i]);
        struct sums theirs = sums_of(&state, &trial->log, NULL, &wants[i]);
        check(ours.count == theirs.count && ours.sum == theirs.sum,
              "as of %llu: incidents differ, %llu and %llu", (unsigned long long)until->batch,
              (unsigned long long)ours.count, (unsigned long long)theirs.count);
        check(state_incidents(&state) == theirs.count, "more than was wanted");
        state_done(&state);
    }
}

// Those that differ between two moments are all among those that the batches between them touched.
static void compare_touched(struct trial *trial, uint64_t from, uint64_t to)
{
    static const char *const feeds[] = {"a", "b"};
    struct replay_until until = {.batch = to, .time_ms = INT64_MAX};
    struct bytes touched;
    struct state before;
    struct state after;
    struct state loaded;
    struct state_walk walk = {0};
    const struct incident *incident;
    uint64_t same = 0;

    bytes_init(&touched);
    for (uint64_t number = from + 1; number <= to; number++) {
        bytes_put_u64(&touched, KEY * number);
    }
    struct kept_want want = {.feed = feeds,
                             .feeds_count = 2,
                             .first_day = DAY_MIN,
                             .last_day = DAY_MAX,
                             .touched = &touched};
    load(trial, &until, &want, &loaded);
    apply_until(trial, &before, from);
    apply_until(trial, &after, to);
    while ((incident = state_next(&after, &walk)) != NULL) {
        const struct state_feed *feed = state_feed_of(&after, incident);
        struct id_text id;
        incident_id(&after, incident, &id);
        const struct state_feed *old_feed = state_find_feed(&before, feed->name);
        const struct incident *old =
            old_feed ? state_find(&before, (uint32_t)(old_feed - before.feed), id.text, id.bytes)
                     : NULL;
        const struct state_feed *there = state_find_feed(&loaded, feed->name);
        const struct incident *found =
            state_find(&loaded, (uint32_t)(there - loaded.feed), id.text, id.bytes);
        bool differs = !old || incident_is_live(old) != incident_is_live(incident) ||
                       sum_of(&before, old, NULL) != sum_of(&after, incident, NULL);
        same += found && !differs;
        check(!incident_is_live(incident) || !differs || found, "%.*s changed and is not loaded",
              (int)id.bytes, id.text);
        check(!found || sum_of(&loaded, found, &trial->log) == sum_of(&after, incident, NULL),
              "%.*s is not what it was", (int)id.bytes, id.text);
    }
    check(same == 0, "%llu incidents that no batch touched", (unsigned long long)same);
    state_done(&before);
    state_done(&after);
    state_done(&loaded);
    bytes_done(&touched);
}

static bool only_chad(void *context, const struct state *state, uint16_t shape,
                      const uint32_t *dims, bool *out_wanted, struct tally_err *err)
{
    uint64_t *asked = context;
    int dim = shape_find_dim(state->shape[shape], "country");

    (void)err;
    ++*asked;
    *out_wanted = strcmp(texts_get(&state->texts, dims[dim])->text, "Chad") == 0;
    return true;
}

static void what_is_not_wanted_takes_no_room(struct trial *trial)
{
    static const char *const feeds[] = {"a", "b"};
    uint64_t asked = 0;
    struct kept_want want = {.feed = feeds,
                             .feeds_count = 2,
                             .first_day = DAY_MIN,
                             .last_day = DAY_MAX,
                             .wants = only_chad,
                             .context = &asked};
    struct bytes committed;
    struct state state;
    char text[32];

    load(trial, &replay_all, &want, &state);
    uint64_t kept = state_incidents(&state);
    check(kept > 0 && kept < asked, "%llu of %llu are wanted", (unsigned long long)kept,
          (unsigned long long)asked);
    state_done(&state);
    bytes_init(&committed);
    want.incidents_max = kept - 1;
    must(trial, state_init(&state, &trial->err));
    state_keep_origins(&state);
    must(trial, log_committed(&trial->log, &replay_all, &committed, &trial->err) &&
                    log_apply(&trial->log, &replay_all, &state, &trial->err));
    snprintf(text, sizeof text, "%llu incidents", (unsigned long long)kept);
    check(!kept_load(trial->servers, &trial->log, &committed, &want, &state, &trial->err) &&
              trial->err.code == TALLY_LIMIT && strstr(trial->err.message, text),
          "more incidents than the limit: %s", trial->err.message);
    check(state_incidents(&state) == kept - 1, "what is beyond the limit takes room");
    state_done(&state);
    bytes_done(&committed);
}

static void compare_moments(struct trial *trial)
{
    for (uint64_t batch = 0; batch <= BATCHES; batch++) {
        struct replay_until by_batch = {.batch = batch, .time_ms = INT64_MAX};
        struct replay_until by_time = {.batch = UINT64_MAX,
                                       .time_ms = (int64_t)(batch * 86400000) +
                                                  5}; // the note is younger by 1 ms
        struct state state;
        apply_until(trial, &state, batch);
        for (size_t i = 0; i < DEFS; i++) {
            if (batch == BATCHES || (batch + i) % 3 == 0) {
                compare_figures(trial, i % 2 ? &by_time : &by_batch, &state, i);
            }
        }
        if (batch == BATCHES || batch % 3 == 1) {
            compare_incidents(trial, &by_batch, &state);
        }
        check(log_newest(&trial->log, &by_time) == batch, "the newest batch");
        state_done(&state);
    }
    compare_touched(trial, 3, 5);
    compare_touched(trial, BATCHES - 1, BATCHES);
    what_is_not_wanted_takes_no_room(trial);
}

static void open_servers(struct trial *trial, char **argv)
{
    struct tally_err *err = &trial->err;
    const char *key;

    must(trial, cluster_options_default(&trial->options, err) &&
                    cluster_options_set(&trial->options, "engine", "clickhouse", err) &&
                    cluster_options_set(&trial->options, "hosts", argv[2], err) &&
                    cluster_options_set(&trial->options, "cluster", argv[3], err) &&
                    cluster_options_set(&trial->options, "database", argv[4], err) &&
                    cluster_options_check(&trial->options, &key, err));
    trial->servers = servers_open(&trial->options, (struct progress){0}, err);
    must(trial, trial->servers && schema_init(trial->servers, NULL, 0, err));
}

int main(int argc, char **argv)
{
    struct trial *trial = calloc(1, sizeof *trial);

    check(trial && argc == 5, "cluster_reading SEED HOSTS CLUSTER DATABASE");
    trial->seed = (unsigned)atoi(argv[1]);
    open_servers(trial, argv);
    make_shapes(trial);
    make_batches(trial);
    put_all(trial);
    log_init(&trial->log);
    must(trial, log_load(&trial->log, trial->servers, &trial->err));
    check(trial->log.count == BATCHES + 1, "%zu entries", trial->log.count);
    compare_moments(trial);
    log_done(&trial->log);
    for (int i = 0; i < SHAPES; i++) {
        shape_close(trial->shape[i]);
    }
    servers_close(trial->servers);
    cluster_options_done(&trial->options);
    free(trial);
    puts("figures and incidents of all moments are those of the embedded engine");
    return 0;
}
