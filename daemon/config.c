#include "daemon/config.h"

#include "base/disk.h"
#include "base/ini.h"
#include "base/scale.h"
#include "daemon/config_keys.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRESET_KEY "preset"

enum { PRESET_DEPTH_MAX = 4 };

// ---- loading ------------------------------------------------------------------------------

struct loading {
    struct config *config;
    struct config_entries entries;
    const char *path;
    config_on_mistake *on_mistake;
    void *context;
    bool failed;
};

static void tell(struct loading *loading, struct tally_err *err, const struct config_entry *entry)
{
    if (entry) {
        ini_place(err, entry->file, entry->line);
    }
    loading->failed = true;
    loading->on_mistake(loading->context, err);
}

// The directory of a file, for relative names in its values.
static void folder_of(const char *file, char folder[4096])
{
    const char *slash = strrchr(file, '/');

    int bytes = slash == file ? 1 : slash ? (int)(slash - file) : 0; // "/" stays "/"

    snprintf(folder, 4096, "%.*s", slash ? bytes : 1, slash ? file : ".");
}

// Told before anything else is made of the lines: the later value would win unseen.
static void tell_doubled(struct loading *loading)
{
    for (size_t i = 0; i < loading->entries.count; i++) {
        const struct config_entry *entry = &loading->entries.entry[i];
        struct tally_err err;
        if (entry->twice) {
            err_set(&err, TALLY_INVALID, "'%.60s' stands twice in [%.60s]", entry->key,
                    entry->section);
            tell(loading, &err, entry);
        }
    }
}

static bool set_store_key(struct config *config, const struct config_entry *entry,
                          struct tally_err *err)
{
    return cluster_options_set(&config->cluster, entry->key, entry->value, err);
}

typedef bool set_key(struct config *config, const struct config_entry *entry,
                     struct tally_err *err);

// False: some of it was wrong.
static bool take_keys(struct loading *loading, const char *section, set_key *set)
{
    bool right = true;
    struct tally_err err;

    for (size_t i = 0; i < loading->entries.count; i++) {
        struct config_entry *entry = &loading->entries.entry[i];
        if (strcmp(entry->section, section) != 0) {
            continue;
        }
        entry->used = true;
        if (*entry->key && !set(loading->config, entry, &err)) {
            tell(loading, &err, entry);
            right = false;
        }
    }
    return right;
}

// ---- feeds --------------------------------------------------------------------------------

static void set_feed_key(struct loading *loading, struct feed *feed,
                         const struct config_entry *entry)
{
    char folder[4096];
    struct tally_err err;

    folder_of(entry->file, folder);
    if (!feed_set(feed, entry->key, entry->value, folder, &err)) {
        tell(loading, &err, entry);
    }
}

static void take_preset(struct loading *loading, struct feed *feed, const struct config_entry *from,
                        int depth);

static void set_feed(struct loading *loading, struct feed *feed, struct config_entries *entries,
                     const char *section, int depth)
{
    // The preset first, wherever its line stands: the section's own keys override it.
    for (size_t i = 0; i < entries->count; i++) {
        struct config_entry *entry = &entries->entry[i];
        if (strcmp(entry->section, section) == 0 && strcmp(entry->key, PRESET_KEY) == 0) {
            entry->used = true;
            take_preset(loading, feed, entry, depth);
        }
    }
    for (size_t i = 0; i < entries->count; i++) {
        struct config_entry *entry = &entries->entry[i];
        if (strcmp(entry->section, section) == 0 && !entry->used) {
            entry->used = true;
            if (*entry->key) {
                set_feed_key(loading, feed, entry);
            }
        }
    }
}

static bool has_section(const struct config_entries *entries, const char *section)
{
    for (size_t i = 0; i < entries->count; i++) {
        if (strcmp(entries->entry[i].section, section) == 0) {
            return true;
        }
    }
    return false;
}

