/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The socket of a vNIC as a file and as a connection: what librte_vhost leaves to its user.
 *
 * The library binds and accepts.  It does not look what stands at the path before, and it reads the
 * body of a message in a blocking call on the one thread that serves all vNICs, so that half a
 * message of one frontend would hold up every other; both are mended here.
 */
#ifndef VNIC_VHOST_SOCKET_H
#define VNIC_VHOST_SOCKET_H

#include <sys/types.h>

#include "switch/error.h"

/**
 * Makes sure that a socket can be bound at @p path, and removes a dead process' socket from there.
 *
 * @return 0 or a negative errno, with a sentence in @p error: the path is too long, is something
 *         other than a socket, has a listener, or lies in a directory that cannot be written to
 * Thread: control.
 */
int vhost_socket_prepare(const char *path, struct error *error);

/** Gives the socket to @p owner and @p group; -1 leaves either. @return 0 or a negative errno */
int vhost_socket_chown(const char *path, uid_t owner, gid_t group, struct error *error);

/**
 * Bounds how long this process waits for the peers of @p path, for the rest of a message or for
 * room to answer in.  The library does not say which descriptor a connection has: all are looked
 * through.
 * Thread: librte_vhost's.
 */
void vhost_socket_limit(const char *path);

/** How many connections of @p path have a peer that has not closed its end. */
unsigned vhost_socket_live_peers(const char *path);

#endif
