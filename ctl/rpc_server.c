/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/rpc_server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "ctl/rpc.h"
#include "ctl/rpc_socket.h"
#include "ctl/value.h"

#define CLIENTS_MAX_DEFAULT          64u
#define REQUEST_DEADLINE_DEFAULT_MS  10000u
#define IDLE_DEADLINE_DEFAULT_MS     300000u
#define WRITE_DEADLINE_DEFAULT_MS    10000u
#define LISTEN_BACKLOG               64
#define OUTPUT_PAUSE_BYTES           (256u * 1024)  /* unread replies that pause a connection */

/* What is to happen when the reply that asked for it is out. */
struct rpc_after {
    rpc_socket_taken taken;
    rpc_reply_sent sent;
    void *arg;
};

enum connection_state {
    CONNECTION_SERVING,
    CONNECTION_CLOSING,         /* the last reply is being written; nothing is read any more */
    CONNECTION_LEAVING,         /* likewise, and then the socket is given away */
};

struct connection {
    LIST_ENTRY(connection) link;
    struct rpc_server *server;
    struct bufferevent *stream;
    struct event *timer;        /* the deadline of a request, or of idleness */
    enum connection_state state;
    bool in_request;            /* the timer runs since the first byte of a request */
    bool paused;                /* too many replies unread */
    bool ended;                 /* the peer sends no more */
    struct rpc_after after;
};

struct rpc_server {
    struct rpc_server_config config;
    char *path;
    struct evconnlistener *listener;
    struct event *accept_again;
    LIST_HEAD(, connection) connections;
    uint32_t connection_count;
};

static struct timeval to_timeval(uint32_t ms)
{
    return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000 };
}

/* ---- what follows a reply -------------------------------------------------------------------- */

void rpc_call_take_socket(struct rpc_call *call, rpc_socket_taken taken, void *arg)
{
    *call->after = (struct rpc_after){ .taken = taken, .arg = arg };
}

void rpc_call_after_reply(struct rpc_call *call, rpc_reply_sent sent, void *arg)
{
    *call->after = (struct rpc_after){ .sent = sent, .arg = arg };
}

/* Runs what a handler asked for, once; @p fd is given away, or -1. */
static void after_run(struct rpc_after *after, int fd)
{
    const struct rpc_after now = *after;

    *after = (struct rpc_after){ 0 };
    if (now.taken != NULL) {
        now.taken(now.arg, fd);
    } else if (now.sent != NULL) {
        now.sent(now.arg);
    }
}

/* ---- one connection -------------------------------------------------------------------------- */

static size_t connection_unsent(const struct connection *c)
{
    return evbuffer_get_length(bufferevent_get_output(c->stream));
}

/* Frees the connection; closes its socket unless a handler asked for it and its reply is out. */
static void connection_end(struct connection *c)
{
    const bool leaves = c->state == CONNECTION_LEAVING && c->after.taken != NULL &&
                        connection_unsent(c) == 0;
    const int fd = bufferevent_getfd(c->stream);
    struct rpc_after after = c->after;

    LIST_REMOVE(c, link);
    c->server->connection_count--;
    (void)bufferevent_setfd(c->stream, -1);
    bufferevent_free(c->stream);
    event_free(c->timer);
    free(c);
    if (!leaves) {
        (void)close(fd);
    }
    after_run(&after, leaves ? fd : -1);
}

static void line_free(const void *line, size_t len_bytes, void *arg)
{
    (void)len_bytes;
    (void)arg;
    free((void *)(uintptr_t)line);
}

/* Queues a reply, which is taken; NULL (no memory for it) ends the connection. */
static void connection_send(struct connection *c, char *line, size_t len_bytes)
{
    if (line == NULL) {
        c->state = CONNECTION_CLOSING;
        return;
    }
    if (evbuffer_add_reference(bufferevent_get_output(c->stream), line, len_bytes, line_free,
                               NULL) != 0) {
        free(line);
        c->state = CONNECTION_CLOSING;
    }
}

static void connection_send_error(struct connection *c, const json_t *id, enum rpc_code code,
                                  const struct error *error)
{
    size_t len_bytes = 0;
    char *line = rpc_format_error(id, code, error, &len_bytes);

    connection_send(c, line, len_bytes);
}

/* Says why, and closes when that has been read. */
static void connection_refuse(struct connection *c, const char *sentence)
{
    struct error error;

    (void)error_set(&error, EINVAL, "%s", sentence);
    connection_send_error(c, NULL, RPC_INVALID_REQUEST, &error);
    c->state = CONNECTION_CLOSING;
}

/* Finds, checks and runs what a request asks for. */
static enum rpc_code call_run(struct rpc_server *server, const struct rpc_request *request,
                              struct rpc_call *call, struct error *error)
{
    char quoted[VALUE_QUOTE_SIZE];
    int rc;

