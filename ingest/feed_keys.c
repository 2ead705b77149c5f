#include "ingest/feed_setting.h"

#include "ingest/decode.h"
#include "ingest/feed_map.h"
#include "ingest/integer.h"

#include <stdio.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

// --- the file ---

static bool set_files(const struct feed_setting *setting)
{
    if (setting->value.bytes > 0 && memmem(setting->value.at, setting->value.bytes, "[:", 2)) {
        return setting_invalid(setting, "globs know no classes such as [:digit:]; write [0-9]");
    }
    return setting_words(setting, &setting->feed->files);
}

static bool set_kind(const struct feed_setting *setting)
{
    static const struct setting_choice choices[] = {{"", 0}, {"incidents", 0}, {"claims", 1}};
    int claims = 0;

    if (!setting_choose(setting, choices, COUNT_OF(choices), "incidents or claims", &claims)) {
        return false;
    }
    setting->feed->claims = claims != 0;
    return true;
}

static bool set_mode(const struct feed_setting *setting)
{
    static const struct setting_choice choices[] = {{"", FEED_UPSERT},
                                                    {"upsert", FEED_UPSERT},
                                                    {"snapshot", FEED_SNAPSHOT},
                                                    {"deletions", FEED_DELETIONS}};
    int mode = 0;

    if (!setting_choose(setting, choices, COUNT_OF(choices), "upsert, snapshot or deletions",
                        &mode)) {
        return false;
    }
    setting->feed->mode = (enum feed_mode)mode;
    return true;
}

static bool set_scope(const struct feed_setting *setting)
{
    setting->feed->scope = NULL;
    return setting->value.bytes == 0 ||
           setting_keep(setting, setting->value, &setting->feed->scope);
}

static bool set_deletes(const struct feed_setting *setting)
{
    setting->feed->deletes = NULL;
    return setting->value.bytes == 0 ||
           setting_keep(setting, setting->value, &setting->feed->deletes);
}

static bool set_delimiter(const struct feed_setting *setting)
{
    static const struct setting_choice choices[] = {
        {"", ','}, {"comma", ','}, {"tab", '\t'}, {"semicolon", ';'}, {"pipe", '|'}};
    int delimiter = 0;

    if (!setting_choose(setting, choices, COUNT_OF(choices), "comma, tab, semicolon or pipe",
                        &delimiter)) {
        return false;
    }
    setting->feed->delimiter = (char)delimiter;
    return true;
}

static bool set_quote(const struct feed_setting *setting)
{
    static const struct setting_choice choices[] = {{"", 1}, {"double", 1}, {"none", 0}};
    int quoted = 0;

    if (!setting_choose(setting, choices, COUNT_OF(choices), "double or none", &quoted)) {
        return false;
    }
    setting->feed->quoted = quoted != 0;
    return true;
}

static bool set_encoding(const struct feed_setting *setting)
{
    const char *encoding = NULL;

    if (setting->value.bytes > 0) {
        if (!setting_keep(setting, setting->value, &encoding)) {
            return false;
        }
        if (!decode_knows(encoding)) {
            return setting_invalid(setting,
                                   "no such encoding; `iconv -l` lists those that there are");
        }
    }
    setting->feed->encoding = encoding;
    return true;
}

static bool set_decimal(const struct feed_setting *setting)
{
    static const struct setting_choice choices[] = {{"", '.'}, {"point", '.'}, {"comma", ','}};
    int decimal = 0;

    if (!setting_choose(setting, choices, COUNT_OF(choices), "point or comma", &decimal)) {
        return false;
    }
    setting->feed->decimal = (char)decimal;
    return true;
}

static bool set_preamble(const struct feed_setting *setting)
{
    int64_t lines = 0;

    if (setting->value.bytes > 0 &&
        !setting_count(setting, 0, 1000, "lines before the header, 0 to 1000", &lines)) {
        return false;
    }
    setting->feed->preamble_lines = (size_t)lines;
    return true;
}

