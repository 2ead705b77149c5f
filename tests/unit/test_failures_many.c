// What grows may fail to grow: tests/unit/test_failures.c over, for a store of many different rows.
//
// The store begins with a ledger of version 1, takes in batches of more rows, texts, revisions and
// scopes than what it first made room for, abandons one that fills several segments, starts again,
// takes another rollup and is salvaged. Each allocation and each call to the system fails once;
// then the store holds what some number of whole batches make, and takes in the rest.
#include "store/salvage.h"

#include "tests/unit/crafted.h"
#include "tests/unit/fail.h"

#include <unistd.h>

enum { MANY = 1100, SCOPES = 150, OLD_BATCHES = 2, FILES = 6, ABANDONED = FILES, NAME_BYTES = 48 };

struct file {
    enum batch_mode mode;
    int scope_dim;
    size_t count;
    const char *id;       // of its rows: with the number behind it, so that each is a name
    const char *country;  // as id
    const char *revision; // NULL: each row has one of its own
};

// A snapshot of newer scopes, one of older ones, and one between them over all.
static const struct file files[FILES + 1] = {
    {BATCH_UPSERT, -1, MANY, "many", "land", NULL},
    {BATCH_SNAPSHOT, 0, SCOPES, "new", "north", "9"},
    {BATCH_SNAPSHOT, 0, SCOPES, "old", "south", "1"},
    {BATCH_SNAPSHOT, 0, SCOPES, "mid", "north", "x"}, // a text is newer than any number
    {BATCH_SNAPSHOT, 0, 2 * SCOPES, "part", "part", "5"},
    {BATCH_DELETIONS, -1, SCOPES, "part", NULL, NULL},
    {BATCH_UPSERT, -1, MANY, "lost", "waste", NULL},
};

static struct {
    struct shape *shape;
    struct rows rows[FILES + 1];
    struct digest after[OLD_BATCHES + FILES + 1];
    unsigned char *old; // the ledger of version 1
    size_t old_bytes;
    bool damaged; // salvage may lose something
    size_t wrong;
} quiet;

struct scene {
    char dir[40];
    int fd;
    struct rollup_def defs[2];
    struct store *store;
    uint64_t batches; // accepted
};

// ---- before it --------------------------------------------------------------------------------

static const char *numbered(char name[NAME_BYTES], const char *text, size_t i)
{
    snprintf(name, NAME_BYTES, "%s %zu x", text, i);
    return name;
}

// A snapshot over all says half of its rows of the north, half of the south.
static const char *country_of(const struct file *file, size_t i)
{
    return strcmp(file->country, "part") != 0 ? file->country : i < SCOPES ? "north" : "south";
}

static void fill(const struct file *file, struct rows *rows)
{
    static struct case_row row[MANY];
    static char text[3][MANY][NAME_BYTES];

    for (size_t i = 0; i < file->count; i++) {
        row[i] = (struct case_row){.id = numbered(text[0][i], file->id, i),
                                   .day = 10 + (int32_t)i,
                                   .killed = (int64_t)i,
                                   .revision = file->revision ? file->revision
                                                              : numbered(text[1][i], "v", i)};
        if (file->country) {
            row[i].country = numbered(text[2][i], country_of(file, i), i % SCOPES);
        }
        row[i].op = file->mode == BATCH_DELETIONS ? ROWS_WITHDRAW : ROWS_PUT;
    }
    case_fill(quiet.shape, rows, row, file->count);
}

static void make_old_ledger(void)
{
    static const struct crafted_batch batches[OLD_BATCHES] = {
        {.version = 1,
         .frame = {{LEDGER_TEXTS, BYTES("\2\4Chad\4Mali")},
                   {LEDGER_ROWS, BYTES("\x28\1a\2\2\2\x14\2\6"
                                       "\x30\1b\2\2\0042020\2\3\x08")}},
         .rows = 2},
        {.version = 1,
         .before = 1,
         .mode = BATCH_SNAPSHOT,
         .scope = 1,
         .frame = {{LEDGER_ROWS, BYTES("\x28\1c\2\2\2\x14\3\6")}},
         .rows = 1,
         .scopes = 1,
         .scope_list = {0, BYTES("\3\1")}},
    };
    struct crafted crafted;

    crafted_open(&crafted);
    for (size_t i = 0; i < OLD_BATCHES; i++) {
        crafted_batch(&crafted, &batches[i]);
    }
    quiet.old = case_load(crafted.dir, "000001.seg", &quiet.old_bytes);
    crafted_close(&crafted);
}

