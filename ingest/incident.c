#include "ingest/incident.h"

#include <string.h>

bool incident_is_disordered(const struct feed *feed, const struct incident *incident)
{
    for (size_t i = 0; i < feed->estimates_count; i++) {
        int at[3] = {feed->estimates[i].low, feed->estimates[i].best, feed->estimates[i].high};
        int64_t greatest = INT64_MIN;
        for (size_t j = 0; j < 3; j++) {
            if (at[j] < 0 || !(incident->reported >> at[j] & 1)) {
                continue;
            }
            if (incident->measures[at[j]] < greatest) {
                return true;
            }
            greatest = incident->measures[at[j]];
        }
    }
    return false;
}

bool incident_put(const struct incident *incident, struct rows *chunk, struct tally_err *err)
{
    struct row row = {
        .op = incident->op,
        .record = incident->record,
        .line = incident->line,
        .first_day = incident->first_day,
        .last_day = incident->last_day,
        .revision_kind = incident->revision.kind,
        .revision_number = incident->revision.number,
        .reported = incident->reported,
    };
    if (!rows_add_text(chunk, incident->id.at, incident->id.bytes, &row.id, err) ||
        (incident->revision.kind == REVISION_TEXT &&
         !rows_add_text(chunk, incident->revision.text, incident->revision.bytes,
                        &row.revision_text, err))) {
        return false;
    }
    struct row *added = rows_add(chunk, err);
    if (!added) {
        return false;
    }
    *added = row;
    if (row.op == ROWS_PUT) {
        size_t index = chunk->count - 1;
        memcpy(rows_dims(chunk, index), incident->dims,
               chunk->shape->dims_count * sizeof *incident->dims);
        memcpy(rows_measures(chunk, index), incident->measures,
               chunk->shape->measures_count * sizeof *incident->measures);
    }
    return true;
}
