// Whatever a question to servers wants and does not get: memory, a function of libcurl, libcurl.
//
// One scenario opens servers, asks them in each way and inserts. It runs once for each allocation
// in it, for each call of libcurl that may fail, and for each of its functions that may be absent.
#include "store/cluster/curl.h"
#include "store/cluster/servers.h"
#include "store/cluster/shapes.h"
#include "store/cluster/sql.h"
#include "tests/unit/fail.h"
#include "tests/unit/fake_server.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { SHARDS = 2, ANSWERS = 12, LONG_STATEMENT = 20000 };

// ---- in front of libcurl ----------------------------------------------------------------------

static struct {
    long left; // calls that go well before one does not; 0: all do
    const char *failed;
    const char *absent; // the function that is not there
    bool library_absent;
} curl;

static bool fails(const char *name)
{
    if (curl.left == 0 || --curl.left > 0) {
        return false;
    }
    curl.failed = name;
    return true;
}

#define IN_FRONT(result, failed, name, parameters, arguments)                                      \
    static result(*real_##name) parameters;                                                        \
    static result own_##name parameters                                                            \
    {                                                                                              \
        return fails(#name) ? (failed) : real_##name arguments;                                    \
    }

IN_FRONT(CURLcode, CURLE_FAILED_INIT, curl_global_init, (long flags), (flags))
IN_FRONT(CURLM *, NULL, curl_multi_init, (void), ())
IN_FRONT(CURL *, NULL, curl_easy_init, (void), ())
IN_FRONT(char *, NULL, curl_easy_escape, (CURL * easy, const char *text, int bytes),
         (easy, text, bytes))
IN_FRONT(struct curl_slist *, NULL, curl_slist_append, (struct curl_slist * list, const char *text),
         (list, text))
IN_FRONT(curl_mime *, NULL, curl_mime_init, (CURL * easy), (easy))
IN_FRONT(curl_mimepart *, NULL, curl_mime_addpart, (curl_mime * mime), (mime))
IN_FRONT(CURLcode, CURLE_OUT_OF_MEMORY, curl_mime_name, (curl_mimepart * part, const char *name),
         (part, name))
IN_FRONT(CURLcode, CURLE_OUT_OF_MEMORY, curl_mime_filename,
         (curl_mimepart * part, const char *name), (part, name))
IN_FRONT(CURLcode, CURLE_OUT_OF_MEMORY, curl_mime_type, (curl_mimepart * part, const char *type),
         (part, type))
IN_FRONT(CURLcode, CURLE_OUT_OF_MEMORY, curl_mime_data,
         (curl_mimepart * part, const char *data, size_t bytes), (part, data, bytes))
IN_FRONT(CURLMcode, CURLM_OUT_OF_MEMORY, curl_multi_add_handle, (CURLM * multi, CURL *easy),
         (multi, easy))

void *__real_dlopen(const char *file, int mode);
void *__wrap_dlopen(const char *file, int mode);
void *__wrap_dlopen(const char *file, int mode)
{
    return curl.library_absent ? NULL : __real_dlopen(file, mode);
}

void *__real_dlsym(void *library, const char *name);
void *__wrap_dlsym(void *library, const char *name);
void *__wrap_dlsym(void *library, const char *name)
{
    void *found = __real_dlsym(library, name);

    if (curl.absent && strcmp(name, curl.absent) == 0) {
        return NULL;
    }
#define FIND(function)                                                                             \
    if (strcmp(name, #function) == 0) {                                                            \
        memcpy(&real_##function, &found, sizeof found);                                            \
        return (void *)(uintptr_t)own_##function;                                                  \
    }
    FIND(curl_global_init)
    FIND(curl_multi_init)
    FIND(curl_easy_init)
    FIND(curl_easy_escape)
    FIND(curl_slist_append)
    FIND(curl_mime_init)
    FIND(curl_mime_addpart)
    FIND(curl_mime_name)
    FIND(curl_mime_filename)
    FIND(curl_mime_type)
    FIND(curl_mime_data)
    FIND(curl_multi_add_handle)
#undef FIND
    return found;
}

// ---- the scenario -----------------------------------------------------------------------------

struct room {
    struct fake_server server[SHARDS];
    struct cluster_options options;
    char password_file[48];
};

static void open_room_saying(struct room *room, const void *body, size_t bytes)
{
    *room = (struct room){.options = {.hosts_count = SHARDS,
                                      .cluster = (char *)"of_tests",
                                      .database = (char *)"tally",
                                      .user = (char *)"default",
                                      .password_file = room->password_file,
                                      .timeout_ms = 2000,
                                      .retry_ms = 2000}};
    snprintf(room->password_file, sizeof room->password_file, "/tmp/tally-servers-XXXXXX");
    int fd = mkstemp(room->password_file);
    assert_true(fd >= 0 && write(fd, "secret\n", 7) == 7);
    close(fd);
    for (uint32_t i = 0; i < SHARDS; i++) {
        struct fake_server *server = &room->server[i];
        fake_start(server, i + 1, SHARDS);
        room->options.host[i] = server->host;
        FAKE_SET(server, replicas, 2);
        FAKE_SET(server, log, 1);
        for (size_t answer = 0; answer < ANSWERS; answer++) {
            fake_will_say(server,
                          (struct fake_answer){.status = 200, .body = body, .bytes = bytes});
        }
    }
}

static void open_room(struct room *room)
{
    open_room_saying(room, "said", 4);
}

static void close_room(struct room *room)
{
    for (size_t i = 0; i < SHARDS; i++) {
        fake_stop(&room->server[i]);
    }
    unlink(room->password_file);
}

static bool ask_all(struct servers *servers, const char *sql, struct tally_err *err)
{
    static const uint64_t committed[] = {1, 2, UINT64_MAX};
    struct servers_numbers numbers[] = {{"committed", committed, 3}, {"none", committed, 0}};
    struct servers_question question = {.sql = sql, .numbers = numbers, .numbers_count = 2};
    struct bytes out[SHARDS];

    bytes_init(&out[0]);
    bytes_init(&out[1]);
    bool ok = servers_ask_each(servers, &question, out, err);
    if (ok) {
        assert_int_equal(out[0].count + out[1].count, 8);
    } else {
        assert_int_equal(out[0].count + out[1].count, 0);
    }
    bytes_done(&out[0]);
    bytes_done(&out[1]);
    return ok;
}

// A statement that fits in a URL, and one that does not.
static bool ask(struct servers *servers, struct tally_err *err)
{
    static const char words[] = "SELECT n FROM tally_versions_local WHERE a IN committed AND "
                                "b IN none AND c IN committed_not";
    struct servers_question question = {.sql = "SELECT 1"};
    struct bytes sql;
    struct bytes out;

    bytes_init(&sql);
    bytes_init(&out);
    sql_print(&sql, "%s%*s", words, LONG_STATEMENT, "");
    const char *text = sql_text(&sql);
    bool ok = (text || err_set(err, TALLY_NO_MEMORY, "no memory for the test")) &&
              servers_ask(servers, 1, &question, &out, err) &&
              servers_ask_host(servers, 0, &question, &out, err) && ask_all(servers, words, err) &&
              ask_all(servers, text, err);
    bytes_done(&out);
    bytes_done(&sql);
    return ok;
}

static bool insert(struct servers *servers, struct tally_err *err)
{
    struct bytes rows;

    bytes_init(&rows);
    bytes_put_u64(&rows, 7);
    bool ok = servers_insert(servers, "tally_versions", &rows, err) &&
              servers_insert_at(servers, 1, "tally_shapes_local", &rows, err);
    bytes_done(&rows);
    return ok;
}

static bool play(const struct room *room, struct tally_err *err)
{
    struct servers *servers = servers_open(&room->options, (struct progress){0}, err);
    bool ok = servers && ask(servers, err) && insert(servers, err);

    servers_close(servers);
    return ok;
}

// ---- what fails -------------------------------------------------------------------------------

static void each_allocation_may_fail(void **state)
{
    long count = 0;
    const char *name;
    bool failed = true;

    (void)state;
    for (; failed; count++) {
        struct tally_err err = {0};
        struct room room;
        open_room(&room);
        long live = fail_live();
        fail_arm_new(FAIL_MEMORY);
        bool ok = play(&room, &err);
        failed = fail_disarm(&name);
        if (!ok && (!failed || err.code != TALLY_NO_MEMORY)) {
            fail_msg("%s: code %d, %s (%s)", failed ? name : "nothing", err.code, err.message,
                     err.source);
        }
        assert_int_equal(fail_live(), live);
        close_room(&room);
    }
    print_message("%ld allocations\n", count - 1);
    assert_true(count > 20);
}

static void each_call_of_libcurl_may_fail(void **state)
{
    long count = 1;

    (void)state;
    for (;; count++) {
        struct tally_err err = {0};
        struct room room;
        open_room(&room);
        long live = fail_live();
        curl.left = count;
        curl.failed = NULL;
        bool ok = play(&room, &err);
        curl.left = 0;
        // A part of a form that finds no memory leaves the statement another way.
        if (!ok && (!curl.failed || err.code != TALLY_NO_MEMORY)) {
            fail_msg("%s: code %d, %s", curl.failed ? curl.failed : "nothing", err.code,
                     err.message);
        }
        assert_int_equal(fail_live(), live);
        close_room(&room);
        if (!curl.failed) {
            break;
        }
    }
    print_message("%ld calls of libcurl\n", count - 1);
    assert_true(count > 30);
}

static void libcurl_may_be_absent_or_too_old(void **state)
{
    static const char *const names[] = {
#define NAME(name) "curl_" #name,
        CURL_FUNCTIONS(NAME)
#undef NAME
    };

    (void)state;
    struct room room;
    open_room(&room);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct tally_err err = {0};
        curl.absent = names[i];
        assert_null(servers_open(&room.options, (struct progress){0}, &err));
        assert_int_equal(err.code, TALLY_NOT_FOUND);
        assert_non_null(strstr(err.message, names[i]));
    }
    struct tally_err err = {0};
    curl.absent = NULL;
    curl.library_absent = true;
    assert_null(servers_open(&room.options, (struct progress){0}, &err));
    assert_int_equal(err.code, TALLY_NOT_FOUND);
    assert_non_null(strstr(err.message, "libcurl4"));
    curl.library_absent = false;
    close_room(&room);
}

// ---- who is told what -------------------------------------------------------------------------

// "": they are opened.
static void opens(const struct room *room, const char *words)
{
    struct tally_err err = {0};
    struct servers *servers = servers_open(&room->options, (struct progress){0}, &err);

    if (words[0] == '\0' ? !servers : !strstr(err.message, words)) {
        fail_msg("not '%s': %s", words, err.message);
    }
    servers_close(servers);
}

static void versions_are_read_as_they_are_written(void **state)
{
    static const struct {
        const char *version;
        const char *words;
    } told[] = {
        {"18.16", ""},
        {"26.1.3.4", ""},
        {"19", ""},
        {"18.16-testing", ""},
        {"18.99999999", ""},
        {"18/16", "ClickHouse 18.0"},
        {"18.", "ClickHouse 18.0"},
        {"999999.1", ""},
        {"", "ClickHouse 0.0"},
        {"v18", "ClickHouse 0.0"},
        {"18.15.99", "ClickHouse 18.15"},
    };
    struct room room;

    (void)state;
    open_room(&room);
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        FAKE_SET(&room.server[0], version, told[i].version);
        opens(&room, told[i].words);
    }
    close_room(&room);
}

static void what_a_server_says_of_itself_is_checked(void **state)
{
    struct room room;

    (void)state;
    open_room(&room);
    room.options.user = (char *)"de\nfault";
    opens(&room, "control characters");
    room.options.user = (char *)"default";
    for (size_t i = 0; i < SHARDS; i++) {
        FAKE_SET(&room.server[i], shards, 65);
    }
    opens(&room, "more than 64 shards");
    FAKE_SET(&room.server[0], shards, 2);
    FAKE_SET(&room.server[1], shards, 2);
    FAKE_SET(&room.server[0], look_cut, 1);
    opens(&room, "is not understood");
    FAKE_SET(&room.server[0], look_cut, 0);
    FAKE_SET(&room.server[0], twofold, true);
    opens(&room, "several shards");
    FAKE_SET(&room.server[0], twofold, false);
    opens(&room, "");
    close_room(&room);
}

static void put_names(struct bytes *out, size_t count, size_t bytes)
{
    char name[SHAPE_NAME_BYTES_MAX + 1];

    bytes_put_varint(out, count);
    for (size_t i = 0; i < count; i++) {
        memset(name, 'a' + (int)(i % 26), sizeof name);
        bytes_put_text(out, name, bytes);
    }
}

static void shapes_that_cannot_be_are_no_shapes(void **state)
{
    static const struct {
        size_t feed_bytes;
        size_t dims;
        size_t measures;
        size_t name_bytes;
        size_t cut; // bytes that are missing
    } cases[] = {
        {SHAPE_NAME_BYTES_MAX + 1, 1, 1, 3, 0},
        {4, SHAPE_DIMS_MAX + 1, 1, 3, 0},
        {4, 1, SHAPE_MEASURES_MAX + 1, 3, 0},
        {4, 1, 1, SHAPE_NAME_BYTES_MAX + 1, 0},
        {4, 0, 1, SHAPE_NAME_BYTES_MAX + 1, 0},
        {4, 1, 1, 3, 1},
        {4, 1, 1, 3, 6},
        {4, 1, 1, 3, 12},
        {4, 1, 1, 3, 20},
        {4, 1, 1, 3, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char feed[SHAPE_NAME_BYTES_MAX + 2] = "";
        struct tally_err err = {0};
        struct shapes shapes;
        struct room room;
        struct bytes row;
        bytes_init(&row);
        bytes_put_u64(&row, 7); // which is no shape's hash
        memset(feed, 'f', cases[i].feed_bytes);
        bytes_put_text(&row, feed, cases[i].feed_bytes);
        put_names(&row, cases[i].dims, cases[i].name_bytes);
        put_names(&row, cases[i].measures, cases[i].name_bytes);
        open_room_saying(&room, row.data, row.count - cases[i].cut);
        struct servers *servers = servers_open(&room.options, (struct progress){0}, &err);
        assert_non_null(servers);
        shapes_init(&shapes);
        assert_false(shapes_load(&shapes, servers, &err));
        assert_int_equal(err.code, TALLY_CORRUPT);
        assert_int_equal(shapes.count, 0);
        shapes_done(&shapes);
        servers_close(servers);
        close_room(&room);
        bytes_done(&row);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(each_call_of_libcurl_may_fail),
        cmocka_unit_test(libcurl_may_be_absent_or_too_old),
        cmocka_unit_test(versions_are_read_as_they_are_written),
        cmocka_unit_test(what_a_server_says_of_itself_is_checked),
        cmocka_unit_test(shapes_that_cannot_be_are_no_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
