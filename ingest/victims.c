#include "ingest/victims.h"

#include <string.h>

void victims_init(struct victims *victims, const struct shape *shape, size_t bytes_max)
{
    *victims = (struct victims){.bytes_max = bytes_max};
    rows_init(&victims->rows);
    rows_clear(&victims->rows, shape);
    dict_init(&victims->ids);
}

void victims_done(struct victims *victims)
{
    rows_done(&victims->rows);
    dict_done(&victims->ids);
}

static bool check_room(const struct victims *victims, struct tally_err *err)
{
    return rows_bytes(&victims->rows) + dict_bytes(&victims->ids) <= victims->bytes_max ||
           err_set(err, TALLY_LIMIT,
                   "rows = per-victim holds all rows until the end of the file, and they need "
                   "more than %zu bytes, their share of memory_max",
                   victims->bytes_max);
}

static bool add_new(struct victims *victims, const struct incident *incident, struct tally_err *err)
{
    return check_room(victims, err) &&
           dict_add(&victims->ids, incident->id, (uint32_t)victims->rows.count, err) &&
           incident_put(incident, &victims->rows, err);
}

// That of the newest row, so that which file wins does not depend on the order of its rows.
static bool take_revision(struct victims *victims, uint32_t index, const struct revision *revision,
                          struct tally_err *err)
{
    struct rows *rows = &victims->rows;
    struct revision kept = rows_revision(rows, index);
    struct rows_span text = {0};

    if (revision_compare(revision, &kept) <= 0) {
        return true;
    }
    if (revision->kind == REVISION_TEXT &&
        !(check_room(victims, err) &&
          rows_add_text(rows, revision->text, revision->bytes, &text, err))) {
        return false;
    }
    rows->row[index].revision_kind = revision->kind;
    rows->row[index].revision_number = revision->number;
    rows->row[index].revision_text = text;
    return true;
}

bool victims_add(struct victims *victims, const struct incident *incident, bool *out_fits,
                 struct tally_err *err)
{
    int64_t sums[SHAPE_MEASURES_MAX];
    size_t measures_count = victims->rows.shape->measures_count;
    uint32_t index;

    *out_fits = true;
    if (!dict_find(&victims->ids, incident->id, &index)) {
        return add_new(victims, incident, err);
    }
    int64_t *measures = rows_measures(&victims->rows, index);
    for (size_t i = 0; i < measures_count; i++) {
        if (__builtin_add_overflow(measures[i], incident->measures[i], &sums[i])) {
            *out_fits = false;
            return true;
        }
    }
    memcpy(measures, sums, measures_count * sizeof *sums);
    victims->rows.row[index].reported |= incident->reported;
    return take_revision(victims, index, &incident->revision, err);
}

bool victims_give(struct victims *victims, struct rows *chunk, bool *out_given,
                  struct tally_err *err)
{
    const struct rows *rows = &victims->rows;
    size_t index = victims->given;

    *out_given = index < rows->count;
    if (!*out_given) {
        return true;
    }
    struct row *added = rows_add(chunk, err);
    if (!added) {
        return false;
    }
    *added = rows->row[index];
    memcpy(rows_dims(chunk, chunk->count - 1), rows_dims(rows, index),
           rows->shape->dims_count * sizeof(uint32_t));
    memcpy(rows_measures(chunk, chunk->count - 1), rows_measures(rows, index),
           rows->shape->measures_count * sizeof(int64_t));
    victims->given++;
    return rows_add_text(chunk, rows_text(rows, added->id), added->id.bytes, &added->id, err) &&
           rows_add_text(chunk, rows_text(rows, added->revision_text), added->revision_text.bytes,
                         &added->revision_text, err);
}
