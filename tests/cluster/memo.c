#include "tests/cluster/memo.h"

#include "base/checksum.h"
#include "base/clock.h"
#include "store/cluster/schema.h"
#include "store/cluster/schema_private.h"
#include "store/cluster/servers.h"
#include "store/cluster/sql.h"
#include "tests/unit/fail.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHARDS_MAX = 2, KNOWN_MAX = 1 << 17, CHANGES_MAX = 1 << 14, WORDS_BYTES = 160 };
enum { MAKING = 9 }; // a state

// Names of one length, so that one may stand for another within a text.
static char name_told[] = "tally_memo_t";
static char name_of_root[][sizeof name_told] = {"tally_memo_0", "tally_memo_1"};

enum kind { ASK, ASK_HOST, ASK_EACH, INSERT, INSERT_AT };

struct request {
    enum kind kind;
    size_t index;     // of the shard or host
    const char *text; // statement or table
    const struct servers_numbers *numbers;
    size_t numbers_count;
    bool outside;
    const void *rows;
    size_t rows_bytes;
};

struct known {
    uint64_t key; // 0: a free place
    bool ok;
    struct tally_err err;
    struct bytes answer[SHARDS_MAX];
};

// A request that changed something: from one state to the next.
struct change {
    uint64_t before;
    uint64_t behind;
    struct request request; // a copy
};

static struct {
    struct cluster_options real; // database: that of a root
    struct cluster_options told;
    struct servers *servers;
    struct known known[KNOWN_MAX];
    struct change change[CHANGES_MAX];
    size_t changes;
    enum memo_root root;
    uint64_t state;  // of what is told
    uint64_t tip[2]; // of the real database of each root; 0: not known
    unsigned asked;
    bool only;
    // What is to fail.
    long left; // 0: nothing
    enum memo_fault fault;
    size_t where;
    bool met;
    char words[WORDS_BYTES];
    size_t bytes;
} memo;

static void must(bool ok, const char *what, const struct tally_err *err)
{
    if (!ok) {
        fprintf(stderr, "memo: %s: %s\n", what, err->message);
        exit(1);
    }
}

static int64_t now_s;

void memo_clock(int64_t second)
{
    now_s = second;
}

int64_t __wrap_clock_now_ms(void);
int64_t __wrap_clock_now_ms(void)
{
    return now_s * 1000;
}

// ---- real servers -----------------------------------------------------------------------------

struct servers *__real_servers_open(const struct cluster_options *options, struct progress progress,
                                    struct tally_err *err);
void __real_servers_close(struct servers *servers);
bool __real_servers_ask(struct servers *servers, size_t shard,
                        const struct servers_question *question, struct bytes *out,
                        struct tally_err *err);
bool __real_servers_ask_host(struct servers *servers, size_t host,
                             const struct servers_question *question, struct bytes *out,
                             struct tally_err *err);
bool __real_servers_ask_each(struct servers *servers, const struct servers_question *question,
                             struct bytes *out, struct tally_err *err);
bool __real_servers_insert(struct servers *servers, const char *table, const struct bytes *rows,
                           struct tally_err *err);
bool __real_servers_insert_at(struct servers *servers, size_t shard, const char *table,
                              const struct bytes *rows, struct tally_err *err);

static void rename_in(void *data, size_t bytes, const char *from, const char *to)
{
    size_t name_bytes = strlen(from);
    char *at = data;
    char *end = at + bytes;

    while (bytes > 0 && (at = memmem(at, (size_t)(end - at), from, name_bytes)) != NULL) {
        memcpy(at, to, name_bytes);
    }
}

