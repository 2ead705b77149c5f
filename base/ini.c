#include "base/ini.h"

#include <stdio.h>
#include <string.h>

#include <ini.h>

struct reading {
    FILE *file;
    const char *path;
    ini_on_entry *on_entry;
    void *context;
    struct tally_err *err;
    int line;
    bool indented;
    bool failed; // err is filled
};

// inih's fgets: counts lines and refuses one that does not fit.
static char *read_line(char *line, int bytes_max, void *stream)
{
    struct reading *reading = stream;

    if (reading->failed || !fgets(line, bytes_max, reading->file)) {
        return NULL;
    }
    reading->line++;
    reading->indented = line[0] == ' ' || line[0] == '\t';
    size_t bytes = strlen(line);
    if (bytes == (size_t)bytes_max - 1 && line[bytes - 1] != '\n' && !feof(reading->file)) {
        err_set(reading->err, TALLY_INVALID,
                "line longer than %d bytes; continue the value on an indented line", bytes_max - 2);
        reading->failed = true;
        return NULL;
    }
    return line;
}

static int on_pair(void *user, const char *section, const char *key, const char *value)
{
    struct reading *reading = user;
    struct ini_entry entry = {.section = section,
                              .key = key,
                              .value = value,
                              .line = reading->line,
                              .continued = reading->indented};

    if (reading->failed) {
        return 0;
    }
    if (entry.continued && strchr(value, '=')) {
        err_set(reading->err, TALLY_INVALID,
                "an indented line continues the value of '%.40s'; keys start in the first column",
                key);
        reading->failed = true;
        return 0;
    }
    reading->failed = !reading->on_entry(reading->context, &entry, reading->err);
    return !reading->failed;
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
    if (reading.failed) {
        return err_place(err, "%s:%d", path, reading.line);
    }
    if (wrong_line != 0) {
        err_set(err, TALLY_INVALID, "neither a [section] nor a key = value");
        return err_place(err, "%s:%d", path, wrong_line);
    }
    return true;
}
