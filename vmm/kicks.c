/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/kicks.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

struct kicks {
    struct virtio_device *device;
    void (*serve)(struct virtio_device *device);
    int epoll_fd;
    struct event *kicked;
    pthread_mutex_t lock;
    bool started;
};

/* An eventfd is read before its queue is looked at, so that no kick is missed. */
static void on_kicked(evutil_socket_t fd, short what, void *context)
{
    struct kicks *kicks = context;
    const struct virtio_device *device = kicks->device;
    eventfd_t count;

    (void)fd;
    (void)what;
    if (kicks_lock(kicks)) {
        for (unsigned i = 0; i < device->ops->queue_count; i++) {
            (void)eventfd_read(device->queue[i].kick_fd, &count);
        }
        kicks->serve(kicks->device);
    }
    kicks_unlock(kicks);
}

struct kicks *kicks_create(struct event_base *base, struct virtio_device *device,
                           void (*serve)(struct virtio_device *device), struct error *error)
{
    struct kicks *kicks = calloc(1, sizeof(*kicks));

    if (kicks == NULL) {
        error_set(error, ENOMEM, "%s: out of memory", device->ops->name);
        return NULL;
    }
    kicks->device = device;
    kicks->serve = serve;
    pthread_mutex_init(&kicks->lock, NULL);
    kicks->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (kicks->epoll_fd >= 0) {
        kicks->kicked = event_new(base, kicks->epoll_fd, EV_READ | EV_PERSIST, on_kicked, kicks);
    }
    if (kicks->kicked == NULL || event_add(kicks->kicked, NULL) != 0) {
        error_set(error, EMFILE, "%s: there is no epoll for its queues; raise the limit of open "
                  "files", device->ops->name);
        kicks_destroy(kicks);
        return NULL;
    }
    return kicks;
}

void kicks_destroy(struct kicks *kicks)
{
    if (kicks == NULL) {
        return;
    }
    if (kicks->kicked != NULL) {
        event_free(kicks->kicked);
    }
    if (kicks->epoll_fd >= 0) {
        close(kicks->epoll_fd);
    }
    pthread_mutex_destroy(&kicks->lock);
    free(kicks);
}

void kicks_start(struct kicks *kicks)
{
    const struct virtio_device *device = kicks->device;
    struct epoll_event readable = { .events = EPOLLIN };

    (void)kicks_lock(kicks);
    for (unsigned i = 0; i < device->ops->queue_count; i++) {
        if (epoll_ctl(kicks->epoll_fd, EPOLL_CTL_ADD, device->queue[i].kick_fd, &readable) != 0) {
            virtio_device_needs_reset(kicks->device);
        }
    }
    kicks->started = true;
    kicks_unlock(kicks);
}

void kicks_stop(struct kicks *kicks)
{
    const struct virtio_device *device = kicks->device;

    (void)kicks_lock(kicks);
    for (unsigned i = 0; i < device->ops->queue_count; i++) {
        (void)epoll_ctl(kicks->epoll_fd, EPOLL_CTL_DEL, device->queue[i].kick_fd, NULL);
    }
    kicks->started = false;
    kicks_unlock(kicks);
}

bool kicks_lock(struct kicks *kicks)
{
    pthread_mutex_lock(&kicks->lock);
    return kicks->started;
}

void kicks_unlock(struct kicks *kicks)
{
    pthread_mutex_unlock(&kicks->lock);
}
