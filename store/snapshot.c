#include "store/snapshot.h"

#include <stdlib.h>
#include <string.h>

// ---- row by row ---------------------------------------------------------------------------

static bool has_scope(const struct pending *pending, uint32_t text)
{
    return text / 8 < pending->scope_seen_bytes && pending->scope_seen[text / 8] >> text % 8 & 1;
}

static bool grow_seen(struct pending *pending, uint32_t text)
{
    size_t bytes = ((size_t)text / 8 + 1) * 2;
    unsigned char *seen = realloc(pending->scope_seen, bytes);

    if (!seen) {
        return false;
    }
    memset(seen + pending->scope_seen_bytes, 0, bytes - pending->scope_seen_bytes);
    pending->scope_seen = seen;
    pending->scope_seen_bytes = bytes;
    return true;
}

static bool grow_scopes(struct pending *pending)
{
    size_t capacity = pending->scopes_capacity ? pending->scopes_capacity * 2 : 64;
    uint32_t *scope = realloc(pending->scope, capacity * sizeof *scope);

    if (!scope) {
        return false;
    }
    pending->scope = scope;
    pending->scopes_capacity = capacity;
    return true;
}

static bool add_scope(struct pending *pending, uint32_t text, struct tally_err *err)
{
    if (has_scope(pending, text)) {
        return true;
    }
    if ((text / 8 >= pending->scope_seen_bytes && !grow_seen(pending, text)) ||
        (pending->scopes_count == pending->scopes_capacity && !grow_scopes(pending))) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a batch");
    }
    pending->scope_seen[text / 8] |= (unsigned char)(1U << text % 8);
    pending->scope[pending->scopes_count++] = text;
    return true;
}

static bool note_newest(struct pending *pending, const struct revision *revision,
                        struct tally_err *err)
{
    if (revision_compare(revision, &pending->newest) <= 0) {
        return true;
    }
    bytes_clear(&pending->newest_text);
    bytes_put(&pending->newest_text, revision->text,
              revision->kind == REVISION_TEXT ? revision->bytes : 0);
    pending->newest = *revision;
    pending->newest.text = (const char *)pending->newest_text.data;
    return pending->newest_text.ok ? true : err_set(err, TALLY_NO_MEMORY, "no memory for a batch");
}

bool snapshot_lean_on(struct store *store, const struct incident *incident,
                      const struct ledger_row *row, struct tally_err *err)
{
    struct pending *pending = &store->pending;
    uint32_t kept = state_kept_scope(&store->state, incident, pending->shape, pending->scope_dim);

    if (pending->scope_dim < 0 || row->dims[pending->scope_dim] == kept) {
        return true; // both count or neither does
    }
    if (pending->leant_on_count == pending->leant_on_capacity) {
        size_t capacity = pending->leant_on_capacity ? pending->leant_on_capacity * 2 : 16;
        uint32_t *leant_on = realloc(pending->leant_on, capacity * sizeof *leant_on);
        if (!leant_on) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for a batch");
        }
        pending->leant_on = leant_on;
        pending->leant_on_capacity = capacity;
    }
    pending->leant_on[pending->leant_on_count++] = kept;
    return true;
}

bool snapshot_note(struct pending *pending, const struct ledger_row *row, struct tally_err *err)
{
    uint32_t scope = pending->scope_dim >= 0 ? row->dims[pending->scope_dim] : 0;

    return add_scope(pending, scope, err) && note_newest(pending, &row->revision, err);
}

// ---- at its end ---------------------------------------------------------------------------

bool snapshot_in_force(const struct store *store, uint32_t text)
{
    const struct pending *pending = &store->pending;
    const struct state_scope *kept = state_find_scope(&store->state, pending->feed, text);

    return !kept || kept->newest.kind == REVISION_NONE || pending->newest.kind == REVISION_NONE ||
           revision_compare(&pending->newest, &kept->newest) >= 0;
}

bool snapshot_check(struct store *store, struct tally_err *err)
{
    const struct pending *pending = &store->pending;

    for (size_t i = 0; i < pending->leant_on_count; i++) {
        if (!snapshot_in_force(store, pending->leant_on[i])) {
            const struct texts_entry *scope = texts_get(&store->state.texts, pending->leant_on[i]);
            return store_abort(store, err) &&
                   err_set(err, TALLY_REFUSED,
                           "an id stands in '%.100s', for which a newer snapshot is in force, and "
                           "in another scope as well; deliver the scopes in files of their own",
                           scope->text);
        }
    }
    return true;
}

size_t snapshot_scopes_in_force(const struct store *store)
{
    size_t count = 0;

    for (size_t i = 0; i < store->pending.scopes_count; i++) {
        count += snapshot_in_force(store, store->pending.scope[i]);
    }
    return count;
}

bool snapshot_misses(const struct store *store, const struct incident *incident)
{
    const struct pending *pending = &store->pending;

    if (incident->flags & INCIDENT_WITHDRAWN || incident->seen >= store->mark ||
        store->state.shape_feed[incident->shape] != pending->feed) {
        return false;
    }
    uint32_t scope = state_kept_scope(&store->state, incident, pending->shape, pending->scope_dim);
    return has_scope(pending, scope) && snapshot_in_force(store, scope);
}
