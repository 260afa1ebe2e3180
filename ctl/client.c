/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ctl/rpc.h"

#define REPLY_MAX_BYTES  (512u * 1024 * 1024)    /* a million addresses are about 100 MB */
#define READ_STEP_BYTES  (64u * 1024)

struct client {
    int fd;
    const char *who;            /* at the other end, for sentences */
    uint32_t timeout_ms;
    json_int_t last_id;
    char *buffer;               /* bytes that came and are not used yet */
    size_t used_bytes, size_bytes;
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- connecting ------------------------------------------------------------------------------ */

/* Who could be at the other end, in the words of a person who looks for it. */
struct peer {
    const char *who;
    const char *none;           /* "... on PATH": nobody is there; then the way out */
    const char *way_out;
};

static const struct peer daemon_peer = {
    "daemon", "No daemon answers",
    "start one with `systemctl start vswitchd` or `vswitchd`, or name its --run-dir",
};
static const struct peer vm_peer = {
    "VM", "There is no such VM: nobody answers", "`vswitchctl vm list` shows those there are",
};

static int connect_failed(const struct peer *peer, const char *path, int code,
                          struct error *error)
{
    switch (code) {
    case ENOENT:
    case ENOTDIR:
    case ECONNREFUSED:
        return error_set(error, ENOTCONN, "%s on %s; %s.", peer->none, path, peer->way_out);
    case EACCES:
    case EPERM:
        return error_set(error, EACCES, "You may not use %s; root and members of the daemon's "
                         "--group may.", path);
    case EAGAIN:
        return error_set(error, ETIMEDOUT, "The %s on %s did not answer in time; is it stopped "
                         "in a debugger, or very busy?", peer->who, path);
    default:
        return error_set(error, code, "%s cannot be connected to: %s.", path, strerror(code));
    }
}

/* @p path_length is what it needed: it may have been cut. */
static int connect_to(const struct peer *peer, const char *path, int path_length,
                      uint32_t timeout_ms, struct client **out, struct error *error)
{
    const struct timeval timeout = {
        .tv_sec = timeout_ms / 1000,
        .tv_usec = (timeout_ms % 1000) * 1000,
    };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct client *client;

    if (path_length < 0 || (size_t)path_length >= sizeof(address.sun_path)) {
        return error_set(error, ENAMETOOLONG, "The path of the control socket may have %zu "
                         "characters; use a shorter --run-dir.", sizeof(address.sun_path) - 1);
    }
    memcpy(address.sun_path, path, (size_t)path_length + 1);
    client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return error_set(error, ENOMEM, "No memory left.");
    }
    memcpy(client->path, address.sun_path, sizeof(client->path));
    client->who = peer->who;
    client->timeout_ms = timeout_ms;
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* On a unix socket the send timeout bounds connect() as well. */
    if (client->fd < 0 ||
        setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) != 0 ||
        connect(client->fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        const int rc = connect_failed(peer, client->path, errno, error);

        client_close(client);
        return rc;
    }
    *out = client;
    return 0;
}

int client_connect(const char *run_dir, uint32_t timeout_ms, struct client **out,
                   struct error *error)
{
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    const int length = snprintf(path, sizeof(path), "%s/" CLIENT_SOCKET_NAME, run_dir);

    return connect_to(&daemon_peer, path, length, timeout_ms, out, error);
}

int client_connect_vm(const char *run_dir, const char *name, uint32_t timeout_ms,
                      struct client **out, struct error *error)
{
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    const int length = snprintf(path, sizeof(path), "%s/" CLIENT_VM_DIR "/%s" CLIENT_VM_SUFFIX,
                                run_dir, name);

    return connect_to(&vm_peer, path, length, timeout_ms, out, error);
}

void client_close(struct client *client)
{
    if (client == NULL) {
        return;
    }
    if (client->fd >= 0) {
        (void)close(client->fd);
    }
    free(client->buffer);
    free(client);
}

/* ---- one call -------------------------------------------------------------------------------- */

static int connection_lost(const struct client *client, int code, struct error *error)
{
    if (code == EAGAIN || code == ETIMEDOUT) {
        return error_set(error, ETIMEDOUT, "The %s on %s did not answer in %g s; try again with "
                         "a longer --timeout.", client->who, client->path,
                         client->timeout_ms / 1000.0);
    }
    if (code == 0 || code == EPIPE || code == ECONNRESET) {
        return error_set(error, ECONNRESET, "The %s on %s closed the connection before it "
                         "answered; its log says why.", client->who, client->path);
    }
    return error_set(error, code, "The connection to the %s on %s failed: %s.", client->who,
                     client->path, strerror(code));
}

