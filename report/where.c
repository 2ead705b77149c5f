#include "report/where.h"

#include <stdio.h>
#include <string.h>

static bool refuse_dim(const struct rollup_def *def, const char *name, size_t bytes,
                       struct tally_err *err)
{
    char known[160] = "none";
    size_t used = 0;

    for (size_t i = 0; i < def->dims_count && used < sizeof known; i++) {
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                 def->dims[i]);
    }
    return err_set(err, TALLY_INVALID, "no dimension '%.*s' in rollup %.64s; it has %s",
                   bytes < 40 ? (int)bytes : 40, name, def->name, known);
}

static int find_dim(const struct rollup_def *def, const char *name, size_t bytes)
{
    for (size_t i = 0; i < def->dims_count; i++) {
        if (strlen(def->dims[i]) == bytes && memcmp(def->dims[i], name, bytes) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static struct filter *find_filter(struct where *where, size_t dim)
{
    for (size_t i = 0; i < where->count; i++) {
        if (where->dim[i] == dim) {
            return &where->filter[i];
        }
    }
    return NULL;
}

static bool add_condition(struct where *where, const struct rollup_def *def, const char *text,
                          struct tally_err *err)
{
    const char *equals = strchr(text, '=');

    if (!equals) {
        return err_set(err, TALLY_INVALID, "condition '%.80s': write DIM=VALUE", text);
    }
    int dim = find_dim(def, text, (size_t)(equals - text));
    if (dim < 0) {
        return refuse_dim(def, text, (size_t)(equals - text), err);
    }
    struct filter *there = find_filter(where, (size_t)dim);
    if (there) {
        return filter_add(there, equals + 1, err) || err_wrap(err, "condition '%.80s'", text);
    }
    if (!filter_init(&where->filter[where->count], def->dims[dim], equals + 1, err)) {
        return err_wrap(err, "condition '%.80s'", text);
    }
    where->dim[where->count++] = (size_t)dim;
    return true;
}

bool where_init(struct where *where, const struct rollup_def *def, const char *const *texts,
                size_t texts_count, struct tally_err *err)
{
    *where = (struct where){0};
    for (size_t i = 0; i < texts_count; i++) {
        if (!add_condition(where, def, texts[i], err)) {
            where_done(where);
            return false;
        }
    }
    return true;
}

void where_done(struct where *where)
{
    for (size_t i = 0; i < where->count; i++) {
        filter_done(&where->filter[i]);
    }
    where->count = 0;
}

bool where_matches(const struct where *where, size_t dim, const char *text, size_t bytes)
{
    for (size_t i = 0; i < where->count; i++) {
        if (where->dim[i] == dim && !filter_matches(&where->filter[i], text, bytes)) {
            return false;
        }
    }
    return true;
}

static bool has_dim(const struct by *by, size_t dim)
{
    for (size_t i = 0; i < by->count; i++) {
        if (by->dim[i] == dim) {
            return true;
        }
    }
    return false;
}

bool by_add(struct by *by, const struct rollup_def *def, const char *name, size_t bytes,
            struct tally_err *err)
{
    int dim = find_dim(def, name, bytes);

    if (dim < 0) {
        return refuse_dim(def, name, bytes, err);
    }
    if (has_dim(by, (size_t)dim)) {
        return err_set(err, TALLY_INVALID, "dimension '%s' is named twice", def->dims[dim]);
    }
    by->dim[by->count++] = (size_t)dim;
    return true;
}

bool by_parse(struct by *by, const struct rollup_def *def, const char *list, struct tally_err *err)
{
    struct by parsed = {0};

    for (const char *at = list; at;) {
        size_t bytes = strcspn(at, ",");
        if (!by_add(&parsed, def, at, bytes, err)) {
            return false;
        }
        at = at[bytes] == ',' ? at + bytes + 1 : NULL;
    }
    *by = parsed;
    return true;
}

bool where_has_feed(const struct where *where, const struct rollup_def *def, size_t feed)
{
    int dim = rollup_def_find_dim(def, ROLLUP_DIM_FEED);
    const char *name = def->feeds[feed].name;

    return dim < 0 || where_matches(where, (size_t)dim, name, strlen(name));
}

uint64_t where_measures(const struct where *where, const struct rollup_def *def,
                        const char *feed_text, size_t feed_bytes)
{
    uint64_t measures = 0;

    for (size_t i = 0; i < def->feeds_count; i++) {
        const char *name = def->feeds[i].name;
        bool asked =
            !feed_text || (strlen(name) == feed_bytes && memcmp(name, feed_text, feed_bytes) == 0);
        if (asked && where_has_feed(where, def, i)) {
            measures |= def->feeds[i].measures;
        }
    }
    return measures;
}
