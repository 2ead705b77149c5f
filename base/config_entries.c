#include "base/config_entries.h"

#include "base/disk.h"
#include "base/ini.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct config_entries *entries;
    const char *path;
    size_t first; // entries of this file start here
};

static bool no_memory(struct tally_err *err)
{
    return err_set(err, TALLY_NO_MEMORY, "no memory for the configuration");
}

static bool grow(struct config_entries *entries, struct tally_err *err)
{
    if (entries->count < entries->capacity) {
        return true;
    }
    size_t capacity = entries->capacity ? entries->capacity * 2 : 64;
    struct config_entry *entry = realloc(entries->entry, capacity * sizeof *entry);
    if (!entry) {
        return no_memory(err);
    }
    entries->entry = entry;
    entries->capacity = capacity;
    return true;
}

static bool extend(struct config_entry *entry, const char *more, struct tally_err *err)
{
    char *joined;

    if (asprintf(&joined, "%s%s%s", entry->value, *entry->value ? " " : "", more) < 0) {
        return no_memory(err);
    }
    free(entry->value);
    entry->value = joined;
    return true;
}

static bool is_named_twice(const struct reading *reading, const struct config_entry *entry)
{
    for (size_t i = reading->first; i < reading->entries->count; i++) {
        const struct config_entry *earlier = &reading->entries->entry[i];
        if (strcmp(earlier->section, entry->section) == 0 &&
            strcmp(earlier->key, entry->key) == 0) {
            return true;
        }
    }
    return false;
}

// "[rollup  x ]" and "[rollup x]" are the same section.
static char *copy_section(const char *section)
{
    char *copy = strdup(section);
    size_t kept = 0;

    for (const char *at = copy; copy && *at; at++) {
        bool blank = *at == ' ' || *at == '\t';
        bool ends = at[strspn(at, " \t")] == '\0';
        if (!blank || (kept > 0 && copy[kept - 1] != ' ' && !ends)) {
            copy[kept++] = blank ? ' ' : *at;
        }
    }
    if (copy) {
        copy[kept] = '\0';
    }
    return copy;
}

static bool on_entry(void *context, const struct ini_entry *entry, struct tally_err *err)
{
    struct reading *reading = context;
    struct config_entries *entries = reading->entries;

    if (entry->continued && entries->count > reading->first) {
        return extend(&entries->entry[entries->count - 1], entry->value, err);
    }
    if (!grow(entries, err)) {
        return false;
    }
    struct config_entry copy = {.section = copy_section(entry->section),
                                .key = strdup(entry->key),
                                .value = strdup(entry->value),
                                .file = strdup(reading->path),
                                .line = entry->line};
    bool complete = copy.section && copy.key && copy.value && copy.file;
    copy.twice = complete && *copy.key && is_named_twice(reading, &copy);
    entries->entry[entries->count++] = copy;
    return complete ? true : no_memory(err);
}

bool config_entries_read(struct config_entries *entries, const char *path, struct tally_err *err)
{
    struct reading reading = {.entries = entries, .path = path, .first = entries->count};
    return ini_read(path, on_entry, &reading, err);
}

bool config_entries_read_all(struct config_entries *entries, const char *path,
                             struct tally_err *err)
{
    char folder[4096];
    struct disk_names names;

    if (!config_entries_read(entries, path, err)) {
        return false;
    }
    snprintf(folder, sizeof folder, "%s.d", path);
    if (!disk_list(AT_FDCWD, folder, &names, err)) {
        return err->sys_errno == ENOENT;
    }
    bool ok = true;
    for (size_t i = 0; ok && i < names.count; i++) {
        char *file = NULL; // asprintf leaves it as it is where it fails
        if (!disk_name_ends(names.name[i], ".conf") || names.name[i][0] == '.') {
            continue;
        }
        ok = asprintf(&file, "%s/%s", folder, names.name[i]) < 0
                 ? no_memory(err)
                 : config_entries_read(entries, file, err);
        free(file);
    }
    disk_names_done(&names);
    return ok;
}

void config_entries_done(struct config_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        free(entries->entry[i].section);
        free(entries->entry[i].key);
        free(entries->entry[i].value);
        free(entries->entry[i].file);
    }
    free(entries->entry);
    *entries = (struct config_entries){0};
}
