// The servers of a store cannot be reached: intake waits, loses nothing, and goes on.
#include "daemon/group.h"
#include "daemon/loop.h"
#include "tests/unit/flaky_engine.h"
#include "tests/unit/inbox_case.h"

#include <sys/eventfd.h>

static const char keys[] = "[feed attacks]\nfiles = *.csv\nid = id\ndate = day\n"
                           "dim.province = province\nmeasure.killed = killed\n"
                           "[rollup harm]\nfeeds = attacks\nby = province\nmeasures = killed\n";
static const char header[] = "id,day,province,killed\n";

enum { FILES = 3, RETRY_MS = 20 };

struct house {
    struct inbox_case *room;
    struct config config;
    struct store *store;
    struct group group;
    int stop_fd;
    char log[60];
};

static void on_mistake(void *context, const struct tally_err *mistake)
{
    (void)context;
    fail_msg("%s: %s", mistake->place, mistake->message);
}

static void load_config(struct house *house, const char *more)
{
    char path[80];

    snprintf(path, sizeof path, "%s/tallyd.conf", house->room->dir);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fprintf(out, "[tallyd]\nstate = %s\ncontrol = off\nsettle = 0s\nscan_interval = 100ms\n%s%s",
            house->room->dir, more, keys);
    assert_int_equal(fclose(out), 0);
    assert_true(config_load(&house->config, path, "/nowhere", on_mistake, NULL));
}

