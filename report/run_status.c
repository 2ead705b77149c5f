// tally status, tally rescan: what a running tallyd is at, through its socket.
//
//   table   a few lines, and a table each of feeds, rollups and the last files
//   csv     one row a value: area, name, key, value
//   json    the daemon's own words
//   --follow: one line a second, in each format, until the daemon ends
#include "report/run.h"

#include "report/control_client.h"
#include "report/glyphs.h"
#include "report/number.h"
#include "report/origin.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

// ---- members ------------------------------------------------------------------------------

static int64_t number_at(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static struct sheet_value value_of(struct sheet *sheet, const json_t *value)
{
    if (json_is_integer(value)) {
        return sheet_number(json_integer_value(value));
    }
    if (json_is_boolean(value)) {
        return sheet_name(json_is_true(value) ? "true" : "false");
    }
    if (json_is_string(value)) {
        return sheet_copy(sheet, json_string_value(value), json_string_length(value));
    }
    return (struct sheet_value){.state = SHEET_EMPTY};
}

// "3 h 12 min": the two greatest units.
static const char *span_of(struct sheet *sheet, int64_t seconds)
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};

    for (size_t i = 0; i + 1 < sizeof units / sizeof *units; i++) {
        if (seconds >= units[i].seconds) {
            return sheet_printf(sheet, "%" PRId64 " %s %" PRId64 " %s", seconds / units[i].seconds,
                                units[i].name, seconds % units[i].seconds / units[i + 1].seconds,
                                units[i + 1].name);
        }
    }
    return sheet_printf(sheet, "%" PRId64 " s", seconds);
}

static const char *count_of(struct sheet *sheet, int64_t count)
{
    char text[NUMBER_BYTES];
    return sheet_printf(sheet, "%s", number_format(count, ',', text));
}

// For a terminal.
static const char *shown(struct sheet *sheet, const char *text)
{
    struct bytes out;

    bytes_init(&out);
    glyphs_put(&out, text, strlen(text), SIZE_MAX);
    const char *copy = sheet_printf(sheet, "%.*s", (int)out.count, (const char *)out.data);
    bytes_done(&out);
    return copy;
}

// "x.csv: 40 % of 5,678 bytes, 12 rows, about 3 s left", or "".
static const char *reading_of(struct sheet *sheet, const json_t *status)
{
    const json_t *reading = json_object_get(status, "reading");
    int64_t total = number_at(reading, "bytes_total");
    const json_t *left = json_object_get(reading, "expected_ms");

    if (!json_is_object(reading)) {
        return "";
    }
    int64_t percent =
        total > 0 ? (int64_t)((bytes_i128)number_at(reading, "bytes") * 100 / total) : 100;
    return sheet_printf(
        sheet, "%s: %" PRId64 " %% of %s bytes, %s rows%s%s%s",
        shown(sheet, text_at(reading, "file")), percent, count_of(sheet, total),
        count_of(sheet, number_at(reading, "rows")), left ? ", about " : "",
        json_is_integer(left) ? span_of(sheet, (json_integer_value(left) + 999) / 1000) : "?",
        left ? " left" : "");
}

// ---- CSV ----------------------------------------------------------------------------------

static bool add_value(struct sheet *sheet, const char *area, const char *name, const char *key,
                      const json_t *value, struct tally_err *err)
{
    struct sheet_value *at = sheet_add_row(sheet, err);

    if (!at) {
        return false;
    }
    at[0] = sheet_name(area);
    at[1] = sheet_copy(sheet, name, strlen(name));
    at[2] = sheet_copy(sheet, key, strlen(key));
    at[3] = value_of(sheet, value);
    if (at[3].state == SHEET_GIVEN && json_is_integer(value)) {
        at[3] = sheet_name(sheet_printf(sheet, "%" PRId64, (int64_t)json_integer_value(value)));
    }
    return true;
}

// The members of one object, and of the objects in it: "files.accepted".
static bool add_members(struct sheet *sheet, const char *area, const char *name, const char *prefix,
                        const json_t *object, struct tally_err *err)
{
    const char *key;
    const json_t *value;
    void *at = json_object_iter((json_t *)(uintptr_t)object);

    for (; at; at = json_object_iter_next((json_t *)(uintptr_t)object, at)) {
        key = sheet_printf(sheet, "%s%s", prefix, json_object_iter_key(at));
        value = json_object_iter_value(at);
        if (json_is_object(value)) {
            if (!add_members(sheet, area, name, sheet_printf(sheet, "%s.", key), value, err)) {
                return false;
            }
        } else if (!json_is_array(value) && !add_value(sheet, area, name, key, value, err)) {
            return false;
        }
    }
    return true;
}

static bool add_list(struct sheet *sheet, const json_t *status, const char *list, const char *area,
                     struct tally_err *err)
{
    const json_t *entries = json_object_get(status, list);
    bool ok = true;

    for (size_t i = 0; ok && i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        ok = add_members(sheet, area, text_at(entry, area), "", entry, err);
    }
    return ok;
}

