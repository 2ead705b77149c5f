#include "report/origin.h"

#include "base/disk.h"
#include "base/ini.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/tallyd/tallyd.conf"
#define DEFAULT_STATE "/var/lib/tallyd"
#define DEFAULT_CONTROL "/run/tallyd/control"

// One key of [tallyd] that is looked for.
struct wanted {
    const char *key;
    char *value; // NULL: not there
};

static bool on_config_entry(void *context, const struct ini_entry *entry, struct tally_err *err)
{
    struct wanted *wanted = context;

    if (strcmp(entry->section, "tallyd") != 0 || strcmp(entry->key, wanted->key) != 0) {
        return true;
    }
    char *copy = strdup(entry->value);
    if (!copy) {
        return err_set(err, TALLY_NO_MEMORY, "no memory");
    }
    free(wanted->value);
    wanted->value = copy;
    return true;
}

static bool read_drop_in(const char *dir, const char *name, struct wanted *wanted,
                         struct tally_err *err)
{
    size_t bytes = strlen(name);
    char *path;

    if (name[0] == '.' || bytes < strlen(".conf") || strcmp(name + bytes - 5, ".conf") != 0) {
        return true;
    }
    if (asprintf(&path, "%s/%s", dir, name) < 0) {
        return err_set(err, TALLY_NO_MEMORY, "no memory");
    }
    bool done = ini_read(path, on_config_entry, wanted, err);
    free(path);
    return done;
}

// FILE.d/*.conf, in order of their names.
static bool read_drop_ins(const char *config, struct wanted *wanted, struct tally_err *err)
{
    struct disk_names names;
    char *dir;

    if (asprintf(&dir, "%s.d", config) < 0) {
        return err_set(err, TALLY_NO_MEMORY, "no memory");
    }
    bool done = true;
    if (access(dir, F_OK) == 0) {
        done = disk_list(AT_FDCWD, dir, &names, err);
        for (size_t i = 0; done && i < names.count; i++) {
            done = read_drop_in(dir, names.name[i], wanted, err);
        }
        if (done) {
            disk_names_done(&names);
        }
    }
    free(dir);
    return done;
}

static bool read_config(const char *config, struct wanted *wanted, struct tally_err *err)
{
    if (ini_read(config, on_config_entry, wanted, err) && read_drop_ins(config, wanted, err)) {
        return true;
    }
    // A code of its own, since main.c has an exit status for it.
    err->code = err->code == TALLY_INVALID ? TALLY_REFUSED : err->code;
    return false;
}

// The key's value; NULL with err->code TALLY_OK: nothing says it.
static char *find_in_config(const struct options *options, const char *key, struct tally_err *err)
{
    struct wanted wanted = {.key = key};
    const char *config = options->config;

    err->code = TALLY_OK;
    if (!config && access(DEFAULT_CONFIG, F_OK) == 0) {
        config = DEFAULT_CONFIG;
    }
    if (config && !read_config(config, &wanted, err)) {
        free(wanted.value);
        return NULL;
    }
    return wanted.value;
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

static bool refuse_name(const char *dir, const char *name, struct tally_err *err)
{
    struct disk_names names = {0};
    char known[120] = "none";
    size_t used = 0;

    if (!disk_list(AT_FDCWD, dir, &names, err)) {
        return err_wrap(err, "find rollup %.64s", name);
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
        refuse_name(dir, name, err);
    } else {
        rollup = rollup_open(AT_FDCWD, path, err);
    }
    free(path);
    free(dir);
    free(state);
    return rollup;
}

bool origin_open(struct origin *origin, const struct options *options, enum origin_depth depth,
                 struct tally_err *err)
{
    struct replay_until until = replay_all;

    *origin = (struct origin){.file = origin_open_file(options, options->args[0], err)};
    if (!origin->file) {
        return false;
    }
    origin->rollup = origin->file;
    if (!options->as_of && depth == ORIGIN_FIGURES) {
        return true;
    }
    if (depth != ORIGIN_LEDGER) {
        until.batch = rollup_generation(origin->file);
    }
    if (options->as_of && !replay_until_parse(options->as_of, &until, err)) {
        origin_close(origin);
        return err_wrap(err, "--as-of");
    }
    int ledger_fd = origin_open_ledger(options, err);
    if (ledger_fd >= 0) {
        origin->moment = moment_open(ledger_fd, rollup_def(origin->file), &until, err);
        disk_close(ledger_fd);
    }
    if (!origin->moment) {
        origin_close(origin);
        return false;
    }
    origin->rollup = moment_rollup(origin->moment);
    return true;
}

void origin_close(struct origin *origin)
{
    moment_close(origin->moment);
    rollup_close(origin->file);
}
