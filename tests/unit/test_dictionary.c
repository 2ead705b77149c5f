// Front-coded texts: each comes back and is found, and nothing else opens as a dictionary.
#include "store/dictionary.h"

#include "tests/unit/packed.h"

#include <stdio.h>

enum { TEXTS_MAX = 12000, TEXT_BYTES = 400 };

struct book {
    char text[TEXTS_MAX][TEXT_BYTES];
    struct dictionary_text item[TEXTS_MAX];
    uint32_t count;
    struct bytes bytes;
    unsigned char *data; // a copy that ends where reading has to
    struct dictionary dictionary;
};

static struct book book;

static int compare(const void *left, const void *right)
{
    return dictionary_compare(left, right);
}

static void add(const char *text, size_t bytes)
{
    memcpy(book.text[book.count], text, bytes);
    book.item[book.count] = (struct dictionary_text){.text = book.text[book.count], .bytes = bytes};
    book.count++;
}

// Sorts the texts and leaves out those that are there twice.
static void encode(void)
{
    uint32_t kept = 0;

    qsort(book.item, book.count, sizeof *book.item, compare);
    for (uint32_t i = 0; i < book.count; i++) {
        if (i == 0 || dictionary_compare(&book.item[kept - 1], &book.item[i]) != 0) {
            book.item[kept++] = book.item[i];
        }
    }
    book.count = kept;
    bytes_init(&book.bytes);
    dictionary_encode(&book.bytes, book.item, book.count);
    assert_true(book.bytes.ok && book.bytes.count % 8 == 0);
    book.data = packed_copy(book.bytes.data, book.bytes.count);
    struct cursor in = cursor_over(book.data, book.bytes.count);
    assert_true(dictionary_open(&book.dictionary, &in));
    assert_int_equal(cursor_left(&in), 0);
}

static void done(void)
{
    free(book.data);
    bytes_done(&book.bytes);
    book.count = 0;
}

static void assert_comes_back(void)
{
    char text[TEXT_BYTES];
    struct dictionary_walk walk;
    uint32_t index;

    encode();
    assert_int_equal(book.dictionary.count, book.count);
    walk = dictionary_walk(&book.dictionary);
    for (uint32_t i = 0; i < book.count; i++) {
        const struct dictionary_text *want = &book.item[i];
        assert_true(dictionary_next(&walk, text));
        assert_int_equal(walk.bytes, want->bytes);
        assert_memory_equal(text, want->text, want->bytes);
        assert_true(dictionary_find(&book.dictionary, want->text, want->bytes, &index));
        assert_int_equal(index, i);
        assert_int_equal(dictionary_get(&book.dictionary, i, text, sizeof text), want->bytes);
        assert_memory_equal(text, want->text, want->bytes);
    }
    assert_false(dictionary_next(&walk, text));
    assert_true(walk.front_coded);
}

// Neighbours share much, little or nothing; some have others in front, one is empty.
static void make(uint32_t count, uint64_t seed)
{
    static const char *const stems[] = {"", "Ba", "Badakhshan ", "\xc3\x91imroz", "\xff\xff", "B"};

    for (uint32_t i = 0; i < count; i++) {
        char text[TEXT_BYTES];
        const char *stem = stems[packed_below(&seed, 6)];
        int bytes = snprintf(text, sizeof text, "%s%.*llx", stem, (int)packed_below(&seed, 9),
                             (unsigned long long)packed_number(&seed, 30));
        add(text, (size_t)bytes);
    }
}

static void every_text_comes_back(void **state)
{
    static const uint32_t counts[] = {0, 1, 2, 15, 16, 17, 31, 32, 33, 500, TEXTS_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        make(counts[i], i);
        assert_comes_back();
        done();
    }
}

static void long_texts_and_the_empty_one_come_back(void **state)
{
    char text[TEXT_BYTES];

    (void)state;
    memset(text, 'x', sizeof text);
    for (size_t bytes = 0; bytes <= sizeof text; bytes += bytes < 130 ? 1 : 27) {
        add(text, bytes);
    }
    add("\0", 1);
    assert_comes_back();
    done();
}

