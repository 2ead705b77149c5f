// Sorted lists: every value comes back and is found, and nothing else opens as a list.
#include "store/monotone.h"

#include "tests/unit/packed.h"

enum { COUNT_MAX = 3000 };

struct listed {
    uint64_t value[COUNT_MAX];
    uint32_t count;
    struct bytes bytes;
    unsigned char *data; // a copy that ends where reading has to
    struct monotone list;
};

static void encode(struct listed *listed)
{
    bytes_init(&listed->bytes);
    monotone_encode(&listed->bytes, listed->value, listed->count);
    assert_true(listed->bytes.ok);
    listed->data = packed_copy(listed->bytes.data, listed->bytes.count);
    struct cursor in = cursor_over(listed->data, listed->bytes.count);
    assert_true(monotone_open(&listed->list, &in));
    assert_int_equal(cursor_left(&in), 0);
    assert_int_equal(listed->bytes.count % 8, 0);
}

static void done(struct listed *listed)
{
    free(listed->data);
    bytes_done(&listed->bytes);
}

static int64_t place_of(const struct listed *listed, uint64_t value)
{
    for (uint32_t i = 0; i < listed->count; i++) {
        if (listed->value[i] == value) {
            return i;
        }
    }
    return -1;
}

static void assert_comes_back(struct listed *listed)
{
    encode(listed);
    assert_int_equal(listed->list.count, listed->count);
    for (uint32_t i = 0; i < listed->count; i++) {
        assert_true(monotone_get(&listed->list, i) == listed->value[i]);
    }
    for (uint32_t from = 0; from < listed->count; from += 1 + listed->count / 7) {
        struct monotone_walk walk = monotone_seek(&listed->list, from);
        for (uint32_t i = from; i < listed->count; i++) {
            assert_true(monotone_next(&listed->list, &walk) == listed->value[i]);
        }
    }
}

static void make(struct listed *listed, uint32_t count, unsigned bits, uint64_t seed)
{
    uint64_t value = 0;

    listed->count = count;
    for (uint32_t i = 0; i < count; i++) {
        value += packed_number(&seed, bits);
        listed->value[i] = value;
    }
}

static void every_value_comes_back(void **state)
{
    static const uint32_t counts[] = {0, 1, 2, 7, 63, 64, 65, 511, 512, 513, 1000, COUNT_MAX};
    static struct listed listed;

    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        for (unsigned bits = 0; bits < 50; bits += 7) {
            make(&listed, counts[i], bits, i * 64 + bits);
            assert_comes_back(&listed);
            done(&listed);
        }
    }
}

// Some take no bit more than another, some all that there are.
static void lists_of_equal_or_of_far_values_come_back(void **state)
{
    static struct listed listed;

    (void)state;
    make(&listed, 2000, 0, 1);
    assert_comes_back(&listed);
    done(&listed);
    for (uint32_t i = 0; i < listed.count; i++) { // one jump, across many chunks of zeros
        listed.value[i] = i < 1000 ? 0 : 1000000;
    }
    assert_comes_back(&listed);
    done(&listed);
    listed.count = 2;
    listed.value[0] = 0;
    listed.value[1] = UINT64_MAX;
    assert_comes_back(&listed);
    done(&listed);
    listed.value[0] = UINT64_MAX;
    assert_comes_back(&listed);
    done(&listed);
}

static void values_are_found_and_others_are_not(void **state)
{
    static struct listed listed;

    (void)state;
    for (unsigned bits = 0; bits < 14; bits++) {
        uint64_t seed = bits;
        make(&listed, 700, bits, bits);
        encode(&listed);
        for (uint32_t i = 0; i < listed.count; i += 3) {
            int64_t found = monotone_find(&listed.list, listed.value[i]);
            assert_int_equal(found, place_of(&listed, listed.value[i]));
        }
        for (int i = 0; i < 300; i++) {
            uint64_t value = packed_below(&seed, listed.value[listed.count - 1] + 2);
            assert_int_equal(monotone_find(&listed.list, value), place_of(&listed, value));
        }
        assert_int_equal(monotone_find(&listed.list, UINT64_MAX), -1);
        done(&listed);
    }
}

static bool opens(const unsigned char *data, size_t count)
{
    unsigned char *copy = packed_copy(data, count);
    struct cursor in = cursor_over(copy, count);
    struct monotone list;
    bool ok = monotone_open(&list, &in) && cursor_left(&in) == 0;
    uint64_t before = 0;

    for (uint32_t i = 0; ok && i < list.count; i++) { // whatever it says, it is a list
        uint64_t value = monotone_get(&list, i);
        assert_true(value >= before);
        assert_true(monotone_find(&list, value) >= 0);
        before = value;
    }
    free(copy);
    return ok;
}

static void no_shorter_or_longer_list_opens(void **state)
{
    static struct listed listed;

    (void)state;
    make(&listed, 100, 9, 5);
    encode(&listed);
    for (size_t count = 0; count < listed.bytes.count; count++) {
        assert_false(opens(listed.bytes.data, count));
    }
    bytes_put_u64(&listed.bytes, 0);
    assert_false(opens(listed.bytes.data, listed.bytes.count));
    done(&listed);
}

// A flip in a low part may keep the order; one anywhere else is noticed.
static void flipped_bits_give_an_error_or_another_list(void **state)
{
    static struct listed listed;
    size_t opened = 0;

    (void)state;
    make(&listed, 100, 9, 6);
    encode(&listed);
    for (size_t bit = 0; bit < listed.bytes.count * 8; bit++) {
        listed.bytes.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        bool ok = opens(listed.bytes.data, listed.bytes.count);
        bool in_low_parts = bit >= 128 && bit < 128 + (uint64_t)listed.count * listed.list.low_bits;
        assert_true(!ok || in_low_parts);
        opened += ok;
        listed.bytes.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    assert_true(opened > 0);
    done(&listed);
}

// Low parts of 56 bits over a high part that 64 bits have no room for.
static void values_beyond_64_bits_are_refused(void **state)
{
    struct bytes bytes;
    struct bits_writer writer = bits_writer(&bytes);

    (void)state;
    for (uint64_t high = 255; high <= 256; high++) {
        bytes_init(&bytes);
        bytes_put_u32(&bytes, 1);
        bytes_put_u32(&bytes, BITS_AT_ONCE);
        bytes_put_u64(&bytes, high);
        bytes_put_u64(&bytes, 0);
        bits_put_unary(&writer, high);
        bits_put(&writer, 0, 1);
        bits_align(&writer);
        while (bytes.count % 8 != 0) {
            bytes_put_u8(&bytes, 0);
        }
        bytes_put_u64(&bytes, 0);
        assert_int_equal(opens(bytes.data, bytes.count), high == 255);
        bytes_done(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_comes_back),
        cmocka_unit_test(lists_of_equal_or_of_far_values_come_back),
        cmocka_unit_test(values_are_found_and_others_are_not),
        cmocka_unit_test(no_shorter_or_longer_list_opens),
        cmocka_unit_test(flipped_bits_give_an_error_or_another_list),
        cmocka_unit_test(values_beyond_64_bits_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
