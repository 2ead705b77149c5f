// store/cluster/options_keys.c - the keys of [store] (contracts in options.h).
#include "base/scale.h"
#include "store/cluster/options.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PORT "8123"
#define PORT_TLS "8443"

typedef bool set_value(struct cluster_options *options, const char *value, struct tally_err *err);

static set_value set_engine;
static set_value set_hosts;
static set_value set_tls;

enum form { FORM_OTHER, FORM_NAME, FORM_IDENTIFIER, FORM_PATH, FORM_TIME };

struct key {
    const char *name;
    const char *value;
    const char *fallback;
    const char *help;
    enum form form;
    size_t at;                  // in struct cluster_options
    struct scale_bounds bounds; // of FORM_TIME
    set_value *set;             // of FORM_OTHER
};

#define AT(field) offsetof(struct cluster_options, field)

static const struct key keys[] = {
    {.name = "engine",
     .value = "ledger or clickhouse",
     .fallback = "ledger",
     .help = "where the ledger is: below `state`, or on a ClickHouse cluster",
     .set = set_engine},
    {.name = "hosts",
     .value = "NAME:PORT ...",
     .fallback = "",
     .help = "ClickHouse's HTTP interfaces, at least one of each shard; the port may be left out",
     .set = set_hosts},
    {.name = "cluster",
     .value = "NAME",
     .fallback = "",
     .help = "its name in the servers' remote_servers",
     .form = FORM_NAME,
     .at = AT(cluster)},
    {.name = "database",
     .value = "NAME",
     .fallback = "tally",
     .help = "the database, which `tallyd --init-store` makes",
     .form = FORM_IDENTIFIER,
     .at = AT(database)},
    {.name = "user",
     .value = "NAME",
     .fallback = "default",
     .help = "whom the servers know tallyd as",
     .form = FORM_NAME,
     .at = AT(user)},
    {.name = "password_file",
     .value = "PATH",
     .fallback = "",
     .help = "a file whose first line is the password; without it there is none",
     .form = FORM_PATH,
     .at = AT(password_file)},
    {.name = "tls",
     .value = "no or yes",
     .fallback = "no",
     .help = "speak HTTPS to the servers",
     .set = set_tls},
    {.name = "ca_file",
     .value = "PATH",
     .fallback = "",
     .help = "whose certificates are believed; without it, the system's authorities",
     .form = FORM_PATH,
     .at = AT(ca_file)},
    {.name = "writer",
     .value = "NAME",
     .fallback = NULL,
     .help = "this daemon among those that feed the cluster; the host's name if not given",
     .form = FORM_NAME,
     .at = AT(writer)},
    {.name = "timeout",
     .value = "TIME (ms, s, min, h)",
     .fallback = "30s",
     .help = "a request into which no byte comes for so long has failed",
     .form = FORM_TIME,
     .at = AT(timeout_ms),
     .bounds = {100, 3600000}},
    {.name = "retry",
     .value = "TIME (ms, s, min, h)",
     .fallback = "30s",
     .help = "a request that failed is tried anew for so long before intake pauses",
     .form = FORM_TIME,
     .at = AT(retry_ms),
     .bounds = {0, 3600000}},
};

enum { KEYS_COUNT = sizeof keys / sizeof *keys };

size_t cluster_keys_count(void)
{
    return KEYS_COUNT;
}

struct cluster_key_help cluster_key_at(size_t index)
{
    assert(index < KEYS_COUNT);
    return (struct cluster_key_help){.name = keys[index].name,
                                     .value = keys[index].value,
                                     .fallback = keys[index].fallback,
                                     .help = keys[index].help};
}

// ---- values -------------------------------------------------------------------------------

static bool set_engine(struct cluster_options *options, const char *value, struct tally_err *err)
{
    bool clickhouse = strcmp(value, "clickhouse") == 0;

    if (!clickhouse && strcmp(value, "ledger") != 0) {
        return err_set(err, TALLY_INVALID, "engine = %.60s: expected ledger or clickhouse", value);
    }
    options->used = clickhouse;
    return true;
}

static bool set_tls(struct cluster_options *options, const char *value, struct tally_err *err)
{
    bool yes = strcmp(value, "yes") == 0;

    if (!yes && strcmp(value, "no") != 0) {
        return err_set(err, TALLY_INVALID, "tls = %.60s: expected yes or no", value);
    }
    options->tls = yes;
    return true;
}