static bool print_values(const json_t *status, struct print *print, struct tally_err *err)
{
    static const char *const columns[] = {"area", "name", "key", "value"};
    struct sheet sheet;

    sheet_init(&sheet);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        sheet_add_column(&sheet, SHEET_TEXT, 0, "", columns[i], "");
    }
    bool ok = add_members(&sheet, "tallyd", "", "", status, err) &&
              add_list(&sheet, status, "hosts", "host", err) &&
              add_list(&sheet, status, "feeds", "feed", err) &&
              add_list(&sheet, status, "rollups", "rollup", err) &&
              add_list(&sheet, status, "recent", "file", err) && print_end(print, &sheet, err);
    sheet_done(&sheet);
    return ok;
}

// ---- tables -------------------------------------------------------------------------------

struct column {
    const char *key; // of the entry, or of its `group`
    const char *group;
    const char *name;
    enum sheet_kind kind;
};

static const struct column host_columns[] = {
    {"host", NULL, "host", SHEET_TEXT},
    {"reachable", NULL, "reachable", SHEET_TEXT},
    {NULL, NULL, NULL, SHEET_TEXT},
};
static const struct column feed_columns[] = {
    {"feed", NULL, "feed", SHEET_TEXT},
    {"incidents", NULL, "incidents", SHEET_COUNT},
    {"first_day", NULL, "first_day", SHEET_TEXT},
    {"last_day", NULL, "last_day", SHEET_TEXT},
    {"age_s", NULL, "age", SHEET_TEXT},
    {"accepted", "files", "accepted", SHEET_COUNT},
    {"rejected", "files", "refused", SHEET_COUNT},
    {"rejected", "rows", "rows_rejected", SHEET_COUNT},
    {NULL, NULL, NULL, SHEET_TEXT},
};
static const struct column rollup_columns[] = {
    {"rollup", NULL, "rollup", SHEET_TEXT},
    {"generation", NULL, "generation", SHEET_NUMBER},
    {"bytes", NULL, "bytes", SHEET_COUNT},
    {NULL, NULL, NULL, SHEET_TEXT},
};
static const struct column recent_columns[] = {
    {"time", NULL, "time", SHEET_TEXT},
    {"file", NULL, "file", SHEET_TEXT},
    {"feed", NULL, "feed", SHEET_TEXT},
    {"outcome", NULL, "outcome", SHEET_TEXT},
    {"batch", NULL, "batch", SHEET_NUMBER},
    {"rows", NULL, "rows", SHEET_COUNT},
    {"rejected", NULL, "rejected", SHEET_COUNT},
    {"ms", NULL, "ms", SHEET_COUNT},
    {NULL, NULL, NULL, SHEET_TEXT},
};

static bool add_entry(struct sheet *sheet, const struct column *columns, const json_t *entry,
                      struct tally_err *err)
{
    struct sheet_value *at = sheet_add_row(sheet, err);

    for (size_t i = 0; at && columns[i].key; i++) {
        const json_t *from = columns[i].group ? json_object_get(entry, columns[i].group) : entry;
        const json_t *value = json_object_get(from, columns[i].key);
        at[i] = strcmp(columns[i].key, "age_s") == 0 && json_is_integer(value)
                    ? sheet_name(span_of(sheet, json_integer_value(value)))
                    : value_of(sheet, value);
    }
    return at != NULL;
}

static bool print_list(const json_t *status, const char *list, const char *title,
                       const struct column *columns, const struct print *print,
                       struct tally_err *err)
{
    const json_t *entries = json_object_get(status, list);
    struct print part = *print;
    struct sheet sheet;
    bool ok = true;

    if (json_array_size(entries) == 0) {
        return true;
    }
    sheet_init(&sheet);
    sheet.title = title;
    for (size_t i = 0; columns[i].key; i++) {
        sheet_add_column(&sheet, columns[i].kind, 0, "", columns[i].name, "");
    }
    for (size_t i = 0; ok && i < json_array_size(entries); i++) {
        ok = add_entry(&sheet, columns, json_array_get(entries, i), err);
    }
    fputc('\n', print->out);
    ok = ok && print_end(&part, &sheet, err);
    sheet_done(&sheet);
    return ok;
}

static const char *reason_of(const json_t *status)
{
    const json_t *pause = json_object_get(status, "pause");

    return strcmp(text_at(pause, "event"), "store_unavailable") == 0
               ? "the store's servers cannot be reached"
               : "no room on the disk";
}

