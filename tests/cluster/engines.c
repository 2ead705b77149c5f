// tests/cluster/engines.c - one history, told to the embedded ledger and to a cluster.
//
//   engines HOSTS CLUSTER DATABASE SEED HISTORIES
//
// Random files of upserts, snapshots (of all, or by place) and deletions, revisions of every kind,
// the same bytes again, aborted files, and now and then another process that opens the cluster
// anew. After each file both say the same outcome and counts, and refuse the same; after some, and
// at the end, the rollups that they publish have the same digest, coverage and content. Then the
// ledger migrates into another database, in two goes, and the cluster into another ledger: both say
// the same as the ones that they came from, and of the ledgers so does every earlier batch.
#include "base/disk.h"
#include "store/cells.h"
#include "store/cluster/cluster_store.h"
#include "store/cluster/migrate.h"
#include "store/cluster/schema.h"
#include "store/rollup_read.h"
#include "store/rollup_sum.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IDS = 12, PLACES = 4, FILES = 14, ROWS_MAX = 8 };

static const char *const places[PLACES] = {"", "Kabul", "Herat", "Bal\\kh's\n"};
static const char *const revisions[] = {"",   "1",  "2",   "07",         "9",  "10",
                                        "1a", "2a", "1.5", "2020-01-01", "-3", "x"};
enum { REVISIONS = sizeof revisions / sizeof *revisions };

static uint64_t random_state;

static uint32_t below(uint32_t count)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % count;
}

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "engines: history %d, file %d: not so: %s (line %d): %s\n", history,   \
                    step, #condition, __LINE__, err.message);                                      \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static int history;
static int step;
static struct tally_err err;

struct engine {
    char dir[40];
    int fd;
    struct store *store;
};

static struct cluster_options options_of_cluster;
static struct rollup_def def;
static struct shape *shape[2];
static struct store_feed feed;
static bool by_place;

static void open_engine(struct engine *engine, bool cluster)
{
    struct store_options options = {.segment_bytes_max = STORE_SEGMENT_BYTES,
                                    .defs = &def,
                                    .defs_count = 1,
                                    .feeds = &feed,
                                    .feeds_count = 1,
                                    .patch_from_bytes = STORE_PATCH_FROM_BYTES};

    engine->store = cluster ? cluster_store_open(engine->fd, &options_of_cluster, &options, &err)
                            : store_open(engine->fd, &options, &err);
    REQUIRE(engine->store);
}

