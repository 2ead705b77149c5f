#include "store/rollup_def.h"

#include <stdlib.h>
#include <string.h>

static bool copy_name(char **slot, const char *name, struct tally_err *err)
{
    size_t bytes = strlen(name);

    if (bytes == 0 || bytes > ROLLUP_NAME_BYTES_MAX) {
        return err_set(err, TALLY_INVALID, "name '%.80s' is not 1 to %d bytes long", name,
                       ROLLUP_NAME_BYTES_MAX);
    }
    char *copy = strdup(name);
    if (!copy) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a name");
    }
    free(*slot);
    *slot = copy;
    return true;
}

static int find(char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static bool add_name(char **names, size_t *count, size_t count_max, const char *kind,
                     const char *name, struct tally_err *err)
{
    if (find(names, *count, name) >= 0) {
        return err_set(err, TALLY_INVALID, "%s '%s' is named twice", kind, name);
    }
    if (*count == count_max) {
        return err_set(err, TALLY_LIMIT, "more than %zu %ss", count_max, kind);
    }
    names[*count] = NULL;
    if (!copy_name(&names[*count], name, err)) {
        return false;
    }
    ++*count;
    return true;
}

bool rollup_def_set_name(struct rollup_def *def, const char *name, struct tally_err *err)
{
    if (name[0] == '.' || strchr(name, '/')) {
        return err_set(err, TALLY_INVALID, "'%.80s' cannot be the name of a file", name);
    }
    return copy_name(&def->name, name, err);
}

bool rollup_def_add_feed(struct rollup_def *def, const char *name, struct tally_err *err)
{
    for (size_t i = 0; i < def->feeds_count; i++) {
        if (strcmp(def->feeds[i].name, name) == 0) {
            return err_set(err, TALLY_INVALID, "feed '%s' is named twice", name);
        }
    }
    if (def->feeds_count == ROLLUP_FEEDS_MAX) {
        return err_set(err, TALLY_LIMIT, "more than %d feeds", ROLLUP_FEEDS_MAX);
    }
    def->feeds[def->feeds_count] = (struct rollup_feed){0};
    if (!copy_name(&def->feeds[def->feeds_count].name, name, err)) {
        return false;
    }
    def->feeds_count++;
    return true;
}

bool rollup_def_add_dim(struct rollup_def *def, const char *name, struct tally_err *err)
{
    return add_name(def->dims, &def->dims_count, ROLLUP_DIMS_MAX, "dimension", name, err);
}

bool rollup_def_add_measure(struct rollup_def *def, const char *name, struct tally_err *err)
{
    return add_name(def->measures, &def->measures_count, ROLLUP_MEASURES_MAX, "measure", name, err);
}

bool rollup_def_add_filter(struct rollup_def *def, const char *dim, const char *list,
                           struct tally_err *err)
{
    for (size_t i = 0; i < def->filters_count; i++) {
        if (strcmp(def->filters[i].dim, dim) == 0) {
            return filter_add(&def->filters[i], list, err);
        }
    }
    if (def->filters_count == ROLLUP_FILTERS_MAX) {
        return err_set(err, TALLY_LIMIT, "conditions on more than %d dimensions",
                       ROLLUP_FILTERS_MAX);
    }
    if (!filter_init(&def->filters[def->filters_count], dim, list, err)) {
        return false;
    }
    def->filters_count++;
    return true;
}

bool rollup_def_add_window(struct rollup_def *def, uint32_t days, struct tally_err *err)
{
    if (days == 0 || days > ROLLUP_WINDOW_DAYS_MAX) {
        return err_set(err, TALLY_INVALID, "a window has 1 to %d days", ROLLUP_WINDOW_DAYS_MAX);
    }
    for (size_t i = 0; i < def->windows_count; i++) {
        if (def->windows[i] == days) {
            return err_set(err, TALLY_INVALID, "window of %u days is named twice", days);
        }
    }
    if (def->windows_count == ROLLUP_WINDOWS_MAX) {
        return err_set(err, TALLY_LIMIT, "more than %d windows", ROLLUP_WINDOWS_MAX);
    }
    def->windows[def->windows_count++] = days;
    return true;
}

void rollup_def_done(struct rollup_def *def)
{
    free(def->name);
    for (size_t i = 0; i < def->feeds_count; i++) {
        free(def->feeds[i].name);
    }
    for (size_t i = 0; i < def->dims_count; i++) {
        free(def->dims[i]);
    }
    for (size_t i = 0; i < def->measures_count; i++) {
        free(def->measures[i]);
    }
    for (size_t i = 0; i < def->filters_count; i++) {
        filter_done(&def->filters[i]);
    }
    *def = (struct rollup_def){0};
}

int rollup_def_find_dim(const struct rollup_def *def, const char *name)
{
    return find(def->dims, def->dims_count, name);
}

int rollup_def_find_measure(const struct rollup_def *def, const char *name)
{
    return find(def->measures, def->measures_count, name);
}

static void put_name(struct bytes *out, const char *name)
{
    bytes_put_text(out, name, strlen(name));
}

void rollup_def_encode(const struct rollup_def *def, struct bytes *out)
{
    put_name(out, def->name);
    bytes_put_varint(out, def->feeds_count);
    for (size_t i = 0; i < def->feeds_count; i++) {
        put_name(out, def->feeds[i].name);
        bytes_put_varint(out, def->feeds[i].measures);
    }
    bytes_put_varint(out, def->dims_count);
    for (size_t i = 0; i < def->dims_count; i++) {
        put_name(out, def->dims[i]);
    }
    bytes_put_varint(out, def->measures_count);
    for (size_t i = 0; i < def->measures_count; i++) {
        put_name(out, def->measures[i]);
    }
    bytes_put_varint(out, def->filters_count);
    for (size_t i = 0; i < def->filters_count; i++) {
        filter_encode(&def->filters[i], out);
    }
    bytes_put_varint(out, def->windows_count);
    for (size_t i = 0; i < def->windows_count; i++) {
        bytes_put_varint(out, def->windows[i]);
    }
}

bool rollup_def_equal(const struct rollup_def *a, const struct rollup_def *b)
{
    struct bytes one;
    struct bytes other;

    bytes_init(&one);
    bytes_init(&other);
    rollup_def_encode(a, &one);
    rollup_def_encode(b, &other);
    bool same = one.ok && other.ok && one.count == other.count &&
                memcmp(one.data, other.data, one.count) == 0;
    bytes_done(&one);
    bytes_done(&other);
    return same;
}

// A name taken from bytes: terminated in the caller's buffer. False: malformed.
static bool take_name(struct cursor *in, char name[ROLLUP_NAME_BYTES_MAX + 1])
{
    size_t bytes = 0;
    const char *text = cursor_take_text(in, &bytes);

    if (!text || bytes > ROLLUP_NAME_BYTES_MAX || memchr(text, '\0', bytes)) {
        in->ok = false;
        return false;
    }
    memcpy(name, text, bytes);
    name[bytes] = '\0';
    return true;
}

typedef bool add_one(struct rollup_def *def, const char *name, struct tally_err *err);

static bool take_names(struct rollup_def *def, struct cursor *in, add_one *add,
                       struct tally_err *err)
{
    char name[ROLLUP_NAME_BYTES_MAX + 1];
    uint64_t count = cursor_take_varint(in);

    for (uint64_t i = 0; i < count && in->ok; i++) {
        if (take_name(in, name) && !add(def, name, err)) {
            return false;
        }
    }
    return true;
}

static bool take_feeds(struct rollup_def *def, struct cursor *in, struct tally_err *err)
{
    char name[ROLLUP_NAME_BYTES_MAX + 1];
    uint64_t count = cursor_take_varint(in);

    for (uint64_t i = 0; i < count && in->ok; i++) {
        if (take_name(in, name)) {
            if (!rollup_def_add_feed(def, name, err)) {
                return false;
            }
            def->feeds[i].measures = cursor_take_varint(in);
        }
    }
    return true;
}

static bool take_filters(struct rollup_def *def, struct cursor *in, struct tally_err *err)
{
    uint64_t count = cursor_take_varint(in);

    if (count > ROLLUP_FILTERS_MAX) {
        in->ok = false;
    }
    for (uint64_t i = 0; i < count && in->ok; i++) {
        if (!filter_decode(&def->filters[i], in, err)) {
            return false;
        }
        def->filters_count++;
    }
    return true;
}

static bool take_windows(struct rollup_def *def, struct cursor *in, struct tally_err *err)
{
    uint64_t count = cursor_take_varint(in);

    for (uint64_t i = 0; i < count && in->ok; i++) {
        uint64_t days = cursor_take_varint(in);
        if (!rollup_def_add_window(def, days > UINT32_MAX ? 0 : (uint32_t)days, err)) {
            return false;
        }
    }
    return true;
}

bool rollup_def_decode(struct rollup_def *def, struct cursor *in, struct tally_err *err)
{
    char name[ROLLUP_NAME_BYTES_MAX + 1];
    *def = (struct rollup_def){0};

    bool ok = (!take_name(in, name) || rollup_def_set_name(def, name, err)) &&
              take_feeds(def, in, err) && take_names(def, in, rollup_def_add_dim, err) &&
              take_names(def, in, rollup_def_add_measure, err) && take_filters(def, in, err) &&
              take_windows(def, in, err);
    if (ok && in->ok) {
        return true;
    }
    rollup_def_done(def);
    return !ok && err->code == TALLY_NO_MEMORY
               ? false
               : err_set(err, TALLY_CORRUPT, "malformed rollup definition");
}
