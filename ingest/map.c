#include "ingest/map.h"

#include "ingest/integer.h"
#include "ingest/revision_text.h"

#include "base/day.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ID_BYTES_MAX = 1024,
    DETAIL_TEXT_BYTES = 60,
    DETAIL_NAME_BYTES = 40,
    DETAIL_PART_BYTES = 20
};

struct map {
    const struct feed *feed;
    const struct header_binding *binding;
    struct date_rules date_rules;
    struct date_rules revision_rules;
    bool any_unknown; // texts that mean so
    bool odd_unknown; // one of them is a number that is mostly written in another way
    bool single_days; // a date, and no column for anything else that days are made of
    struct codes *codes;

    const struct record *records; // at hand
    size_t at;                    // the next one
    char revision[ID_BYTES_MAX];  // of the record that was mapped last, where it was written anew
};

// One record on its way through.
struct mapping {
    struct map *map;
    const struct text *fields;
    const int32_t *field_of_role;
    struct rows *chunk;
    struct incident *out;
    const char *reason;
    char *detail;
    struct tally_err *err;
};

static bool has_single_days(const struct feed *feed, const struct header_binding *binding)
{
    static const enum feed_role others[] = {FEED_END_DATE, FEED_END_YEAR, FEED_END_MONTH,
                                            FEED_END_DAY,  FEED_DAYS,     FEED_DAYS_END};

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (binding->field_of_role[others[i]] >= 0) {
            return false;
        }
    }
    return feed->fixed[FEED_YEAR].count == 0;
}

// "99.0", "099": the cell may say 99.
static bool has_odd_unknown(const struct feed *feed)
{
    for (size_t i = 0; i < feed->unknown.count; i++) {
        struct text text = feed->unknown.items[i];
        int64_t number;
        size_t sign = text.bytes > 0 && text.at[0] == '-';
        struct text digits = {.at = text.at + sign, .bytes = text.bytes - sign};
        if (integer_parse(text, feed->decimal, &number) == INTEGER_OK &&
            (digits.at[0] == '0' || text_count_digits(digits, digits.bytes) < digits.bytes)) {
            return true;
        }
    }
    return false;
}

struct map *map_open(const struct feed *feed, const struct header_binding *binding,
                     size_t bytes_max, struct tally_err *err)
{
    struct codes *codes = codes_open(feed, binding, bytes_max, err);

    if (!codes) {
        return NULL;
    }
    struct map *map = calloc(1, sizeof *map);
    if (!map) {
        codes_close(codes);
        err_set(err, TALLY_NO_MEMORY, "no memory to map rows");
        return NULL;
    }
    *map = (struct map){
        .feed = feed,
        .binding = binding,
        .date_rules = feed_date_rules(feed),
        .revision_rules = feed_revision_rules(feed),
        .any_unknown = feed->unknown.count > 0,
        .odd_unknown = has_odd_unknown(feed),
        .single_days = has_single_days(feed, binding),
        .codes = codes,
    };
    return map;
}

void map_close(struct map *map)
{
    if (map) {
        codes_close(map->codes);
        free(map);
    }
}

void map_begin(struct map *map, const struct record *records, size_t count)
{
    map->records = records;
    map->at = 0;
    if (map->feed->mode != FEED_DELETIONS) {
        codes_begin(map->codes, records, count);
    }
}

bool map_has_room(const struct map *map, const struct rows *chunk)
{
    return codes_have_room(map->codes, chunk);
}

bool map_take(struct map *map, struct codes_alias *alias, struct rows *chunk, struct tally_err *err)
{
    return codes_take(map->codes, alias, chunk, err);
}

// --- pieces ---

// The trimmed value of a role. False: the file has no such column, or the value is unknown.
static inline bool find_value(const struct mapping *mapping, size_t role, struct text *out)
{
    int32_t field = mapping->field_of_role[role];

    if (field < 0) {
        return false;
    }
    *out = text_trim(mapping->fields[field]);
    return out->bytes > 0 &&
           !(mapping->map->any_unknown && feed_is_unknown(mapping->map->feed, *out));
}

