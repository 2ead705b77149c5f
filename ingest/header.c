#include "ingest/header.h"

#include "ingest/decode.h"
#include "ingest/memory.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A headerless feed is the nearest to a file of another width only if there is no other feed.
enum { HEADER_NOTHING_FITS = FEED_ROLES_MAX + 1 };

// --- binding ---

struct search {
    size_t column;
    bool found;
    bool twice;
};

static struct search find_column(const struct text *cells, size_t count, struct text name)
{
    struct search exact = {0};
    struct search loose = {0};

    for (size_t i = 0; i < count; i++) {
        struct text cell = text_trim(cells[i]);
        if (cell.bytes != name.bytes) {
            continue;
        }
        struct search *search = text_equal(cell, name)                 ? &exact
                                : text_is_ignoring_case(cell, name.at) ? &loose
                                                                       : NULL;
        if (search) {
            search->twice = search->found;
            search->column = search->found ? search->column : i;
            search->found = true;
        }
    }
    return exact.found ? exact : loose;
}

// Adds a name to a list that ends in "..." once it is full.
static void list_name(char list[HEADER_NAMES_BYTES], struct text name)
{
    size_t used = strlen(list);
    size_t room = HEADER_NAMES_BYTES - used;
    int bytes = name.bytes < 40 ? (int)name.bytes : 40;

    if (used >= 3 && strcmp(list + used - 3, "...") == 0) {
        return;
    }
    if ((size_t)bytes + sizeof ", , ..." > room) {
        snprintf(list + used, room, ", ...");
        return;
    }
    snprintf(list + used, room, "%s%.*s", used ? ", " : "", bytes, name.at);
}

// Whole: "date" is not listed by "end_date".
static bool is_listed(const char *list, struct text name)
{
    const char *end = list + strlen(list);

    for (const char *at = list; (at = memmem(at, (size_t)(end - at), name.at, name.bytes)) != NULL;
         at++) {
        const char *behind = at + name.bytes;
        bool begins = at == list || (at >= list + 2 && memcmp(at - 2, ", ", 2) == 0);
        bool ends = behind == end || (end - behind >= 2 && memcmp(behind, ", ", 2) == 0);
        if (begins && ends) {
            return true;
        }
    }
    return false;
}

static void note_missing(struct header_binding *binding, struct text name)
{
    if (!is_listed(binding->missing_names, name)) {
        list_name(binding->missing_names, name); // several roles may share a column
    }
    binding->missing++;
}

static void bind_role(const struct feed *feed, size_t role, const struct text *cells, size_t count,
                      struct header_binding *binding)
{
    const struct feed_list *columns = feed_role_columns(feed, role);

    binding->field_of_role[role] = -1;
    for (size_t i = 0; i < columns->count; i++) {
        struct search search = find_column(cells, count, columns->items[i]);
        if (search.twice) {
            char twice[64];
            snprintf(twice, sizeof twice, "%.40s only once", columns->items[i].at);
            note_missing(binding, text_of(twice));
            return;
        }
        if (search.found) {
            int32_t *slot = &binding->slot[search.column];
            *slot = *slot < 0 ? (int32_t)binding->fields++ : *slot;
            binding->field_of_role[role] = *slot;
            binding->name_of_role[role] = (uint32_t)i;
            return;
        }
    }
    if (columns->count > 0 && !feed_role_is_optional(feed, role)) {
        note_missing(binding, columns->items[0]);
    }
}

static bool accepts_count(const struct feed *feed, size_t count)
{
    for (size_t i = 0; i < feed->column_counts_count; i++) {
        if (feed->column_counts[i] == count) {
            return true;
        }
    }
    return false;
}

// "57, 58 or 61 columns in all"
static void list_counts(const struct feed *feed, char text[HEADER_NAMES_BYTES])
{
    size_t count = feed->column_counts_count;
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        const char *before = i == 0 ? "" : i + 1 == count ? " or " : ", ";
        used += (size_t)snprintf(text + used, HEADER_NAMES_BYTES - used, "%s%zu", before,
                                 feed->column_counts[i]);
    }
    snprintf(text + used, HEADER_NAMES_BYTES - used, " columns in all");
}

bool header_bind(const struct feed *feed, const struct text *cells, size_t count,
                 struct header_binding *out, struct tally_err *err)
{
    *out = (struct header_binding){.columns = count};
    out->slot = malloc(count * sizeof *out->slot + 1);
    if (!out->slot) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for %zu columns", count);
    }
    for (size_t i = 0; i < count; i++) {
        out->slot[i] = -1;
    }
    if (feed->headerless && !accepts_count(feed, count)) {
        list_counts(feed, out->missing_names);
        out->missing = HEADER_NOTHING_FITS;
        return true;
    }
    if (feed->headerless) {
        cells = feed->columns.items;
        count = feed->columns.count < count ? feed->columns.count : count;
    }
    for (size_t role = 0; role < feed_roles_count(feed); role++) {
        bind_role(feed, role, cells, count, out);
    }
    return true;
}

