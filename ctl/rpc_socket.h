/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket as a file: how it comes to be, and who may use it.
 *
 * Apart from the server so that each can be read alone: this is about permissions, that about
 * messages.  Calls that can block on a name service are not made here, because the daemon's one
 * control thread calls it.
 */
#ifndef CTL_RPC_SOCKET_H
#define CTL_RPC_SOCKET_H

#include <sys/types.h>

#include "switch/error.h"

/**
 * Makes the unix socket @p path, mode 0660, its group @p group unless that is RPC_NO_GROUP.
 *
 * @param fd  returned owned: bound, non-blocking, not yet listening
 * @return 0; -EADDRINUSE when somebody answers there; -EEXIST, -ENAMETOOLONG or what the system
 *                 said
 */
int rpc_socket_open(const char *path, gid_t group, int *fd, struct error *error);

/**
 * Asks the kernel who connected: let in are root, this process's own user, and @p group.
 *
 * @return 0, or -EACCES with a sentence
 */
int rpc_socket_check_peer(int fd, gid_t group, struct error *error);

#endif
