/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/idle.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/host_port.h"
#include "dataplane/nic.h"
#include "dataplane/packet_port.h"

#define NAP_FIRST_US 50u
#define NAP_LAST_US  1000u

/* ---- what a queue is ------------------------------------------------------------------------- */

/* The transmit ring behind a queue, when there is one to wait for. */
static struct virtqueue *ring_of(const struct worker *worker, const struct fabric_queue *queue)
{
    const struct fabric_port *port = &worker->fabric->port[queue->port];
    struct vnic *vnic = port->endpoint;
    struct vnic_live *live;
    struct virtqueue *ring;

    if (port->kind != FABRIC_PORT_VNIC) {
        return NULL;
    }
    live = atomic_load_explicit(&vnic->live, memory_order_acquire);
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

/* The NIC behind a queue when it can be armed, or NULL. */
static struct nic *nic_of(const struct worker *worker, const struct fabric_queue *queue)
{
    const struct fabric_port *port = &worker->fabric->port[queue->port];

    if (port->kind != FABRIC_PORT_NIC || nic_fd(port->endpoint, queue->pair) < 0) {
        return NULL;
    }
    return port->endpoint;
}

/* What an interface's queue is slept on; -1: nothing. */
static int interface_fd(const struct worker *worker, const struct fabric_queue *queue)
{
    const struct fabric_port *port = &worker->fabric->port[queue->port];

    switch ((enum fabric_port_kind)port->kind) {
    case FABRIC_PORT_HOST:
        return host_port_fd(port->endpoint, queue->pair);
    case FABRIC_PORT_PACKET:
        return packet_port_fd(port->endpoint, queue->pair);
    case FABRIC_PORT_NIC:
        return nic_fd(port->endpoint, queue->pair);
    case FABRIC_PORT_VNIC:
    case FABRIC_PORT_TEAM:         /* whose queues are its members' */
    case FABRIC_PORT_UNUSED:
    case FABRIC_PORT_ABSENT:
        break;
    }
    return -1;
}

/* ---- arming ---------------------------------------------------------------------------------- */

/* Whether a queue has something, or may have and cannot say. */
static bool has_more(const struct worker *worker, const struct fabric_queue *queue)
{
    const struct virtqueue *ring = ring_of(worker, queue);
    struct nic *nic = nic_of(worker, queue);

    if (ring != NULL) {
        return ring->kick_fd < 0 || virtqueue_has_more(ring);
    }
    return nic != NULL && nic_has_more(nic, queue->pair);
}

/*
 * Arms every queue and fills the set: entry 0 is the worker's own, entry i + 1 its queue i's.
 *
 * @param blind  whether there is a device that cannot wake the worker
 * @return false when a queue has something, or must be polled for want of a kick descriptor
 */
static bool arm(struct worker *worker, bool *blind)
{
    bool quiet = true;

    *blind = false;
    worker->sleeping[0] = (struct pollfd){ .fd = worker->wake_fd, .events = POLLIN };
    for (uint32_t i = 0; i < worker->queue_count; i++) {
        const struct fabric_queue *queue = &worker->queue[i];
        struct virtqueue *ring = ring_of(worker, queue);
        struct nic *nic = nic_of(worker, queue);
        struct pollfd *entry = &worker->sleeping[i + 1];

        *entry = (struct pollfd){ .fd = interface_fd(worker, queue), .events = POLLIN };
        if (ring != NULL) {
            entry->fd = ring->kick_fd;
            virtqueue_want_kick(ring, true);
        } else if (nic != NULL) {
            nic_arm(nic, queue->pair, true);
        } else if (worker->fabric->port[queue->port].kind == FABRIC_PORT_NIC) {
            *blind = true;
        }
    }
    /* What was made available before a ring was armed has not kicked: virtio 1.2, 2.7.10. */
    for (uint32_t i = 0; i < worker->queue_count && quiet; i++) {
        quiet = !has_more(worker, &worker->queue[i]);
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
        const struct fabric_queue *queue = &worker->queue[i];
        struct virtqueue *ring = ring_of(worker, queue);
        struct nic *nic = nic_of(worker, queue);

        if (ring != NULL) {
            virtqueue_want_kick(ring, false);
            if (all || worker->sleeping[i + 1].revents != 0) {
                drain(ring->kick_fd);
            }
        } else if (nic != NULL) {
            nic_arm(nic, queue->pair, false);
        }
    }
}

/* ---- sleeping -------------------------------------------------------------------------------- */

/* Whether the sleep was ended by something to read; what has an error only is out of the set. */
static bool has_input(struct worker *worker)
{
    bool input = false;

    for (uint32_t i = 0; i <= worker->queue_count; i++) {
        struct pollfd *entry = &worker->sleeping[i];

        if ((entry->revents & POLLIN) != 0) {
            input = true;
        } else if (entry->revents != 0) {
            entry->fd = -1;
        }
    }
    return input;
}

/* Sleeps for longer than the last time, and not for long.  @return whether something ended it */
static bool nap(struct worker *worker)
{
    const uint32_t longer_us = worker->nap_us == 0 ? NAP_FIRST_US : 2 * worker->nap_us;
    struct timespec time = { 0 };

    worker->nap_us = longer_us < NAP_LAST_US ? longer_us : NAP_LAST_US;
    time.tv_nsec = (long)worker->nap_us * 1000;
    return ppoll(worker->sleeping, worker->queue_count + 1, &time, NULL) > 0;
}

/* @return whether something ended it that is worth a look */
static bool wait_for_input(struct worker *worker, bool blind)
{
    const bool ended = blind ? nap(worker)
                             : poll(worker->sleeping, worker->queue_count + 1, -1) != 0;

    /* An error alone would end every sleep at once: so without its descriptor, and not for long. */
    return ended && (has_input(worker) || nap(worker));
}

bool idle_sleep(struct worker *worker)
{
    struct rte_rcu_qsbr *qsbr = worker->shared->qsbr;
    bool changed = false;
    bool woken = true;
    bool blind;

    /* The turn has ended and with it the right to the fabric it was in: load again, or poll on. */
    if (worker_load_fabric(worker)) {
        return true;
    }
    if (!grow(worker)) {
        return true;               /* without the memory to sleep, it goes on polling */
    }
    if (arm(worker, &blind)) {
        counter_add(&worker->status.sleeps, 1);
        rte_rcu_qsbr_thread_offline(qsbr, worker->id);
        woken = wait_for_input(worker, blind);
        rte_rcu_qsbr_thread_online(qsbr, worker->id);
        changed = worker_load_fabric(worker);
    }
    disarm(worker, changed);
    return woken || changed;
}
