// Whatever fails, and wherever: one clear error, nothing lost, nothing counted twice.
//
// One scenario goes through all that base/, ingest/ and store/ do: feeds are described, files of
// every kind taken in, rollups published and read, the ledger replayed. It runs once for each
// allocation in it, which fails; then once for each call to the system. Each time the store that is
// opened afterwards holds what some number of whole batches make, and the rest can be taken in.
#include "base/ini.h"
#include "ingest/ingest.h"
#include "store/changes.h"
#include "tests/unit/fail.h"
#include "tests/unit/store_case.h"

#include <unistd.h>

#include <zlib.h>
#include <zstd.h>

enum {
    FEEDS_COUNT = 8,
    FILES_COUNT = 14,
    KEYS_MAX = 16,
    PACKED_BYTES = 8192,
    CHUNK_ROWS = 3,
    BLOCK_BYTES = 100
};

struct setting {
    const char *key;
    const char *value;
};

struct description {
    const char *name;
    struct setting settings[KEYS_MAX];
};

static const struct description descriptions[FEEDS_COUNT] = {
    {"attacks",
     {{"files", "attacks*.csv *more*"},
      {"id", "id"},
      {"revision", "rev"},
      {"date", "date | day"},
      {"end_date", "end"},
      {"date_format", "%Y-%m-%d | %d %B %Y"},
      {"optional", "end, low, high, target"},
      {"dim.place", "place"},
      {"map.place", "places.csv"},
      {"dim.source", "\"us\""},
      {"measure.killed", "killed"},
      {"measure.killed.low", "low"},
      {"measure.killed.high", "high"},
      {"measure.civilians", "count where target in civilians, \"aid workers\""},
      {"unknown", "-99 NA (null)"}}},
    {"western",
     {{"files", "western*"},
      {"id", "nr"},
      {"date", "datum"},
      {"delimiter", "semicolon"},
      {"encoding", "windows-1252"},
      {"decimal", "comma"},
      {"dim.place", "ort"},
      {"measure.killed", "tote"}}},
    {"release",
     {{"files", "release*"},
      {"id", "id"},
      {"revision", "version"},
      {"date", "date"},
      {"mode", "snapshot"},
      {"scope", "country"},
      {"dim.country", "country"},
      {"measure.killed", "dead"}}},
    {"gone",
     {{"files", "gone*"},
      {"id", "id"},
      {"revision", "rev"},
      {"mode", "deletions"},
      {"deletes", "attacks"}}},
    {"victims",
     {{"files", "victims*"},
      {"id", "case"},
      {"date", "date"},
      {"rows", "per-victim"},
      {"dim.place", "place"},
      {"measure.killed", "count"}}},
    {"positions",
     {{"files", "positions*"},
      {"id", "key"},
      {"year", "y"},
      {"month", "m"},
      {"day", "d"},
      {"header", "none"},
      {"columns", "key, y, m, d, n"},
      {"delimiter", "tab"},
      {"quote", "none"},
      {"measure.killed", "n"}}},
    {"wide", {{"files", "wide*"}, {"id", "id"}, {"date", "date"}, {"dim.place", "place"}}},
    {"claims",
     {{"files", "claims*"},
      {"kind", "claims"},
      {"id", "id"},
      {"date", "first"},
      {"end_date", "last"},
      {"days", "days"},
      {"optional", "last, days, speaker, stated, part, responses"},
      {"dim.speaker", "speaker"},
      {"dim.stated_on", "stated"},
      {"dim.responses", "responses"},
      {"dim.measure", "measure"},
      {"dim.filter", "filter"},
      {"dim.qualifier", "qualifier"},
      {"dim.part_of", "part"},
      {"measure.value", "value"}}},
};

enum packing { PLAIN, GZIP, ZSTD };

struct made_file {
    const char *name;
    enum packing packing;
    const char *text;
    size_t bytes; // 0: strlen
};

static const char utf16[] = "\xff\xfei\0d\0,\0d\0a\0t\0e\0,\0p\0l\0a\0c\0e\0\n\0"
                            "w\0,\0002\0000\0002\0000\0,\0\x3d\xd8\x00\xde\n\0";