// As much of a text as a message shows, cut where a character begins.
static struct text cut(struct text text, size_t bytes_max)
{
    size_t bytes = text.bytes < bytes_max ? text.bytes : bytes_max;

    while (bytes > 0 && bytes < text.bytes && ((unsigned char)text.at[bytes] & 0xc0) == 0x80) {
        bytes--;
    }
    return (struct text){.at = text.at, .bytes = bytes};
}

static struct text column_name(const struct mapping *mapping, size_t role)
{
    const struct feed_list *columns = feed_role_columns(mapping->map->feed, role);
    uint32_t name = mapping->map->binding->name_of_role[role];

    return columns->count > 0 ? cut(columns->items[name], DETAIL_NAME_BYTES) : text_of("");
}

static bool reject(struct mapping *mapping, const char *reason, size_t role, struct text value,
                   const char *what)
{
    struct text name = column_name(mapping, role);
    struct text part = cut(value, DETAIL_TEXT_BYTES);
    bool readable = text_is_utf8(part);
    char shown[DETAIL_TEXT_BYTES];

    for (size_t i = 0; i < part.bytes; i++) {
        shown[i] = readable || (unsigned char)part.at[i] < 0x80 ? part.at[i] : '?';
    }
    mapping->reason = reason;
    snprintf(mapping->detail, RECORDS_DETAIL_BYTES, "%.*s: \"%.*s\" %s", (int)name.bytes, name.at,
             (int)part.bytes, shown, what);
    return false;
}

// The file says one encoding and holds bytes of another.
static bool reject_encoding(struct mapping *mapping, size_t role, struct text value)
{
    const char *encoding = mapping->map->binding->encoding;
    char what[64];

    snprintf(what, sizeof what, "is not %.40s", encoding ? encoding : "UTF-8");
    return reject(mapping, "text-encoding", role, value, what);
}

static bool is_unknown_number(const struct feed *feed, int64_t number)
{
    int64_t unknown;

    for (size_t i = 0; i < feed->unknown.count; i++) {
        if (integer_parse(feed->unknown.items[i], feed->decimal, &unknown) == INTEGER_OK &&
            unknown == number) {
            return true;
        }
    }
    return false;
}

static bool reject_missing(struct mapping *mapping, const char *reason, size_t role)
{
    int32_t field = mapping->field_of_role[role];
    struct text name = column_name(mapping, role);
    struct text value = field < 0 ? text_of("") : text_trim(mapping->fields[field]);
    int64_t number;

    if (value.bytes > 0) {
        const struct feed *feed = mapping->map->feed;
        bool listed = feed_is_unknown(feed, value) ||
                      (integer_parse(value, feed->decimal, &number) == INTEGER_OK &&
                       is_unknown_number(feed, number));
        return reject(mapping, reason, role, value,
                      listed ? "is listed as unknown" : "depends on a condition that is unknown");
    }
    mapping->reason = reason;
    snprintf(mapping->detail, RECORDS_DETAIL_BYTES, "%.*s is empty", (int)name.bytes, name.at);
    return false;
}

static bool failed(struct mapping *mapping)
{
    mapping->reason = NULL;
    return false;
}

static const char *explain_date(const char *reason)
{
    static const char *const texts[][2] = {
        {"date-unreadable", "is no date in a configured format"},
        {"date-impossible", "is no day of the calendar"},
        {"date-century", "has a year of two digits and no century is configured"},
        {"date-year", "is in a year that is not taken (year_min)"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp(reason, texts[i][0]) == 0) {
            return texts[i][1];
        }
    }
    return "";
}

// --- the parts of an incident, in the order in which they are read ---

