#include "ingest/codes.h"

#include "ingest/feed_map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

// One dimension: where its texts stand, and their codes.
struct codes_dim {
    int32_t field;        // that holds the text; -1: each row has the constant
    struct text constant; // padded, in `padded` if it is short
    char padded[WORDS_BYTES];
    struct dict codes;  // of texts as the file has them; those that mean nothing have code 0
    struct dict mapped; // of texts that a mapping file put in their place
    uint32_t next_code;
    struct dict_few few; // texts of the records at hand
};

struct codes {
    const struct feed *feed;
    size_t bytes_max;
    size_t bytes; // that the dims take of it
    struct codes_dim *dims;
    size_t given[SHAPE_DIMS_MAX]; // dims that the file says anything of
    size_t given_count;

    // Of the records at hand; those of dims that are not given stay 0.
    uint32_t code[RECORDS_FEW_MAX][SHAPE_DIMS_MAX];
    bool any_new[RECORDS_FEW_MAX]; // DICT_ABSENT is among the codes
};
_Static_assert((int)RECORDS_FEW_MAX == (int)DICT_FEW_MAX, "records are looked up as they come");

static struct text pad(struct text text, char padded[WORDS_BYTES])
{
    if (text.bytes > WORDS_BYTES) {
        return text;
    }
    memcpy(padded, text.at ? text.at : "", text.bytes);
    return (struct text){.at = padded, .bytes = text.bytes};
}

// What means nothing is found like any other text.
static bool open_dim(struct codes *codes, size_t i, const struct header_binding *binding,
                     struct tally_err *err)
{
    const struct feed *feed = codes->feed;
    struct codes_dim *dim = &codes->dims[i];
    uint32_t code;

    dict_init(&dim->codes);
    dict_init(&dim->mapped);
    dim->next_code = 1;
    dim->constant = pad(feed->dims[i].constant, dim->padded);
    dim->field = feed->dims[i].constant.at ? -1 : binding->field_of_role[FEED_FIXED_ROLES + i];
    if (dim->field >= 0 || feed->dims[i].constant.at) {
        codes->given[codes->given_count++] = i;
    }
    bool added = dict_add(&dim->codes, text_of(""), 0, err);
    for (size_t j = 0; added && dim->field >= 0 && j < feed->unknown.count; j++) {
        struct text text = feed->unknown.items[j];
        added = dict_find(&dim->codes, text, &code) || dict_add(&dim->codes, text, 0, err);
    }
    codes->bytes += dict_bytes(&dim->codes);
    return added;
}

struct codes *codes_open(const struct feed *feed, const struct header_binding *binding,
                         size_t bytes_max, struct tally_err *err)
{
    struct codes *codes = calloc(1, sizeof *codes);
    struct codes_dim *dims = calloc(feed->dims_count + 1, sizeof *dims);
    bool ok = true;

    if (!codes || !dims) {
        free(codes);
        free(dims);
        err_set(err, TALLY_NO_MEMORY, "no memory to map rows");
        return NULL;
    }
    codes->feed = feed;
    codes->bytes_max = bytes_max;
    codes->dims = dims;
    for (size_t i = 0; ok && i < feed->dims_count; i++) {
        ok = open_dim(codes, i, binding, err);
    }
    if (!ok) {
        codes_close(codes);
        return NULL;
    }
    return codes;
}

void codes_close(struct codes *codes)
{
    if (codes) {
        for (size_t i = 0; i < codes->feed->dims_count; i++) {
            dict_done(&codes->dims[i].codes);
            dict_done(&codes->dims[i].mapped);
        }
        free(codes->dims);
        free(codes);
    }
}

// ---- texts that were there before -----------------------------------------------------------

static void take_texts(struct codes_dim *dim, const struct record *records, size_t count)
{
    dim->few.count = count;
    for (size_t i = 0; i < count; i++) {
        dim->few.text[i] =
            dim->field < 0 ? dim->constant : text_trim(records[i].fields[dim->field]);
    }
}

