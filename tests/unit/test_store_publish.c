// A rollup on the disk as base and patch: what is written when, and what readers make of it.
#include "tests/unit/store_case.h"

#include <sys/stat.h>

#define BASE "rollup/harm.rollup"
#define PATCH "rollup/harm.rollup.patch"

static bool is_there(const struct store_case *room, const char *path)
{
    struct stat entry;
    return fstatat(room->fd, path, &entry, 0) == 0;
}

static ino_t inode_of(const struct store_case *room, const char *path)
{
    struct stat entry;

    assert_int_equal(fstatat(room->fd, path, &entry, 0), 0);
    return entry.st_ino;
}

static void publish(struct store_case *room)
{
    case_check(store_publish(room->store, &room->err), &room->err);
}

static void fold(struct store_case *room)
{
    case_check(store_fold(room->store, &room->err), &room->err);
}

// Every rollup has patches, however small.
static void open_patching(struct store_case *room)
{
    case_open(room);
    room->options.patch_from_bytes = 0;
    case_check(case_restart(room), &room->err);
}

static void take_one(struct store_case *room)
{
    case_file(room, BATCH_UPSERT, "one", ROWS(ROW("a", 10, "Chad", 3), ROW("b", 40, "Mali", 4)));
}

static void take_two(struct store_case *room)
{
    case_file(room, BATCH_UPSERT, "two", ROWS(ROW("c", 20, "Chad", 5), ROW("d", 30, "Niger", 1)));
}

// A base of the first batch and a patch of the second.
static void open_patched(struct store_case *room)
{
    open_patching(room);
    take_one(room);
    publish(room);
    take_two(room);
    publish(room);
}

// What an opened rollup says, given as one number.
static struct digest read_digest(struct store_case *room, uint64_t *out_generation)
{
    struct rollup *rollup = rollup_open(room->store->rollup_fd, "harm.rollup", &room->err);

    case_check(rollup && rollup_verify(rollup, &room->err), &room->err);
    struct digest digest = rollup_digest(rollup);
    *out_generation = rollup_generation(rollup);
    rollup_close(rollup);
    return digest;
}

static void small_rollup_is_one_file(void **state)
{
    struct store_case room;

    (void)state;
    case_open(&room);
    take_one(&room);
    publish(&room);
    take_two(&room);
    publish(&room);
    assert_false(is_there(&room, PATCH));
    assert_int_equal(store_patches(room.store), STORE_NO_PATCH);
    case_close(&room);
}

static void second_batch_leaves_the_base_alone(void **state)
{
    struct store_case room;
    uint64_t generation;

    (void)state;
    open_patching(&room);
    take_one(&room);
    publish(&room);
    assert_false(is_there(&room, PATCH));
    ino_t base = inode_of(&room, BASE);
    take_two(&room);
    publish(&room);
    assert_false(store_needs_publishing(room.store));
    assert_int_equal(inode_of(&room, BASE), base);
    struct digest digest = read_digest(&room, &generation);
    assert_int_equal(generation, 2);
    assert_int_not_equal(store_patches(room.store), STORE_NO_PATCH);
    fold(&room);
    assert_int_not_equal(inode_of(&room, BASE), base);
    assert_false(is_there(&room, PATCH));
    assert_int_equal(store_patches(room.store), STORE_NO_PATCH);
    assert_true(digest_equal(read_digest(&room, &generation), digest));
    assert_int_equal(generation, 2);
    case_close(&room);
}

