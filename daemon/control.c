#include "daemon/control.h"

#include "base/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <jansson.h>

enum { READ_BYTES = 4096, OTHERS_MASK = 0117, BACKLOG = 128 };

struct client {
    struct control *control;
    uv_pipe_t pipe;
    uv_write_t write;
    bool used;
    bool closing;
    bool writing;
    bool follows;
    uint64_t since_ms; // it has kept us waiting
    struct bytes reply;
    struct control_line line;
    char input[READ_BYTES];
    size_t input_at; // looked at
    size_t input_count;
};

struct control {
    uv_loop_t *loop;
    uv_pipe_t server;
    uv_timer_t timer;
    control_on_request *on_request;
    void *context;
    struct client client[CONTROL_CLIENTS_MAX];
};

// In the order of time.
static void on_client(uv_stream_t *server, int status);
static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer);
static void on_written(uv_write_t *write, int status);
static void on_timer(uv_timer_t *timer);
static void on_client_closed(uv_handle_t *handle);

static void cut_off(struct client *client)
{
    if (!client->closing && !uv_is_closing((uv_handle_t *)&client->pipe)) {
        client->closing = true;
        uv_close((uv_handle_t *)&client->pipe, on_client_closed);
    }
}

static void on_client_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;

    bytes_done(&client->reply);
    client->used = false;
}

// ---- requests and replies -----------------------------------------------------------------

static void send_reply(struct client *client)
{
    uv_buf_t buffer = {.base = (char *)client->reply.data, .len = client->reply.count};

    client->since_ms = uv_now(client->control->loop);
    client->writing = client->reply.ok && uv_write(&client->write, (uv_stream_t *)&client->pipe,
                                                   &buffer, 1, on_written) == 0;
    if (!client->writing) {
        cut_off(client);
    }
}

static void reply_error(struct client *client, const struct tally_err *err)
{
    json_t *text = json_string(err->message);
    char *quoted = text ? json_dumps(text, JSON_ENCODE_ANY) : NULL;

    bytes_put(&client->reply, "{\"ok\":false,\"error\":", 20);
    bytes_put(&client->reply, quoted ? quoted : "\"\"", quoted ? strlen(quoted) : 2);
    bytes_put(&client->reply, "}\n", 2);
    free(quoted);
    json_decref(text);
}

static void answer(struct client *client)
{
    const struct control *control = client->control;
    struct control_request request;
    struct tally_err err;

    bytes_clear(&client->reply);
    if (control_parse(client->line.text, client->line.used, &request, &err)) {
        client->follows = request.follow;
        control->on_request(control->context, &request, &client->reply);
    } else {
        reply_error(client, &err);
    }
    client->line.used = 0;
    send_reply(client);
}

// What was read already, up to one request.
static void take_input(struct client *client)
{
    while (!client->writing && !client->closing && !client->follows &&
           client->input_at < client->input_count) {
        size_t taken;
        switch (control_feed(&client->line, client->input + client->input_at,
                             client->input_count - client->input_at, &taken)) {
        case CONTROL_MORE:
            break;
        case CONTROL_COMPLETE:
            answer(client);
            break;
        case CONTROL_TOO_LONG:
            cut_off(client);
            break;
        }
        client->input_at += taken;
    }
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out_buffer)
{
    struct client *client = handle->data;

    (void)suggested;
    *out_buffer = uv_buf_init(client->input, READ_BYTES);
}

static void go_on_reading(struct client *client)
{
    int failed =
        client->closing ? 0 : uv_read_start((uv_stream_t *)&client->pipe, on_room, on_read);

    if (failed != 0 && failed != UV_EALREADY) { // a follower is read all the time
        cut_off(client);
    }
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    struct client *client = stream->data;

    (void)buffer;
    if (got == 0) {
        return;
    }
    if (got < 0 || client->follows) { // the end; or it talks while it is told
        cut_off(client);
        return;
    }
    client->input_at = 0;
    client->input_count = (size_t)got;
    take_input(client);
    if (client->writing) {
        uv_read_stop(stream);
    }
}

static void on_written(uv_write_t *write, int status)
{
    struct client *client = write->data;

    client->writing = false;
    client->since_ms = uv_now(client->control->loop);
    if (status != 0) {
        cut_off(client);
        return;
    }
    take_input(client);
    if (!client->writing) {
        go_on_reading(client); // of a follower: to notice its end
    }
}

// ---- time ---------------------------------------------------------------------------------

static void on_timer(uv_timer_t *timer)
{
    static const struct control_request status = {.what = CONTROL_STATUS, .follow = true};
    struct control *control = timer->data;
    uint64_t now_ms = uv_now(control->loop);
    bool any = false;

    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct client *client = &control->client[i];
        if (!client->used || client->closing) {
            continue;
        }
        any = true;
        if (client->follows && !client->writing) {
            bytes_clear(&client->reply);
            control->on_request(control->context, &status, &client->reply);
            send_reply(client);
        } else if (now_ms - client->since_ms >= CONTROL_PATIENCE_MS) {
            cut_off(client);
        }
    }
    if (!any) {
        uv_timer_stop(timer);
    }
}

