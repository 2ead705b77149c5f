// Questions to servers that fail in all the ways in which servers fail.
#include "base/clock.h"
#include "store/cluster/servers.h"
#include "store/cluster/servers_private.h"
#include "tests/unit/fake_server.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HOSTS_MAX = 4 };

struct fixture {
    struct fake_server server[HOSTS_MAX];
    size_t servers_count;
    struct cluster_options options;
    struct servers *servers;
    struct tally_err err;
    struct bytes out[2];
    unsigned steps;
};

static void on_step(void *context)
{
    struct fixture *fixture = context;
    fixture->steps++;
}

static void add_server(struct fixture *fixture, uint32_t shard, uint32_t shards)
{
    struct fake_server *server = &fixture->server[fixture->servers_count++];

    fake_start(server, shard, shards);
    fixture->options.host[fixture->options.hosts_count++] = server->host;
}

static bool open_servers(struct fixture *fixture)
{
    fixture->servers =
        servers_open(&fixture->options, (struct progress){on_step, fixture}, &fixture->err);
    return fixture->servers;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);

    assert_non_null(fixture);
    fixture->options = (struct cluster_options){.cluster = "of_tests",
                                                .database = "tally",
                                                .user = "default",
                                                .timeout_ms = 300,
                                                .retry_ms = 400};
    bytes_init(&fixture->out[0]);
    bytes_init(&fixture->out[1]);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    servers_close(fixture->servers);
    for (size_t i = 0; i < fixture->servers_count; i++) {
        fake_stop(&fixture->server[i]);
    }
    bytes_done(&fixture->out[0]);
    bytes_done(&fixture->out[1]);
    free(fixture);
    return 0;
}

static struct fake_answer says(const char *body)
{
    return (struct fake_answer){.status = 200, .body = body, .bytes = strlen(body)};
}

static struct fake_answer fails(int status, const char *body)
{
    return (struct fake_answer){.status = status, .body = body, .bytes = strlen(body)};
}

// On the connection at hand, which may just have been too old, and on the fresh one that libcurl
// tries by itself then.
static void hang_up(struct fake_server *server)
{
    fake_will_say(server, (struct fake_answer){.status = 0});
    fake_will_say(server, (struct fake_answer){.status = 0});
}

static bool ask(struct fixture *fixture, const char *sql)
{
    struct servers_question question = {.sql = sql};
    return servers_ask(fixture->servers, 0, &question, &fixture->out[0], &fixture->err);
}

static void answer_is(const struct fixture *fixture, size_t shard, const char *want)
{
    assert_int_equal(fixture->out[shard].count, strlen(want));
    assert_memory_equal(fixture->out[shard].data, want, strlen(want));
}

static bool request_has(struct fake_server *server, const char *text)
{
    pthread_mutex_lock(&server->lock);
    bool has = memmem(server->request, server->request_bytes, text, strlen(text));
    pthread_mutex_unlock(&server->lock);
    return has;
}

static void says_why(const struct fixture *fixture, enum tally_code code, const char *words)
{
    if (fixture->err.code != code || !strstr(fixture->err.message, words)) {
        fail_msg("code %d, '%s'; want %d, '%s'", fixture->err.code, fixture->err.message, code,
                 words);
    }
}

// --- which host is of which shard

static void hosts_are_asked_for_their_shard(void **state)
{
    struct fixture *fixture = *state;
    struct servers_question question = {.sql = "SELECT 1"};

    add_server(fixture, 2, 2);
    add_server(fixture, 1, 2);
    FAKE_SET(&fixture->server[1], version, "26.1.3.4");
    assert_true(open_servers(fixture));
    assert_int_equal(servers_shards(fixture->servers), 2);
    assert_int_equal(servers_version(fixture->servers), 18016);
    fake_will_say(&fixture->server[0], says("second"));
    fake_will_say(&fixture->server[1], says("first"));
    assert_true(servers_ask_each(fixture->servers, &question, fixture->out, &fixture->err));
    answer_is(fixture, 0, "first");
    answer_is(fixture, 1, "second");
}