// Who watches the rollup's own file, as the path unit does, hears of a patch as well.
static void patch_is_news_to_who_watches_the_base(void **state)
{
    const struct timespec long_ago[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    struct store_case room;
    struct stat entry;

    (void)state;
    open_patching(&room);
    take_one(&room);
    publish(&room);
    ino_t base = inode_of(&room, BASE);
    assert_int_equal(utimensat(room.fd, BASE, long_ago, 0), 0);
    take_two(&room);
    publish(&room);
    assert_true(is_there(&room, PATCH));
    assert_int_equal(fstatat(room.fd, BASE, &entry, 0), 0);
    assert_int_equal(entry.st_ino, base);
    assert_true(entry.st_mtim.tv_sec > 1);
    case_close(&room);
}

static void folded_file_is_that_of_a_start(void **state)
{
    struct store_case room;
    size_t count;
    size_t again_count;

    (void)state;
    open_patched(&room);
    fold(&room);
    unsigned char *data = case_load(room.dir, BASE, &count);
    ino_t base = inode_of(&room, BASE);
    case_check(case_restart(&room), &room.err);
    publish(&room);
    assert_int_equal(inode_of(&room, BASE), base); // it says the same already
    unsigned char *again = case_load(room.dir, BASE, &again_count);
    assert_int_equal(count, again_count);
    assert_memory_equal(data, again, count);
    free(data);
    free(again);
    case_close(&room);
}

static void start_writes_the_base_before_any_patch(void **state)
{
    struct store_case room;
    uint64_t generation;

    (void)state;
    open_patched(&room);
    struct digest digest = read_digest(&room, &generation);
    case_check(case_restart(&room), &room.err);
    assert_true(digest_equal(read_digest(&room, &generation), digest)); // as the last run left it
    publish(&room);
    assert_false(is_there(&room, PATCH));
    assert_true(digest_equal(read_digest(&room, &generation), digest));
    case_file(&room, BATCH_UPSERT, "three", ROWS(ROW("e", 21, "Chad", 5)));
    publish(&room);
    assert_true(is_there(&room, PATCH));
    read_digest(&room, &generation);
    assert_int_equal(generation, 3);
    case_close(&room);
}

static void patch_that_is_left_over_is_left_aside(void **state)
{
    struct store_case room;
    uint64_t generation;
    size_t count;

    (void)state;
    open_patched(&room);
    unsigned char *old = case_load(room.dir, PATCH, &count);
    struct digest digest = read_digest(&room, &generation);
    fold(&room);
    case_save(room.dir, PATCH, old, count); // as if its removal had been lost
    assert_true(digest_equal(read_digest(&room, &generation), digest));
    free(old);
    case_check(case_restart(&room), &room.err);
    publish(&room);
    assert_false(is_there(&room, PATCH));
    case_close(&room);
}

static void base_alone_is_of_its_own_generation(void **state)
{
    struct store_case room;
    uint64_t generation;

    (void)state;
    open_patching(&room);
    take_one(&room);
    publish(&room);
    struct digest digest = read_digest(&room, &generation);
    take_two(&room);
    publish(&room);
    assert_true(disk_unlink(room.fd, PATCH, &room.err));
    assert_true(digest_equal(read_digest(&room, &generation), digest));
    assert_int_equal(generation, 1);
    case_close(&room);
}

static void damaged_patch_is_told_and_mended_by_a_start(void **state)
{
    struct store_case room;
    uint64_t generation;
    size_t count;

    (void)state;
    open_patched(&room);
    free(case_load(room.dir, PATCH, &count));
    case_flip(room.dir, PATCH, count / 2);
    assert_null(rollup_open(room.store->rollup_fd, "harm.rollup", &room.err));
    assert_int_equal(room.err.code, TALLY_CORRUPT);
    assert_non_null(strstr(room.err.message, "harm.rollup.patch"));
    case_check(case_restart(&room), &room.err);
    publish(&room);
    read_digest(&room, &generation);
    assert_int_equal(generation, 2);
    case_close(&room);
}

static void opened_rollup_keeps_what_it_says(void **state)
{
    struct store_case room;

    (void)state;
    open_patched(&room);
    struct rollup *rollup = rollup_open(room.store->rollup_fd, "harm.rollup", &room.err);
    case_file(&room, BATCH_UPSERT, "three", ROWS(ROW("e", 21, "Chad", 5)));
    publish(&room);
    fold(&room);
    assert_int_equal(rollup_generation(rollup), 2);
    assert_int_equal(rollup_groups(rollup), 3);
    case_check(rollup_verify(rollup, &room.err), &room.err);
    rollup_close(rollup);
    case_close(&room);
}

static void patch_that_outgrew_its_base_is_published_whole(void **state)
{
    struct store_case room;
    bool whole = false;
    char id[16];
    char name[16];

    (void)state;
    open_patching(&room);
    take_one(&room);
    publish(&room);
    for (int i = 0; i < 200 && !whole; i++) {
        snprintf(id, sizeof id, "x%d", i);
        snprintf(name, sizeof name, "file%d", i);
        ino_t base = inode_of(&room, BASE);
        case_file(&room, BATCH_UPSERT, name, ROWS(ROW(id, 11 + i % 20, "Chad", i)));
        publish(&room);
        whole = inode_of(&room, BASE) != base;
    }
    assert_true(whole);
    assert_false(is_there(&room, PATCH));
    case_close(&room);
}

static void patch_that_knows_more_than_the_ledger_stops_the_start(void **state)
{
    struct store_case room;

    (void)state;
    open_patching(&room);
    take_one(&room);
    publish(&room);
    size_t first = (size_t)ledger_committed(embedded_of(room.store)->ledger).offset;
    take_two(&room);
    publish(&room);
    case_cut(room.dir, "ledger/000001.seg", first);
    case_lose_mark(&room);
    assert_false(case_restart(&room));
    assert_int_equal(room.err.code, TALLY_CORRUPT);
    assert_non_null(strstr(room.err.message, "2 batches"));
    assert_true(disk_unlink(room.fd, PATCH, &room.err)); // the base knows no more than the ledger
    case_check(case_start(&room), &room.err);
    case_close(&room);
}

static void note_removed(void *context, const char *file)
{
    strcat(strcat(context, file), " ");
}

static void rollup_that_nobody_keeps_goes_with_its_patch(void **state)
{
    struct store_case room;
    char removed[100] = "";

    (void)state;
    open_patched(&room);
    case_check(store_set_rollups(room.store, NULL, 0, &room.err) &&
                   store_remove_strangers(room.store, note_removed, removed, &room.err),
               &room.err);
    assert_string_equal(removed, "harm.rollup harm.rollup.patch ");
    assert_false(is_there(&room, PATCH));
    case_close(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_rollup_is_one_file),
        cmocka_unit_test(second_batch_leaves_the_base_alone),
        cmocka_unit_test(patch_is_news_to_who_watches_the_base),
        cmocka_unit_test(folded_file_is_that_of_a_start),
        cmocka_unit_test(start_writes_the_base_before_any_patch),
        cmocka_unit_test(patch_that_is_left_over_is_left_aside),
        cmocka_unit_test(base_alone_is_of_its_own_generation),
        cmocka_unit_test(damaged_patch_is_told_and_mended_by_a_start),
        cmocka_unit_test(opened_rollup_keeps_what_it_says),
        cmocka_unit_test(patch_that_outgrew_its_base_is_published_whole),
        cmocka_unit_test(patch_that_knows_more_than_the_ledger_stops_the_start),
        cmocka_unit_test(rollup_that_nobody_keeps_goes_with_its_patch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
