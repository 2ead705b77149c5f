#include "report/claims.h"

#include "report/number.h"
#include "store/shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool span_equal(struct claim_span a, struct claim_span b)
{
    return a.bytes == b.bytes && memcmp(a.at, b.at, a.bytes) == 0;
}

static int span_compare(struct claim_span a, struct claim_span b)
{
    int order = memcmp(a.at, b.at, a.bytes < b.bytes ? a.bytes : b.bytes);

    return order != 0 ? order : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

static struct claim_span text_of_dim(const struct state *state, const struct incident *incident,
                                     const char *name)
{
    int dim = shape_find_dim(state_shape(state, incident), name);

    if (dim < 0) {
        return (struct claim_span){.at = ""};
    }
    const struct texts_entry *text =
        texts_get(&state->texts, incident_dim(state, incident, (size_t)dim));
    return (struct claim_span){.at = text->text, .bytes = text->bytes};
}

// What tallyd takes in is readable; a ledger may still hold other things.
static struct claim read_claim(const struct state *state, const struct incident *incident)
{
    struct claim claim = {.incident = incident,
                          .first_day = incident_first_day(incident),
                          .last_day = incident_last_day(state, incident)};
    int value = shape_find_measure(state_shape(state, incident), CLAIM_VALUE);

    for (size_t i = 0; i < CLAIM_TEXTS; i++) {
        claim.text[i] = text_of_dim(state, incident, claim_text_name((enum claim_text)i));
    }
    const struct claim_span *text = claim.text;
    if (value >= 0 && incident_reported(state, incident) >> value & 1) {
        claim.value = incident_measures(state, incident)[value];
        claim.readable = claim.value >= 0 &&
                         claim_qualifier_parse(text[CLAIM_QUALIFIER].at,
                                               text[CLAIM_QUALIFIER].bytes, &claim.qualifier) &&
                         claim_measures_parse(text[CLAIM_MEASURE].at, text[CLAIM_MEASURE].bytes,
                                              &claim.measures) &&
                         claim_conditions_parse(text[CLAIM_FILTER].at, text[CLAIM_FILTER].bytes,
                                                &claim.conditions);
    }
    return claim;
}

static bool add_claim(struct claims *claims, const struct incident *incident, struct tally_err *err)
{
    if ((claims->count & (claims->count - 1)) == 0) {
        size_t capacity = claims->count ? claims->count * 2 : 1;
        struct claim *grown = realloc(claims->claim, capacity * sizeof *grown);
        if (!grown) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for %zu claims", capacity);
        }
        claims->claim = grown;
    }
    struct id_text id;
    incident_id(claims->state, incident, &id);
    const char *copy = arena_text(&claims->ids, id.text, id.bytes, err);
    if (!copy) {
        return false;
    }
    struct claim *claim = &claims->claim[claims->count++];
    *claim = read_claim(claims->state, incident);
    claim->id = (struct claim_span){.at = copy, .bytes = id.bytes};
    return true;
}

static int compare_feed_and_id(const struct state *state, const struct claim *claim,
                               const struct state_feed *feed, struct claim_span id)
{
    int order = strcmp(state_feed_of(state, claim->incident)->name, feed->name);

    return order != 0 ? order : span_compare(claim->id, id);
}

static int compare_claims(const void *a, const void *b, void *context)
{
    const struct state *state = context;
    const struct claim *claim_b = b;

    return compare_feed_and_id(state, a, state_feed_of(state, claim_b->incident), claim_b->id);
}