static void print_head(struct sheet *texts, const json_t *status, FILE *out)
{
    const char *reading = reading_of(texts, status);

    fprintf(out, "tallyd %s, up %s%s%s%s\n", text_at(status, "version"),
            span_of(texts, number_at(status, "uptime_s")),
            json_is_true(json_object_get(status, "paused")) ? ", paused: " : "",
            json_is_true(json_object_get(status, "paused")) ? reason_of(status) : "",
            json_is_true(json_object_get(status, "reloading")) ? ", reloading" : "");
    fprintf(out, "generation %" PRId64 ", %s incidents\n", number_at(status, "generation"),
            count_of(texts, number_at(status, "incidents")));
    fprintf(out, "%s files wait", count_of(texts, number_at(status, "waiting")));
    if (number_at(status, "waiting") > 0) {
        fprintf(out, ", the oldest for %s", span_of(texts, number_at(status, "oldest_wait_s")));
    }
    fprintf(out, "%s%s\n", *reading ? "; reading " : "", reading);
    if (json_array_size(json_object_get(status, "hosts")) > 0) {
        fprintf(out, "ledger on %s, ", text_at(status, "engine"));
    } else {
        fprintf(out, "ledger %s bytes, ", count_of(texts, number_at(status, "ledger_bytes")));
    }
    fprintf(out, "memory %s bytes\n", count_of(texts, number_at(status, "memory_bytes")));
    const json_t *pause = json_object_get(status, "pause");
    if (json_is_object(pause)) {
        fprintf(out, "for %s: %s\n", span_of(texts, number_at(pause, "s")),
                text_at(pause, "error"));
    }
}

static bool print_tables(const json_t *status, struct print *print, struct tally_err *err)
{
    struct sheet texts;

    sheet_init(&texts);
    print_head(&texts, status, print->out);
    sheet_done(&texts);
    return print_list(status, "hosts", "Servers", host_columns, print, err) &&
           print_list(status, "feeds", "Feeds", feed_columns, print, err) &&
           print_list(status, "rollups", "Rollups", rollup_columns, print, err) &&
           print_list(status, "recent", "Last files", recent_columns, print, err);
}

// ---- all of it ----------------------------------------------------------------------------

static bool flush(struct print *print, struct tally_err *err)
{
    return (fflush(print->out) == 0 && !ferror(print->out)) || err_sys(err, "write the output");
}

static bool print_line(const json_t *status, struct print *print, struct tally_err *err)
{
    struct sheet texts;

    sheet_init(&texts);
    const char *reading = reading_of(&texts, status);
    if (print->format == PRINT_JSON) {
        json_dumpf(status, print->out, JSON_COMPACT);
        fputc('\n', print->out);
    } else {
        bool csv = print->format == PRINT_CSV;
        fprintf(print->out,
                csv ? "%s,%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "\n"
                    : "%s  generation %" PRId64 "  waiting %" PRId64 "  files %" PRId64,
                text_at(status, "time"), number_at(status, "generation"),
                number_at(status, "waiting"), number_at(status, "files"),
                number_at(json_object_get(status, "reading"), "bytes"));
        if (!csv) {
            fprintf(print->out, "%s%s\n", *reading ? "  " : "", reading);
        }
    }
    sheet_done(&texts);
    return flush(print, err);
}

static bool follow(struct control_client *client, json_t *reply, struct print *print,
                   struct tally_err *err)
{
    bool ok = true;

    if (print->format == PRINT_CSV) {
        fputs("time,generation,waiting,files,reading_bytes\n", print->out);
    }
    while (ok && reply) {
        ok = print_line(json_object_get(reply, "status"), print, err);
        json_decref(reply);
        reply = ok ? control_next(client, err) : NULL;
    }
    return ok && err->code == TALLY_NOT_FOUND; // it ended: so does this
}

static bool print_reply(const json_t *reply, const struct options *options, struct print *print,
                        struct tally_err *err)
{
    const json_t *status = json_object_get(reply, "status");

    if (options->openmetrics) {
        fputs(text_at(reply, "metrics"), print->out);
        return flush(print, err);
    }
    switch (print->format) {
    case PRINT_TABLE:
        return print_tables(status, print, err);
    case PRINT_CSV:
        return print_values(status, print, err);
    case PRINT_JSON:
        json_dumpf(status, print->out, JSON_INDENT(2));
        fputc('\n', print->out);
        return flush(print, err);
    }
    return false;
}

static bool ask(const struct options *options, struct control_client *client, struct print *print,
                struct tally_err *err)
{
    const char *request = options->command == COMMAND_RESCAN ? "{\"do\":\"rescan\"}\n"
                          : options->openmetrics             ? "{\"do\":\"metrics\"}\n"
                          : options->follow ? "{\"do\":\"status\",\"follow\":true}\n"
                                            : "{\"do\":\"status\"}\n";
    json_t *reply = control_ask(client, request, err);

    if (!reply) {
        return false;
    }
    if (options->follow) {
        return follow(client, reply, print, err);
    }
    bool ok = options->command == COMMAND_RESCAN || print_reply(reply, options, print, err);
    json_decref(reply);
    return ok;
}

static bool connect_and_ask(const struct options *options, struct print *print,
                            struct tally_err *err)
{
    struct control_client client;
    char *path = origin_control_path(options, err);

    if (!path) {
        return false;
    }
    bool ok = control_connect(&client, path, err) && ask(options, &client, print, err);
    control_close(&client);
    free(path);
    return ok;
}

bool run_status(const struct options *options, struct print *print, struct tally_err *err)
{
    return connect_and_ask(options, print, err);
}

bool run_rescan(const struct options *options, struct print *print, struct tally_err *err)
{
    return connect_and_ask(options, print, err);
}
