// Files that share a sync: what comes of them is what comes of each alone.
#include "daemon/group.h"

#include "store/embedded.h"
#include "tests/crash/power_scenario.h"
#include "tests/crash/sim_disk.h"
#include "tests/state_dump.h"
#include "tests/unit/inbox_case.h"

#include <sys/mman.h>

// The scenario's only wish of the disk in memory.
uint32_t sim_random(uint64_t *seed, uint32_t below)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((*seed >> 33) % below);
}

static void on_mistake(void *context, const struct tally_err *mistake)
{
    (void)context;
    fail_msg("%s: %s", mistake->place, mistake->message);
}

static void load_config(struct config *config, const char *dir)
{
    char path[80];

    snprintf(path, sizeof path, "%s/tallyd.conf", dir);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fprintf(out, "[tallyd]\nstate = %s\n%s", dir, scenario_config);
    assert_int_equal(fclose(out), 0);
    assert_true(config_load(config, path, "/nowhere", on_mistake, NULL));
}

// ---- a daemon that takes groups -----------------------------------------------------------

struct played {
    struct store_outcome outcome[SCENARIO_FILES_MAX];
    bool settled[SCENARIO_FILES_MAX];
};

struct house {
    struct inbox_case *room;
    struct config config;
    struct store *store;
    struct group group;
};

static void open_store(struct house *house, uint64_t segment_bytes_max)
{
    struct store_options options = {.segment_bytes_max = segment_bytes_max,
                                    .defs = house->config.defs,
                                    .defs_count = house->config.defs_count};

    house->store = store_open(house->room->inbox.state_fd, &options, &house->room->err);
    assert_non_null(house->store);
}

static void open_house(struct house *house, uint64_t segment_bytes_max)
{
    void *room;

    *house = (struct house){0};
    inbox_case_open(&room);
    house->room = room;
    load_config(&house->config, house->room->dir);
    open_store(house, segment_bytes_max);
}

static void close_house(struct house *house)
{
    void *room = house->room;

    group_done(&house->group);
    store_close(house->store);
    config_done(&house->config);
    inbox_case_close(&room);
}

static void claim(struct house *house, const char *name)
{
    struct disk_entry entry;
    struct tally_err err;
    int fd;

    assert_int_equal(inbox_claim(&house->room->inbox, name, &fd, &entry, &err), INBOX_CLAIMED);
    assert_true(group_add(&house->group, name, fd, entry.bytes, 0, &err));
}

static void settle(struct house *house)
{
    group_settle(&house->group, &house->room->inbox, &house->config, house->store,
                 (struct progress){0});
}

static void drop_file(struct house *house, const char *name, const char *content)
{
    char path[80];

    snprintf(path, sizeof path, "inbox/%s", name);
    inbox_case_drop(house->room, path, content);
}

static size_t file_at(const struct scenario *scenario, const char *name)
{
    size_t i = 0;

    while (strcmp(scenario->file[i].name, name) != 0) {
        i++;
        assert_true(i < scenario->files);
    }
    return i;
}

static void settle_all(struct house *house, const struct scenario *scenario, struct played *out)
{
    while (house->group.count > 0) {
        settle(house);
        for (size_t i = 0; i < house->group.ended; i++) {
            const struct group_file *file = &house->group.file[i];
            size_t at = file_at(scenario, file->name);
            assert_int_equal(file->result, INTAKE_SETTLED);
            assert_true(file->intake->lasts);
            out->outcome[at] = file->intake->outcome;
            out->settled[at] = true;
        }
        group_drop_ended(&house->group);
    }
}

// Groups of one file, or of random lengths.
static void play(struct house *house, const struct scenario *scenario, bool grouped, uint64_t *seed,
                 struct played *out)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < scenario->files; i++) {
        drop_file(house, scenario->file[i].name, scenario->file[i].content);
        claim(house, scenario->file[i].name);
        if (!grouped || sim_random(seed, 3) == 0) {
            settle_all(house, scenario, out);
        }
    }
    settle_all(house, scenario, out);
}

// ---- the same as one by one ---------------------------------------------------------------

static struct digest digest_of_state(const struct house *house)
{
    struct bytes bytes;

    bytes_init(&bytes);
    state_dump(&embedded_of(house->store)->state, &bytes);
    assert_true(bytes.ok);
    struct digest digest = digest_of(bytes.data, bytes.count);
    bytes_done(&bytes);
    return digest;
}

static struct digest digest_of_rollup(const struct house *house)
{
    struct tally_err err;

