// store/cluster/log_until.c - what the log says of one moment (contracts in log.h).
#include "store/cluster/log.h"

#include <assert.h>
#include <string.h>

static bool is_beyond(const struct log_entry *entry, const struct replay_until *until)
{
    return entry->number > until->batch || entry->end.time_ms > until->time_ms;
}

// Where the files without a batch end that a moment holds. Batches themselves are asked one by one:
// of two daemons the clocks may differ, and with them the order of numbers and times.
static size_t notes_end(const struct log *log, const struct replay_until *until)
{
    size_t end = 0;

    while (end < log->count && !is_beyond(&log->entry[end], until)) {
        end++;
    }
    return end;
}

static bool holds(const struct log_entry *entry, const struct replay_until *until, size_t index,
                  size_t notes)
{
    return entry->number > 0 ? !is_beyond(entry, until) : index < notes;
}

bool log_holds(const struct log *log, const struct replay_until *until, size_t index)
{
    return holds(&log->entry[index], until, index, notes_end(log, until));
}

uint64_t log_newest(const struct log *log, const struct replay_until *until)
{
    uint64_t newest = 0;

    for (size_t i = 0; i < log->count; i++) {
        const struct log_entry *entry = &log->entry[i];
        if (!is_beyond(entry, until) && entry->number > newest) {
            newest = entry->number;
        }
    }
    return newest;
}

static bool same_feed(const struct log_entry *a, const struct log_entry *b)
{
    return strcmp(a->shape->feed, b->shape->feed) == 0;
}

// Whether a later FORGET of its feed takes a batch out. `forgets`: the entries that are one.
static bool is_forgotten(const struct log *log, size_t index, const size_t *forgets, size_t count)
{
    for (size_t i = count; i > 0 && forgets[i - 1] > index; i--) {
        if (same_feed(&log->entry[index], &log->entry[forgets[i - 1]])) {
            return true;
        }
    }
    return false;
}

static bool list_forgets(const struct log *log, const struct replay_until *until, struct bytes *out)
{
    for (size_t i = 0; i < log->count; i++) {
        const struct log_entry *entry = &log->entry[i];
        if (entry->number > 0 && entry->begin.mode == BATCH_FORGET && !is_beyond(entry, until)) {
            bytes_put(out, &i, sizeof i);
        }
    }
    return out->ok;
}

bool log_committed(const struct log *log, const struct replay_until *until, struct bytes *out,
                   struct tally_err *err)
{
    struct bytes forgets;

    bytes_init(&forgets);
    bool ok = list_forgets(log, until, &forgets);
    const size_t *forget = (const size_t *)(const void *)forgets.data;
    for (size_t i = 0; ok && i < log->count; i++) {
        const struct log_entry *entry = &log->entry[i];
        if (entry->number > 0 && entry->begin.mode != BATCH_FORGET && !is_beyond(entry, until) &&
            !is_forgotten(log, i, forget, forgets.count / sizeof *forget)) {
            bytes_put(out, &entry->batch, sizeof entry->batch);
        }
    }
    ok = ok && out->ok;
    bytes_done(&forgets);
    return ok || err_set(err, TALLY_NO_MEMORY, "no memory for the list of batches");
}

static bool apply_batch(const struct log_entry *entry, struct state *state, struct tally_err *err)
{
    // Numbers are of incidents, of which there are none.
    struct state_batch batch = {.mode = entry->begin.mode};

    if (!state_add_shape(state, entry->shape, &batch.shape, err)) {
        return false;
    }
    batch.feed = state->shape_feed[batch.shape];
    return (batch.mode != BATCH_FORGET || state_forget(state, &batch, err)) &&
           state_apply_end(state, &batch, &entry->end, err);
}

bool log_apply(const struct log *log, const struct replay_until *until, struct state *state,
               struct tally_err *err)
{
    size_t notes = notes_end(log, until);

    assert(state_incidents(state) == 0);
    for (size_t i = 0; i < log->count; i++) {
        const struct log_entry *entry = &log->entry[i];
        if (!holds(entry, until, i, notes)) {
            continue;
        }
        if (entry->number == 0) {
            state_apply_note(state, &entry->end);
        } else if (!apply_batch(entry, state, err)) {
            return err_wrap(err, "batch %llu", (unsigned long long)entry->number);
        }
    }
    return true;
}

static bool has_feed(const struct rollup_def *def, const char *feed)
{
    for (size_t i = 0; i < def->feeds_count; i++) {
        if (strcmp(def->feeds[i].name, feed) == 0) {
            return true;
        }
    }
    return false;
}

static struct rollup_source source_of(const struct log_entry *entry)
{
    return (struct rollup_source){.batch = entry->number,
                                  .time_ms = entry->end.time_ms,
                                  .digest = entry->end.digest,
                                  .feed = entry->shape->feed,
                                  .feed_bytes = strlen(entry->shape->feed),
                                  .file = entry->file,
                                  .file_bytes = strlen(entry->file)};
}

// Into sources that rise by number, of which the newest ones are kept. Of two with one number the
// one that came first stays: a file's numbers rise strictly.
static size_t add_source(struct rollup_source *sources, size_t count,
                         const struct rollup_source *source)
{
    size_t at = count;

    while (at > 0 && sources[at - 1].batch > source->batch) {
        at--;
    }
    if ((at > 0 && sources[at - 1].batch == source->batch) ||
        (at == 0 && count == ROLLUP_SOURCES_MAX)) {
        return count;
    }
    if (count == ROLLUP_SOURCES_MAX) {
        memmove(sources, sources + 1, (at - 1) * sizeof *sources);
        sources[at - 1] = *source;
        return count;
    }
    memmove(sources + at + 1, sources + at, (count - at) * sizeof *sources);
    sources[at] = *source;
    return count + 1;
}

void log_sources(const struct log *log, const struct replay_until *until,
                 const struct rollup_def *def, struct rollup_source sources[ROLLUP_SOURCES_MAX],
                 struct cells_provenance *out)
{
    size_t count = 0;
    uint64_t batches = 0;

    for (size_t i = log->count; i > 0; i--) { // from the newest back
        const struct log_entry *entry = &log->entry[i - 1];
        if (entry->number > 0 && !is_beyond(entry, until) && has_feed(def, entry->shape->feed)) {
            struct rollup_source source = source_of(entry);
            count = add_source(sources, count, &source);
            batches++;
        }
    }
    *out = (struct cells_provenance){.generation = count > 0 ? sources[count - 1].batch : 0,
                                     .batches = batches,
                                     .source = sources,
                                     .sources_count = count};
}
