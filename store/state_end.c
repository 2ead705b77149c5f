// store/state_end.c - what a batch says beside its rows: coverage and snapshots in force (contracts
// in state.h).
#include "store/state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void cover(struct state_feed *feed, const struct batch_end *end)
{
    if (!end->any_day) {
        return;
    }
    if (!feed->any_day || end->first_day < feed->first_day) {
        feed->first_day = end->first_day;
    }
    if (!feed->any_day || end->last_day > feed->last_day) {
        feed->last_day = end->last_day;
    }
    feed->any_day = true;
}

// Where the scope of a text stands, or belongs: they are sorted by its code.
static size_t find_scope_place(const struct state_feed *feed, uint32_t text)
{
    size_t low = 0;
    size_t high = feed->scopes_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (feed->scope[middle].text < text) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct state_scope *state_find_scope(const struct state *state, uint32_t feed, uint32_t text)
{
    const struct state_feed *entry = &state->feed[feed];
    size_t place = find_scope_place(entry, text);

    return place < entry->scopes_count && entry->scope[place].text == text ? &entry->scope[place]
                                                                           : NULL;
}

static bool add_scope(struct state_feed *feed, uint32_t text, struct tally_err *err)
{
    size_t place = find_scope_place(feed, text);

    if (feed->scopes_count == feed->scopes_capacity) {
        size_t capacity = feed->scopes_capacity ? feed->scopes_capacity * 2 : 16;
        struct state_scope *scopes = realloc(feed->scope, capacity * sizeof *scopes);
        if (!scopes) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for a scope");
        }
        feed->scope = scopes;
        feed->scopes_capacity = capacity;
    }
    struct state_scope *scope = &feed->scope[place];
    memmove(scope + 1, scope, (feed->scopes_count - place) * sizeof *scope);
    *scope = (struct state_scope){.text = text};
    feed->scopes_count++;
    return true;
}

static bool set_scope(struct state *state, uint32_t feed, uint32_t text,
                      const struct revision *newest, struct tally_err *err)
{
    if (!state_find_scope(state, feed, text) && !add_scope(&state->feed[feed], text, err)) {
        return false;
    }
    struct state_scope *scope = (struct state_scope *)state_find_scope(state, feed, text);
    char *copy = NULL;

    assert(scope); // it was there, or was added
    if (newest->kind == REVISION_TEXT) {
        copy = strndup(newest->text, newest->bytes);
        if (!copy) {
            return err_set(err, TALLY_NO_MEMORY, "no memory for a scope");
        }
    }
    free(scope->newest_text);
    scope->newest = *newest;
    scope->newest_text = copy;
    scope->newest.text = copy;
    return true;
}

bool state_take_scope(struct state *state, const struct batch_end *end, struct cursor *list,
                      struct state_end_scope *out_scope, struct tally_err *err)
{
    size_t bytes = 0;
    uint32_t code = 0;

    if (end->version == LEDGER_VERSION_ROWS) {
        code = (uint32_t)cursor_take_varint(list); // of a text that may stand behind
    } else {
        const char *text = cursor_take_text(list, &bytes);
        if (text && !texts_intern(&state->texts, text, bytes, &code, NULL, err)) {
            return false;
        }
    }
    *out_scope = (struct state_end_scope){.text = code, .in_force = cursor_take_u8(list) != 0};
    return list->ok || err_set(err, TALLY_CORRUPT, "malformed scopes of a snapshot");
}

bool state_apply_end(struct state *state, const struct state_batch *batch,
                     const struct batch_end *end, struct tally_err *err)
{
    struct cursor list = end->scope_list;

    cover(&state->feed[batch->feed], end);
    state->feed[batch->feed].newest_ms = end->time_ms;
    state->feed[batch->feed].claims |= batch->mode == BATCH_CLAIMS;
    for (uint64_t i = 0; i < end->scopes; i++) {
        struct state_end_scope scope;
        if (!state_take_scope(state, end, &list, &scope, err)) {
            return false;
        }
        if (scope.text >= state->texts.count) {
            return err_set(err, TALLY_CORRUPT, "malformed scopes of a snapshot");
        }
        if (scope.in_force && !set_scope(state, batch->feed, scope.text, &end->newest, err)) {
            return false;
        }
    }
    return true;
}

void state_apply_note(struct state *state, const struct batch_end *end)
{
    for (size_t i = 0; end->outcome == FILE_SUPERSEDED && i < state->feeds_count; i++) {
        if (strlen(state->feed[i].name) == end->feed_bytes &&
            memcmp(state->feed[i].name, end->feed, end->feed_bytes) == 0) {
            cover(&state->feed[i], end);
        }
    }
}