    assert_true(store_publish(house->store, &err));
    struct rollup *rollup = rollup_open(house->store->rollup_fd, "all.rollup", &err);
    assert_non_null(rollup);
    assert_true(rollup_verify(rollup, &err));
    struct digest digest = rollup_digest(rollup);
    rollup_close(rollup);
    return digest;
}

static void same_files(struct house *one, struct house *other, const struct scenario *scenario)
{
    static const char *const folders[] = {"done", "rejected"};

    for (size_t i = 0; i < scenario->files; i++) {
        char path[80];
        for (size_t folder = 0; folder < 2; folder++) {
            snprintf(path, sizeof path, "%s/%s", folders[folder], scenario->file[i].name);
            assert_int_equal(inbox_case_has(one->room, path), inbox_case_has(other->room, path));
        }
        snprintf(path, sizeof path, "claimed/%s", scenario->file[i].name);
        assert_false(inbox_case_has(other->room, path));
    }
}

static void same_outcomes(const struct scenario *scenario, const struct played *one,
                          const struct played *other)
{
    for (size_t i = 0; i < scenario->files; i++) {
        assert_true(one->settled[i] && other->settled[i]);
        assert_int_equal(one->outcome[i].outcome, other->outcome[i].outcome);
        assert_int_equal(one->outcome[i].batch, other->outcome[i].batch);
        assert_memory_equal(&one->outcome[i].counts, &other->outcome[i].counts,
                            sizeof one->outcome[i].counts);
    }
}

static void groups_of_any_length_come_to_the_same(void **state)
{
    enum { SEEDS = 150 };
    uint64_t seed = 7;

    (void)state;
    for (int i = 0; i < SEEDS; i++) {
        struct scenario scenario;
        struct house alone;
        struct house grouped;
        struct played alone_played;
        struct played grouped_played;
        scenario_make(&scenario, &seed);
        open_house(&alone, scenario.segment_bytes_max);
        open_house(&grouped, scenario.segment_bytes_max);
        play(&alone, &scenario, false, &seed, &alone_played);
        play(&grouped, &scenario, true, &seed, &grouped_played);
        same_outcomes(&scenario, &alone_played, &grouped_played);
        same_files(&alone, &grouped, &scenario);
        struct digest digest = digest_of_state(&alone);
        assert_true(digest_equal(digest, digest_of_state(&grouped)));
        assert_true(digest_equal(digest_of_rollup(&alone), digest_of_rollup(&grouped)));
        store_close(grouped.store);
        open_store(&grouped, scenario.segment_bytes_max); // and so it is after a restart
        assert_true(digest_equal(digest, digest_of_state(&grouped)));
        close_house(&alone);
        close_house(&grouped);
    }
}

// ---- one sync -----------------------------------------------------------------------------

static const char header[] = "id,revision,first,last,place,killed\n";

static void drop_attack(struct house *house, const char *name, const char *row)
{
    char content[200];

    snprintf(content, sizeof content, "%s%s\n", header, row);
    drop_file(house, name, content);
    claim(house, name);
}

static void refused_file_leaves_those_before_it(void **state)
{
    struct house house;

    (void)state;
    open_house(&house, 1 << 20);
    drop_attack(&house, "1-attacks.csv", "A-1,1,2020-10-01,2020-10-01,Kabul,1");
    drop_file(&house, "2-attacks.csv", "month,total\n2020-01,17\n");
    claim(&house, "2-attacks.csv");
    drop_attack(&house, "3-attacks.csv", "A-1,2,2020-10-01,2020-10-01,Kabul,5");
    settle(&house);
    assert_int_equal(house.group.ended, 3);
    assert_int_equal(house.group.file[0].intake->outcome.batch, 1);
    assert_int_equal(house.group.file[1].intake->outcome.outcome, FILE_REJECTED);
    assert_int_equal(house.group.file[2].intake->outcome.batch, 2);
    assert_int_equal(house.group.file[2].intake->outcome.counts.revised, 1);
    assert_true(inbox_case_has(house.room, "rejected/2-attacks.csv"));
    assert_true(inbox_case_has(house.room, "done/3-attacks.csv"));
    assert_true(ledger_is_synced(embedded_of(house.store)->ledger));
    close_house(&house);
}