static const struct made_file made_files[FILES_COUNT] = {
    {"attacks-1.csv", PLAIN,
     "id,rev,date,end,place,killed,low,high,target,note\n"
     "A1,1,2020-01-05,2020-01-09,Kabul,3,1,5,civilians,\"two\nlines\"\n"
     "A2,1,6 January 2020,,N.W.F.P.,NA,9,2,police,\"said \"\"so\"\"\"\n"
     "A3,1,2020-02-30,,Kabul,1,,,police,impossible\n"
     "A4,1,2020-01-07,,Herat,many,,,police,no number\n"
     "A5,2020-01-01,2020-01-07,,Herat,4,,,aid workers,text revision\n"
     "A6,1,2020-01-07,,\"Her\"at,4,,,police,stray quote\n"
     "A7,1,2020-01-07,,Herat,4,,,police\n"
     "A8,1,2020-01-08,,\xff,4,,,police,bad text\n",
     0},
    {"attacks-2.csv.gz", GZIP,
     "id,rev,date,place,killed\nA1,2,2020-01-06,Herat,7\nA2,1,2020-01-06,Khyber,0\n"
     "A9,1,2020-03-01,Kunduz,2\n",
     0},
    {"western.csv.zst", ZSTD,
     "nr;datum;ort;tote\n1;2020-01-01;Z\xfcrich;1234,0\n2;2020-01-02;\x81;2\n", 0},
    {"release-1.csv", PLAIN,
     "id,version,date,country,dead\nR1,1,2020-01-01,Chad,5\nR2,1,2020-01-02,Mali,6\n"
     "R3,1,2020-01-03,Chad,7\nR4,1,soon,Chad,8\n",
     0},
    {"release-2.csv", PLAIN,
     "id,version,date,country,dead\nR1,2020-06-01,2020-01-01,Chad,4\nR5,1,2020-02-02,Niger,1\n", 0},
    {"release-old.csv", PLAIN, "id,version,date,country,dead\nR9,1,2020-01-01,Chad,9\n", 0},
    {"release-part.csv", PLAIN,
     "id,version,date,country,dead\nR8,3,2020-01-01,Chad,9\nR7,3,2020-01-01,Mali,2\n", 0},
    {"gone.csv", PLAIN, "id,rev\nA9,1\nA1,1\nA77,5\n", 0},
    {"victims.csv", PLAIN,
     "case,date,place\nV1,2020-01-01,a\nV2,2020-01-01,b\nV1,2020-01-01,a\nV3,2020-01-09,c\n", 0},
    {"positions.tsv", PLAIN, "p1\t2020\t2\t0\t3\np2\t2019\t\t\t4\n", 0},
    {"wide-16.csv", PLAIN, utf16, sizeof utf16 - 1},
    {"claims.csv", PLAIN,
     "id,first,last,days,measure,qualifier,filter,value\n"
     "C1,2020-01-01,,50,killed,at least,place=Kabul,900\n"
     "C2,2020-01-01,2020-01-05,,killed,roughly,,900\n",
     0},
    {"rejected.csv", PLAIN,
     "feed,file,digest,record,line,offset,reason,explanation,raw\n"
     "attacks,attacks-1.csv,00,0,0,0,header,,\"id,rev,date,place,killed\"\n"
     "attacks,attacks-1.csv,00,3,4,90,date-impossible,,\"A3,1,2020-02-29,Kabul,1\"\n",
     0},
    {"unknown.csv", PLAIN, "colour,size\nred,3\n", 0},
};

struct packed {
    const char *name;
    unsigned char data[PACKED_BYTES];
    size_t bytes;
};

struct scene {
    char dir[48];
    int fd;
    struct feed *feeds[FEEDS_COUNT];
    struct rollup_def defs[2];
    struct store *store;
    uint64_t batches; // of the store, while it is open and after it failed
};

// What the undisturbed run made of the first N batches.
static struct {
    struct packed files[FILES_COUNT];
    struct digest after[FILES_COUNT + 1];
    struct digest rollup;
    uint64_t batches;
    size_t wrong; // failures that were told as something else
} quiet;

// ---- files ------------------------------------------------------------------------------------

struct input {
    const struct packed *file;
    size_t at;
};

static ssize_t read_input(void *context, void *data, size_t count)
{
    struct input *input = context;
    size_t left = input->file->bytes - input->at;
    size_t taken = count < BLOCK_BYTES ? count : BLOCK_BYTES;

    taken = taken < left ? taken : left;
    memcpy(data, input->file->data + input->at, taken);
    input->at += taken;
    return (ssize_t)taken;
}