static bool ask_really(const struct request *request, struct bytes *out, struct tally_err *err)
{
    char *text = strdup(request->text);
    struct bytes rows = {.data = (unsigned char *)request->rows,
                         .count = request->rows_bytes,
                         .capacity = request->rows_bytes,
                         .ok = true};
    bool ok = false;

    assert(text);
    rename_in(text, strlen(text), name_told, memo.real.database);
    struct servers_question question = {.sql = text,
                                        .numbers = request->numbers,
                                        .numbers_count = request->numbers_count,
                                        .outside = request->outside};
    switch (request->kind) {
    case ASK:
        ok = __real_servers_ask(memo.servers, request->index, &question, out, err);
        break;
    case ASK_HOST:
        ok = __real_servers_ask_host(memo.servers, request->index, &question, out, err);
        break;
    case ASK_EACH:
        ok = __real_servers_ask_each(memo.servers, &question, out, err);
        break;
    case INSERT:
        ok = __real_servers_insert(memo.servers, text, &rows, err);
        break;
    case INSERT_AT:
        ok = __real_servers_insert_at(memo.servers, request->index, text, &rows, err);
    }
    must(ok || err->code != TALLY_UNAVAILABLE, "a server", err);
    for (size_t i = 0; i < SHARDS_MAX; i++) {
        rename_in(out[i].data, out[i].count, memo.real.database, name_told);
    }
    free(text);
    memo.asked++;
    return ok;
}

static void say_on_hosts(const char *statement)
{
    struct bytes out[SHARDS_MAX];
    struct tally_err err = {0};

    for (size_t i = 0; i < SHARDS_MAX; i++) {
        bytes_init(&out[i]);
    }
    for (size_t i = 0; i < memo.real.hosts_count; i++) {
        struct request request = {.kind = ASK_HOST, .index = i, .text = statement, .outside = true};
        must(ask_really(&request, out, &err), statement, &err);
    }
    for (size_t i = 0; i < SHARDS_MAX; i++) {
        bytes_done(&out[i]);
    }
}

static void start_anew(enum memo_root root)
{
    char text[120];

    if (root == MEMO_NOTHING) {
        snprintf(text, sizeof text, "DROP DATABASE IF EXISTS %s", name_told);
        say_on_hosts(text);
        return;
    }
    for (size_t i = 0; i < schema_tables_count(); i++) {
        snprintf(text, sizeof text, "TRUNCATE TABLE %s.%s_local", name_told,
                 schema_table_at(i)->name);
        say_on_hosts(text);
    }
}

static uint64_t state_of_root(enum memo_root root)
{
    return (uint64_t)root + 1;
}

static const struct change *change_to(uint64_t state)
{
    for (size_t i = 0; i < memo.changes; i++) {
        if (memo.change[i].behind == state) {
            return &memo.change[i];
        }
    }
    return NULL;
}

static void go_to(uint64_t state)
{
    const struct change *change = change_to(state);
    struct bytes out[SHARDS_MAX];
    struct tally_err err = {0};

    if (memo.tip[memo.root] == state) {
        return;
    }
    if (!change) {
        start_anew(memo.root);
        memo.tip[memo.root] = state;
        return;
    }
    go_to(change->before);
    for (size_t i = 0; i < SHARDS_MAX; i++) {
        bytes_init(&out[i]);
    }
    must(ask_really(&change->request, out, &err), change->request.text, &err);
    for (size_t i = 0; i < SHARDS_MAX; i++) {
        bytes_done(&out[i]);
    }
    memo.tip[memo.root] = state;
}

// ---- what is known ----------------------------------------------------------------------------

static uint64_t sum_of(const struct request *request, uint64_t seed)
{
    uint64_t head[] = {request->kind, request->index, request->numbers_count};
    uint64_t sum = checksum64(head, sizeof head, seed);

    sum = checksum64(request->text, strlen(request->text), sum);
    for (size_t i = 0; i < request->numbers_count; i++) {
        sum = checksum64(request->numbers[i].number,
                         request->numbers[i].count * sizeof *request->numbers[i].number, sum);
    }
    return checksum64(request->rows, request->rows_bytes, sum) | 1;
}

static bool is_change(const struct request *request)
{
    return request->kind >= INSERT || strncmp(request->text, "SELECT", 6) != 0;
}

