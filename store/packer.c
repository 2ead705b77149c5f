#include "store/packer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRAME_BYTES = 256 * 1024,  // a frame is closed behind this
    SEEN_BYTES_MAX = 32 << 20, // of one dictionary; behind this it begins anew
};

static bool no_memory(struct tally_err *err)
{
    return err_set(err, TALLY_NO_MEMORY, "no memory for a batch");
}

// ---- dictionaries -------------------------------------------------------------------------

static void dictionary_done(struct packer_dictionary *dictionary)
{
    texts_done(&dictionary->seen);
    free(dictionary->entry);
    bytes_done(&dictionary->frame);
    *dictionary = (struct packer_dictionary){0};
}

// Nothing has been seen; codes that were given stay given. The empty text is code 0 of all.
static bool dictionary_forget(struct packer_dictionary *dictionary, struct tally_err *err)
{
    if (dictionary->seen.slots > 0 && dictionary->seen.count <= 1) {
        return true;
    }
    texts_done(&dictionary->seen);
    memset(dictionary->recent, 0, sizeof dictionary->recent);
    return texts_init(&dictionary->seen,
                      dictionary->kind == LEDGER_VALUES ? TEXTS_ALIGNED : TEXTS_UNALIGNED, err);
}

static bool dictionary_init(struct packer_dictionary *dictionary, enum ledger_kind kind,
                            struct tally_err *err)
{
    *dictionary = (struct packer_dictionary){.kind = kind, .capacity = 64};
    bytes_init(&dictionary->frame);
    dictionary->entry = malloc(dictionary->capacity * sizeof *dictionary->entry);
    if (!dictionary->entry) {
        return no_memory(err);
    }
    dictionary->entry[0] = (struct packer_entry){.known = 0, .written = 1};
    return dictionary_forget(dictionary, err);
}

static bool dictionary_begin(struct packer_dictionary *dictionary, struct tally_err *err)
{
    bytes_clear(&dictionary->frame);
    dictionary->in_frame = 0;
    dictionary->written = 1;
    return dictionary_forget(dictionary, err);
}

static bool reserve_entry(struct packer_dictionary *dictionary, struct tally_err *err)
{
    if (dictionary->seen.count < dictionary->capacity) {
        return true;
    }
    uint32_t capacity = dictionary->capacity * 2;
    struct packer_entry *entry = realloc(dictionary->entry, capacity * sizeof *entry);
    if (!entry) {
        return no_memory(err);
    }
    dictionary->entry = entry;
    dictionary->capacity = capacity;
    return true;
}

// *out_new: its entry wants to know the state's code. `key` is any number that the bytes decide:
// what rows repeat is found by it without a hash.
static bool see(struct packer_dictionary *dictionary, uint64_t key, const void *data, size_t bytes,
                uint32_t *out_place, bool *out_new, struct tally_err *err)
{
    uint32_t *recent = &dictionary->recent[key % PACKER_RECENT];
    const struct texts_entry *entry = texts_get(&dictionary->seen, *recent);

    if (entry->bytes == bytes && memcmp(entry->text, data, bytes) == 0) {
        *out_place = *recent;
        *out_new = false;
        return true;
    }
    if (!reserve_entry(dictionary, err) ||
        !texts_intern(&dictionary->seen, data, bytes, out_place, out_new, err)) {
        return false;
    }
    *recent = *out_place;
    if (*out_new) {
        dictionary->entry[*out_place] = (struct packer_entry){.known = PACKER_UNKNOWN};
    }
    return true;
}

static uint64_t key_of_text(const char *text, size_t bytes)
{
    return bytes > 0 ? (unsigned char)text[0] * 31U + (unsigned char)text[bytes - 1] * 7U + bytes
                     : 0;
}

// The code that the batch gives to what stands at a place and was not written yet.
static uint32_t next_code(struct packer_dictionary *dictionary, uint32_t place)
{
    struct packer_entry *entry = &dictionary->entry[place];

    entry->written = ++dictionary->written;
    dictionary->in_frame++;
    return entry->written - 1;
}

static uint32_t write_new_text(struct packer_dictionary *dictionary, uint32_t place)
{
    const struct texts_entry *text = texts_get(&dictionary->seen, place);

    bytes_put_text(&dictionary->frame, text->text, text->bytes);
    return next_code(dictionary, place);
}

