#include "store/cluster/versions.h"

#include "base/checksum.h"
#include "store/cluster/rank.h"
#include "store/rows.h"

#include <string.h>

uint64_t version_hash(const char *id, size_t bytes)
{
    return checksum64(id, bytes, 0);
}

// ---- reading ------------------------------------------------------------------------------

static void take_dims(struct version *out, struct cursor *in)
{
    out->dims_count = (size_t)cursor_take_varint(in);
    out->dims = *in;
    for (size_t i = 0; i < out->dims_count && in->ok; i++) {
        size_t bytes;
        cursor_take_text(in, &bytes);
    }
}

static void take_measures(struct version *out, struct cursor *in)
{
    out->measures_count = (size_t)cursor_take_varint(in);
    out->measures = *in;
    for (size_t i = 0; i < out->measures_count && in->ok; i++) {
        cursor_take_u64(in);
    }
}

bool version_take(struct version *out, struct cursor *in)
{
    *out = (struct version){0};
    out->id = cursor_take_text(in, &out->id_bytes);
    out->op = (enum version_op)cursor_take_u8(in);
    out->revision = cursor_take_text(in, &out->revision_bytes);
    out->shape = cursor_take_u64(in);
    out->first_day = (int32_t)cursor_take_u32(in);
    out->last_day = (int32_t)cursor_take_u32(in);
    out->reported = cursor_take_u64(in);
    take_dims(out, in);
    take_measures(out, in);
    out->batch = cursor_take_u64(in);
    out->record = cursor_take_u64(in);
    out->line = cursor_take_u64(in);
    return in->ok && out->op <= VERSION_BURIED && out->id_bytes <= ID_BYTES_MAX &&
           out->dims_count <= SHAPE_DIMS_MAX && out->measures_count <= SHAPE_MEASURES_MAX &&
           out->first_day >= DAY_MIN && out->first_day <= out->last_day && out->last_day <= DAY_MAX;
}

static bool take_codes(const struct version *version, struct state *state, uint32_t *out_dims,
                       struct tally_err *err)
{
    struct cursor in = version->dims;

    for (size_t i = 0; i < version->dims_count; i++) {
        size_t bytes;
        const char *text = cursor_take_text(&in, &bytes);
        if (!texts_intern(&state->texts, text, bytes, &out_dims[i], NULL, err)) {
            return false;
        }
    }
    return true;
}

static bool apply(struct state *state, uint16_t shape, uint32_t number,
                  const struct ledger_row *row, struct tally_err *err)
{
    struct state_batch batch = {
        .number = number, .mode = BATCH_UPSERT, .shape = shape, .feed = state->shape_feed[shape]};
    struct batch_counts ignored = {0};
    struct state_row made;

    return state_take_row(state, shape, row, &made, err) &&
           state_apply(state, &batch, &made, &ignored, err);
}

bool version_apply(const struct version *version, const struct shapes *shapes, uint32_t number,
                   struct state *state, struct tally_err *err)
{
    const struct shape *shape = shapes_find(shapes, version->shape);
    uint32_t dims[SHAPE_DIMS_MAX] = {0};
    int64_t measures[SHAPE_MEASURES_MAX] = {0};
    struct cursor in = version->measures;
    uint16_t code;

    if (!shape || shape->dims_count != version->dims_count ||
        shape->measures_count != version->measures_count) {
        return err_set(err, TALLY_CORRUPT, "tally_versions: incident %.*s has no shape that fits",
                       (int)(version->id_bytes < 60 ? version->id_bytes : 60), version->id);
    }
    for (size_t i = 0; i < version->measures_count; i++) {
        measures[i] = (int64_t)cursor_take_u64(&in);
    }
    struct ledger_row row = {
        .op = ROWS_PUT,
        .id = version->id,
        .id_bytes = version->id_bytes,
        .record = version->record,
        .line = version->line,
        .first_day = version->first_day,
        .last_day = version->last_day,
        .revision = revision_of_text(version->revision, version->revision_bytes),
        .reported = version->reported,
        .dims = dims,
        .measures = measures,
    };
    if (!state_add_shape(state, shape, &code, err) || !take_codes(version, state, dims, err)) {
        return false;
    }
    if (version->op != VERSION_BURIED && !apply(state, code, number, &row, err)) {
        return false;
    }
    row.op = ROWS_WITHDRAW;
    if (version->op == VERSION_WITHDRAWN) {
        row.revision = (struct revision){.kind = REVISION_NONE};
    }
    return version->op == VERSION_COUNTS || apply(state, code, number, &row, err);
}

// ---- writing ------------------------------------------------------------------------------

static enum version_op op_of(const struct incident *incident)
{
    unsigned flags = incident_flags(incident);

    return flags & INCIDENT_TOMBSTONE   ? VERSION_BURIED
           : flags & INCIDENT_WITHDRAWN ? VERSION_WITHDRAWN
                                        : VERSION_COUNTS;
}

static void put_rank(struct bytes *out, const struct revision *revision)
{
    struct bytes rank;

    bytes_init(&rank);
    rank_put(&rank, revision);
    bytes_put_text(out, (const char *)rank.data, rank.count);
    out->ok &= rank.ok;
    bytes_done(&rank);
}

static void put_revision(struct bytes *out, const struct revision *revision)
{
    char number[REVISION_NUMBER_BYTES];
    size_t bytes;
    const char *text = revision_format(revision, number, &bytes);

    bytes_put_text(out, text, bytes);
}

static void put_values(const struct state *state, const struct incident *incident,
                       struct bytes *out)
{
    const struct shape *shape = state_shape(state, incident);
    const int64_t *measures = incident_measures(state, incident);

    bytes_put_u64(out, incident_reported(state, incident));
    bytes_put_varint(out, shape->dims_count);
    for (size_t i = 0; i < shape->dims_count; i++) {
        const struct texts_entry *text = texts_get(&state->texts, incident_dim(state, incident, i));
        bytes_put_text(out, text->text, text->bytes);
    }
    bytes_put_varint(out, shape->measures_count);
    for (size_t i = 0; i < shape->measures_count; i++) {
        bytes_put_u64(out, (uint64_t)measures[i]);
    }
}

void version_put(const struct state *state, const struct incident *incident,
                 const struct version_of *of, struct bytes *out)
{
    const struct state_feed *feed = state_feed_of(state, incident);
    const struct revision revision = incident_revision(state, incident);
    const struct revision none = {.kind = REVISION_NONE};
    struct incident_origin origin = incident_origin(state, incident);
    enum version_op op = op_of(incident);
    struct id_text id;

    incident_id(state, incident, &id);
    bytes_put_text(out, feed->name, strlen(feed->name));
    bytes_put_u64(out, version_hash(id.text, id.bytes));
    bytes_put_text(out, id.text, id.bytes);
    put_rank(out, of->by_revision ? &revision : &none);
    bytes_put_u8(out, of->by_revision && op == VERSION_BURIED);
    bytes_put_u64(out, of->batch);
    bytes_put_u64(out, origin.record);
    bytes_put_u8(out, (uint8_t)op);
    put_revision(out, &revision);
    bytes_put_u64(out, of->shape);
    bytes_put_u32(out, (uint32_t)incident_first_day(incident));
    bytes_put_u32(out, (uint32_t)incident_last_day(state, incident));
    put_values(state, incident, out);
    bytes_put_u64(out, origin.line);
}
