// tally files: what came in and what it did, from the ledger; with --rejected, the rows set aside.
#include "report/run.h"

#include "report/history.h"
#include "report/number.h"
#include "store/replay.h"

#include <string.h>

struct listing {
    struct sheet sheet;
    struct print *print;
    bool streams; // neither sorted nor cut: printed as it is found
};

static void add_file_columns(struct sheet *sheet)
{
    static const struct {
        const char *name;
        enum sheet_kind kind;
        unsigned flags;
    } columns[] = {
        {"file", SHEET_TEXT, 0},
        {"digest", SHEET_TEXT, SHEET_NOT_IN_TABLE},
        {"bytes", SHEET_COUNT, 0},
        {"outcome", SHEET_TEXT, 0},
        {"rows", SHEET_COUNT, 0},
        {"added", SHEET_COUNT, 0},
        {"revised", SHEET_COUNT, 0},
        {"withdrawn", SHEET_COUNT, 0},
        {"unchanged", SHEET_COUNT, 0},
        {"rejected", SHEET_COUNT, 0},
        {"batch", SHEET_NUMBER, 0},
        {"time", SHEET_TEXT, 0},
        {"feed", SHEET_TEXT, 0},
        {"older", SHEET_COUNT, SHEET_UNLESS_ZERO},
        {"conflicts", SHEET_COUNT, SHEET_UNLESS_ZERO},
        {"disordered", SHEET_COUNT, SHEET_UNLESS_ZERO},
        {"first_day", SHEET_DAY, 0},
        {"last_day", SHEET_DAY, 0},
        {"unterminated", SHEET_NUMBER, SHEET_UNLESS_ZERO},
        {"reason", SHEET_TEXT, SHEET_UNLESS_ZERO | SHEET_FOLDS},
    };
    static const char *const least[] = {"rows",  "unchanged", "feed",      "time",
                                        "bytes", "last_day",  "first_day", "unterminated"};

    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        sheet_add_column(sheet, columns[i].kind, columns[i].flags, "", columns[i].name, "");
    }
    for (size_t i = 0; i < sizeof least / sizeof least[0]; i++) {
        sheet_rank(sheet, least[i], (unsigned)i + 1);
    }
    sheet->title = "Files, in the order in which they were taken in";
}

static void add_reject_columns(struct sheet *sheet)
{
    sheet_add_column(sheet, SHEET_TEXT, 0, "", "feed", "");
    sheet_add_column(sheet, SHEET_TEXT, 0, "", "file", "");
    sheet_add_column(sheet, SHEET_TEXT, SHEET_NOT_IN_TABLE, "", "digest", "");
    sheet_add_column(sheet, SHEET_NUMBER, 0, "", "record", "");
    sheet_add_column(sheet, SHEET_NUMBER, 0, "", "line", "");
    sheet_add_column(sheet, SHEET_NUMBER, 0, "", "offset", "");
    sheet_add_column(sheet, SHEET_TEXT, 0, "", "reason", "");
    sheet_add_column(sheet, SHEET_TEXT, SHEET_FOLDS, "", "explanation", "");
    sheet_add_column(sheet, SHEET_TEXT, SHEET_FOLDS, "", "raw", "");
    sheet_rank(sheet, "offset", 2);
    sheet_rank(sheet, "record", 1);
    sheet->title = "Rejected rows; record 0 is a whole file";
}

static struct sheet_value put_digest(struct sheet *sheet, struct digest digest)
{
    char text[DIGEST_TEXT_BYTES];

    digest_format(digest, text);
    return sheet_copy(sheet, text, strlen(text));
}

static struct sheet_value put_time(struct sheet *sheet, int64_t time_ms)
{
    char text[NUMBER_TIME_BYTES];

    number_format_time(time_ms, text);
    return sheet_copy(sheet, text, strlen(text));
}

// A file is named by BEGIN where it made a batch, else by FILE.
static struct sheet_value put_file(struct sheet *sheet, const struct replay_file *file)
{
    return file->begin ? sheet_copy(sheet, file->begin->file, file->begin->file_bytes)
                       : sheet_copy(sheet, file->end->file, file->end->file_bytes);
}

static struct sheet_value put_feed(struct sheet *sheet, const struct replay_file *file)
{
    return file->begin ? sheet_copy(sheet, file->begin->feed, file->begin->feed_bytes)
                       : sheet_copy(sheet, file->end->feed, file->end->feed_bytes);
}

static struct sheet_value put_reason(struct sheet *sheet, const struct batch_end *end)
{
    if (end->reason_bytes == 0) {
        return (struct sheet_value){.state = SHEET_EMPTY};
    }
    if (end->place_bytes == 0) {
        return sheet_copy(sheet, end->reason, end->reason_bytes);
    }
    return sheet_name(sheet_printf(sheet, "%.*s: %.*s", (int)end->place_bytes, end->place,
                                   (int)end->reason_bytes, end->reason));
}