static bool map_id(struct mapping *mapping)
{
    struct text id;

    if (!find_value(mapping, FEED_ID, &id)) {
        return reject_missing(mapping, "id-missing", FEED_ID);
    }
    if (integer_is_rounded(id)) {
        return reject(mapping, "id-rounded", FEED_ID, id, INTEGER_ROUNDED);
    }
    id = integer_without_zeros(id, mapping->map->feed->decimal);
    if (id.bytes > ID_BYTES_MAX) {
        return reject(mapping, "id-too-long", FEED_ID, id, "is too long for an id");
    }
    if (!text_is_utf8(id)) {
        return reject_encoding(mapping, FEED_ID, id);
    }
    mapping->out->id = id;
    return true;
}

static bool map_revision_text(struct mapping *mapping, struct text value)
{
    char decimal = mapping->map->feed->decimal;
    const char *wrong = revision_text_explain(value, decimal);

    if (wrong) {
        return reject(mapping, "revision-unreadable", FEED_REVISION, value, wrong);
    }
    value = integer_without_zeros(value, decimal);
    if (value.bytes > ID_BYTES_MAX || !text_is_utf8(value)) {
        return reject(mapping, "revision-unreadable", FEED_REVISION, value, "is no revision");
    }
    value = revision_text_with_point(value, decimal, mapping->map->revision,
                                     sizeof mapping->map->revision);
    mapping->out->revision = revision_of_text(value.at, value.bytes);
    return true;
}

// A fraction of the number where milliseconds do not tell all: one order with what has none.
static struct revision revision_of_moment(struct map *map, int64_t moment, int finer)
{
    if (finer == 0) {
        return revision_of_number(moment);
    }
    int bytes =
        snprintf(map->revision, sizeof map->revision, "%lld.%06d", (long long)moment, finer);
    return revision_of_text(map->revision, (size_t)bytes);
}

static bool map_revision(struct mapping *mapping)
{
    const struct feed *feed = mapping->map->feed;
    struct text value;
    int64_t number;
    int finer;

    mapping->out->revision = (struct revision){.kind = REVISION_NONE};
    if (!find_value(mapping, FEED_REVISION, &value)) {
        return true;
    }
    if (feed->revision_formats.count == 0) {
        if (!integer_parse_plain(value, &number)) {
            return map_revision_text(mapping, value);
        }
        mapping->out->revision.kind = REVISION_NUMBER;
        mapping->out->revision.number = number;
        return true;
    }
    if (!date_parse_moment(value, &mapping->map->revision_rules, feed->revision_fraction, &number,
                           &finer)) {
        return reject(mapping, "revision-unreadable", FEED_REVISION, value,
                      "does not fit revision_format");
    }
    mapping->out->revision = revision_of_moment(mapping->map, number, finer);
    return true;
}

// Written in another way, a listed number is the same one: 99.0, 099.
static bool is_unknown_in_another_way(const struct mapping *mapping, struct text value,
                                      int64_t number)
{
    bool other_way = value.at[0] == '0' || text_count_digits(value, value.bytes) < value.bytes;

    return (other_way || mapping->map->odd_unknown) &&
           is_unknown_number(mapping->map->feed, number);
}

// A part of a date in a column of its own; 0 where it is unknown.
static bool map_part(struct mapping *mapping, size_t role, bool *out_known, int64_t *out_part,
                     size_t *out_digits)
{
    struct text value;

    *out_part = 0;
    *out_digits = 0;
    *out_known = find_value(mapping, role, &value);
    if (!*out_known) {
        return true;
    }
    if (integer_parse(value, mapping->map->feed->decimal, out_part) != INTEGER_OK) {
        return reject(mapping, "date-unreadable", role, value, "is no number");
    }
    if (is_unknown_in_another_way(mapping, value, *out_part)) {
        *out_known = false;
        *out_part = 0;
        return true;
    }
    size_t sign = value.at[0] == '+';
    *out_digits =
        text_count_digits((struct text){value.at + sign, value.bytes - sign}, value.bytes);
    return true;
}

