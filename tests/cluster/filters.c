// tests/cluster/filters.c - conditions on dimensions, said in SQL and in C.
//
//   cluster_filters HOST CLUSTER SEED FILTERS
//
// Random lists of texts and globs, negated or not, against random texts of any bytes: what a server
// lets through is what filter_matches does.
#include "store/cluster/schema_private.h"
#include "store/cluster/servers.h"
#include "store/cluster/sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXTS = 60, TEXT_BYTES = 7, LIST_BYTES = 160 };

struct text {
    char at[TEXT_BYTES];
    size_t bytes;
};

static uint64_t random_state;

static uint32_t below(uint32_t count)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % count;
}

// Few characters, so that texts and patterns meet: a NUL, a line's end, halves of UTF-8 characters,
// what means something to regular expressions, SQL or filters.
static char any_byte(void)
{
    static const char bytes[] = "aab\0\n\xc3\xc3\xa4\xff.$^|)('\\*?\"A";
    return bytes[below(sizeof bytes - 1)];
}

// Of bytes, and of characters of two, three and four.
static void make_text(struct text *text)
{
    static const char *const characters[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};

    text->bytes = below(TEXT_BYTES + 1);
    for (size_t i = 0; i < text->bytes; i++) {
        text->at[i] = any_byte();
    }
    for (size_t i = 0; i + 4 <= text->bytes; i += 1 + below(3)) {
        const char *whole = characters[below(3)];
        memcpy(text->at + i, whole, below(4) ? strlen(whole) : 1);
    }
}

// One pattern of a list; `from` is a text that it may let through.
static void put_pattern(char *list, size_t *bytes, const struct text *from)
{
    bool quoted = below(4) == 0;

    list[(*bytes)++] = quoted ? '"' : 'a';
    *bytes -= !quoted;
    for (size_t i = 0; i < from->bytes; i++) {
        char c = below(6) ? from->at[i] : any_byte();
        if (c == '\0' || c == '"') {
            continue;
        }
        switch (quoted ? 9 : below(8)) {
        case 0:
            list[(*bytes)++] = '*';
            i += below(3);
            break;
        case 1:
            list[(*bytes)++] = '?';
            while (i + 1 < from->bytes && ((unsigned char)from->at[i + 1] & 0xc0) == 0x80) {
                i++;
            }
            break;
        default:
            // Here and there a wildcard stays one.
            if (!quoted && (c == ',' || c == '!' || c == ' ' || (c == '\\') || below(3) == 0)) {
                list[(*bytes)++] = '\\';
            }
            list[(*bytes)++] = c;
        }
    }
    if (quoted) {
        list[(*bytes)++] = '"';
    }
}

static void make_list(char list[LIST_BYTES], const struct text *texts)
{
    size_t bytes = 0;

    if (below(3) == 0) {
        list[bytes++] = '!';
    }
    for (uint32_t i = below(4);; i--) {
        put_pattern(list, &bytes, &texts[below(TEXTS)]);
        if (i == 0) {
            break;
        }
        list[bytes++] = ',';
    }
    list[bytes] = '\0';
}

static bool put_question(struct bytes *sql, const struct filter *filter, const struct text *texts)
{
    bytes_clear(sql);
    sql_print(sql, "SELECT toUInt8(");
    schema_put_filter(sql, filter, "text");
    sql_print(sql, ") FROM (SELECT arrayJoin([");
    for (size_t i = 0; i < TEXTS; i++) {
        sql_print(sql, "%s", i > 0 ? ", " : "");
        sql_quote(sql, texts[i].at, texts[i].bytes);
    }
    sql_print(sql, "]) AS text)");
    return sql_text(sql);
}

static bool agree(struct servers *servers, const char *list, const struct text *texts,
                  uint32_t *passed, struct tally_err *err)
{
    struct filter filter;
    struct bytes sql;
    struct bytes answer;

    if (!filter_init(&filter, "d", list, err)) {
        return true; // not a list
    }
    bytes_init(&sql);
    bytes_init(&answer);
    bool ok = put_question(&sql, &filter, texts);
    struct servers_question question = {.sql = (const char *)sql.data, .outside = true};
    ok = ok && servers_ask(servers, 0, &question, &answer, err);
    if (ok && answer.count != TEXTS) {
        ok = err_set(err, TALLY_CORRUPT, "%zu answers", answer.count);
    }
    for (size_t i = 0; ok && i < TEXTS; i++) {
        bool want = filter_matches(&filter, texts[i].at, texts[i].bytes);
        *passed += want;
        if (answer.data[i] != want) {
            ok = err_set(err, TALLY_CORRUPT, "text %zu: %d, should be %d: %.180s", i,
                         answer.data[i], want, (const char *)sql.data);
        }
    }
    bytes_done(&answer);
    bytes_done(&sql);
    filter_done(&filter);
    return ok;
}

int main(int argc, char **argv)
{
    struct text texts[TEXTS];
    char list[LIST_BYTES];
    struct tally_err err = {.code = TALLY_OK};
    uint32_t passed = 0;

    if (argc != 5) {
        fprintf(stderr, "usage: cluster_filters HOST CLUSTER SEED FILTERS\n");
        return 64;
    }
    struct cluster_options options = {.host = {argv[1]},
                                      .hosts_count = 1,
                                      .cluster = argv[2],
                                      .database = "default",
                                      .user = "default",
                                      .timeout_ms = 30000,
                                      .retry_ms = 5000};
    random_state = strtoull(argv[3], NULL, 10) * 0x9e3779b97f4a7c15 + 1;
    struct servers *servers = servers_open(&options, (struct progress){0}, &err);
    bool ok = servers;
    for (unsigned long i = strtoul(argv[4], NULL, 10); ok && i > 0; i--) {
        for (size_t t = 0; t < TEXTS; t++) {
            make_text(&texts[t]);
        }
        make_list(list, texts);
        ok = agree(servers, list, texts, &passed, &err);
    }
    servers_close(servers);
    if (!ok) {
        fprintf(stderr, "cluster_filters: list '%s': %s\n", list, err.message);
        return 1;
    }
    printf("filters: SQL and C agree, %u texts passed\n", passed);
    return 0;
}