// Where the colon in front of a port stands; NULL: there is none. "[::1]" has none of its own.
static const char *port_of(const char *host)
{
    const char *from = host[0] == '[' ? strchr(host, ']') : host;

    return from ? strchr(from, ':') : NULL;
}

static bool check_host(const char *host, struct tally_err *err)
{
    const char *colon = port_of(host);
    uint64_t port;

    if (strchr(host, '/')) {
        return err_set(err, TALLY_INVALID,
                       "hosts: '%.60s' is a URL: write NAME:PORT, and `tls = yes` for https", host);
    }
    if (host[0] == '[' ? !strchr(host, ']') : colon && strchr(colon + 1, ':') != NULL) {
        return err_set(err, TALLY_INVALID,
                       "hosts: '%.60s': an IPv6 address stands in brackets: [::1]:8123", host);
    }
    if (colon == host || strpbrk(host, "'\"\\@?#%") ||
        (colon && (!scale_parse(SCALE_COUNT, colon + 1, &port) || port == 0 || port > 65535))) {
        return err_set(err, TALLY_INVALID, "hosts: '%.60s': expected NAME:PORT such as db1:8123",
                       host);
    }
    return true;
}

static void drop_hosts(struct cluster_options *options)
{
    for (size_t i = 0; i < options->hosts_count; i++) {
        free(options->host[i]);
    }
    options->hosts_count = 0;
}

static bool add_host(struct cluster_options *options, const char *from, size_t bytes,
                     struct tally_err *err)
{
    if (options->hosts_count == CLUSTER_HOSTS_MAX) {
        return err_set(err, TALLY_INVALID, "hosts: more than %d", CLUSTER_HOSTS_MAX);
    }
    char *host = strndup(from, bytes);
    if (!host) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a configuration");
    }
    options->host[options->hosts_count++] = host;
    return check_host(host, err);
}

static bool set_hosts(struct cluster_options *options, const char *value, struct tally_err *err)
{
    static const char separators[] = " \t,";

    drop_hosts(options);
    for (const char *at = value + strspn(value, separators); *at; at += strspn(at, separators)) {
        size_t bytes = strcspn(at, separators);
        if (!add_host(options, at, bytes, err)) {
            return false;
        }
        at += bytes;
    }
    return true;
}

static bool is_identifier(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

    return strspn(text, letters) == strlen(text) && (*text < '0' || *text > '9');
}

static bool is_printable(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool check_text(const struct key *key, const char *value, struct tally_err *err)
{
    if (key->form == FORM_PATH) {
        return !*value || *value == '/' ||
               err_set(err, TALLY_INVALID, "%s = %.60s: expected a path from the root, as /etc/...",
                       key->name, value);
    }
    if (strlen(value) > CLUSTER_NAME_BYTES_MAX || !is_printable(value)) {
        return err_set(err, TALLY_INVALID, "%s = %.60s: expected a name of at most %d bytes",
                       key->name, value, CLUSTER_NAME_BYTES_MAX);
    }
    if (key->form == FORM_IDENTIFIER && (!*value || !is_identifier(value))) {
        return err_set(err, TALLY_INVALID,
                       "%s = %.60s: expected letters, digits and _, a digit not first", key->name,
                       value);
    }
    return true;
}

// "" is kept as NULL: it is not given.
static bool set_text(struct cluster_options *options, const struct key *key, const char *value,
                     struct tally_err *err)
{
    char *copy = *value ? strdup(value) : NULL;
    unsigned char *field = (unsigned char *)options + key->at;
    char *old;

    if (*value && !copy) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a configuration");
    }
    memcpy(&old, field, sizeof(char *));
    free(old);
    memcpy(field, &copy, sizeof(char *));
    return true;
}

static bool set_key(struct cluster_options *options, const struct key *key, const char *value,
                    struct tally_err *err)
{
    uint64_t ms;

    switch (key->form) {
    case FORM_OTHER:
        return key->set(options, value, err);
    case FORM_TIME:
        if (!scale_parse_key(SCALE_TIME, key->bounds, key->name, value, &ms, err)) {
            return false;
        }
        memcpy((unsigned char *)options + key->at, &ms, sizeof ms);
        return true;
    case FORM_NAME:
    case FORM_IDENTIFIER:
    case FORM_PATH:
        break;
    }
    return check_text(key, value, err) && set_text(options, key, value, err);
}

