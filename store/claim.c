#include "store/claim.h"

#include "store/filter.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const texts[CLAIM_TEXTS] = {
    [CLAIM_SPEAKER] = "speaker", [CLAIM_STATED_ON] = "stated_on", [CLAIM_MEASURE] = "measure",
    [CLAIM_FILTER] = "filter",   [CLAIM_QUALIFIER] = "qualifier", [CLAIM_RESPONSES] = "responses",
    [CLAIM_PART_OF] = "part_of",
};

static const char *const qualifiers[CLAIM_QUALIFIERS] = {
    [CLAIM_AT_LEAST] = "at least", [CLAIM_AT_MOST] = "at most", [CLAIM_OVER] = "over",
    [CLAIM_UNDER] = "under",       [CLAIM_ABOUT] = "about",     [CLAIM_EXACTLY] = "exactly",
};

const char *claim_text_name(enum claim_text which)
{
    return texts[which];
}

const char *claim_qualifier_name(enum claim_qualifier qualifier)
{
    return qualifiers[qualifier];
}

bool claim_qualifier_parse(const char *text, size_t bytes, enum claim_qualifier *out_qualifier)
{
    for (size_t i = 0; i < CLAIM_QUALIFIERS; i++) {
        if (strlen(qualifiers[i]) == bytes && strncasecmp(text, qualifiers[i], bytes) == 0) {
            *out_qualifier = (enum claim_qualifier)i;
            return true;
        }
    }
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct claim_span trim(const char *at, const char *end)
{
    while (at < end && is_blank(*at)) {
        at++;
    }
    while (at < end && is_blank(end[-1])) {
        end--;
    }
    return (struct claim_span){.at = at, .bytes = (size_t)(end - at)};
}

static bool has_name(const struct claim_measures *measures, struct claim_span name)
{
    for (size_t i = 0; i < measures->count; i++) {
        if (measures->name[i].bytes == name.bytes &&
            memcmp(measures->name[i].at, name.at, name.bytes) == 0) {
            return true;
        }
    }
    return false;
}

bool claim_measures_parse(const char *text, size_t bytes, struct claim_measures *out_measures)
{
    struct claim_measures measures = {0};
    const char *end = text + bytes;

    for (const char *at = text;;) {
        const char *plus = at < end ? memchr(at, '+', (size_t)(end - at)) : NULL;
        struct claim_span name = trim(at, plus ? plus : end);
        if (name.bytes == 0 || measures.count == CLAIM_MEASURES_MAX || has_name(&measures, name)) {
            return false;
        }
        measures.name[measures.count++] = name;
        if (!plus) {
            *out_measures = measures;
            return true;
        }
        at = plus + 1;
    }
}

// The semicolon that ends a condition, or the end.
static const char *find_end(const char *at, const char *end)
{
    bool quoted = false;

    while (at < end && (quoted || *at != ';')) {
        quoted = quoted != (*at == '"');
        at++;
    }
    return at;
}

bool claim_conditions_parse(const char *text, size_t bytes, struct claim_conditions *out_conditions)
{
    struct claim_conditions conditions = {0};
    const char *end = text + bytes;

    for (const char *at = text; at < end;) {
        const char *stop = find_end(at, end);
        struct claim_span whole = trim(at, stop);
        at = stop < end ? stop + 1 : end;
        if (whole.bytes == 0) {
            continue;
        }
        const char *equals = memchr(whole.at, '=', whole.bytes);
        if (!equals || conditions.count == CLAIM_CONDITIONS_MAX) {
            return false;
        }
        struct claim_condition *condition = &conditions.condition[conditions.count++];
        condition->dim = trim(whole.at, equals);
        condition->list = trim(equals + 1, whole.at + whole.bytes);
        if (condition->dim.bytes == 0) {
            return false;
        }
    }
    *out_conditions = conditions;
    return true;
}

// Whether each list is one that a filter takes; a lack of memory shows later, when it is kept.
static bool filter_is_sound(const char *text, size_t bytes)
{
    struct claim_conditions conditions;
    struct tally_err err = {.code = TALLY_OK};

    if (!claim_conditions_parse(text, bytes, &conditions)) {
        return false;
    }
    for (size_t i = 0; i < conditions.count; i++) {
        struct filter filter;
        char *list = strndup(conditions.condition[i].list.at, conditions.condition[i].list.bytes);
        bool sound = !list || filter_init(&filter, "", list, &err) || err.code != TALLY_INVALID;
        if (list && err.code == TALLY_OK) {
            filter_done(&filter);
        }
        free(list);
        if (!sound) {
            return false;
        }
    }
    return true;
}

const char *claim_check(enum claim_text which, const char *text, size_t bytes,
                        const char **out_reason)
{
    struct claim_measures measures;
    enum claim_qualifier qualifier;

    switch (which) {
    case CLAIM_QUALIFIER:
        *out_reason = "claim-qualifier";
        return claim_qualifier_parse(text, bytes, &qualifier)
                   ? NULL
                   : "is none of: at least, at most, over, under, about, exactly";
    case CLAIM_MEASURE:
        *out_reason = "claim-measure";
        return claim_measures_parse(text, bytes, &measures)
                   ? NULL
                   : "is no measure such as killed, or several as in killed+wounded";
    case CLAIM_FILTER:
        *out_reason = "claim-filter";
        return filter_is_sound(text, bytes) ? NULL
                                            : "is no filter such as province=Kabul; target=a,b";
    case CLAIM_SPEAKER:
    case CLAIM_STATED_ON:
    case CLAIM_RESPONSES:
    case CLAIM_PART_OF:
    case CLAIM_TEXTS:
        break;
    }
    return NULL;
}
