/* SPDX-License-Identifier: BSD-3-Clause */
#include "vnic/vhost_socket.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* A frontend writes a message in one piece; the rest of it is there when its head is. */
#define PEER_WAIT_MS 100

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

int vhost_socket_prepare(const char *path, struct error *error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct stat found;

    if (strlen(path) >= sizeof(address.sun_path)) {
        return error_set(error, ENAMETOOLONG,
                         "The socket path %s has %zu characters and may have %zu; choose a shorter "
                         "run directory or vNIC name.", path, strlen(path),
                         sizeof(address.sun_path) - 1);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
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
    if (has_listener(&address)) {
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

/* Whether @p fd is the near end of a connection made to @p path. */
static bool is_connection(int fd, const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNSPEC };
    socklen_t size = sizeof(address);
    int listens = 1;
    socklen_t listens_size = sizeof(listens);

    return getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
           address.sun_family == AF_UNIX &&
           strncmp(address.sun_path, path, sizeof(address.sun_path)) == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_size) == 0 && listens == 0;
}

/* Calls @p visit for every connection made to @p path; the sum of its answers. */
static unsigned each_connection(const char *path, unsigned (*visit)(int fd))
{
    DIR *fds = opendir("/proc/self/fd");
    const struct dirent *entry;
    unsigned sum = 0;

    if (fds == NULL) {
        return 0;
    }
    while ((entry = readdir(fds)) != NULL) {
        const int fd = atoi(entry->d_name);        /* "." reads as 0, which is not one */

        if (is_connection(fd, path)) {
            sum += visit(fd);
        }
    }
    (void)closedir(fds);
    return sum;
}

static unsigned limit(int fd)
{
    static const struct timeval wait = { .tv_usec = PEER_WAIT_MS * 1000 };

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    return 1;
}

void vhost_socket_limit(const char *path)
{
    (void)each_connection(path, limit);
}

static unsigned peer_lives(int fd)
{
    struct pollfd asked = { .fd = fd, .events = POLLRDHUP };

    return poll(&asked, 1, 0) == 0;
}

unsigned vhost_socket_live_peers(const char *path)
{
    return each_connection(path, peer_lives);
}
