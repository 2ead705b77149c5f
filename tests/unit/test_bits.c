// Bits within bytes: the codes are spelled as docs/format.md spells them, and come back.
#include "base/bits.h"

#include "tests/unit/packed.h"

enum { VALUES_MAX = 1024 };

// The bits that a test wrote, lowest first, with what fills the last byte.
static void assert_bits(const struct bytes *bytes, const char *want)
{
    size_t count = strlen(want);

    assert_int_equal(bytes->count, (count + 7) / 8);
    for (size_t i = 0; i < bytes->count * 8; i++) {
        int bit = bytes->data[i / 8] >> i % 8 & 1;
        assert_int_equal(bit, i < count ? want[i] - '0' : 0);
    }
}

static void golomb_is(uint64_t value, uint32_t parameter, const char *want)
{
    struct bytes bytes;
    struct bits_writer writer = bits_writer(&bytes);

    bytes_init(&bytes);
    bits_put_golomb(&writer, value, parameter);
    bits_align(&writer);
    assert_bits(&bytes, want);
    assert_int_equal(bits_golomb_cost(value, parameter), strlen(want));
    bytes_done(&bytes);
}

static void rice_is(uint64_t value, uint32_t parameter, const char *want)
{
    struct bytes bytes;
    struct bits_writer writer = bits_writer(&bytes);

    bytes_init(&bytes);
    bits_put_rice(&writer, value, parameter);
    bits_align(&writer);
    assert_bits(&bytes, want);
    assert_int_equal(bits_rice_cost(value, parameter), strlen(want));
    bytes_done(&bytes);
}

static void bits_lie_lowest_first(void **state)
{
    struct bytes bytes;
    struct bits_writer writer = bits_writer(&bytes);

    (void)state;
    bytes_init(&bytes);
    bits_put(&writer, 6, 5);
    bits_put(&writer, 0x41, 7);
    bits_put(&writer, 0, 0);
    bits_align(&writer);
    assert_bits(&bytes, "01100"
                        "1000001");
    bytes_done(&bytes);
}

static void codes_are_spelled_as_the_page_says(void **state)
{
    (void)state;
    golomb_is(0, 0, "1");
    golomb_is(1, 0, "010");
    golomb_is(2, 0, "011");
    golomb_is(3, 0, "00100");
    golomb_is(5, 1, "0111"); // x = 3: one more bit, 1; the low bit 1
    golomb_is(3, 1, "0101");
    golomb_is(0, 3, "1000");
    rice_is(0, 0, "1");
    rice_is(3, 0, "0001");
    rice_is(5, 2, "0110");
    rice_is(127, 7, "11111111");
}

// Powers of two and their neighbours, small numbers, and whatever chance gives, below 2^99.
static size_t make_values(bits_u128 values[VALUES_MAX])
{
    uint64_t seed = 1;
    size_t count = 0;

    for (uint64_t value = 0; value < 300; value++) {
        values[count++] = value;
    }
    for (uint32_t bit = 2; bit < 99; bit++) {
        values[count++] = ((bits_u128)1 << bit) - 1;
        values[count++] = (bits_u128)1 << bit;
        values[count++] = ((bits_u128)1 << bit) + 1;
    }
    while (count < VALUES_MAX) {
        bits_u128 wide = (bits_u128)packed_random(&seed) << 64 | packed_random(&seed);
        values[count++] = wide >> (29 + packed_below(&seed, 99));
    }
    return count;
}

static void every_golomb_code_comes_back(void **state)
{
    static bits_u128 values[VALUES_MAX];
    size_t count = make_values(values);

    (void)state;
    for (uint32_t parameter = 0; parameter <= BITS_GOLOMB_MAX; parameter++) {
        struct bytes bytes;
        struct bits_writer writer = bits_writer(&bytes);
        uint64_t want_bit = 0;
        uint64_t bit = 0;
        bits_u128 value;

        bytes_init(&bytes);
        for (size_t i = 0; i < count; i++) {
            bits_put_golomb(&writer, values[i], parameter);
        }
        bits_align(&writer);
        unsigned char *data = packed_copy(bytes.data, bytes.count);
        for (size_t i = 0; i < count; i++) {
            want_bit += bits_golomb_cost(values[i], parameter);
            assert_true(bits_take_golomb(data, bytes.count * 8, &bit, parameter, &value));
            assert_true(value == values[i]);
            assert_true(bit == want_bit);
        }
        assert_true((bit + 7) / 8 == bytes.count);
        free(data);
        bytes_done(&bytes);
    }
}

static void long_runs_of_zeros_come_back(void **state)
{
    struct bytes bytes;
    struct bits_writer writer = bits_writer(&bytes);
    uint64_t bit = 0;
    uint32_t zeros;

    (void)state;
    bytes_init(&bytes);
    for (uint32_t run = 0; run < 400; run++) {
        bits_put_unary(&writer, run);
    }
    bits_align(&writer);
    unsigned char *data = packed_copy(bytes.data, bytes.count);
    for (uint32_t run = 0; run < 400; run++) {
        assert_true(bits_take_unary(data, bytes.count * 8, &bit, &zeros));
        assert_int_equal(zeros, run);
    }
    assert_false(bits_take_unary(data, bit, &bit, &zeros));
    free(data);
    bytes_done(&bytes);
}