static void cluster_that_cannot_serve_is_refused(void **state)
{
    struct fixture *fixture = *state;

    add_server(fixture, 1, 2);
    assert_false(open_servers(fixture));
    says_why(fixture, TALLY_INVALID, "no host of shard 2");
    FAKE_SET(&fixture->server[0], absent_minded, true);
    assert_false(open_servers(fixture));
    says_why(fixture, TALLY_INVALID, "does not find itself");
    FAKE_SET(&fixture->server[0], absent_minded, false);
    FAKE_SET(&fixture->server[0], shard, 0);
    assert_false(open_servers(fixture));
    says_why(fixture, TALLY_INVALID, "knows no cluster 'of_tests'");
    FAKE_SET(&fixture->server[0], shard, 1);
    FAKE_SET(&fixture->server[0], shards, 1);
    FAKE_SET(&fixture->server[0], version, "18.14.19");
    assert_false(open_servers(fixture));
    says_why(fixture, TALLY_INVALID, "18.14");
    FAKE_SET(&fixture->server[0], version, "18.16.1");
    add_server(fixture, 2, 2);
    assert_false(open_servers(fixture));
    says_why(fixture, TALLY_INVALID, "of_tests");
}

static void shard_that_is_down_is_waited_for(void **state)
{
    struct fixture *fixture = *state;

    add_server(fixture, 1, 2);
    fixture->options.host[fixture->options.hosts_count++] = "127.0.0.1:1";
    uint64_t before_ns = clock_ticks_ns();
    assert_false(open_servers(fixture));
    says_why(fixture, TALLY_UNAVAILABLE, "127.0.0.1:1");
    assert_true(clock_ticks_ns() - before_ns > 100 * 1000000u);
    assert_true(clock_ticks_ns() - before_ns < 5000 * 1000000u);
}

static void replica_that_was_down_is_found_later(void **state)
{
    struct fixture *fixture = *state;

    add_server(fixture, 1, 1);
    add_server(fixture, 1, 1);
    FAKE_SET(&fixture->server[1], deaf, true);
    assert_true(open_servers(fixture));
    assert_int_equal(servers_shard_of(fixture->servers, 1), -1);
    FAKE_SET(&fixture->server[1], deaf, false);
    fake_will_say(&fixture->server[0], says("one"));
    assert_true(ask(fixture, "SELECT 1"));
    assert_int_equal(servers_shard_of(fixture->servers, 1), -1);
    fixture->servers->looked_ns -= 31000000000u;
    fake_will_say(&fixture->server[0], says("two"));
    assert_true(ask(fixture, "SELECT 1"));
    assert_int_equal(servers_shard_of(fixture->servers, 1), 0);
}

// --- what fails and passes

static void next_host_is_asked_when_one_is_gone(void **state)
{
    struct fixture *fixture = *state;

    add_server(fixture, 1, 1);
    add_server(fixture, 1, 1);
    assert_true(open_servers(fixture));
    hang_up(&fixture->server[0]);
    fake_will_say(&fixture->server[1], says("here"));
    fake_will_say(&fixture->server[1], says("again"));
    assert_true(ask(fixture, "SELECT 1"));
    answer_is(fixture, 0, "here");
    assert_true(ask(fixture, "SELECT 1")); // who answered last is asked first
    answer_is(fixture, 0, "hereagain");
    assert_int_equal(fake_taken(&fixture->server[0]), 2);
}

static void busy_server_is_asked_anew(void **state)
{
    struct fixture *fixture = *state;

    add_server(fixture, 1, 1);
    fixture->options.retry_ms = 5000;
    assert_true(open_servers(fixture));
    fake_will_say(&fixture->server[0], fails(503, "<html>Service Unavailable</html>"));
    fake_will_say(&fixture->server[0],
                  fails(500, "Code: 202, e.displayText() = DB::Exception: Too many simultaneous "
                             "queries. Maximum: 100, e.what() = DB::Exception"));
    fake_will_say(&fixture->server[0],
                  fails(500, "Code: 279. DB::Exception: All connection tries failed. "
                             "(ALL_CONNECTION_TRIES_FAILED) (version 26.1.1.1)"));
    fake_will_say(&fixture->server[0], says("at last"));
    assert_true(ask(fixture, "SELECT 1"));
    answer_is(fixture, 0, "at last");
    assert_true(fixture->steps > 4);
}