static void pack(const struct made_file *file, struct packed *out)
{
    size_t bytes = file->bytes ? file->bytes : strlen(file->text);
    z_stream zlib = {0};

    out->name = file->name;
    out->bytes = bytes;
    switch (file->packing) {
    case PLAIN:
        memcpy(out->data, file->text, bytes);
        return;
    case GZIP:
        assert_int_equal(deflateInit2(&zlib, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
        zlib.next_in = (unsigned char *)file->text;
        zlib.avail_in = (uInt)bytes;
        zlib.next_out = out->data;
        zlib.avail_out = PACKED_BYTES;
        assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
        out->bytes = zlib.total_out;
        deflateEnd(&zlib);
        return;
    case ZSTD:
        out->bytes = ZSTD_compress(out->data, PACKED_BYTES, file->text, bytes, 3);
        assert_false(ZSTD_isError(out->bytes));
    }
}

// ---- the scenario -----------------------------------------------------------------------------

static bool on_ini(void *context, const struct ini_entry *entry, struct tally_err *err)
{
    size_t *count = context;

    (void)entry;
    (void)err;
    ++*count;
    return true;
}

static bool describe_feeds(struct scene *scene, struct tally_err *err)
{
    for (size_t i = 0; i < FEEDS_COUNT; i++) {
        const struct setting *settings = descriptions[i].settings;
        struct feed *feed = scene->feeds[i] = feed_open(descriptions[i].name, err);
        if (!feed) {
            return false;
        }
        for (size_t key = 0; key < KEYS_MAX && settings[key].key; key++) {
            if (!feed_set(feed, settings[key].key, settings[key].value, scene->dir, err)) {
                return false;
            }
        }
        if (!feed_check(feed, err)) {
            return false;
        }
    }
    return true;
}

static bool describe_rollups(struct rollup_def defs[2], struct tally_err *err)
{
    if (!rollup_def_set_name(&defs[0], "places", err) ||
        !rollup_def_add_feed(&defs[0], "attacks", err) ||
        !rollup_def_add_feed(&defs[0], "western", err) ||
        !rollup_def_add_dim(&defs[0], "feed", err) || !rollup_def_add_dim(&defs[0], "place", err) ||
        !rollup_def_add_measure(&defs[0], "killed", err) ||
        !rollup_def_add_filter(&defs[0], "place", "! Nowhere, \"Over, there\"", err) ||
        !rollup_def_add_filter(&defs[0], "place", "!Else*", err) ||
        !rollup_def_add_window(&defs[0], 50, err)) {
        return false;
    }
    defs[0].feeds[0].measures = 1;
    defs[0].feeds[1].measures = 1;
    return rollup_def_set_name(&defs[1], "countries", err) &&
           rollup_def_add_feed(&defs[1], "release", err) &&
           rollup_def_add_dim(&defs[1], "country", err);
}

static bool open_store(struct scene *scene, struct tally_err *err)
{
    struct store_options options = {
        .segment_bytes_max = 1024, .defs = scene->defs, .defs_count = 2};

    scene->store = store_open(scene->fd, &options, err);
    scene->batches = scene->store ? store_batches(scene->store) : scene->batches;
    return scene->store;
}

static bool begin_file(struct scene *scene, const struct ingest_summary *summary, const char *name,
                       struct tally_err *err)
{
    static const enum batch_mode modes[] = {[FEED_UPSERT] = BATCH_UPSERT,
                                            [FEED_SNAPSHOT] = BATCH_SNAPSHOT,
                                            [FEED_DELETIONS] = BATCH_DELETIONS};
    const struct feed *feed = summary->feed;
    struct store_file file = {.mode = feed_is_claims(feed) ? BATCH_CLAIMS : modes[feed_mode(feed)],
                              .feed = feed_name(feed),
                              .name = name,
                              .header = summary->header,
                              .scope_dim = feed_scope_dim(feed),
                              .shape = feed_shape(feed)};

    return store_begin(scene->store, &file, err);
}

static struct store_file_end end_of(const struct ingest_summary *summary)
{
    return (struct store_file_end){.digest = summary->digest,
                                   .time_ms = 1600000000000,
                                   .bytes = summary->bytes,
                                   .records = summary->records,
                                   .rejected = summary->rejected,
                                   .any_day = summary->any_day,
                                   .first_day = summary->first_day,
                                   .last_day = summary->last_day};
}

// From the first chunk to the commit. A file that is refused leaves a note.
static bool store_file(struct scene *scene, struct ingest *ingest, struct rows *rows,
                       const char *name, struct tally_err *err)
{
    const struct ingest_summary *summary = ingest_summary(ingest);
    struct store_outcome outcome;
    enum ingest_step step = INGEST_CHUNK;
    bool begun = false;

    while (step == INGEST_CHUNK) {
        step = ingest_next(ingest, &(struct ingest_turn){.chunks = rows, .chunks_max = 1}, err);
        if (step == INGEST_FAILED) {
            return false;
        }
        if (step == INGEST_REFUSED) {
            struct tally_err why = *err;
            if (!ingest_finish_digest(ingest, err)) {
                return false;
            }
            struct store_file_end end = end_of(summary);
            return store_note(scene->store, FILE_REJECTED, "", name, &end, why.place, why.message,
                              err) &&
                   store_sync(scene->store, err);
        }
        if ((!begun && !begin_file(scene, summary, name, err)) ||
            !store_append(scene->store, rows, err)) {
            return false;
        }
        begun = true;
    }
    struct store_file_end end = end_of(summary);
    return store_commit(scene->store, &end, &outcome, err);
}

static bool take_file(struct scene *scene, const struct packed *file, struct tally_err *err)
{
    struct ingest_limits limits = ingest_limits_default;
    struct input input = {.file = file};
    struct rows rows;

    limits.chunk_rows = CHUNK_ROWS;
    rows_init(&rows);
    struct ingest *ingest = ingest_open((const struct feed *const *)scene->feeds, FEEDS_COUNT,
                                        file->name, &limits, read_input, &input, err);
    bool ok = ingest && store_file(scene, ingest, &rows, file->name, err);
    ingest_close(ingest);
    rows_done(&rows);
    return ok;
}

static bool on_change(void *context, const struct change *change, struct tally_err *err)
{
    size_t *count = context;

    (void)change;
    (void)err;
    ++*count;
    return true;
}

// What changed since an earlier batch, as `tally diff` finds it.
static bool replay_earlier(const struct scene *scene, struct tally_err *err)
{
    struct replay_until until = {.batch = 4, .time_ms = INT64_MAX};
    struct state *now = &embedded_of(scene->store)->state;
    int ledger_fd = disk_open(scene->fd, "ledger", O_RDONLY | O_DIRECTORY, 0, err);
    struct state earlier = {0};
    struct replay_end end;
    size_t count = 0;

    if (ledger_fd < 0) {
        return false;
    }
    bool ok = state_init(&earlier, err);
    struct cells *before = NULL;
    struct cells *after = NULL;
    if (ok) {
        ok = replay(&earlier, ledger_fd, &until, NULL, &end, err) &&
             (before = cells_open(&earlier, &scene->defs[0], err)) != NULL &&
             (after = cells_open(now, &scene->defs[0], err)) != NULL &&
             changes_find(&(struct changes_state){&earlier, before},
                          &(struct changes_state){now, after}, on_change, &count, err);
        cells_close(before);
        cells_close(after);
        state_done(&earlier);
    }
    disk_close(ledger_fd);
    return ok;
}

static bool read_rollup(const struct scene *scene, struct digest *out_digest, struct tally_err *err)
{
    int rollup_fd = disk_open(scene->fd, "rollup", O_RDONLY | O_DIRECTORY, 0, err);
    struct rollup *rollup = rollup_fd >= 0 ? rollup_open(rollup_fd, "places.rollup", err) : NULL;
    bool ok = rollup && rollup_verify(rollup, err);

    if (ok) {
        *out_digest = rollup_digest(rollup);
    }
    rollup_close(rollup);
    disk_close(rollup_fd);
    return ok;
}

static bool on_reject(void *context, const struct replay_file *file,
                      const struct replay_reject *reject, struct tally_err *err)
{
    size_t *count = context;

    (void)file;
    (void)reject;
    (void)err;
    ++*count;
    return true;
}

// What `tallyd --dry-run` does beside: a copy of the ledger that is thrown away; and the rows that
// were set aside in the first batch.
static bool look_beside(const struct scene *scene, struct tally_err *err)
{
    struct store_accepted accepted;
    size_t count = 0;
    struct replay_visitor visitor = {.context = &count, .on_reject = on_reject};
    const struct packed *first = &quiet.files[0];

    if (!disk_mkdir(scene->fd, "copy", 0700, err)) {
        return false;
    }
    int from_fd = disk_open(scene->fd, "ledger", O_RDONLY | O_DIRECTORY, 0, err);
    int to_fd = from_fd < 0 ? -1 : disk_open(scene->fd, "copy", O_RDONLY | O_DIRECTORY, 0, err);
    bool ok = to_fd >= 0 && disk_copy(from_fd, "000001.seg", to_fd, "000001.seg", 0600, err);
    disk_close(from_fd);
    disk_close(to_fd);
    return ok && disk_remove_tree(scene->fd, "copy", err) &&
           store_find_accepted(scene->store, digest_of(first->data, first->bytes), &accepted) &&
           store_each_reject(scene->store, accepted.key, &visitor, err);
}

static bool take_files(struct scene *scene, struct digest *out_rollup, struct tally_err *err)
{
    for (size_t i = 0; i < FILES_COUNT; i++) {
        if (!take_file(scene, &quiet.files[i], err) ||
            (i + 3 >= FILES_COUNT && !store_publish(scene->store, err))) {
            return false;
        }
        scene->batches = store_batches(scene->store);
    }
    return read_rollup(scene, out_rollup, err) && store_fold(scene->store, err) &&
           replay_earlier(scene, err) && look_beside(scene, err);
}

static bool play(struct scene *scene, struct digest *out_rollup, struct tally_err *err)
{
    char path[80];
    size_t count = 0;

    snprintf(path, sizeof path, "%s/some.ini", scene->dir);
    return ini_read(path, on_ini, &count, err) && describe_feeds(scene, err) &&
           describe_rollups(scene->defs, err) && open_store(scene, err) &&
           take_files(scene, out_rollup, err);
}

// ---- before and behind it ---------------------------------------------------------------------

static void open_scene(struct scene *scene)
{
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    static const char places[] = "to,from\nKhyber,N.W.F.P.\nHerat,Hirat\n";

    *scene = (struct scene){.fd = -1};
    snprintf(scene->dir, sizeof scene->dir, "%s/tally-fail-XXXXXX", parent);
    assert_non_null(mkdtemp(scene->dir));
    scene->fd = case_open_dir(scene->dir, "");
    case_save(scene->dir, "places.csv", places, sizeof places - 1);
    case_save(scene->dir, "some.ini", "[a]\nb = c\n  d\n", 14);
}

static void forget(struct scene *scene)
{
    store_close(scene->store);
    scene->store = NULL;
    for (size_t i = 0; i < FEEDS_COUNT; i++) {
        feed_close(scene->feeds[i]);
        scene->feeds[i] = NULL;
    }
    for (size_t i = 0; i < 2; i++) {
        rollup_def_done(&scene->defs[i]);
        scene->defs[i] = (struct rollup_def){0};
    }
}

static void close_scene(struct scene *scene)
{
    forget(scene);
    disk_close(scene->fd);
    case_remove_dir(scene->dir);
}

static struct digest digest_of_store(const struct scene *scene)
{
    struct bytes bytes;

    bytes_init(&bytes);
    state_dump(&embedded_of(scene->store)->state, &bytes);
    assert_true(bytes.ok);
    struct digest digest = digest_of(bytes.data, bytes.count);
    bytes_done(&bytes);
    return digest;
}

// The run that nothing disturbs: what each number of batches makes, and how much there is to fail.
static int play_quietly(void **state)
{
    struct scene scene;
    struct tally_err err;

    (void)state;
    for (size_t i = 0; i < FILES_COUNT; i++) {
        pack(&made_files[i], &quiet.files[i]);
    }
    open_scene(&scene);
    case_check(describe_feeds(&scene, &err) && describe_rollups(scene.defs, &err) &&
                   open_store(&scene, &err),
               &err);
    quiet.after[0] = digest_of_store(&scene);
    for (size_t i = 0; i < FILES_COUNT; i++) {
        case_check(take_file(&scene, &quiet.files[i], &err), &err);
        quiet.batches = store_batches(scene.store);
        quiet.after[quiet.batches] = digest_of_store(&scene);
    }
    case_check(store_publish(scene.store, &err) && read_rollup(&scene, &quiet.rollup, &err), &err);
    close_scene(&scene);
    // All files but the superseded, the refused one and its like make a batch.
    assert_int_equal(quiet.batches, FILES_COUNT - 2);
    return 0;
}

// A store that is opened now holds some whole batches, at least those that were told as accepted,
// and takes in the rest.
static void recover(struct scene *scene, uint64_t accepted)
{
    struct digest rollup;
    struct tally_err err;

    case_check(disk_remove_tree(scene->fd, "copy", &err), &err);
    case_check(describe_feeds(scene, &err) && describe_rollups(scene->defs, &err) &&
                   open_store(scene, &err),
               &err);
    assert_true(scene->batches >= accepted && scene->batches <= quiet.batches);
    assert_true(digest_equal(digest_of_store(scene), quiet.after[scene->batches]));
    case_check(take_files(scene, &rollup, &err), &err);
    assert_int_equal(scene->batches, quiet.batches);
    assert_true(digest_equal(digest_of_store(scene), quiet.after[quiet.batches]));
    assert_true(digest_equal(rollup, quiet.rollup));
}

// As the daemon does: aborts the file at hand, and takes all of them in again with the store that
// is still there, unless it is broken. Returns how many batches were accepted.
static uint64_t go_on(struct scene *scene)
{
    struct digest rollup;
    struct tally_err err;

    if (!scene->store || store_is_broken(scene->store)) {
        return scene->batches;
    }
    case_check(disk_remove_tree(scene->fd, "copy", &err), &err);
    case_check(store_abort(scene->store, &err) && take_files(scene, &rollup, &err), &err);
    assert_int_equal(scene->batches, quiet.batches);
    assert_true(digest_equal(rollup, quiet.rollup));
    return scene->batches;
}

// True: the scenario has no N-th point of this kind.
static bool fail_once(enum fail_kind kind, long at, enum tally_code want)
{
    struct scene scene;
    struct tally_err err = {0};
    struct digest rollup;
    const char *name;

    open_scene(&scene);
    fail_arm(kind, at);
    bool ok = play(&scene, &rollup, &err);
    bool failed = fail_disarm(&name);
    uint64_t accepted = ok ? quiet.batches : go_on(&scene);
    if (failed && strstr(name, "sync")) {
        want = TALLY_SYNC_FAILED; // whatever the call said
    }
    if (failed && !ok && err.code != want) {
        print_error("%s %ld: code %d, %s: %s (%s)\n", name, at, err.code, err.place, err.message,
                    err.source);
        quiet.wrong++;
    }
    if (!ok && (!failed || !err.message[0])) {
        fail_msg("%ld: fails by itself: %s", at, err.message);
    }
    if (ok && !digest_equal(rollup, quiet.rollup)) { // it did without, and should do as well
        print_error("%s %ld: passes unnoticed, and the rollup is another one\n", name, at);
        quiet.wrong++;
    }
    forget(&scene);
    recover(&scene, accepted);
    close_scene(&scene);
    return !failed;
}

static void each_allocation_may_fail(void **state)
{
    long at = 1;

    (void)state;
    quiet.wrong = 0;
    while (!fail_once(FAIL_MEMORY, at, TALLY_NO_MEMORY)) {
        at += fail_step(FAIL_MEMORY);
    }
    print_message("%ld allocations\n", at - 1);
    assert_true(at > 500);
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
    print_message("%ld calls\n", at - 1);
    assert_true(at > 100);
    assert_int_equal(quiet.wrong, 0);
}

// A signal in the middle of a call is nobody's business.
static void each_interrupted_call_is_made_again(void **state)
{
    long at = 1;

    (void)state;
    for (bool over = false; !over; at++) {
        struct scene scene;
        struct tally_err err = {0};
        struct digest rollup;
        const char *name;
        open_scene(&scene);
        fail_arm(FAIL_SIGNAL, at);
        bool ok = play(&scene, &rollup, &err);
        over = !fail_disarm(&name);
        if (!ok) {
            fail_msg("%s %ld interrupted: %s", name, at, err.message);
        }
        assert_true(digest_equal(rollup, quiet.rollup));
        close_scene(&scene);
    }
    print_message("%ld interrupted calls\n", at - 2);
    assert_true(at > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(each_call_to_the_system_may_fail),
        cmocka_unit_test(each_interrupted_call_is_made_again),
    };
    return cmocka_run_group_tests(tests, play_quietly, NULL);
}
