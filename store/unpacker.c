#include "store/unpacker.h"

#include "store/rows.h"

#include <stdlib.h>

void unpacker_init(struct unpacker *unpacker, struct state *state)
{
    *unpacker = (struct unpacker){.state = state};
}

void unpacker_done(struct unpacker *unpacker)
{
    free(unpacker->names.code);
    free(unpacker->texts.code);
    free(unpacker->values.code);
    free(unpacker->columns);
    *unpacker = (struct unpacker){0};
}

static bool malformed(const char *what, struct tally_err *err)
{
    return err_set(err, TALLY_CORRUPT, "malformed %s", what);
}

// ---- codes --------------------------------------------------------------------------------

static bool add_code(struct unpacker_codes *codes, uint32_t code, struct tally_err *err)
{
    if (codes->count == codes->capacity) {
        uint32_t capacity = codes->capacity ? codes->capacity * 2 : 256;
        uint32_t *grown = realloc(codes->code, capacity * sizeof *grown);
        if (!grown) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for the codes of a batch");
        }
        codes->code = grown;
        codes->capacity = capacity;
    }
    codes->code[codes->count++] = code;
    return true;
}

static bool take_text(struct texts *texts, struct unpacker_codes *codes, size_t bytes_max,
                      struct cursor *in, struct tally_err *err)
{
    size_t bytes = 0;
    const char *text = cursor_take_text(in, &bytes);
    uint32_t code;

    if (!text || bytes > bytes_max) {
        return malformed("text", err);
    }
    return texts_intern(texts, text, bytes, &code, NULL, err) && add_code(codes, code, err);
}

static bool take_values(struct unpacker *unpacker, struct cursor *in, struct tally_err *err)
{
    size_t measures_count = unpacker->state->shape[unpacker->shape]->measures_count;
    int64_t measures[SHAPE_MEASURES_MAX];
    uint64_t reported = cursor_take_varint(in);
    uint32_t values;

    for (size_t i = 0; i < measures_count; i++) {
        measures[i] = reported >> i & 1 ? cursor_take_zigzag(in) : 0;
    }
    if (!in->ok || (measures_count < 64 && reported >> measures_count != 0)) {
        return malformed("values", err);
    }
    return state_take_values(unpacker->state, measures_count, reported, measures, &values, err) &&
           add_code(&unpacker->values, values, err);
}

static bool take_code(struct unpacker *unpacker, enum ledger_kind kind, struct cursor *in,
                      struct tally_err *err)
{
    switch (kind) {
    case LEDGER_NAMES:
        return take_text(&unpacker->state->names, &unpacker->names, ID_BYTES_MAX, in, err);
    case LEDGER_TEXTS:
        return take_text(&unpacker->state->texts, &unpacker->texts, SIZE_MAX, in, err);
    default:
        return take_values(unpacker, in, err);
    }
}

bool unpacker_take_codes(struct unpacker *unpacker, enum ledger_kind kind, struct cursor payload,
                         struct tally_err *err)
{
    uint64_t count = cursor_take_varint(&payload);

    for (uint64_t i = 0; payload.ok && i < count; i++) {
        if (!take_code(unpacker, kind, &payload, err)) {
            return false;
        }
    }
    return payload.ok && cursor_left(&payload) == 0 ? true : malformed("codes", err);
}

// Code 0 of each kind: the empty text, and what a row without content has.
bool unpacker_begin(struct unpacker *unpacker, uint16_t shape, struct tally_err *err)
{
    static const int64_t no_measures[SHAPE_MEASURES_MAX];
    struct state *state = unpacker->state;
    uint32_t values;

    if (!unpacker->columns) {
        unpacker->columns = malloc(sizeof *unpacker->columns);
        if (!unpacker->columns) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for the rows of a frame");
        }
    }
    unpacker->shape = shape;
    unpacker->names.count = 0;
    unpacker->texts.count = 0;
    unpacker->values.count = 0;
    return state_take_values(state, state->shape[shape]->measures_count, 0, no_measures, &values,
                             err) &&
           add_code(&unpacker->names, 0, err) && add_code(&unpacker->texts, 0, err) &&
           add_code(&unpacker->values, values, err);
}

// ---- rows ---------------------------------------------------------------------------------

bool unpacker_take_rows(struct unpacker *unpacker, struct cursor payload, uint32_t *out_count,
                        struct tally_err *err)
{
    const struct shape *shape = unpacker->state->shape[unpacker->shape];

    if (!columns_decode(unpacker->columns, (uint32_t)shape->dims_count, payload)) {
        return malformed("rows", err);
    }
    *out_count = unpacker->columns->count;
    return true;
}

static bool is_sound(const struct unpacker *unpacker, const uint64_t value[COLUMN_DIMS])
{
    bool by_name = value[COLUMN_REVISION_KIND] == REVISION_TEXT;
    int64_t first_day = (int64_t)value[COLUMN_FIRST_DAY];

    return value[COLUMN_OP] <= ROWS_KEEP && value[COLUMN_HEAD] < unpacker->names.count &&
           value[COLUMN_NUMBER] <= UINT32_MAX && value[COLUMN_REVISION_KIND] <= REVISION_TEXT &&
           (!by_name || value[COLUMN_REVISION] < unpacker->names.count) && first_day >= DAY_MIN &&
           first_day <= DAY_MAX && value[COLUMN_LASTS] <= (uint64_t)(DAY_MAX - first_day) &&
           value[COLUMN_VALUES] < unpacker->values.count;
}

static bool take_dims(const struct unpacker *unpacker, uint32_t index, uint32_t *dims)
{
    for (uint32_t i = 0; i < unpacker->columns->dims_count; i++) {
        uint64_t text = unpacker->columns->value[COLUMN_DIMS + i][index];
        if (text >= unpacker->texts.count) {
            return false;
        }
        dims[i] = unpacker->texts.code[text];
    }
    return true;
}

bool unpacker_row(const struct unpacker *unpacker, uint32_t index, uint32_t dims[SHAPE_DIMS_MAX],
                  struct state_row *out_row, struct tally_err *err)
{
    uint64_t value[COLUMN_DIMS];

    for (int column = 0; column < COLUMN_DIMS; column++) {
        value[column] = unpacker->columns->value[column][index];
    }
    if (!is_sound(unpacker, value) || !take_dims(unpacker, index, dims)) {
        return malformed("row", err);
    }
    bool by_name = value[COLUMN_REVISION_KIND] == REVISION_TEXT;
    int32_t first_day = (int32_t)(int64_t)value[COLUMN_FIRST_DAY];
    *out_row = (struct state_row){
        .op = (uint8_t)value[COLUMN_OP],
        .revision_kind = (enum revision_kind)value[COLUMN_REVISION_KIND],
        .id = id_code(unpacker->names.code[value[COLUMN_HEAD]], (uint32_t)value[COLUMN_NUMBER]),
        .revision = by_name ? unpacker->names.code[value[COLUMN_REVISION]]
                            : (int64_t)value[COLUMN_REVISION],
        .dims = dims,
        .values = unpacker->values.code[value[COLUMN_VALUES]],
        .first_day = first_day,
        .last_day = first_day + (int32_t)value[COLUMN_LASTS],
        .record = value[COLUMN_RECORD],
        .line = value[COLUMN_LINE]};
    return true;
}