static void tries_end_after_the_time_for_them(void **state)
{
    struct fixture *fixture = *state;

    add_server(fixture, 1, 1);
    assert_true(open_servers(fixture));
    for (int i = 0; i < 30; i++) {
        fake_will_say(&fixture->server[0], fails(503, "later"));
    }
    uint64_t before_ns = clock_ticks_ns();
    assert_false(ask(fixture, "SELECT 1"));
    uint64_t passed_ms = (clock_ticks_ns() - before_ns) / 1000000;
    says_why(fixture, TALLY_UNAVAILABLE, "HTTP 503: later");
    assert_true(passed_ms > 100 && passed_ms < 1500);
    // Waits of at least 25, 50, 100, 200 ms: so few tries.
    assert_in_range(fake_taken(&fixture->server[0]), 3, 6);
}

static void refusal_is_for_good(void **state)
{
    static const struct {
        const char *words;
        enum tally_code code;
        const char *want;
    } cases[] = {
        {"Code: 62, e.displayText() = DB::Exception: Syntax error: failed at position 11, "
         "e.what() = DB::Exception\n",
         TALLY_INVALID, "refuses (code 62): Syntax error: failed at position 11"},
        {"Code: 60. DB::Exception: Unknown table expression identifier 'x'. (UNKNOWN_TABLE) "
         "(version 26.1.1.1 (official build))",
         TALLY_NOT_FOUND, "refuses (code 60): Unknown table"},
        {"Code: 81, e.displayText() = DB::Exception: Database tally doesn't exist, e.what() = ",
         TALLY_NOT_FOUND, "Database tally doesn't exist"},
        {"Code: 241, e.displayText() = DB::Exception: Memory limit (for query) exceeded: would",
         TALLY_NO_MEMORY, "Memory limit"},
        {"Code: 243, e.displayText() = DB::Exception: Not enough space, e.what() = x",
         TALLY_NO_SPACE, "Not enough space"},
        {"Code: 76, e.displayText() = DB::ErrnoException: Cannot open file, errno: 28, strerror: "
         "No space left on device",
         TALLY_NO_SPACE, "No space left"},
    };
    struct fixture *fixture = *state;

    add_server(fixture, 1, 1);
    assert_true(open_servers(fixture));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake_will_say(&fixture->server[0], fails(i % 2 == 0 ? 500 : 404, cases[i].words));
        assert_false(ask(fixture, "SELECT 1"));
        says_why(fixture, cases[i].code, cases[i].want);
        assert_null(strstr(fixture->err.message, "e.what"));
        assert_null(strstr(fixture->err.message, "version 26"));
        assert_int_equal(fake_taken(&fixture->server[0]), i + 1);
    }
    fake_will_say(&fixture->server[0], fails(404, "no such page"));
    assert_false(ask(fixture, "SELECT 1"));
    says_why(fixture, TALLY_INVALID, "HTTP 404: no such page");
}

static unsigned looks(struct fake_server *server)
{
    pthread_mutex_lock(&server->lock);
    unsigned count = server->looks;
    pthread_mutex_unlock(&server->lock);
    return count;
}

static void replica_catches_up_before_it_is_asked(void **state)
{
    struct fixture *fixture = *state;
    struct fake_server *server = fixture->server;

    add_server(fixture, 1, 1);
    FAKE_SET(&server[0], replicas, 2);
    FAKE_SET(&server[0], behind, 4);
    assert_true(open_servers(fixture));
    fake_will_say(&server[0], says("all of it"));
    assert_true(ask(fixture, "SELECT x FROM tally_a_local, tally_b_local WHERE tally"));
    answer_is(fixture, 0, "all of it");
    assert_int_equal(looks(&server[0]), 5);
    fake_will_say(&server[0], says(""));
    assert_true(ask(fixture, "SELECT 1 FROM tally_a WHERE x_local")); // no table of a shard
    assert_int_equal(looks(&server[0]), 5);
    FAKE_SET(&server[0], log, 3); // nothing was read of two entries, one, none
    fake_will_say(&server[0], says(""));
    assert_true(ask(fixture, "SELECT 1 FROM tally_a_local"));
    assert_int_equal(looks(&server[0]), 8);
}

