// ingest/summary.h - what is noted of each row that was mapped.
#ifndef INGEST_SUMMARY_H
#define INGEST_SUMMARY_H

#include "ingest/incident.h"
#include "ingest/ingest.h"

// Days of all rows. Of an imprecise date what is covered is its first day: an incident known only
// to its year says nothing of the year's end.
static inline void summary_note_days(struct ingest_summary *summary, int32_t first_day,
                                     int32_t last_day)
{
    if (!summary->any_day || first_day < summary->first_day) {
        summary->first_day = first_day;
    }
    if (!summary->any_day || last_day > summary->last_day) {
        summary->last_day = last_day;
    }
    summary->any_day = true;
}

static inline void summary_note(struct ingest_summary *summary, const struct feed *feed,
                                const struct incident *incident)
{
    if (incident->op == ROWS_PUT) {
        summary_note_days(summary, incident->first_day, incident->covered_day);
    }
    summary->disordered += incident_is_disordered(feed, incident);
}

// Whether a chunk has a part of what one may hold: `part` of `whole`.
static inline bool rows_are_full(const struct rows *chunk, const struct ingest_limits *limits,
                                 uint64_t part, uint64_t whole)
{
    return chunk->count >= (limits->chunk_rows * part + whole - 1) / whole ||
           rows_bytes(chunk) >= limits->chunk_bytes * part / whole;
}

// Rows that follow, none of them rejected.
static inline void summary_add(struct ingest_summary *summary, const struct ingest_summary *more)
{
    summary->records += more->records;
    summary->disordered += more->disordered;
    if (more->any_day) {
        summary_note_days(summary, more->first_day, more->last_day);
    }
}

#endif