static void make_engine(struct engine *engine, bool cluster)
{
    snprintf(engine->dir, sizeof engine->dir, "/tmp/engines-XXXXXX");
    REQUIRE(mkdtemp(engine->dir));
    engine->fd = open(engine->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    open_engine(engine, cluster);
}

static void remove_engine(struct engine *engine)
{
    char command[80];

    store_close(engine->store);
    close(engine->fd);
    snprintf(command, sizeof command, "rm -rf '%s'", engine->dir);
    REQUIRE(system(command) == 0);
}

// ---- files --------------------------------------------------------------------------------

static void add_row(struct rows *rows, enum batch_mode mode, bool with_revision)
{
    const char *place = places[below(PLACES)];
    const char *revision = with_revision ? revisions[below(REVISIONS)] : "";
    struct revision parsed = revision_of_text(revision, strlen(revision));
    struct rows_span at;
    char id[24];
    struct row *row = rows_add(rows, &err);

    snprintf(id, sizeof id, below(3) ? "i%u" : "other-%u", below(IDS));
    REQUIRE(row && rows_add_text(rows, id, strlen(id), &row->id, &err) &&
            rows_add_text(rows, place, strlen(place), &at, &err) &&
            rows_add_new_text(rows, 0, at, &err) &&
            rows_add_text(rows, revision, strlen(revision), &row->revision_text, &err));
    row->op = mode == BATCH_DELETIONS                    ? ROWS_WITHDRAW
              : mode == BATCH_SNAPSHOT && below(12) == 0 ? ROWS_KEEP
                                                         : ROWS_PUT;
    row->record = rows->count;
    row->line = rows->count + 1;
    row->first_day = (int32_t)below(12) - 6;
    row->last_day = row->first_day + (below(3) ? 0 : (int32_t)below(4));
    row->revision_kind = parsed.kind;
    row->revision_number = parsed.number;
    if (row->op == ROWS_PUT) {
        row->reported = below(4) & ((1U << rows->shape->measures_count) - 1);
        rows_dims(rows, rows->count - 1)[0] = (uint32_t)rows->count;
        for (size_t m = 0; m < rows->shape->measures_count; m++) {
            int64_t value = below(6) ? below(9) : (int64_t)1 << 61;
            rows_measures(rows, rows->count - 1)[m] = row->reported >> m & 1 ? value : 0;
        }
    } else {
        row->first_day = row->last_day = 0;
    }
}

static enum batch_mode any_mode(bool by_revision)
{
    uint32_t dice = below(10);

    return dice < 2 ? BATCH_DELETIONS : dice < 6 && !by_revision ? BATCH_SNAPSHOT : BATCH_UPSERT;
}

static bool tell(struct engine *engine, const struct store_file *file, const struct rows *rows,
                 const struct store_file_end *end, bool abort, struct store_outcome *out)
{
    *out = (struct store_outcome){0};
    REQUIRE(store_begin(engine->store, file, &err));
    if (!store_append(engine->store, rows, &err)) {
        return false;
    }
    if (abort) {
        REQUIRE(store_abort(engine->store, &err));
        return true;
    }
    return store_seal(engine->store, end, out, &err);
}

static void print_counts(const char *engine, const struct batch_counts *counts)
{
    fprintf(stderr,
            "engines: history %d, file %d, %s: added %llu, revised %llu, withdrawn %llu, unchanged "
            "%llu, older %llu, conflicts %llu\n",
            history, step, engine, (unsigned long long)counts->added,
            (unsigned long long)counts->revised, (unsigned long long)counts->withdrawn,
            (unsigned long long)counts->unchanged, (unsigned long long)counts->older,
            (unsigned long long)counts->conflicts);
}

static void compare_outcomes(bool ok, const struct store_outcome *a, bool other_ok,
                             const struct store_outcome *b, enum tally_code code)
{
    REQUIRE(ok == other_ok && (ok || err.code == code));
    REQUIRE(a->outcome == b->outcome && a->batch == b->batch);
    if (memcmp(&a->counts, &b->counts, sizeof a->counts) != 0) {
        print_counts("ledger", &a->counts);
        print_counts("cluster", &b->counts);
        exit(1);
    }
}

static void take_file(struct engine *ledger, struct engine *cluster, uint64_t *content)
{
    enum batch_mode mode = any_mode(feed.by_revision);
    struct store_file file = {.mode = mode,
                              .feed = "a",
                              .name = "a.csv",
                              .header = "id",
                              .scope_dim = mode == BATCH_SNAPSHOT && by_place ? 0 : -1,
                              .shape = shape[below(8) == 0]};
    struct store_file_end end = {.time_ms = 1000 * step,
                                 .digest = {below(8) ? ++*content : *content, 7},
                                 .any_day = true,
                                 .first_day = -6,
                                 .last_day = (int32_t)below(20)};
    bool with_revision = below(4) > 0;
    bool abort = below(12) == 0;
    struct store_outcome one;
    struct store_outcome other;
    struct rows rows;

    rows_init(&rows);
    rows_clear(&rows, file.shape);
    for (uint32_t i = below(ROWS_MAX + 1); i > 0; i--) {
        add_row(&rows, mode, with_revision);
    }
    end.records = rows.count;
    bool ok = tell(ledger, &file, &rows, &end, abort, &one);
    enum tally_code code = ok ? TALLY_OK : err.code;
    bool other_ok = tell(cluster, &file, &rows, &end, abort, &other);
    compare_outcomes(ok, &one, other_ok, &other, code);
    if (!ok) {
        REQUIRE(code == TALLY_REFUSED && store_abort(ledger->store, &err) &&
                store_abort(cluster->store, &err));
    }
    if (below(2)) {
        REQUIRE(store_sync(ledger->store, &err) && store_sync(cluster->store, &err));
    }
    rows_done(&rows);
}

// ---- figures ------------------------------------------------------------------------------

static struct rollup *publish(struct engine *engine)
{
    int fd = openat(engine->fd, "rollup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    REQUIRE(store_sync(engine->store, &err) && store_publish(engine->store, &err));
    struct rollup *rollup = rollup_open(fd, "r.rollup", &err);
    close(fd);
    REQUIRE(rollup);
    return rollup;
}

static void compare_figures(struct engine *ledger, struct engine *cluster)
{
    struct rollup *one = publish(ledger);
    struct rollup *other = publish(cluster);
    char digest[2][DIGEST_TEXT_BYTES];

    REQUIRE(rollup_verify(one, &err) && rollup_verify(other, &err));
    if (!digest_equal(rollup_digest(one), rollup_digest(other))) {
        fprintf(stderr, "engines: history %d, file %d: digests %s and %s\n", history, step,
                digest_format(rollup_digest(one), digest[0]),
                digest_format(rollup_digest(other), digest[1]));
        exit(1);
    }
    REQUIRE(rollup_generation(one) == rollup_generation(other));
    REQUIRE(store_batches(ledger->store) == store_batches(cluster->store));
    rollup_close(one);
    rollup_close(other);
}

// ---- moving -------------------------------------------------------------------------------

static void make_tables(void)
{
    struct servers *servers = servers_open(&options_of_cluster, (struct progress){0}, &err);

    REQUIRE(servers && schema_init(servers, &def, 1, &err));
    servers_close(servers);
}

static int open_ledger(const struct engine *engine)
{
    int fd = openat(engine->fd, "ledger", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    REQUIRE(fd >= 0);
    return fd;
}

static void migrate_in(const struct engine *ledger, struct engine *cluster)
{
    struct migrate_progress nobody = {0};
    struct migrate_end end;
    struct state state;
    int fd = open_ledger(ledger);

    REQUIRE(state_init(&state, &err));
    state_keep_origins(&state);
    REQUIRE(migrate_into(cluster->store, fd, &state, &nobody, &end, &err));
    REQUIRE(end.batches == store_batches(ledger->store));
    state_done(&state);
    close(fd);
}

static void migrate_out(struct engine *ledger, uint64_t passed)
{
    struct migrate_progress nobody = {0};
    struct migrate_end end;
    struct migrate_out out = {.ledger_dir_fd = open_ledger(ledger), .store = ledger->store};

    out.servers = servers_open(&options_of_cluster, (struct progress){0}, &err);
    REQUIRE(out.servers && migrate_out_of(&out, &nobody, &end, &err));
    REQUIRE(end.passed == passed);
    servers_close(out.servers);
    close(out.ledger_dir_fd);
}

static struct digest digest_as_of(const struct engine *ledger, uint64_t batch)
{
    struct replay_until until = {.batch = batch, .time_ms = INT64_MAX};
    struct cells_provenance provenance = {0};
    struct replay_end end;
    struct state state;
    struct bytes file;
    int fd = open_ledger(ledger);

    bytes_init(&file);
    REQUIRE(state_init(&state, &err) && replay(&state, fd, &until, NULL, &end, &err));
    struct cells *cells = cells_open(&state, &def, &err);
    REQUIRE(cells && cells_encode(cells, &state, &provenance, &file, &err));
    struct rollup *rollup = rollup_open_memory(file.data, file.count, &err); // takes the bytes over
    REQUIRE(rollup);
    struct digest digest = rollup_digest(rollup);
    rollup_close(rollup);
    cells_close(cells);
    state_done(&state);
    close(fd);
    return digest;
}

static void move(struct engine *ledger, struct engine *cluster)
{
    struct engine moved;
    char name[88];
    char *database = options_of_cluster.database;

    make_engine(&moved, false);
    migrate_out(&moved, 0);
    migrate_out(&moved, store_batches(ledger->store));
    compare_figures(ledger, &moved);
    for (uint64_t batch = 0; batch <= store_batches(ledger->store); batch++) {
        REQUIRE(digest_equal(digest_as_of(ledger, batch), digest_as_of(&moved, batch)));
    }
    snprintf(name, sizeof name, "%s_moved", database);
    options_of_cluster.database = name;
    make_tables();
    struct engine again;
    make_engine(&again, true);
    migrate_in(&moved, &again);
    migrate_in(&moved, &again);
    compare_figures(cluster, &again);
    remove_engine(&again);
    options_of_cluster.database = database;
    remove_engine(&moved);
}

static void play(const char *database)
{
    struct engine ledger;
    struct engine cluster;
    char name[80];
    uint64_t content = 0;

    snprintf(name, sizeof name, "%s_%d", database, history);
    options_of_cluster.database = name;
    feed = (struct store_feed){.name = "a", .by_revision = below(3) == 0};
    by_place = below(2);
    step = 0;
    make_tables();
    make_engine(&ledger, false);
    make_engine(&cluster, true);
    for (step = 1; step <= FILES; step++) {
        take_file(&ledger, &cluster, &content);
        if (below(4) == 0) {
            compare_figures(&ledger, &cluster);
        }
        if (below(6) == 0) {
            REQUIRE(store_sync(cluster.store, &err));
            store_close(cluster.store);
            open_engine(&cluster, true);
        }
    }
    compare_figures(&ledger, &cluster);
    move(&ledger, &cluster);
    remove_engine(&ledger);
    remove_engine(&cluster);
}

// ---- arguments ----------------------------------------------------------------------------

static void split_hosts(char *hosts)
{
    for (char *host = strtok(hosts, " ,"); host; host = strtok(NULL, " ,")) {
        options_of_cluster.host[options_of_cluster.hosts_count++] = host;
    }
}

int main(int argc, char **argv)
{
    static const char *const dims[] = {"place"};
    static const char *const measures[] = {"killed", "wounded"};

    if (argc != 6) {
        fputs("usage: engines HOSTS CLUSTER DATABASE SEED HISTORIES\n", stderr);
        return 2;
    }
    split_hosts(argv[1]);
    options_of_cluster.cluster = argv[2];
    options_of_cluster.user = (char *)"default";
    options_of_cluster.writer = (char *)"engines";
    options_of_cluster.timeout_ms = 20000;
    options_of_cluster.retry_ms = 20000;
    random_state = strtoull(argv[4], NULL, 10) * 2654435761U + 88172645463325252U;
    shape[0] = shape_open("a", dims, 1, measures, 1, &err);
    shape[1] = shape_open("a", dims, 1, measures, 2, &err);
    REQUIRE(shape[0] && shape[1] && rollup_def_set_name(&def, "r", &err) &&
            rollup_def_add_feed(&def, "a", &err) && rollup_def_add_dim(&def, "place", &err) &&
            rollup_def_add_measure(&def, "killed", &err) &&
            rollup_def_add_measure(&def, "wounded", &err) && rollup_def_add_window(&def, 50, &err));
    for (history = 0; history < atoi(argv[5]); history++) {
        play(argv[3]);
    }
    shape_close(shape[0]);
    shape_close(shape[1]);
    rollup_def_done(&def);
    printf("engines: %d histories of %d files say the same in both\n", history, FILES);
    return 0;
}