/* Sends all of a line.  A daemon that has turned us away has said why: that is there to be read. */
static int line_send(const struct client *client, const char *line, size_t len_bytes,
                     struct error *error)
{
    for (size_t sent = 0; sent < len_bytes;) {
        const ssize_t n = send(client->fd, line + sent, len_bytes - sent, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {
            return 0;
        }
        if (n < 0) {
            return connection_lost(client, errno, error);
        }
        sent += (size_t)n;
    }
    return 0;
}

static int buffer_make_room(struct client *client, struct error *error)
{
    const size_t wanted = client->size_bytes == 0 ? READ_STEP_BYTES : client->size_bytes * 2;
    char *larger;

    if (client->size_bytes - client->used_bytes >= READ_STEP_BYTES / 2) {
        return 0;
    }
    larger = wanted <= REPLY_MAX_BYTES ? realloc(client->buffer, wanted) : NULL;
    if (larger == NULL) {
        return error_set(error, ENOMEM, "The daemon's answer is too long (over %zu bytes).",
                         client->used_bytes);
    }
    client->buffer = larger;
    client->size_bytes = wanted;
    return 0;
}

/* Waits for more bytes until the deadline. */
static int buffer_fill(struct client *client, int64_t deadline_ms, struct error *error)
{
    struct pollfd poll_fd = { .fd = client->fd, .events = POLLIN };
    const int64_t left_ms = deadline_ms - now_ms();
    int rc = buffer_make_room(client, error);

    if (rc != 0) {
        return rc;
    }
    rc = poll(&poll_fd, 1, left_ms > 0 ? (int)left_ms : 0);
    if (rc < 0 && errno == EINTR) {
        return 0;
    }
    if (rc <= 0) {
        return connection_lost(client, rc == 0 ? ETIMEDOUT : errno, error);
    }
    const ssize_t n = recv(client->fd, client->buffer + client->used_bytes,
                           client->size_bytes - client->used_bytes, 0);
    if (n <= 0) {
        return connection_lost(client, n == 0 ? 0 : errno, error);
    }
    client->used_bytes += (size_t)n;
    return 0;
}

/* Waits for a whole line; *line_bytes is its length with the newline. */
static int line_receive(struct client *client, size_t *line_bytes, struct error *error)
{
    const int64_t deadline_ms = now_ms() + client->timeout_ms;

    for (size_t looked_at = 0;;) {
        const char *end = client->used_bytes > looked_at
                              ? memchr(client->buffer + looked_at, '\n',
                                       client->used_bytes - looked_at)
                              : NULL;
        int rc;

        if (end != NULL) {
            *line_bytes = (size_t)(end - client->buffer) + 1;
            return 0;
        }
        looked_at = client->used_bytes;
        rc = buffer_fill(client, deadline_ms, error);
        if (rc != 0) {
            return rc;
        }
    }
}

/* Takes the line off the buffer, and what it says. */
static int reply_take(struct client *client, size_t line_bytes, json_t **result,
                      struct error *error)
{
    struct error told = { 0 };
    const int code = rpc_parse_reply(client->buffer, line_bytes - 1, client->last_id, result,
                                     &told);

    client->used_bytes -= line_bytes;
    memmove(client->buffer, client->buffer + line_bytes, client->used_bytes);
    return code == RPC_OK ? 0 : error_set(error, told.code, "%s", told.text);
}

int client_call(struct client *client, const char *method, const json_t *params, json_t **result,
                struct error *error)
{
    size_t len_bytes = 0;
    char *line = rpc_format_request(++client->last_id, method, params, &len_bytes);
    int rc;

    if (line == NULL) {
        return error_set(error, ENOMEM, "No memory left for the request.");
    }
    if (len_bytes > RPC_REQUEST_MAX_BYTES) {
        free(line);
        return error_set(error, EFBIG, "The request has %zu bytes, and the daemon takes %u.",
                         len_bytes, RPC_REQUEST_MAX_BYTES);
    }
    rc = line_send(client, line, len_bytes, error);
    free(line);
    if (rc == 0) {
        rc = line_receive(client, &len_bytes, error);
    }
    return rc != 0 ? rc : reply_take(client, len_bytes, result, error);
}

int client_take_stream(struct client *client, char **bytes, size_t *len_bytes)
{
    const int fd = client->fd;

    *len_bytes = client->used_bytes;
    *bytes = NULL;
    if (client->used_bytes > 0) {
        *bytes = client->buffer;
        client->buffer = NULL;
    }
    client->fd = -1;
    client_close(client);
    return fd;
}