// "iyear-imonth-iday: "2020-2-30" is no day of the calendar", of the parts that the feed has.
static bool reject_parts(struct mapping *mapping, size_t year_role)
{
    char name[3 * (DETAIL_PART_BYTES + 1)] = "";
    char value[3 * (DETAIL_PART_BYTES + 1)] = "";

    for (size_t i = 0; i < 3; i++) {
        struct text part = {0};
        struct text column = cut(column_name(mapping, year_role + i), DETAIL_PART_BYTES);
        size_t name_bytes = strlen(name);
        size_t value_bytes = strlen(value);
        if (find_value(mapping, year_role + i, &part)) {
            part = cut(part, DETAIL_PART_BYTES);
            snprintf(name + name_bytes, sizeof name - name_bytes, "%s%.*s", i ? "-" : "",
                     (int)column.bytes, column.at);
            snprintf(value + value_bytes, sizeof value - value_bytes, "%s%.*s", i ? "-" : "",
                     (int)part.bytes, part.at);
        }
    }
    mapping->reason = "date-impossible";
    snprintf(mapping->detail, RECORDS_DETAIL_BYTES, "%s: \"%s\" %s", name, value,
             explain_date(mapping->reason));
    return false;
}

static bool map_parts(struct mapping *mapping, size_t year_role, bool *out_known,
                      struct date_days *out)
{
    struct text value = {0};
    bool known[3];
    int64_t part[3] = {0};
    size_t digits[3] = {0};

    for (size_t i = 0; i < 3; i++) {
        if (!map_part(mapping, year_role + i, &known[i], &part[i], &digits[i])) {
            return false;
        }
    }
    *out_known = known[0];
    if (!*out_known) {
        return true;
    }
    const char *reason = date_from_parts(part[0], digits[0] ? digits[0] : 4, part[1], part[2],
                                         &mapping->map->date_rules, out);
    if (reason && strcmp(reason, "date-impossible") == 0) {
        return reject_parts(mapping, year_role);
    }
    if (reason) {
        find_value(mapping, year_role, &value);
        return reject(mapping, reason, year_role, value, explain_date(reason));
    }
    return true;
}

static bool map_date(struct mapping *mapping, size_t role, bool *out_known, struct date_days *out)
{
    struct text value;

    *out_known = find_value(mapping, role, &value);
    if (!*out_known) {
        return true;
    }
    const struct date_rules *rules = &mapping->map->date_rules;
    const char *reason = date_parse(value, rules, out);
    return !reason ||
           reject(mapping, reason, role, value,
                  date_fits_swapped(value, rules)
                      ? "has day and month the other way round: see how the file's others were read"
                      : explain_date(reason));
}

static bool map_number(struct mapping *mapping, size_t role, bool *out_known, int64_t *out_number)
{
    struct text value;

    *out_known = find_value(mapping, role, &value);
    if (!*out_known) {
        return true;
    }
    switch (integer_parse(value, mapping->map->feed->decimal, out_number)) {
    case INTEGER_OK:
        break;
    case INTEGER_FRACTION:
        return reject(mapping, "number-fraction", role, value, "is no whole number");
    case INTEGER_TOO_LARGE:
        return reject(mapping, "number-too-large", role, value, "does not fit in 64 bits");
    case INTEGER_UNREADABLE:
        return reject(mapping, "number-unreadable", role, value,
                      "is no number, and is not listed as unknown");
    }
    if (is_unknown_in_another_way(mapping, value, *out_number)) {
        *out_known = false;
        return true;
    }
    return *out_number >= 0 || reject(mapping, "number-negative", role, value,
                                      "is negative, and is not listed as unknown");
}

// How many days, where a column says so; 0: it does not.
static bool map_length(struct mapping *mapping, int64_t *out_days)
{
    struct text value = {0};
    bool known = false;

    if (!map_number(mapping, FEED_DAYS, &known, out_days)) {
        return false;
    }
    if (known && (*out_days < 1 || *out_days > DAY_MAX - DAY_MIN)) {
        find_value(mapping, FEED_DAYS, &value);
        return reject(mapping, "days-impossible", FEED_DAYS, value, "is no number of days");
    }
    *out_days = known ? *out_days : 0;
    return true;
}