static void put_codes(struct codes *codes, size_t dim)
{
    const struct dict_few *few = &codes->dims[dim].few;

    for (size_t i = 0; i < few->count; i++) {
        codes->code[i][dim] = few->code[i];
        codes->any_new[i] |= few->code[i] == DICT_ABSENT;
    }
}

void codes_begin(struct codes *codes, const struct record *records, size_t count)
{
    memset(codes->any_new, 0, sizeof codes->any_new);
    for (size_t i = 0; i < codes->given_count; i++) {
        struct codes_dim *dim = &codes->dims[codes->given[i]];
        take_texts(dim, records, count);
        dict_few_hash(&dim->codes, &dim->few);
    }
    for (size_t i = 0; i < codes->given_count; i++) {
        struct codes_dim *dim = &codes->dims[codes->given[i]];
        dict_few_place(&dim->codes, &dim->few);
    }
    for (size_t i = 0; i < codes->given_count; i++) {
        struct codes_dim *dim = &codes->dims[codes->given[i]];
        dict_few_find(&dim->codes, &dim->few);
        put_codes(codes, codes->given[i]);
    }
}

// ---- new texts ------------------------------------------------------------------------------

// Adds a text that is absent, as long as all of them fit in memory.
static bool add_text(struct codes *codes, size_t dim, struct dict *dict, struct text text,
                     uint32_t code, struct tally_err *err)
{
    size_t bytes = dict_bytes(dict);

    if (!dict_add(dict, text, code, err)) {
        return false;
    }
    codes->bytes += dict_bytes(dict) - bytes;
    return codes->bytes <= codes->bytes_max ||
           err_set(err, TALLY_LIMIT,
                   "too many different texts for %zu bytes, their share of memory_max; dimension "
                   "%s has %u",
                   codes->bytes_max, codes->feed->dims[dim].name, codes->dims[dim].next_code - 1);
}

// From where the chunk has the text its code is taken, whether or not all goes well from there.
static bool add_code(struct codes *codes, size_t dim, struct dict *dict, struct text text,
                     struct rows *chunk, uint32_t *out_code, struct tally_err *err)
{
    struct rows_span span;
    uint32_t code = codes->dims[dim].next_code;

    if (!rows_add_text(chunk, text.at, text.bytes, &span, err) ||
        !rows_add_new_text(chunk, (uint32_t)dim, span, err)) {
        return false;
    }
    codes->dims[dim].next_code++;
    *out_code = code;
    return add_text(codes, dim, dict, text, code, err);
}

static bool give_code(struct codes *codes, size_t i, struct text text, struct rows *chunk,
                      uint32_t *out_code, struct tally_err *err)
{
    const struct feed_map *map = codes->feed->dims[i].map;
    struct codes_dim *dim = &codes->dims[i];

    if (!map) {
        return add_code(codes, i, &dim->codes, text, chunk, out_code, err);
    }
    struct text meant = feed_map_text(map, text);
    bool known = meant.at == text.at || !feed_is_unknown(codes->feed, meant); // a constant stays
    uint32_t code = 0;
    if (known && !dict_find(&dim->mapped, meant, &code) &&
        !add_code(codes, i, &dim->mapped, meant, chunk, &code, err)) {
        return false;
    }
    *out_code = code;
    return add_text(codes, i, &dim->codes, text, code, err);
}

// What was new when the records at hand were begun with may be known by now.
static const uint32_t *add_new(struct codes *codes, size_t record, struct rows *chunk,
                               size_t *out_dim, struct text *out_text, struct tally_err *err)
{
    for (size_t i = 0; i < codes->given_count; i++) {
        size_t dim = codes->given[i];
        const struct dict_few *few = &codes->dims[dim].few;
        struct text text = few->text[record];
        uint32_t *code = &codes->code[record][dim];
        if (*code != DICT_ABSENT ||
            dict_find_hashed(&codes->dims[dim].codes, text, few->hash[record], code)) {
            continue;
        }
        if (!text_is_utf8(text)) {
            *out_dim = dim;
            *out_text = text;
            return NULL;
        }
        if (!give_code(codes, dim, text, chunk, code, err)) {
            return NULL;
        }
    }
    return codes->code[record];
}