static bool set_header(const struct feed_setting *setting)
{
    static const struct setting_choice choices[] = {{"", 0}, {"present", 0}, {"none", 1}};
    int headerless = 0;

    if (!setting_choose(setting, choices, COUNT_OF(choices), "present or none", &headerless)) {
        return false;
    }
    setting->feed->headerless = headerless != 0;
    return true;
}

// The position in front of a name, which stays in *rest. A number alone is a name.
static bool take_position(struct text *rest, int64_t *position)
{
    struct text text = text_trim(*rest);
    size_t digits = text_count_digits(text, text.bytes);
    struct text name =
        text_trim((struct text){.at = text.at + digits, .bytes = text.bytes - digits});

    if (digits == 0 || digits == text.bytes || !text_is_blank(text.at[digits]) || name.bytes == 0 ||
        name.at[0] == ',') {
        return true;
    }
    *rest = name;
    return integer_parse((struct text){.at = text.at, .bytes = digits}, '.', position) ==
           INTEGER_OK;
}

// "7 Actor1Name" names the seventh column, "Actor1Name" the one behind the item before.
static bool set_columns(const struct feed_setting *setting)
{
    struct feed_list list = {0};
    struct text rest = setting->value;
    struct text item;
    bool any = true;

    while (rest.bytes > 0) {
        int64_t position = (int64_t)list.count + 1;
        bool counts = take_position(&rest, &position);
        if (!counts || position <= (int64_t)list.count || position > 4096) {
            return setting_invalid(setting, "positions have to rise, up to 4096");
        }
        if (!setting_cut(setting, &rest, ",", &item, &any)) {
            return false;
        }
        while ((int64_t)list.count < position - 1) {
            if (!setting_append(setting, &list, text_of(""))) {
                return false;
            }
        }
        if (!setting_append(setting, &list, setting_unquoted(item))) {
            return false;
        }
    }
    setting->feed->columns = list;
    return true;
}

static bool set_column_counts(const struct feed_setting *setting)
{
    struct feed_list list;

    if (!setting_words(setting, &list)) {
        return false;
    }
    if (list.count > FEED_COUNTS_MAX) {
        return setting_invalid(setting, "at most 8 numbers of columns");
    }
    for (size_t i = 0; i < list.count; i++) {
        int64_t count = 0;
        if (integer_parse(list.items[i], '.', &count) != INTEGER_OK || count < 1 || count > 4096) {
            return setting_invalid(setting, "numbers of columns, 1 to 4096");
        }
        setting->feed->column_counts[i] = (size_t)count;
    }
    setting->feed->column_counts_count = list.count;
    return true;
}

static bool set_final_newline(const struct feed_setting *setting)
{
    static const struct setting_choice choices[] = {{"", 0}, {"optional", 0}, {"required", 1}};
    int required = 0;

    if (!setting_choose(setting, choices, COUNT_OF(choices), "optional or required", &required)) {
        return false;
    }
    setting->feed->final_newline_required = required != 0;
    return true;
}

// "100" rows or "0.5%" of them.
static bool set_reject_max(const struct feed_setting *setting)
{
    struct text value = setting->value;
    int64_t number = -1;
    int64_t ppm = -1;

    if (value.bytes > 0 && value.at[value.bytes - 1] == '%') {
        if (!setting_share(setting, &ppm)) {
            return false;
        }
    } else if (value.bytes > 0 &&
               !setting_count(setting, 0, INT64_MAX, "a number of rows, or a share such as 1%",
                              &number)) {
        return false;
    }
    setting->feed->reject_max = number;
    setting->feed->reject_max_ppm = ppm;
    return true;
}

static bool set_rows(const struct feed_setting *setting)
{
    static const struct setting_choice choices[] = {
        {"", 0}, {"per-incident", 0}, {"per-victim", 1}};
    int per_victim = 0;

    if (!setting_choose(setting, choices, COUNT_OF(choices), "per-incident or per-victim",
                        &per_victim)) {
        return false;
    }
    setting->feed->per_victim = per_victim != 0;
    return true;
}