static struct claim *find_claim(const struct claims *claims, const struct state_feed *feed,
                                struct claim_span id)
{
    size_t low = 0;
    size_t high = claims->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_feed_and_id(claims->state, &claims->claim[middle], feed, id);
        if (order == 0) {
            return &claims->claim[middle];
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return NULL;
}

// --- a statement against itself ---

static bool names_measure(const struct claim *claim, struct claim_span name)
{
    for (size_t i = 0; i < claim->measures.count; i++) {
        if (span_equal(claim->measures.name[i], name)) {
            return true;
        }
    }
    return false;
}

static bool names_measures_of(const struct claim *claim, const struct claim *other)
{
    for (size_t i = 0; i < other->measures.count; i++) {
        if (!names_measure(claim, other->measures.name[i])) {
            return false;
        }
    }
    return true;
}

static bool is_part_of(const struct claims *claims, const struct claim *part,
                       const struct claim *whole)
{
    return part->readable &&
           state_feed_of(claims->state, part->incident) ==
               state_feed_of(claims->state, whole->incident) &&
           span_equal(part->text[CLAIM_PART_OF], whole->id);
}

static bool some_part_names(const struct claims *claims, const struct claim *whole,
                            struct claim_span name)
{
    for (size_t i = 0; i < claims->count; i++) {
        if (is_part_of(claims, &claims->claim[i], whole) &&
            names_measure(&claims->claim[i], name)) {
            return true;
        }
    }
    return false;
}

static void join_parts(struct claims *claims)
{
    for (size_t i = 0; i < claims->count; i++) {
        struct claim *part = &claims->claim[i];
        if (part->text[CLAIM_PART_OF].bytes == 0 || !part->readable) {
            continue;
        }
        struct claim *whole = find_claim(claims, state_feed_of(claims->state, part->incident),
                                         part->text[CLAIM_PART_OF]);
        part->whole_missing = !whole;
        if (whole) {
            struct range range = claims_range(part);
            whole->parts = whole->parts_count ? range_sum(whole->parts, range) : range;
            whole->parts_sum += part->value;
            whole->parts_count++;
            whole->parts_foreign = whole->parts_foreign || !names_measures_of(whole, part);
        }
    }
    for (size_t i = 0; i < claims->count; i++) {
        struct claim *whole = &claims->claim[i];
        whole->parts_complete = whole->parts_count > 0;
        for (size_t m = 0; whole->parts_complete && m < whole->measures.count; m++) {
            whole->parts_complete = some_part_names(claims, whole, whole->measures.name[m]);
        }
    }
}

bool claims_init(struct claims *claims, const struct state *state, struct tally_err *err)
{
    struct state_walk walk = {0};
    const struct incident *incident;

    *claims = (struct claims){.state = state};
    arena_init(&claims->ids, SIZE_MAX / 2);
    while ((incident = state_next(state, &walk))) {
        if (state_feed_of(state, incident)->claims && incident_is_live(incident) &&
            !add_claim(claims, incident, err)) {
            claims_done(claims);
            return false;
        }
    }
    if (claims->count > 0) {
        qsort_r(claims->claim, claims->count, sizeof *claims->claim, compare_claims,
                (void *)(uintptr_t)state);
    }
    join_parts(claims);
    return true;
}

void claims_done(struct claims *claims)
{
    free(claims->claim);
    arena_done(&claims->ids);
}

struct range claims_range(const struct claim *claim)
{
    return range_claimed(claim->qualifier, claim->value);
}

bool claims_text(const struct claim *claim, const char *name, struct claim_span *out_text)
{
    if (strcmp(name, "id") == 0) {
        *out_text = claim ? claim->id : (struct claim_span){.at = ""};
        return true;
    }
    for (size_t i = 0; i < CLAIM_TEXTS; i++) {
        if (strcmp(name, claim_text_name((enum claim_text)i)) == 0) {
            *out_text = claim ? claim->text[i] : (struct claim_span){.at = ""};
            return true;
        }
    }
    return false;
}

const char *claims_parts_verdict(const struct claim *claim, char text[CLAIMS_PARTS_BYTES])
{
    char number[NUMBER_BYTES];
    bytes_i128 gap = 0;

    text[0] = '\0';
    if (claim->whole_missing) {
        snprintf(text, CLAIMS_PARTS_BYTES, "its whole is not there");
    }
    if (claim->parts_count == 0 || !claim->readable) {
        return text;
    }
    enum verdict verdict = verdict_of(claim->parts, claims_range(claim), &gap);
    number_format(gap, ',', number);
    if (claim->parts_foreign) {
        snprintf(text, CLAIMS_PARTS_BYTES, "a part has another measure");
    } else if (verdict == VERDICT_ABOVE) {
        snprintf(text, CLAIMS_PARTS_BYTES, "%s over", number);
    } else if (!claim->parts_complete) {
        snprintf(text, CLAIMS_PARTS_BYTES, "not all measures have a part");
    } else if (verdict == VERDICT_BELOW) {
        snprintf(text, CLAIMS_PARTS_BYTES, "%s short", number);
    } else {
        snprintf(text, CLAIMS_PARTS_BYTES, "adds up");
    }
    return text;
}