    call->method = method_find(request->method);
    if (call->method == NULL || server->config.handlers[call->method->id] == NULL) {
        (void)error_set(error, ENOSYS, "There is no method %s; `vswitchctl --help` lists what "
                        "there is.", value_quote(request->method, quoted));
        return RPC_METHOD_NOT_FOUND;
    }
    rc = method_decode(call->method, request->params, &call->params, error);
    if (rc != 0) {
        return rc == -ENOMEM ? RPC_INTERNAL_ERROR : RPC_INVALID_PARAMS;
    }
    rc = server->config.handlers[call->method->id](server->config.context, call, error);
    if (rc != 0) {
        if (error->text[0] == '\0') {
            (void)error_set(error, -rc, "%s failed: %s.", call->method->name, strerror(-rc));
        }
        error->code = -rc;
        return RPC_REFUSED;
    }
    return RPC_OK;
}

static void connection_answer(struct connection *c, const char *line, size_t line_bytes)
{
    struct rpc_after after = { 0 };
    struct rpc_call call = { .after = &after };
    struct error error = { 0 };
    struct rpc_request request;
    enum rpc_code code = rpc_parse_request(line, line_bytes, &request, &error);

    if (code == RPC_OK) {
        code = call_run(c->server, &request, &call, &error);
    }
    if (code == RPC_OK) {
        size_t len_bytes = 0;
        char *reply = rpc_format_result(request.id, call.result, &len_bytes);

        c->after = after;
        c->state = after.taken != NULL || after.sent != NULL ? CONNECTION_LEAVING : c->state;
        connection_send(c, reply, len_bytes);
    } else {
        connection_send_error(c, request.id, code, &error);
    }
    json_decref(call.params);
    json_decref(call.result);
    rpc_request_clear(&request);
}

/* Starts the deadline that holds now.  While replies wait to be read, the write deadline holds. */
static void connection_set_timer(struct connection *c)
{
    const struct rpc_server_config *config = &c->server->config;
    const bool half = evbuffer_get_length(bufferevent_get_input(c->stream)) > 0;
    const bool running = c->in_request;
    struct timeval deadline;

    c->in_request = false;
    if (c->state != CONNECTION_SERVING || connection_unsent(c) > 0) {
        (void)event_del(c->timer);
        return;
    }
    c->in_request = half;
    if (half && running) {
        return;
    }
    deadline = to_timeval(half ? config->request_deadline_ms : config->idle_deadline_ms);
    (void)event_add(c->timer, &deadline);
}

/* Answers the requests that are there, as long as the replies get away.  May end the connection. */
static void connection_serve(struct connection *c)
{
    struct evbuffer *input = bufferevent_get_input(c->stream);

    while (c->state == CONNECTION_SERVING) {
        const struct evbuffer_ptr eol = evbuffer_search_eol(input, NULL, NULL, EVBUFFER_EOL_LF);

        c->paused = connection_unsent(c) > OUTPUT_PAUSE_BYTES;
        if (c->paused) {
            break;
        }
        if (eol.pos < 0) {
            if (evbuffer_get_length(input) >= RPC_REQUEST_MAX_BYTES) {
                connection_refuse(c, "A request has at most 65536 bytes.");
            }
            break;
        }
        const size_t line_bytes = (size_t)eol.pos;
        const char *line = (const char *)evbuffer_pullup(input, eol.pos + 1);

        if (line == NULL) {
            c->state = CONNECTION_CLOSING;
            break;
        }
        connection_answer(c, line, line_bytes);
        (void)evbuffer_drain(input, line_bytes + 1);
        c->in_request = false;
    }
    if (c->state != CONNECTION_SERVING || c->paused) {
        (void)bufferevent_disable(c->stream, EV_READ);
    } else if (!c->ended) {
        (void)bufferevent_enable(c->stream, EV_READ);
    }
    connection_set_timer(c);
    if ((c->ended || c->state != CONNECTION_SERVING) && connection_unsent(c) == 0) {
        connection_end(c);
    }
}

static void on_readable(struct bufferevent *stream, void *arg)
{
    (void)stream;
    connection_serve(arg);
}

static void on_drained(struct bufferevent *stream, void *arg)
{
    (void)stream;
    connection_serve(arg);
}

/*
 * After the write deadline: whether the socket takes bytes nevertheless.  Then it was this loop
 * that was late (a handler waited for a disk), not the client.
 */
static bool connection_takes_bytes(const struct connection *c)
{
    struct pollfd poll_fd = { .fd = bufferevent_getfd(c->stream), .events = POLLOUT };

    return poll(&poll_fd, 1, 0) == 1 && poll_fd.revents == POLLOUT;
}

static void on_event(struct bufferevent *stream, short what, void *arg)
{
    struct connection *c = arg;

    if ((what & BEV_EVENT_TIMEOUT) != 0 && connection_takes_bytes(c)) {
        (void)bufferevent_enable(stream, EV_WRITE);
        return;
    }
    if ((what & BEV_EVENT_EOF) != 0 && (what & BEV_EVENT_READING) != 0) {
        c->ended = true;                         /* but it may still read what it has asked for */
        connection_serve(c);
        return;
    }
    connection_end(c);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    struct connection *c = arg;

    (void)fd;
    (void)what;
    if (c->in_request) {
        connection_refuse(c, "The rest of the request did not come in time.");
        connection_serve(c);
        return;
    }
    connection_end(c);
}

