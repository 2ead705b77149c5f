// store/cluster/options.h - where the ledger is, and as whom to speak to its cluster: [store].
//
//     cluster_options_default -> cluster_options_set, ... -> cluster_options_check
//
// The keys are one table in options_keys.c; it drives parser, defaults, bounds, help and manual.
// tallyd and the commands of `tally` read the same section.
#ifndef STORE_CLUSTER_OPTIONS_H
#define STORE_CLUSTER_OPTIONS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLUSTER_HOSTS_MAX = 256, CLUSTER_NAME_BYTES_MAX = 64 };

struct cluster_options {
    bool used; // engine = clickhouse: the ledger is there, and not on this machine
    char *host[CLUSTER_HOSTS_MAX]; // NAME:PORT of ClickHouse's HTTP interface, at least one a shard
    size_t hosts_count;
    char *cluster;  // its name in remote_servers
    char *database; // made by --init-store
    char *user;
    char *password_file; // NULL: no password
    bool tls;
    char *ca_file;       // NULL: the system's authorities
    char *writer;        // who this daemon is among those that feed the cluster
    uint64_t timeout_ms; // of one request without a byte coming in
    uint64_t retry_ms;   // how long an insert or a question is tried anew before it fails
};

// Every key as it is without the section: the ledger is on this machine. Errors: TALLY_NO_MEMORY;
// cluster_options_done is due all the same.
bool cluster_options_default(struct cluster_options *options, struct tally_err *err);
void cluster_options_done(struct cluster_options *options);

// Sets one key; a later value replaces an earlier one. Errors: TALLY_INVALID saying what is wrong
// and what would be right; the caller knows file and line.
bool cluster_options_set(struct cluster_options *options, const char *key, const char *value,
                         struct tally_err *err);
// After the last key: hosts get their ports; what is missing or contradictory. *out_key: of the key
// that it is about.
bool cluster_options_check(struct cluster_options *options, const char **out_key,
                           struct tally_err *err);

// Whether both lead to the same ledger in the same way.
bool cluster_options_equal(const struct cluster_options *a, const struct cluster_options *b);

// The keys, for help and the manual.
struct cluster_key_help {
    const char *name;
    const char *value;    // its form
    const char *fallback; // what holds without the key
    const char *help;
};
size_t cluster_keys_count(void);
struct cluster_key_help cluster_key_at(size_t index); // Requires: index < cluster_keys_count()

#endif
