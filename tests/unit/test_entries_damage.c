// Damaged cells and spans: an error or other numbers, never a read outside; and what is proved to
// hold, all codes read alike.
#include "tests/unit/entries_model.h"

static struct model model;
static struct entries_block block;

// What a section says, by its blocks.
struct said {
    struct rollup_entry entry[MODEL_ENTRIES_MAX];
    uint32_t first[MODEL_GROUPS_MAX + 1]; // of each group in `entry`
};
static struct said said;

static void make(bool spans, uint64_t seed)
{
    model_init(&model, spans, 1, seed);
    model_add_group(&model, 70, 3, MODEL_SMALL);
    model_add_group(&model, 0, 1, MODEL_SMALL);
    model_add_group(&model, 131, 4, seed % 2 ? MODEL_SIGNED : MODEL_SMALL);
    model_add_group(&model, 5, 2000, MODEL_SMALL);
    model_encode(&model);
}

// False: a block is malformed, or too much is there. Entries are in order or it does not matter.
static bool read_all(const struct entries_code *code, const struct entries *entries,
                     bool *out_sorted)
{
    struct entries_cursor cursor = {0};
    uint32_t count = 0;

    *out_sorted = true;
    for (uint32_t group = 0; group < model.groups; group++) {
        struct entries_place place;
        said.first[group] = count;
        code->find(entries, &cursor, group, &place);
        for (uint32_t i = 0; i < place.blocks; i++) {
            if (!code->load(entries, &place, i, &block) ||
                count + block.count > MODEL_ENTRIES_MAX) {
                return false;
            }
            for (uint32_t j = 0; j < block.count; j++, count++) {
                entries_block_get(entries, &block, j, &said.entry[count]);
                *out_sorted =
                    *out_sorted && (count == said.first[group] ||
                                    model_compare(&said.entry[count - 1], &said.entry[count]) < 0);
            }
        }
    }
    said.first[model.groups] = count;
    return true;
}

// The model becomes what the section says.
static void believe(struct model *told)
{
    *told = model;
    for (uint32_t group = 0; group < model.groups; group++) {
        told->entry[group] = &said.entry[said.first[group]];
        told->count[group] = said.first[group + 1] - said.first[group];
    }
}

// Windows around the middle, by each code. `told`: what they have to be; NULL: anything.
static void look_at_windows(const struct entries_code *code, const struct entries *entries,
                            const struct model *told)
{
    struct entries_cursor cursor = {0};

    for (uint32_t i = 0; i < 3 * model.groups; i++) {
        uint32_t group = i % model.groups;
        enum basis basis = (enum basis)(1 + i / model.groups);
        int32_t last_day = model.last_day - 40 * (int32_t)(i % 7);
        struct rollup_sums got = {0};
        struct rollup_sums want = {0};
        bool ok =
            model.spans
                ? code->add_spans(entries, &cursor, group, basis, last_day - 100, last_day, &got)
                : code->add_cells(entries, &cursor, group, last_day - 100, last_day, &got);
        if (told) {
            model_window(told, group, basis, last_day - 100, last_day, &want);
            assert_true(ok && got.incidents == want.incidents);
            assert_true(got.measure[0].sum == want.measure[0].sum);
            assert_true(got.measure[0].reported == want.measure[0].reported);
        }
    }
}

// Whether the section opens and is proved; what it says is read whatever comes of that.
static bool holds(const unsigned char *data, size_t count)
{
    unsigned char *copy = packed_copy(data, count);
    static struct model told;
    struct entries entries;
    struct tally_err err;
    bool sorted = false;
    bool proved = false;

    if (model_opens(&model, copy, count, &entries)) {
        assert_true(entries_verify(&entries, &proved, &err));
        bool read = read_all(&entries_code_portable, &entries, &sorted);
        assert_true(read || !proved);
        believe(&told);
        for (const struct entries_code *const *code = entries_codes(); *code; code++) {
            look_at_windows(*code, &entries, proved && sorted ? &told : NULL);
            assert_true(read_all(*code, &entries, &sorted) || !proved);
        }
    }
    free(copy);
    return proved && sorted;
}