void header_unbind(struct header_binding *binding)
{
    free(binding->slot);
    binding->slot = NULL;
}

// --- HXL ---

static bool is_integer(struct text text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.at[i] < '0' || text.at[i] > '9') {
            return false;
        }
    }
    return text.bytes > 0;
}

// A data frame written with its index has a first column without a name.
static bool has_index_column(const struct text *header, size_t count)
{
    struct text first = count > 0 ? text_trim(header[0]) : text_of("-");

    return first.bytes == 0 || text_is(first, "Unnamed: 0");
}

// "#adm1 +name": a letter behind the mark, else an id such as "#3" alone in its row would be one.
static bool is_hxl_tag(struct text cell)
{
    return cell.bytes > 1 && cell.at[0] == '#' && isalpha((unsigned char)cell.at[1]);
}

bool header_is_hxl(const struct text *header, size_t header_count, const struct text *cells,
                   size_t count)
{
    size_t tags = 0;

    for (size_t i = 0; i < count; i++) {
        struct text cell = text_trim(cells[i]);
        bool index = i == 0 && has_index_column(header, header_count) && is_integer(cell);
        if (cell.bytes > 0 && !is_hxl_tag(cell) && !index) {
            return false;
        }
        tags += cell.bytes > 0 && !index;
    }
    return tags > 0;
}

// --- choosing ---

// How a feed's description fits the file at hand.
struct trial {
    const struct feed *feed;
    char delimiter; // read with; mostly the feed's
    bool named;     // it has `files`, and the file has another name
    bool partial;   // the file goes on behind the bytes at hand
    bool readable;  // there is a first record
    size_t missing;
    size_t mapped;
    size_t columns;
    char missing_names[HEADER_NAMES_BYTES];
    char other_names[HEADER_NAMES_BYTES]; // that the file has and the feed does not use
    bool totals;
    char problem[RECORDS_DETAIL_BYTES];
};

static bool contains_word(struct text cell, const char *word)
{
    size_t bytes = strlen(word);

    for (size_t i = 0; i + bytes <= cell.bytes; i++) {
        if (text_is_ignoring_case((struct text){.at = cell.at + i, .bytes = bytes}, word)) {
            return true;
        }
    }
    return false;
}

// A month or a year and a sum, but neither an id nor a day: totals, not incidents.
static bool look_like_totals(const struct text *cells, size_t count)
{
    bool period = false;
    bool sum = false;

    for (size_t i = 0; i < count; i++) {
        struct text cell = text_trim(cells[i]);
        period = period || contains_word(cell, "month") || contains_word(cell, "year");
        sum = sum || contains_word(cell, "fatalities") || contains_word(cell, "events") ||
              contains_word(cell, "deaths") || contains_word(cell, "killed") ||
              contains_word(cell, "total");
        if (contains_word(cell, "date") || text_is_ignoring_case(cell, "id") ||
            contains_word(cell, "_id") || contains_word(cell, "event id") ||
            text_is_ignoring_case(cell, "day")) {
            return false;
        }
    }
    return period && sum;
}

static void note_others(const struct header_binding *binding, const struct text *cells,
                        struct trial *trial)
{
    for (size_t i = 0; i < binding->columns; i++) {
        struct text cell = text_trim(cells[i]);
        if (binding->slot[i] < 0 && cell.bytes > 0 && text_is_utf8(cell)) {
            list_name(trial->other_names, cell);
        }
    }
}

static bool judge_header(struct trial *trial, const struct text *cells, size_t count,
                         struct tally_err *err)
{
    struct header_binding binding;

    if (!header_bind(trial->feed, cells, count, &binding, err)) {
        return false;
    }
    trial->readable = true;
    trial->missing = binding.missing;
    trial->mapped = binding.fields;
    trial->columns = count;
    memcpy(trial->missing_names, binding.missing_names, sizeof trial->missing_names);
    if (!trial->feed->headerless) {
        note_others(&binding, cells, trial);
        trial->totals = look_like_totals(cells, count);
    } else if (binding.missing > 0) {
        snprintf(trial->other_names, sizeof trial->other_names, "%zu columns", count);
    }
    header_unbind(&binding);
    return true;
}

// Where the bytes at hand tell of no header. What stands behind them may well be one.
static void explain_no_header(struct trial *trial, const char *what)
{
    if (trial->partial) {
        snprintf(trial->problem, sizeof trial->problem,
                 "its first %d KiB %s; shorten what stands before the header", HEADER_HEAD_KIB,
                 what);
    } else {
        snprintf(trial->problem, sizeof trial->problem, "it %s", what);
    }
}

