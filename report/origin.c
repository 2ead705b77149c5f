#include "report/origin.h"

#include "base/config_entries.h"
#include "base/disk.h"
#include "base/ini.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/tallyd/tallyd.conf"
#define DEFAULT_STATE "/var/lib/tallyd"
#define DEFAULT_CONTROL "/run/tallyd/control"

// One key of a section is told.
typedef bool on_key(void *context, const char *key, const char *value, struct tally_err *err);

static bool read_config(const char *config, const char *section, on_key *tell, void *context,
                        struct tally_err *err)
{
    struct config_entries entries = {0};
    bool ok = config_entries_read_all(&entries, config, err);

    for (size_t i = 0; ok && i < entries.count; i++) {
        const struct config_entry *entry = &entries.entry[i];
        ok = strcmp(entry->section, section) != 0 || entry->key[0] == '\0' ||
             tell(context, entry->key, entry->value, err) ||
             ini_place(err, entry->file, entry->line);
    }
    config_entries_done(&entries);
    if (!ok && err->code == TALLY_INVALID) {
        err->code = TALLY_REFUSED; // a code of its own, since main.c has an exit status for it
    }
    return ok;
}

// Nothing is told where there is no configuration.
static bool each_key(const struct options *options, const char *section, on_key *tell,
                     void *context, struct tally_err *err)
{
    const char *config = options->config;

    if (!config && !options->state && access(DEFAULT_CONFIG, F_OK) == 0) {
        config = DEFAULT_CONFIG;
    }
    return !config || read_config(config, section, tell, context, err);
}

// One key of [tallyd] that is looked for.
struct found {
    const char *key;
    char *value; // NULL: not there
};

static bool on_tallyd_key(void *context, const char *key, const char *value, struct tally_err *err)
{
    struct found *found = context;

    if (strcmp(key, found->key) != 0) {
        return true;
    }
    free(found->value);
    found->value = strdup(value);
    return found->value || err_set(err, TALLY_NO_MEMORY, "no memory");
}

// The key's value; NULL with err->code TALLY_OK: nothing says it.
static char *find_in_config(const struct options *options, const char *key, struct tally_err *err)
{
    struct found found = {.key = key};

    err->code = TALLY_OK;
    if (!each_key(options, "tallyd", on_tallyd_key, &found, err)) {
        free(found.value);
        return NULL;
    }
    err->code = TALLY_OK;
    return found.value;
}

static bool on_store_key(void *context, const char *key, const char *value, struct tally_err *err)
{
    return cluster_options_set(context, key, value, err);
}

static bool read_store(const struct options *options, struct cluster_options *store,
                       struct tally_err *err)
{
    const char *key = NULL;

    if (!cluster_options_default(store, err)) {
        return false;
    }
    bool ok = each_key(options, "store", on_store_key, store, err);
    store->used |= options->engine == OPTIONS_ENGINE_CLICKHOUSE;
    return ok &&
           (cluster_options_check(store, &key, err) || (key && err_wrap(err, "[store] %s", key)));
}

bool origin_read_store(const struct options *options, struct cluster_options *out_store,
                       struct tally_err *err)
{
    if (read_store(options, out_store, err)) {
        return true;
    }
    cluster_options_done(out_store);
    err->code = err->code == TALLY_INVALID ? TALLY_REFUSED : err->code;
    return false;
}

static char *copy_of(const char *text, struct tally_err *err)
{
    char *copy = strdup(text);

    if (!copy) {
        err_set(err, TALLY_NO_MEMORY, "no memory");
    }
    return copy;
}

char *origin_state_dir(const struct options *options, struct tally_err *err)
{
    if (options->state) {
        return copy_of(options->state, err);
    }
    char *state = find_in_config(options, "state", err);
    return state || err->code != TALLY_OK ? state : copy_of(DEFAULT_STATE, err);
}

char *origin_control_path(const struct options *options, struct tally_err *err)
{
    if (options->socket) {
        return copy_of(options->socket, err);
    }
    if (options->state) {
        err_set(err, TALLY_INVALID,
                "--state does not say where tallyd listens; give --config or "
                "--socket");
        return NULL;
    }
    char *path = find_in_config(options, "control", err);
    if (path && strcmp(path, "off") == 0) {
        free(path);
        err_set(err, TALLY_REFUSED,
                "the configuration says `control = off`: tallyd listens nowhere");
        return NULL;
    }
    return path || err->code != TALLY_OK ? path : copy_of(DEFAULT_CONTROL, err);
}

bool origin_hint(const struct options *options, struct tally_err *err)
{
    if (!options->config && !options->state && err->sys_errno == ENOENT) {
        err_wrap(err, "neither -c FILE nor -s DIR names another state directory");
    }
    return false;
}

int origin_open_segments(const struct options *options, struct tally_err *err)
{
    struct cluster_options store;

    if (!origin_read_store(options, &store, err)) {
        return -1;
    }
    bool elsewhere = store.used;
    cluster_options_done(&store);
    if (elsewhere) {
        err_set(err, TALLY_REFUSED,
                "[store] engine = clickhouse: the ledger has no segments on this machine; what "
                "its servers keep is checked by tally verify and mended by their replicas");
        return -1;
    }
    return origin_open_ledger(options, err);
}

