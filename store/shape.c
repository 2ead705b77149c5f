#include "store/shape.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool check_name(const char *what, const char *name, struct tally_err *err)
{
    size_t bytes = strlen(name);

    if (bytes == 0 || bytes > SHAPE_NAME_BYTES_MAX) {
        return err_set(err, TALLY_INVALID, "name of a %s has to have 1 to %d bytes: \"%.80s\"",
                       what, SHAPE_NAME_BYTES_MAX, name);
    }
    return true;
}

static bool copy_names(const char *what, const char *const *names, size_t count, char ***out_copies,
                       size_t *out_count, struct tally_err *err)
{
    char **copies = calloc(count ? count : 1, sizeof *copies);

    *out_copies = copies; // owned by the shape from here on, whatever happens
    if (!copies) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for %zu names", count);
    }
    for (size_t i = 0; i < count; i++) {
        if (!check_name(what, names[i], err)) {
            return false;
        }
        copies[i] = strdup(names[i]);
        if (!copies[i]) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for a name");
        }
        *out_count = i + 1;
    }
    return true;
}

struct shape *shape_open(const char *feed, const char *const *dims, size_t dims_count,
                         const char *const *measures, size_t measures_count, struct tally_err *err)
{
    if (dims_count > SHAPE_DIMS_MAX || measures_count > SHAPE_MEASURES_MAX) {
        err_set(err, TALLY_INVALID,
                "feed %s has %zu dimensions and %zu measures; at most %d and %d are possible", feed,
                dims_count, measures_count, SHAPE_DIMS_MAX, SHAPE_MEASURES_MAX);
        return NULL;
    }
    if (!check_name("feed", feed, err)) {
        return NULL;
    }
    struct shape *shape = calloc(1, sizeof *shape);
    if (shape) {
        shape->feed = strdup(feed);
    }
    if (!shape || !shape->feed) {
        err_set(err, TALLY_NO_MEMORY, "no memory for the shape of feed %s", feed);
    } else if (copy_names("dimension", dims, dims_count, &shape->dims, &shape->dims_count, err) &&
               copy_names("measure", measures, measures_count, &shape->measures,
                          &shape->measures_count, err)) {
        return shape;
    }
    shape_close(shape);
    return NULL;
}

static void free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
}

void shape_close(struct shape *shape)
{
    if (shape) {
        free_names(shape->dims, shape->dims_count);
        free_names(shape->measures, shape->measures_count);
        free(shape->feed);
        free(shape);
    }
}

static bool names_equal(char *const *a, size_t a_count, char *const *b, size_t b_count)
{
    if (a_count != b_count) {
        return false;
    }
    for (size_t i = 0; i < a_count; i++) {
        if (strcmp(a[i], b[i]) != 0) {
            return false;
        }
    }
    return true;
}

bool shape_equal(const struct shape *a, const struct shape *b)
{
    return strcmp(a->feed, b->feed) == 0 &&
           names_equal(a->dims, a->dims_count, b->dims, b->dims_count) &&
           names_equal(a->measures, a->measures_count, b->measures, b->measures_count);
}

static int find_name(char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

int shape_find_dim(const struct shape *shape, const char *name)
{
    return find_name(shape->dims, shape->dims_count, name);
}

int shape_find_measure(const struct shape *shape, const char *name)
{
    return find_name(shape->measures, shape->measures_count, name);
}

static void encode_names(char *const *names, size_t count, struct bytes *out)
{
    bytes_put_varint(out, count);
    for (size_t i = 0; i < count; i++) {
        bytes_put_text(out, names[i], strlen(names[i]));
    }
}

void shape_encode(const struct shape *shape, struct bytes *out)
{
    bytes_put_text(out, shape->feed, strlen(shape->feed));
    encode_names(shape->dims, shape->dims_count, out);
    encode_names(shape->measures, shape->measures_count, out);
}

// Room for the names of one decoded shape, terminated.
struct names_room {
    char text[SHAPE_NAME_BYTES_MAX + 1];
};

static bool decode_name(struct cursor *in, struct names_room *room)
{
    size_t bytes = 0;
    const char *text = cursor_take_text(in, &bytes);

    if (!text || bytes == 0 || bytes > SHAPE_NAME_BYTES_MAX || memchr(text, '\0', bytes)) {
        return false;
    }
    memcpy(room->text, text, bytes);
    room->text[bytes] = '\0';
    return true;
}

static bool decode_names(struct cursor *in, struct names_room *rooms, const char **names,
                         size_t count_max, size_t *out_count)
{
    uint64_t count = cursor_take_varint(in);

    if (!in->ok || count > count_max) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!decode_name(in, &rooms[i])) {
            return false;
        }
        names[i] = rooms[i].text;
    }
    *out_count = (size_t)count;
    return true;
}

struct shape *shape_decode(struct cursor *in, struct tally_err *err)
{
    struct names_room feed;
    struct names_room dim_rooms[SHAPE_DIMS_MAX];
    struct names_room measure_rooms[SHAPE_MEASURES_MAX];
    const char *dims[SHAPE_DIMS_MAX];
    const char *measures[SHAPE_MEASURES_MAX];
    size_t dims_count;
    size_t measures_count;

    if (!decode_name(in, &feed) ||
        !decode_names(in, dim_rooms, dims, SHAPE_DIMS_MAX, &dims_count) ||
        !decode_names(in, measure_rooms, measures, SHAPE_MEASURES_MAX, &measures_count)) {
        err_set(err, TALLY_CORRUPT, "malformed shape of a feed");
        return NULL;
    }
    return shape_open(feed.text, dims, dims_count, measures, measures_count, err);
}