// A NUL is a byte like any other, also where another text ends.
static void zeros_at_the_end_are_bytes(void **state)
{
    static const char letters[] = {'\0', 'a'};
    uint64_t seed = 3;
    uint32_t index;

    (void)state;
    for (size_t bytes = 0; bytes <= 11; bytes++) {
        for (uint32_t bits = 0; bits < 1U << bytes; bits += 1 + (uint32_t)packed_below(&seed, 2)) {
            char text[16];
            for (size_t i = 0; i < bytes; i++) {
                text[i] = letters[bits >> i & 1];
            }
            add(text, bytes);
        }
    }
    assert_comes_back();
    for (uint32_t i = 0; i < book.count; i++) {
        struct dictionary_text other = book.item[i];
        char text[TEXT_BYTES] = {0};
        memcpy(text, other.text, other.bytes);
        other = (struct dictionary_text){.text = text, .bytes = other.bytes + 1};
        const void *want = bsearch(&other, book.item, book.count, sizeof *book.item, compare);
        assert_int_equal(dictionary_find(&book.dictionary, text, other.bytes, &index),
                         want != NULL);
    }
    done();
}

static void other_texts_are_not_found(void **state)
{
    uint64_t seed = 9;
    uint32_t index;

    (void)state;
    make(700, 8);
    encode();
    for (int i = 0; i < 5000; i++) {
        struct dictionary_text other;
        char text[TEXT_BYTES];
        const struct dictionary_text *from = &book.item[packed_below(&seed, book.count)];
        memcpy(text, from->text, from->bytes);
        size_t bytes = packed_below(&seed, from->bytes + 1);
        text[bytes++] = (char)packed_random(&seed);
        other = (struct dictionary_text){.text = text, .bytes = bytes};
        const void *want = bsearch(&other, book.item, book.count, sizeof *book.item, compare);
        bool found = dictionary_find(&book.dictionary, text, bytes, &index);
        assert_int_equal(found, want != NULL);
        assert_true(!found || want == &book.item[index]);
    }
    done();
}

static void short_room_gets_the_beginning(void **state)
{
    char text[4] = "....";

    (void)state;
    add("Kandahar", 8);
    add("Kapisa", 6);
    encode();
    assert_int_equal(dictionary_get(&book.dictionary, 1, text, 3), 6);
    assert_memory_equal(text, "Kap.", 4);
    assert_int_equal(dictionary_get(&book.dictionary, 0, text, 0), 8);
    assert_memory_equal(text, "Kap.", 4);
    done();
}

// Opens a copy, and reads and seeks all that it has then.
static bool opens(size_t count)
{
    unsigned char *copy = packed_copy(book.bytes.data, count);
    struct cursor in = cursor_over(copy, count);
    struct dictionary dictionary = {0};
    bool ok = dictionary_open(&dictionary, &in) && cursor_left(&in) == 0;
    char *text = malloc((ok ? dictionary.longest : 0) + (size_t)1);
    struct dictionary_walk walk = dictionary_walk(&dictionary);
    uint32_t index;

    assert_non_null(text);
    for (uint32_t i = 0; ok && i < dictionary.count; i++) {
        assert_true(dictionary_next(&walk, text));
        assert_int_equal(dictionary_get(&dictionary, i, text, walk.bytes), walk.bytes);
        dictionary_find(&dictionary, text, walk.bytes, &index); // of no order: it may miss it
    }
    free(text);
    free(copy);
    return ok;
}

static void no_shorter_or_longer_dictionary_opens(void **state)
{
    (void)state;
    make(100, 3);
    encode();
    for (size_t count = 0; count < book.bytes.count; count++) {
        assert_false(opens(count));
    }
    bytes_put_u64(&book.bytes, 0);
    assert_false(opens(book.bytes.count));
    done();
}

static void flipped_bits_never_make_it_read_outside(void **state)
{
    size_t refused = 0;

    (void)state;
    make(100, 4);
    encode();
    for (size_t bit = 0; bit < book.bytes.count * 8; bit++) {
        book.bytes.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        refused += !opens(book.bytes.count);
        book.bytes.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    assert_true(refused > 16 * 8);
    done();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_text_comes_back),
        cmocka_unit_test(long_texts_and_the_empty_one_come_back),
        cmocka_unit_test(zeros_at_the_end_are_bytes),
        cmocka_unit_test(other_texts_are_not_found),
        cmocka_unit_test(short_room_gets_the_beginning),
        cmocka_unit_test(no_shorter_or_longer_dictionary_opens),
        cmocka_unit_test(flipped_bits_never_make_it_read_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
