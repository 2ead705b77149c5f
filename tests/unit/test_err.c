#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void an_error_says_what_and_where(void **state)
{
    struct tally_err err = {.sys_errno = EIO, .place = "somewhere"};

    (void)state;
    assert_false(err_set(&err, TALLY_CORRUPT, "block %d", 7));
    assert_int_equal(err.code, TALLY_CORRUPT);
    assert_int_equal(err.sys_errno, 0);
    assert_string_equal(err.message, "block 7");
    assert_string_equal(err.place, "");
    // From the project's root on, wherever the tree lies.
    assert_int_equal(strncmp(err.source, "tests/unit/test_err.c:", 22), 0);
}

static void a_failed_system_call_is_named(void **state)
{
    struct tally_err err;

    (void)state;
    errno = EACCES;
    assert_false(err_sys(&err, "open %s", "ledger"));
    assert_int_equal(err.code, TALLY_IO);
    assert_int_equal(err.sys_errno, EACCES);
    assert_string_equal(err.message, "open ledger: Permission denied");
}

static void a_full_disk_has_its_own_code(void **state)
{
    static const int full[] = {ENOSPC, EDQUOT};
    struct tally_err err;

    (void)state;
    for (size_t i = 0; i < sizeof full / sizeof *full; i++) {
        errno = full[i];
        assert_false(err_sys(&err, "write"));
        assert_int_equal(err.code, TALLY_NO_SPACE);
        assert_int_equal(err.sys_errno, full[i]);
    }
}

static void wrapping_tells_the_story_from_outside_in(void **state)
{
    struct tally_err err;

    (void)state;
    errno = ENOSPC;
    err_sys(&err, "fdatasync");
    assert_false(err_wrap(&err, "commit batch %d", 41));
    assert_string_equal(err.message, "commit batch 41: fdatasync: No space left on device");
    assert_int_equal(err.code, TALLY_NO_SPACE);
}

static void the_first_place_is_kept(void **state)
{
    struct tally_err err;

    (void)state;
    err_set(&err, TALLY_REFUSED, "torn");
    assert_false(err_place(&err, "03.csv:%d", 118));
    assert_false(err_place(&err, "inbox"));
    assert_string_equal(err.place, "03.csv:118");
}

static void long_messages_are_cut(void **state)
{
    struct tally_err err;
    char name[1000];

    (void)state;
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    err_set(&err, TALLY_INVALID, "%s", name);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    err_wrap(&err, "%s", name);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    errno = EIO;
    err_sys(&err, "%s", name);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    err_place(&err, "%s", name);
    assert_int_equal(strlen(err.place), sizeof err.place - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_says_what_and_where),
        cmocka_unit_test(a_failed_system_call_is_named),
        cmocka_unit_test(a_full_disk_has_its_own_code),
        cmocka_unit_test(wrapping_tells_the_story_from_outside_in),
        cmocka_unit_test(the_first_place_is_kept),
        cmocka_unit_test(long_messages_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
