// tests/unit/fake_server.h - what looks like a ClickHouse server, with answers put ready.
//
// A thread listens on loopback, one more a connection. It says by itself of which shard it is, and
// whether it is still at work on a question (`running`); every other request takes the next answer.
#ifndef TESTS_FAKE_SERVER_H
#define TESTS_FAKE_SERVER_H

#include "base/bytes.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FAKE_REQUEST_BYTES_MAX = 256 << 10, FAKE_CONNECTIONS_MAX = 64, FAKE_ANSWERS_MAX = 64 };

struct fake_answer {
    int status; // 0: hangs up without a word
    const char *header;
    const void *body;
    size_t bytes;
    enum fake_length { FAKE_CHUNKED, FAKE_CONTENT_LENGTH, FAKE_UNSIZED } length;
    bool cut;      // hangs up before the end
    int silent_ms; // before it
};

struct fake_server {
    char host[32];
    const char *version;
    uint32_t shard; // 1, 2 ...; 0: it does not know the cluster
    uint32_t shards;
    uint32_t replicas;  // of each shard
    bool absent_minded; // does not find itself
    bool twofold;       // finds itself in each shard
    size_t look_cut;    // bytes that are missing of what it says of itself
    int listener;
    pthread_t thread;
    pthread_mutex_t lock; // of all below
    pthread_t connection[FAKE_CONNECTIONS_MAX];
    int descriptor[FAKE_CONNECTIONS_MAX];
    size_t connections;
    struct fake_answer answer[FAKE_ANSWERS_MAX];
    size_t answers;
    size_t taken;
    bool stopped;
    bool deaf; // says nothing at all any more
    unsigned running;
    unsigned behind; // so often is it behind the other replicas; then it is not
    unsigned looks;  // how often it was asked
    unsigned log;    // entries in the log of a table of which nothing was read
    unsigned checks;
    char request[FAKE_REQUEST_BYTES_MAX]; // the last one that took an answer
    size_t request_bytes;
};

struct fake_connection {
    struct fake_server *server;
    int fd;
};