bool cluster_options_set(struct cluster_options *options, const char *key, const char *value,
                         struct tally_err *err)
{
    for (size_t i = 0; i < KEYS_COUNT; i++) {
        if (strcmp(keys[i].name, key) == 0) {
            return set_key(options, &keys[i], value, err);
        }
    }
    return err_set(err, TALLY_INVALID, "[store] has no key '%.60s'; tallyd.conf(5) lists them",
                   key);
}

bool cluster_options_default(struct cluster_options *options, struct tally_err *err)
{
    *options = (struct cluster_options){0};
    for (size_t i = 0; i < KEYS_COUNT; i++) {
        if (keys[i].fallback && !set_key(options, &keys[i], keys[i].fallback, err)) {
            return false;
        }
    }
    return true;
}

// ---- all of them --------------------------------------------------------------------------

static bool put_port(struct cluster_options *options, size_t index, struct tally_err *err)
{
    char *with_port;

    if (port_of(options->host[index])) {
        return true;
    }
    if (asprintf(&with_port, "%s:%s", options->host[index], options->tls ? PORT_TLS : PORT) < 0) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for a configuration");
    }
    free(options->host[index]);
    options->host[index] = with_port;
    return true;
}

static bool check_hosts(struct cluster_options *options, struct tally_err *err)
{
    for (size_t i = 0; i < options->hosts_count; i++) {
        if (!put_port(options, i, err)) {
            return false;
        }
        for (size_t before = 0; before < i; before++) {
            if (strcmp(options->host[before], options->host[i]) == 0) {
                return err_set(err, TALLY_INVALID, "hosts: '%.60s' stands twice", options->host[i]);
            }
        }
    }
    return options->hosts_count > 0 ||
           err_set(err, TALLY_INVALID,
                   "engine = clickhouse needs `hosts`, at least one of each shard");
}

// The host's name, up to its first dot or not: as the host says it.
static bool find_writer(struct cluster_options *options, struct tally_err *err)
{
    char name[CLUSTER_NAME_BYTES_MAX + 1] = "";

    if (options->writer) {
        return true;
    }
    if (gethostname(name, sizeof name) != 0 || !name[0] || name[CLUSTER_NAME_BYTES_MAX]) {
        return err_set(err, TALLY_INVALID,
                       "engine = clickhouse needs `writer`, since the host has no usable name");
    }
    options->writer = strdup(name);
    return options->writer || err_set(err, TALLY_NO_MEMORY, "no memory for a configuration");
}

bool cluster_options_check(struct cluster_options *options, const char **out_key,
                           struct tally_err *err)
{
    if (!options->used) {
        return true;
    }
    *out_key = "hosts";
    if (!check_hosts(options, err)) {
        return false;
    }
    *out_key = "writer";
    if (!find_writer(options, err)) {
        return false;
    }
    *out_key = "cluster";
    if (!options->cluster) {
        return err_set(err, TALLY_INVALID,
                       "engine = clickhouse needs `cluster`, its name in the servers' "
                       "remote_servers");
    }
    *out_key = "user";
    if (!options->user) {
        return err_set(err, TALLY_INVALID, "user: a name is needed, such as default");
    }
    *out_key = "ca_file";
    if (options->ca_file && !options->tls) {
        return err_set(err, TALLY_INVALID, "ca_file is for `tls = yes`");
    }
    return true;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool cluster_options_equal(const struct cluster_options *a, const struct cluster_options *b)
{
    if (!a->used && !b->used) {
        return true; // none of the others holds
    }
    if (a->hosts_count != b->hosts_count) {
        return false;
    }
    for (size_t i = 0; i < a->hosts_count; i++) {
        if (!same_text(a->host[i], b->host[i])) {
            return false;
        }
    }
    return a->used == b->used && same_text(a->cluster, b->cluster) &&
           same_text(a->database, b->database) && same_text(a->user, b->user) &&
           same_text(a->password_file, b->password_file) && a->tls == b->tls &&
           same_text(a->ca_file, b->ca_file) && same_text(a->writer, b->writer) &&
           a->timeout_ms == b->timeout_ms && a->retry_ms == b->retry_ms;
}
