#include "base/config_entries.h"

#include "tests/unit/fail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { KEYS = 70 }; // more than the first room

struct files {
    char folder[64];
    char conf[96];
    char drop_ins[96];
};

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
}

static void make(struct files *files)
{
    char many[KEYS * 24];
    size_t used = 0;

    snprintf(files->folder, sizeof files->folder, "/tmp/tally-test-entries-XXXXXX");
    assert_non_null(mkdtemp(files->folder));
    snprintf(files->conf, sizeof files->conf, "%s/t.conf", files->folder);
    snprintf(files->drop_ins, sizeof files->drop_ins, "%s/t.conf.d", files->folder);
    write_file(files->folder, "t.conf",
               "[tallyd]\nstate = /var/lib/tallyd\n\n[ rollup \t all ]\nmeasures = killed\n"
               "  wounded\n\nmeasures = again\n");
    assert_int_equal(mkdir(files->drop_ins, 0700), 0);
    for (int i = 0; i < KEYS; i++) {
        used += (size_t)snprintf(many + used, sizeof many - used, "key%d = %d\n", i, i);
    }
    write_file(files->drop_ins, "20-many.conf", many);
    write_file(files->drop_ins, "10-first.conf", "[rollup all]\nmeasures = third\n");
    write_file(files->drop_ins, ".hidden.conf", "no key and no value\n");
    write_file(files->drop_ins, "README", "no key and no value\n");
}

static void unmake(const struct files *files)
{
    static const char *const names[] = {"t.conf.d/20-many.conf",
                                        "t.conf.d/10-first.conf",
                                        "t.conf.d/.hidden.conf",
                                        "t.conf.d/README",
                                        "t.conf.d",
                                        "t.conf"};
    char path[256];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", files->folder, names[i]);
        assert_int_equal(remove(path), 0);
    }
    assert_int_equal(rmdir(files->folder), 0);
}

static void is_entry(const struct config_entry *entry, const char *section, const char *key,
                     const char *value, int line, bool twice)
{
    assert_string_equal(entry->section, section);
    assert_string_equal(entry->key, key);
    assert_string_equal(entry->value, value);
    assert_int_equal(entry->line, line);
    assert_int_equal(entry->twice, twice);
}

static void is_all(const struct config_entries *entries)
{
    const struct config_entry *entry = entries->entry;

    assert_int_equal(entries->count, 5 + 2 + KEYS);
    is_entry(&entry[0], "tallyd", "", "", 1, false);
    is_entry(&entry[1], "tallyd", "state", "/var/lib/tallyd", 2, false);
    is_entry(&entry[2], "rollup all", "", "", 4, false);
    is_entry(&entry[3], "rollup all", "measures", "killed wounded", 5, false);
    is_entry(&entry[4], "rollup all", "measures", "again", 8, true);
    // Another file may say it again.
    is_entry(&entry[6], "rollup all", "measures", "third", 2, false);
    is_entry(&entry[5 + 2 + KEYS - 1], "", "key69", "69", KEYS, false);
}

static void files_are_read_in_order_of_name(void **state)
{
    struct files files;
    struct config_entries entries = {0};
    struct tally_err err;

    (void)state;
    make(&files);
    assert_true(config_entries_read_all(&entries, files.conf, &err));
    is_all(&entries);
    config_entries_done(&entries);
    unmake(&files);
}

// Each allocation and each call to the system once: an error that says so, or all of it.
static void whatever_fails_is_told(void **state)
{
    struct files files;
    static const enum fail_kind kinds[] = {FAIL_MEMORY, FAIL_CALL};
    long failed[2] = {0};

    (void)state;
    make(&files);
    for (size_t kind = 0; kind < 2; kind++) {
        const char *name;
        bool came_to_it;
        do {
            struct config_entries entries = {0};
            struct tally_err err = {0};
            fail_arm(kinds[kind], ++failed[kind]);
            bool ok = config_entries_read_all(&entries, files.conf, &err);
            came_to_it = fail_disarm(&name);
            if (ok) {
                is_all(&entries);
            } else {
                assert_true(came_to_it);
                assert_true(err.code == TALLY_NO_MEMORY || err.code == TALLY_IO);
                assert_true(err.message[0] != '\0');
            }
            config_entries_done(&entries);
        } while (came_to_it);
    }
    assert_true(failed[0] > 4 * KEYS); // section, key, value and file of each
    assert_true(failed[1] > 3);
    unmake(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read_in_order_of_name),
        cmocka_unit_test(whatever_fails_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
