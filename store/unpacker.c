#include "store/unpacker.h"

#include "base/pages.h"
#include "store/rows.h"

#include <assert.h>
#include <stdlib.h>

void unpacker_init(struct unpacker *unpacker, struct state *state)
{
    *unpacker = (struct unpacker){.state = state};
    bytes_init(&unpacker->payloads);
}

void unpacker_done(struct unpacker *unpacker)
{
    free(unpacker->names.code);
    free(unpacker->texts.code);
    free(unpacker->values.code);
    for (unsigned i = 0; i < TEAM_PARTS_MAX; i++) {
        free(unpacker->core[i]);
    }
    for (unsigned i = 0; i < UNPACKER_ROOMS; i++) {
        free(unpacker->room[i].row);
        free(unpacker->room[i].dims);
        free(unpacker->room[i].slice);
    }
    bytes_done(&unpacker->payloads);
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

    unpacker->shape = shape;
    unpacker->names.count = 0;
    unpacker->texts.count = 0;
    unpacker->values.count = 0;
    unpacker->frames = 0;
    unpacker->rows = 0;
    bytes_clear(&unpacker->payloads);
    return state_take_values(state, state->shape[shape]->measures_count, 0, no_measures, &values,
                             err) &&
           add_code(&unpacker->names, 0, err) && add_code(&unpacker->texts, 0, err) &&
           add_code(&unpacker->values, values, err);
}

// ---- rows ---------------------------------------------------------------------------------

bool unpacker_put_rows(struct unpacker *unpacker, const struct ledger_frame *frame,
                       struct tally_err *err)
{
    struct cursor in = frame->payload;
    uint64_t rows = cursor_take_varint(&in);

    assert(unpacker->frames < UNPACKER_FRAMES_MAX);
    if (!in.ok || rows > COLUMNS_ROWS_MAX) {
        return malformed("rows", err);
    }
    unpacker->waiting[unpacker->frames++] = (struct unpacker_frame){
        .frame = *frame,
        .payload_at = unpacker->payloads.count,
        .names = unpacker->names.count,
        .texts = unpacker->texts.count,
        .values = unpacker->values.count,
        .row = unpacker->rows,
    };
    unpacker->rows += (uint32_t)rows;
    bytes_put(&unpacker->payloads, frame->payload.at, cursor_left(&frame->payload));
    return unpacker->payloads.ok
               ? true
               : err_set(err, TALLY_NO_MEMORY, "no memory for the rows of a batch");
}

// The numbers of a row are read where they stand: copied together, they would be stored one by one
// and loaded in pairs, and each pair would wait for its stores.
static uint64_t at(const struct columns *columns, enum column column, uint32_t index)
{
    return columns->value[column][index];
}

static bool is_sound(const struct unpacker_frame *frame, const struct columns *columns, uint32_t i)
{
    uint64_t kind = at(columns, COLUMN_REVISION_KIND, i);
    int64_t first_day = (int64_t)at(columns, COLUMN_FIRST_DAY, i);

    return at(columns, COLUMN_OP, i) <= ROWS_KEEP && at(columns, COLUMN_HEAD, i) < frame->names &&
           at(columns, COLUMN_NUMBER, i) <= UINT32_MAX && kind <= REVISION_TEXT &&
           (kind != REVISION_TEXT || at(columns, COLUMN_REVISION, i) < frame->names) &&
           first_day >= DAY_MIN && first_day <= DAY_MAX &&
           at(columns, COLUMN_LASTS, i) <= (uint64_t)(DAY_MAX - first_day) &&
           at(columns, COLUMN_VALUES, i) < frame->values;
}

// One column of dimensions: its codes or'ed, or false.
static bool take_dim(const struct unpacker *unpacker, const struct unpacker_frame *frame,
                     const struct columns *columns, uint32_t dim, uint32_t *out_codes)
{
    const uint64_t *value = columns->value[COLUMN_DIMS + dim];
    uint32_t *to =
        unpacker->room[unpacker->at].dims + (size_t)frame->row * columns->dims_count + dim;
    uint32_t codes = 0;

    for (uint32_t i = 0; i < columns->count; i++, to += columns->dims_count) {
        if (value[i] >= frame->texts) {
            return false;
        }
        *to = unpacker->texts.code[value[i]];
        codes |= *to;
    }
    *out_codes |= codes;
    return true;
}

// What one core does: some of the frames.
struct share {
    struct incidents_need need;
    bool others;                        // not only ROWS_PUT
    const struct unpacker_frame *wrong; // the first one of them that is malformed
    const char *what;                   // of it
};

