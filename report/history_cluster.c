// report/history_cluster.c - the ledger on a cluster: a moment is a list of batches (contracts in
// history.h and moment.h).
//
// The list is read once, when the history is opened: all that a command asks afterwards is of that
// moment or an earlier one, whatever the daemons put meanwhile.
#include "base/day.h"
#include "report/history_private.h"
#include "report/verify_cluster.h"
#include "store/cluster/defs.h"
#include "store/cluster/figures.h"
#include "store/cluster/kept.h"
#include "store/cluster/log.h"
#include "store/cluster/servers.h"

#include <stdlib.h>
#include <string.h>

struct cluster_history {
    struct history common;
    struct cluster_options options;
    struct servers *servers;
    struct log log;
    struct moment_file *file; // by place in the log
};

static struct cluster_history *cluster_of(struct history *history)
{
    return (struct cluster_history *)history; // its first member
}

static void close_cluster(struct history *history)
{
    struct cluster_history *cluster = cluster_of(history);

    log_done(&cluster->log);
    servers_close(cluster->servers);
    cluster_options_done(&cluster->options);
    free(cluster->file);
    free(cluster);
}

// ---- figures ------------------------------------------------------------------------------

static bool fill_rollup(struct moment *moment, const struct cluster_history *cluster,
                        struct state *state, struct tally_err *err)
{
    struct cells *cells = log_apply(&cluster->log, &moment->until, state, err)
                              ? cells_open(state, moment->def, err)
                              : NULL;

    if (cells && figures_fill(cluster->servers, &moment->committed, state, cells, err)) {
        moment->rollup = moment_encode(cells, state, moment->batches, err);
    }
    cells_close(cells);
    return moment->rollup != NULL;
}

static bool fill(struct moment *moment, struct tally_err *err)
{
    const struct cluster_history *cluster = cluster_of(moment->history);
    struct state state;

    moment->batches = log_newest(&cluster->log, &moment->until);
    if (!log_committed(&cluster->log, &moment->until, &moment->committed, err) ||
        !state_init(&state, err)) {
        return false;
    }
    bool ok = fill_rollup(moment, cluster, &state, err);
    state_done(&state);
    return ok;
}

static const struct moment_file *file_of(const struct moment *moment, uint32_t batch)
{
    const struct cluster_history *cluster = cluster_of(moment->history);

    return batch > 0 && batch <= cluster->log.count ? &cluster->file[batch - 1] : NULL;
}

// ---- incidents ----------------------------------------------------------------------------

static bool take(struct moment *moment, const struct kept_want *want, struct tally_err *err)
{
    const struct cluster_history *cluster = cluster_of(moment->history);

    if (!kept_load(cluster->servers, &cluster->log, &moment->committed, want, &moment->state,
                   err)) {
        return err->code == TALLY_LIMIT
                   ? err_wrap(err, "ask for less, by --where, --days or moments nearer to each "
                                   "other")
                   : false;
    }
    return moment->cells || (moment->cells = cells_open(&moment->state, moment->def, err));
}

// What the log says of the moment, into the state that incidents are taken into.
static bool begin(struct moment *moment, struct tally_err *err)
{
    const struct cluster_history *cluster = cluster_of(moment->history);

    if (moment->state_ready) {
        return err_set(err, TALLY_INVALID, "incidents are taken once");
    }
    moment->state_ready = state_init(&moment->state, err);
    if (moment->state_ready) {
        state_keep_origins(&moment->state);
    }
    return moment->state_ready && log_apply(&cluster->log, &moment->until, &moment->state, err);
}

static size_t feeds_of(const struct rollup_def *def, const char *feed[ROLLUP_FEEDS_MAX])
{
    for (size_t i = 0; i < def->feeds_count; i++) {
        feed[i] = def->feeds[i].name;
    }
    return def->feeds_count;
}

// Whether one belongs to the rollup and passes --where, asked by the cells' own filters.
struct behind {
    struct cells *cells;
    const struct rollup_def *def;
    const struct where *where;
    const char *name[CELLS_NAMES_MAX];
    size_t names_count;
};

static bool wants_behind(void *context, const struct state *state, uint16_t shape,
                         const uint32_t *dims, bool *out_wanted, struct tally_err *err)
{
    const struct behind *behind = context;
    uint32_t codes[CELLS_NAMES_MAX];
    uint32_t group[ROLLUP_DIMS_MAX];
    uint32_t feed = state->feed[state->shape_feed[shape]].text;

    for (size_t i = 0; i < behind->names_count; i++) {
        int at = shape_find_dim(state->shape[shape], behind->name[i]);
        codes[i] = at < 0 ? 0 : dims[at];
    }
    if (!cells_passes(behind->cells, state, feed, codes, group, out_wanted, err)) {
        return false;
    }
    for (size_t i = 0; *out_wanted && i < behind->def->dims_count; i++) {
        const struct texts_entry *text = texts_get(&state->texts, group[i]);
        *out_wanted = where_matches(behind->where, i, text->text, text->bytes);
    }
    return true;
}

static bool take_behind(struct moment *moment, int32_t first_day, int32_t last_day,
                        const struct where *where, struct tally_err *err)
{
    const char *feed[ROLLUP_FEEDS_MAX];
    struct behind behind = {.def = moment->def, .where = where};
    struct kept_want want = {.feed = feed,
                             .feeds_count = feeds_of(moment->def, feed),
                             .first_day = first_day,
                             .last_day = last_day,
                             .wants = wants_behind,
                             .context = &behind};

    if (!begin(moment, err)) {
        return false;
    }
    // They watch the incidents come, and are the moment's afterwards.
    moment->cells = behind.cells = cells_open(&moment->state, moment->def, err);
    if (!moment->cells) {
        return false;
    }
    behind.names_count = cells_names(behind.cells, behind.name);
    return take(moment, &want, err);
}