static void keep_change(const struct request *request, uint64_t behind)
{
    struct change *change = &memo.change[memo.changes];
    void *rows = malloc(request->rows_bytes + 1);

    if (change_to(behind)) {
        return;
    }
    assert(memo.changes < CHANGES_MAX && rows && request->numbers_count == 0);
    memcpy(rows, request->rows ? request->rows : "", request->rows_bytes);
    *change = (struct change){.before = memo.state, .behind = behind, .request = *request};
    change->request.text = strdup(request->text);
    change->request.rows = rows;
    assert(change->request.text);
    memo.changes++;
}

static struct known *place_of(uint64_t key)
{
    size_t at = (size_t)(key >> 20) % KNOWN_MAX;

    for (size_t tries = 0; memo.known[at].key != 0 && memo.known[at].key != key; tries++) {
        assert(tries < KNOWN_MAX / 2);
        at = (at + 1) % KNOWN_MAX;
    }
    return &memo.known[at];
}

// NULL: was never asked, and shall not be.
static struct known *find_answer(const struct request *request)
{
    // What the tables are is the same whatever they hold.
    bool of_tables = memo.root == MEMO_TABLES && strstr(request->text, "FROM system.");
    uint64_t key = sum_of(request, of_tables ? state_of_root(memo.root) : memo.state);
    struct known *known = place_of(key);

    if (known->key == 0 && memo.only) {
        return NULL;
    }
    if (known->key == 0) {
        go_to(memo.state);
        for (size_t i = 0; i < SHARDS_MAX; i++) {
            bytes_init(&known->answer[i]);
        }
        known->ok = ask_really(request, known->answer, &known->err);
        known->key = key;
        if (known->ok && is_change(request)) {
            keep_change(request, key);
            memo.tip[memo.root] = key;
        }
    }
    if (known->ok && is_change(request)) {
        memo.state = key;
    }
    return known;
}

// ---- faults -----------------------------------------------------------------------------------

static bool is_of_questions(enum memo_fault fault)
{
    return fault >= MEMO_EMPTY;
}

// Whether this is the request that fails.
static bool is_due(const struct request *request)
{
    if (memo.left == 0 || (is_of_questions(memo.fault) && is_change(request)) || --memo.left > 0) {
        return false;
    }
    memo.met = true;
    snprintf(memo.words, sizeof memo.words, "%s", request->text);
    return true;
}

static bool refuse(struct tally_err *err)
{
    switch (memo.fault) {
    case MEMO_UNREACHED:
    case MEMO_UNHEARD:
        return err_set(err, TALLY_UNAVAILABLE, "memo: no answer");
    case MEMO_NO_SPACE:
        return err_set(err, TALLY_NO_SPACE, "memo: no space");
    case MEMO_NO_MEMORY:
        return err_set(err, TALLY_NO_MEMORY, "memo: no memory");
    default:
        return err_set(err, TALLY_INVALID, "memo: refused");
    }
}

// One byte of all answers is another one.
static void put_false(const struct known *known, struct bytes *out, size_t outs)
{
    size_t at = memo.where;

    if (memo.fault == MEMO_LONGER) {
        bytes_put_u8(&out[0], 0xff);
    }
    for (size_t i = 0; i < outs; i++) {
        size_t count = known->answer[i].count;
        memo.bytes += count;
        if (memo.fault == MEMO_EMPTY || (memo.fault == MEMO_CUT && at < count)) {
            out[i].count -= memo.fault == MEMO_EMPTY ? count : count - at;
        } else if (memo.fault != MEMO_LONGER && memo.fault != MEMO_CUT && at < count) {
            out[i].data[out[i].count - count + at] = memo.fault == MEMO_GARBLED ? 0xff : 0;
        }
        at = at < count ? SIZE_MAX : at - count;
    }
}

static const struct known *answer_of(const struct request *request, bool *out_due,
                                     struct tally_err *err)
{
    const struct known *known = NULL;