static bool map_start(struct mapping *mapping, bool *out_known, struct date_days *out)
{
    return mapping->map->feed->fixed[FEED_YEAR].count > 0
               ? map_parts(mapping, FEED_YEAR, out_known, out)
               : map_date(mapping, FEED_DATE, out_known, out);
}

static bool map_end(struct mapping *mapping, bool *out_known, struct date_days *out)
{
    if (!(mapping->map->feed->fixed[FEED_END_YEAR].count > 0
              ? map_parts(mapping, FEED_END_YEAR, out_known, out)
              : map_date(mapping, FEED_END_DATE, out_known, out))) {
        return false;
    }
    return *out_known || map_date(mapping, FEED_DAYS_END, out_known, out);
}

static bool reject_days(struct mapping *mapping, const char *reason, const char *what)
{
    mapping->reason = reason;
    snprintf(mapping->detail, RECORDS_DETAIL_BYTES, "%s", what);
    return false;
}

// Two of first day, last day and number of days make the third; the first day alone is one day.
static bool map_days(struct mapping *mapping)
{
    const struct feed *feed = mapping->map->feed;
    struct date_days start = {0};
    struct date_days end = {0};
    bool known = false;
    bool end_known = false;
    int64_t days = 0;

    if (!map_start(mapping, &known, &start) ||
        (!mapping->map->single_days &&
         (!map_end(mapping, &end_known, &end) || !map_length(mapping, &days)))) {
        return false;
    }
    if (!known && (!end_known || days == 0)) {
        return reject_missing(mapping, "date-missing",
                              feed->fixed[FEED_YEAR].count > 0 ? FEED_YEAR : FEED_DATE);
    }
    int64_t first = known ? start.first : end.last - days + 1;
    int64_t last = end_known ? end.last : days > 0 ? first + days - 1 : start.last;
    if (last < first) {
        return reject_days(mapping, "date-order", "the last day is before the first");
    }
    if (days > 0 && last - first + 1 != days) {
        return reject_days(mapping, "days-disagree", "first day, last day and days disagree");
    }
    if (first >= DAY_MIN && first < mapping->map->date_rules.day_min) {
        return reject_days(mapping, "date-year", "begins in a year that is not taken (year_min)");
    }
    if (first < DAY_MIN || last > DAY_MAX) {
        return reject_days(mapping, "days-impossible", "reaches past the calendar");
    }
    mapping->out->first_day = (int32_t)first;
    mapping->out->last_day = (int32_t)last;
    int64_t covered = end_known ? end.first : days > 0 ? last : first;
    mapping->out->covered_day = (int32_t)(covered > first ? covered : first);
    return true;
}

// Whether the row meets the measure's condition. *out_known: the column says anything at all.
// False: rejected.
static bool map_condition(struct mapping *mapping, const struct feed_measure *measure, size_t role,
                          bool *out_known, bool *out_meets)
{
    struct text value;

    *out_known = *out_meets = true;
    if (measure->condition_columns.count == 0) {
        return true;
    }
    *out_known = find_value(mapping, role, &value);
    *out_meets = *out_known && measure->negated;
    for (size_t i = 0; *out_known && i < measure->condition_values.count; i++) {
        if (text_equal(measure->condition_values.items[i], value)) {
            *out_meets = !measure->negated;
            return true;
        }
    }
    return !*out_known || text_is_utf8(value) || reject_encoding(mapping, role, value);
}

static bool map_measures(struct mapping *mapping)
{
    const struct feed *feed = mapping->map->feed;
    size_t first_role = FEED_FIXED_ROLES + feed->dims_count;

    mapping->out->reported = 0;
    for (size_t i = 0; i < feed->measures_count; i++) {
        const struct feed_measure *measure = &feed->measures[i];
        size_t role = first_role + i;
        bool known = true;
        bool decided;
        bool counts;
        int64_t number = 1;
        if (!map_condition(mapping, measure, role + feed->measures_count, &decided, &counts) ||
            (measure->columns.count > 0 && !map_number(mapping, role, &known, &number))) {
            return false;
        }
        known = decided && (known || !counts); // what does not count is known to be 0
        mapping->out->measures[i] = known && counts ? number : 0;
        mapping->out->reported |= (uint64_t)known << i;
    }
    return true;
}