static uint32_t write_new_values(struct packer_dictionary *dictionary, uint32_t place)
{
    const struct texts_entry *values = texts_get(&dictionary->seen, place);
    const int64_t *part = (const int64_t *)(const void *)values->text; // reported, measures

    bytes_put_varint(&dictionary->frame, (uint64_t)part[0]);
    for (size_t i = 0; i < values->bytes / sizeof *part - 1; i++) {
        if ((uint64_t)part[0] >> i & 1) {
            bytes_put_zigzag(&dictionary->frame, part[1 + i]);
        }
    }
    return next_code(dictionary, place);
}

// The code in the batch of what stands at a place. When it is new, what it stands for goes into
// the frame.
static inline uint32_t write_text(struct packer_dictionary *dictionary, uint32_t place)
{
    uint32_t written = dictionary->entry[place].written;

    return written ? written - 1 : write_new_text(dictionary, place);
}

static inline uint32_t write_values(struct packer_dictionary *dictionary, uint32_t place)
{
    uint32_t written = dictionary->entry[place].written;

    return written ? written - 1 : write_new_values(dictionary, place);
}

// ---- frames -------------------------------------------------------------------------------

static bool put_dictionary(struct packer *packer, struct packer_dictionary *dictionary,
                           struct tally_err *err)
{
    if (dictionary->in_frame == 0) {
        return true;
    }
    bytes_clear(&packer->payload);
    bytes_put_varint(&packer->payload, dictionary->in_frame);
    bytes_put(&packer->payload, dictionary->frame.data, dictionary->frame.count);
    packer->payload.ok = packer->payload.ok && dictionary->frame.ok;
    dictionary->in_frame = 0;
    bytes_clear(&dictionary->frame);
    return ledger_append(packer->ledger, dictionary->kind, packer->batch, &packer->payload, err);
}

// What a code stands for is in the ledger before what uses the code.
static bool put_dictionaries(struct packer *packer, struct tally_err *err)
{
    return put_dictionary(packer, &packer->names, err) &&
           put_dictionary(packer, &packer->texts, err) &&
           put_dictionary(packer, &packer->values, err);
}

bool packer_flush(struct packer *packer, struct tally_err *err)
{
    if (!put_dictionaries(packer, err)) {
        return false;
    }
    if (packer->columns->count == 0) {
        return true;
    }
    bytes_clear(&packer->payload);
    columns_encode(packer->columns, &packer->payload);
    packer->columns->count = 0;
    return ledger_append(packer->ledger, LEDGER_ROWS, packer->batch, &packer->payload, err);
}

static bool frames_are_full(const struct packer *packer)
{
    return packer->columns->count == COLUMNS_ROWS_MAX || packer->names.frame.count > FRAME_BYTES ||
           packer->texts.frame.count > FRAME_BYTES || packer->values.frame.count > FRAME_BYTES;
}

static void set(struct columns *columns, enum column column, uint64_t value)
{
    columns->value[column][columns->count] = value;
}

bool packer_put(struct packer *packer, const struct packer_row *row, struct tally_err *err)
{
    struct columns *columns = packer->columns;
    bool put = row->op == ROWS_PUT;
    bool by_name = row->revision.kind == REVISION_TEXT;
    uint64_t revision =
        by_name ? write_text(&packer->names, row->revision_name) : (uint64_t)row->revision.number;

    set(columns, COLUMN_OP, row->op);
    set(columns, COLUMN_HEAD, write_text(&packer->names, row->head));
    set(columns, COLUMN_NUMBER, row->number);
    set(columns, COLUMN_RECORD, row->record);
    set(columns, COLUMN_LINE, row->line);
    set(columns, COLUMN_REVISION_KIND, row->revision.kind);
    set(columns, COLUMN_REVISION, row->revision.kind == REVISION_NONE ? 0 : revision);
    set(columns, COLUMN_FIRST_DAY, put ? (uint64_t)row->first_day : 0);
    set(columns, COLUMN_LASTS, put ? (uint64_t)(row->last_day - row->first_day) : 0);
    set(columns, COLUMN_VALUES, put ? write_values(&packer->values, row->values) : 0);
    for (uint32_t i = 0; i < columns->dims_count; i++) {
        columns->value[COLUMN_DIMS + i][columns->count] =
            put ? write_text(&packer->texts, row->dims[i]) : 0;
    }
    columns->count++;
    packer->rows++;
    return !frames_are_full(packer) || packer_flush(packer, err);
}

// ---- looking up ---------------------------------------------------------------------------