// --- columns ---

static bool set_fixed(const struct feed_setting *setting)
{
    return setting_list(setting, setting->value, "|", &setting->feed->fixed[setting->role]);
}

static bool check_name(const struct feed_setting *setting, const char *const *reserved,
                       size_t reserved_count)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t bytes = strlen(setting->suffix);

    if (bytes == 0 || bytes > SHAPE_NAME_BYTES_MAX || strspn(setting->suffix, letters) != bytes) {
        return err_set(setting->err, TALLY_INVALID,
                       "%s: a name has 1 to %d letters, digits, _ . and -", setting->key,
                       SHAPE_NAME_BYTES_MAX);
    }
    for (size_t i = 0; i < reserved_count; i++) {
        if (strcmp(setting->suffix, reserved[i]) == 0) {
            return err_set(setting->err, TALLY_INVALID, "%s: this name has a meaning of its own",
                           setting->key);
        }
    }
    return true;
}

static bool set_dim(const struct feed_setting *setting)
{
    static const char *const reserved[] = {"feed", "incidents", "window_start", "window_end",
                                           "days", "basis",     "day"};
    struct feed *feed = setting->feed;
    struct feed_dim dim = {0};
    size_t i = 0;

    if (!check_name(setting, reserved, COUNT_OF(reserved))) {
        return false;
    }
    while (i < feed->dims_count && strcmp(feed->dims[i].name, setting->suffix) != 0) {
        i++;
    }
    if (i == SHAPE_DIMS_MAX) {
        return err_set(setting->err, TALLY_INVALID, "%s: at most %d dimensions", setting->key,
                       SHAPE_DIMS_MAX);
    }
    if (setting_is_quoted(setting->value)) {
        const char *constant = NULL;
        if (!setting_keep(setting, text_trim(setting_unquoted(setting->value)), &constant)) {
            return false;
        }
        dim.constant = text_of(constant);
    } else if (!setting_list(setting, setting->value, "|", &dim.columns)) {
        return false;
    }
    if (!setting_keep(setting, text_of(setting->suffix), &dim.name)) {
        return false;
    }
    feed->dims[i] = dim;
    feed->dims_count += i == feed->dims_count;
    return true;
}

// Takes the word `not` off the end. False: there is none, or nothing in front of it.
static bool cut_negation(struct text *columns)
{
    enum { NOT_BYTES = 3 };
    size_t left = columns->bytes < NOT_BYTES ? 0 : columns->bytes - NOT_BYTES;

    if (left == 0 || !text_is_blank(columns->at[left - 1]) ||
        memcmp(columns->at + left, "not", NOT_BYTES) != 0) {
        return false;
    }
    columns->bytes = left;
    return true;
}

// "COLUMN in a, b" or "COLUMN not in a, b"
static bool parse_condition(const struct feed_setting *setting, struct text condition,
                            struct feed_measure *measure)
{
    struct text columns;
    struct text values;
    struct text first;
    struct text more;
    bool found;
    bool again[2];

    if (!setting_split(setting, condition, "in", &columns, &values, &found)) {
        return false;
    }
    measure->negated = cut_negation(&columns);
    if (!setting_split(setting, columns, "where", &first, &more, &again[0]) ||
        !setting_split(setting, values, "where", &first, &more, &again[1])) {
        return false;
    }
    if (again[0] || again[1]) {
        return setting_invalid(setting,
                               "one condition only; a text with where in it goes in quotes");
    }
    if (!found) {
        return setting_invalid(setting, "a condition reads: where COLUMN in a, b; or: not in a, b");
    }
    if (!setting_list(setting, columns, "|", &measure->condition_columns) ||
        !setting_list(setting, values, ",", &measure->condition_values)) {
        return false;
    }
    return (measure->condition_columns.count > 0 && measure->condition_values.count > 0) ||
           setting_invalid(setting, "a condition needs a column and at least one value");
}