// False: rejected, or failed where reason is NULL.
static bool map_dims(struct mapping *mapping)
{
    struct text odd = {0};
    size_t dim = 0;

    mapping->out->dims =
        codes_of(mapping->map->codes, mapping->map->at, mapping->chunk, &dim, &odd, mapping->err);
    if (mapping->out->dims) {
        return true;
    }
    return odd.at ? reject_encoding(mapping, FEED_FIXED_ROLES + dim, odd) : failed(mapping);
}

static bool claim_text(const struct mapping *mapping, enum claim_text which, struct text *out)
{
    int dim = mapping->map->feed->claim_dims[which];

    if (dim < 0) {
        return false;
    }
    *out = mapping->map->feed->dims[dim].constant;
    return out->at || find_value(mapping, FEED_FIXED_ROLES + (size_t)dim, out);
}

// What is wrong with one text of a claim, with the code of the reason; NULL: nothing.
static const char *claim_problem(const struct mapping *mapping, enum claim_text which,
                                 struct text value, const char **out_reason)
{
    struct date_days ignored;

    if (which == CLAIM_STATED_ON) {
        *out_reason = date_parse(value, &mapping->map->date_rules, &ignored);
        return *out_reason ? explain_date(*out_reason) : NULL;
    }
    if (which == CLAIM_PART_OF && text_equal(value, mapping->out->id)) {
        *out_reason = "claim-part";
        return "is the claim itself";
    }
    return claim_check(which, value.at, value.bytes, out_reason);
}

// What makes a row of claims one that can be compared.
static bool map_claim(struct mapping *mapping)
{
    const struct feed *feed = mapping->map->feed;

    if (mapping->out->reported == 0) {
        return reject_missing(mapping, "claim-value", FEED_FIXED_ROLES + feed->dims_count);
    }
    for (size_t i = 0; i < CLAIM_TEXTS; i++) {
        enum claim_text which = (enum claim_text)i;
        size_t role = FEED_FIXED_ROLES + (size_t)feed->claim_dims[i];
        struct text value = {0};
        const char *reason = NULL;
        if (claim_text(mapping, which, &value)) {
            const char *wrong = claim_problem(mapping, which, value, &reason);
            if (wrong) {
                return reject(mapping, reason, role, value, wrong);
            }
        } else if (which == CLAIM_MEASURE || which == CLAIM_QUALIFIER) {
            reason = which == CLAIM_MEASURE ? "claim-measure" : "claim-qualifier";
            return reject_missing(mapping, reason, role);
        }
    }
    return true;
}

enum map_step map_next(struct map *map, uint64_t number, struct rows *chunk, struct incident *out,
                       const char **out_reason, char detail[RECORDS_DETAIL_BYTES],
                       struct tally_err *err)
{
    const struct record *record = &map->records[map->at];
    bool deletion = map->feed->mode == FEED_DELETIONS;
    struct mapping mapping = {
        .map = map,
        .fields = record->fields,
        .field_of_role = map->binding->field_of_role,
        .chunk = chunk,
        .out = out,
        .err = err,
    };
    mapping.detail = detail;
    out->op = deletion ? ROWS_WITHDRAW : ROWS_PUT;
    out->record = number;
    out->line = record->line;
    out->first_day = 0;
    out->last_day = 0;
    out->covered_day = 0;
    out->reported = 0;
    bool identified = map_id(&mapping);
    bool mapped = identified && map_revision(&mapping) &&
                  (deletion || (map_days(&mapping) && map_measures(&mapping) &&
                                (!map->feed->claims || map_claim(&mapping)) && map_dims(&mapping)));
    map->at++;
    *out_reason = mapping.reason;
    return mapped                   ? MAP_INCIDENT
           : !identified            ? MAP_REJECTED_NO_ID
           : mapping.reason != NULL ? MAP_REJECTED
                                    : MAP_ERROR;
}