static void replica_that_stays_behind_is_passed_over(void **state)
{
    struct fixture *fixture = *state;
    struct fake_server *server = fixture->server;

    add_server(fixture, 1, 1);
    add_server(fixture, 1, 1);
    FAKE_SET(&server[0], replicas, 2);
    FAKE_SET(&server[1], replicas, 2);
    FAKE_SET(&server[0], behind, 1000000);
    assert_true(open_servers(fixture));
    fake_will_say(&server[1], says("all of it"));
    assert_true(ask(fixture, "SELECT 1 FROM tally_a_local"));
    answer_is(fixture, 0, "all of it");
    FAKE_SET(&server[1], behind, 1000000);
    assert_false(ask(fixture, "SELECT 1 FROM tally_a_local"));
    says_why(fixture, TALLY_UNAVAILABLE, "is behind the other replicas");
}

// --- answers that are none

static void answer_that_breaks_off_is_none(void **state)
{
    struct fixture *fixture = *state;
    struct fake_answer whole = says("0123456789");
    struct fake_answer cut = whole;
    struct fake_answer unsized = whole;

    cut.cut = true;
    unsized.length = FAKE_UNSIZED;
    add_server(fixture, 1, 1);
    fixture->options.retry_ms = 3000;
    assert_true(open_servers(fixture));
    bytes_put(&fixture->out[0], "<", 1);
    fake_will_say(&fixture->server[0], cut);
    cut.length = FAKE_CONTENT_LENGTH;
    fake_will_say(&fixture->server[0], cut);
    fake_will_say(&fixture->server[0], unsized);
    unsized.cut = true;
    fake_will_say(&fixture->server[0], unsized);
    whole.length = FAKE_CONTENT_LENGTH;
    fake_will_say(&fixture->server[0], whole);
    assert_true(ask(fixture, "SELECT 1"));
    answer_is(fixture, 0, "<0123456789");
    assert_int_equal(fake_taken(&fixture->server[0]), 5);
}

static void answer_with_an_exception_is_none(void **state)
{
    struct fixture *fixture = *state;
    struct fake_answer late = says("01234Code: 395. DB::Exception: Value passed to 'throwIf'");

    late.header = "X-ClickHouse-Exception-Code: 395\r\n";
    add_server(fixture, 1, 1);
    assert_true(open_servers(fixture));
    fake_will_say(&fixture->server[0], late);
    assert_false(ask(fixture, "SELECT 1"));
    says_why(fixture, TALLY_INVALID, "code 395");
    answer_is(fixture, 0, "");
    assert_true(request_has(&fixture->server[0], "wait_end_of_query=1"));
}

static void answers_beyond_memory_are_an_error(void **state)
{
    struct fixture *fixture = *state;
    struct servers_question question = {.sql = "SELECT 1"};

    add_server(fixture, 1, 2);
    add_server(fixture, 2, 2);
    assert_true(open_servers(fixture));
    fixture->servers->answer_bytes_max = 10;
    fake_will_say(&fixture->server[0], says("0123456789"));
    assert_true(ask(fixture, "SELECT 1"));
    fake_will_say(&fixture->server[0], says("01234567890"));
    assert_false(ask(fixture, "SELECT 1"));
    says_why(fixture, TALLY_NO_MEMORY, "more than 10 bytes");
    answer_is(fixture, 0, "0123456789");
    fake_will_say(&fixture->server[0], says("01234"));
    fake_will_say(&fixture->server[1], says("012345")); // all of them together
    assert_false(servers_ask_each(fixture->servers, &question, fixture->out, &fixture->err));
    says_why(fixture, TALLY_NO_MEMORY, "more than 10 bytes");
    answer_is(fixture, 0, "0123456789");
    answer_is(fixture, 1, "");
}