static bool define(struct rollup_def *def, const char *name, const char *dim, struct tally_err *err)
{
    *def = (struct rollup_def){0};
    if (!rollup_def_set_name(def, name, err) || !rollup_def_add_feed(def, "acled", err) ||
        !rollup_def_add_dim(def, dim, err) || !rollup_def_add_measure(def, "killed", err) ||
        !rollup_def_add_window(def, 50, err)) {
        return false;
    }
    def->feeds[0].measures = 1;
    return true;
}

static void open_scene(struct scene *scene)
{
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    struct tally_err err;

    *scene = (struct scene){.fd = -1};
    snprintf(scene->dir, sizeof scene->dir, "%s/tally-fail-XXXXXX", parent);
    assert_non_null(mkdtemp(scene->dir));
    scene->fd = case_open_dir(scene->dir, "");
    case_check(disk_mkdir(scene->fd, "ledger", 0700, &err), &err);
    case_save(scene->dir, "ledger/000001.seg", quiet.old, quiet.old_bytes);
    case_check(define(&scene->defs[0], "one", "country", &err) &&
                   define(&scene->defs[1], "two", "feed", &err),
               &err);
}

static void close_scene(struct scene *scene)
{
    store_close(scene->store);
    rollup_def_done(&scene->defs[0]);
    rollup_def_done(&scene->defs[1]);
    disk_close(scene->fd);
    case_remove_dir(scene->dir);
}

// ---- the scenario -----------------------------------------------------------------------------

static bool start(struct scene *scene, struct tally_err *err)
{
    struct store_options options = {
        .segment_bytes_max = 2048, .defs = scene->defs, .defs_count = 1};

    store_close(scene->store);
    scene->store = store_open(scene->fd, &options, err);
    return scene->store;
}

static bool begin(struct scene *scene, size_t i, struct tally_err *err)
{
    struct store_file file = {.mode = files[i].mode,
                              .feed = "acled",
                              .name = files[i].id,
                              .header = "id,date",
                              .scope_dim = files[i].scope_dim,
                              .shape = quiet.shape};

    return store_begin(scene->store, &file, err) && store_append(scene->store, &quiet.rows[i], err);
}

static bool take(struct scene *scene, size_t i, struct tally_err *err)
{
    struct store_file_end end = {.digest = digest_of(&i, sizeof i), .time_ms = 1600000000000};
    struct store_outcome outcome;

    return begin(scene, i, err) && store_commit(scene->store, &end, &outcome, err);
}

static bool on_lost(void *context, const struct salvage_lost *lost, struct tally_err *err)
{
    (void)context;
    (void)err;
    if (!quiet.damaged) {
        fail_msg("batch %llu: %s", (unsigned long long)lost->batch, lost->why);
    }
    return true;
}

static bool save(const struct scene *scene, struct tally_err *err)
{
    struct salvage_visitor visitor = {.on_lost = on_lost};
    struct salvage_counts counts;

    if (!disk_remove_tree(scene->fd, "saved", err) || !disk_mkdir(scene->fd, "saved", 0700, err)) {
        return false;
    }
    int from = disk_open(scene->fd, "ledger", O_RDONLY | O_DIRECTORY, 0, err);
    int to = from < 0 ? -1 : disk_open(scene->fd, "saved", O_RDONLY | O_DIRECTORY, 0, err);
    bool ok = to >= 0 && salvage(from, to, &visitor, &counts, err);
    disk_close(from);
    disk_close(to);
    return ok;
}

// From where it stands: what is accepted already is not taken in again.
static bool play(struct scene *scene, struct tally_err *err)
{
    if (!scene->store && !start(scene, err)) {
        return false;
    }
    scene->batches = store_batches(scene->store);
    for (size_t i = scene->batches - OLD_BATCHES; i < FILES; i++) {
        if (!take(scene, i, err)) {
            return false;
        }
        scene->batches++;
    }
    return begin(scene, ABANDONED, err) && start(scene, err) &&
           store_set_rollups(scene->store, scene->defs, 2, err) &&
           store_set_rollups(scene->store, scene->defs + 1, 1, err) &&
           store_publish(scene->store, err) && save(scene, err);
}

// ---- what it comes to -------------------------------------------------------------------------

static struct digest digest_of_state(const struct state *state)
{
    struct bytes bytes;

    bytes_init(&bytes);
    state_dump(state, &bytes);
    assert_true(bytes.ok);
    struct digest digest = digest_of(bytes.data, bytes.count);
    bytes_done(&bytes);
    return digest;
}

static struct digest digest_of_saved(const struct scene *scene, uint64_t *out_batches)
{
    int fd = case_open_dir(scene->dir, "saved");
    struct tally_err err;
    struct replay_end end;
    struct state state;

    case_check(state_init(&state, &err) && replay(&state, fd, &replay_all, NULL, &end, &err), &err);
    *out_batches = end.batches;
    struct digest digest = digest_of_state(&state);
    state_done(&state);
    disk_close(fd);
    return digest;
}