static bool see_name(struct packer *packer, const char *text, size_t bytes, uint32_t *out_place,
                     struct tally_err *err)
{
    struct packer_dictionary *names = &packer->names;
    bool is_new;

    if (!see(names, key_of_text(text, bytes), text, bytes, out_place, &is_new, err)) {
        return false;
    }
    if (is_new) {
        struct packer_entry *entry = &names->entry[*out_place];
        (void)texts_find(&packer->state->names, text, bytes, &entry->known);
    }
    return true;
}

static bool see_values(struct packer *packer, size_t measures_count, uint64_t reported,
                       const int64_t *measures, uint32_t *out_place, struct tally_err *err)
{
    struct packer_dictionary *dictionary = &packer->values;
    int64_t values[1 + SHAPE_MEASURES_MAX];
    uint64_t key = reported;
    bool is_new;

    values[0] = (int64_t)reported;
    for (size_t i = 0; i < measures_count; i++) {
        values[1 + i] = measures[i];
        key = key * 13 + (uint64_t)measures[i];
    }
    if (!see(dictionary, key, values, (1 + measures_count) * sizeof *values, out_place, &is_new,
             err)) {
        return false;
    }
    if (is_new) {
        (void)state_find_values(packer->state, measures_count, reported, measures,
                                &dictionary->entry[*out_place].known);
    }
    return true;
}

// What a file repeats without end is seen anew at times, and written again.
static bool make_room(struct packer *packer, struct tally_err *err)
{
    struct packer_dictionary *const all[] = {&packer->names, &packer->values};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i]->seen.arena.used_bytes > SEEN_BYTES_MAX && !dictionary_forget(all[i], err)) {
            return false;
        }
    }
    return true;
}

bool packer_look_up(struct packer *packer, const struct rows *rows, size_t index,
                    struct packer_row *out_row, struct tally_err *err)
{
    const struct shape *shape = rows->shape;
    const struct row *row = &rows->row[index];
    const uint32_t *codes = rows_dims(rows, index);
    const char *id = rows_text(rows, row->id);
    struct id_parts parts = id_split(id, row->id.bytes);

    out_row->op = (uint8_t)row->op;
    out_row->number = parts.number;
    out_row->revision = rows_revision(rows, index);
    out_row->record = row->record;
    out_row->line = row->line;
    out_row->first_day = row->first_day;
    out_row->last_day = row->last_day;
    if (out_row->revision.kind == REVISION_TEXT &&
        !see_name(packer, out_row->revision.text, out_row->revision.bytes, &out_row->revision_name,
                  err)) {
        return false;
    }
    if (!see_name(packer, id, parts.head_bytes, &out_row->head, err)) {
        return false;
    }
    if (row->op != ROWS_PUT) {
        return true;
    }
    for (size_t i = 0; i < shape->dims_count; i++) {
        assert(codes[i] < packer->places_count[i]);
        out_row->dims[i] = packer->place[i][codes[i]];
    }
    return see_values(packer, shape->measures_count, row->reported, rows_measures(rows, index),
                      &out_row->values, err);
}

typedef void expect(const struct incidents *incidents, uint64_t id);

static void expect_row(const struct packer *packer, const struct packer_row *row, uint32_t feed,
                       expect *ask)
{
    uint32_t head = packer->names.entry[row->head].known;

    if (head != PACKER_UNKNOWN) {
        ask(&packer->state->feed[feed].incidents, id_code(head, row->number));
    }
}

void packer_expect(const struct packer *packer, const struct packer_row *row, uint32_t feed)
{
    expect_row(packer, row, feed, incidents_prefetch);
}

void packer_expect_soon(const struct packer *packer, const struct packer_row *row, uint32_t feed)
{
    expect_row(packer, row, feed, incidents_prefetch_row);
}

struct incident *packer_find(const struct packer *packer, const struct packer_row *row,
                             uint32_t feed)
{
    uint32_t head = packer->names.entry[row->head].known;

    return head == PACKER_UNKNOWN
               ? NULL
               : incidents_find(&packer->state->feed[feed].incidents, id_code(head, row->number));
}

