// tests/fuzz/fuzz_map.c - cells through ingest, against a plain reading of the same cells.
//
// The input is cells, 0x1f between them and 0x1e behind each row of six: id, first day, last day,
// place, killed, kind. They are quoted into a CSV with its header. Oracle: the words of
// docs/feeds.md in regular expressions and loops; each row has to come out with the same texts and
// numbers, or be set aside with the same reason, in the same order.
#include "base/day.h"
#include "ingest/ingest.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { COLUMNS = 6, ROWS_MAX = 24, CELL_BYTES_MAX = 2000 };
enum column { ID, FIRST, LAST, PLACE, KILLED, KIND };

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

struct cell {
    char text[CELL_BYTES_MAX + 1]; // trimmed
    size_t bytes;
};

// What a row means: a reason, or these.
struct meaning {
    const char *reason;
    char id[CELL_BYTES_MAX + 1];
    int64_t first;
    int64_t last;
    char place[CELL_BYTES_MAX + 1]; // empty: unknown
    bool killed_known;
    int64_t killed;
    bool raids_known;
    int64_t raids;
};

// ---- the plain reading ------------------------------------------------------------------------

enum pattern { ISO_DATE, NUMBER, ZERO_FRACTION, ROUNDED, TAG, PATTERNS_COUNT };

static bool matches(enum pattern pattern, const char *text, regmatch_t *found, size_t count)
{
    static const char *const patterns[PATTERNS_COUNT] = {
        [ISO_DATE] = "^(-?)([0-9]{4})(-([0-9]{2})(- *([0-9]{1,2})"
                     "([Tt ]([0-9]{1,2}):([0-9]{1,2})(:([0-9]{1,2}))?([.,][0-9]{1,9})? *"
                     "([Zz]|[+-]([0-9]{2}):?([0-9]{2})?)?)?)?)?$",
        [NUMBER] = "^([+-]?)([0-9]+)(\\.([0-9]*))?$",
        [ZERO_FRACTION] = "^(-?[0-9]+)\\.0+$",
        [ROUNDED] = "^[0-9]([.,][0-9]+)?E[+][0-9][0-9]$",
        [TAG] = "^#[A-Za-z]"};
    static regex_t compiled[PATTERNS_COUNT];
    static bool ready;

    for (size_t i = 0; i < PATTERNS_COUNT && !ready; i++) {
        require(regcomp(&compiled[i], patterns[i], REG_EXTENDED) == 0);
    }
    ready = true;
    return regexec(&compiled[pattern], text, count, found, 0) == 0;
}

static bool is_unknown(const char *text)
{
    return !*text || strcmp(text, "-99") == 0 || strcmp(text, "NA") == 0;
}

// Code points from bytes, the shortest form only.
static bool is_utf8(const struct cell *cell)
{
    for (size_t i = 0; i < cell->bytes;) {
        unsigned char c = (unsigned char)cell->text[i];
        size_t more = c < 0x80 ? 0 : c >> 5 == 6 ? 1 : c >> 4 == 14 ? 2 : c >> 3 == 30 ? 3 : 9;
        static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
        if (more == 9 || i + more >= cell->bytes) {
            return false;
        }
        uint32_t point = more == 0 ? c : c & (0x3fU >> more);
        for (size_t j = 1; j <= more; j++) {
            unsigned char next = (unsigned char)cell->text[i + j];
            if (next >> 6 != 2) {
                return false;
            }
            point = point << 6 | (next & 0x3f);
        }
        if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) {
            return false;
        }
        i += more + 1;
    }
    return true;
}

