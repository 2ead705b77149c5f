#include "ingest/revision_text.h"

#include "ingest/integer.h"
#include "store/revision.h"

#include <string.h>

// "14/3/2021", "3-14-2021 10:00", "3/14/21": as bytes such days are in no order of time.
static bool is_day_first(struct text text)
{
    size_t first = text_count_digits(text, 3);
    if (first < 1 || first > 2 || first == text.bytes || !strchr("/.-", text.at[first])) {
        return false;
    }
    char mark = text.at[first];
    struct text rest = {.at = text.at + first + 1, .bytes = text.bytes - first - 1};
    size_t second = text_count_digits(rest, 3);
    if (second < 1 || second > 2 || second == rest.bytes || rest.at[second] != mark) {
        return false;
    }
    rest = (struct text){.at = rest.at + second + 1, .bytes = rest.bytes - second - 1};
    size_t year = text_count_digits(rest, 5);
    return (year == 4 || (year == 2 && mark == '/')) &&
           (year == rest.bytes || strchr(" T,", rest.at[year]));
}

static bool is_digits_and_marks(struct text text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        if ((text.at[i] < '0' || text.at[i] > '9') && text.at[i] != '.' && text.at[i] != ',') {
            return false;
        }
    }
    return true;
}

const char *revision_text_explain(struct text text, char decimal)
{
    static const char *const words[] = {"na", "n/a", "null", "(null)", "nan", "nat", "none", "nil"};
    struct revision_decimal number;

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (text_is_ignoring_case(text, words[i])) {
            return "is no revision: list it as unknown if it means that";
        }
    }
    if (is_day_first(text)) {
        return "is a day whose text is in no order of time: say how it is written "
               "(revision_format)";
    }
    bool is_number = revision_decimal_parse(text.at, text.bytes, &number);
    bool other_mark = memchr(text.at, decimal == ',' ? '.' : ',', text.bytes);
    if (other_mark && (is_number || is_digits_and_marks(text))) {
        return decimal == ',' ? "is no number where decimal = comma"
                              : "is no number unless decimal = comma";
    }
    return integer_is_rounded(text) ? INTEGER_ROUNDED : NULL;
}

struct text revision_text_with_point(struct text text, char decimal, char *room, size_t room_bytes)
{
    const char *comma = decimal == ',' && text.bytes > 0 ? memchr(text.at, ',', text.bytes) : NULL;
    struct revision_decimal number;

    if (!comma || text.bytes > room_bytes) {
        return text;
    }
    memcpy(room, text.at, text.bytes);
    room[comma - text.at] = '.';
    return revision_decimal_parse(room, text.bytes, &number)
               ? (struct text){.at = room, .bytes = text.bytes}
               : text;
}
