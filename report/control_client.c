#include "report/control_client.h"

#include "base/disk.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

enum { READ_BYTES = 65536 };

bool control_connect(struct control_client *client, const char *path, struct tally_err *err)
{
    const struct timeval wait = {.tv_sec = CONTROL_WAIT_S};
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *client = (struct control_client){.fd = -1};
    bytes_init(&client->input);
    if (strlen(path) >= sizeof address.sun_path) {
        return err_set(err, TALLY_INVALID, "%.60s... is too long for the path of a socket", path);
    }
    memcpy(address.sun_path, path, strlen(path));
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 ||
        setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) != 0 ||
        setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) != 0) {
        return err_sys(err, "make a socket");
    }
    if (connect(client->fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        bool absent = errno == ENOENT || errno == ECONNREFUSED;
        err_sys(err, "no tallyd answers at %.108s", path);
        err->code = absent ? TALLY_NOT_FOUND : TALLY_IO;
        return false;
    }
    return true;
}

void control_close(struct control_client *client)
{
    disk_close(client->fd);
    bytes_done(&client->input);
}

static bool send_line(const struct control_client *client, const char *line, struct tally_err *err)
{
    size_t count = strlen(line);

    while (count > 0) {
        ssize_t sent = send(client->fd, line, count, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return err_sys(err, "ask tallyd");
        }
        line += sent;
        count -= (size_t)sent;
    }
    return true;
}

// More of what the daemon sends, behind what is there.
static bool read_more(struct control_client *client, struct tally_err *err)
{
    struct bytes *input = &client->input;

    if (input->count > CONTROL_REPLY_BYTES_MAX || !bytes_reserve(input, READ_BYTES)) {
        return err_set(err, TALLY_LIMIT, "tallyd answers with too much");
    }
    ssize_t got = disk_read(client->fd, input->data + input->count, READ_BYTES, err);
    if (got > 0) {
        input->count += (size_t)got;
        return true;
    }
    if (got == 0 || err->sys_errno == ECONNRESET) {
        return err_set(err, TALLY_NOT_FOUND,
                       "tallyd closed the connection: it ended, or has more "
                       "clients than it takes");
    }
    return err->sys_errno == EAGAIN
               ? err_set(err, TALLY_BUSY, "tallyd did not answer within %d s", CONTROL_WAIT_S)
               : false;
}

static json_t *take_reply(const char *line, size_t bytes, struct tally_err *err)
{
    json_error_t error;
    json_t *reply = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, &error);

    if (!json_is_object(reply)) {
        err_set(err, TALLY_CORRUPT, "tallyd said something that is no reply");
    } else if (!json_is_true(json_object_get(reply, "ok"))) {
        const char *text = json_string_value(json_object_get(reply, "error"));
        err_set(err, TALLY_CORRUPT, "tallyd refused: %.200s", text ? text : "without a reason");
    } else {
        return reply;
    }
    json_decref(reply);
    return NULL;
}

json_t *control_next(struct control_client *client, struct tally_err *err)
{
    struct bytes *input = &client->input;
    size_t looked = 0;

    for (;;) {
        const unsigned char *end = input->count > looked
                                       ? memchr(input->data + looked, '\n', input->count - looked)
                                       : NULL;
        if (end) {
            size_t line = (size_t)(end - input->data);
            json_t *reply = take_reply((const char *)input->data, line, err);
            input->count -= line + 1;
            memmove(input->data, end + 1, input->count);
            return reply;
        }
        looked = input->count;
        if (!read_more(client, err)) {
            return NULL;
        }
    }
}

json_t *control_ask(struct control_client *client, const char *request, struct tally_err *err)
{
    return send_line(client, request, err) ? control_next(client, err) : NULL;
}
