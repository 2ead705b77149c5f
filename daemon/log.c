#include "daemon/log.h"

#include "base/disk.h"
#include "ingest/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool on_terminal(void)
{
    return isatty(STDERR_FILENO) == 1;
}

// The variable is inherited by programs whose output somebody redirected: it names the stream.
bool log_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct disk_entry entry;
    struct tally_err ignored;
    char here[48];

    if (!stream || !disk_look_open(STDERR_FILENO, &entry, &ignored)) {
        return false;
    }
    snprintf(here, sizeof here, "%llu:%llu", (unsigned long long)entry.device,
             (unsigned long long)entry.inode);
    return strcmp(stream, here) == 0;
}

static void append(struct log_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void append(struct log_line *line, const char *format, ...)
{
    size_t room = sizeof line->text - line->used;
    va_list args;

    va_start(args, format);
    int wrote = vsnprintf(line->text + line->used, room, format, args);
    va_end(args);
    line->used += wrote < 0 ? 0 : (size_t)wrote < room ? (size_t)wrote : room - 1;
}

void log_begin(struct log_line *line, enum log_priority priority, const char *event)
{
    line->used = 0;
    line->text[0] = '\0';
    snprintf(line->event, sizeof line->event, "%s", event);
    if (!on_terminal()) {
        append(line, "<%d>", (int)priority);
    }
    append(line, "event=%s", event);
}

static bool is_plain(const char *value)
{
    for (const char *c = value; *c; c++) {
        if (*c <= ' ' || *c == '"' || *c == '\\' || *c == '=' || *c == 0x7f) {
            return false; // bytes of UTF-8 are negative and land here too
        }
    }
    return *value != '\0';
}

// How many bytes of a control character stand here, or 0: of ASCII; U+0080 to U+009F; and what
// breaks a line or turns the order of what follows, U+2028 to U+202E and U+2066 to U+2069.
static size_t control_bytes(const unsigned char *at, bool utf8)
{
    if (at[0] < ' ' || at[0] == 0x7f) {
        return 1;
    }
    if (!utf8) {
        return 0;
    }
    if (at[0] == 0xc2 && at[1] < 0xa0) {
        return 2;
    }
    bool turns = at[0] == 0xe2 && ((at[1] == 0x80 && at[2] >= 0xa8 && at[2] <= 0xae) ||
                                   (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9));
    return turns ? 3 : 0;
}

// One character as it is, or as \xNN, in `shown`. Returns how many bytes it is long.
static size_t escape(const unsigned char *at, bool utf8, char shown[16])
{
    size_t bytes = 1;

    if (at[0] == '"' || at[0] == '\\') {
        snprintf(shown, 16, "\\%c", at[0]);
        return bytes;
    }
    size_t control = control_bytes(at, utf8);
    if (control > 0 || (!utf8 && at[0] >= 0x80)) {
        bytes = control > 0 ? control : 1;
        for (size_t i = 0; i < bytes; i++) {
            snprintf(shown + 4 * i, 5, "\\x%02x", at[i]);
        }
        return bytes;
    }
    while (utf8 && (at[bytes] & 0xc0) == 0x80) {
        bytes++;
    }
    snprintf(shown, 16, "%.*s", (int)bytes, (const char *)at);
    return bytes;
}

// Printable UTF-8 as it is; control characters, and all bytes beyond ASCII of a text that is no
// UTF-8, as \xNN. At most LOG_TEXT_BYTES of it, so that hostile names leave room for the rest.
static void escape_all(const char *value, bool quoted, char *out, size_t out_bytes)
{
    const unsigned char *at = (const unsigned char *)value;
    bool utf8 = text_is_utf8(text_of(value));
    size_t used = 0;

    out[0] = '\0';
    while (*at != '\0' && used < LOG_TEXT_BYTES) {
        char shown[16] = "\"";
        bool as_it_is = *at == '"' && !quoted;
        at += as_it_is ? 1 : escape(at, utf8, shown);
        used += (size_t)snprintf(out + used, out_bytes - used, "%s", shown);
    }
    snprintf(out + used, out_bytes - used, "%s", *at ? "..." : "");
}

void log_escape(const char *value, char *out, size_t out_bytes)
{
    assert(out_bytes >= LOG_SHOWN_BYTES);
    escape_all(value, false, out, out_bytes);
}

static void append_escaped(struct log_line *line, const char *value)
{
    char shown[LOG_SHOWN_BYTES];

    escape_all(value, true, shown, sizeof shown);
    append(line, "\"%s\"", shown);
}

void log_text(struct log_line *line, const char *key, const char *value)
{
    append(line, " %s=", key);
    if (is_plain(value) && strlen(value) <= LOG_TEXT_BYTES) {
        append(line, "%s", value);
    } else {
        append_escaped(line, value);
    }
}

void log_number(struct log_line *line, const char *key, uint64_t value)
{
    append(line, " %s=%llu", key, (unsigned long long)value);
}

void log_ms(struct log_line *line, const char *key, uint64_t ns)
{
    uint64_t us = (ns + 500) / 1000;

    append(line, " %s=%llu.%03llu", key, (unsigned long long)us / 1000,
           (unsigned long long)us % 1000);
}

void log_end(struct log_line *line)
{
    log_progress_done();
    fprintf(stderr, "%s\n", line->text);
}

void log_begin_failure(struct log_line *line, enum log_priority priority, const char *event,
                       const char *file, const struct tally_err *err)
{
    log_begin(line, priority, event);
    if (file) {
        log_text(line, "file", file);
    }
    if (err->place[0]) {
        log_text(line, "place", err->place);
    }
    log_text(line, "error", err->message);
}

void log_failure(enum log_priority priority, const char *event, const char *file,
                 const struct tally_err *err)
{
    struct log_line line;

    log_begin_failure(&line, priority, event, file, err);
    log_end(&line);
}

void log_progress(const char *file, uint64_t bytes, uint64_t bytes_total, uint64_t rows,
                  uint64_t expected_ms)
{
    struct log_line line = {.used = 0};
    char left[48] = "";

    if (!on_terminal()) {
        return;
    }
    log_text(&line, "reading", file);
    unsigned percent = bytes_total ? (unsigned)(bytes * 100 / bytes_total) : 100;
    if (expected_ms != LOG_NOT_KNOWN) {
        uint64_t seconds = (expected_ms + 999) / 1000;
        snprintf(left, sizeof left, "  about %llu min %02u s left",
                 (unsigned long long)(seconds / 60), (unsigned)(seconds % 60));
    }
    fprintf(stderr, "\r\033[K%s  %u %% of %llu bytes  %llu rows%s", line.text, percent,
            (unsigned long long)bytes_total, (unsigned long long)rows, left);
    fflush(stderr);
}

void log_progress_done(void)
{
    if (on_terminal()) {
        fputs("\r\033[K", stderr);
    }
}
