// base/config_entries.h - all lines of all configuration files, before they mean anything.
#ifndef BASE_CONFIG_ENTRIES_H
#define BASE_CONFIG_ENTRIES_H

#include "base/err.h"

#include <stddef.h>

struct config_entry {
    char *section;
    char *key;
    char *value;
    char *file;
    int line;
    bool twice; // the key stands in this section of this file already
    bool used;
};

struct config_entries {
    struct config_entry *entry;
    size_t count;
    size_t capacity;
};

// One file. A [section] line is an entry with an empty key. What was read before a mistake stays.
bool config_entries_read(struct config_entries *entries, const char *path, struct tally_err *err);

// A file and the *.conf files of PATH.d, if that is there, in order of name.
bool config_entries_read_all(struct config_entries *entries, const char *path,
                             struct tally_err *err);
void config_entries_done(struct config_entries *entries);

#endif
