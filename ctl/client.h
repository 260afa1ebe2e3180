/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The other end of the control channel: connects, asks, waits for the answer.
 *
 * It blocks, with a deadline for each step, because what uses it (vswitchctl, tests) has nothing
 * else to do.  "There is no daemon" is told apart from every other failure: a script starts the
 * daemon on the one and stops on the other.  A VM of the bundled monitor is spoken to as the daemon
 * is, on a socket of its own.
 */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "switch/error.h"

#define CLIENT_TIMEOUT_DEFAULT_MS 10000u
#define CLIENT_SOCKET_NAME        "vswitchd.sock"     /* within the run directory */
#define CLIENT_VM_DIR             "vm"                /* in there: NAME.sock for each VM */
#define CLIENT_VM_SUFFIX          ".sock"

struct client;

/**
 * Connects to the daemon of @p run_dir.
 *
 * @param timeout_ms  for connecting, and for each call's answer
 * @param out         returned owned
 * @return 0; -ENOTCONN when no daemon is there, and nothing else; or what the system said; each
 *         with a sentence
 */
int client_connect(const char *run_dir, uint32_t timeout_ms, struct client **out,
                   struct error *error);

/**
 * The same, with the VM @p name of the run directory's vm/.
 * @return -ENOTCONN when there is no such VM
 */
int client_connect_vm(const char *run_dir, const char *name, uint32_t timeout_ms,
                      struct client **out, struct error *error);

/** Closes the connection.  @param client  taken; NULL is fine */
void client_close(struct client *client);

/**
 * Asks for @p method and waits for the answer.
 *
 * @param params  borrowed; NULL for none
 * @param result  returned owned
 * @return 0; the daemon's errno, negative, with its sentence; -EINVAL when it found the request
 *         wrong; -ETIMEDOUT, -ECONNRESET, -EPROTO, -EFBIG (the request is over 64 KiB), or what the
 *         system said.  After one of these but the daemon's own the connection is of no more use.
 */
int client_call(struct client *client, const char *method, const json_t *params, json_t **result,
                struct error *error);

/**
 * Hands over the connection after a reply that a stream follows, as that of capture.start.
 *
 * @param client      taken
 * @param bytes       returned owned (free()): what of the stream has arrived already; NULL if
 *                 nothing
 * @param len_bytes   how much that is
 * @return the socket, owned, blocking
 */
int client_take_stream(struct client *client, char **bytes, size_t *len_bytes);

#endif