// Says which there are instead.
static void set_no_preset(struct tally_err *err, const char *name, const char *folder)
{
    static const char ending[] = ".conf";
    struct disk_names names;
    struct tally_err ignored;
    char known[180] = "";
    size_t used = 0;

    if (!disk_list(AT_FDCWD, folder, &names, &ignored)) {
        err_set(err, TALLY_INVALID, "there is no preset '%.60s' in %.120s", name, folder);
        return;
    }
    for (size_t i = 0; i < names.count && used < sizeof known; i++) {
        if (disk_name_ends(names.name[i], ending)) {
            int bytes = (int)(strlen(names.name[i]) - strlen(ending));
            used +=
                (size_t)snprintf(known + used, sizeof known - used, " %.*s", bytes, names.name[i]);
        }
    }
    disk_names_done(&names);
    err_set(err, TALLY_INVALID, "there is no preset '%.40s'; there are:%s", name, known);
}

static void take_preset(struct loading *loading, struct feed *feed, const struct config_entry *from,
                        int depth)
{
    struct config_entries entries = {0};
    struct tally_err err;
    char path[4200];
    char section[200];

    snprintf(path, sizeof path, "%s/%s.conf", loading->config->presets, from->value);
    snprintf(section, sizeof section, "feed %s", from->value);
    if (depth == PRESET_DEPTH_MAX || strchr(from->value, '/')) {
        err_set(&err, TALLY_INVALID, "preset '%.60s': %s", from->value,
                depth == PRESET_DEPTH_MAX ? "presets name each other in a circle"
                                          : "the name of a preset has no slash");
        tell(loading, &err, from);
    } else if (!config_entries_read(&entries, path, &err)) {
        if (err.code == TALLY_IO) {
            set_no_preset(&err, from->value, loading->config->presets);
        }
        tell(loading, &err, err.code == TALLY_INVALID && err.place[0] ? NULL : from);
    } else if (!has_section(&entries, section)) {
        err_set(&err, TALLY_INVALID, "preset '%.60s': %.120s has no section [%.60s]", from->value,
                path, section);
        tell(loading, &err, from);
    } else {
        set_feed(loading, feed, &entries, section, depth + 1);
    }
    config_entries_done(&entries);
}

static bool add_feed(struct loading *loading, const struct config_entry *first, const char *name,
                     struct tally_err *err)
{
    struct config *config = loading->config;
    struct feed **feeds = realloc(config->feeds, (config->feeds_count + 1) * sizeof(struct feed *));

    if (!feeds) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for feed %s", name);
    }
    config->feeds = feeds;
    struct feed *feed = feed_open(name, err);
    if (!feed) {
        return false;
    }
    feeds[config->feeds_count++] = feed;
    bool failed_before = loading->failed;
    loading->failed = false;
    set_feed(loading, feed, &loading->entries, first->section, 0);
    bool wrong = loading->failed;
    loading->failed = failed_before || wrong;
    return wrong || feed_check(feed, err); // a wrong key is told already
}

static const struct feed *find_feed(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->feeds_count; i++) {
        if (strcmp(feed_name(config->feeds[i]), name) == 0) {
            return config->feeds[i];
        }
    }
    return NULL;
}

// ---- rollups ------------------------------------------------------------------------------

typedef bool on_word(struct rollup_def *def, const char *word, struct tally_err *err);

static bool each_word(struct rollup_def *def, const char *value, on_word *take,
                      struct tally_err *err)
{
    static const char separators[] = " \t,";
    char word[ROLLUP_NAME_BYTES_MAX + 2];

    for (const char *at = value + strspn(value, separators); *at;) {
        size_t bytes = strcspn(at, separators);
        size_t copied = bytes < sizeof word ? bytes : sizeof word - 1;
        memcpy(word, at, copied);
        word[copied] = '\0';
        if (!take(def, word, err)) {
            return false;
        }
        at += bytes;
        at += strspn(at, separators);
    }
    return true;
}

static bool add_window_word(struct rollup_def *def, const char *word, struct tally_err *err)
{
    uint64_t number;

    if (!scale_parse(SCALE_DAYS, word, &number) || number > ROLLUP_WINDOW_DAYS_MAX) {
        return err_set(err, TALLY_INVALID, "'%s' is no window: write days such as 50d", word);
    }
    return rollup_def_add_window(def, (uint32_t)number, err);
}

