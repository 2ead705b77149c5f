#include "store/snapshot.h"

#include <stdlib.h>
#include <string.h>

// ---- row by row ---------------------------------------------------------------------------

static bool has_bit(const unsigned char *bits, size_t bytes, uint32_t at)
{
    return at / 8 < bytes && bits[at / 8] >> at % 8 & 1;
}

static bool set_bit(unsigned char **bits, size_t *bytes, uint32_t at)
{
    if (at / 8 >= *bytes) {
        size_t grown_bytes = ((size_t)at / 8 + 1) * 2;
        unsigned char *grown = realloc(*bits, grown_bytes);
        if (!grown) {
            return false;
        }
        memset(grown + *bytes, 0, grown_bytes - *bytes);
        *bits = grown;
        *bytes = grown_bytes;
    }
    (*bits)[at / 8] |= (unsigned char)(1U << at % 8);
    return true;
}

static bool grow_scopes(struct pending *pending)
{
    size_t capacity = pending->scopes_capacity ? pending->scopes_capacity * 2 : 64;
    struct pending_scope *scope = realloc(pending->scope, capacity * sizeof *scope);

    if (!scope) {
        return false;
    }
    pending->scope = scope;
    pending->scopes_capacity = capacity;
    return true;
}

static bool add_scope(struct pending *pending, struct pending_scope scope, struct tally_err *err)
{
    if (has_bit(pending->scope_seen, pending->scope_seen_bytes, scope.place)) {
        return true;
    }
    if ((pending->scopes_count == pending->scopes_capacity && !grow_scopes(pending)) ||
        !set_bit(&pending->scope_seen, &pending->scope_seen_bytes, scope.place) ||
        (scope.known != PACKER_UNKNOWN &&
         !set_bit(&pending->scope_known, &pending->scope_known_bytes, scope.known))) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a batch");
    }
    pending->scope[pending->scopes_count++] = scope;
    return true;
}

// The scope value of a row; of a whole feed the empty text.
static struct pending_scope scope_of(const struct embedded *store, const struct packer_row *row)
{
    int dim = store->pending.scope_dim;
    uint32_t place = dim >= 0 ? row->dims[dim] : 0;

    return (struct pending_scope){.place = place,
                                  .known = packer_known_text(&store->packer, place)};
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

bool snapshot_lean_on(struct embedded *store, const struct incident *incident,
                      const struct packer_row *row, struct tally_err *err)
{
    struct pending *pending = &store->pending;
    uint32_t kept = state_kept_scope(&store->state, incident, pending->shape, pending->scope_dim);

    if (pending->scope_dim < 0 || scope_of(store, row).known == kept) {
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

bool snapshot_note(struct embedded *store, const struct packer_row *row, struct tally_err *err)
{
    return add_scope(&store->pending, scope_of(store, row), err) &&
           note_newest(&store->pending, &row->revision, err);
}

// ---- at its end ---------------------------------------------------------------------------

bool snapshot_in_force(const struct embedded *store, uint32_t text)
{
    const struct pending *pending = &store->pending;
    const struct state_scope *kept =
        text == PACKER_UNKNOWN ? NULL : state_find_scope(&store->state, pending->feed, text);

    return !kept || kept->newest.kind == REVISION_NONE || pending->newest.kind == REVISION_NONE ||
           revision_compare(&pending->newest, &kept->newest) >= 0;
}

bool snapshot_check(struct embedded *store, struct tally_err *err)
{
    const struct pending *pending = &store->pending;

    for (size_t i = 0; i < pending->leant_on_count; i++) {
        if (!snapshot_in_force(store, pending->leant_on[i])) {
            const struct texts_entry *scope = texts_get(&store->state.texts, pending->leant_on[i]);
            return embedded_abort(&store->common, err) &&
                   err_set(err, TALLY_REFUSED,
                           "an id stands in '%.100s', for which a newer snapshot is in force, and "
                           "in another scope as well; deliver the scopes in files of their own",
                           scope->text);
        }
    }
    return true;
}

size_t snapshot_scopes_in_force(const struct embedded *store)
{
    size_t count = 0;

    for (size_t i = 0; i < store->pending.scopes_count; i++) {
        count += snapshot_in_force(store, store->pending.scope[i].known);
    }
    return count;
}

bool snapshot_misses(const struct embedded *store, const struct incident *incident)
{
    const struct pending *pending = &store->pending;

    if (!incident_is_live(incident) || incident_seen(incident) >= store->state.mark) {
        return false;
    }
    uint32_t scope = state_kept_scope(&store->state, incident, pending->shape, pending->scope_dim);
    return has_bit(pending->scope_known, pending->scope_known_bytes, scope) &&
           snapshot_in_force(store, scope);
}