    fail_pause();
    *out_due = is_due(request);
    if (*out_due && !is_of_questions(memo.fault)) {
        if (memo.fault == MEMO_UNHEARD) {
            (void)find_answer(request);
        }
        refuse(err);
    } else {
        known = find_answer(request);
        if (!known) {
            err_set(err, TALLY_UNAVAILABLE, "memo: never asked");
        }
    }
    fail_resume();
    return known;
}

static bool answer(const struct request *request, struct bytes *out, size_t outs,
                   struct tally_err *err)
{
    bool due;
    const struct known *known = answer_of(request, &due, err);

    if (!known) {
        return false;
    }
    if (!known->ok) {
        *err = known->err;
        return false;
    }
    // As the real ones: memory may be short, and then nothing was said.
    for (size_t i = 0; i < outs; i++) {
        size_t count = out[i].count;
        bytes_put(&out[i], known->answer[i].data, known->answer[i].count);
        if (!out[i].ok) {
            out[i].count = count;
            return err_set(err, TALLY_NO_MEMORY, "no memory for an answer");
        }
    }
    if (due) {
        put_false(known, out, outs);
    }
    return true;
}

// ---- in front of servers.h --------------------------------------------------------------------

struct servers *__wrap_servers_open(const struct cluster_options *options, struct progress progress,
                                    struct tally_err *err);
struct servers *__wrap_servers_open(const struct cluster_options *options, struct progress progress,
                                    struct tally_err *err)
{
    struct request request = {.text = "SELECT servers"};

    (void)progress;
    assert(strcmp(options->database, name_told) == 0);
    if (memo.fault < MEMO_EMPTY && is_due(&request)) {
        refuse(err);
        return NULL;
    }
    return memo.servers;
}

void __wrap_servers_close(struct servers *servers);
void __wrap_servers_close(struct servers *servers)
{
    (void)servers;
}

void __wrap_servers_watch(struct servers *servers, struct progress progress);
void __wrap_servers_watch(struct servers *servers, struct progress progress)
{
    (void)servers;
    (void)progress;
}

const struct cluster_options *__wrap_servers_options(const struct servers *servers);
const struct cluster_options *__wrap_servers_options(const struct servers *servers)
{
    (void)servers;
    return &memo.told;
}

static struct request request_of(enum kind kind, size_t index,
                                 const struct servers_question *question)
{
    return (struct request){.kind = kind,
                            .index = index,
                            .text = question->sql,
                            .numbers = question->numbers,
                            .numbers_count = question->numbers_count,
                            .outside = question->outside};
}

bool __wrap_servers_ask(struct servers *servers, size_t shard,
                        const struct servers_question *question, struct bytes *out,
                        struct tally_err *err);
bool __wrap_servers_ask(struct servers *servers, size_t shard,
                        const struct servers_question *question, struct bytes *out,
                        struct tally_err *err)
{
    struct request request = request_of(ASK, shard, question);

    (void)servers;
    return answer(&request, out, 1, err);
}

bool __wrap_servers_ask_host(struct servers *servers, size_t host,
                             const struct servers_question *question, struct bytes *out,
                             struct tally_err *err);
bool __wrap_servers_ask_host(struct servers *servers, size_t host,
                             const struct servers_question *question, struct bytes *out,
                             struct tally_err *err)
{
    struct request request = request_of(ASK_HOST, host, question);

    (void)servers;
    return answer(&request, out, 1, err);
}

bool __wrap_servers_ask_each(struct servers *servers, const struct servers_question *question,
                             struct bytes *out, struct tally_err *err);
bool __wrap_servers_ask_each(struct servers *servers, const struct servers_question *question,
                             struct bytes *out, struct tally_err *err)
{
    struct request request = request_of(ASK_EACH, 0, question);

    return answer(&request, out, servers_shards(servers), err);
}

