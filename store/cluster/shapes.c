#include "store/cluster/shapes.h"

#include "base/checksum.h"
#include "store/cluster/sql.h"

#include <stdlib.h>
#include <string.h>

void shapes_init(struct shapes *shapes)
{
    *shapes = (struct shapes){0};
}

void shapes_done(struct shapes *shapes)
{
    for (size_t i = 0; i < shapes->count; i++) {
        shape_close(shapes->entry[i].shape);
    }
    free(shapes->entry);
    shapes_init(shapes);
}

const struct shape *shapes_find(const struct shapes *shapes, uint64_t hash)
{
    for (size_t i = 0; i < shapes->count; i++) {
        if (shapes->entry[i].hash == hash) {
            return shapes->entry[i].shape;
        }
    }
    return NULL;
}

bool shapes_hash(const struct shape *shape, uint64_t *out_hash, struct tally_err *err)
{
    struct bytes encoded;

    bytes_init(&encoded);
    shape_encode(shape, &encoded);
    bool ok = encoded.ok || err_set(err, TALLY_NO_MEMORY, "no memory for a shape");
    if (ok) {
        *out_hash = checksum64(encoded.data, encoded.count, 0);
    }
    bytes_done(&encoded);
    return ok;
}

// Takes the shape over, also on failure.
static bool add(struct shapes *shapes, uint64_t hash, struct shape *shape, struct tally_err *err)
{
    struct shapes_entry *entry = realloc(shapes->entry, (shapes->count + 1) * sizeof *entry);

    if (!entry) {
        shape_close(shape);
        return err_set(err, TALLY_NO_MEMORY, "no memory for a shape");
    }
    shapes->entry = entry;
    entry[shapes->count++] = (struct shapes_entry){.hash = hash, .shape = shape};
    return true;
}

// ---- reading ------------------------------------------------------------------------------

// An Array(String) as pointers to terminated copies in `texts`, which has to stay where it is.
struct names {
    const char *name[SHAPE_DIMS_MAX > SHAPE_MEASURES_MAX ? SHAPE_DIMS_MAX : SHAPE_MEASURES_MAX];
    char text[(SHAPE_NAME_BYTES_MAX + 1) *
              (SHAPE_DIMS_MAX > SHAPE_MEASURES_MAX ? SHAPE_DIMS_MAX : SHAPE_MEASURES_MAX)];
    size_t count;
};

static bool take_names(struct names *names, size_t count_max, struct cursor *in)
{
    uint64_t count = cursor_take_varint(in);
    size_t at = 0;

    if (count > count_max) {
        return false;
    }
    names->count = (size_t)count;
    for (size_t i = 0; i < names->count; i++) {
        size_t bytes;
        const char *text = cursor_take_text(in, &bytes);
        if (!text || bytes > SHAPE_NAME_BYTES_MAX) {
            return false;
        }
        memcpy(names->text + at, text, bytes);
        names->text[at + bytes] = '\0';
        names->name[i] = names->text + at;
        at += bytes + 1;
    }
    return true;
}

static bool take_shape(struct shapes *shapes, struct cursor *in, struct tally_err *err)
{
    char feed[SHAPE_NAME_BYTES_MAX + 1];
    struct names dims;
    struct names measures;
    size_t bytes = 0;
    uint64_t hash = cursor_take_u64(in);
    const char *text = cursor_take_text(in, &bytes);

    if (!text || bytes >= sizeof feed || !take_names(&dims, SHAPE_DIMS_MAX, in) ||
        !take_names(&measures, SHAPE_MEASURES_MAX, in)) {
        return err_set(err, TALLY_CORRUPT, "tally_shapes: a malformed row");
    }
    memcpy(feed, text, bytes);
    feed[bytes] = '\0';
    if (shapes_find(shapes, hash)) {
        return true;
    }
    struct shape *shape =
        shape_open(feed, dims.name, dims.count, measures.name, measures.count, err);
    uint64_t computed;
    if (!shape || !shapes_hash(shape, &computed, err)) {
        shape_close(shape);
        return false;
    }
    if (computed != hash) {
        shape_close(shape);
        return err_set(err, TALLY_CORRUPT,
                       "tally_shapes: a shape of feed %s is not what its hash says", feed);
    }
    return add(shapes, hash, shape, err);
}

bool shapes_load(struct shapes *shapes, struct servers *servers, struct tally_err *err)
{
    static const struct servers_question question = {
        .sql = "SELECT shape, feed, dims, measures FROM tally_shapes_local"};
    struct bytes answer;

    bytes_init(&answer);
    bool ok = servers_ask(servers, 0, &question, &answer, err);
    struct cursor in = cursor_over(answer.data, answer.count);
    while (ok && cursor_left(&in) > 0) {
        ok = take_shape(shapes, &in, err);
    }
    bytes_done(&answer);
    return ok;
}

// ---- writing ------------------------------------------------------------------------------

static void put_names(struct bytes *out, char *const *names, size_t count)
{
    bytes_put_varint(out, count);
    for (size_t i = 0; i < count; i++) {
        bytes_put_text(out, names[i], strlen(names[i]));
    }
}

static bool insert(struct servers *servers, uint64_t hash, const struct shape *shape,
                   struct tally_err *err)
{
    struct bytes row;

    bytes_init(&row);
    bytes_put_u64(&row, hash);
    bytes_put_text(&row, shape->feed, strlen(shape->feed));
    put_names(&row, shape->dims, shape->dims_count);
    put_names(&row, shape->measures, shape->measures_count);
    bool ok = (row.ok || err_set(err, TALLY_NO_MEMORY, "no memory for a shape")) &&
              servers_insert_at(servers, 0, "tally_shapes_local", &row, err);
    bytes_done(&row);
    return ok;
}

bool shapes_put(struct shapes *shapes, struct servers *servers, const struct shape *shape,
                uint64_t *out_hash, struct tally_err *err)
{
    if (!shapes_hash(shape, out_hash, err)) {
        return false;
    }
    const struct shape *known = shapes_find(shapes, *out_hash);
    if (known) {
        return shape_equal(known, shape) ||
               err_set(err, TALLY_CORRUPT, "two shapes of feeds %s and %s have one hash",
                       known->feed, shape->feed);
    }
    if (!insert(servers, *out_hash, shape, err)) {
        return false;
    }
    struct shape *copy =
        shape_open(shape->feed, (const char *const *)shape->dims, shape->dims_count,
                   (const char *const *)shape->measures, shape->measures_count, err);
    return copy && add(shapes, *out_hash, copy, err);
}