static void broken_answers_do_not_use_up_the_memory(void **state)
{
    struct fixture *fixture = *state;
    struct fake_answer cut = says("0123456789");

    cut.cut = true;
    add_server(fixture, 1, 1);
    fixture->options.retry_ms = 5000;
    assert_true(open_servers(fixture));
    fixture->servers->answer_bytes_max = 10;
    for (int i = 0; i < 4; i++) {
        fake_will_say(&fixture->server[0], cut);
    }
    fake_will_say(&fixture->server[0], says("0123456789"));
    assert_true(ask(fixture, "SELECT 1"));
    answer_is(fixture, 0, "0123456789");
}

static void all_shards_answer_or_none(void **state)
{
    struct fixture *fixture = *state;
    struct servers_question question = {.sql = "SELECT 1"};

    add_server(fixture, 1, 2);
    add_server(fixture, 2, 2);
    assert_true(open_servers(fixture));
    bytes_put(&fixture->out[0], "<", 1);
    bytes_put(&fixture->out[1], "<", 1);
    fake_will_say(&fixture->server[0], says("first"));
    fake_will_say(&fixture->server[1], fails(500, "Code: 395, e.displayText() = no"));
    assert_false(servers_ask_each(fixture->servers, &question, fixture->out, &fixture->err));
    says_why(fixture, TALLY_INVALID, "395");
    answer_is(fixture, 0, "<");
    answer_is(fixture, 1, "<");
}

// --- silence

static void server_at_work_is_waited_for(void **state)
{
    struct fixture *fixture = *state;
    struct fake_answer slow = says("slow");

    slow.silent_ms = 1200;
    add_server(fixture, 1, 1);
    FAKE_SET(&fixture->server[0], running, 1);
    assert_true(open_servers(fixture));
    fake_will_say(&fixture->server[0], slow);
    fixture->steps = 0;
    assert_true(ask(fixture, "SELECT 1"));
    answer_is(fixture, 0, "slow");
    assert_true(fake_checks(&fixture->server[0]) >= 2);
    assert_true(fixture->steps >= 10);
}

static void question_that_got_lost_is_asked_anew(void **state)
{
    struct fixture *fixture = *state;
    struct fake_answer lost = says("never");

    lost.silent_ms = 5000;
    add_server(fixture, 1, 1);
    add_server(fixture, 1, 1);
    assert_true(open_servers(fixture));
    fake_will_say(&fixture->server[0], lost);
    fake_will_say(&fixture->server[1], says("other"));
    uint64_t before_ns = clock_ticks_ns();
    assert_true(ask(fixture, "SELECT 1"));
    assert_true(clock_ticks_ns() - before_ns < 3000 * 1000000ull);
    answer_is(fixture, 0, "other");
    assert_int_equal(fake_checks(&fixture->server[0]), 1);
}

static void server_that_hangs_is_given_up(void **state)
{
    struct fixture *fixture = *state;

    add_server(fixture, 1, 1);
    assert_true(open_servers(fixture));
    fake_will_say(&fixture->server[0], says("x"));
    fake_will_say(&fixture->server[0], says("x"));
    FAKE_SET(&fixture->server[0], deaf, true);
    assert_false(ask(fixture, "SELECT 1"));
    says_why(fixture, TALLY_UNAVAILABLE, "no answer for 300 ms");
}

static void insert_that_hangs_is_given_up(void **state)
{
    struct fixture *fixture = *state;
    struct fake_answer slow = says("");
    struct bytes rows;

    slow.silent_ms = 8000;
    add_server(fixture, 1, 1);
    FAKE_SET(&fixture->server[0], running, 1);
    assert_true(open_servers(fixture));
    fake_will_say(&fixture->server[0], slow);
    fake_will_say(&fixture->server[0], slow);
    bytes_init(&rows);
    bytes_put(&rows, "rows", 4);
    uint64_t before_ns = clock_ticks_ns();
    assert_false(servers_insert(fixture->servers, "t", &rows, &fixture->err));
    assert_true(clock_ticks_ns() - before_ns < 5000 * 1000000ull);
    says_why(fixture, TALLY_UNAVAILABLE, "no answer for");
    bytes_done(&rows);
}