static int64_t number_at(const char *text, regmatch_t match)
{
    int64_t number = 0;

    for (regoff_t i = match.rm_so; match.rm_so >= 0 && i < match.rm_eo; i++) {
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

static int64_t day_of(int64_t year, int64_t month, int64_t day)
{
    struct tm civil = {.tm_year = (int)year - 1900, .tm_mon = (int)month - 1, .tm_mday = (int)day};
    return timegm(&civil) / 86400;
}

// A date in ISO 8601: year, month or day, with or without a time.
static const char *read_date(const struct cell *cell, int64_t *out_first, int64_t *out_last)
{
    regmatch_t found[16];
    const char *text = cell->text;

    if (!matches(ISO_DATE, text, found, 16) || number_at(text, found[4]) > 12 ||
        number_at(text, found[6]) > 31 || number_at(text, found[8]) > 24 ||
        number_at(text, found[9]) > 59 || number_at(text, found[11]) > 60 ||
        number_at(text, found[14]) > 14 || number_at(text, found[15]) > 59) {
        return "date-unreadable";
    }
    int64_t year = number_at(text, found[2]);
    int64_t month = number_at(text, found[4]);
    int64_t day = number_at(text, found[6]);
    if (year < 1 || text[0] == '-') {
        return "date-year";
    }
    if (month == 0) {
        *out_first = day_of(year, 1, 1);
        *out_last = day_of(year + 1, 1, 1) - 1;
        return NULL;
    }
    *out_first = day_of(year, month, day ? day : 1);
    *out_last = day ? *out_first : day_of(year + month / 12, month % 12 + 1, 1) - 1;
    bool there = *out_first < day_of(year + month / 12, month % 12 + 1, 1);
    return there ? NULL : "date-impossible";
}

static const char *read_number(const char *text, int64_t *out_number)
{
    regmatch_t found[5];
    bytes_i128 number = 0;

    if (!matches(NUMBER, text, found, 5)) {
        return "number-unreadable";
    }
    for (regoff_t i = found[4].rm_so; i >= 0 && i < found[4].rm_eo; i++) {
        if (text[i] != '0') {
            return "number-fraction";
        }
    }
    for (regoff_t i = found[2].rm_so; i < found[2].rm_eo && number < (bytes_i128)1 << 70; i++) {
        number = number * 10 + (text[i] - '0');
    }
    number = text[0] == '-' ? -number : number;
    if (number < INT64_MIN || number > INT64_MAX) {
        return "number-too-large";
    }
    *out_number = (int64_t)number;
    return NULL;
}

static const char *mean_days(const struct cell *row, struct meaning *out)
{
    int64_t ignored;
    const char *reason =
        is_unknown(row[FIRST].text) ? NULL : read_date(&row[FIRST], &out->first, &out->last);

    if (!reason && !is_unknown(row[LAST].text)) {
        reason = read_date(&row[LAST], &ignored, &out->last);
    }
    if (!reason && is_unknown(row[FIRST].text)) {
        return "date-missing";
    }
    return reason ? reason : out->last < out->first ? "date-order" : NULL;
}

static const char *mean_numbers(const struct cell *row, struct meaning *out)
{
    const char *reason = NULL;

    out->killed_known = !is_unknown(row[KILLED].text);
    if (out->killed_known) {
        reason = read_number(row[KILLED].text, &out->killed);
    }
    if (!reason && out->killed_known && out->killed < 0) {
        reason = out->killed == -99 ? NULL : "number-negative"; // "-099" is listed as unknown, too
        out->killed_known = false;
    }
    // What is of another kind counts 0 raids.
    if (!reason && !is_utf8(&row[KIND])) {
        return "text-encoding";
    }
    out->raids_known = !is_unknown(row[KIND].text);
    out->raids = out->raids_known &&
                 (strcmp(row[KIND].text, "raid") == 0 || strcmp(row[KIND].text, "night raid") == 0);
    return reason;
}

static void mean(const struct cell *row, struct meaning *out)
{
    regmatch_t found[2];
    const char *id = row[ID].text;
    size_t bytes = row[ID].bytes;

    *out = (struct meaning){.reason = "id-missing"};
    if (is_unknown(id)) {
        return;
    }
    if (matches(ROUNDED, id, found, 1)) {
        out->reason = "id-rounded";
        return;
    }
    if (matches(ZERO_FRACTION, id, found, 2)) {
        bytes = (size_t)found[1].rm_eo;
    }
    memcpy(out->id, id, bytes);
    out->reason = bytes > 1024 ? "id-too-long" : !is_utf8(&row[ID]) ? "text-encoding" : NULL;
    out->reason = out->reason ? out->reason : mean_days(row, out);
    out->reason = out->reason ? out->reason : mean_numbers(row, out);
    if (!out->reason && !is_unknown(row[PLACE].text)) {
        memcpy(out->place, row[PLACE].text, row[PLACE].bytes + 1);
        out->reason = is_utf8(&row[PLACE]) ? NULL : "text-encoding";
    }
}

// ---- the file ---------------------------------------------------------------------------------

struct file {
    struct bytes csv;
    size_t at;
    struct meaning meaning[ROWS_MAX];
    size_t rows;
    bool first; // the next one is the first behind the header
};

static ssize_t read_file(void *context, void *data, size_t count)
{
    struct file *file = context;
    size_t left = file->csv.count - file->at;
    size_t taken = count < 7 ? count : 7;

    taken = taken < left ? taken : left;
    memcpy(data, file->csv.data + file->at, taken);
    file->at += taken;
    return (ssize_t)taken;
}

static void put_cell(struct file *file, const uint8_t *data, size_t bytes, struct cell *out)
{
    size_t from = 0;
    size_t to = bytes < CELL_BYTES_MAX ? bytes : CELL_BYTES_MAX;

    bytes_put_u8(&file->csv, '"');
    out->bytes = 0;
    for (size_t i = 0; i < to; i++) {
        char c = (char)(data[i] ? data[i] : '0'); // a NUL rejects the record: fuzz_ingest does that
        bytes_put(&file->csv, "\"\"", c == '"');
        bytes_put_u8(&file->csv, (uint8_t)c);
        out->text[i] = c;
    }
    bytes_put_u8(&file->csv, '"');
    while (from < to && strchr(" \t\r\n", out->text[from])) {
        from++;
    }
    while (to > from && strchr(" \t\r\n", out->text[to - 1])) {
        to--;
    }
    out->bytes = to - from;
    memmove(out->text, out->text + from, out->bytes);
    out->text[out->bytes] = '\0';
}

// Tags behind the header: every cell empty or with a # and a letter, and one of them at least.
static bool is_hxl(const struct file *file, const struct cell *row)
{
    size_t tags = 0;

    for (size_t i = 0; i < COLUMNS; i++) {
        regmatch_t found;
        bool tag = matches(TAG, row[i].text, &found, 1);
        if (!tag && row[i].text[0]) {
            return false;
        }
        tags += tag;
    }
    return file->first && tags > 0;
}

static void put_row(struct file *file, const uint8_t *data, size_t bytes)
{
    static struct cell row[COLUMNS];

    for (size_t i = 0; i < COLUMNS; i++) {
        const uint8_t *end = bytes > 0 ? memchr(data, 0x1f, bytes) : NULL;
        size_t count = end ? (size_t)(end - data) : bytes;
        put_cell(file, data, count, &row[i]);
        bytes_put_u8(&file->csv, i + 1 < COLUMNS ? ',' : '\n');
        data += end ? count + 1 : count;
        bytes -= end ? count + 1 : count;
    }
    if (!is_hxl(file, row)) {
        mean(row, &file->meaning[file->rows++]);
    }
    file->first = false;
}

static void put_rows(struct file *file, const uint8_t *data, size_t bytes)
{
    static const char header[] = "id,first,last,place,killed,kind\n";

    bytes_put(&file->csv, header, sizeof header - 1);
    while (bytes > 0 && file->rows < ROWS_MAX) {
        const uint8_t *end = memchr(data, 0x1e, bytes);
        size_t count = end ? (size_t)(end - data) : bytes;
        put_row(file, data, count);
        data += end ? count + 1 : count;
        bytes -= end ? count + 1 : count;
    }
}

// ---- comparing --------------------------------------------------------------------------------

enum { TEXTS_MAX = ROWS_MAX + 1 };

struct seen {
    char place[TEXTS_MAX][CELL_BYTES_MAX + 1]; // by code
    size_t places;
    size_t row;    // of the next accepted one
    size_t reject; // and of the next rejected one
};

static size_t next_row(const struct file *file, size_t from, bool rejected)
{
    while (from < file->rows && (file->meaning[from].reason != NULL) != rejected) {
        from++;
    }
    require(from < file->rows);
    return from;
}

static void compare_row(const struct file *file, const struct rows *rows, size_t index,
                        struct seen *seen)
{
    const struct row *row = &rows->row[index];
    size_t at = next_row(file, seen->row, false);
    const struct meaning *want = &file->meaning[at];
    uint32_t code = rows_dims(rows, index)[0];

    seen->row = at + 1;
    require(row->record == at + 1 && row->op == ROWS_PUT);
    require(row->id.bytes == strlen(want->id) &&
            memcmp(rows_text(rows, row->id), want->id, row->id.bytes) == 0);
    require(row->first_day == want->first && row->last_day == want->last);
    require(code < seen->places && strcmp(seen->place[code], want->place) == 0);
    require((row->reported & 1) == want->killed_known);
    require((row->reported >> 1 & 1) == want->raids_known);
    require(rows_measures(rows, index)[0] == (want->killed_known ? want->killed : 0));
    require(rows_measures(rows, index)[1] == want->raids);
}

static void compare_chunk(const struct file *file, const struct rows *rows, struct seen *seen)
{
    for (size_t i = 0; i < rows->new_texts_count; i++) {
        struct rows_span span = rows->new_texts[i].text;
        require(seen->places < TEXTS_MAX && rows->new_texts[i].dim == 0);
        memcpy(seen->place[seen->places], rows_text(rows, span), span.bytes);
        seen->place[seen->places++][span.bytes] = '\0';
    }
    for (size_t i = 0; i < rows->count; i++) {
        compare_row(file, rows, i, seen);
    }
    for (size_t i = 0; i < rows->rejects_count; i++) {
        size_t at = next_row(file, seen->reject, true);
        seen->reject = at + 1;
        require(rows->rejects[i].record == at + 1);
        require(strcmp(rows->rejects[i].reason, file->meaning[at].reason) == 0);
    }
}

static struct feed *describe(void)
{
    static const char *const settings[][2] = {
        {"id", "id"},
        {"date", "first"},
        {"end_date", "last"},
        {"dim.place", "place"},
        {"unknown", "-99 NA"},
        {"measure.killed", "killed"},
        {"measure.raids", "count where kind in raid, \"night raid\""}};
    struct tally_err err;
    struct feed *feed = feed_open("fuzz", &err);

    require(feed);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        require(feed_set(feed, settings[i][0], settings[i][1], "", &err));
    }
    require(feed_check(feed, &err));
    return feed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct feed *feed;
    static struct file file;
    static struct seen seen;
    struct ingest_limits limits = ingest_limits_default;
    struct tally_err err = {0};
    struct rows rows;
    struct ingest_turn turn = {.chunks = &rows, .chunks_max = 1};
    enum ingest_step step;
    size_t rejected = 0;

    feed = feed ? feed : describe();
    bytes_init(&file.csv);
    file.at = file.rows = 0;
    file.first = true;
    seen.places = 1;
    seen.row = seen.reject = 0;
    put_rows(&file, data, bytes);
    for (size_t i = 0; i < file.rows; i++) {
        rejected += file.meaning[i].reason != NULL;
    }
    limits.chunk_rows = 5;
    rows_init(&rows);
    struct ingest *ingest = ingest_open((const struct feed *const *)&feed, 1, "fuzz.csv", &limits,
                                        read_file, &file, &err);
    require(ingest && file.csv.ok);
    do {
        step = ingest_next(ingest, &turn, &err);
        compare_chunk(&file, &rows, &seen);
    } while (step == INGEST_CHUNK);
    // A file of nothing but bad rows is refused as a whole, behind its last one.
    require(step == (rejected > 0 && rejected == file.rows ? INGEST_REFUSED : INGEST_END));
    require(ingest_summary(ingest)->records == file.rows);
    require(ingest_summary(ingest)->rejected == rejected);
    ingest_close(ingest);
    rows_done(&rows);
    bytes_done(&file.csv);
    return 0;
}
