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

// ---- quotes -------------------------------------------------------------------------------

static const char separators_any[] = "|,";

static struct text from(struct text text, size_t at)
{
    return (struct text){.at = text.at + at, .bytes = text.bytes - at};
}

// Whether what begins here is a word of the settings' own, behind a blank.
static bool begins_with_word(struct text text)
{
    static const char *const words[] = {" where ", " not in ", " in "};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t bytes = strlen(words[i]);
        if (text.bytes >= bytes && memcmp(text.at, words[i], bytes) == 0) {
            return true;
        }
    }
    return false;
}

// Of a text that begins with a quote: where the one stands that closes it. 0: there is none.
static size_t find_close(struct text text, const char *separators, bool words)
{
    for (size_t i = 1; i < text.bytes; i++) {
        struct text behind = from(text, i + 1);
        struct text next = text_trim(behind);
        if (text.at[i] == '"' && (next.bytes == 0 || strchr(separators, next.at[0]) ||
                                  (words && begins_with_word(behind)))) {
            return i;
        }
    }
    return 0;
}

static bool not_closed(const struct feed_setting *setting)
{
    return setting_invalid(setting, "a double quote is not closed, or text stands behind it");
}

bool setting_is_quoted(struct text text)
{
    return text.bytes >= 2 && text.at[0] == '"' &&
           find_close(text, separators_any, false) == text.bytes - 1;
}

struct text setting_unquoted(struct text text)
{
    bool quoted = text.bytes >= 2 && text.at[0] == '"' && text.at[text.bytes - 1] == '"';

    return quoted ? (struct text){.at = text.at + 1, .bytes = text.bytes - 2} : text;
}

bool setting_cut(const struct feed_setting *setting, struct text *rest, const char *separators,
                 struct text *out_item, bool *out_any)
{
    size_t end = 0;

    *out_any = rest->at;
    if (!rest->at) {
        return true;
    }
    struct text text = text_trim(*rest);
    if (text.bytes > 0 && text.at[0] == '"') {
        end = find_close(text, separators, false) + 1;
        if (end == 1) {
            return not_closed(setting);
        }
    }
    while (end < text.bytes && !strchr(separators, text.at[end])) {
        end++;
    }
    *out_item = text_trim((struct text){.at = text.at, .bytes = end});
    *rest = end < text.bytes ? from(text, end + 1) : (struct text){0};
    return true;
}

bool setting_split(const struct feed_setting *setting, struct text text, const char *word,
                   struct text *out_before, struct text *out_behind, bool *out_found)
{
    size_t bytes = strlen(word);
    bool begins = true; // an item may begin here

    for (size_t i = 0; i < text.bytes; i++) {
        if (text.at[i] == '"' && begins) {
            size_t close = find_close(from(text, i), separators_any, true);
            if (close == 0) {
                return not_closed(setting);
            }
            i += close;
            begins = false;
        } else if (i > 0 && text_is_blank(text.at[i - 1]) && text.bytes - i > bytes &&
                   memcmp(text.at + i, word, bytes) == 0 && text_is_blank(text.at[i + bytes])) {
            *out_before = text_trim((struct text){.at = text.at, .bytes = i});
            *out_behind = text_trim(from(text, i + bytes));
            *out_found = true;
            return true;
        } else if (!text_is_blank(text.at[i])) {
            begins = strchr(separators_any, text.at[i]);
        }
    }
    *out_before = text;
    *out_behind = (struct text){0};
    *out_found = false;
    return true;
}

bool setting_list(const struct feed_setting *setting, struct text value, const char *separators,
                  struct feed_list *out)
{
    struct feed_list list = {0};
    struct text item;
    bool any;

    for (;;) {
        if (!setting_cut(setting, &value, separators, &item, &any)) {
            return false;
        }
        if (!any) {
            break;
        }
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
        if (quoted &&
            (end == rest.bytes || (end + 1 < rest.bytes && !text_is_blank(rest.at[end + 1])))) {
            return not_closed(setting);
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

bool setting_share(const struct feed_setting *setting, int64_t *out_ppm)
{
    static const char right[] = "a share such as 1% or 0.5%";
    enum { PERCENT = 10000, ALL = 1000000 };
    struct text digits = {.at = setting->value.at, .bytes = setting->value.bytes - 1};
    int64_t scale = PERCENT;
    bool fraction = false;
    int64_t ppm = 0;

    if (digits.bytes == 0 || digits.at[digits.bytes - 1] == '.') {
        return setting_invalid(setting, right);
    }
    for (size_t i = 0; i < digits.bytes; i++) {
        int digit = digits.at[i] - '0';
        bool is_digit = digit >= 0 && digit <= 9;
        if (!is_digit && (fraction || digits.at[i] != '.')) {
            return setting_invalid(setting, right);
        }
        fraction = fraction || !is_digit;
        if (is_digit && scale > 0) {
            ppm = fraction ? ppm + digit * (scale /= 10) : ppm * 10 + digit * scale;
        }
        if (ppm > ALL) {
            return setting_invalid(setting, "at most 100%");
        }
    }
    *out_ppm = ppm;
    return true;
}