static void open_house(struct house *house, bool shared, const char *more)
{
    void *room;

    *house = (struct house){.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    assert_true(house->stop_fd > 0);
    inbox_case_open(&room);
    house->room = room;
    snprintf(house->log, sizeof house->log, "%s/log", house->room->dir);
    load_config(house, more);
    struct store_options options = {.segment_bytes_max = 1 << 20,
                                    .defs = house->config.defs,
                                    .defs_count = house->config.defs_count,
                                    .stop_fd = house->stop_fd};
    house->store = store_open(house->room->inbox.state_fd, &options, &house->room->err);
    assert_non_null(house->store);
    flaky_wrap(house->store, shared);
}

static void close_house(struct house *house)
{
    void *room = house->room;

    group_done(&house->group);
    store_close(house->store);
    config_done(&house->config);
    close(house->stop_fd);
    inbox_case_close(&room);
}

// N.csv says of incident A that N were killed, and knows one incident of its own: as the feed has
// no revisions, the last file to be taken in is right about A.
static void drop_file(struct house *house, int number)
{
    char path[40];
    char content[200];

    snprintf(path, sizeof path, "inbox/%d.csv", number);
    snprintf(content, sizeof content, "%sA,2020-10-01,Kabul,%d\nB-%d,2020-10-02,Herat,1\n", header,
             number, number);
    inbox_case_drop(house->room, path, content);
}

static bool is_in(struct house *house, const char *folder, int number)
{
    char path[40];

    snprintf(path, sizeof path, "%s/%d.csv", folder, number);
    return inbox_case_has(house->room, path);
}

static int64_t killed_in_a(struct house *house)
{
    const struct state *state = &embedded_of(house->store)->state;
    const struct incident *incident = state_find(state, 0, "A", 1);

    assert_non_null(incident);
    return incident_measures(state, incident)[0];
}

// All files are settled once, in their order, and the rollup on the disk knows them.
static void check_all(struct house *house, int files)
{
    for (int i = 1; i <= files; i++) {
        assert_true(is_in(house, "done", i));
    }
    assert_int_equal(store_batches(house->store), files);
    assert_int_equal(store_incidents(house->store), files + 1);
    assert_int_equal(killed_in_a(house), files);
    assert_false(store_needs_publishing(house->store));
    struct rollup *rollup = rollup_open(house->store->rollup_fd, "harm.rollup", &house->room->err);
    assert_non_null(rollup);
    assert_int_equal(rollup_generation(rollup), files);
    rollup_close(rollup);
}

// ---- without a loop -----------------------------------------------------------------------

static void claim(struct house *house, int number)
{
    struct disk_entry entry;
    struct tally_err err;
    char name[20];
    int fd;

    snprintf(name, sizeof name, "%d.csv", number);
    drop_file(house, number);
    assert_int_equal(inbox_claim(&house->room->inbox, name, &fd, &entry, &err), INBOX_CLAIMED);
    assert_true(group_add(&house->group, name, fd, entry.bytes, 0, &err));
}

static void settle(struct house *house)
{
    group_settle(&house->group, &house->room->inbox, &house->config, house->store,
                 (struct progress){0});
}

static void group_stays_sealed_until_it_is_synced(void **state)
{
    struct house house;

    (void)state;
    open_house(&house, false, "");
    claim(&house, 1);
    claim(&house, 2);
    flaky.left[FLAKY_SYNC] = 2;
    for (int i = 0; i < 2; i++) {
        settle(&house);
        assert_true(house.group.unsynced);
        assert_int_equal(house.group.sync_err.code, TALLY_UNAVAILABLE);
        assert_false(store_is_synced(house.store));
        assert_false(house.group.file[1].intake->lasts);
        assert_true(is_in(&house, "claimed", 1) && is_in(&house, "claimed", 2));
    }
    settle(&house);
    assert_false(house.group.unsynced);
    assert_int_equal(house.group.ended, 2);
    assert_true(house.group.file[1].intake->lasts);
    assert_int_equal(house.group.file[1].intake->outcome.batch, 2);
    assert_true(is_in(&house, "done", 1) && is_in(&house, "done", 2));
    assert_int_equal(flaky.calls[FLAKY_SEAL], 2); // each read and sealed once
    close_house(&house);
}

static void file_behind_an_unreachable_server_keeps_nobody_before_it(void **state)
{
    struct house house;

    (void)state;
    open_house(&house, false, "");
    claim(&house, 1);
    settle(&house);
    group_drop_ended(&house.group);
    claim(&house, 2);
    claim(&house, 3);
    flaky.left[FLAKY_APPEND] = 1;
    settle(&house);
    assert_int_equal(house.group.ended, 1);
    assert_int_equal(house.group.file[0].result, INTAKE_LATER);
    assert_int_equal(house.group.file[0].err.code, TALLY_UNAVAILABLE);
    assert_false(store_is_broken(house.store));
    assert_false(embedded_of(house.store)->pending.open);
    assert_int_equal(store_batches(house.store), 1);
    assert_true(is_in(&house, "done", 1) && is_in(&house, "claimed", 2));
    close_house(&house);
}

static void long_file_goes_on_from_its_sync(void **state)
{
    struct house house;
    struct disk_entry entry;
    struct tally_err err;
    int fd;

    (void)state;
    open_house(&house, false, "");
    drop_file(&house, 1);
    assert_int_equal(inbox_claim(&house.room->inbox, "1.csv", &fd, &entry, &err), INBOX_CLAIMED);
    struct intake *intake = intake_open(&house.room->inbox, &house.config, "1.csv", fd, entry.bytes,
                                        false, (struct progress){0}, &err);
    assert_non_null(intake);
    enum intake_end end = intake_take_in(intake, house.store);
    flaky.left[FLAKY_SYNC] = 1;
    assert_int_equal(intake_settle(intake, house.store, end), INTAKE_UNSYNCED);
    assert_true(intake->sealed && !intake->lasts);
    assert_int_equal(intake_settle(intake, house.store, end), INTAKE_SETTLED);
    assert_true(intake->lasts && is_in(&house, "done", 1));
    assert_int_equal(flaky.calls[FLAKY_SEAL], 1);
    intake_close(intake);
    close_house(&house);
}

static void broken_store_is_not_tried_again(void **state)
{
    struct house house;

    (void)state;
    open_house(&house, false, "");
    claim(&house, 1);
    flaky.left[FLAKY_SYNC] = 1;
    flaky.breaks = true;
    settle(&house);
    assert_false(house.group.unsynced);
    assert_int_equal(house.group.file[0].result, INTAKE_FATAL);
    close_house(&house);
}

// ---- in a loop ----------------------------------------------------------------------------

static int run(struct house *house, bool once)
{
    char inbox_path[60];
    struct loop_options options = {.config = &house->config,
                                   .config_path = "/nowhere",
                                   .presets = "/nowhere",
                                   .inbox = &house->room->inbox,
                                   .store = house->store,
                                   .stop_fd = house->stop_fd,
                                   .retry_ms = RETRY_MS,
                                   .inbox_path = inbox_path,
                                   .once = once};

    snprintf(inbox_path, sizeof inbox_path, "%s/inbox", house->room->dir);
    fflush(stderr);
    int kept = dup(STDERR_FILENO);
    int log = open(house->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true(kept >= 0 && log >= 0 && dup2(log, STDERR_FILENO) >= 0);
    int status = loop_run(&options);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(log);
    close(kept);
    return status;
}

static int times_logged(const struct house *house, const char *text)
{
    FILE *in = fopen(house->log, "r");
    char line[2000];
    int times = 0;

    assert_non_null(in);
    while (fgets(line, sizeof line, in)) {
        times += strstr(line, text) != NULL;
    }
    fclose(in);
    return times;
}

// Publishing is the last that comes of a file, so the loop is ended there.
static void pauses_and_goes_on(enum flaky_call what, bool shared)
{
    struct house house;

    open_house(&house, shared, "publish_interval = 0s\n");
    for (int i = 1; i <= FILES; i++) {
        drop_file(&house, i);
    }
    flaky.left[what] = 3;
    flaky.end_after = 2; // at the start, when nothing is in them, and with all files
    assert_int_equal(run(&house, false), 0);
    assert_int_equal(flaky.left[what], 0);
    check_all(&house, FILES);
    assert_int_equal(times_logged(&house, "event=store_unavailable"), 1); // told once
    assert_int_equal(times_logged(&house, "event=resumed after=store_unavailable"), 1);
    assert_int_equal(times_logged(&house, "event=file_accepted"), FILES);
    assert_int_equal(times_logged(&house, "event=intake_paused"), 0);
    close_house(&house);
}

static void intake_goes_on_wherever_it_had_to_wait(void **state)
{
    (void)state;
    for (int what = FLAKY_BEGIN; what <= FLAKY_PUBLISH; what++) {
        pauses_and_goes_on((enum flaky_call)what, false);
    }
    for (int what = FLAKY_BEGIN; what <= FLAKY_PUBLISH; what++) {
        pauses_and_goes_on((enum flaky_call)what, true);
    }
}

// A file of several chunks, which is no group's.
static void drop_long_file(struct house *house, int rows)
{
    size_t bytes = sizeof header + (size_t)rows * 40;
    char *content = malloc(bytes);

    assert_non_null(content);
    char *at = stpcpy(content, header);
    for (int i = 0; i < rows; i++) {
        at += snprintf(at, 40, "L-%d,2020-10-01,Kabul,1\n", i);
    }
    inbox_case_drop(house->room, "inbox/1.csv", content);
    free(content);
}

static void long_file_pauses_and_goes_on(void **state)
{
    enum { ROWS = 20000 };

    (void)state;
    for (int what = FLAKY_BEGIN; what <= FLAKY_SYNC; what++) {
        struct house house;
        open_house(&house, false, "chunk_rows = 5000\n");
        drop_long_file(&house, ROWS);
        flaky.left[what] = 2;
        flaky.end_after = 2;
        assert_int_equal(run(&house, false), 0);
        assert_int_equal(flaky.left[what], 0);
        assert_int_equal(store_incidents(house.store), ROWS);
        assert_int_equal(store_batches(house.store), 1);
        assert_true(is_in(&house, "done", 1));
        assert_int_equal(times_logged(&house, "event=store_unavailable"), 1);
        assert_int_equal(times_logged(&house, "event=resumed"), 1);
        close_house(&house);
    }
}

static void once_ends_with_temporary_failure_and_keeps_the_files(void **state)
{
    (void)state;
    for (int what = FLAKY_BEGIN; what <= FLAKY_PUBLISH; what++) {
        struct house house;
        open_house(&house, what % 2 == 0, "");
        for (int i = 1; i <= FILES; i++) {
            drop_file(&house, i);
        }
        flaky.left[what] = 1;
        assert_int_equal(run(&house, true), EX_TEMPFAIL);
        assert_int_equal(times_logged(&house, "event=store_unavailable"), 1);
        assert_int_equal(times_logged(&house, "event=once_unfinished"), 1);
        assert_int_equal(times_logged(&house, "event=resumed"), 0);
        for (int i = 1; i <= FILES; i++) {
            assert_int_equal(is_in(&house, "inbox", i) + is_in(&house, "claimed", i) +
                                 is_in(&house, "done", i),
                             1);
        }
        // In this process, what was sealed is still to be synced; another one would read it anew.
        struct tally_err err;
        assert_true(store_sync(house.store, &err));
        assert_int_equal(run(&house, true), 0);
        check_all(&house, FILES);
        close_house(&house);
    }
}

static void who_waits_for_a_server_is_told_to_end(void **state)
{
    (void)state;
    for (int what = FLAKY_BEGIN; what <= FLAKY_PUBLISH; what++) {
        struct house house;
        open_house(&house, true, "");
        drop_file(&house, 1);
        flaky.left[what] = 1;
        flaky.end_while_waiting = true;
        assert_int_equal(run(&house, false), 0);
        assert_true(flaky.waited);
        assert_int_equal(times_logged(&house, "event=stopping"), 1);
        assert_int_equal(times_logged(&house, "event=store_unavailable"),
                         0); // it ends, that is all
        assert_true(is_in(&house, "inbox", 1) || is_in(&house, "claimed", 1));
        close_house(&house);
    }
}

// ---- a store that others write to ---------------------------------------------------------

// Its servers add the rollups up: at the start, and not for each file, nor at the end.
static void shared_store_is_published_at_intervals(void **state)
{
    struct house house;

    (void)state;
    for (int shared = 0; shared < 2; shared++) {
        open_house(&house, shared, "publish_interval = 1h\n");
        drop_file(&house, 1);
        flaky.end_at_seals = 1;
        assert_int_equal(run(&house, false), 0);
        assert_true(is_in(&house, "done", 1));
        assert_int_equal(flaky.published, shared ? 1 : 2);
        assert_int_equal(store_needs_publishing(house.store), shared);
        close_house(&house);
    }
}

static void shared_store_is_looked_at_again(void **state)
{
    struct house house;

    (void)state;
    open_house(&house, true, "publish_interval = 0s\n");
    drop_file(&house, 1);
    flaky.left[FLAKY_REFRESH] = 2;
    flaky.end_after = 2;
    assert_int_equal(run(&house, false), 0);
    assert_true(flaky.calls[FLAKY_REFRESH] > 0);
    check_all(&house, 1);
    close_house(&house);
}

static void store_on_this_machine_has_no_hosts_and_nobody_beside_it(void **state)
{
    struct house house;
    struct tally_err err;

    (void)state;
    open_house(&house, false, "");
    assert_string_equal(store_engine_name(house.store), "ledger");
    assert_int_equal(store_hosts_count(house.store), 0);
    assert_false(store_is_shared(house.store));
    assert_true(store_refresh(house.store, &err));
    flaky.table.forget = NULL;
    flaky.table.patches = NULL;
    flaky.table.fold = NULL;
    assert_false(store_forget(house.store, "attacks", 1, &err));
    assert_int_equal(err.code, TALLY_UNSUPPORTED);
    assert_int_equal(store_patches(house.store), STORE_NO_PATCH);
    assert_true(store_fold(house.store, &err));
    close_house(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(group_stays_sealed_until_it_is_synced),
        cmocka_unit_test(file_behind_an_unreachable_server_keeps_nobody_before_it),
        cmocka_unit_test(long_file_goes_on_from_its_sync),
        cmocka_unit_test(broken_store_is_not_tried_again),
        cmocka_unit_test(intake_goes_on_wherever_it_had_to_wait),
        cmocka_unit_test(long_file_pauses_and_goes_on),
        cmocka_unit_test(once_ends_with_temporary_failure_and_keeps_the_files),
        cmocka_unit_test(who_waits_for_a_server_is_told_to_end),
        cmocka_unit_test(shared_store_is_published_at_intervals),
        cmocka_unit_test(shared_store_is_looked_at_again),
        cmocka_unit_test(store_on_this_machine_has_no_hosts_and_nobody_beside_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
