/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The socket of a vNIC as a file: who may connect to it, and what may stand in its place.
 */
#ifndef VNIC_VHOST_SOCKET_H
#define VNIC_VHOST_SOCKET_H

#include <sys/types.h>

#include "switch/error.h"

/**
 * Listens at @p path with mode 0660.  A dead process' socket is replaced; anything else is left.
 * The file is never more open than it will be.
 *
 * @param owner  and @p group: who it belongs to; -1 leaves either
 * @return the non-blocking socket, or a negative errno with a sentence in @p error: the path is too
 *         long, is something other than a socket, has a listener, or lies in a directory that
 *         cannot be written to
 * Thread: control.
 */
int vhost_socket_listen(const char *path, uid_t owner, gid_t group, struct error *error);

/** Gives the socket to @p owner and @p group; -1 leaves either. @return 0 or a negative errno */
int vhost_socket_chown(const char *path, uid_t owner, gid_t group, struct error *error);

/** Stops listening and removes the file. */
void vhost_socket_close(int fd, const char *path);

#endif
