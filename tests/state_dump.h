// tests/state_dump.h - all that a state holds as bytes, whatever its memory looks like.
//
// Two states with the same content give the same bytes; incidents are added up by their checksums,
// so that the order in which they stand in memory does not matter.
#ifndef TESTS_STATE_DUMP_H
#define TESTS_STATE_DUMP_H

#include "base/checksum.h"
#include "store/state.h"

#include <string.h>

static inline void state_dump_revision(const struct revision *revision, struct bytes *out)
{
    char number[REVISION_NUMBER_BYTES];
    size_t bytes;
    const char *text = revision_format(revision, number, &bytes);

    bytes_put_u8(out, (uint8_t)revision->kind);
    bytes_put_text(out, text, bytes);
}

static inline void state_dump_incident(const struct state *state, const struct incident *incident,
                                       struct bytes *out)
{
    const struct shape *shape = state_shape(state, incident);
    const struct revision revision = incident_revision(state, incident);
    struct id_text id;

    incident_id(state, incident, &id);
    bytes_put_text(out, id.text, id.bytes);
    if (state->keeps_origins) {
        const struct incident_origin origin = incident_origin(state, incident);
        bytes_put_u32(out, origin.batch);
        bytes_put_u32(out, origin.record);
        bytes_put_u32(out, origin.line);
    }
    bytes_put_u32(out, (uint32_t)incident_first_day(incident));
    bytes_put_u32(out, (uint32_t)incident_last_day(state, incident));
    bytes_put_u16(out, incident->shape);
    bytes_put_u8(out, (uint8_t)incident_flags(incident));
    bytes_put_u64(out, incident_reported(state, incident));
    state_dump_revision(&revision, out);
    for (size_t i = 0; i < shape->dims_count; i++) {
        bytes_put_u32(out, incident_dim(state, incident, i));
    }
    for (size_t i = 0; i < shape->measures_count; i++) {
        bytes_put_u64(out, (uint64_t)incident_measures(state, incident)[i]);
    }
}

static inline void state_dump_feed(const struct state_feed *feed, struct bytes *out)
{
    bytes_put_text(out, feed->name, strlen(feed->name));
    bytes_put_u8(out, feed->any_day);
    bytes_put_u32(out, (uint32_t)feed->first_day);
    bytes_put_u32(out, (uint32_t)feed->last_day);
    bytes_put_u64(out, feed->live);
    for (size_t i = 0; i < feed->scopes_count; i++) {
        bytes_put_u32(out, feed->scope[i].text);
        state_dump_revision(&feed->scope[i].newest, out);
    }
}

static inline void state_dump(const struct state *state, struct bytes *out)
{
    struct state_walk walk = {0};
    const struct incident *incident;
    uint64_t sum = 0;

    for (uint32_t code = 0; code < state->texts.count; code++) {
        const struct texts_entry *text = texts_get(&state->texts, code);
        bytes_put_text(out, text->text, text->bytes);
    }
    for (size_t i = 0; i < state->shapes_count; i++) {
        shape_encode(state->shape[i], out);
    }
    for (size_t i = 0; i < state->feeds_count; i++) {
        state_dump_feed(&state->feed[i], out);
    }
    size_t start = out->count;
    while ((incident = state_next(state, &walk)) != NULL) {
        state_dump_incident(state, incident, out);
        sum += checksum64(out->data + start, out->count - start, 0);
        out->count = start;
    }
    bytes_put_u64(out, state_incidents(state));
    bytes_put_u64(out, sum);
}

#endif
