// tests/cluster/asking.c - one question to servers, and what came of it.
//
//   cluster_asking HOSTS CLUSTER TIMEOUT_MS RETRY_MS STATEMENT [NUMBERS PADDING]
//
// HOSTS: names with blanks between them. NUMBERS: how many go along as "numbers", 0, 2, 4 ...;
// PADDING: blanks in the statement. Says "begun" when the first bytes of an answer are there. Ends
// with the number of bytes of all shards' answers and their sum as UInt64, or with the error's code
// and words.
#include "store/cluster/servers.h"
#include "store/cluster/sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct asking {
    struct bytes answer[SERVERS_SHARDS_MAX];
    bool begun;
};

static void on_step(void *context)
{
    struct asking *asking = context;

    for (size_t i = 0; i < SERVERS_SHARDS_MAX && !asking->begun; i++) {
        asking->begun = asking->answer[i].count > 0;
        if (asking->begun) {
            puts("begun");
            fflush(stdout);
        }
    }
}

static bool ask(struct servers *servers, struct asking *asking, char **argv, struct tally_err *err)
{
    struct servers_numbers numbers = {.name = "numbers", .count = strtoul(argv[0], NULL, 10)};
    size_t padding = strtoul(argv[1], NULL, 10);
    uint64_t *number = calloc(numbers.count + 1, sizeof *number);
    struct bytes sql;

    bytes_init(&sql);
    sql_print(&sql, "%s%*s", argv[-1], (int)padding, "");
    for (size_t i = 0; number && i < numbers.count; i++) {
        number[i] = 2 * i;
    }
    numbers.number = number;
    struct servers_question question = {
        .sql = sql_text(&sql), .numbers = &numbers, .numbers_count = 1};
    bool ok = number && question.sql && servers_ask_each(servers, &question, asking->answer, err);
    bytes_done(&sql);
    free(number);
    return ok;
}

static void tell(const struct asking *asking, size_t shards)
{
    uint64_t bytes = 0;
    uint64_t sum = 0;

    for (size_t i = 0; i < shards; i++) {
        struct cursor in = cursor_over(asking->answer[i].data, asking->answer[i].count);
        bytes += cursor_left(&in);
        while (cursor_left(&in) >= sizeof sum) {
            sum += cursor_take_u64(&in);
        }
    }
    printf("%" PRIu64 " %" PRIu64 "\n", bytes, sum);
}

int main(int argc, char **argv)
{
    static char *nothing[] = {NULL, "0", "0"};
    struct asking asking = {.begun = false};
    struct tally_err err = {.code = TALLY_OK};
    struct cluster_options options = {.database = "default", .user = "default"};

    if (argc != 6 && argc != 8) {
        return 64;
    }
    options.cluster = argv[2];
    options.timeout_ms = strtoul(argv[3], NULL, 10);
    options.retry_ms = strtoul(argv[4], NULL, 10);
    for (char *host = strtok(argv[1], " "); host; host = strtok(NULL, " ")) {
        options.host[options.hosts_count++] = host;
    }
    for (size_t i = 0; i < SERVERS_SHARDS_MAX; i++) {
        bytes_init(&asking.answer[i]);
    }
    nothing[0] = argv[5];
    struct servers *servers = servers_open(&options, (struct progress){on_step, &asking}, &err);
    bool ok = servers && ask(servers, &asking, argc == 8 ? argv + 6 : nothing + 1, &err);
    if (ok) {
        tell(&asking, servers_shards(servers));
    } else {
        printf("error %d %s\n", err.code, err.message);
    }
    servers_close(servers);
    for (size_t i = 0; i < SERVERS_SHARDS_MAX; i++) {
        bytes_done(&asking.answer[i]);
    }
    return !ok;
}
