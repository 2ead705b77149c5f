// Division by structure: every code against a walk byte by byte, and its records against libcsv.
#include "base/bytes.h"
#include "ingest/memory.h"
#include "ingest/records_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROUNDS = 3000, TEXT_BYTES = 700, COLUMNS_MAX = 9, SLOTS = 5 };

static uint64_t random_state = 1;

static uint32_t roll(uint32_t sides)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((random_state >> 33) % sides);
}

// ---- the codes ----------------------------------------------------------------------------

// As split.h tells it, one byte after the other.
static void walk(struct split *split, const char *text, size_t bytes)
{
    bool inside = false;
    char before = '\n'; // a record begins

    split->begins[0] = 0;
    split->begins_count = 1;
    split->ends_count = 0;
    split->marks_count = 0;
    for (size_t at = 0; at < bytes; at++) {
        char c = text[at];
        bool quote = split->quoted && c == '"';
        bool cut = (c == split->delimiter || c == '\n') && !inside;
        bool closed = split->quoted && !inside && before == '"';
        bool opens = quote && !inside;
        bool may_open = before == '"' || before == '\n' || before == split->delimiter;
        bool doubtful = c == '\0' || (at > 0 && text[at - 1] == '\r' && c != '\n') ||
                        (opens && !may_open) || (closed && !cut && c != '\r' && !quote);
        if (doubtful || (c == '\n' && inside)) {
            split->marks[split->marks_count++] = (uint16_t)(2 * at + doubtful);
        }
        if (cut) {
            split->begins[split->begins_count++] = (uint16_t)(at + 1);
        }
        if (cut && c == '\n') {
            split->ends[split->ends_count++] = (uint16_t)(split->begins_count - 1);
        }
        inside = quote ? !inside : inside;
        before = c;
    }
}

static void assert_same(const uint16_t *got, size_t got_count, const uint16_t *want,
                        size_t want_count)
{
    assert_int_equal(got_count, want_count);
    assert_memory_equal(got, want, want_count * sizeof *want);
}

static void assert_divided(const char *text, size_t bytes, char delimiter, bool quoted)
{
    static struct split want;
    static struct split got;

    want.delimiter = delimiter;
    want.quoted = quoted;
    walk(&want, text, bytes);
    for (const struct split_code *const *code = split_codes(); *code; code++) {
        got.delimiter = delimiter;
        got.quoted = quoted;
        (*code)->run(&got, text, bytes);
        // Behind the end a code may doubt what is not there.
        while (got.marks_count > 0 && got.marks[got.marks_count - 1] >> 1 >= bytes) {
            got.marks_count--;
        }
        assert_same(got.begins, got.begins_count, want.begins, want.begins_count);
        assert_same(got.ends, got.ends_count, want.ends, want.ends_count);
        assert_same(got.marks, got.marks_count, want.marks, want.marks_count);
    }
}

static void every_code_finds_what_a_walk_finds(void **state)
{
    static const char bytes[] = {',', '"', '\n', '\r', ' ', 'a', '\0', ';', '\xff', '\x80', '\x8a'};
    char text[TEXT_BYTES];

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        size_t count = roll(TEXT_BYTES + 1);
        uint32_t kinds = 1 + roll(sizeof bytes); // few kinds: dense; many: rare
        uint32_t letters = roll(40);
        for (size_t i = 0; i < count; i++) {
            text[i] = roll(letters + 1) > 0 ? 'x' : bytes[roll(kinds)];
        }
        assert_divided(text, count, round % 3 ? ',' : ';', round % 5 != 0);
    }
}

// All positions are used, and the arrays hold as much as there can be.
static void whole_windows_of_one_byte_fit(void **state)
{
    static char text[SPLIT_BYTES_MAX];

    (void)state;
    for (const char *c = ",\n\"\r xyz"; *c; c++) {
        memset(text, *c, sizeof text);
        assert_divided(text, sizeof text, ',', true);
        assert_divided(text, sizeof text, ',', false);
        assert_divided(text, sizeof text - 1, ',', true);
    }
    memset(text, '\0', sizeof text);
    assert_divided(text, sizeof text, ',', true);
}

// ---- records ------------------------------------------------------------------------------

struct table {
    struct bytes text;
    struct records_dialect dialect;
    struct ingest_limits limits;
    size_t columns;
};

static void put_ugly_field(struct bytes *out)
{
    static const char *const fields[] = {
        "a",          "12",         "",         "\"\"",       "\"q\"",      "\"a,b;c\td|e\"",
        "\"l\nine\"", "\"l\r\nf\"", "\"l\rf\"", "\"d\"\"q\"", "\"\"\"\"",   " blank ",
        "\tt\t",      " \"q\"",     "\"q\" ",   "\"q\"x",     "q\"x",       "\"open",
        "\"a\"\"",    "\xc3\xa9",   "\xff",     "x y",        "2020-01-01", "c\rr",
    };
    uint32_t kind = roll(40);

    if (kind < sizeof fields / sizeof *fields) {
        bytes_put(out, fields[kind], strlen(fields[kind]));
    } else if (kind == 38) {
        bytes_put_u8(out, '\0');
    } else {
        size_t count = roll(kind == 39 ? 3000 : 20);
        for (size_t i = 0; i < count; i++) {
            bytes_put_u8(out, (uint8_t)('a' + roll(26)));
        }
    }
}

static void put_field(struct bytes *out, uint32_t ugly)
{
    static const char *const fields[] = {"a",
                                         "17",
                                         "2020-01-01",
                                         "\"quoted\"",
                                         "\"two\nlines\"",
                                         "",
                                         "\"with \"\"doubled\"\" quotes\"",
                                         "plain text"};

    if (roll(1000) < ugly) {
        put_ugly_field(out);
    } else {
        const char *field = fields[roll(sizeof fields / sizeof *fields)];
        bytes_put(out, field, strlen(field));
    }
}

