#include "daemon/control_request.h"

#include <string.h>

#include <jansson.h>

static bool parse_do(const json_t *value, enum control_do *out)
{
    static const char *const names[] = {
        [CONTROL_STATUS] = "status", [CONTROL_METRICS] = "metrics", [CONTROL_RESCAN] = "rescan"};

    for (size_t i = 0; json_is_string(value) && i < sizeof names / sizeof *names; i++) {
        if (strcmp(json_string_value(value), names[i]) == 0) {
            *out = (enum control_do)i;
            return true;
        }
    }
    return false;
}

static bool take(const json_t *root, struct control_request *out, struct tally_err *err)
{
    const json_t *follow = json_object_get(root, "follow");
    struct control_request request = {.follow = json_is_true(follow)};
    size_t known = 1 + (follow != NULL);

    if (!parse_do(json_object_get(root, "do"), &request.what)) {
        return err_set(err, TALLY_INVALID, "\"do\" has to be status, metrics or rescan");
    }
    if (follow && (!json_is_boolean(follow) || request.what != CONTROL_STATUS)) {
        return err_set(err, TALLY_INVALID, "\"follow\" is true or false, of a status");
    }
    if (json_object_size(root) != known) {
        return err_set(err, TALLY_INVALID, "a request has \"do\" and \"follow\", and nothing else");
    }
    *out = request;
    return true;
}

bool control_parse(const char *line, size_t bytes, struct control_request *out,
                   struct tally_err *err)
{
    json_error_t error;
    // jansson drops a NUL behind a word.
    bool any_nul = bytes > 0 && memchr(line, '\0', bytes);
    json_t *root = any_nul ? NULL : json_loadb(line, bytes, JSON_REJECT_DUPLICATES, &error);

    if (!json_is_object(root)) {
        json_decref(root);
        return err_set(err, TALLY_INVALID, "a request is one JSON object on one line");
    }
    bool ok = take(root, out, err);
    json_decref(root);
    return ok;
}

enum control_step control_feed(struct control_line *line, const char *data, size_t bytes,
                               size_t *out_taken)
{
    const char *end = bytes > 0 ? memchr(data, '\n', bytes) : NULL;
    size_t count = end ? (size_t)(end - data) : bytes;

    if (count > sizeof line->text - line->used) {
        *out_taken = bytes;
        return CONTROL_TOO_LONG;
    }
    if (count > 0) {
        memcpy(line->text + line->used, data, count);
    }
    line->used += count;
    *out_taken = count + (end != NULL);
    return end ? CONTROL_COMPLETE : CONTROL_MORE;
}
