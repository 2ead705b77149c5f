#include "base/ini.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

enum { SECTION_BYTES_MAX = 49 }; // what is behind it inih leaves out

struct reading {
    FILE *file;
    const char *path;
    ini_on_entry *on_entry;
    void *context;
    struct tally_err *err;
    char *text; // of the line at hand
    size_t room;
    int line;
    bool indented;
    bool failed; // err is filled
};

static bool give(struct reading *reading, const struct ini_entry *entry)
{
    reading->failed = reading->failed || !reading->on_entry(reading->context, entry, reading->err);
    return !reading->failed;
}

// inih tells of a section only with its keys; one without any would be passed over in silence.
static bool give_section(struct reading *reading, const char *line)
{
    char section[64];
    const char *end = strchr(line, ']');
    int bytes = end ? (int)(end - line) - 1 : 0;

    if (line[0] != '[' || !end) {
        return true;
    }
    if (bytes > SECTION_BYTES_MAX) {
        reading->failed = true;
        return err_set(reading->err, TALLY_INVALID, "a section of more than %d bytes; shorten %.*s",
                       SECTION_BYTES_MAX, bytes < 100 ? bytes : 100, line + 1);
    }
    snprintf(section, sizeof section, "%.*s", bytes, line + 1);
    return give(reading, &(struct ini_entry){
                             .section = section, .key = "", .value = "", .line = reading->line});
}

// inih's fgets: counts lines and refuses what would be cut.
static char *read_line(char *line, int bytes_max, void *stream)
{
    struct reading *reading = stream;
    ssize_t bytes = reading->failed ? -1 : getline(&reading->text, &reading->room, reading->file);

    if (bytes < 0) {
        return NULL;
    }
    reading->line++;
    if (bytes >= bytes_max || strlen(reading->text) != (size_t)bytes) {
        reading->failed = true;
        err_set(reading->err, TALLY_INVALID,
                bytes >= bytes_max
                    ? "line longer than %d bytes; continue the value on an indented line"
                    : "a NUL byte; a configuration is text of lines up to %d bytes",
                bytes_max - 2);
        return NULL;
    }
    reading->indented = reading->text[0] == ' ' || reading->text[0] == '\t';
    memcpy(line, reading->text, (size_t)bytes + 1);
    return give_section(reading, line) ? line : NULL;
}

// inih leaves comments behind a continued line in place.
static void cut_comment(char *value)
{
    for (char *at = value; (at = strchr(at, ';')) != NULL; at++) {
        if (at == value || at[-1] == ' ' || at[-1] == '\t') {
            *at = '\0';
            break;
        }
    }
    for (size_t bytes = strlen(value); bytes > 0 && strchr(" \t", value[bytes - 1]); bytes--) {
        value[bytes - 1] = '\0';
    }
}

static int on_pair(void *user, const char *section, const char *key, const char *value)
{
    struct reading *reading = user;
    char continued[256]; // longer than any line of inih
    struct ini_entry entry = {.section = section,
                              .key = key,
                              .value = value,
                              .line = reading->line,
                              .continued = reading->indented};

    if (reading->failed) {
        return 0;
    }
    if (entry.continued) {
        snprintf(continued, sizeof continued, "%s", value);
        cut_comment(continued);
        entry.value = continued;
    }
    if (entry.continued && strchr(continued, '=')) {
        err_set(reading->err, TALLY_INVALID,
                "an indented line continues the value of '%.40s'; keys start in the first column",
                key);
        reading->failed = true;
        return 0;
    }
    return give(reading, &entry);
}

bool ini_place(struct tally_err *err, const char *path, int line)
{
    enum { SHOWN_BYTES = 76 };
    size_t bytes = strlen(path);
    size_t left_out = bytes > SHOWN_BYTES ? bytes - SHOWN_BYTES : 0;

    return err_place(err, "%s%s:%d", left_out ? "..." : "", path + left_out, line);
}

bool ini_read(const char *path, ini_on_entry *on_entry, void *context, struct tally_err *err)
{
    struct reading reading = {.file = fopen(path, "re"),
                              .path = path,
                              .on_entry = on_entry,
                              .context = context,
                              .err = err};

    if (!reading.file) {
        return err_sys(err, "open %s", path);
    }
    int wrong_line = ini_parse_stream(read_line, &reading, on_pair, &reading);
    if (ferror(reading.file)) {
        reading.failed = !err_sys(err, "read %s", path);
    }
    fclose(reading.file);
    free(reading.text);
    if (reading.failed) {
        return ini_place(err, path, reading.line);
    }
    if (wrong_line != 0) {
        err_set(err, TALLY_INVALID, "neither a [section] nor a key = value");
        return ini_place(err, path, wrong_line);
    }
    return true;
}
