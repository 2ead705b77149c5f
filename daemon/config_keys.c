#include "daemon/config_keys.h"

#include "base/scale.h"

#include <stdlib.h>
#include <string.h>

// ---- keys of [tallyd] ---------------------------------------------------------------------

enum unit { UNIT_PATH, UNIT_PATH_OR_OFF, UNIT_BYTES, UNIT_COUNT, UNIT_MILLISECONDS, UNIT_PARSER };

struct key {
    const char *name;
    enum unit unit;
    size_t at; // in struct config
    uint64_t low;
    uint64_t high;
    const char *fallback; // in the form of the configuration
    const char *help;
};

#define AT(field) offsetof(struct config, field)

static const struct key keys[] = {
    {"state", UNIT_PATH, AT(state), 0, 0, "/var/lib/tallyd",
     "inbox, claimed, done, rejected, ledger and rollup live below this directory"},
    {"presets", UNIT_PATH, AT(presets), 0, 0, NULL, "directory of the shipped feeds"},
    {"control", UNIT_PATH_OR_OFF, AT(control), 0, 0, "/run/tallyd/control",
     "the socket that `tally status` asks, or off"},
    {"metrics", UNIT_PATH_OR_OFF, AT(metrics), 0, 0, "off",
     "a file for node_exporter's textfile collector, such as tallyd.prom, or off"},
    {"metrics_interval", UNIT_MILLISECONDS, AT(metrics_interval_ms), 1000, 86400000, "15s",
     "time between two versions of that file"},
    {"scan_interval", UNIT_MILLISECONDS, AT(scan_interval_ms), 100, 86400000, "5s",
     "time between looks at the inbox, beside the kernel's hints"},
    {"settle", UNIT_MILLISECONDS, AT(settle_ms), 0, 3600000, "2s",
     "a file that was found without a hint waits until it is this old"},
    {"publish_interval", UNIT_MILLISECONDS, AT(publish_interval_ms), 0, 86400000, "1s",
     "rollups are written at most this often while files wait; on a cluster always, and others' "
     "files are looked for as often"},
    {"segment_max", UNIT_BYTES, AT(segment_bytes_max), 1 << 16, UINT64_C(1) << 38, "64M",
     "size of a ledger segment"},
    {"patch_from", UNIT_BYTES, AT(patch_from_bytes), 0, UINT64_C(1) << 50, "128K",
     "rollup files of this size and more are published with a patch beside them"},
    {"field_max", UNIT_BYTES, AT(limits.field_bytes_max), 64, 256 << 20, "1M", "longest field"},
    {"record_max", UNIT_BYTES, AT(limits.record_bytes_max), 256, 256 << 20, "4M", "longest record"},
    {"columns_max", UNIT_COUNT, AT(limits.columns_max), 1, 1 << 20, "4096", "fields in a record"},
    {"records_max", UNIT_COUNT, AT(limits.records_max), 1, UINT32_MAX, "4000000000",
     "records in a file"},
    {"inflated_max", UNIT_BYTES, AT(limits.inflated_bytes_max), 1 << 20, UINT64_C(1) << 50, "64G",
     "size of a .gz or .zst when inflated"},
    {"inflate_ratio_max", UNIT_COUNT, AT(limits.inflate_ratio_max), 1, 1000000, "1000",
     "inflated size against the file's"},
    {"memory_max", UNIT_BYTES, AT(limits.memory_bytes_max), 1 << 20, UINT64_C(1) << 40, "256M",
     "memory that one file may take, beside 4 records and 2 chunks"},
    {"chunk_rows", UNIT_COUNT, AT(limits.chunk_rows), 1, 1 << 24, "65536",
     "rows that are handed to the ledger at once"},
    {"chunk_max", UNIT_BYTES, AT(limits.chunk_bytes), 4096, 1 << 30, "8M",
     "memory that those rows take"},
    {"parser", UNIT_PARSER, AT(limits.parser), 0, 0, "split",
     "split reads plain records by their structure and leaves others to libcsv; the outcome is the "
     "same"},
};

enum { KEYS_COUNT = sizeof keys / sizeof *keys };

