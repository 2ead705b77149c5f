#include "ingest/feed_setting.h"

#include "ingest/integer.h"

#include <string.h>

bool setting_invalid(const struct feed_setting *setting, const char *right)
{
    return err_set(setting->err, TALLY_INVALID, "%s = %.*s: %s", setting->key,
                   (int)(setting->value.bytes < 80 ? setting->value.bytes : 80), setting->value.at,
                   right);
}

bool setting_keep(const struct feed_setting *setting, struct text text, const char **out)
{
    char *copy = arena_text(&setting->feed->boot, text.at, text.bytes, setting->err);

    *out = copy ? copy : *out;
    return copy;
}

bool setting_append(const struct feed_setting *setting, struct feed_list *list, struct text item)
{
    // A list is written once and short: copying it for each item does not matter.
    struct text *items =
        arena_alloc(&setting->feed->boot, (list->count + 1) * sizeof *items, setting->err);
    char *copy = items ? arena_text(&setting->feed->boot, item.at, item.bytes, setting->err) : NULL;

    if (!copy) {
        return false;
    }
    if (list->count > 0) {
        memcpy(items, list->items, list->count * sizeof *items);
    }
    items[list->count] = (struct text){.at = copy, .bytes = item.bytes};
    *list = (struct feed_list){.items = items, .count = list->count + 1};
    return true;
}

bool setting_is_quoted(struct text text)
{
    return text.bytes >= 2 && text.at[0] == '"' && text.at[text.bytes - 1] == '"';
}

struct text setting_unquoted(struct text text)
{
    return setting_is_quoted(text) ? (struct text){.at = text.at + 1, .bytes = text.bytes - 2}
                                   : text;
}

bool setting_list(const struct feed_setting *setting, struct text value, const char *separators,
                  struct feed_list *out)
{
    struct feed_list list = {0};
    struct text item;

    while (text_cut(&value, separators, &item)) {
        if (item.bytes > 0 && !setting_append(setting, &list, setting_unquoted(item))) {
            return false;
        }
    }
    *out = list;
    return true;
}

bool setting_words(const struct feed_setting *setting, struct feed_list *out)
{
    struct feed_list list = {0};
    struct text rest = text_trim(setting->value);

    while (rest.bytes > 0) {
        bool quoted = rest.at[0] == '"';
        size_t end = quoted ? 1 : 0;
        while (end < rest.bytes && (quoted ? rest.at[end] != '"' : !strchr(" \t", rest.at[end]))) {
            end++;
        }
        if (quoted && end == rest.bytes) {
            return setting_invalid(setting, "a double quote is not closed");
        }
        if (!setting_append(setting, &list,
                            (struct text){.at = rest.at + quoted, .bytes = end - (size_t)quoted})) {
            return false;
        }
        end += quoted;
        rest = text_trim((struct text){.at = rest.at + end, .bytes = rest.bytes - end});
    }
    *out = list;
    return true;
}

bool setting_choose(const struct feed_setting *setting, const struct setting_choice *choices,
                    size_t count, const char *right, int *out_value)
{
    for (size_t i = 0; i < count; i++) {
        if (text_is(setting->value, choices[i].text) ||
            (setting->value.bytes == 0 && choices[i].text[0] == '\0')) {
            *out_value = choices[i].value;
            return true;
        }
    }
    return setting_invalid(setting, right);
}

bool setting_count(const struct feed_setting *setting, int64_t min, int64_t max, const char *right,
                   int64_t *out)
{
    int64_t number = 0;

    if (integer_parse(setting->value, '.', &number) != INTEGER_OK || number < min || number > max) {
        return setting_invalid(setting, right);
    }
    *out = number;
    return true;
}