const uint32_t *codes_of(struct codes *codes, size_t record, struct rows *chunk, size_t *out_dim,
                         struct text *out_text, struct tally_err *err)
{
    *out_text = (struct text){0};
    return codes->any_new[record] ? add_new(codes, record, chunk, out_dim, out_text, err)
                                  : codes->code[record];
}

// ---- chunks that were mapped elsewhere --------------------------------------------------------

void codes_alias_done(struct codes_alias *alias)
{
    for (size_t i = 0; i < SHAPE_DIMS_MAX; i++) {
        free(alias->dim[i].code);
    }
    *alias = (struct codes_alias){0};
}

// Tables double, so that each text may cost twice what it takes.
bool codes_have_room(const struct codes *codes, const struct rows *chunk)
{
    size_t bytes = codes->bytes * 2;

    for (size_t i = 0; i < chunk->new_texts_count; i++) {
        bytes += 2 * (chunk->new_texts[i].text.bytes + 2 * sizeof(struct dict_entry));
    }
    return bytes <= codes->bytes_max;
}

static bool add_alias(struct codes_alias *alias, size_t dim, uint32_t code, struct tally_err *err)
{
    uint32_t count = alias->dim[dim].count;

    if (count == alias->dim[dim].capacity) {
        uint32_t capacity = count ? count * 2 : 64;
        uint32_t *grown = realloc(alias->dim[dim].code, capacity * sizeof *grown);
        if (!grown) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for texts");
        }
        alias->dim[dim].code = grown;
        alias->dim[dim].capacity = capacity;
    }
    alias->dim[dim].code[count] = code;
    alias->dim[dim].count++;
    return true;
}

// A new text of theirs gets our code. *out_new: it is new here, too.
static bool take_text(struct codes *codes, struct codes_alias *alias, size_t i, struct text text,
                      bool *out_new, struct tally_err *err)
{
    struct codes_dim *dim = &codes->dims[i];
    struct dict *dict = codes->feed->dims[i].map ? &dim->mapped : &dim->codes;
    uint32_t code = dim->next_code;

    *out_new = !dict_find(dict, text, &code);
    if (*out_new) {
        if (!add_text(codes, i, dict, text, code, err)) {
            return false;
        }
        dim->next_code++;
    }
    return add_alias(alias, i, code, err);
}

static bool take_texts_of(struct codes *codes, struct codes_alias *alias, struct rows *chunk,
                          struct tally_err *err)
{
    size_t kept = 0;

    for (size_t i = 0; i < chunk->new_texts_count; i++) {
        const struct rows_new_text *theirs = &chunk->new_texts[i];
        struct text text = {.at = rows_text(chunk, theirs->text), .bytes = theirs->text.bytes};
        bool is_new;
        if (!take_text(codes, alias, theirs->dim, text, &is_new, err)) {
            return false;
        }
        if (is_new) {
            chunk->new_texts[kept++] = *theirs;
        }
    }
    chunk->new_texts_count = kept;
    return true;
}

bool codes_take(struct codes *codes, struct codes_alias *alias, struct rows *chunk,
                struct tally_err *err)
{
    size_t dims = codes->feed->dims_count;

    for (size_t i = 0; i < dims; i++) {
        if (alias->dim[i].count == 0 && !add_alias(alias, i, 0, err)) {
            return false; // what means nothing is 0 for all
        }
    }
    if (!take_texts_of(codes, alias, chunk, err)) {
        return false;
    }
    for (size_t row = 0; row < chunk->count; row++) {
        uint32_t *code = chunk->dims + row * dims;
        for (size_t i = 0; i < dims; i++) {
            assert(code[i] < alias->dim[i].count);
            code[i] = alias->dim[i].code[code[i]];
        }
    }
    return true;
}