static void same_bytes_twice_in_a_group_are_a_duplicate(void **state)
{
    struct house house;

    (void)state;
    open_house(&house, 1 << 20);
    drop_attack(&house, "1-attacks.csv", "A-1,1,2020-10-01,2020-10-01,Kabul,1");
    drop_attack(&house, "2-attacks.csv", "A-1,1,2020-10-01,2020-10-01,Kabul,1");
    settle(&house);
    assert_int_equal(house.group.file[0].intake->outcome.outcome, FILE_ACCEPTED);
    assert_int_equal(house.group.file[1].intake->outcome.outcome, FILE_DUPLICATE);
    assert_int_equal(house.group.file[1].intake->outcome.batch, 1);
    close_house(&house);
}

static void file_that_has_to_wait_keeps_nobody_before_it(void **state)
{
    struct house house;

    (void)state;
    open_house(&house, 1 << 20);
    drop_attack(&house, "1-attacks.csv", "A-1,1,2020-10-01,2020-10-01,Kabul,1");
    drop_attack(&house, "2-attacks.csv", "A-2,1,2020-10-01,2020-10-01,Kabul,1");
    disk_close(house.group.file[1].fd);
    house.group.file[1].fd = -1; // cannot be read any more
    settle(&house);
    assert_int_equal(house.group.ended, 2);
    assert_int_equal(house.group.file[0].result, INTAKE_SETTLED);
    assert_true(house.group.file[0].intake->lasts);
    assert_int_equal(house.group.file[1].result, INTAKE_LATER);
    assert_true(inbox_case_has(house.room, "done/1-attacks.csv"));
    assert_true(inbox_case_has(house.room, "claimed/2-attacks.csv"));
    close_house(&house);
}

// A compressed file may have any number of records.
static void many_records_end_a_group(void **state)
{
    static const char row[] = "A-1,1,2020-10-01,2020-10-01,Kabul,1\n";
    struct house house;

    (void)state;
    open_house(&house, 1 << 20);
    char *content = malloc(sizeof header + GROUP_RECORDS_MAX * (sizeof row - 1));
    assert_non_null(content);
    char *at = stpcpy(content, header);
    for (int i = 0; i < GROUP_RECORDS_MAX; i++) {
        at = stpcpy(at, row);
    }
    drop_file(&house, "1-attacks.csv", content);
    free(content);
    claim(&house, "1-attacks.csv");
    drop_attack(&house, "2-attacks.csv", "A-2,1,2020-10-01,2020-10-01,Kabul,1");
    settle(&house);
    assert_int_equal(house.group.ended, 1);
    group_drop_ended(&house.group);
    assert_int_equal(house.group.count, 1);
    settle(&house);
    assert_int_equal(house.group.file[0].intake->outcome.batch, 2);
    close_house(&house);
}

static void long_files_and_many_bytes_are_no_group(void **state)
{
    struct group group = {0};
    struct tally_err err;
    int fd = memfd_create("short", 0);

    (void)state;
    assert_true(group_is_for(fd, 0));
    assert_int_equal(pwrite(fd, "id,date", 7, 0), 7);
    assert_true(group_is_for(fd, GROUP_FILE_BYTES_MAX));
    assert_false(group_is_for(fd, GROUP_FILE_BYTES_MAX + 1));
    assert_int_equal(pwrite(fd, "\x1f\x8b\x08\x00", 4, 0), 4); // nobody knows what is in it
    assert_false(group_is_for(fd, 7));
    assert_int_equal(pwrite(fd, "\x28\xb5\x2f\xfd", 4, 0), 4);
    assert_false(group_is_for(fd, 7));
    close(fd);
    for (int i = 0; i < GROUP_FILES_MAX; i++) {
        assert_false(group_is_full(&group));
        assert_true(group_add(&group, "short.csv", -1, 10, 0, &err));
    }
    assert_true(group_is_full(&group));
    group_done(&group);
    for (uint64_t bytes = 0; bytes < GROUP_BYTES_MAX; bytes += GROUP_FILE_BYTES_MAX) {
        assert_false(group_is_full(&group));
        assert_true(group_add(&group, "middling.csv", -1, GROUP_FILE_BYTES_MAX, 0, &err));
    }
    assert_true(group_is_full(&group));
    group_done(&group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_of_any_length_come_to_the_same),
        cmocka_unit_test(refused_file_leaves_those_before_it),
        cmocka_unit_test(same_bytes_twice_in_a_group_are_a_duplicate),
        cmocka_unit_test(file_that_has_to_wait_keeps_nobody_before_it),
        cmocka_unit_test(many_records_end_a_group),
        cmocka_unit_test(long_files_and_many_bytes_are_no_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
