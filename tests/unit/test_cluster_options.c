// The keys of [store], as tallyd and the commands read them.
#include "store/cluster/options.h"
#include "tests/unit/fail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

// "key=value;key=value", checked behind the last. *out_key: of the one that the check is about.
static bool load(struct cluster_options *options, const char *text, const char **out_key,
                 struct tally_err *err)
{
    char copy[2000];
    char *kept;

    *out_key = NULL;
    assert_true(cluster_options_default(options, err));
    snprintf(copy, sizeof copy, "%s", text);
    for (char *at = strtok_r(copy, ";", &kept); at; at = strtok_r(NULL, ";", &kept)) {
        char *equals = strchr(at, '=');
        *equals = '\0';
        if (!cluster_options_set(options, at, equals + 1, err)) {
            return false;
        }
    }
    return cluster_options_check(options, out_key, err);
}

#define CLUSTER "engine=clickhouse;hosts=a b;cluster=main"

static void without_the_section_the_ledger_is_here(void **state)
{
    struct cluster_options options;
    struct tally_err err;
    const char *key;

    (void)state;
    assert_true(load(&options, "", &key, &err));
    assert_false(options.used);
    assert_string_equal(options.database, "tally");
    assert_string_equal(options.user, "default");
    assert_null(options.password_file);
    assert_int_equal(options.timeout_ms, 30000);
    assert_int_equal(options.retry_ms, 30000);
    cluster_options_done(&options);
}

static void hosts_get_the_port_of_their_protocol(void **state)
{
    static const struct {
        const char *text;
        const char *want[2];
    } cases[] = {
        {CLUSTER, {"a:8123", "b:8123"}},
        {CLUSTER ";tls=yes", {"a:8443", "b:8443"}},
        {CLUSTER ";hosts=a:1, b", {"a:1", "b:8123"}},
        {CLUSTER ";hosts=[::1] [::2]:99", {"[::1]:8123", "[::2]:99"}},
    };
    struct cluster_options options;
    struct tally_err err;
    const char *key;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(load(&options, cases[i].text, &key, &err));
        assert_true(options.used);
        assert_int_equal(options.hosts_count, 2);
        assert_string_equal(options.host[0], cases[i].want[0]);
        assert_string_equal(options.host[1], cases[i].want[1]);
        assert_non_null(options.writer); // the host's name
        cluster_options_done(&options);
    }
}

static void mistakes_say_what_would_be_right(void **state)
{
    static const struct {
        const char *text;
        const char *key; // NULL: of the line itself
        const char *message;
    } cases[] = {
        {"engine=clickhouse", "hosts", "needs `hosts`"},
        {"engine=clickhouse;hosts=a", "cluster", "needs `cluster`"},
        {CLUSTER ";user=", "user", "a name is needed"},
        {CLUSTER ";ca_file=/etc/ca.pem", "ca_file", "`tls = yes`"},
        {CLUSTER ";hosts=a a:8123", "hosts", "'a:8123' stands twice"},
        {"engine=postgres", NULL, "ledger or clickhouse"},
        {"engines=ledger", NULL, "no key 'engines'"},
        {"tls=maybe", NULL, "yes or no"},
        {"hosts=http://a:8123", NULL, "is a URL"},
        {"hosts=::1", NULL, "in brackets"},
        {"hosts=[::1", NULL, "in brackets"},
        {"hosts=a:b", NULL, "NAME:PORT"},
        {"hosts=a:0", NULL, "NAME:PORT"},
        {"hosts=a:65536", NULL, "NAME:PORT"},
        {"hosts=:8123", NULL, "NAME:PORT"},
        {"hosts=me@a:8123", NULL, "NAME:PORT"},
        {"database=", NULL, "letters, digits"},
        {"database=1st", NULL, "a digit not first"},
        {"database=a;database=a b", NULL, "letters, digits"},
        {"password_file=secret", NULL, "a path from the root"},
        {"timeout=soon", NULL, "a time such as"},
        {"timeout=1ms", NULL, "allowed are 100"},
        {"retry=2h", NULL, "allowed are 0 to 3600000"},
        {"writer=aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggg", NULL,
         "at most 64 bytes"},
        {"user=a\tb", NULL, "at most 64 bytes"},
        {"user=a\x7f", NULL, "at most 64 bytes"},
    };
    struct cluster_options options;
    struct tally_err err;
    const char *key;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_false(load(&options, cases[i].text, &key, &err));
        assert_int_equal(err.code, TALLY_INVALID);
        if (!strstr(err.message, cases[i].message)) {
            fail_msg("%s: %s", cases[i].text, err.message);
        }
        assert_true(cases[i].key ? key && strcmp(key, cases[i].key) == 0 : !key);
        cluster_options_done(&options);
    }
}

static void too_many_hosts_are_refused(void **state)
{
    char text[1600] = CLUSTER ";hosts=";
    struct cluster_options options;
    struct tally_err err;
    const char *key;

    (void)state;
    for (int i = 0; i < CLUSTER_HOSTS_MAX; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "h%d ", i);
    }
    assert_true(load(&options, text, &key, &err));
    assert_int_equal(options.hosts_count, CLUSTER_HOSTS_MAX);
    cluster_options_done(&options);
    memcpy(text + strlen(text), "one-more", sizeof "one-more");
    assert_false(load(&options, text, &key, &err));
    cluster_options_done(&options);
}

