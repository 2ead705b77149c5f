#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define I128_MAX (((((bytes_i128)1 << 126) - 1) << 1) + 1)

static void integers_lie_least_byte_first(void **state)
{
    static const unsigned char want[] = {0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04, 0x0f,
                                         0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 0x09, 0x08};
    struct bytes bytes;

    (void)state;
    bytes_init(&bytes);
    bytes_put_u8(&bytes, 0x01);
    bytes_put_u16(&bytes, 0x0203);
    bytes_put_u32(&bytes, 0x04050607);
    bytes_put_u64(&bytes, 0x08090a0b0c0d0e0f);
    assert_true(bytes.ok);
    assert_int_equal(bytes.count, sizeof want);
    assert_memory_equal(bytes.data, want, sizeof want);

    struct cursor cursor = cursor_over(bytes.data, bytes.count);
    assert_int_equal(cursor_take_u8(&cursor), 0x01);
    assert_int_equal(cursor_take_u16(&cursor), 0x0203);
    assert_int_equal(cursor_take_u32(&cursor), 0x04050607);
    assert_int_equal(cursor_left(&cursor), 8);
    assert_int_equal(cursor_take_u64(&cursor), 0x08090a0b0c0d0e0f);
    assert_true(cursor.ok);
    assert_int_equal(cursor_left(&cursor), 0);
    bytes_done(&bytes);
}

static void sums_of_128_bits_come_back(void **state)
{
    const bytes_i128 values[] = {0, 1, -1, INT64_MAX, INT64_MIN, I128_MAX, -I128_MAX - 1};
    size_t count = sizeof values / sizeof *values;
    struct bytes bytes;

    (void)state;
    bytes_init(&bytes);
    for (size_t i = 0; i < count; i++) {
        bytes_put_i128(&bytes, values[i]);
    }
    assert_int_equal(bytes.count, 16 * count);
    struct cursor cursor = cursor_over(bytes.data, bytes.count);
    for (size_t i = 0; i < count; i++) {
        assert_true(cursor_take_i128(&cursor) == values[i]);
    }
    assert_true(cursor.ok);
    bytes_done(&bytes);
}

static void varint_is(uint64_t value, size_t want_bytes)
{
    struct bytes bytes;

    bytes_init(&bytes);
    bytes_put_varint(&bytes, value);
    assert_int_equal(bytes.count, want_bytes);
    struct cursor cursor = cursor_over(bytes.data, bytes.count);
    assert_true(cursor_take_varint(&cursor) == value);
    assert_true(cursor.ok && cursor_left(&cursor) == 0);

    struct cursor torn = cursor_over(bytes.data, bytes.count - 1);
    assert_int_equal(cursor_take_varint(&torn), 0);
    assert_false(torn.ok);
    bytes_done(&bytes);
}

static void varints_take_seven_bits_a_byte(void **state)
{
    (void)state;
    varint_is(0, 1);
    varint_is(127, 1);
    varint_is(128, 2);
    varint_is(16383, 2);
    varint_is(16384, 3);
    varint_is(UINT32_MAX, 5);
    varint_is(UINT64_MAX / 2, 9);
    varint_is(UINT64_MAX / 2 + 1, 10);
    varint_is(UINT64_MAX, 10);
}

static void zigzag_is(int64_t value, unsigned char first)
{
    struct bytes bytes;

    bytes_init(&bytes);
    bytes_put_zigzag(&bytes, value);
    assert_int_equal(bytes.data[0], first);
    struct cursor cursor = cursor_over(bytes.data, bytes.count);
    assert_true(cursor_take_zigzag(&cursor) == value);
    assert_true(cursor.ok);
    bytes_done(&bytes);
}

static void small_numbers_of_either_sign_stay_small(void **state)
{
    (void)state;
    zigzag_is(0, 0);
    zigzag_is(-1, 1);
    zigzag_is(1, 2);
    zigzag_is(-64, 127);
    zigzag_is(INT64_MAX, 0xfe);
    zigzag_is(INT64_MIN, 0xff);
}

static void malformed_varint(const void *data, size_t count)
{
    struct cursor cursor = cursor_over(data, count);

    assert_int_equal(cursor_take_varint(&cursor), 0);
    assert_false(cursor.ok);
}

