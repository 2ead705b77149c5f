#include "base/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void digest_is(const char *data, const char *want)
{
    char text[DIGEST_TEXT_BYTES];

    assert_string_equal(digest_format(digest_of(data, strlen(data)), text), want);
}

// As `xxhsum -H2` prints them.
static void digests_are_those_of_xxhsum(void **state)
{
    (void)state;
    digest_is("", "99aa06d3014798d86001c324468d497f");
    digest_is("a", "a96faf705af16834e6c632b61e964e1f");
    digest_is("abc", "06b05ab6733a618578af5f94892f3950");
}

static void checksums_depend_on_the_seed(void **state)
{
    (void)state;
    assert_true(checksum64("", 0, 0) == 0x2d06800538d394c2);
    assert_true(checksum64("abc", 3, 0) == 0x78af5f94892f3950);
    assert_true(checksum64("abc", 3, 1) != checksum64("abc", 3, 0));
}

static void pieces_give_the_digest_of_the_whole(void **state)
{
    unsigned char data[3000];
    struct tally_err err;

    (void)state;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (unsigned char)(i * 31);
    }
    for (size_t piece = 1; piece <= sizeof data; piece = piece * 3 + 1) {
        struct digest_stream *stream = digest_stream_open(&err);
        assert_non_null(stream);
        for (size_t at = 0; at < sizeof data; at += piece) {
            size_t left = sizeof data - at;
            digest_stream_add(stream, data + at, left < piece ? left : piece);
        }
        assert_true(digest_equal(digest_stream_value(stream), digest_of(data, sizeof data)));
        digest_stream_close(stream);
    }
    digest_stream_close(NULL);
}

static void rejects(const char *text)
{
    struct digest digest = {.low = 1, .high = 2};

    assert_false(digest_parse(text, &digest));
    assert_true(digest.low == 1 && digest.high == 2);
}

static void written_digests_are_read_back(void **state)
{
    struct digest digest;

    (void)state;
    assert_true(digest_parse("06b05ab6733a618578af5f94892f3950", &digest));
    assert_true(digest_equal(digest, digest_of("abc", 3)));
    assert_true(digest.high == 0x06b05ab6733a6185);
    assert_false(digest_equal(digest, digest_of("abd", 3)));
    assert_false(digest_equal(digest, (struct digest){.low = digest.low, .high = 0}));
    rejects("");
    rejects("06b05ab6733a618578af5f94892f395");
    rejects("06b05ab6733a618578af5f94892f39500");
    rejects("06B05AB6733A618578AF5F94892F3950");
    rejects("06b05ab6733a618578af5f94892f395g");
    rejects("06b05ab6733a6185 78af5f94892f395");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_those_of_xxhsum),
        cmocka_unit_test(checksums_depend_on_the_seed),
        cmocka_unit_test(pieces_give_the_digest_of_the_whole),
        cmocka_unit_test(written_digests_are_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