bool packer_equals(const struct packer *packer, const struct packer_row *row,
                   const struct incident *incident)
{
    const struct revision kept = incident_revision(packer->state, incident);

    if (incident->shape != packer->shape) {
        return false;
    }
    for (uint32_t i = 0; i < packer->columns->dims_count; i++) {
        if (incident_dim(packer->state, incident, i) != packer_known_text(packer, row->dims[i])) {
            return false;
        }
    }
    return incident_values(packer->state, incident) == packer->values.entry[row->values].known &&
           incident_first_day(incident) == row->first_day &&
           incident_last_day(packer->state, incident) == row->last_day &&
           kept.kind == row->revision.kind && revision_compare(&kept, &row->revision) == 0;
}

uint32_t packer_known_text(const struct packer *packer, uint32_t place)
{
    return packer->texts.entry[place].known;
}

bool packer_put_withdrawal(struct packer *packer, const struct incident *incident,
                           struct tally_err *err)
{
    const struct texts_entry *head = texts_get(&packer->state->names, id_head(incident->id));
    struct packer_row row = {.op = ROWS_WITHDRAW, .number = id_number(incident->id)};

    return make_room(packer, err) && see_name(packer, head->text, head->bytes, &row.head, err) &&
           packer_put(packer, &row, err);
}

// ---- texts of the file --------------------------------------------------------------------

static bool add_place(struct packer *packer, uint32_t dim, uint32_t place, struct tally_err *err)
{
    if (packer->places_count[dim] == packer->places_capacity[dim]) {
        uint32_t capacity = packer->places_capacity[dim] ? packer->places_capacity[dim] * 2 : 64;
        uint32_t *places = realloc(packer->place[dim], capacity * sizeof *places);
        if (!places) {
            return no_memory(err);
        }
        packer->place[dim] = places;
        packer->places_capacity[dim] = capacity;
    }
    packer->place[dim][packer->places_count[dim]++] = place;
    return true;
}

static bool see_text(struct packer *packer, const char *text, size_t bytes, uint32_t *out_place,
                     struct tally_err *err)
{
    bool is_new;

    if (!see(&packer->texts, key_of_text(text, bytes), text, bytes, out_place, &is_new, err)) {
        return false;
    }
    if (is_new) {
        (void)texts_find(&packer->state->texts, text, bytes,
                         &packer->texts.entry[*out_place].known);
    }
    return true;
}

bool packer_add_texts(struct packer *packer, const struct rows *rows, struct tally_err *err)
{
    if (!make_room(packer, err)) {
        return false;
    }
    for (uint32_t dim = 0; dim < rows->shape->dims_count; dim++) {
        if (packer->places_count[dim] == 0 && !add_place(packer, dim, 0, err)) {
            return false; // code 0 is the empty text on both sides
        }
    }
    for (size_t i = 0; i < rows->new_texts_count; i++) {
        const struct rows_new_text *text = &rows->new_texts[i];
        uint32_t place;
        if (!see_text(packer, rows_text(rows, text->text), text->text.bytes, &place, err) ||
            !add_place(packer, text->dim, place, err)) {
            return false;
        }
    }
    return true;
}

// ---- lifetime -----------------------------------------------------------------------------

bool packer_init(struct packer *packer, const struct state *state, struct tally_err *err)
{
    *packer = (struct packer){.state = state, .columns = malloc(sizeof *packer->columns)};
    bytes_init(&packer->payload);
    if (!packer->columns) {
        return no_memory(err);
    }
    return dictionary_init(&packer->names, LEDGER_NAMES, err) &&
           dictionary_init(&packer->texts, LEDGER_TEXTS, err) &&
           dictionary_init(&packer->values, LEDGER_VALUES, err);
}

void packer_done(struct packer *packer)
{
    dictionary_done(&packer->names);
    dictionary_done(&packer->texts);
    dictionary_done(&packer->values);
    for (size_t i = 0; i < SHAPE_DIMS_MAX; i++) {
        free(packer->place[i]);
    }
    free(packer->columns);
    bytes_done(&packer->payload);
    *packer = (struct packer){0};
}

bool packer_begin(struct packer *packer, struct ledger *ledger, uint64_t batch, uint16_t shape,
                  struct tally_err *err)
{
    packer->ledger = ledger;
    packer->batch = batch;
    packer->shape = shape;
    packer->rows = 0;
    packer->columns->count = 0;
    packer->columns->dims_count = (uint32_t)packer->state->shape[shape]->dims_count;
    memset(packer->places_count, 0, sizeof packer->places_count);
    return dictionary_begin(&packer->names, err) && dictionary_begin(&packer->texts, err) &&
           dictionary_begin(&packer->values, err);
}