// --- who asks

static char *write_password(const char *text)
{
    static char path[] = "/tmp/tally-password-XXXXXX";
    snprintf(path + sizeof path - 7, 7, "XXXXXX");
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return path;
}

static void password_goes_in_a_header_alone(void **state)
{
    struct fixture *fixture = *state;

    add_server(fixture, 1, 1);
    fixture->options.user = "fritz";
    fixture->options.password_file = write_password("s3cr3t & more\nsecond line\n");
    assert_true(open_servers(fixture));
    fake_will_say(&fixture->server[0], fails(401, "Code: 516. DB::Exception: fritz: wrong."));
    assert_false(ask(fixture, "SELECT 1"));
    says_why(fixture, TALLY_INVALID, "fritz: wrong");
    assert_null(strstr(fixture->err.message, "s3cr3t"));
    assert_true(request_has(&fixture->server[0], "\r\nX-ClickHouse-User: fritz\r\n"));
    assert_true(request_has(&fixture->server[0], "\r\nX-ClickHouse-Key: s3cr3t & more\r\n"));
    fixture->server[0].request[strcspn(fixture->server[0].request, "\r")] = '\0';
    assert_null(strstr(fixture->server[0].request, "s3cr3t"));
    assert_null(strstr(fixture->server[0].request, "fritz"));
    unlink(fixture->options.password_file);
}

static void password_that_cannot_be_read_is_an_error(void **state)
{
    struct fixture *fixture = *state;

    add_server(fixture, 1, 1);
    fixture->options.password_file = "/nowhere/password";
    assert_false(open_servers(fixture));
    says_why(fixture, TALLY_IO, "password file '/nowhere/password'");
    fixture->options.password_file = write_password("\nx");
    assert_false(open_servers(fixture));
    says_why(fixture, TALLY_INVALID, "no password");
    unlink(fixture->options.password_file);
    fixture->options.password_file = write_password("a\tb");
    assert_false(open_servers(fixture));
    says_why(fixture, TALLY_INVALID, "no password");
    assert_null(strstr(fixture->err.message, "a\tb"));
    unlink(fixture->options.password_file);
}

// --- what is sent along

static void ask_with_numbers(struct fixture *fixture, const char *sql, const uint64_t *number,
                             size_t count)
{
    struct servers_numbers numbers = {.name = "committed", .number = number, .count = count};
    struct servers_question question = {.sql = sql, .numbers = &numbers, .numbers_count = 1};

    fake_will_say(&fixture->server[0], says("yes"));
    assert_true(servers_ask(fixture->servers, 0, &question, &fixture->out[0], &fixture->err));
}

static void numbers_go_along_as_a_table(void **state)
{
    static const uint64_t numbers[] = {0x4847464544434241, 2};
    struct fixture *fixture = *state;
    struct fake_server *server = &fixture->server[0];

    add_server(fixture, 1, 1);
    assert_true(open_servers(fixture));
    ask_with_numbers(fixture, "SELECT x FROM y WHERE batch IN committed", numbers, 2);
    assert_true(request_has(server, "committed_structure=n%20UInt64"));
    assert_true(request_has(server, "committed_format=RowBinary"));
    assert_true(request_has(server, "name=\"committed\"; filename=\"committed\""));
    assert_true(request_has(server, "\r\n\r\nABCDEFGH\x02"));
    assert_true(request_has(server, "query=SELECT%20x%20FROM%20y"));
    assert_true(request_has(server, "database=tally"));
    ask_with_numbers(fixture, "SELECT x FROM y WHERE batch IN committed", NULL, 0);
    assert_true(request_has(server, "name=\"committed\"; filename=\"committed\""));
    assert_true(request_has(server, "\r\n\r\n\r\n--"));
}