static int64_t take_revision(const struct unpacker *unpacker, const struct columns *columns,
                             uint32_t i, struct incidents_need *need)
{
    uint64_t kind = at(columns, COLUMN_REVISION_KIND, i);
    uint64_t given = at(columns, COLUMN_REVISION, i);
    int64_t revision = kind == REVISION_TEXT   ? unpacker->names.code[given]
                       : kind == REVISION_NONE ? 0
                                               : (int64_t)given;
    uint32_t bytes = incidents_revision_bytes(kind != REVISION_NONE, revision);

    if (bytes > need->revision_bytes) {
        need->revision_bytes = bytes;
    }
    return revision;
}

static void take_row(const struct unpacker *unpacker, const struct unpacker_frame *frame,
                     const struct columns *columns, uint32_t i, struct share *share,
                     struct state_row *out)
{
    const uint32_t *dims = unpacker->room[unpacker->at].dims;
    int32_t first_day = (int32_t)(int64_t)at(columns, COLUMN_FIRST_DAY, i);

    out->revision = take_revision(unpacker, columns, i, &share->need);
    out->dims = dims + (size_t)(frame->row + i) * columns->dims_count;
    out->values = unpacker->values.code[at(columns, COLUMN_VALUES, i)];
    out->first_day = first_day;
    out->last_day = first_day + (int32_t)at(columns, COLUMN_LASTS, i);
    out->record = (uint32_t)at(columns, COLUMN_RECORD, i);
    out->line = (uint32_t)at(columns, COLUMN_LINE, i);
    out->op = (uint8_t)at(columns, COLUMN_OP, i);
    out->revision_kind = (uint8_t)at(columns, COLUMN_REVISION_KIND, i);
    share->others |= out->op != ROWS_PUT;
}

// Ids and their parts, of which follows how many rows each lane gets. False: a row is not sound.
static bool take_ids(const struct unpacker *unpacker, const struct unpacker_frame *frame,
                     struct unpacker_core *core, unsigned lanes, struct state_slice *slice)
{
    const struct columns *columns = &core->columns;

    for (uint32_t i = 0; i < columns->count; i++) {
        if (!is_sound(frame, columns, i)) {
            return false;
        }
        core->id[i] = id_code(unpacker->names.code[at(columns, COLUMN_HEAD, i)],
                              (uint32_t)at(columns, COLUMN_NUMBER, i));
        core->part[i] = incidents_part(core->id[i]);
        slice->of_part[core->part[i]]++;
        slice->count[state_lane(core->part[i], lanes)]++;
    }
    return true;
}

// Rows of one frame, lane behind lane.
static void place_rows(const struct unpacker *unpacker, const struct unpacker_frame *frame,
                       const struct unpacker_core *core, unsigned lanes, struct share *share,
                       struct state_slice *slice)
{
    struct state_row *row = unpacker->room[unpacker->at].row + frame->row;
    uint32_t placed[TEAM_PARTS_MAX] = {0};
    uint32_t values = 0;
    uint32_t lasts = 0;

    for (unsigned lane = 0; lane < lanes; lane++) {
        slice->row[lane] = row;
        row += slice->count[lane];
    }
    for (uint32_t i = 0; i < core->columns.count; i++) {
        unsigned lane = state_lane(core->part[i], lanes);
        struct state_row *to = &slice->row[lane][placed[lane]++];
        to->id = core->id[i];
        take_row(unpacker, frame, &core->columns, i, share, to);
        values |= to->values;
        lasts |= state_row_lasts(to);
    }
    share->need.codes[INCIDENTS_VALUES] |= values;
    share->need.codes[INCIDENTS_LASTS] |= lasts;
}

// NULL, or what is malformed.
static const char *take_frame(const struct unpacker *unpacker, const struct unpacker_frame *frame,
                              struct unpacker_core *core, unsigned lanes, struct share *share,
                              struct state_slice *slice)
{
    struct incidents_need *need = &share->need;

    *slice = (struct state_slice){0};
    if (!columns_decode(&core->columns, need->columns - INCIDENTS_DIM,
                        cursor_over(unpacker->payloads.data + frame->payload_at,
                                    cursor_left(&frame->frame.payload)))) {
        return "rows";
    }
    for (uint32_t i = 0; i < core->columns.dims_count; i++) {
        if (!take_dim(unpacker, frame, &core->columns, i, &need->codes[INCIDENTS_DIM + i])) {
            return "row";
        }
    }
    if (!take_ids(unpacker, frame, core, lanes, slice)) {
        return "row";
    }
    place_rows(unpacker, frame, core, lanes, share, slice);
    return NULL;
}

