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

// A text in double quotes keeps separators and words such as `where`. It begins with a quote, and
// the first quote that something follows which ends the text closes it: others are its own.
bool setting_is_quoted(struct text text); // and nothing else
struct text setting_unquoted(struct text text);

// Cuts the first item off `*rest`, trimmed, with its quotes. *out_any: whether there was one.
bool setting_cut(const struct feed_setting *setting, struct text *rest, const char *separators,
                 struct text *out_item, bool *out_any);

// The first place outside of quotes where `word` stands between blanks, none of which are part of
// what is before and behind it. *out_found: whether there is one; else all of it is before.
bool setting_split(const struct feed_setting *setting, struct text text, const char *word,
                   struct text *out_before, struct text *out_behind, bool *out_found);

// Items between separators, without their quotes; blank ones are left out.
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

// "0.5%", in millionths. Requires: it ends in %.
bool setting_share(const struct feed_setting *setting, int64_t *out_ppm);

#endif