// ---- clients ------------------------------------------------------------------------------

static struct client *find_free(struct control *control)
{
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (!control->client[i].used) {
            return &control->client[i];
        }
    }
    return NULL;
}

static void on_refused_closed(uv_handle_t *handle)
{
    free(handle);
}

// One too many: it is accepted to be closed, since it would wait in the kernel's queue otherwise.
static void refuse(struct control *control)
{
    uv_pipe_t *pipe = malloc(sizeof *pipe);

    if (pipe && uv_pipe_init(control->loop, pipe, 0) == 0) {
        uv_accept((uv_stream_t *)&control->server, (uv_stream_t *)pipe);
        uv_close((uv_handle_t *)pipe, on_refused_closed);
    } else {
        free(pipe);
    }
}

static void on_client(uv_stream_t *server, int status)
{
    struct control *control = server->data;
    struct client *client = status == 0 ? find_free(control) : NULL;

    if (!client) {
        if (status == 0) {
            refuse(control);
        }
        return;
    }
    *client = (struct client){.control = control, .used = true, .since_ms = uv_now(control->loop)};
    bytes_init(&client->reply);
    uv_pipe_init(control->loop, &client->pipe, 0);
    client->pipe.data = client;
    client->write.data = client;
    if (uv_accept(server, (uv_stream_t *)&client->pipe) != 0) {
        cut_off(client);
        return;
    }
    go_on_reading(client);
    if (!uv_is_active((uv_handle_t *)&control->timer)) {
        uv_timer_start(&control->timer, on_timer, CONTROL_FOLLOW_MS, CONTROL_FOLLOW_MS);
    }
}

// ---- opening ------------------------------------------------------------------------------

// libuv says "permission denied" of a folder that is not there.
static bool check_folder(const struct sockaddr_un *address, struct tally_err *err)
{
    char folder[sizeof address->sun_path];
    const char *slash = strrchr(address->sun_path, '/');
    size_t bytes = slash ? (size_t)(slash - address->sun_path) : 0;

    memcpy(folder, address->sun_path, bytes);
    folder[bytes] = '\0';
    return bytes == 0 || access(folder, F_OK) == 0 ||
           err_sys(err, "listen at %.108s: its folder", address->sun_path);
}

// A socket of a daemon that was killed is in the way; one that somebody answers on is not ours.
static bool clear_path(const struct sockaddr_un *address, struct tally_err *err)
{
    struct stat status;

    if (lstat(address->sun_path, &status) != 0) {
        return errno == ENOENT || err_sys(err, "look at %.108s", address->sun_path);
    }
    if (!S_ISSOCK(status.st_mode)) {
        return err_set(err, TALLY_REFUSED, "%.108s is there and no socket", address->sun_path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return err_sys(err, "make a socket");
    }
    bool dead = connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
                errno == ECONNREFUSED;
    close(fd);
    if (!dead) {
        return err_set(err, TALLY_BUSY, "somebody else listens at %.108s", address->sun_path);
    }
    return disk_unlink(AT_FDCWD, address->sun_path, err);
}

// Where there is no such group, or we are not in it, the socket stays with our own.
static void give_to_group(const char *path)
{
    const struct group *group = getgrnam(CONTROL_GROUP);

    if (group && chown(path, (uid_t)-1, group->gr_gid) != 0) {
        return;
    }
}

bool control_listen(struct control *control, const char *path, struct tally_err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof address.sun_path) {
        return err_set(err, TALLY_INVALID, "%.60s...: longer than the %zu bytes of a socket's path",
                       path, sizeof address.sun_path - 1);
    }
    memcpy(address.sun_path, path, strlen(path));
    if (!check_folder(&address, err) || !clear_path(&address, err)) {
        return false;
    }
    // Nobody else ever sees it with other bits. No worker makes files yet.
    mode_t mask = umask(OTHERS_MASK);
    int failed = uv_pipe_bind(&control->server, path);
    umask(mask);
    if (failed == 0) {
        give_to_group(path);
        failed = uv_listen((uv_stream_t *)&control->server, BACKLOG, on_client);
    }
    return failed == 0 || err_set(err, TALLY_IO, "listen at %.108s: %s", path, uv_strerror(failed));
}

struct control *control_open(uv_loop_t *loop, control_on_request *on_request, void *context,
                             struct tally_err *err)
{
    struct control *control = calloc(1, sizeof *control);

    if (!control) {
        err_set(err, TALLY_NO_MEMORY, "no memory for the control socket");
        return NULL;
    }
    control->loop = loop;
    control->on_request = on_request;
    control->context = context;
    uv_pipe_init(loop, &control->server, 0);
    uv_timer_init(loop, &control->timer);
    control->server.data = control;
    control->timer.data = control;
    return control;
}

void control_done(struct control *control)
{
    for (size_t i = 0; control && i < CONTROL_CLIENTS_MAX; i++) {
        if (control->client[i].used) {
            bytes_done(&control->client[i].reply);
        }
    }
    free(control);
}
