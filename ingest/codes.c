#include "ingest/codes.h"

#include "ingest/feed_map.h"

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

static bool add_code(struct codes *codes, size_t dim, struct dict *dict, struct text text,
                     struct rows *chunk, uint32_t *out_code, struct tally_err *err)
{
    struct rows_span span;
    uint32_t code = codes->dims[dim].next_code;

    if (!rows_add_text(chunk, text.at, text.bytes, &span, err) ||
        !rows_add_new_text(chunk, (uint32_t)dim, span, err) ||
        !add_text(codes, dim, dict, text, code, err)) {
        return false;
    }
    codes->dims[dim].next_code++;
    *out_code = code;
    return true;
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
    uint32_t code = 0;
    if (meant.bytes > 0 && !dict_find(&dim->mapped, meant, &code) &&
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