static void saved_all(const struct scene *scene)
{
    uint64_t batches;
    struct digest digest = digest_of_saved(scene, &batches);

    assert_int_equal(batches, OLD_BATCHES + FILES);
    assert_true(digest_equal(digest, quiet.after[batches]));
}

static int play_quietly(void **state)
{
    static const char *const dims[] = {"country"};
    static const char *const measures[] = {"killed"};
    struct tally_err err;
    struct scene scene;

    (void)state;
    quiet.shape = shape_open("acled", dims, 1, measures, 1, &err);
    case_check(quiet.shape, &err);
    for (size_t i = 0; i <= FILES; i++) {
        fill(&files[i], &quiet.rows[i]);
    }
    make_old_ledger();
    open_scene(&scene);
    case_check(start(&scene, &err), &err);
    quiet.after[OLD_BATCHES] = digest_of_state(&embedded_of(scene.store)->state);
    for (size_t i = 0; i < FILES; i++) {
        case_check(take(&scene, i, &err), &err);
        quiet.after[OLD_BATCHES + 1 + i] = digest_of_state(&embedded_of(scene.store)->state);
    }
    case_check(play(&scene, &err), &err);
    saved_all(&scene);
    close_scene(&scene);
    return 0;
}

static int forget(void **state)
{
    (void)state;
    for (size_t i = 0; i <= FILES; i++) {
        rows_done(&quiet.rows[i]);
    }
    shape_close(quiet.shape);
    free(quiet.old);
    return 0;
}

// What failed left whole batches, and goes on where the daemon would.
static void recover(struct scene *scene)
{
    struct tally_err err;

    if (!scene->store || store_is_broken(scene->store)) {
        case_check(start(scene, &err), &err);
    }
    case_check(store_abort(scene->store, &err), &err);
    uint64_t batches = store_batches(scene->store);
    assert_true(batches >= scene->batches && batches <= OLD_BATCHES + FILES);
    assert_true(
        digest_equal(digest_of_state(&embedded_of(scene->store)->state), quiet.after[batches]));
    case_check(play(scene, &err), &err);
}

// One error, of the code that what failed has.
static void check_told(const char *name, long at, bool ok, enum tally_code want,
                       const struct tally_err *err)
{
    want = strstr(name, "sync") ? TALLY_SYNC_FAILED : want;
    if (!ok && (err->code != want || !err->message[0])) {
        print_error("%s %ld: code %d, %s: %s (%s)\n", name, at, err->code, err->place, err->message,
                    err->source);
        quiet.wrong++;
    }
}

// True: the scenario has no such point any more.
static bool fail_once(enum fail_kind kind, long at, enum tally_code want)
{
    struct tally_err err = {0};
    struct scene scene;
    const char *name;

    open_scene(&scene);
    fail_arm(kind, at);
    bool ok = play(&scene, &err);
    bool failed = fail_disarm(&name);
    check_told(failed ? name : "nothing", at, ok, want, &err);
    if (!ok) {
        recover(&scene);
    }
    assert_int_equal(store_batches(scene.store), OLD_BATCHES + FILES);
    assert_true(digest_equal(digest_of_state(&embedded_of(scene.store)->state),
                             quiet.after[OLD_BATCHES + FILES]));
    saved_all(&scene);
    close_scene(&scene);
    return !failed;
}

// A scenario of many rows has thousands of equal points: all of the first ones, then ever fewer.
static long next(long at)
{
    return at + fail_step(FAIL_MEMORY) + (at > 200 ? at / 40 : 0);
}

static void each_growth_may_fail(void **state)
{
    long at = 1;

    (void)state;
    quiet.wrong = 0;
    while (!fail_once(FAIL_MEMORY, at, TALLY_NO_MEMORY)) {
        at = next(at);
    }
    assert_true(at > 200);
    assert_int_equal(quiet.wrong, 0);
}

static void each_call_to_the_system_may_fail(void **state)
{
    long at = 1;

    (void)state;
    quiet.wrong = 0;
    while (!fail_once(FAIL_CALL, at, TALLY_IO)) {
        at++;
    }
    assert_true(at > 100);
    assert_int_equal(quiet.wrong, 0);
}