static void help_tells_every_default(void **state)
{
    struct cluster_options options;
    struct tally_err err;

    (void)state;
    assert_true(cluster_options_default(&options, &err));
    for (size_t i = 0; i < cluster_keys_count(); i++) {
        struct cluster_key_help help = cluster_key_at(i);
        assert_non_null(help.help);
        assert_non_null(help.value);
        assert_true(!help.fallback ||
                    cluster_options_set(&options, help.name, help.fallback, &err));
    }
    cluster_options_done(&options);
}

// What a reload compares: each key counts, unless the ledger is on this machine anyway.
static void every_key_makes_another_store(void **state)
{
    static const char *const others[] = {"engine=ledger",
                                         "hosts=a",
                                         "hosts=a c",
                                         "cluster=other",
                                         "database=other",
                                         "user=other",
                                         "tls=yes",
                                         "writer=you",
                                         "timeout=7s",
                                         "retry=7s",
                                         "password_file=/other",
                                         "tls=yes;ca_file=/other"};
    struct cluster_options one;
    struct cluster_options other;
    struct tally_err err;
    const char *key;

    (void)state;
    assert_true(load(&one, CLUSTER ";writer=me", &key, &err));
    assert_true(load(&other, CLUSTER ";writer=me", &key, &err));
    assert_true(cluster_options_equal(&one, &other));
    cluster_options_done(&other);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char text[200];
        snprintf(text, sizeof text, CLUSTER ";writer=me;%s", others[i]);
        assert_true(load(&other, text, &key, &err));
        assert_false(cluster_options_equal(&one, &other));
        assert_false(cluster_options_equal(&other, &one));
        cluster_options_done(&other);
    }
    cluster_options_done(&one);
    // With ports of their own hosts are the same whether they speak TLS or not.
    assert_true(load(&one, CLUSTER ";hosts=a:1 b:1;tls=yes;writer=me", &key, &err));
    assert_true(load(&other, CLUSTER ";hosts=a:1 b:1;writer=me", &key, &err));
    assert_false(cluster_options_equal(&one, &other));
    cluster_options_done(&other);
    assert_true(load(&other, CLUSTER ";hosts=a:1 b:1;tls=yes;ca_file=/ca;writer=me", &key, &err));
    assert_false(cluster_options_equal(&one, &other));
    cluster_options_done(&other);
    cluster_options_done(&one);
    assert_true(load(&one, "", &key, &err));
    assert_true(load(&other, "hosts=a;database=other", &key, &err));
    assert_true(cluster_options_equal(&one, &other));
    cluster_options_done(&one);
    cluster_options_done(&other);
}

// What the host says it is called: NULL, nothing; then a writer has to be given.
static const char *called = "host";

int __wrap_gethostname(char *name, size_t bytes);
int __wrap_gethostname(char *name, size_t bytes)
{
    if (!called) {
        return -1;
    }
    strncpy(name, called, bytes);
    return 0;
}

static void host_without_a_usable_name_needs_a_writer(void **state)
{
    static char long_name[CLUSTER_NAME_BYTES_MAX + 2];
    const char *const names[] = {NULL, "", long_name};
    struct cluster_options options;
    struct tally_err err;
    const char *key;

    (void)state;
    memset(long_name, 'n', sizeof long_name - 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        called = names[i];
        assert_false(load(&options, CLUSTER, &key, &err));
        assert_non_null(strstr(err.message, "`writer`"));
        cluster_options_done(&options);
        assert_true(load(&options, CLUSTER ";writer=me", &key, &err));
        cluster_options_done(&options);
    }
    called = "host";
    assert_true(load(&options, CLUSTER, &key, &err));
    assert_string_equal(options.writer, "host");
    cluster_options_done(&options);
}

static bool load_each(struct cluster_options *options, struct tally_err *err)
{
    const char *key;

    return cluster_options_default(options, err) &&
           cluster_options_set(options, "engine", "clickhouse", err) &&
           cluster_options_set(options, "hosts", "a b:1", err) &&
           cluster_options_set(options, "cluster", "main", err) &&
           cluster_options_set(options, "password_file", "/secret", err) &&
           cluster_options_check(options, &key, err);
}

static void each_allocation_may_fail(void **state)
{
    const char *name;
    long at = 0;

    (void)state;
    for (bool failed = true; failed; at++) {
        struct cluster_options options;
        struct tally_err err = {0};
        long live = fail_live();
        fail_arm(FAIL_MEMORY, at + 1);
        bool ok = load_each(&options, &err);
        failed = fail_disarm(&name);
        assert_int_equal(ok, !failed);
        assert_true(ok || err.code == TALLY_NO_MEMORY);
        cluster_options_done(&options);
        assert_int_equal(fail_live(), live);
    }
    assert_true(at > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_the_section_the_ledger_is_here),
        cmocka_unit_test(hosts_get_the_port_of_their_protocol),
        cmocka_unit_test(mistakes_say_what_would_be_right),
        cmocka_unit_test(too_many_hosts_are_refused),
        cmocka_unit_test(help_tells_every_default),
        cmocka_unit_test(every_key_makes_another_store),
        cmocka_unit_test(host_without_a_usable_name_needs_a_writer),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
