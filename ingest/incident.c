#include "ingest/incident.h"

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

// Each member goes to its place by itself: a row that is put together elsewhere, in pieces, and
// then copied waits until all writes before it have reached the cache.
bool incident_put(const struct incident *incident, struct rows *chunk, struct tally_err *err)
{
    struct rows_span id;
    struct rows_span revision = {0};

    if (!rows_add_text(chunk, incident->id.at, incident->id.bytes, &id, err) ||
        (incident->revision.kind == REVISION_TEXT &&
         !rows_add_text(chunk, incident->revision.text, incident->revision.bytes, &revision,
                        err))) {
        return false;
    }
    bool put = incident->op == ROWS_PUT;
    struct row *row =
        rows_add_of(chunk, put ? incident->dims : NULL, put ? incident->measures : NULL, err);
    if (!row) {
        return false;
    }
    row->op = incident->op;
    row->id.at = id.at;
    row->id.bytes = id.bytes;
    row->record = incident->record;
    row->line = incident->line;
    row->first_day = incident->first_day;
    row->last_day = incident->last_day;
    row->revision_kind = incident->revision.kind;
    row->revision_number = incident->revision.number;
    row->revision_text.at = revision.at;
    row->revision_text.bytes = revision.bytes;
    row->reported = incident->reported;
    return true;
}