static bool read_header(struct trial *trial, struct records *records, struct tally_err *err)
{
    char preamble[64];
    const struct record *record;
    bool ended;

    if (!records_skip_lines(records, trial->feed->preamble_lines, &ended, err)) {
        snprintf(preamble, sizeof preamble, "%s within the %zu lines of preamble",
                 trial->partial ? "end" : "ends", trial->feed->preamble_lines);
        explain_no_header(trial, preamble);
        return ended;
    }
    switch (records_next(records, &record, err)) {
    case RECORDS_RECORD:
        if (trial->partial && record->unterminated) {
            explain_no_header(trial, "end within its first record");
            return true;
        }
        return judge_header(trial, record->fields, record->fields_count, err);
    case RECORDS_BROKEN:
    case RECORDS_CUT_SHORT:
        snprintf(trial->problem, sizeof trial->problem,
                 "its header (line %llu) cannot be read: %.100s", (unsigned long long)record->line,
                 record->detail);
        return true;
    case RECORDS_END:
        explain_no_header(trial, trial->partial ? "hold nothing but blank lines"
                                                : "holds nothing but blank lines");
        return true;
    case RECORDS_HELD: // never: nobody holds them
    case RECORDS_ERROR:
        break;
    }
    return false;
}

static bool try_feed(struct trial *trial, const unsigned char *head, size_t head_count,
                     const struct ingest_limits *limits, struct tally_err *err)
{
    const struct feed *feed = trial->feed;
    struct memory memory = {.data = head, .count = head_count};
    struct records_dialect dialect = {.delimiter = (unsigned char)trial->delimiter,
                                      .quoted = feed->quoted};
    struct decode *decode = decode_open(feed->encoding, memory_pull, &memory, err);
    struct records *records =
        decode ? records_open(dialect, limits, decode_read, decode, err) : NULL;
    bool ok = records && read_header(trial, records, err);

    records_close(records);
    decode_close(decode);
    return ok;
}

static bool is_single_column(const struct trial *trial)
{
    return trial->readable && trial->columns == 1 && trial->missing > 1;
}

static bool refuse_header(const struct trial *nearest, const unsigned char *head, size_t head_count,
                          struct tally_err *err)
{
    bool utf16 =
        head_count >= 2 && (memcmp(head, "\xff\xfe", 2) == 0 || memcmp(head, "\xfe\xff", 2) == 0);

    if (!utf16 && !nearest->feed->encoding && memchr(head, '\0', head_count)) {
        return err_set(err, TALLY_REFUSED,
                       "holds NUL bytes: not a CSV text, or UTF-16 without its mark (then the feed "
                       "needs encoding = utf-16le)");
    }
    if (!nearest->readable) {
        return err_set(err, TALLY_REFUSED, "no header to tell the feed by: %s", nearest->problem);
    }
    if (is_single_column(nearest)) {
        return err_set(err, TALLY_REFUSED,
                       "its first line is a single column (%s) whatever divides it, and feed "
                       "%.40s needs %s",
                       nearest->other_names, nearest->feed->name, nearest->missing_names);
    }
    if (nearest->totals) {
        return err_set(err, TALLY_REFUSED,
                       "its columns (%s) are totals by month, not incidents; tallyd needs one row "
                       "an incident, with an id and a date",
                       nearest->other_names);
    }
    return err_set(err, TALLY_REFUSED,
                   "no feed has such columns; nearest is %.30s, which needs %s; the file has %s; "
                   "rename or add a [feed]",
                   nearest->feed->name, nearest->missing_names,
                   nearest->other_names[0] ? nearest->other_names : "no others");
}

// Whether a file may take away what another one brought.
static bool withdraws(const struct feed *feed)
{
    return feed->mode != FEED_UPSERT;
}

// Columns decide; between equals, a feed that did not ask for other names, unless it withdraws.
static bool is_nearer(const struct trial *a, const struct trial *b)
{
    if (a->readable != b->readable) {
        return a->readable;
    }
    if (a->missing != b->missing) {
        return a->missing < b->missing;
    }
    return a->mapped != b->mapped ? a->mapped > b->mapped
                                  : !a->named && b->named && !withdraws(a->feed);
}

// What may be the feed of a file, and what is known of the file.
struct choice {
    const struct feed *const *feeds;
    size_t feeds_count;
    bool *candidate;
    const unsigned char *head;
    size_t head_count;
    const struct ingest_limits *limits;
    bool claimed; // by name
    struct trial best;
    const struct feed *tied; // another one that fits as well as the best
    struct trial fullest;    // the one that has most of its columns in the file
};