struct sharing {
    const struct unpacker *unpacker;
    unsigned parts;
    unsigned lanes;
    atomic_uint next;              // frame that nobody has taken
    struct state_applying *beside; // or NULL
    struct share share[TEAM_PARTS_MAX];
};

static void take_part(void *context, unsigned part)
{
    struct sharing *sharing = context;
    const struct unpacker *unpacker = sharing->unpacker;
    struct share *share = &sharing->share[part];
    unsigned i;

    while (!share->wrong && (i = atomic_fetch_add(&sharing->next, 1)) < unpacker->frames) {
        const struct unpacker_frame *frame = &unpacker->waiting[i];
        share->what = take_frame(unpacker, frame, unpacker->core[part], sharing->lanes, share,
                                 &unpacker->room[unpacker->at].slice[i]);
        share->wrong = share->what ? frame : NULL;
    }
    if (sharing->beside) {
        state_rows_apply(sharing->beside, part);
    }
}

static bool reserve_rows(struct unpacker *unpacker, size_t dims_count, unsigned parts)
{
    struct unpacker_room *room = &unpacker->room[unpacker->at];
    size_t rows = unpacker->rows + (size_t)1;
    size_t dims = unpacker->rows * dims_count + 1;
    bool ok = true;

    if (rows > room->rows_capacity) {
        free(room->row);
        room->row = pages_alloc_passing(rows * sizeof *room->row);
        room->rows_capacity = room->row ? rows : 0;
        ok = room->row;
    }
    if (ok && dims > room->dims_capacity) {
        free(room->dims);
        room->dims = malloc(dims * sizeof *room->dims);
        room->dims_capacity = room->dims ? dims : 0;
        ok = room->dims;
    }
    if (ok && unpacker->frames > room->slices_capacity) {
        free(room->slice);
        room->slice = malloc(unpacker->frames * sizeof *room->slice);
        room->slices_capacity = room->slice ? unpacker->frames : 0;
        ok = room->slice;
    }
    for (unsigned i = 0; ok && i < parts; i++) {
        if (!unpacker->core[i]) {
            unpacker->core[i] = malloc(sizeof *unpacker->core[i]);
            ok = unpacker->core[i];
        }
    }
    return ok;
}

static void add_need(struct incidents_need *need, const struct incidents_need *more)
{
    if (more->revision_bytes > need->revision_bytes) {
        need->revision_bytes = more->revision_bytes;
    }
    for (uint32_t i = 0; i < need->columns; i++) {
        need->codes[i] |= more->codes[i];
    }
}

// Of the frames that are malformed, the one that stands first; NULL: none is.
static const struct share *wrong_share(const struct sharing *sharing)
{
    const struct share *first = NULL;

    for (unsigned i = 0; i < sharing->parts; i++) {
        const struct share *share = &sharing->share[i];
        if (share->wrong && (!first || share->wrong < first->wrong)) {
            first = share;
        }
    }
    return first;
}

bool unpacker_take_rows(struct unpacker *unpacker, struct state_applying *beside,
                        struct state_rows *out_rows, const struct ledger_frame **out_wrong,
                        struct tally_err *err)
{
    enum { FRAMES_LEAST = 2 };
    uint32_t dims_count = (uint32_t)unpacker->state->shape[unpacker->shape]->dims_count;
    unsigned parts = team_parts(unpacker->frames, FRAMES_LEAST);
    struct sharing sharing = {.unpacker = unpacker,
                              .parts = parts,
                              .lanes = parts > 1 ? TEAM_PARTS_MAX : 1,
                              .beside = beside};
    struct state_rows rows = {.slices = unpacker->frames,
                              .lanes = sharing.lanes,
                              .puts_only = true,
                              .count = unpacker->rows,
                              .need = {.columns = INCIDENTS_DIM + dims_count}};

    *out_wrong = NULL;
    if (!reserve_rows(unpacker, dims_count, parts)) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for the rows of a batch");
    }
    rows.slice = unpacker->room[unpacker->at].slice;
    for (unsigned i = 0; i < parts; i++) {
        sharing.share[i].need.columns = rows.need.columns;
    }
    team_run(take_part, &sharing, parts);
    const struct share *wrong = wrong_share(&sharing);
    if (wrong) {
        *out_wrong = &wrong->wrong->frame;
        return malformed(wrong->what, err);
    }
    for (unsigned i = 0; i < parts; i++) {
        add_need(&rows.need, &sharing.share[i].need);
        rows.puts_only = rows.puts_only && !sharing.share[i].others;
    }
    *out_rows = rows;
    unpacker->at = (unpacker->at + 1) % UNPACKER_ROOMS;
    unpacker->frames = 0;
    unpacker->rows = 0;
    bytes_clear(&unpacker->payloads);
    return true;
}