int origin_open_ledger(const struct options *options, struct tally_err *err)
{
    char *state = origin_state_dir(options, err);
    char *path;

    if (!state) {
        return -1;
    }
    if (asprintf(&path, "%s/ledger", state) < 0) {
        free(state);
        err_set(err, TALLY_NO_MEMORY, "no memory");
        return -1;
    }
    int fd = disk_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, err);
    if (fd < 0) {
        origin_hint(options, err);
    }
    free(path);
    free(state);
    return fd;
}

static bool is_path(const char *name)
{
    size_t bytes = strlen(name);

    return strchr(name, '/') || (bytes > 7 && strcmp(name + bytes - 7, ".rollup") == 0);
}

char *origin_rollup_dir(const struct options *options, const char *name, struct tally_err *err)
{
    const char *slash = strrchr(name, '/');
    char *dir = NULL;

    if (is_path(name)) {
        char *path = copy_of(slash ? name : ".", err);
        if (path && slash) {
            path[slash == name ? 1 : slash - name] = '\0'; // "/" stays "/"
        }
        return path;
    }
    char *state = origin_state_dir(options, err);
    if (state && asprintf(&dir, "%s/rollup", state) < 0) {
        err_set(err, TALLY_NO_MEMORY, "no memory");
        dir = NULL;
    }
    free(state);
    return dir;
}

static bool refuse_name(const struct options *options, const char *dir, const char *name,
                        struct tally_err *err)
{
    struct disk_names names = {0};
    char known[120] = "none";
    size_t used = 0;

    if (!disk_list(AT_FDCWD, dir, &names, err)) {
        err_wrap(err, "find rollup %.64s", name);
        return origin_hint(options, err);
    }
    for (size_t i = 0; i < names.count && used < sizeof known; i++) {
        size_t bytes = strlen(names.name[i]);
        if (is_path(names.name[i])) {
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%.*s", used ? ", " : "",
                                     (int)(bytes - strlen(".rollup")), names.name[i]);
        }
    }
    disk_names_done(&names);
    err_set(err, TALLY_NOT_FOUND, "no rollup '%.64s'; there are: %s", name, known);
    return err_place(err, "%s", dir);
}

struct rollup *origin_open_file(const struct options *options, const char *name,
                                struct tally_err *err)
{
    struct rollup *rollup = NULL;
    char *dir = NULL;
    char *path = NULL;

    if (is_path(name)) {
        return rollup_open(AT_FDCWD, name, err);
    }
    char *state = origin_state_dir(options, err);
    if (!state) {
        return NULL;
    }
    if (asprintf(&dir, "%s/rollup", state) < 0 || asprintf(&path, "%s/%s.rollup", dir, name) < 0) {
        err_set(err, TALLY_NO_MEMORY, "no memory");
    } else if (access(path, F_OK) != 0) {
        refuse_name(options, dir, name, err);
    } else {
        rollup = rollup_open(AT_FDCWD, path, err);
    }
    free(path);
    free(dir);
    free(state);
    return rollup;
}

// Without a rollup file: the definition that a daemon left in the cluster, or that of the file.
static const struct rollup_def *find_def(struct origin *origin, const struct options *options,
                                         struct tally_err *err)
{
    const char *name = options->args[0];

    if (!is_path(name)) {
        origin->def_ready = history_find_def(origin->history, name, &origin->def, err);
        if (origin->def_ready || err->code != TALLY_OK) {
            return origin->def_ready ? &origin->def : NULL;
        }
    }
    origin->file = origin_open_file(options, name, err);
    return origin->file ? rollup_def(origin->file) : NULL;
}

static bool open_moment(struct origin *origin, const struct options *options,
                        enum origin_depth depth, struct tally_err *err)
{
    struct replay_until until = replay_all;

    if (origin->file && depth == ORIGIN_INCIDENTS) {
        until.batch = rollup_generation(origin->file);
    }
    if (options->as_of && !replay_until_parse(options->as_of, &until, err)) {
        return err_wrap(err, "--as-of");
    }
    origin->history = history_open(options, err);
    const struct rollup_def *def = !origin->history ? NULL
                                   : origin->file   ? rollup_def(origin->file)
                                                    : find_def(origin, options, err);
    origin->moment = def ? moment_open(origin->history, def, &until, err) : NULL;
    if (!origin->moment ||
        (origin->file && !moment_check_file(origin->moment, origin->file, err))) {
        return false;
    }
    origin->rollup = moment_rollup(origin->moment);
    return true;
}

bool origin_open(struct origin *origin, const struct options *options, enum origin_depth depth,
                 struct tally_err *err)
{
    bool straight = options->engine != OPTIONS_ENGINE_CONFIGURED;

    *origin = (struct origin){0};
    if (!straight) {
        origin->file = origin_open_file(options, options->args[0], err);
        if (!origin->file) {
            return false;
        }
        origin->rollup = origin->file;
    }
    if ((!straight && !options->as_of && depth == ORIGIN_FIGURES) ||
        open_moment(origin, options, depth, err)) {
        return true;
    }
    origin_close(origin);
    return false;
}

void origin_close(struct origin *origin)
{
    moment_close(origin->moment);
    history_close(origin->history);
    rollup_close(origin->file);
    if (origin->def_ready) {
        rollup_def_done(&origin->def);
    }
}