static void no_shorter_or_longer_section_opens(void **state)
{
    struct entries entries;

    (void)state;
    for (int spans = 0; spans < 2; spans++) {
        make(spans, 1);
        for (size_t count = 0; count < model.bytes.count; count++) {
            unsigned char *copy = packed_copy(model.bytes.data, count);
            assert_false(model_opens(&model, copy, count, &entries));
            free(copy);
        }
        bytes_put_u8(&model.bytes, 0);
        unsigned char *copy = packed_copy(model.bytes.data, model.bytes.count);
        assert_false(model_opens(&model, copy, model.bytes.count, &entries));
        free(copy);
        model_done(&model);
    }
}

static void flipped_bits_give_an_error_or_other_numbers(void **state)
{
    (void)state;
    for (int spans = 0; spans < 2; spans++) {
        for (uint64_t seed = 1; seed < 3; seed++) {
            size_t proved = 0;
            make(spans, seed);
            for (size_t bit = 0; bit < model.bytes.count * 8; bit++) {
                model.bytes.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
                proved += holds(model.bytes.data, model.bytes.count);
                model.bytes.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
            }
            assert_true(proved > 0); // else nothing was compared
            model_done(&model);
        }
    }
}

static void bytes_by_chance_give_an_error_or_other_numbers(void **state)
{
    (void)state;
    for (int spans = 0; spans < 2; spans++) {
        make(spans, 3);
        for (int i = 0; i < 3000; i++) {
            unsigned char *data = packed_copy(model.bytes.data, model.bytes.count);
            for (uint64_t left = 1 + packed_below(&model.seed, 4); left > 0; left--) {
                data[packed_below(&model.seed, model.bytes.count)] =
                    (unsigned char)packed_random(&model.seed);
            }
            holds(data, model.bytes.count);
            free(data);
        }
        model_done(&model);
    }
}

// ---- what only the proof notices ----------------------------------------------------------

static bool proves(const struct entries *entries)
{
    struct tally_err err;
    bool proved = true;

    assert_true(entries_verify(entries, &proved, &err));
    return proved;
}

static size_t bytes_before(const unsigned char *at)
{
    return (size_t)(at - model.data);
}