static bool insert(enum kind kind, size_t shard, const char *table, const struct bytes *rows,
                   struct tally_err *err)
{
    struct request request = {
        .kind = kind, .index = shard, .text = table, .rows = rows->data, .rows_bytes = rows->count};

    if (!rows->ok) {
        return err_set(err, TALLY_NO_MEMORY, "no memory for rows");
    }
    return rows->count == 0 || answer(&request, NULL, 0, err);
}

bool __wrap_servers_insert(struct servers *servers, const char *table, const struct bytes *rows,
                           struct tally_err *err);
bool __wrap_servers_insert(struct servers *servers, const char *table, const struct bytes *rows,
                           struct tally_err *err)
{
    (void)servers;
    return insert(INSERT, 0, table, rows, err);
}

bool __wrap_servers_insert_at(struct servers *servers, size_t shard, const char *table,
                              const struct bytes *rows, struct tally_err *err);
bool __wrap_servers_insert_at(struct servers *servers, size_t shard, const char *table,
                              const struct bytes *rows, struct tally_err *err)
{
    (void)servers;
    return insert(INSERT_AT, shard, table, rows, err);
}

// ---- for the test -----------------------------------------------------------------------------

static void fill_options(struct cluster_options *options, char *hosts, const char *cluster)
{
    char *rest = NULL;

    for (char *host = strtok_r(hosts, " ", &rest); host; host = strtok_r(NULL, " ", &rest)) {
        options->host[options->hosts_count++] = host;
    }
    options->cluster = (char *)cluster;
    options->user = (char *)"default";
    options->writer = (char *)"memo";
    options->timeout_ms = 60000;
    options->retry_ms = 60000;
}

void memo_open(char *hosts, const char *cluster)
{
    struct tally_err err = {0};

    fail_pause();
    fill_options(&memo.real, hosts, cluster);
    memo.told = memo.real;
    memo.told.database = name_told;
    memo.real.database = name_of_root[MEMO_TABLES];
    memo.servers = __real_servers_open(&memo.real, (struct progress){0}, &err);
    must(memo.servers, "servers", &err);
    assert(servers_shards(memo.servers) == SHARDS_MAX);
    start_anew(MEMO_NOTHING);
    memo.root = MEMO_TABLES;
    memo.state = memo.tip[MEMO_TABLES] = MAKING;
    fail_resume();
    // By what is under test itself, once.
    must(schema_init(memo.servers, NULL, 0, &err), "tables", &err);
    memo.tip[MEMO_TABLES] = 0;
}

void memo_close(void)
{
    for (size_t root = MEMO_NOTHING; root <= MEMO_TABLES; root++) {
        memo.real.database = name_of_root[root];
        start_anew(MEMO_NOTHING);
    }
    for (size_t i = 0; i < memo.changes; i++) {
        free((char *)memo.change[i].request.text);
        free((void *)memo.change[i].request.rows);
    }
    for (size_t i = 0; i < KNOWN_MAX; i++) {
        for (size_t shard = 0; memo.known[i].key != 0 && shard < SHARDS_MAX; shard++) {
            bytes_done(&memo.known[i].answer[shard]);
        }
    }
    __real_servers_close(memo.servers);
}

struct cluster_options *memo_options(void)
{
    return &memo.told;
}

void memo_begin(enum memo_root root)
{
    memo.root = root;
    memo.real.database = name_of_root[root];
    memo.state = state_of_root(root);
}

void memo_arm(enum memo_fault fault, long at, size_t where)
{
    memo.fault = fault;
    memo.left = at;
    memo.where = where;
    memo.met = false;
    memo.bytes = 0;
}

bool memo_disarm(const char **out_request, size_t *out_bytes)
{
    memo.left = 0;
    *out_request = memo.words;
    *out_bytes = memo.bytes;
    return memo.met;
}

void memo_only(bool only)
{
    memo.only = only;
}

uint64_t memo_state(void)
{
    return memo.state;
}

unsigned memo_asked(void)
{
    return memo.asked;
}