static struct sheet_value *put_counts(struct sheet_value *at, const struct replay_file *file)
{
    const struct batch_counts *counts = &file->counts;
    const struct batch_end *end = file->end;

    *at++ = sheet_number(end->records);
    *at++ = sheet_number(counts->added);
    *at++ = sheet_number(counts->revised);
    *at++ = sheet_number(counts->withdrawn);
    *at++ = sheet_number(counts->unchanged);
    *at++ = sheet_number(end->rejected);
    return at;
}

static bool on_file(void *context, const struct replay_file *file, struct tally_err *err)
{
    struct listing *listing = context;
    struct sheet *sheet = &listing->sheet;
    const struct batch_end *end = file->end;
    struct sheet_value *at = sheet_add_row(sheet, err);

    if (!at) {
        return false;
    }
    *at++ = put_file(sheet, file);
    *at++ = put_digest(sheet, end->digest);
    *at++ = sheet_number(end->bytes);
    // No file: from here on its feed's files are read again.
    bool forgets = file->begin && file->begin->mode == BATCH_FORGET;
    *at++ = sheet_name(forgets ? "replay" : file_outcome_name(end->outcome));
    at = put_counts(at, file);
    if (file->batch > 0) {
        *at = sheet_number(file->batch);
    }
    at++;
    *at++ = put_time(sheet, end->time_ms);
    *at++ = put_feed(sheet, file);
    *at++ = sheet_number(file->counts.older);
    *at++ = sheet_number(file->counts.conflicts);
    *at++ = sheet_number(end->disordered);
    if (end->any_day) {
        at[0] = sheet_number(end->first_day);
        at[1] = sheet_number(end->last_day);
    }
    at += 2;
    *at++ = sheet_number(end->unterminated);
    *at = put_reason(sheet, end);
    return true;
}

static bool on_reject(void *context, const struct replay_file *file,
                      const struct replay_reject *reject, struct tally_err *err)
{
    struct listing *listing = context;
    struct sheet *sheet = &listing->sheet;
    struct sheet_value *at = sheet_add_row(sheet, err);

    if (!at) {
        return false;
    }
    *at++ = put_feed(sheet, file);
    *at++ = put_file(sheet, file);
    *at++ = put_digest(sheet, file->end->digest);
    *at++ = sheet_number(reject->record);
    *at++ = sheet_number(reject->line);
    *at++ = sheet_number(reject->offset);
    *at++ = sheet_copy(sheet, reject->reason, reject->reason_bytes);
    *at++ = sheet_copy(sheet, reject->detail, reject->detail_bytes);
    *at = sheet_copy(sheet, reject->raw, reject->raw_bytes);
    if (listing->streams) {
        print_rows(listing->print, sheet);
    }
    return true;
}

static bool on_rejected_file(void *context, const struct replay_file *file, struct tally_err *err)
{
    struct listing *listing = context;
    struct sheet *sheet = &listing->sheet;

    if (file->end->outcome != FILE_REJECTED) {
        return true;
    }
    struct sheet_value *at = sheet_add_row(sheet, err);
    if (!at) {
        return false;
    }
    *at++ = put_feed(sheet, file);
    *at++ = put_file(sheet, file);
    *at++ = put_digest(sheet, file->end->digest);
    *at++ = sheet_number(0);
    *at++ = sheet_number(0);
    *at++ = sheet_number(0);
    *at++ = sheet_name("file");
    *at++ = put_reason(sheet, file->end);
    *at = sheet_name("");
    return true;
}

static bool walk(struct listing *listing, const struct options *options, struct tally_err *err)
{
    struct replay_visitor visitor = {.context = listing};
    struct history *history = history_open(options, err);

    if (options->rejected) {
        visitor.on_reject = on_reject;
        visitor.on_file = on_rejected_file;
    } else {
        visitor.on_file = on_file;
    }
    bool done = history && history_files(history, &visitor, err);
    history_close(history);
    return done;
}

static bool show(struct listing *listing, const struct options *options, struct tally_err *err)
{
    struct sheet *sheet = &listing->sheet;

    if (options->rejected) {
        add_reject_columns(sheet);
    } else {
        add_file_columns(sheet);
    }
    if ((options->sort && !sheet_sort(sheet, options->sort, err)) || !walk(listing, options, err) ||
        (options->sort && !sheet_sort(sheet, options->sort, err))) {
        return false;
    }
    if (options->limited) {
        sheet_limit(sheet, options->limit);
    }
    return print_end(listing->print, sheet, err);
}

bool run_files(const struct options *options, struct print *print, struct tally_err *err)
{
    struct listing listing = {.print = print, .streams = !options->sort && !options->limited};

    sheet_init(&listing.sheet);
    bool done = show(&listing, options, err);
    sheet_done(&listing.sheet);
    return done;
}
