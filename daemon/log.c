#include "daemon/log.h"

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

// Printable ASCII and UTF-8 as they are, the rest as \xNN. UTF-8 is not checked: a terminal shows
// a replacement mark, and journald takes any bytes but control ones.
static void append_escaped(struct log_line *line, const char *value)
{
    size_t count = strlen(value);
    size_t shown = count > LOG_TEXT_BYTES ? LOG_TEXT_BYTES : count;

    append(line, "\"");
    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)value[i];
        if (c == '"' || c == '\\') {
            append(line, "\\%c", c);
        } else if (c < ' ' || c == 0x7f || (c >= 0x80 && c < 0xa0)) {
            // 0x80..0x9f are continuation bytes in UTF-8, but control characters alone.
            append(line, c < 0x80 ? "\\x%02x" : "%c", c);
        } else {
            append(line, "%c", c);
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