static struct connection *connection_create(struct rpc_server *server, int fd)
{
    const struct timeval write_deadline = to_timeval(server->config.write_deadline_ms);
    struct connection *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        return NULL;
    }
    c->server = server;
    c->stream = bufferevent_socket_new(server->config.base, fd, 0);
    c->timer = event_new(server->config.base, -1, 0, on_deadline, c);
    if (c->stream == NULL || c->timer == NULL) {
        if (c->stream != NULL) {
            bufferevent_free(c->stream);
        }
        if (c->timer != NULL) {
            event_free(c->timer);
        }
        free(c);
        return NULL;
    }
    bufferevent_setcb(c->stream, on_readable, on_drained, on_event, c);
    bufferevent_setwatermark(c->stream, EV_READ, 0, RPC_REQUEST_MAX_BYTES);
    (void)bufferevent_set_timeouts(c->stream, NULL, &write_deadline);
    (void)bufferevent_enable(c->stream, EV_READ | EV_WRITE);
    LIST_INSERT_HEAD(&server->connections, c, link);
    server->connection_count++;
    connection_set_timer(c);
    return c;
}

/* ---- the listener ---------------------------------------------------------------------------- */

/* Tells a peer that has no connection yet why it gets none; a new socket has room for one line. */
static void turn_away(int fd, const struct error *error)
{
    size_t len_bytes = 0;
    char *line = rpc_format_error(NULL, RPC_REFUSED, error, &len_bytes);

    if (line != NULL) {
        (void)send(fd, line, len_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
        free(line);
    }
    (void)close(fd);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd,
                      struct sockaddr *address, int address_size, void *arg)
{
    struct rpc_server *server = arg;
    struct error error;

    (void)listener;
    (void)address;
    (void)address_size;
    if (rpc_socket_check_peer(fd, server->config.group, &error) != 0) {
        turn_away(fd, &error);
    } else if (server->connection_count >= server->config.clients_max) {
        (void)error_set(&error, EBUSY, "%u clients are connected, which is the most at one time; "
                        "try again when one has ended.", server->connection_count);
        turn_away(fd, &error);
    } else if (connection_create(server, fd) == NULL) {
        (void)close(fd);
    }
}

/* Mostly no file descriptors left: the listener would be ready again at once, for ever. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    struct rpc_server *server = arg;
    const struct timeval pause = { .tv_sec = 1 };

    (void)evconnlistener_disable(listener);
    (void)event_add(server->accept_again, &pause);
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg)
{
    struct rpc_server *server = arg;

    (void)fd;
    (void)what;
    (void)evconnlistener_enable(server->listener);
}

static void limits_settle(struct rpc_server_config *config)
{
    if (config->clients_max == 0) {
        config->clients_max = CLIENTS_MAX_DEFAULT;
    }
    if (config->request_deadline_ms == 0) {
        config->request_deadline_ms = REQUEST_DEADLINE_DEFAULT_MS;
    }
    if (config->idle_deadline_ms == 0) {
        config->idle_deadline_ms = IDLE_DEADLINE_DEFAULT_MS;
    }
    if (config->write_deadline_ms == 0) {
        config->write_deadline_ms = WRITE_DEADLINE_DEFAULT_MS;
    }
}

int rpc_server_create(const struct rpc_server_config *config, struct rpc_server **out,
                      struct error *error)
{
    struct rpc_server *server = calloc(1, sizeof(*server));
    int fd = -1;
    int rc = -ENOMEM;

    if (server == NULL) {
        return error_set(error, ENOMEM, "No memory left for the control socket.");
    }
    server->config = *config;
    limits_settle(&server->config);
    LIST_INIT(&server->connections);
    server->path = strdup(config->path);
    server->accept_again = event_new(config->base, -1, 0, on_accept_again, server);
    if (server->path == NULL || server->accept_again == NULL) {
        (void)error_set(error, ENOMEM, "No memory left for the control socket.");
        goto failed;
    }
    rc = rpc_socket_open(server->path, config->group, &fd, error);
    if (rc != 0) {
        goto failed;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    server->listener = evconnlistener_new(config->base, on_accept, server,
                                          LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
                                          LISTEN_BACKLOG, fd);
    if (server->listener == NULL) {
        rc = error_set(error, ENOMEM, "The control socket %s cannot be listened on.",
                       server->path);
        (void)close(fd);
        (void)unlink(server->path);
        goto failed;
    }
    evconnlistener_set_error_cb(server->listener, on_accept_error);
    *out = server;
    return 0;

failed:
    if (server->accept_again != NULL) {
        event_free(server->accept_again);
    }
    free(server->path);
    free(server);
    return rc;
}

void rpc_server_destroy(struct rpc_server *server)
{
    struct connection *c;

    if (server == NULL) {
        return;
    }
    evconnlistener_free(server->listener);
    event_free(server->accept_again);
    (void)unlink(server->path);
    while ((c = LIST_FIRST(&server->connections)) != NULL) {
        connection_end(c);
    }
    free(server->path);
    free(server);
}
