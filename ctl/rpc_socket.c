/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctl/rpc_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/rpc_server.h"

#define SOCKET_MODE 0660

/* Whether somebody listens on the socket that lies at @p address. */
static bool is_answered(const struct sockaddr_un *address)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool answered;

    if (fd < 0) {
        return true;                            /* not known: then it is not ours to remove */
    }
    answered = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
               errno != ECONNREFUSED;
    (void)close(fd);
    return answered;
}

/* Removes the socket of a daemon that is gone; anything else that lies there stays. */
static int clear_path(const struct sockaddr_un *address, struct error *error)
{
    struct stat st;

    if (lstat(address->sun_path, &st) != 0) {
        return errno == ENOENT ? 0 : error_set(error, errno, "%s cannot be looked at: %s.",
                                               address->sun_path, strerror(errno));
    }
    if (!S_ISSOCK(st.st_mode)) {
        return error_set(error, EEXIST, "%s is in the way: it is no socket; move it, or choose "
                         "another --run-dir.", address->sun_path);
    }
    if (is_answered(address)) {
        return error_set(error, EADDRINUSE, "A daemon is already running and answers on %s; stop "
                         "it, or choose another --run-dir.", address->sun_path);
    }
    if (unlink(address->sun_path) != 0 && errno != ENOENT) {
        return error_set(error, errno, "%s, left by a daemon that is gone, cannot be removed: %s.",
                         address->sun_path, strerror(errno));
    }
    return 0;
}

int rpc_socket_open(const char *path, gid_t group, int *fd, struct error *error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int sock;
    int rc;

    if (strlen(path) >= sizeof(address.sun_path)) {
        return error_set(error, ENAMETOOLONG, "The path of the control socket may have %zu "
                         "characters; choose a shorter --run-dir.", sizeof(address.sun_path) - 1);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    rc = clear_path(&address, error);
    if (rc != 0) {
        return rc;
    }
    sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (sock < 0 || bind(sock, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        rc = error_set(error, errno, "The control socket %s cannot be made: %s.", path,
                       strerror(errno));
        if (sock >= 0) {
            (void)close(sock);
        }
        return rc;
    }
    /* Nobody can connect before it listens, so the permissions are in time. */
    if ((group != RPC_NO_GROUP && chown(path, (uid_t)-1, group) != 0) ||
        chmod(path, SOCKET_MODE) != 0) {
        rc = error_set(error, errno, "The control socket %s cannot be given its group and mode: "
                       "%s.", path, strerror(errno));
        (void)close(sock);
        (void)unlink(path);
        return rc;
    }
    *fd = sock;
    return 0;
}

/* Whether the peer's groups, besides its first, have @p group; as they were when it connected. */
static bool has_group(int fd, gid_t group)
{
    socklen_t size_bytes = 0;
    gid_t *groups;
    bool has = false;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size_bytes) == 0 || errno != ERANGE) {
        return false;                           /* it has none, or the kernel does not tell */
    }
    groups = malloc(size_bytes);
    if (groups != NULL &&
        getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size_bytes) == 0) {
        for (size_t i = 0; i < size_bytes / sizeof(*groups); i++) {
            has = has || groups[i] == group;
        }
    }
    free(groups);
    return has;
}

int rpc_socket_check_peer(int fd, gid_t group, struct error *error)
{
    struct ucred peer;
    socklen_t size_bytes = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size_bytes) == 0) {
        const bool in_group = group != RPC_NO_GROUP &&
                              (peer.gid == group || has_group(fd, group));

        if (peer.uid == 0 || peer.uid == geteuid() || in_group) {
            return 0;
        }
    }
    return error_set(error, EACCES, "Only root and members of the daemon's --group may use the "
                     "control socket.");
}