static void skip_entries_that_say_something_else_are_noticed(void **state)
{
    struct entries entries;

    (void)state;
    make(false, 2);
    const struct entries *whole = &model.entries;
    size_t first = bytes_before(whole->skip) * 8 + whole->at[ENTRIES_FIELD_TOTALS];
    for (size_t bit = first; bit < first + whole->skip_bits - whole->at[ENTRIES_FIELD_TOTALS];
         bit++) {
        model.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_true(model_opens(&model, model.data, model.bytes.count, &entries));
        assert_false(proves(&entries));
        model.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    assert_true(proves(whole));
    model_done(&model);
}

static void bits_behind_a_block_are_noticed(void **state)
{
    struct entries_cursor cursor = {0};
    struct entries_place place;
    size_t fillings = 0;

    (void)state;
    make(true, 2);
    for (uint32_t group = 0; group < model.groups; group++) {
        entries_code_portable.find(&model.entries, &cursor, group, &place);
        for (uint32_t i = 0; i < place.blocks; i++) {
            assert_true(entries_code_portable.load(&model.entries, &place, i, &block));
            unsigned char *at =
                model.data + bytes_before(model.entries.blocks) + (block.end + 7) / 8 - 1;
            if (block.end % 8 != 0) {
                *at ^= 0x80;
                assert_false(proves(&model.entries));
                *at ^= 0x80;
                fillings++;
            }
        }
    }
    assert_true(fillings > 0 && proves(&model.entries));
    model_done(&model);
}

// The offsets of one group's section written anew, for one zero byte more than its block has.
static void bytes_between_blocks_are_noticed(void **state)
{
    enum { LIST_HEAD_BYTES = 16 };
    struct entries entries;
    struct bytes longer;

    (void)state;
    model_init(&model, false, 1, 4);
    model_add_group(&model, 20, 3, MODEL_SMALL);
    model_encode(&model);
    size_t begin = bytes_before(model.entries.offsets.low) - LIST_HEAD_BYTES;
    size_t end = bytes_before(model.entries.skips.low) - LIST_HEAD_BYTES;
    uint64_t offsets[] = {0, monotone_get(&model.entries.offsets, 1) + 1};
    bytes_init(&longer);
    bytes_put(&longer, model.data, begin);
    monotone_encode(&longer, offsets, 2);
    bytes_put(&longer, model.data + end, model.bytes.count - end);
    bytes_put_u8(&longer, 0);
    unsigned char *data = packed_copy(longer.data, longer.count);
    assert_true(model_opens(&model, data, longer.count, &entries));
    assert_false(proves(&entries));
    free(data);
    bytes_done(&longer);
    model_done(&model);
}

// Spans a day apart and a day long: a block of them is its head, its age and 01 for each gap. With
// a gap taken out of the first one, and its bits, blocks still follow one another.
static void blocks_that_are_not_full_are_noticed(void **state)
{
    struct entries_place place;
    struct entries_cursor cursor = {0};

    (void)state;
    model_init(&model, true, 0, 1);
    model_add_group(&model, 300, 1, MODEL_SMALL);
    for (uint32_t i = 0; i < 300; i++) {
        struct rollup_entry *entry = &model.entry[0][i];
        entry->first_day = model.last_day - (int32_t)i;
        entry->last_day = entry->first_day + 1;
        entry->sums.incidents = 1;
    }
    model_encode(&model);
    assert_true(proves(&model.entries));
    entries_code_portable.find(&model.entries, &cursor, 0, &place);
    unsigned char *blocks = model.data + bytes_before(model.entries.blocks);
    assert_int_equal(blocks[0] & 0x7f, 127);
    blocks[0]--;
    assert_true(entries_code_portable.load(&model.entries, &place, 0, &block));
    assert_int_equal(block.count, 127);
    blocks[block.end / 8] &= (unsigned char)~(0xff << block.end % 8);
    assert_false(proves(&model.entries));
    assert_true((block.end + 7) / 8 == (block.end + 2 + 7) / 8); // for no other reason
    model_done(&model);
}

// Numbers that 64 bits would cut to possible ones.
static void impossible_numbers_are_noticed(void **state)
{
    const bytes_i128 most = (bytes_i128)1 << 96;

    (void)state;
    for (int i = 0; i < 5; i++) {
        model_init(&model, false, 1, 1);
        model_add_group(&model, 3, 1, MODEL_SMALL);
        struct rollup_sums *sums = &model.entry[0][1].sums;
        sums->incidents = i == 0 ? UINT32_MAX : i == 1 ? UINT32_MAX + UINT64_C(1) : 7;
        sums->measure[0].sum = i == 2 ? most + 1 : i == 3 ? -most - 1 : 0;
        sums->measure[0].reported = i == 4 ? 8 : 0; // 7 less 8 of them have none
        model_encode(&model);
        assert_int_equal(proves(&model.entries), i == 0);
        model_done(&model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_shorter_or_longer_section_opens),
        cmocka_unit_test(flipped_bits_give_an_error_or_other_numbers),
        cmocka_unit_test(bytes_by_chance_give_an_error_or_other_numbers),
        cmocka_unit_test(skip_entries_that_say_something_else_are_noticed),
        cmocka_unit_test(bits_behind_a_block_are_noticed),
        cmocka_unit_test(bytes_between_blocks_are_noticed),
        cmocka_unit_test(blocks_that_are_not_full_are_noticed),
        cmocka_unit_test(impossible_numbers_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