static bool take_claims(struct moment *moment, struct tally_err *err)
{
    if (!begin(moment, err)) {
        return false;
    }
    const struct state *state = &moment->state;
    const char **feed = malloc((state->feeds_count + 1) * sizeof *feed);
    struct kept_want want = {.feed = feed, .first_day = DAY_MIN, .last_day = DAY_MAX};
    if (!feed) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for feeds");
    }
    for (size_t i = 0; i < state->feeds_count; i++) {
        if (state->feed[i].claims) {
            feed[want.feeds_count++] = state->feed[i].name;
        }
    }
    bool ok = take(moment, &want, err);
    free((void *)feed);
    return ok;
}

static int compare_keys(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static uint64_t *sorted_keys(const struct bytes *keys, size_t *out_count)
{
    *out_count = keys->count / sizeof(uint64_t);
    uint64_t *sorted = calloc(*out_count + 1, sizeof *sorted);

    if (sorted && *out_count > 0) {
        memcpy(sorted, keys->data, keys->count);
        qsort(sorted, *out_count, sizeof *sorted, compare_keys);
    }
    return sorted;
}

// Batches that count at one of the two moments alone: a FORGET takes some out.
static bool find_touched(const struct moment *before, const struct moment *after, struct bytes *out,
                         struct tally_err *err)
{
    size_t a_count;
    size_t b_count;
    uint64_t *a = sorted_keys(&before->committed, &a_count);
    uint64_t *b = sorted_keys(&after->committed, &b_count);
    size_t i = 0;
    size_t j = 0;

    while (a && b && (i < a_count || j < b_count)) {
        bool left = j == b_count || (i < a_count && a[i] < b[j]);
        bool right = i == a_count || (j < b_count && b[j] < a[i]);
        if (left || right) {
            bytes_put(out, left ? &a[i] : &b[j], sizeof *a);
        }
        i += !right;
        j += !left;
    }
    bool ok = a && b && out->ok;
    free(a);
    free(b);
    return ok || err_set(err, TALLY_NO_MEMORY, "no memory for the list of batches");
}

static bool take_changed(struct moment *before, struct moment *after, struct tally_err *err)
{
    const char *feed[ROLLUP_FEEDS_MAX];
    struct bytes touched;
    struct kept_want want = {.feed = feed,
                             .feeds_count = feeds_of(after->def, feed),
                             .first_day = DAY_MIN,
                             .last_day = DAY_MAX,
                             .touched = &touched};

    bytes_init(&touched);
    bool ok = find_touched(before, after, &touched, err) && begin(before, err) &&
              begin(after, err) && take(before, &want, err) && take(after, &want, err);
    bytes_done(&touched);
    return ok;
}

// ---- the whole list -----------------------------------------------------------------------

static bool files(struct history *history, const struct replay_visitor *visitor,
                  struct tally_err *err)
{
    const struct cluster_history *cluster = cluster_of(history);

    for (size_t i = 0; i < cluster->log.count; i++) {
        const struct log_entry *entry = &cluster->log.entry[i];
        struct replay_file file = {.batch = entry->number,
                                   .begin = entry->number > 0 ? &entry->begin : NULL,
                                   .end = &entry->end,
                                   .counts = entry->counts};
        if ((visitor->on_reject && entry->number > 0 && entry->end.rejected > 0 &&
             !log_each_reject(cluster->servers, entry, visitor, err)) ||
            (visitor->on_file && !visitor->on_file(visitor->context, &file, err))) {
            return false;
        }
    }
    return true;
}

static bool find_def(struct history *history, const char *name, struct rollup_def *out_def,
                     struct tally_err *err)
{
    return defs_find(cluster_of(history)->servers, name, out_def, err);
}

static bool verify(struct history *history, const char *dir, struct verify *check,
                   struct tally_err *err)
{
    struct cluster_history *cluster = cluster_of(history);

    return verify_cluster(history, cluster->servers, &cluster->log, dir, check, err);
}

static const struct history_engine engine = {
    .close = close_cluster,
    .fill = fill,
    .take_behind = take_behind,
    .take_claims = take_claims,
    .take_changed = take_changed,
    .file = file_of,
    .files = files,
    .find_def = find_def,
    .verify = verify,
};

static bool open_log(struct cluster_history *cluster, struct tally_err *err)
{
    cluster->servers = servers_open(&cluster->options, (struct progress){0}, err);
    if (!cluster->servers || !log_load(&cluster->log, cluster->servers, err)) {
        return false;
    }
    cluster->file = malloc((cluster->log.count + 1) * sizeof *cluster->file);
    if (!cluster->file) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for %zu files", cluster->log.count);
    }
    for (size_t i = 0; i < cluster->log.count; i++) {
        const struct log_entry *entry = &cluster->log.entry[i];
        cluster->file[i] = (struct moment_file){
            .batch = entry->number, .name = entry->file, .digest = entry->end.digest};
    }
    return true;
}

struct history *history_open_cluster(const struct options *options, struct cluster_options *store,
                                     struct tally_err *err)
{
    struct cluster_history *cluster = calloc(1, sizeof *cluster);

    if (!cluster) {
        cluster_options_done(store);
        err_set(err, TALLY_NO_MEMORY, "no memory");
        return NULL;
    }
    cluster->common = (struct history){.engine = &engine, .options = options};
    cluster->options = *store;
    log_init(&cluster->log);
    if (!open_log(cluster, err)) {
        close_cluster(&cluster->common);
        return NULL;
    }
    return &cluster->common;
}