static void no_code_goes_on_behind_the_limit(void **state)
{
    static bits_u128 values[VALUES_MAX];
    size_t count = make_values(values);

    (void)state;
    for (size_t i = 0; i < count; i += 7) {
        uint32_t parameter = (uint32_t)(i % (BITS_GOLOMB_MAX + 1));
        uint32_t cost = bits_golomb_cost(values[i], parameter);
        struct bytes bytes;
        struct bits_writer writer = bits_writer(&bytes);
        bits_u128 value;

        bytes_init(&bytes);
        bits_put_golomb(&writer, values[i], parameter);
        bits_align(&writer);
        for (uint32_t limit = 0; limit < cost; limit++) {
            unsigned char *data = packed_copy(bytes.data, (limit + 7) / 8);
            uint64_t bit = 0;
            assert_false(bits_take_golomb(data, limit, &bit, parameter, &value));
            assert_int_equal(bit, 0);
            free(data);
        }
        bytes_done(&bytes);
    }
}

static void golomb_longer_than_any_number_is_refused(void **state)
{
    (void)state;
    for (uint32_t parameter = 0; parameter <= BITS_GOLOMB_MAX; parameter++) {
        for (uint32_t more = 98 - parameter; more <= 102 - parameter; more++) {
            struct bytes bytes;
            struct bits_writer writer = bits_writer(&bytes);
            uint64_t bit = 0;
            bits_u128 value;

            bytes_init(&bytes);
            bits_put_unary(&writer, more);
            bits_put_wide(&writer, 0, more);
            bits_put(&writer, 0, parameter);
            bits_align(&writer);
            unsigned char *data = packed_copy(bytes.data, bytes.count);
            bool taken = bits_take_golomb(data, bytes.count * 8, &bit, parameter, &value);
            assert_int_equal(taken, more + parameter <= 100);
            assert_true(!taken || value == (((bits_u128)1 << more) - 1) << parameter);
            free(data);
            bytes_done(&bytes);
        }
    }
}

// As long as 32 bits count, which is 512 MiB of zeros: no sum with it may come round to a small
// one.
static void the_longest_run_of_zeros_is_no_number(void **state)
{
    const uint64_t zeros = UINT32_MAX;
    size_t count = (size_t)(zeros / 8) + 64;
    unsigned char *data = calloc(count, 1);
    uint64_t bit = 0;
    bits_u128 value;

    (void)state;
    assert_non_null(data);
    data[zeros / 8] = (unsigned char)(1 << zeros % 8);
    assert_false(bits_take_golomb(data, (count - PACKED_BEHIND) * 8, &bit, 1, &value));
    free(data);
}

static void fields_of_any_width_come_back_at_any_bit(void **state)
{
    uint64_t seed = 2;

    (void)state;
    for (uint32_t width = 0; width <= 128; width++) {
        for (uint32_t at = 0; at < 9; at++) {
            bits_u128 wide = (bits_u128)packed_random(&seed) << 64 | packed_random(&seed);
            bits_u128 want = width < 128 ? wide & (((bits_u128)1 << width) - 1) : wide;
            struct bytes bytes;
            struct bits_writer writer = bits_writer(&bytes);

            bytes_init(&bytes);
            bits_put(&writer, bits_low(UINT64_MAX, at), at);
            bits_put_wide(&writer, want, width);
            bits_put(&writer, 0x7f, 7);
            bits_align(&writer);
            unsigned char *data = packed_copy(bytes.data, bytes.count);
            assert_true(bits_get_wide(data, at, width) == want);
            assert_true(bits_length_wide(want) <= width);
            free(data);
            bytes_done(&bytes);
        }
    }
}

static void select_finds_each_one(void **state)
{
    uint64_t seed = 3;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        uint64_t word = packed_random(&seed) & packed_random(&seed);
        uint32_t rank = 0;
        for (uint32_t bit = 0; bit < 64; bit++) {
            if (word >> bit & 1) {
                assert_int_equal(bits_select(word, rank++), bit);
            }
        }
    }
    assert_int_equal(bits_select(UINT64_C(1) << 63, 0), 63);
    assert_int_equal(bits_select(UINT64_MAX, 63), 63);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_lie_lowest_first),
        cmocka_unit_test(codes_are_spelled_as_the_page_says),
        cmocka_unit_test(every_golomb_code_comes_back),
        cmocka_unit_test(long_runs_of_zeros_come_back),
        cmocka_unit_test(no_code_goes_on_behind_the_limit),
        cmocka_unit_test(golomb_longer_than_any_number_is_refused),
        cmocka_unit_test(the_longest_run_of_zeros_is_no_number),
        cmocka_unit_test(fields_of_any_width_come_back_at_any_bit),
        cmocka_unit_test(select_finds_each_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
