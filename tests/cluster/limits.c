// tests/cluster/limits.c - what is larger than one piece, and what is refused.
//
//   cluster_limits HOSTS CLUSTER DATABASE SEED ROUNDS     the last two are not used
//
// The same files go to an embedded ledger and to servers: more rows than are judged at once, in a
// snapshot that is known to be in force and in one that is not, more that go away than are put at
// once, a batch that leaves the cluster in several pieces. The figures have to be equal.
#include "base/disk.h"
#include "store/cluster/cluster_store.h"
#include "store/cluster/migrate.h"
#include "store/cluster/schema.h"
#include "store/id.h"
#include "store/rollup_read.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { AT_ONCE = 1 << 17, MANY = (1 << 18) + 5000, CHUNK = 1 << 16, PLACES = 3 };

static struct tally_err err;

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "limits: not so: %s (line %d): code %d, %s %s\n", #condition,          \
                    __LINE__, err.code, err.place, err.message);                                   \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

// The condition is false, and the error has these words.
#define REFUSES(condition, code_, words)                                                           \
    MUST(!(condition) && err.code == (code_) && strstr(err.message, words))

struct room {
    char dir[40];
    int fd;
    struct store *store;
};

static struct cluster_options cluster;
static struct rollup_def def;
static struct shape *upserts;
static struct shape *snapshots;
static struct store_feed feeds[] = {{.name = "a", .by_revision = true}, {.name = "s"}};

static bool open_store(struct room *room, bool on_cluster)
{
    struct store_options options = {.segment_bytes_max = STORE_SEGMENT_BYTES,
                                    .defs = &def,
                                    .defs_count = 1,
                                    .feeds = feeds,
                                    .feeds_count = 2,
                                    .patch_from_bytes = STORE_PATCH_FROM_BYTES};

    room->store = on_cluster ? cluster_store_open(room->fd, &cluster, &options, &err)
                             : store_open(room->fd, &options, &err);
    return room->store;
}