static void varints_past_64_bits_are_malformed(void **state)
{
    (void)state;
    malformed_varint("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10);
    malformed_varint("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11);
    malformed_varint("", 0);
}

static void varints_have_one_spelling(void **state)
{
    (void)state;
    malformed_varint("\x80\x00", 2);
    malformed_varint("\xff\x80\x00", 3);
}

static void texts_carry_their_length(void **state)
{
    struct bytes bytes;
    size_t count = 99;

    (void)state;
    bytes_init(&bytes);
    bytes_put_text(&bytes, "Kabul", 5);
    bytes_put_text(&bytes, "", 0);
    struct cursor cursor = cursor_over(bytes.data, bytes.count);
    const char *text = cursor_take_text(&cursor, &count);
    assert_int_equal(count, 5);
    assert_memory_equal(text, "Kabul", 5);
    assert_non_null(cursor_take_text(&cursor, &count));
    assert_int_equal(count, 0);

    struct cursor torn = cursor_over(bytes.data, 4);
    assert_null(cursor_take_text(&torn, &count));
    assert_false(torn.ok);
    bytes_done(&bytes);
}

static void a_text_longer_than_memory_is_refused(void **state)
{
    struct cursor cursor = cursor_over("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10);
    size_t count = 99;

    (void)state;
    assert_null(cursor_take_text(&cursor, &count));
    assert_false(cursor.ok);
    assert_int_equal(count, 99);
}

static void a_short_read_is_remembered(void **state)
{
    struct cursor cursor = cursor_over("\x01\x02\x03", 3);

    (void)state;
    assert_int_equal(cursor_take_u32(&cursor), 0);
    assert_false(cursor.ok);
    assert_int_equal(cursor_take_u8(&cursor), 0); // though three bytes would be there
    assert_int_equal(cursor_take_u16(&cursor), 0);
    assert_int_equal(cursor_take_u64(&cursor), 0);
    assert_true(cursor_take_i128(&cursor) == 0);
    assert_null(cursor_take(&cursor, 0));
    assert_int_equal(cursor_left(&cursor), 0);
}

static void nothing_at_all_can_be_read_over(void **state)
{
    struct cursor cursor = cursor_over(NULL, 0);

    (void)state;
    assert_int_equal(cursor_left(&cursor), 0);
    assert_int_equal(cursor_take_u8(&cursor), 0);
    assert_false(cursor.ok);
}

static void earlier_bytes_can_be_written_over(void **state)
{
    struct bytes bytes;

    (void)state;
    bytes_init(&bytes);
    bytes_put_u32(&bytes, 0);
    bytes_put_u8(&bytes, 7);
    bytes_put_u64(&bytes, 0);
    bytes_set_u32(&bytes, 0, 0xdeadbeef);
    bytes_set_u64(&bytes, 5, UINT64_MAX - 1);
    assert_int_equal(bytes_get_u32(bytes.data), 0xdeadbeef);
    assert_int_equal(bytes.data[4], 7);
    assert_true(bytes_get_u64(bytes.data + 5) == UINT64_MAX - 1);
    bytes_done(&bytes);
}

static void a_buffer_grows_and_is_used_again(void **state)
{
    struct bytes bytes;

    (void)state;
    bytes_init(&bytes);
    for (uint32_t i = 0; i < 10000; i++) {
        bytes_put_u32(&bytes, i);
    }
    assert_int_equal(bytes.count, 40000);
    assert_int_equal(bytes_get_u32(bytes.data + 39996), 9999);

    const unsigned char *data = bytes.data;
    bytes_clear(&bytes);
    assert_int_equal(bytes.count, 0);
    bytes_put_u8(&bytes, 1);
    assert_ptr_equal(bytes.data, data);
    bytes_done(&bytes);
    assert_null(bytes.data);
}

static void memory_that_cannot_be_had_is_remembered(void **state)
{
    struct bytes bytes;

    (void)state;
    bytes_init(&bytes);
    bytes_put_u8(&bytes, 1);
    assert_false(bytes_reserve(&bytes, SIZE_MAX / 2));
    assert_false(bytes.ok);
    bytes_put_u8(&bytes, 2);
    bytes_set_u32(&bytes, 0, 3);
    bytes_set_u64(&bytes, 0, 4);
    assert_int_equal(bytes.count, 1);
    assert_int_equal(bytes.data[0], 1);
    bytes_clear(&bytes);
    assert_true(bytes.ok);
    bytes_done(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_lie_least_byte_first),
        cmocka_unit_test(sums_of_128_bits_come_back),
        cmocka_unit_test(varints_take_seven_bits_a_byte),
        cmocka_unit_test(small_numbers_of_either_sign_stay_small),
        cmocka_unit_test(varints_past_64_bits_are_malformed),
        cmocka_unit_test(varints_have_one_spelling),
        cmocka_unit_test(texts_carry_their_length),
        cmocka_unit_test(a_text_longer_than_memory_is_refused),
        cmocka_unit_test(a_short_read_is_remembered),
        cmocka_unit_test(nothing_at_all_can_be_read_over),
        cmocka_unit_test(earlier_bytes_can_be_written_over),
        cmocka_unit_test(a_buffer_grows_and_is_used_again),
        cmocka_unit_test(memory_that_cannot_be_had_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
