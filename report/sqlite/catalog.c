#include "report/sqlite/catalog.h"

#include "base/disk.h"

#include <fcntl.h>
#include <sqlite3ext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

SQLITE_EXTENSION_INIT3

#define DEFAULT_FOLDER "/var/lib/tallyd/rollup"
#define ENDING ".rollup"

struct catalog {
    size_t shares;
    char **attached; // absolute paths of files and folders
    size_t attached_count;
};

struct catalog *catalog_open(void)
{
    struct catalog *catalog = calloc(1, sizeof *catalog);

    return catalog ? catalog_share(catalog) : NULL;
}

struct catalog *catalog_share(struct catalog *catalog)
{
    catalog->shares++;
    return catalog;
}

void catalog_close(struct catalog *catalog)
{
    if (--catalog->shares > 0) {
        return;
    }
    for (size_t i = 0; i < catalog->attached_count; i++) {
        free(catalog->attached[i]);
    }
    free(catalog->attached);
    free(catalog);
}

// ---- walking over rollups -----------------------------------------------------------------

struct walk {
    struct columns *columns; // NULL: only count
    size_t found;
    size_t damaged;
    struct tally_err damage; // of the first that is
};

static bool is_rollup_name(const char *name)
{
    size_t bytes = strlen(name);

    return bytes > strlen(ENDING) && strcmp(name + bytes - strlen(ENDING), ENDING) == 0;
}

static bool visit_file(struct walk *walk, const char *path, struct tally_err *err)
{
    struct tally_err damage;
    struct tally_rollup *rollup = tally_open(path, &damage);

    if (!rollup) {
        walk->damage = walk->damaged++ == 0 ? damage : walk->damage;
        sqlite3_log(SQLITE_WARNING, "tally: %s: %s", damage.place, damage.message);
        return true;
    }
    bool done = !walk->columns || columns_add(walk->columns, rollup, err);
    walk->found += done;
    tally_close(rollup);
    return done;
}

static bool visit_folder(struct walk *walk, const char *folder, struct tally_err *err)
{
    struct disk_names names;
    struct tally_err absent;

    if (!disk_list(AT_FDCWD, folder, &names, &absent)) {
        return true; // no such folder: no rollup is known there
    }
    bool done = true;
    for (size_t i = 0; done && i < names.count; i++) {
        char *path;
        if (!is_rollup_name(names.name[i])) {
            continue;
        }
        if (asprintf(&path, "%s/%s", folder, names.name[i]) < 0) {
            done = err_set(err, TALLY_NO_MEMORY, "no memory");
            break;
        }
        done = visit_file(walk, path, err);
        free(path);
    }
    disk_names_done(&names);
    return done;
}

static bool is_folder(const char *path)
{
    struct tally_err err;
    int fd = disk_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &err);

    if (fd >= 0) {
        disk_close(fd);
    }
    return fd >= 0;
}

static bool visit(struct walk *walk, const char *path, struct tally_err *err)
{
    return is_folder(path) ? visit_folder(walk, path, err) : visit_file(walk, path, err);
}

bool catalog_add_columns(const struct catalog *catalog, struct columns *columns,
                         struct tally_err *err)
{
    struct walk walk = {.columns = columns};

    if (!visit_folder(&walk, ".", err)) {
        return false;
    }
    for (size_t i = 0; i < catalog->attached_count; i++) {
        if (!visit(&walk, catalog->attached[i], err)) {
            return false;
        }
    }
    if (!visit_folder(&walk, DEFAULT_FOLDER, err)) {
        return false;
    }
    if (walk.found == 0 && walk.damaged > 0) {
        *err = walk.damage;
        return false;
    }
    if (walk.found == 0) {
        return err_set(err, TALLY_NOT_FOUND,
                       "no rollup in the current folder or in " DEFAULT_FOLDER
                       ": name one, or its folder, by SELECT tally_attach('PATH')");
    }
    return true;
}

// ---- attaching ----------------------------------------------------------------------------

static bool keep_path(struct catalog *catalog, char *path, struct tally_err *err)
{
    for (size_t i = 0; i < catalog->attached_count; i++) {
        if (strcmp(catalog->attached[i], path) == 0) {
            free(path);
            return true;
        }
    }
    char **grown =
        realloc(catalog->attached, (catalog->attached_count + 1) * sizeof *catalog->attached);
    if (!grown) {
        free(path);
        return err_set(err, TALLY_NO_MEMORY, "no memory");
    }
    catalog->attached = grown;
    catalog->attached[catalog->attached_count++] = path;
    return true;
}

size_t catalog_attach(struct catalog *catalog, const char *path, struct tally_err *err)
{
    struct walk walk = {.columns = NULL};
    char *whole = realpath(path, NULL);

    if (!whole) {
        err_sys(err, "attach %s", path);
        return 0;
    }
    if (!visit(&walk, whole, err)) {
        free(whole);
        return 0;
    }
    if (walk.found == 0) {
        if (walk.damaged > 0) {
            *err = walk.damage;
        } else {
            err_set(err, TALLY_NOT_FOUND, "no rollup in %s", path);
        }
        free(whole);
        return 0;
    }
    return keep_path(catalog, whole, err) ? walk.found : 0;
}

// ---- finding ------------------------------------------------------------------------------

static char *there(const char *folder, const char *name, const char *ending)
{
    char *path;

    if (asprintf(&path, "%s/%s%s", folder, name, ending) < 0) {
        return NULL;
    }
    if (access(path, F_OK) == 0) {
        return path;
    }
    free(path);
    return NULL;
}

static char *find_in(const char *folder, const char *name)
{
    char *path = there(folder, name, "");

    return path ? path : there(folder, name, ENDING);
}

// The path of a rollup file that was attached itself, by its name.
static char *find_file(const char *attached, const char *name)
{
    const char *file = strrchr(attached, '/') + 1; // realpath gave it
    size_t bytes = strlen(name);
    bool same = strncmp(file, name, bytes) == 0 &&
                (file[bytes] == '\0' || strcmp(file + bytes, ENDING) == 0);

    return same ? strdup(attached) : NULL;
}

// NULL: nowhere, or no memory.
static char *find_path(const struct catalog *catalog, const char *name)
{
    char *path = strchr(name, '/') ? NULL : find_in(".", name);

    for (size_t i = 0; !path && !strchr(name, '/') && i < catalog->attached_count; i++) {
        const char *attached = catalog->attached[i];
        path = is_folder(attached) ? find_in(attached, name) : find_file(attached, name);
    }
    return path || strchr(name, '/') ? path : find_in(DEFAULT_FOLDER, name);
}

struct tally_rollup *catalog_open_rollup(const struct catalog *catalog, const char *name,
                                         struct tally_err *err)
{
    char *path = find_path(catalog, name);
    struct tally_rollup *rollup = tally_open(path ? path : name, err);

    free(path);
    return rollup;
}