static void put_record(struct table *table, uint32_t ugly)
{
    static const char *const ends[] = {"\n", "\n", "\r\n", "\r", "\n\n", "\r\n \r\n"};
    size_t columns = table->columns + (roll(1000) < ugly ? roll(3) : 1) - 1;

    for (size_t i = 0; i < columns; i++) {
        if (i > 0) {
            bytes_put_u8(&table->text, table->dialect.delimiter);
        }
        put_field(&table->text, ugly);
    }
    const char *end = ends[roll(1000) < ugly ? roll(6) : (uint32_t)(table->columns % 2) * 2];
    bytes_put(&table->text, end, strlen(end));
}

// Any table, from one that is plain all through to one that is nothing but ugly.
static struct table make_table(void)
{
    static const uint32_t uglinesses[] = {0, 2, 20, 200, 1000};
    static const size_t maxima[][2] = {
        {1 << 20, 4 << 20}, {1 << 20, 4 << 20}, {60, 4096}, {200, 120}};
    const size_t *max = maxima[roll(4)];
    struct table table = {
        .dialect = {.delimiter = (unsigned char)",\t;|"[roll(4)], .quoted = roll(8) > 0},
        .limits = ingest_limits_default,
        .columns = 1 + roll(COLUMNS_MAX),
    };
    uint32_t ugly = uglinesses[roll(5)];
    uint32_t count = roll(120);

    table.limits.field_bytes_max = max[0];
    table.limits.record_bytes_max = max[1];
    bytes_init(&table.text);
    for (size_t i = 0; i < table.columns; i++) {
        bytes_put(&table.text, "h", 1);
        bytes_put_u8(&table.text, i + 1 < table.columns ? table.dialect.delimiter : '\n');
    }
    for (uint32_t i = 0; i < count; i++) {
        put_record(&table, ugly);
    }
    if (roll(3) == 0 && table.text.count > 4 * COLUMNS_MAX) {
        table.text.count -= 1 + roll(2); // the last record has no end
    }
    return table;
}

static void put_step(struct bytes *out, enum records_step step, const struct record *record,
                     size_t slots_from)
{
    bytes_put_u8(out, (uint8_t)step);
    if (step == RECORDS_END || step == RECORDS_ERROR) {
        return;
    }
    bytes_put_u64(out, record->line);
    bytes_put_u64(out, record->offset);
    bytes_put_text(out, record->raw.at, record->raw.bytes);
    if (step == RECORDS_RECORD) {
        bytes_put_u8(out, record->unterminated);
        bytes_put_u64(out, record->fields_count);
        for (size_t i = slots_from; i < SLOTS; i++) {
            bytes_put_text(out, record->fields[i].at, record->fields[i].bytes);
        }
        return;
    }
    bytes_put_text(out, record->reason, strlen(record->reason));
    bytes_put_text(out, record->detail, strlen(record->detail));
}

// One record, or a few at once.
static enum records_step put_next(struct bytes *out, struct records *records, bool few,
                                  size_t slots_from)
{
    const struct record *given = NULL;
    struct tally_err err;
    size_t count = 1;
    enum records_step step =
        few ? records_next_few(records, &given, &count, &err) : records_next(records, &given, &err);

    assert_in_range(count, 1, step == RECORDS_RECORD ? RECORDS_FEW_MAX : 1);
    if (step == RECORDS_RECORD) {
        assert_int_equal(records_line(records), given->line);
    }
    for (size_t i = 0; i < count; i++) {
        put_step(out, step, &given[i], slots_from);
    }
    if (step != RECORDS_RECORD) {
        bytes_put_u64(out, records_line(records));
    }
    return step;
}

// Every second column, in a slot that is not its number.
static struct bytes read_table(const struct table *table, const struct split_code *code, bool few)
{
    struct memory memory = {.data = table->text.data, .count = table->text.count};
    static const int32_t slot[COLUMNS_MAX] = {4, -1, 3, -1, 2, -1, 1, -1, 0};
    size_t slots_from = SLOTS - (table->columns + 1) / 2;
    struct ingest_limits limits = table->limits;
    const struct record *record = NULL;
    enum records_step step;
    struct tally_err err;
    struct bytes out;

    bytes_init(&out);
    limits.parser = code ? INGEST_SPLIT : INGEST_LIBCSV;
    struct records *records = records_open(table->dialect, &limits, memory_pull, &memory, &err);
    assert_non_null(records);
    records->code = code;
    step = records_next(records, &record, &err);
    assert_int_equal(step, RECORDS_RECORD);
    assert_true(records_pick(records, slot, table->columns, SLOTS, &err));
    do {
        step = put_next(&out, records, few, slots_from);
    } while (step == RECORDS_RECORD || step == RECORDS_BROKEN);
    records_close(records);
    return out;
}

static void records_are_those_of_libcsv(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct table table = make_table();
        struct bytes want = read_table(&table, NULL, false);
        for (const struct split_code *const *code = split_codes(); *code; code++) {
            struct bytes got = read_table(&table, *code, round % 2);
            assert_int_equal(got.count, want.count);
            assert_memory_equal(got.data, want.data, want.count);
            bytes_done(&got);
        }
        bytes_done(&want);
        bytes_done(&table.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_finds_what_a_walk_finds),
        cmocka_unit_test(whole_windows_of_one_byte_fit),
        cmocka_unit_test(records_are_those_of_libcsv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