// Tries each candidate, with its own delimiter or with another one.
static bool try_feeds(struct choice *choice, char delimiter, struct tally_err *err)
{
    for (size_t i = 0; i < choice->feeds_count; i++) {
        const struct feed *feed = choice->feeds[i];
        struct trial trial = {.feed = feed,
                              .delimiter = delimiter ? delimiter : feed->delimiter,
                              .named = feed->files.count > 0,
                              .partial = choice->head_count > HEADER_HEAD_BYTES};
        if (!choice->candidate[i]) {
            continue;
        }
        if (!try_feed(&trial, choice->head, choice->head_count, choice->limits, err)) {
            return false;
        }
        if (!choice->best.feed || is_nearer(&trial, &choice->best)) {
            choice->best = trial;
            choice->tied = NULL;
        } else if (!is_nearer(&choice->best, &trial)) {
            choice->tied = feed;
        }
        if (trial.mapped > choice->fullest.mapped) {
            choice->fullest = trial;
        }
    }
    return true;
}

// A single column of a feed that needs several: says which feed it would be, divided otherwise.
static bool suspect_delimiter(struct choice *choice, struct tally_err *err)
{
    static const struct {
        char byte;
        const char *name;
    } delimiters[] = {{';', "semicolon"}, {'\t', "tab"}, {'|', "pipe"}, {',', "comma"}};
    struct choice other = *choice;

    for (size_t i = 0; i < sizeof delimiters / sizeof *delimiters; i++) {
        if (!try_feeds(&other, delimiters[i].byte, err)) {
            return false;
        }
    }
    for (size_t i = 0; i < sizeof delimiters / sizeof *delimiters; i++) {
        if (other.best.columns > 1 && other.best.delimiter == delimiters[i].byte) {
            return err_set(err, TALLY_REFUSED,
                           "its first line is a single column unless it is divided by %s; then "
                           "the nearest is feed %.40s: does that need delimiter = %s?",
                           delimiters[i].name, other.best.feed->name, delimiters[i].name);
        }
    }
    return refuse_header(&choice->best, choice->head, choice->head_count, err);
}

static void find_candidates(struct choice *choice, const char *name)
{
    for (size_t i = 0; i < choice->feeds_count; i++) {
        choice->candidate[i] = feed_claims_file(choice->feeds[i], name);
        choice->claimed = choice->claimed || choice->candidate[i];
    }
    for (size_t i = 0; i < choice->feeds_count && !choice->claimed; i++) {
        choice->candidate[i] = true;
    }
}

// A file of incidents that lacks a column of its feed is not to withdraw them under another feed,
// which reads fewer of its columns.
static bool check_withdrawing(const struct choice *choice, struct tally_err *err)
{
    const struct trial *best = &choice->best;
    const struct trial *fullest = &choice->fullest;

    return choice->claimed || !withdraws(best->feed) || fullest->mapped <= best->mapped ||
           err_set(err, TALLY_REFUSED,
                   "its columns fit feed %.40s, which withdraws incidents, and more of them are "
                   "those of feed %.40s, which needs %s; rename them, or give feed %.40s "
                   "files = GLOB",
                   best->feed->name, fullest->feed->name, fullest->missing_names, best->feed->name);
}

static bool choose(struct choice *choice, struct tally_err *err)
{
    const struct trial *best = &choice->best;

    if (!try_feeds(choice, '\0', err)) {
        return false;
    }
    if (!best->feed) {
        return err_set(err, TALLY_REFUSED, "no feed is configured");
    }
    if (is_single_column(best)) {
        return suspect_delimiter(choice, err);
    }
    if (!best->readable || best->missing > 0) {
        return refuse_header(best, choice->head, choice->head_count, err);
    }
    if (choice->tied) {
        return err_set(
            err, TALLY_REFUSED,
            "its columns fit feed %.60s and feed %.60s alike; give one of them files = GLOB",
            best->feed->name, choice->tied->name);
    }
    return check_withdrawing(choice, err);
}

const struct feed *header_choose(const struct feed *const *feeds, size_t feeds_count,
                                 const char *name, const unsigned char *head, size_t head_count,
                                 const struct ingest_limits *limits, struct tally_err *err)
{
    struct choice choice = {.feeds = feeds,
                            .feeds_count = feeds_count,
                            .candidate = calloc(feeds_count + 1, sizeof *choice.candidate),
                            .head = head,
                            .head_count = head_count,
                            .limits = limits};

    if (!choice.candidate) {
        err_set(err, TALLY_NO_MEMORY, "no memory for %zu feeds", feeds_count);
        return NULL;
    }
    find_candidates(&choice, name);
    bool chosen = choose(&choice, err);
    free(choice.candidate);
    return chosen ? choice.best.feed : NULL;
}