static bool parse_measure(const struct feed_setting *setting, struct feed_measure *measure)
{
    struct text columns;
    struct text condition;
    bool found;

    if (!setting_split(setting, setting->value, "where", &columns, &condition, &found) ||
        (found && !parse_condition(setting, condition, measure))) {
        return false;
    }
    measure->set = columns.bytes > 0;
    return text_is(columns, "count") || setting_list(setting, columns, "|", &measure->columns);
}

static bool set_measure(const struct feed_setting *setting)
{
    static const char *const reserved[] = {"incidents", "days", "day"};
    static const char ending[] = "_reported";
    struct feed *feed = setting->feed;
    struct feed_measure measure = {0};
    size_t bytes = strlen(setting->suffix);
    size_t i = 0;

    if (!check_name(setting, reserved, COUNT_OF(reserved))) {
        return false;
    }
    if (bytes >= strlen(ending) && strcmp(setting->suffix + bytes - strlen(ending), ending) == 0) {
        return err_set(setting->err, TALLY_INVALID,
                       "%s: names in _reported are columns that count who gave a figure",
                       setting->key);
    }
    while (i < feed->measures_count && strcmp(feed->measures[i].name, setting->suffix) != 0) {
        i++;
    }
    if (i == SHAPE_MEASURES_MAX) {
        return err_set(setting->err, TALLY_INVALID, "%s: at most %d measures", setting->key,
                       SHAPE_MEASURES_MAX);
    }
    if (!parse_measure(setting, &measure) ||
        !setting_keep(setting, text_of(setting->suffix), &measure.name)) {
        return false;
    }
    feed->measures[i] = measure;
    feed->measures_count += i == feed->measures_count;
    return true;
}

static bool set_map(const struct feed_setting *setting)
{
    char path[4096];

    if (setting->value.bytes == 0) {
        return feed_map_set(setting->feed, setting->suffix, NULL, setting->err);
    }
    bool absolute = setting->value.at[0] == '/' || !setting->dir || !setting->dir[0];
    int bytes = snprintf(path, sizeof path, "%s%s%.*s", absolute ? "" : setting->dir,
                         absolute ? "" : "/", (int)setting->value.bytes, setting->value.at);
    if (bytes < 0 || (size_t)bytes >= sizeof path) {
        return setting_invalid(setting, "the path is too long");
    }
    return feed_map_set(setting->feed, setting->suffix, path, setting->err);
}

static bool set_optional(const struct feed_setting *setting)
{
    return setting_list(setting, setting->value, ",", &setting->feed->optional);
}

static bool set_unknown(const struct feed_setting *setting)
{
    return setting_words(setting, &setting->feed->unknown);
}

// --- dates ---

static bool parse_formats(const struct feed_setting *setting, struct feed_list *out,
                          bool *out_two_digits, bool *out_fraction)
{
    struct feed_list list;

    if (!setting_list(setting, setting->value, "|", &list)) {
        return false;
    }
    for (size_t i = 0; i < list.count; i++) {
        if (!date_check_format(list.items[i], out_two_digits, out_fraction, setting->err)) {
            return err_wrap(setting->err, "%s", setting->key);
        }
    }
    *out = list;
    return true;
}

static bool set_date_format(const struct feed_setting *setting)
{
    bool two_digits = false;
    bool fraction = false;

    if (!parse_formats(setting, &setting->feed->date_formats, &two_digits, &fraction)) {
        return false;
    }
    setting->feed->two_digit_years = two_digits;
    return true;
}

static bool set_revision_format(const struct feed_setting *setting)
{
    bool two_digits = false;
    bool fraction = false;

    if (!parse_formats(setting, &setting->feed->revision_formats, &two_digits, &fraction)) {
        return false;
    }
    setting->feed->revision_fraction = fraction;
    return !two_digits || setting_invalid(setting, "years of revisions need four digits: %Y");
}