// Of a ledger with a damaged batch, so that salvage has to look for what is whole behind it.
static void each_step_of_salvage_may_fail(void **state)
{
    static const enum tally_code want[] = {[FAIL_MEMORY] = TALLY_NO_MEMORY, [FAIL_CALL] = TALLY_IO};
    struct tally_err err = {0};
    struct scene scene;
    uint64_t batches[2];

    (void)state;
    quiet.wrong = 0;
    open_scene(&scene);
    case_check(play(&scene, &err), &err);
    case_flip(scene.dir, "ledger/000005.seg", 100);
    quiet.damaged = true;
    case_check(save(&scene, &err), &err);
    struct digest saved = digest_of_saved(&scene, &batches[0]);
    assert_true(batches[0] > OLD_BATCHES && batches[0] < OLD_BATCHES + FILES);
    for (int kind = FAIL_MEMORY; kind <= FAIL_CALL; kind++) {
        bool failed = true;
        for (long at = 1; failed; at = kind == FAIL_CALL ? at + 1 : next(at)) {
            const char *name;
            fail_arm((enum fail_kind)kind, at);
            bool ok = save(&scene, &err);
            failed = fail_disarm(&name);
            check_told(failed ? name : "nothing", at, ok, want[kind], &err);
            if (!ok) {
                case_check(save(&scene, &err), &err);
            }
            assert_true(digest_equal(digest_of_saved(&scene, &batches[1]), saved));
            assert_int_equal(batches[1], batches[0]);
        }
    }
    quiet.damaged = false;
    close_scene(&scene);
    assert_int_equal(quiet.wrong, 0);
}

static size_t segments_of(const struct scene *scene)
{
    int fd = case_open_dir(scene->dir, "ledger");
    struct disk_names names;
    struct tally_err err;

    case_check(disk_list(fd, ".", &names, &err), &err);
    size_t count = names.count;
    disk_names_done(&names);
    disk_close(fd);
    return count;
}

// What stands behind damage proves that it was committed, also when that cannot be looked at, and
// neither the mark nor a rollup says so.
static void damaged_ledger_is_never_cut_whatever_fails(void **state)
{
    struct tally_err err = {0};
    struct scene scene;

    (void)state;
    open_scene(&scene);
    case_check(play(&scene, &err), &err);
    store_close(scene.store);
    scene.store = NULL;
    size_t segments = segments_of(&scene);
    case_flip(scene.dir, "ledger/000003.seg", 100);
    case_check(disk_unlink(scene.fd, "committed", &err) &&
                   disk_remove_tree(scene.fd, "rollup", &err),
               &err);
    for (int kind = FAIL_MEMORY; kind <= FAIL_CALL; kind++) {
        bool failed = true;
        for (long at = 1; failed; at++) {
            const char *name;
            fail_arm((enum fail_kind)kind, at);
            bool started = start(&scene, &err);
            failed = fail_disarm(&name);
            if (started || segments_of(&scene) != segments) {
                fail_msg("%s %ld: %zu of %zu segments are left", failed ? name : "nothing", at,
                         segments_of(&scene), segments);
            }
        }
        assert_int_equal(err.code, TALLY_CORRUPT);
    }
    close_scene(&scene);
}

static void on_removed(void *context, const char *file)
{
    assert_string_equal(file, "one.rollup");
    ++*(size_t *)context;
}

// Another configuration: one rollup more, then one less, whose file goes.
static bool change_rollups(const struct scene *scene, size_t *out_removed, struct tally_err *err)
{
    *out_removed = 0;
    return store_set_rollups(scene->store, scene->defs, 2, err) &&
           store_set_rollups(scene->store, scene->defs + 1, 1, err) &&
           store_remove_strangers(scene->store, on_removed, out_removed, err);
}

// What cannot be had leaves the rollups that there are.
static void each_step_of_a_change_of_rollups_may_fail(void **state)
{
    static const enum tally_code want[] = {[FAIL_MEMORY] = TALLY_NO_MEMORY, [FAIL_CALL] = TALLY_IO};
    struct tally_err err = {0};
    struct scene scene;
    size_t removed;

    (void)state;
    quiet.wrong = 0;
    open_scene(&scene);
    case_check(start(&scene, &err) && take(&scene, 0, &err), &err);
    for (int kind = FAIL_MEMORY; kind <= FAIL_CALL; kind++) {
        bool failed = true;
        for (long at = 1; failed; at++) {
            const char *name;
            case_check(store_set_rollups(scene.store, scene.defs, 1, &err) &&
                           store_publish(scene.store, &err),
                       &err);
            fail_arm((enum fail_kind)kind, at);
            bool ok = change_rollups(&scene, &removed, &err);
            failed = fail_disarm(&name);
            check_told(failed ? name : "nothing", at, ok, want[kind], &err);
            assert_true(ok ? removed == 1 : store_rollups_count(scene.store) > 0);
        }
    }
    close_scene(&scene);
    assert_int_equal(quiet.wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_growth_may_fail),
        cmocka_unit_test(each_call_to_the_system_may_fail),
        cmocka_unit_test(each_step_of_salvage_may_fail),
        cmocka_unit_test(damaged_ledger_is_never_cut_whatever_fails),
        cmocka_unit_test(each_step_of_a_change_of_rollups_may_fail),
    };
    return cmocka_run_group_tests(tests, play_quietly, forget);
}