static bool set_rollup(struct rollup_def *def, const struct config_entry *entry,
                       struct tally_err *err)
{
    static const struct {
        const char *key;
        on_word *take;
    } lists[] = {{"feeds", rollup_def_add_feed},
                 {"by", rollup_def_add_dim},
                 {"measures", rollup_def_add_measure},
                 {"windows", add_window_word}};

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        if (strcmp(entry->key, lists[i].key) == 0) {
            return each_word(def, entry->value, lists[i].take, err);
        }
    }
    if (strncmp(entry->key, "where.", 6) == 0 && entry->key[6]) {
        return rollup_def_add_filter(def, entry->key + 6, entry->value, err);
    }
    return err_set(err, TALLY_INVALID, "[rollup ...] has no key '%.60s'; tallyd.conf(5) lists them",
                   entry->key);
}

// The entry that set a key of a section last; the section's first entry if none did.
static struct config_entry *find_entry(struct loading *loading, const char *section,
                                       const char *key)
{
    struct config_entry *found = NULL;
    struct config_entry *first = NULL;

    for (size_t i = 0; i < loading->entries.count; i++) {
        struct config_entry *entry = &loading->entries.entry[i];
        if (strcmp(entry->section, section) == 0) {
            first = first ? first : entry;
            found = strcmp(entry->key, key) == 0 ? entry : found;
        }
    }
    return found ? found : first;
}

static void check_store(struct loading *loading)
{
    const char *key = "engine";
    struct tally_err err;

    if (!cluster_options_check(&loading->config->cluster, &key, &err)) {
        tell(loading, &err, find_entry(loading, "store", key));
    }
}

// Lists what the feeds of a rollup offer, for a message.
static void offer(const struct config *config, const struct rollup_def *def, bool measures,
                  char text[200])
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < def->feeds_count; i++) {
        const struct feed *feed = find_feed(config, def->feeds[i].name);
        const struct shape *shape = feed ? feed_shape(feed) : NULL;
        size_t count = !shape ? 0 : measures ? shape->measures_count : shape->dims_count;
        for (size_t at = 0; at < count && used < 180; at++) {
            const char *name = measures ? shape->measures[at] : shape->dims[at];
            int wrote = snprintf(text + used, 200 - used, "%s%s", used ? ", " : "", name);
            used += wrote > 0 ? (size_t)wrote : 0;
        }
    }
}

static bool has_name(const struct config *config, const struct rollup_def *def, const char *name,
                     bool measure)
{
    for (size_t i = 0; i < def->feeds_count; i++) {
        const struct feed *feed = find_feed(config, def->feeds[i].name);
        const struct shape *shape = feed ? feed_shape(feed) : NULL;
        if (shape &&
            (measure ? shape_find_measure(shape, name) : shape_find_dim(shape, name)) >= 0) {
            return true;
        }
    }
    return !measure && strcmp(name, ROLLUP_DIM_FEED) == 0;
}

// A deletions feed names the feed whose incidents it withdraws.
static void check_targets(struct loading *loading)
{
    const struct config *config = loading->config;
    struct tally_err err;

    for (size_t i = 0; i < config->feeds_count; i++) {
        const struct feed *feed = config->feeds[i];
        char section[ROLLUP_NAME_BYTES_MAX + 8];
        if (feed_mode(feed) != FEED_DELETIONS || find_feed(config, feed_target(feed))) {
            continue;
        }
        snprintf(section, sizeof section, "feed %.64s", feed_name(feed));
        err_set(&err, TALLY_INVALID, "there is no feed '%.60s' to delete from; set `deletes`",
                feed_target(feed));
        tell(loading, &err, find_entry(loading, section, "deletes"));
    }
}

// Feeds of deletions change others, and keep nothing of their own.
static void list_store_feeds(struct loading *loading)
{
    struct config *config = loading->config;
    struct tally_err err;

    config->store_feeds = calloc(config->feeds_count + 1, sizeof *config->store_feeds);
    if (!config->store_feeds) {
        err_set(&err, TALLY_NO_MEMORY, "no memory for a configuration");
        tell(loading, &err, NULL);
        return;
    }
    for (size_t i = 0; i < config->feeds_count; i++) {
        const struct feed *feed = config->feeds[i];
        if (feed_mode(feed) != FEED_DELETIONS) {
            config->store_feeds[config->store_feeds_count++] = (struct store_feed){
                .name = feed_name(feed), .by_revision = feed_is_by_revision(feed)};
        }
    }
}

