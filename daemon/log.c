#include "daemon/log.h"

#include "ingest/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool on_terminal(void)
{
    return isatty(STDERR_FILENO) == 1;
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

// Control characters: of ASCII, and U+0080 to U+009F, which UTF-8 writes as C2 80 to C2 9F.
static bool is_control(const unsigned char *at)
{
    return at[0] < ' ' || at[0] == 0x7f || (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0);
}

// Printable UTF-8 as it is; control characters, and all bytes beyond ASCII of a text that is no
// UTF-8, as \xNN.
static void append_escaped(struct log_line *line, const char *value)
{
    const unsigned char *at = (const unsigned char *)value;
    size_t count = strlen(value);
    size_t shown = count > LOG_TEXT_BYTES ? LOG_TEXT_BYTES : count;
    bool utf8 = text_is_utf8(text_of(value));

    while (utf8 && shown < count && (at[shown] & 0xc0) == 0x80) {
        shown--; // not in the middle of a character
    }
    append(line, "\"");
    for (size_t i = 0; i < shown; i++) {
        if (at[i] == '"' || at[i] == '\\') {
            append(line, "\\%c", at[i]);
        } else if (utf8 && at[i] == 0xc2 && is_control(at + i)) {
            append(line, "\\x%02x\\x%02x", at[i], at[i + 1]);
            i++;
        } else if (is_control(at + i) || (!utf8 && at[i] >= 0x80)) {
            append(line, "\\x%02x", at[i]);
        } else {
            append(line, "%c", at[i]);
        }
    }
    append(line, count > shown ? "...\"" : "\"");
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

void log_end(struct log_line *line)
{
    log_progress_done();
    fprintf(stderr, "%s\n", line->text);
}

void log_failure(enum log_priority priority, const char *event, const char *file,
                 const struct tally_err *err)
{
    struct log_line line;

    log_begin(&line, priority, event);
    if (file) {
        log_text(&line, "file", file);
    }
    if (err->place[0]) {
        log_text(&line, "place", err->place);
    }
    log_text(&line, "error", err->message);
    log_end(&line);
}

void log_progress(const char *file, uint64_t bytes, uint64_t bytes_total, uint64_t rows)
{
    struct log_line line = {.used = 0};

    if (!on_terminal()) {
        return;
    }
    log_text(&line, "reading", file);
    unsigned percent = bytes_total ? (unsigned)(bytes * 100 / bytes_total) : 100;
    fprintf(stderr, "\r\033[K%s  %u %%  %llu rows", line.text, percent, (unsigned long long)rows);
    fflush(stderr);
}

void log_progress_done(void)
{
    if (on_terminal()) {
        fputs("\r\033[K", stderr);
    }
}
