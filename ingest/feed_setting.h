// ingest/feed_setting.h - one key of a feed being set, and the forms that its value may have.
//
// Every function returns false after saying in the setting's err what would be right.
#ifndef INGEST_FEED_SETTING_H
#define INGEST_FEED_SETTING_H

#include "ingest/feed_spec.h"

struct feed_setting {
    struct feed *feed;
    const char *key;
    const char *suffix;  // behind the dot of keys such as dim.NAME
    enum feed_role role; // of keys that name a column
    struct text value;
    const char *dir; // that relative file names start from
    struct tally_err *err;
};

// Remembers that the key was set to this, for feed_reads_alike.
bool setting_note(const struct feed_setting *setting);

bool setting_invalid(const struct feed_setting *setting, const char *right);

// A terminated copy in the feed's arena.
bool setting_keep(const struct feed_setting *setting, struct text text, const char **out);

bool setting_is_quoted(struct text text); // "..."
struct text setting_unquoted(struct text text);

// Items between separators; blank ones are left out.
bool setting_list(const struct feed_setting *setting, struct text value, const char *separators,
                  struct feed_list *out);

// Adds a copy of the item to the list.
bool setting_append(const struct feed_setting *setting, struct feed_list *list, struct text item);

// Words between blanks; those with blanks of their own stand in double quotes.
bool setting_words(const struct feed_setting *setting, struct feed_list *out);

struct setting_choice {
    const char *text;
    int value;
};
bool setting_choose(const struct feed_setting *setting, const struct setting_choice *choices,
                    size_t count, const char *right, int *out_value);

bool setting_count(const struct feed_setting *setting, int64_t min, int64_t max, const char *right,
                   int64_t *out);

#endif
