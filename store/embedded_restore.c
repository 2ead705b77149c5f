// store/embedded_restore.c - batches from elsewhere into the ledger (contracts in restore.h).
#include "store/restore.h"

#include "store/embedded.h"

#include <string.h>

bool restore_begin(struct store *store, const struct store_file *file, struct tally_err *err)
{
    return embedded_begin(store, file, err);
}

bool restore_rows(struct store *store, const struct rows *rows, struct tally_err *err)
{
    struct embedded *embedded = embedded_of(store);
    struct packer_row row;

    progress_step(&store->progress);
    if (!packer_add_texts(&embedded->packer, rows, err)) {
        return false;
    }
    for (size_t i = 0; i < rows->count; i++) {
        if (!packer_look_up(&embedded->packer, rows, i, &row, err) ||
            !packer_put(&embedded->packer, &row, err)) {
            return false;
        }
    }
    return embedded_put_rejects(embedded, rows, err);
}

static void note_time(struct embedded *embedded, const struct batch_end *end)
{
    if (end->time_ms > embedded->last_time_ms) {
        embedded->last_time_ms = end->time_ms;
    }
}

bool restore_end(struct store *store, const struct batch_end *end, struct tally_err *err)
{
    struct embedded *embedded = embedded_of(store);
    struct store_outcome outcome;
    struct batch_end as_written = *end;
    struct bytes payload;

    if (!packer_flush(&embedded->packer, err)) {
        return false;
    }
    note_time(embedded, end);
    as_written.version = LEDGER_VERSION;
    as_written.time_ms = embedded->last_time_ms; // times in a ledger never step back
    as_written.chain = ledger_batch_chain(embedded->ledger);
    as_written.rows = embedded->packer.rows;
    bytes_init(&payload);
    batch_end_encode(&as_written, &payload);
    bool ok =
        ledger_append(embedded->ledger, LEDGER_COMMIT, embedded->pending.number, &payload, err) &&
        ledger_seal(embedded->ledger, err);
    bytes_done(&payload);
    return ok && embedded_apply(embedded, end->digest, end->rejected, &outcome, err);
}

bool restore_note(struct store *store, const struct batch_end *end, struct tally_err *err)
{
    struct embedded *embedded = embedded_of(store);
    struct batch_end as_written = *end;
    struct bytes payload;

    note_time(embedded, end);
    as_written.version = LEDGER_VERSION;
    as_written.time_ms = embedded->last_time_ms; // times in a ledger never step back
    bytes_init(&payload);
    batch_end_encode(&as_written, &payload);
    bool ok = ledger_use_version(embedded->ledger, LEDGER_VERSION, err) &&
              ledger_append(embedded->ledger, LEDGER_FILE, store->batches, &payload, err) &&
              ledger_seal(embedded->ledger, err);
    bytes_done(&payload);
    if (ok) {
        state_apply_note(&embedded->state, end);
    }
    return ok;
}

bool restore_find(const struct store *store, const char *feed, const char *id, size_t id_bytes,
                  struct revision *out_revision)
{
    const struct state *state = &embedded_of_const(store)->state;
    const struct state_feed *kept = state_find_feed(state, feed);
    const struct incident *incident =
        kept ? state_find(state, (uint32_t)(kept - state->feed), id, id_bytes) : NULL;

    if (incident) {
        *out_revision = incident_revision(state, incident);
    }
    return incident != NULL;
}