static void make_room(struct room *room, bool on_cluster)
{
    snprintf(room->dir, sizeof room->dir, "/tmp/limits-XXXXXX");
    MUST(mkdtemp(room->dir));
    room->fd = open(room->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    MUST(open_store(room, on_cluster));
}

static void remove_room(struct room *room)
{
    store_close(room->store);
    close(room->fd);
    MUST(disk_remove_tree(AT_FDCWD, room->dir, &err));
}

// ---- files ------------------------------------------------------------------------------------

struct told {
    const struct shape *shape;
    enum batch_mode mode;
    uint32_t from; // ids from .. to - 1
    uint32_t to;
    const char *revision;
    uint32_t value;     // of a measure, beside the id
    uint32_t again;     // so many of the first ids stand at the end once more
    bool in_last_scope; // all of them; otherwise by turns
    bool undecided;     // the last row alone has a newer revision: "9"
};

static void add_row(struct rows *rows, const struct told *file, uint32_t id, uint64_t record,
                    const char *revision)
{
    const struct revision parsed = revision_of_text(revision, strlen(revision));
    struct row *row = rows_add(rows, &err);
    char text[16];

    snprintf(text, sizeof text, "i%u", id);
    MUST(row && rows_add_text(rows, text, strlen(text), &row->id, &err) &&
         rows_add_text(rows, revision, strlen(revision), &row->revision_text, &err));
    row->record = record;
    row->line = record + 1;
    row->first_day = row->last_day = (int32_t)(id % 50);
    row->revision_kind = parsed.kind;
    row->revision_number = parsed.number;
    row->reported = 1;
    rows_dims(rows, rows->count - 1)[0] = file->in_last_scope ? PLACES : 1 + id % PLACES;
    rows_measures(rows, rows->count - 1)[0] = file->value + id % 7;
}

static void add_places(struct rows *rows)
{
    static const char *const places[PLACES] = {"Kabul", "Herat", "Balkh"};

    for (size_t i = 0; i < PLACES; i++) {
        struct rows_span at;
        MUST(rows_add_text(rows, places[i], strlen(places[i]), &at, &err) &&
             rows_add_new_text(rows, 0, at, &err));
    }
}

static bool take(struct store *store, const struct told *file, uint64_t content)
{
    struct store_file begin = {.mode = file->mode,
                               .feed = file->shape->feed,
                               .name = "a.csv",
                               .header = "id",
                               .scope_dim = file->mode == BATCH_SNAPSHOT ? 0 : -1,
                               .shape = file->shape};
    uint32_t count = file->to - file->from;
    struct store_file_end end = {.time_ms = (int64_t)content * 1000,
                                 .digest = {content, 3},
                                 .records = count + file->again,
                                 .any_day = true,
                                 .last_day = 60};
    struct store_outcome outcome;
    struct rows rows;
    bool ok = store_begin(store, &begin, &err);

    rows_init(&rows);
    rows_clear(&rows, file->shape);
    add_places(&rows);
    for (uint32_t i = 0; ok && i < end.records; i++) {
        bool last = i + 1 == end.records;
        add_row(&rows, file, file->from + i % count, i + 1,
                last && file->undecided ? "9" : file->revision);
        if (last || rows.count == CHUNK) {
            ok = store_append(store, &rows, &err);
            rows_clear(&rows, file->shape);
        }
    }
    rows_done(&rows);
    return ok && store_commit(store, &end, &outcome, &err);
}

static struct digest publish(struct room *room)
{
    int fd = openat(room->fd, "rollup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    MUST(store_publish(room->store, &err));
    struct rollup *rollup = rollup_open(fd, "r.rollup", &err);
    MUST(rollup);
    struct digest digest = rollup_digest(rollup);
    rollup_close(rollup);
    close(fd);
    return digest;
}

// ---- larger than one piece --------------------------------------------------------------------

static void both_say_the_same(struct room *ledger, struct room *servers)
{
    const struct told files[] = {
        {snapshots, BATCH_SNAPSHOT, 0, AT_ONCE + 1000, "", 1, 500, false, false},
        // The same again: nothing changes, and rows that stand twice are seen again.
        {snapshots, BATCH_SNAPSHOT, 0, AT_ONCE + 1000, "", 1, 500, false, false},
        {snapshots, BATCH_SNAPSHOT, 0, AT_ONCE + 10, "5", 2, 20, false, false},
        // Whether it is in force shows only in its last row, which is no reason to wait: but its
        // first rows are older than what is kept.
        {snapshots, BATCH_SNAPSHOT, 0, AT_ONCE + 20, "4", 3, 0, false, true},
        // Of three places one is left with one incident.
        {snapshots, BATCH_SNAPSHOT, 5, 8, "10", 1, 0, false, false},
    };

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        MUST(take(ledger->store, &files[i], i + 1));
        MUST(take(servers->store, &files[i], i + 1));
        MUST(digest_equal(publish(ledger), publish(servers)));
    }
}

static int open_ledger(const struct room *room)
{
    int fd = openat(room->fd, "ledger", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    MUST(fd >= 0);
    return fd;
}

static bool migrate_in(const struct room *ledger, struct room *servers)
{
    struct migrate_progress nobody = {0};
    struct migrate_end end;
    struct state state;
    int fd = open_ledger(ledger);

    MUST(state_init(&state, &err));
    state_keep_origins(&state);
    bool ok = migrate_into(servers->store, fd, &state, &nobody, &end, &err);
    state_done(&state);
    close(fd);
    return ok;
}

static bool migrate_out(struct room *ledger)
{
    struct migrate_progress nobody = {0};
    struct migrate_end end;
    struct migrate_out out = {.ledger_dir_fd = open_ledger(ledger), .store = ledger->store};

    out.servers = servers_open(&cluster, (struct progress){0}, &err);
    bool ok = out.servers && migrate_out_of(&out, &nobody, &end, &err);
    servers_close(out.servers);
    close(out.ledger_dir_fd);
    return ok;
}

static void a_large_batch_moves_in_pieces(struct room *ledger, struct room *servers)
{
    const struct told large = {upserts, BATCH_UPSERT, 0, MANY, "1", 1, 0, false, false};
    struct room moved;

    MUST(take(ledger->store, &large, 100));
    MUST(migrate_in(ledger, servers));
    MUST(digest_equal(publish(ledger), publish(servers)));
    make_room(&moved, false);
    MUST(migrate_out(&moved));
    MUST(digest_equal(publish(ledger), publish(&moved)));
    remove_room(&moved);
}

// ---- what is refused --------------------------------------------------------------------------

static void long_ids_are_refused(struct room *servers)
{
    static char text[ID_BYTES_MAX + 2];

    memset(text, 'x', sizeof text - 1);
    for (int revision = 0; revision < 2; revision++) {
        struct store_file begin = {
            .feed = "a", .name = "a.csv", .header = "id", .scope_dim = -1, .shape = upserts};
        struct rows rows;
        rows_init(&rows);
        rows_clear(&rows, upserts);
        struct row *row = rows_add(&rows, &err);
        MUST(row && rows_add_text(&rows, text, revision ? 3 : sizeof text - 1, &row->id, &err) &&
             rows_add_text(&rows, text, revision ? sizeof text - 1 : 3, &row->revision_text, &err));
        MUST(store_begin(servers->store, &begin, &err));
        REFUSES(store_append(servers->store, &rows, &err), TALLY_REFUSED, "longer than");
        MUST(store_abort(servers->store, &err));
        rows_done(&rows);
    }
}

static bool on_reject(void *context, const struct replay_file *file,
                      const struct replay_reject *reject, struct tally_err *out)
{
    (void)context;
    (void)file;
    (void)reject;
    return err_set(out, TALLY_LIMIT, "enough");
}

static void strangers_are_refused(struct room *servers)
{
    const struct told one = {snapshots, BATCH_SNAPSHOT, 0, 2, "", 1, 0, false, false};
    const struct replay_visitor visitor = {.on_reject = on_reject};
    struct room other;

    REFUSES(store_each_reject(servers->store, 1234, &visitor, &err), TALLY_NOT_FOUND, "1234");
    REFUSES(store_forget(servers->store, "a", 1, &err), TALLY_UNSUPPORTED, "");
    feeds[0].by_revision = false;
    REFUSES(store_set_feeds(servers->store, feeds, 2, &err), TALLY_INVALID, "ordered by its");
    feeds[0].by_revision = true;
    feeds[1].by_revision = true;
    REFUSES(store_set_feeds(servers->store, feeds, 2, &err), TALLY_INVALID, "later batch");
    feeds[1].by_revision = false;
    for (size_t i = 0; i < 2; i++) { // of another name, and of one that begins alike
        cluster.writer = (char *)(i == 0 ? "another" : "limitsandmore");
        make_room(&other, true);
        REFUSES(take(other.store, &one, 200 + i), TALLY_REFUSED, "served by the daemon limits");
        MUST(store_abort(other.store, &err));
        remove_room(&other);
    }
    cluster.writer = (char *)"limits";
}

// One that comes from elsewhere: none of the two takes in the other.
static void other_ledgers_are_refused(struct room *servers)
{
    const struct told files[] = {{upserts, BATCH_UPSERT, 0, 3, "1", 1, 0, false, false},
                                 {upserts, BATCH_UPSERT, 2, 5, "2", 1, 0, false, false},
                                 {upserts, BATCH_UPSERT, 9, 12, "2", 1, 0, false, false}};
    struct room ledger;
    struct room longer;

    make_room(&ledger, false);
    REFUSES(migrate_in(&ledger, servers), TALLY_INVALID, "the ledger only 0");
    MUST(take(ledger.store, &files[0], 300));
    REFUSES(migrate_in(&ledger, servers), TALLY_INVALID, "which is not what the ledger has");
    REFUSES(migrate_out(&ledger), TALLY_INVALID, "as in the cluster");
    make_room(&longer, false);
    MUST(migrate_out(&longer));
    MUST(take(longer.store, &files[1], 301) && take(longer.store, &files[2], 302));
    REFUSES(migrate_out(&longer), TALLY_INVALID, "holds more files");
    remove_room(&longer);
    remove_room(&ledger);
}

// ---- all --------------------------------------------------------------------------------------

static void make_tables(char *database)
{
    cluster.database = database;
    struct servers *servers = servers_open(&cluster, (struct progress){0}, &err);

    MUST(servers && schema_init(servers, &def, 1, &err));
    servers_close(servers);
}

static void open_all(char **argv)
{
    static const char *const dims[] = {"place"};
    static const char *const measures[] = {"killed"};
    char *rest = NULL;

    for (char *host = strtok_r(argv[1], " ", &rest); host; host = strtok_r(NULL, " ", &rest)) {
        cluster.host[cluster.hosts_count++] = host;
    }
    cluster.cluster = argv[2];
    cluster.user = (char *)"default";
    cluster.writer = (char *)"limits";
    cluster.timeout_ms = cluster.retry_ms = 60000;
    upserts = shape_open("a", dims, 1, measures, 1, &err);
    snapshots = shape_open("s", dims, 1, measures, 1, &err);
    MUST(upserts && snapshots && rollup_def_set_name(&def, "r", &err) &&
         rollup_def_add_feed(&def, "a", &err) && rollup_def_add_feed(&def, "s", &err) &&
         rollup_def_add_dim(&def, "place", &err) && rollup_def_add_measure(&def, "killed", &err) &&
         rollup_def_add_window(&def, 7, &err));
}

int main(int argc, char **argv)
{
    char name[2][80];
    struct room ledger;
    struct room servers;

    if (argc != 6) {
        fputs("usage: cluster_limits HOSTS CLUSTER DATABASE SEED ROUNDS\n", stderr);
        return 2;
    }
    open_all(argv);
    for (int i = 0; i < 2; i++) {
        snprintf(name[i], sizeof name[i], "%s_%d", argv[3], i);
    }
    make_tables(name[0]);
    make_room(&ledger, false);
    make_room(&servers, true);
    both_say_the_same(&ledger, &servers);
    long_ids_are_refused(&servers);
    strangers_are_refused(&servers);
    remove_room(&servers);
    remove_room(&ledger);

    make_tables(name[1]);
    make_room(&ledger, false);
    make_room(&servers, true);
    a_large_batch_moves_in_pieces(&ledger, &servers);
    other_ledgers_are_refused(&servers);
    remove_room(&servers);
    remove_room(&ledger);
    shape_close(upserts);
    shape_close(snapshots);
    rollup_def_done(&def);
    puts("limits: large files say the same in both, and strangers are refused");
    return 0;
}
