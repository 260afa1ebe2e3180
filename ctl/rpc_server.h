/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control channel's server: JSON-RPC 2.0 on a unix socket, one JSON object a line.
 *
 * It lives on the caller's event loop and thread, and calls a handler for each request that the
 * method table accepts; handlers answer at once, so requests of one connection are answered in
 * order without any queue.  A client is not trusted with the daemon's time or memory: who it is is
 * asked of the kernel, a request has a size and a deadline, an idle connection ends, and while a
 * client leaves its replies unread no further request of that connection is looked at; if it reads
 * nothing at all for a while it is closed.
 */
#ifndef CTL_RPC_SERVER_H
#define CTL_RPC_SERVER_H

#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "ctl/method.h"
#include "switch/error.h"

struct event_base;
struct rpc_server;

#define RPC_NO_GROUP ((gid_t)-1)

/* One request that is being served; a handler sees it for the time of its call only. */
struct rpc_call {
    const struct method_spec *method;
    json_t *params;               /* checked by method_decode(); borrowed by the handler */
    json_t *result;               /* set by the handler, owned by the call; NULL is sent as {} */
    struct rpc_after *after;      /* of the server: what happens once the reply is out */
};

/**
 * Serves one request.
 *
 * @return 0 with call->result set (or left NULL), or a negative errno with @p error filled: the
 *         client then gets a "refused" error with the sentence and the errno
 * Thread: the event loop's.
 */
typedef int (*rpc_handler)(void *context, struct rpc_call *call, struct error *error);

/**
 * Receives a connection's socket after the reply is out.
 *
 * @param fd  given: non-blocking, nothing left to write; or -1 when the connection ended before its
 *            reply was out, so that what the reply had promised can be undone
 * Thread: the event loop's.
 */
typedef void (*rpc_socket_taken)(void *arg, int fd);

/** Runs after a reply is out, or its connection has ended.  Thread: the event loop's. */
typedef void (*rpc_reply_sent)(void *arg);

/**
 * From a handler that will succeed: when the reply has been flushed, the socket leaves the server
 * and is given to @p taken.  Further requests that the client had already sent on it are discarded.
 * @p taken is called exactly once if the handler returns 0, and never if it returns an error.
 */
void rpc_call_take_socket(struct rpc_call *call, rpc_socket_taken taken, void *arg);

/**
 * From a handler that will succeed: @p sent runs when the reply has been flushed (or its connection
 * ended, or it stayed unread for the write deadline).  Exactly once if the handler returns 0, never
 * otherwise.  This is how `daemon stop` replies first and stops then.
 */
void rpc_call_after_reply(struct rpc_call *call, rpc_reply_sent sent, void *arg);

struct rpc_server_config {
    struct event_base *base;         /* borrowed, must outlive the server */
    const char *path;                /* of the socket; its directory exists */
    gid_t group;                     /* owns the socket and may connect; RPC_NO_GROUP for none */
    const rpc_handler *handlers;     /* borrowed, [METHOD_COUNT]; NULL: that method is not served */
    void *context;                   /* borrowed, given to the handlers */
    /* Limits; 0 stands for the default. */
    uint32_t clients_max;            /* 64 */
    uint32_t request_deadline_ms;    /* 10 s: from a request's first byte to its newline */
    uint32_t idle_deadline_ms;       /* 5 min without a request */
    uint32_t write_deadline_ms;      /* 10 s in which a client takes no byte of its replies */
};

/**
 * Opens the socket, mode 0660, and serves it on the event loop.  Ignores SIGPIPE for the process.
 *
 * A socket that a dead daemon left is replaced.  Peers are let in that are root, the daemon's own
 * user, or in the group, by the credentials they had when they connected (SO_PEERCRED and
 * SO_PEERGROUPS, so no name service can hold the daemon).
 *
 * @param out  returned owned
 * @return 0; -EADDRINUSE when a daemon answers on the socket; -EEXIST when the path is no socket;
 *         -ENAMETOOLONG, or what the system said; each with a sentence
 * Thread: the event loop's.
 */
int rpc_server_create(const struct rpc_server_config *config, struct rpc_server **out,
                      struct error *error);

/**
 * Closes every connection (callbacks of rpc_call_take_socket() are told -1, and those of
 * rpc_call_after_reply() run), and removes the socket.  Not from within a handler or a callback.
 *
 * @param server  taken; NULL is fine
 * Thread: the event loop's.
 */
void rpc_server_destroy(struct rpc_server *server);

#endif
