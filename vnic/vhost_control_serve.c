/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vhost thread: it waits for all sockets of all vNICs, and serves one message at a time.
 *
 * It waits without the lock, and asks what there is to do under it: so whatever it is told of is
 * still there.  One event is asked for at a time, and epoll turns those that are ready round: a
 * frontend that talks without end has one message served between two of any other's.
 */
#include "vnic/vhost_control_device.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_lcore.h>

static struct {
    pthread_mutex_t lock;
    pthread_t thread;
    int epoll_fd;
    int stop_fd;
    int spare_fd;                  /* given up for a moment when descriptors are out */
} server = { .lock = PTHREAD_MUTEX_INITIALIZER, .epoll_fd = -1, .stop_fd = -1, .spare_fd = -1 };

/* ---- connections ----------------------------------------------------------------------------- */

static int watch(int fd, struct vhost_source *source)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = source };

    return epoll_ctl(server.epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static void end(struct vhost_connection *connection)
{
    struct vhost_vnic *device = connection->source.device;
    struct vhost_connection **at = &device->connections;

    while (*at != connection) {
        at = &(*at)->next;
    }
    *at = connection->next;
    device->connection_count--;
    if (device->frontend == connection) {
        device->frontend = NULL;
        vhost_device_leave(device);
    }
    vhost_channel_close(&connection->channel);                 /* and is watched no more */
    free(connection);
}

static void begin(struct vhost_vnic *device, int fd)
{
    struct vhost_connection *connection = NULL;

    if (device->connection_count < VHOST_CONNECTIONS_MAX) {
        connection = calloc(1, sizeof(*connection));
    }
    if (connection == NULL) {
        vhost_device_note_refusal(device, VHOST_REFUSED_SECOND);
        (void)close(fd);
        return;
    }
    connection->source = (struct vhost_source){ .device = device, .connection = connection };
    vhost_channel_open(&connection->channel, fd);
    connection->next = device->connections;
    device->connections = connection;
    device->connection_count++;
    if (watch(fd, &connection->source) != 0) {
        end(connection);
    }
}

/*
 * With no descriptor left a connection cannot be accepted, and cannot be refused either: it would
 * wake this thread for ever.  The spare one lets it in, and out.
 */
static void send_away(int listen_fd)
{
    int fd;

    (void)close(server.spare_fd);
    fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        (void)close(fd);
    }
    server.spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void accept_from(struct vhost_vnic *device)
{
    const int fd = accept4(device->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0) {
        begin(device, fd);
    } else if (errno == EMFILE || errno == ENFILE) {
        send_away(device->listen_fd);
    }
}

/*
 * A vNIC has one frontend.  A connection becomes it when it says its first word and no other one is
 * up: a predecessor that died may have left messages which are yet to be read before its end is
 * seen; it is replaced, while a second live frontend is sent away.
 */
static bool is_frontend(struct vhost_vnic *device, struct vhost_connection *connection)
{
    struct vhost_connection *before = device->frontend;

    if (before != NULL && before != connection && !vhost_channel_has_peer(&before->channel)) {
        end(before);
    }
    if (device->frontend == NULL) {
        device->frontend = connection;
        vhost_device_welcome(device);
    }
    return device->frontend == connection;
}

static bool hear(struct vhost_vnic *device, struct vhost_connection *connection)
{
    switch (vhost_channel_hear(&connection->channel)) {
    case VHOST_HEARD_MESSAGE:
        if (!is_frontend(device, connection)) {
            vhost_device_note_refusal(device, VHOST_REFUSED_SECOND);
            return false;
        }
        if (!vhost_device_obey(device, connection)) {
            return false;
        }
        vhost_channel_done(&connection->channel);
        return true;
    case VHOST_HEARD_GARBAGE:
        vhost_device_note_refusal(device, VHOST_REFUSED_MESSAGE);
        return false;
    case VHOST_HEARD_END:
        return false;
    case VHOST_HEARD_NOTHING:
        break;
    }
    return true;
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void serve_one(void)
{
    struct epoll_event event;

    pthread_mutex_lock(&server.lock);
    if (epoll_wait(server.epoll_fd, &event, 1, 0) == 1) {
        const struct vhost_source *source = event.data.ptr;

        if (source->connection == NULL) {
            accept_from(source->device);
        } else if (!hear(source->device, source->connection)) {
            end(source->connection);
        }
    }
    pthread_mutex_unlock(&server.lock);
}

static void *serve(void *unused)
{
    struct pollfd asked[] = { { .fd = server.epoll_fd, .events = POLLIN },
                              { .fd = server.stop_fd, .events = POLLIN } };

    (void)unused;
    while (asked[1].revents == 0) {
        if (poll(asked, 2, -1) > 0 && asked[0].revents != 0) {
            serve_one();
        }
    }
    return NULL;
}

static void close_all(void)
{
    (void)close(server.epoll_fd);
    (void)close(server.stop_fd);
    (void)close(server.spare_fd);
    server.epoll_fd = server.stop_fd = server.spare_fd = -1;
}

/* Signals are the main thread's, but for those that say what this one did: see guest_fault.h. */
static int start_thread(void)
{
    sigset_t others;
    sigset_t before;
    int rc;

    (void)sigfillset(&others);
    (void)sigdelset(&others, SIGBUS);
    (void)sigdelset(&others, SIGSEGV);
    (void)pthread_sigmask(SIG_SETMASK, &others, &before);
    rc = rte_ctrl_thread_create(&server.thread, "vhost", NULL, serve, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

int vhost_server_start(struct error *error)
{
    int rc;

    server.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    server.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    server.spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    rc = server.epoll_fd < 0 || server.stop_fd < 0 || server.spare_fd < 0 ? -errno : start_thread();
    if (rc != 0) {
        close_all();
        return error_set(error, -rc, "The thread that serves the sockets of vNICs cannot start: "
                         "%s.", strerror(-rc));
    }
    return 0;
}

void vhost_server_stop(void)
{
    if (server.stop_fd >= 0 && eventfd_write(server.stop_fd, 1) == 0) {
        (void)pthread_join(server.thread, NULL);
        close_all();
    }
}

int vhost_server_add(struct vhost_vnic *device)
{
    device->listener = (struct vhost_source){ .device = device };
    return watch(device->listen_fd, &device->listener);
}

void vhost_server_remove(struct vhost_vnic *device)
{
    pthread_mutex_lock(&server.lock);
    (void)epoll_ctl(server.epoll_fd, EPOLL_CTL_DEL, device->listen_fd, NULL);
    while (device->connections != NULL) {
        end(device->connections);
    }
    pthread_mutex_unlock(&server.lock);
}