static void numbers_stand_in_a_statement_too_long_for_an_address(void **state)
{
    static const char start[] =
        "SELECT 1 WHERE x IN committed AND y IN committed_not AND "
        "s = 'it\\'s IN committed' AND `b IN committed` AND z IN committed)'";
    static const uint64_t numbers[] = {17, 18446744073709551615u};
    struct fixture *fixture = *state;
    struct fake_server *server = &fixture->server[0];
    char *sql = malloc(20000);

    assert_non_null(sql);
    add_server(fixture, 1, 1);
    assert_true(open_servers(fixture));
    memset(sql, 'a', 20000);
    memcpy(sql, start, sizeof start - 1);
    sql[19999] = '\0';
    ask_with_numbers(fixture, sql, numbers, 2);
    assert_true(request_has(server, "\r\n\r\nSELECT 1 WHERE x IN (17,18446744073709551615) AND y "
                                    "IN committed_not AND s = 'it\\'s IN committed' AND "
                                    "`b IN committed` AND z IN (17,18446744073709551615))'aaa"));
    ask_with_numbers(fixture, sql, NULL, 0);
    assert_true(request_has(server, "x IN (SELECT toUInt64(0) WHERE 0) AND y"));
    free(sql);
}

static void insert_is_tried_anew_with_the_same_bytes(void **state)
{
    struct fixture *fixture = *state;
    struct bytes rows;

    add_server(fixture, 1, 1);
    assert_true(open_servers(fixture));
    bytes_init(&rows);
    assert_true(servers_insert(fixture->servers, "tally_versions", &rows, &fixture->err));
    assert_int_equal(fake_taken(&fixture->server[0]), 0); // nothing to say
    bytes_put(&rows, "\0\1\2rows", 7);
    hang_up(&fixture->server[0]);
    fake_will_say(&fixture->server[0], fails(500, "Code: 209, e.displayText() = Timeout"));
    fake_will_say(&fixture->server[0], says(""));
    assert_true(servers_insert(fixture->servers, "tally_versions", &rows, &fixture->err));
    assert_int_equal(fake_taken(&fixture->server[0]), 4);
    assert_true(request_has(&fixture->server[0], "insert_distributed_sync=1"));
    assert_true(request_has(&fixture->server[0],
                            "query=INSERT%20INTO%20tally_versions%20FORMAT%20RowBinary"));
    pthread_mutex_lock(&fixture->server[0].lock);
    size_t bytes = fixture->server[0].request_bytes;
    assert_memory_equal(fixture->server[0].request + bytes - 7, "\0\1\2rows", 7);
    pthread_mutex_unlock(&fixture->server[0].lock);
    fake_will_say(&fixture->server[0], fails(500, "Code: 33, e.displayText() = short"));
    assert_false(servers_insert_at(fixture->servers, 0, "t_local", &rows, &fixture->err));
    says_why(fixture, TALLY_INVALID, "insert into t_local");
    bytes_done(&rows);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(hosts_are_asked_for_their_shard),
        CASE(cluster_that_cannot_serve_is_refused),
        CASE(shard_that_is_down_is_waited_for),
        CASE(replica_that_was_down_is_found_later),
        CASE(next_host_is_asked_when_one_is_gone),
        CASE(busy_server_is_asked_anew),
        CASE(tries_end_after_the_time_for_them),
        CASE(refusal_is_for_good),
        CASE(replica_catches_up_before_it_is_asked),
        CASE(replica_that_stays_behind_is_passed_over),
        CASE(answer_that_breaks_off_is_none),
        CASE(answer_with_an_exception_is_none),
        CASE(answers_beyond_memory_are_an_error),
        CASE(broken_answers_do_not_use_up_the_memory),
        CASE(all_shards_answer_or_none),
        CASE(server_at_work_is_waited_for),
        CASE(question_that_got_lost_is_asked_anew),
        CASE(server_that_hangs_is_given_up),
        CASE(insert_that_hangs_is_given_up),
        CASE(password_goes_in_a_header_alone),
        CASE(password_that_cannot_be_read_is_an_error),
        CASE(numbers_go_along_as_a_table),
        CASE(numbers_stand_in_a_statement_too_long_for_an_address),
        CASE(insert_is_tried_anew_with_the_same_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
