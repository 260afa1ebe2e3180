/* SPDX-License-Identifier: BSD-3-Clause */
#include "vnic/vhost_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Frontends that connect at one moment: all guests of a host that starts. */
#define BACKLOG 16

#define SOCKET_MODE (S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP)

/* Whether a process accepts connections at @p address. */
static bool has_listener(const struct sockaddr_un *address)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool alive;

    if (fd < 0) {
        return true;                                           /* rather refuse than take away */
    }
    /* A full backlog (EAGAIN) is a listener too. */
    alive = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
            errno == EAGAIN;
    (void)close(fd);
    return alive;
}

/* Whether a file can be made beside @p path. */
static int check_directory(const char *path, struct error *error)
{
    char directory[sizeof(((struct sockaddr_un *)0)->sun_path)];
    const char *slash = strrchr(path, '/');
    const size_t len = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);

    memcpy(directory, slash == NULL ? "." : path, len == 0 ? 1 : len);
    directory[len == 0 ? 1 : len] = '\0';
    if (access(directory, W_OK | X_OK) != 0) {
        return error_set(error, errno,
                         "The socket %s cannot be made, because its directory %s cannot be written "
                         "to: %s.", path, directory, strerror(errno));
    }
    return 0;
}

/* Makes room for a socket at @p path: a dead process' one is removed, anything else stays. */
static int clear_path(const char *path, const struct sockaddr_un *address, struct error *error)
{
    struct stat found;

    if (check_directory(path, error) != 0) {
        return -error->code;
    }
    if (lstat(path, &found) != 0) {
        return errno == ENOENT ? 0 : error_set(error, errno, "The socket %s cannot be made: %s.",
                                               path, strerror(errno));
    }
    if (!S_ISSOCK(found.st_mode)) {
        return error_set(error, EEXIST, "%s exists and is not a socket; move it away first.", path);
    }
    if (has_listener(address)) {
        return error_set(error, EADDRINUSE,
                         "Another process listens on %s; stop it or choose another run directory.",
                         path);
    }
    if (unlink(path) != 0 && errno != ENOENT) {
        return error_set(error, errno, "The old socket %s cannot be removed: %s.", path,
                         strerror(errno));
    }
    return 0;
}

int vhost_socket_chown(const char *path, uid_t owner, gid_t group, struct error *error)
{
    if (lchown(path, owner, group) != 0) {
        return error_set(error, errno, "The owner and group of %s cannot be set: %s.", path,
                         strerror(errno));
    }
    return 0;
}

/* Binds and opens the file to its users, in this order: it is nobody's before it is theirs. */
static int bind_and_listen(int fd, const struct sockaddr_un *address, uid_t owner, gid_t group,
                           struct error *error)
{
    const char *path = address->sun_path;
    int rc;

    if (fchmod(fd, S_IRUSR | S_IWUSR) != 0 ||
        bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0) {
        return error_set(error, errno, "The socket %s cannot be made: %s.", path, strerror(errno));
    }
    rc = vhost_socket_chown(path, owner, group, error);
    if (rc == 0 && (chmod(path, SOCKET_MODE) != 0 || listen(fd, BACKLOG) != 0)) {
        rc = error_set(error, errno, "The socket %s cannot be listened on: %s.", path,
                       strerror(errno));
    }
    if (rc != 0) {
        (void)unlink(path);
    }
    return rc;
}

int vhost_socket_listen(const char *path, uid_t owner, gid_t group, struct error *error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd;
    int rc;

    if (strlen(path) >= sizeof(address.sun_path)) {
        return error_set(error, ENAMETOOLONG,
                         "The socket path %s has %zu characters and may have %zu; choose a shorter "
                         "run directory or vNIC name.", path, strlen(path),
                         sizeof(address.sun_path) - 1);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    rc = clear_path(path, &address, error);
    if (rc != 0) {
        return rc;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return error_set(error, errno, "The socket %s cannot be made: %s.", path, strerror(errno));
    }
    rc = bind_and_listen(fd, &address, owner, group, error);
    if (rc != 0) {
        (void)close(fd);
        return rc;
    }
    return fd;
}

void vhost_socket_close(int fd, const char *path)
{
    (void)unlink(path);
    (void)close(fd);
}
