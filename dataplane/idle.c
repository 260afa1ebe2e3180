/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/idle.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

/* The transmit ring behind a queue, when there is one to wait for. */
static struct virtqueue *ring_of(const struct worker *worker, const struct fabric_queue *queue)
{
    struct vnic *vnic = worker->fabric->port[queue->port].endpoint;
    struct vnic_live *live = atomic_load_explicit(&vnic->live, memory_order_acquire);
    struct virtqueue *ring;

    if (live == NULL || queue->pair >= live->pair_count) {
        return NULL;
    }
    ring = &live->from_guest[queue->pair];
    return ring->size != 0 && ring->enabled && ring->fault == VIRTQUEUE_NONE ? ring : NULL;
}

static bool grow(struct worker *worker)
{
    const uint32_t size = worker->queue_count + 1;
    struct pollfd *more;

    if (size <= worker->sleeping_size) {
        return true;
    }
    more = realloc(worker->sleeping, size * sizeof(more[0]));
    if (more == NULL) {
        return false;
    }
    worker->sleeping = more;
    worker->sleeping_size = size;
    return true;
}

/*
 * Arms every ring and fills the set: entry 0 is the worker's own, entry i + 1 its queue i's.
 * Returns false when a ring has something, or must be polled because it has no kick descriptor.
 */
static bool arm(struct worker *worker)
{
    bool quiet = true;

    worker->sleeping[0] = (struct pollfd){ .fd = worker->wake_fd, .events = POLLIN };
    for (uint32_t i = 0; i < worker->queue_count; i++) {
        struct virtqueue *ring = ring_of(worker, &worker->queue[i]);
        struct pollfd *entry = &worker->sleeping[i + 1];

        *entry = (struct pollfd){ .fd = -1, .events = POLLIN };
        if (ring != NULL) {
            entry->fd = ring->kick_fd;
            virtqueue_want_kick(ring, true);
            quiet = quiet && ring->kick_fd >= 0;
        }
    }
    /* What was made available before a ring was armed has not kicked: virtio 1.2, 2.7.10. */
    for (uint32_t i = 0; i < worker->queue_count && quiet; i++) {
        struct virtqueue *ring = ring_of(worker, &worker->queue[i]);

        quiet = ring == NULL || !virtqueue_has_more(ring);
    }
    return quiet;
}

/*
 * Consumes a descriptor's count if it has one.  Never waits for it, even when a frontend, which
 * shares the descriptor, has made it blocking and takes the count away just now.
 */
static void drain(int fd)
{
    eventfd_t ignored;
    const struct iovec all = { .iov_base = &ignored, .iov_len = sizeof(ignored) };

    if (fd >= 0) {
        (void)!preadv2(fd, &all, 1, -1, RWF_NOWAIT);
    }
}

/* @p all: the set no longer matches the queues, so every descriptor may have a count. */
static void disarm(struct worker *worker, bool all)
{
    if (all || worker->sleeping[0].revents != 0) {
        drain(worker->wake_fd);
    }
    for (uint32_t i = 0; i < worker->queue_count; i++) {
        struct virtqueue *ring = ring_of(worker, &worker->queue[i]);

        if (ring == NULL) {
            continue;
        }
        virtqueue_want_kick(ring, false);
        if (all || worker->sleeping[i + 1].revents != 0) {
            drain(ring->kick_fd);
        }
    }
}

void idle_sleep(struct worker *worker)
{
    struct rte_rcu_qsbr *qsbr = worker->shared->qsbr;
    bool changed = false;

    /* The turn has ended and with it the right to the fabric it was in: load again, or poll on. */
    if (worker_load_fabric(worker)) {
        return;
    }
    if (!grow(worker)) {
        return;                    /* without the memory to sleep, it goes on polling */
    }
    if (arm(worker)) {
        counter_add(&worker->status.sleeps, 1);
        rte_rcu_qsbr_thread_offline(qsbr, worker->id);
        (void)poll(worker->sleeping, worker->queue_count + 1, -1);
        rte_rcu_qsbr_thread_online(qsbr, worker->id);
        changed = worker_load_fabric(worker);
    }
    disarm(worker, changed);
}