static inline void fake_send(int fd, const void *data, size_t count)
{
    const char *at = data;

    while (count > 0) {
        ssize_t sent = send(fd, at, count, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        at += sent;
        count -= (size_t)sent;
    }
}

// Sends a whole answer, or one that breaks off. Returns whether the connection goes on.
static inline bool fake_send_answer(int fd, const struct fake_answer *answer)
{
    char head[512];
    size_t count = answer->cut ? answer->bytes / 2 : answer->bytes;

    if (answer->status == 0) {
        return false;
    }
    int bytes = snprintf(head, sizeof head, "HTTP/1.1 %d Said\r\n%s", answer->status,
                         answer->header ? answer->header : "");
    if (answer->length == FAKE_CHUNKED) {
        bytes += snprintf(head + bytes, sizeof head - (size_t)bytes,
                          "Transfer-Encoding: chunked\r\n\r\n%s", "");
        fake_send(fd, head, (size_t)bytes);
        if (count > 0) {
            bytes = snprintf(head, sizeof head, "%zx\r\n", answer->bytes);
            fake_send(fd, head, (size_t)bytes);
            fake_send(fd, answer->body, count);
        }
        if (!answer->cut) {
            fake_send(fd, count > 0 ? "\r\n0\r\n\r\n" : "0\r\n\r\n", count > 0 ? 7 : 5);
        }
        return !answer->cut;
    }
    bytes += answer->length == FAKE_CONTENT_LENGTH
                 ? snprintf(head + bytes, sizeof head - (size_t)bytes,
                            "Content-Length: %zu\r\n\r\n", answer->bytes)
                 : snprintf(head + bytes, sizeof head - (size_t)bytes, "Connection: close\r\n\r\n");
    fake_send(fd, head, (size_t)bytes);
    fake_send(fd, answer->body, count);
    return answer->length == FAKE_CONTENT_LENGTH && !answer->cut;
}

static inline void fake_look(const struct fake_server *server, struct bytes *out)
{
    for (uint32_t i = 1; i <= server->shards && server->shard != 0; i++) {
        for (uint32_t replica = 0; replica < server->replicas; replica++) {
            bytes_put_text(out, server->version, strlen(server->version));
            bytes_put_u32(out, i);
            bool there = i == server->shard || server->twofold;
            bytes_put_u8(out, there && replica == 0 && !server->absent_minded);
        }
    }
    out->count -= server->look_cut;
}

// Reads one request. Returns its bytes; 0: the other side went away.
static inline size_t fake_receive(int fd, char *request)
{
    size_t count = 0;
    size_t want = 0;

    for (;;) {
        const char *end = memmem(request, count, "\r\n\r\n", 4);
        if (end && want == 0) {
            const char *length = memmem(request, count, "Content-Length: ", 16);
            want = (size_t)(end + 4 - request);
            want += length && length < end ? strtoul(length + 16, NULL, 10) : 0;
        }
        if (want > 0 && count >= want) {
            return count;
        }
        ssize_t got = recv(fd, request + count, FAKE_REQUEST_BYTES_MAX - count, 0);
        if (got <= 0) {
            return 0;
        }
        count += (size_t)got;
    }
}

static inline bool fake_is_about(const char *request, size_t count, const char *what)
{
    return memmem(request, count, what, strlen(what));
}

// What to say to a request. False: nothing.
static inline bool fake_choose(struct fake_server *server, const char *request, size_t count,
                               struct bytes *own, struct fake_answer *out)
{
    bool says = true;

    pthread_mutex_lock(&server->lock);
    if (fake_is_about(request, count, "system.clusters")) {
        fake_look(server, own);
        *out = (struct fake_answer){.status = 200, .body = own->data, .bytes = own->count};
    } else if (fake_is_about(request, count, "system.replicas")) {
        bytes_put_text(own, "/p'ath", 6);
        bytes_put_u64(own, server->log > 0 ? 0 : 7);
        bytes_put_u64(own, server->log > 0 ? 0 : server->behind % 2 == 1 ? 7 : 8);
        bytes_put_u64(own, server->behind > 0 && server->behind % 2 == 0);
        server->behind -= server->behind > 0;
        server->looks++;
        *out = (struct fake_answer){.status = 200, .body = own->data, .bytes = own->count};
    } else if (fake_is_about(request, count, "FROM system.zookeeper WHERE path = '/p\\'ath/log'")) {
        bytes_put_u64(own, server->log - 1);
        server->log -= server->log > 1;
        *out = (struct fake_answer){.status = 200, .body = own->data, .bytes = own->count};
    } else if (fake_is_about(request, count, "system.processes")) {
        bytes_put_u64(own, server->running);
        server->checks++;
        *out = (struct fake_answer){.status = 200, .body = own->data, .bytes = own->count};
    } else {
        assert(server->taken < server->answers);
        *out = server->answer[server->taken++];
        memcpy(server->request, request, count);
        server->request_bytes = count;
    }
    says = !server->deaf;
    pthread_mutex_unlock(&server->lock);
    return says;
}

static inline void *fake_serve(void *context)
{
    struct fake_connection connection = *(struct fake_connection *)context;
    char *request = malloc(FAKE_REQUEST_BYTES_MAX);
    bool goes_on = request != NULL;
    size_t count;

    free(context);
    while (goes_on && (count = fake_receive(connection.fd, request)) > 0) {
        struct bytes own;
        struct fake_answer answer;
        bytes_init(&own);
        if (fake_choose(connection.server, request, count, &own, &answer)) {
            struct pollfd gone = {.fd = connection.fd, .events = POLLRDHUP};
            poll(&gone, 1, answer.silent_ms);
            goes_on = fake_send_answer(connection.fd, &answer);
        }
        bytes_done(&own);
    }
    free(request);
    shutdown(connection.fd, SHUT_RDWR);
    return NULL;
}

static inline void *fake_listen(void *context)
{
    struct fake_server *server = context;
    int fd;

    while ((fd = accept(server->listener, NULL, NULL)) >= 0) {
        // An answer goes out in pieces: none shall wait until the one before was acknowledged.
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        struct fake_connection *connection = malloc(sizeof *connection);
        pthread_mutex_lock(&server->lock);
        assert(connection && server->connections < FAKE_CONNECTIONS_MAX);
        *connection = (struct fake_connection){server, fd};
        server->descriptor[server->connections] = fd;
        pthread_create(&server->connection[server->connections++], NULL, fake_serve, connection);
        pthread_mutex_unlock(&server->lock);
    }
    return NULL;
}

static inline void fake_start(struct fake_server *server, uint32_t shard, uint32_t shards)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;

    *server =
        (struct fake_server){.version = "18.16.1", .shard = shard, .shards = shards, .replicas = 1};
    pthread_mutex_init(&server->lock, NULL);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(bind(server->listener, (struct sockaddr *)&address, bytes) == 0);
    assert(listen(server->listener, 16) == 0);
    getsockname(server->listener, (struct sockaddr *)&address, &bytes);
    snprintf(server->host, sizeof server->host, "127.0.0.1:%d", ntohs(address.sin_port));
    pthread_create(&server->thread, NULL, fake_listen, server);
}

static inline void fake_stop(struct fake_server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    for (size_t i = 0; i < server->connections; i++) {
        shutdown(server->descriptor[i], SHUT_RDWR);
        pthread_join(server->connection[i], NULL);
        close(server->descriptor[i]);
    }
    close(server->listener);
    pthread_mutex_destroy(&server->lock);
}

static inline void fake_will_say(struct fake_server *server, struct fake_answer answer)
{
    pthread_mutex_lock(&server->lock);
    assert(server->answers < FAKE_ANSWERS_MAX);
    server->answer[server->answers++] = answer;
    pthread_mutex_unlock(&server->lock);
}

// While it runs.
#define FAKE_SET(server, field, value)                                                             \
    do {                                                                                           \
        pthread_mutex_lock(&(server)->lock);                                                       \
        (server)->field = (value);                                                                 \
        pthread_mutex_unlock(&(server)->lock);                                                     \
    } while (0)

static inline unsigned fake_checks(struct fake_server *server)
{
    pthread_mutex_lock(&server->lock);
    unsigned checks = server->checks;
    pthread_mutex_unlock(&server->lock);
    return checks;
}

static inline size_t fake_taken(struct fake_server *server)
{
    pthread_mutex_lock(&server->lock);
    size_t taken = server->taken;
    pthread_mutex_unlock(&server->lock);
    return taken;
}

#endif