static bool set_century(const struct feed_setting *setting)
{
    int64_t century = DATE_CENTURY_UNSET;

    if (setting->value.bytes > 0 &&
        (!setting_count(setting, 0, 9900,
                        "1900, 2000 and the like; 0 if years are meant as written", &century) ||
         century % 100 != 0)) {
        return setting_invalid(setting, "1900, 2000 and the like; 0 if years are meant as written");
    }
    setting->feed->century = (int)century;
    return true;
}

static bool set_year_min(const struct feed_setting *setting)
{
    int64_t year = 1;

    if (setting->value.bytes > 0 &&
        !setting_count(setting, -9999, 9999, "a year from -9999 to 9999", &year)) {
        return false;
    }
    setting->feed->year_min = (int)year;
    return true;
}

// --- the table ---

struct feed_key {
    struct feed_key_help help;
    bool (*set)(const struct feed_setting *setting);
    enum feed_role role; // that set_fixed sets
};

static const struct feed_key keys[] = {
    {{"files", "GLOB ...", "none: told by the header",
      "Names of files that belong to this feed, with or without .gz or .zst. A file that no glob "
      "or several claim is settled by its header."},
     set_files,
     0},
    {{"kind", "incidents | claims", "incidents",
      "claims: each row is what somebody said; tally claims sets it against what was recorded. "
      "docs/claims.md."},
     set_kind,
     0},
    {{"mode", "upsert | snapshot | deletions", "upsert",
      "upsert: each row is the newest word on its id. snapshot: a file is the whole content; what "
      "is missing from it is withdrawn. deletions: a file lists ids to withdraw."},
     set_mode,
     0},
    {{"scope", "DIM", "the whole feed",
      "A snapshot speaks only for the values of this dimension that occur in it."},
     set_scope,
     0},
    {{"deletes", "FEED", "none", "Whose incidents a deletions feed withdraws."}, set_deletes, 0},
    {{"id", "COLUMN | COLUMN ...", "required",
      "What identifies an incident. Of several columns the first that the file has."},
     set_fixed,
     FEED_ID},
    {{"revision", "COLUMN | ...", "none: the later file wins",
      "Which of two versions is newer. Numbers compare as numbers, else texts by their bytes."},
     set_fixed,
     FEED_REVISION},
    {{"revision_format", "FORMAT | ...", "as written",
      "Reads revisions that are moments, as date_format does, so that they order in time."},
     set_revision_format,
     0},
    {{"date", "COLUMN | ...", "required, or year", "First day of an incident."},
     set_fixed,
     FEED_DATE},
    {{"year", "COLUMN | ...", "none", "Instead of date: the year."}, set_fixed, FEED_YEAR},
    {{"month", "COLUMN | ...", "none", "The month; blank, 0 or negative: unknown."},
     set_fixed,
     FEED_MONTH},
    {{"day", "COLUMN | ...", "none", "The day; blank, 0 or negative: unknown."},
     set_fixed,
     FEED_DAY},
    {{"end_date", "COLUMN | ...", "the first day", "Last day of an incident."},
     set_fixed,
     FEED_END_DATE},
    {{"end_year", "COLUMN | ...", "none", "Instead of end_date: the year."},
     set_fixed,
     FEED_END_YEAR},
    {{"end_month", "COLUMN | ...", "none", "The month of the last day."},
     set_fixed,
     FEED_END_MONTH},
    {{"end_day", "COLUMN | ...", "none", "The day of the last day."}, set_fixed, FEED_END_DAY},
    {{"days", "COLUMN | ...", "none", "How many days, instead of date or end_date."},
     set_fixed,
     FEED_DAYS},
    {{"days_end", "COLUMN | ...", "none", "Last day, where end_date is empty or not there."},
     set_fixed,
     FEED_DAYS_END},
    {{"date_format", "FORMAT | ...", "ISO 8601, with or without a time",
      "How dates are written: %Y %y %m %b %B %d %e %j %F %H %I %M %S %T %f %p %z %%. The first "
      "format that reads the whole text is taken. A format without day or month gives intervals."},
     set_date_format,
     0},
    {{"century", "1900 | 2000 | ... | 0", "years of two digits are refused",
      "Added to years of two digits; 0 if they are meant as written."},
     set_century,
     0},
    {{"year_min", "YEAR", "1", "Rows of earlier years are rejected; 0 is 1 BC, -1 is 2 BC."},
     set_year_min,
     0},
    {{"dim.", "COLUMN | ... or \"TEXT\"", "none",
      "A dimension to group by: a column, or the same text for every row."},
     set_dim,
     0},
    {{"measure.", "COLUMN | ... or count, [where COLUMN [not] in a, b]", "none",
      "A number that adds up: a column's, or 1 a row, or either under a condition."},
     set_measure,
     0},
    {{"map.", "FILE.csv", "none",
      "Texts of a dimension that mean another: a CSV of two columns, from and to. Texts that it "
      "does not list stay as they are."},
     set_map,
     0},
    {{"optional", "COLUMN, ...", "none",
      "Columns that a file may lack. Every other column that is named has to be there."},
     set_optional,
     0},
    {{"unknown", "TEXT ...", "the empty field",
      "Texts that mean unknown besides the empty field, such as -99 NA (null)."},
     set_unknown,
     0},
    {{"rows", "per-incident | per-victim", "per-incident",
      "per-victim: rows of one file that share an id are one incident; their measures add up."},
     set_rows,
     0},
    {{"delimiter", "comma | tab | semicolon | pipe", "comma", "What stands between fields."},
     set_delimiter,
     0},
    {{"quote", "double | none", "double", "Whether fields may stand within double quotes."},
     set_quote,
     0},
    {{"encoding", "NAME", "utf-8",
      "As iconv knows it: latin1, windows-1252, utf-16le. A byte order mark needs no mention."},
     set_encoding,
     0},
    {{"decimal", "point | comma", "point", "The decimal mark of numbers such as 15960.0."},
     set_decimal,
     0},
    {{"preamble", "LINES", "0", "Lines to pass over before the header."}, set_preamble, 0},
    {{"header", "present | none", "present", "Whether the first record names the columns."},
     set_header,
     0},
    {{"columns", "[N] NAME, ...", "from the header",
      "Names the columns of files without a header, in order or behind their positions."},
     set_columns,
     0},
    {{"column_counts", "N ...", "the last position in columns",
      "How many columns a file without a header may have."},
     set_column_counts,
     0},
    {{"final_newline", "optional | required", "optional",
      "required: a file whose last record has no line end counts as cut short."},
     set_final_newline,
     0},
    {{"reject_max", "ROWS or N%", "any number, but not all",
      "With more rejected rows than this the whole file is refused."},
     set_reject_max,
     0},
};

size_t feed_keys_count(void)
{
    return COUNT_OF(keys);
}

struct feed_key_help feed_key_at(size_t index)
{
    return keys[index].help;
}

static const struct feed_key *find_key(const char *name, const char **out_suffix)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        const char *known = keys[i].help.name;
        size_t bytes = strlen(known);
        bool open = known[bytes - 1] == '.';
        if (open ? strncmp(name, known, bytes) == 0 : strcmp(name, known) == 0) {
            *out_suffix = open ? name + bytes : "";
            return &keys[i];
        }
    }
    return NULL;
}

bool feed_set(struct feed *feed, const char *key, const char *value, const char *dir,
              struct tally_err *err)
{
    struct feed_setting setting = {
        .feed = feed,
        .key = key,
        .value = text_trim(text_of(value)),
        .dir = dir,
        .err = err,
    };
    const struct feed_key *found = find_key(key, &setting.suffix);

    if (!found) {
        return err_set(err, TALLY_INVALID, "a feed has no key \"%.60s\"; tallyd.conf(5) lists them",
                       key);
    }
    setting.role = found->role;
    return found->set(&setting) && setting_note(&setting);
}