static const struct config_key_help section_keys[] = {
    {"rollup", "feeds", "FEED ...", NULL, "whose incidents"},
    {"rollup", "by", "DIMENSION ...", "", "dimensions to group by; may be empty"},
    {"rollup", "measures", "MEASURE ...", "", "what to add up; incidents are always counted"},
    {"rollup", "windows", "DAYSd ...", "", "windows of the headline, such as 7d 50d 365d"},
    {"rollup", "where.", "TEXT, ... or ! TEXT, ...", NULL,
     "only incidents whose dimension is one of these texts (or none); * and ? match any"},
    {"feed", "preset", "NAME", NULL,
     "a shipped feed; the section's own keys override its keys"}, // all others: feed_key_at
};

enum { SECTION_KEYS_COUNT = sizeof section_keys / sizeof *section_keys };

size_t config_keys_count(void)
{
    return (size_t)KEYS_COUNT + cluster_keys_count() + SECTION_KEYS_COUNT;
}

struct config_key_help config_key_at(size_t index)
{
    static const char *const forms[] = {"PATH",   "PATH or off",          "BYTES (K, M, G, T)",
                                        "NUMBER", "TIME (ms, s, min, h)", "split or libcsv"};

    if (index >= KEYS_COUNT + cluster_keys_count()) {
        return section_keys[index - KEYS_COUNT - cluster_keys_count()];
    }
    if (index >= KEYS_COUNT) {
        const struct cluster_key_help key = cluster_key_at(index - KEYS_COUNT);
        return (struct config_key_help){.section = "store",
                                        .name = key.name,
                                        .value = key.value,
                                        .fallback = key.fallback,
                                        .help = key.help};
    }
    return (struct config_key_help){.section = "tallyd",
                                    .name = keys[index].name,
                                    .value = forms[keys[index].unit],
                                    .fallback = keys[index].fallback,
                                    .help = keys[index].help};
}

// ---- values -------------------------------------------------------------------------------

static bool parse_number(const struct key *key, const char *value, uint64_t *out,
                         struct tally_err *err)
{
    enum scale scale = key->unit == UNIT_BYTES          ? SCALE_BYTES
                       : key->unit == UNIT_MILLISECONDS ? SCALE_TIME
                                                        : SCALE_COUNT;
    struct scale_bounds bounds = {key->low, key->high};

    return scale_parse_key(scale, bounds, key->name, value, out, err);
}

static bool set_parser(enum ingest_parser *parser, const char *value, struct tally_err *err)
{
    bool libcsv = strcmp(value, "libcsv") == 0;

    if (!libcsv && strcmp(value, "split") != 0) {
        return err_set(err, TALLY_INVALID, "parser = %.60s: expected split or libcsv", value);
    }
    *parser = libcsv ? INGEST_LIBCSV : INGEST_SPLIT;
    return true;
}

static bool set_key(struct config *config, const struct key *key, const char *value,
                    struct tally_err *err)
{
    unsigned char *field = (unsigned char *)config + key->at;
    uint64_t number = 0;

    _Static_assert(sizeof(size_t) == sizeof(uint64_t), "limits are stored as 64 bits");
    if (key->unit == UNIT_PARSER) {
        return set_parser(&config->limits.parser, value, err);
    }
    if (key->unit != UNIT_PATH && key->unit != UNIT_PATH_OR_OFF) {
        if (!parse_number(key, value, &number, err)) {
            return false;
        }
        memcpy(field, &number, sizeof number);
        return true;
    }
    bool off = key->unit == UNIT_PATH_OR_OFF && strcmp(value, "off") == 0;
    char *copy = *value && !off ? strdup(value) : NULL;
    if (!copy && !off) {
        return err_set(err, TALLY_INVALID, "%s needs a path", key->name);
    }
    char *old;
    memcpy(&old, field, sizeof(char *));
    free(old);
    memcpy(field, &copy, sizeof(char *));
    return true;
}

bool config_keys_set(struct config *config, const struct config_entry *entry, struct tally_err *err)
{
    for (size_t i = 0; i < KEYS_COUNT; i++) {
        if (strcmp(keys[i].name, entry->key) == 0) {
            return set_key(config, &keys[i], entry->value, err);
        }
    }
    return err_set(err, TALLY_INVALID, "[tallyd] has no key '%.60s'; tallyd.conf(5) lists them",
                   entry->key);
}

bool config_keys_default(struct config *config, const char *presets, struct tally_err *err)
{
    for (size_t i = 0; i < KEYS_COUNT; i++) {
        const char *fallback = keys[i].fallback ? keys[i].fallback : presets;
        if (!set_key(config, &keys[i], fallback, err)) {
            return false;
        }
    }
    return true;
}