static void check_name(struct loading *loading, const struct rollup_def *def, const char *section,
                       const char *key, const char *name, bool measure)
{
    struct tally_err err;
    char offered[200];

    if (!has_name(loading->config, def, name, measure)) {
        offer(loading->config, def, measure, offered);
        err_set(&err, TALLY_INVALID, "no feed of this rollup has a %s '%.40s'; there are: %s",
                measure ? "measure" : "dimension", name, offered);
        tell(loading, &err, find_entry(loading, section, key));
    }
}

static void check_feeds(struct loading *loading, struct rollup_def *def, const char *section)
{
    struct tally_err err;

    for (size_t i = 0; i < def->feeds_count; i++) {
        const struct feed *feed = find_feed(loading->config, def->feeds[i].name);
        if (!feed || feed_mode(feed) == FEED_DELETIONS || feed_is_claims(feed)) {
            err_set(&err, TALLY_INVALID,
                    !feed                  ? "there is no feed '%.60s'"
                    : feed_is_claims(feed) ? "feed '%.60s' is of claims, which are not added up"
                                           : "feed '%.60s' only deletes",
                    def->feeds[i].name);
            tell(loading, &err, find_entry(loading, section, "feeds"));
            continue;
        }
        const struct shape *shape = feed_shape(feed);
        for (size_t m = 0; shape && m < def->measures_count; m++) {
            bool has = shape_find_measure(shape, def->measures[m]) >= 0;
            def->feeds[i].measures |= (uint64_t)has << m;
        }
    }
    if (def->feeds_count == 0) {
        err_set(&err, TALLY_INVALID, "rollup %.60s needs `feeds = ...`", def->name);
        tell(loading, &err, find_entry(loading, section, "feeds"));
    }
}

// A feed that is wrong itself has no shape: what is missing there was told.
static bool any_feed_is_known(const struct loading *loading, const struct rollup_def *def)
{
    for (size_t i = 0; i < def->feeds_count; i++) {
        const struct feed *feed = find_feed(loading->config, def->feeds[i].name);
        if (feed && feed_shape(feed)) {
            return true;
        }
    }
    return false;
}

static void check_rollup(struct loading *loading, struct rollup_def *def, const char *section)
{
    check_feeds(loading, def, section);
    if (!any_feed_is_known(loading, def)) {
        return;
    }
    for (size_t i = 0; i < def->dims_count; i++) {
        check_name(loading, def, section, "by", def->dims[i], false);
    }
    for (size_t i = 0; i < def->measures_count; i++) {
        check_name(loading, def, section, "measures", def->measures[i], true);
    }
    for (size_t i = 0; i < def->filters_count; i++) {
        char key[ROLLUP_NAME_BYTES_MAX + 8];
        snprintf(key, sizeof key, "where.%.64s", def->filters[i].dim);
        check_name(loading, def, section, key, def->filters[i].dim, false);
    }
    // Several feeds may report one event: never add them up unseen.
    struct tally_err err;
    if (def->feeds_count > 1 && rollup_def_find_dim(def, ROLLUP_DIM_FEED) < 0 &&
        !rollup_def_add_dim(def, ROLLUP_DIM_FEED, &err)) {
        tell(loading, &err, find_entry(loading, section, "by"));
    }
}

// A later file replaces a key as a whole, so only the last entry of each key counts.
static bool is_replaced(const struct loading *loading, size_t index)
{
    const struct config_entry *entry = &loading->entries.entry[index];

    for (size_t i = index + 1; i < loading->entries.count; i++) {
        const struct config_entry *later = &loading->entries.entry[i];
        if (strcmp(later->section, entry->section) == 0 && strcmp(later->key, entry->key) == 0) {
            return true;
        }
    }
    return false;
}

