// tests/fuzz/fuzz_records.c - any bytes as CSV records.
//
//   [dialect][limits][blocks][columns][text ...]
//
// Oracle: libcsv alone. Every record, every field of it, everything that is set aside, and where it
// stands are the same by structure, with the code of each kind of machine, whatever the sizes of
// the blocks in which the text comes and of the windows that are divided at once.
#include "base/bytes.h"
#include "ingest/records_private.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { CHOICES = 4, COLUMNS_MAX = 40, AGAIN_EACH = 5 };

struct input {
    const uint8_t *text;
    size_t bytes;
    struct records_dialect dialect;
    struct ingest_limits limits;
    size_t block; // the text comes in pieces of so many bytes
    bool fails;   // reading fails at the end
    bool again;   // now and then a record is asked for once more
    bool few;     // once columns are picked, records are asked for together
    unsigned columns;
};

struct feeding {
    const struct input *input;
    size_t at;
};

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static ssize_t pull(void *context, void *data, size_t count, struct tally_err *err)
{
    struct feeding *feeding = context;
    const struct input *input = feeding->input;
    size_t left = input->bytes - feeding->at;
    size_t taken = count < input->block ? count : input->block;

    taken = taken < left ? taken : left;
    if (taken == 0 && input->fails) {
        err_set(err, TALLY_IO, "made to fail");
        return -1;
    }
    if (taken > 0) {
        memcpy(data, input->text + feeding->at, taken);
    }
    feeding->at += taken;
    return (ssize_t)taken;
}

static void put_text(struct bytes *out, struct text text)
{
    bytes_put_text(out, text.at, text.bytes);
}

static void put_record(struct bytes *out, const struct record *record, enum records_step step,
                       size_t slots)
{
    bytes_put_u64(out, record->line);
    bytes_put_u64(out, record->offset);
    put_text(out, record->raw);
    if (step == RECORDS_RECORD) {
        bytes_put_u64(out, record->fields_count);
        bytes_put_u8(out, record->unterminated);
        for (size_t i = 0; i < slots; i++) {
            put_text(out, record->fields[i]);
        }
        return;
    }
    put_text(out, text_of(record->reason));
    put_text(out, text_of(record->detail));
}

// Binds the columns of the first record, each in its order or the other way round, or not at all.
// Gives the number of slots.
static size_t pick(struct records *records, unsigned pattern, size_t columns)
{
    int32_t slot[COLUMNS_MAX];
    struct tally_err err;
    size_t slots = 0;

    for (size_t i = 0; i < columns; i++) {
        size_t column = pattern & 1 ? columns - 1 - i : i;
        slot[column] = pattern >> (1 + i % 6) & 1 ? (int32_t)slots++ : -1;
    }
    require(records_pick(records, slot, columns, slots, &err));
    return slots;
}

static enum records_step put_few(struct bytes *out, struct records *records, size_t slots)
{
    const struct record *given = NULL;
    struct tally_err err;
    size_t count = 1;
    enum records_step step = records_next_few(records, &given, &count, &err);

    require(count >= 1 && count <= (step == RECORDS_RECORD ? RECORDS_FEW_MAX : 1));
    for (size_t i = 0; i < count; i++) {
        bytes_put_u8(out, (uint8_t)step);
        bytes_put_u64(out, step == RECORDS_RECORD ? given[i].line : records_line(records));
        if (step == RECORDS_ERROR) {
            put_text(out, text_of(err.message));
        } else if (step != RECORDS_END) {
            put_record(out, &given[i], step, slots);
        }
    }
    return step;
}

static void read_all(struct records *records, const struct input *input, struct bytes *out)
{
    const struct record *record = NULL;
    struct tally_err err;
    enum records_step step;
    bool picked = false;
    size_t slots = 0;
    size_t given = 0;

    do {
        if (picked && input->few) {
            step = put_few(out, records, slots);
            continue;
        }
        step = records_next(records, &record, &err);
        given++;
        bytes_put_u8(out, (uint8_t)step);
        bytes_put_u64(out, records_line(records));
        if (step == RECORDS_ERROR) {
            put_text(out, text_of(err.message));
        } else if (step != RECORDS_END) {
            put_record(out, record, step, picked ? slots : record->fields_count);
            if (!picked && step == RECORDS_RECORD && record->fields_count <= COLUMNS_MAX) {
                slots = pick(records, input->columns, record->fields_count);
                picked = true;
            }
        }
        if (input->again && step == RECORDS_RECORD && given % AGAIN_EACH == 0) {
            records_again(records);
        }
    } while (step == RECORDS_RECORD || step == RECORDS_BROKEN);
}

// What comes out, in bytes. `code` NULL: of libcsv.
static struct bytes outcome_of(const struct input *input, const struct split_code *code,
                               size_t window_bytes)
{
    struct feeding feeding = {.input = input};
    struct ingest_limits limits = input->limits;
    struct tally_err err;
    struct bytes out;

    bytes_init(&out);
    limits.parser = code ? INGEST_SPLIT : INGEST_LIBCSV;
    struct records *records = records_open(input->dialect, &limits, pull, &feeding, &err);
    require(records);
    if (code) {
        records->code = code;
        records->window_bytes = window_bytes;
    }
    read_all(records, input, &out);
    records_close(records);
    require(out.ok);
    return out;
}

static void compare(const struct input *input, const struct split_code *code, size_t window_bytes,
                    const struct bytes *want)
{
    struct bytes got = outcome_of(input, code, window_bytes);

    require(got.count == want->count && memcmp(got.data, want->data, got.count) == 0);
    bytes_done(&got);
}

static struct input read_choices(const uint8_t *data, size_t bytes)
{
    static const unsigned char delimiters[] = {',', '\t', ';', '|'};
    static const size_t maxima[][2] = {{1 << 20, 4 << 20}, {200, 300},     {20, 60},
                                       {64, 64},           {1 << 20, 100}, {10, 4096}};
    struct input input = {
        .text = data + CHOICES,
        .bytes = bytes - CHOICES,
        .dialect = {.delimiter = delimiters[data[0] % 4], .quoted = !(data[0] & 4)},
        .limits = ingest_limits_default,
        .fails = data[0] & 8,
        .again = data[0] & 16,
        .few = data[0] & 32,
        .block = 1 + (size_t)data[2],
        .columns = data[3],
    };
    const size_t *max = maxima[data[1] % (sizeof maxima / sizeof *maxima)];

    input.limits.field_bytes_max = max[0];
    input.limits.record_bytes_max = max[1];
    input.limits.columns_max = data[1] & 64 ? 3 : COLUMNS_MAX;
    return input;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < CHOICES) {
        return 0;
    }
    struct input input = read_choices(data, bytes);
    size_t block = input.block;

    input.block = SIZE_MAX;
    struct bytes want = outcome_of(&input, NULL, 0);
    for (const struct split_code *const *code = split_codes(); *code; code++) {
        compare(&input, *code, 1024, &want);
    }
    compare(&input, split_code(), SPLIT_BLOCK_BYTES, &want);
    input.block = block;
    compare(&input, split_code(), SPLIT_BLOCK_BYTES, &want);
    compare(&input, &split_code_portable, 1024, &want);
    compare(&input, NULL, 0, &want);
    bytes_done(&want);
    return 0;
}