static bool add_rollup(struct loading *loading, const struct config_entry *first, const char *name,
                       struct tally_err *err)
{
    struct config *config = loading->config;
    struct rollup_def *defs = realloc(config->defs, (config->defs_count + 1) * sizeof *defs);

    if (!defs) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for rollup %s", name);
    }
    config->defs = defs;
    struct rollup_def *def = &defs[config->defs_count++];
    *def = (struct rollup_def){0};
    bool wrong = !rollup_def_set_name(def, name, err);
    if (wrong) {
        tell(loading, err, first);
    }
    for (size_t i = 0; i < loading->entries.count; i++) {
        struct config_entry *entry = &loading->entries.entry[i];
        struct tally_err mistake;
        if (strcmp(entry->section, first->section) != 0) {
            continue;
        }
        entry->used = true;
        if (*entry->key && !is_replaced(loading, i) && !set_rollup(def, entry, &mistake)) {
            tell(loading, &mistake, entry);
            wrong = true;
        }
    }
    if (!wrong) {
        check_rollup(loading, def, first->section);
    }
    return true;
}

// ---- all of it ----------------------------------------------------------------------------

typedef bool on_section(struct loading *loading, const struct config_entry *first, const char *name,
                        struct tally_err *err);

static void take_sections(struct loading *loading, const char *kind, on_section *take)
{
    size_t kind_bytes = strlen(kind);

    for (size_t i = 0; i < loading->entries.count; i++) {
        struct config_entry *entry = &loading->entries.entry[i];
        struct tally_err err;
        if (entry->used || strncmp(entry->section, kind, kind_bytes) != 0 ||
            entry->section[kind_bytes] != ' ') {
            continue;
        }
        const char *name = entry->section + kind_bytes;
        name += strspn(name, " ");
        if (!take(loading, entry, name, &err)) {
            tell(loading, &err, entry);
        }
    }
}

static void tell_unknown_sections(struct loading *loading)
{
    for (size_t i = 0; i < loading->entries.count; i++) {
        struct config_entry *entry = &loading->entries.entry[i];
        struct tally_err err;
        if (entry->used) {
            continue;
        }
        if (*entry->key && *entry->section) {
            continue; // the section was told about
        }
        err_set(&err, TALLY_INVALID,
                *entry->section
                    ? "[%.60s] is no section: sections are [tallyd], [store], [feed NAME], "
                      "[rollup NAME]"
                    : "'%.60s' stands in front of the first section: sections are [tallyd], "
                      "[store], [feed NAME], [rollup NAME]",
                *entry->section ? entry->section : entry->key);
        tell(loading, &err, entry);
    }
}

bool config_load(struct config *config, const char *path, const char *presets,
                 config_on_mistake *on_mistake, void *context)
{
    struct loading loading = {
        .config = config, .path = path, .on_mistake = on_mistake, .context = context};
    struct tally_err err;

    *config = (struct config){.limits = ingest_limits_default};
    if (!config_keys_default(config, presets, &err) ||
        !cluster_options_default(&config->cluster, &err)) {
        tell(&loading, &err, NULL);
        return false;
    }
    if (!config_entries_read_all(&loading.entries, path, &err)) {
        tell(&loading, &err, NULL); // what could be read is still looked at
    }
    tell_doubled(&loading);
    take_keys(&loading, "tallyd", config_keys_set);
    if (take_keys(&loading, "store", set_store_key)) {
        check_store(&loading);
    }
    take_sections(&loading, "feed", add_feed);
    check_targets(&loading);
    list_store_feeds(&loading);
    take_sections(&loading, "rollup", add_rollup);
    tell_unknown_sections(&loading);
    config_entries_done(&loading.entries);
    return !loading.failed;
}

void config_done(struct config *config)
{
    for (size_t i = 0; i < config->feeds_count; i++) {
        feed_close(config->feeds[i]);
    }
    for (size_t i = 0; i < config->defs_count; i++) {
        rollup_def_done(&config->defs[i]);
    }
    cluster_options_done(&config->cluster);
    free(config->feeds);
    free(config->store_feeds);
    free(config->defs);
    free(config->state);
    free(config->presets);
    free(config->control);
    free(config->metrics);
    *config = (struct config){0};
}
