/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Retiring and building a vNIC's live device: the only two ways in which vnic->live changes.
 *
 * A frontend may name a ring's size, places and memory in any order, and change each later.  So
 * they are kept as they were said, and held against each other here: each of a ring's three parts
 * lies in the guest's memory, whole and aligned, before a worker may touch it.
 */
#include "vnic/vhost_control_device.h"

#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vnic/guest_fault.h"

#define FEATURE(bit) (UINT64_C(1) << (bit))

/* Alignment of a ring's parts.  Standard: virtio 1.2, 2.7. */
enum { DESC_ALIGN_BYTES = 16, AVAIL_ALIGN_BYTES = 2, USED_ALIGN_BYTES = 4 };

static struct virtqueue *ring_of(struct vnic_live *live, uint16_t ring)
{
    return ring % 2 == 0 ? &live->to_guest[ring / 2] : &live->from_guest[ring / 2];
}

/* ---- retiring -------------------------------------------------------------------------------- */

void vhost_device_retire(struct vhost_vnic *device)
{
    struct vnic_live *live = atomic_exchange_explicit(&device->vnic.live, NULL,
                                                      memory_order_acq_rel);

    if (live == NULL) {
        return;
    }
    vhost_hooks_wait();
    for (uint16_t i = 0; i < device->ring_count; i++) {
        const struct virtqueue *queue = ring_of(live, i);

        if (queue->size != 0) {
            device->ring[i].last_avail = queue->last_avail;
            device->ring[i].next_used = queue->next_used;
            device->ring[i].fault = queue->fault;
        }
    }
    guest_fault_forget(&device->vnic);
    free(live);
}

/* ---- building -------------------------------------------------------------------------------- */

/* Finds the three parts, with the event fields behind them when they are used: 2.7.6, 2.7.8. */
static bool find_ring(const struct vhost_ram *memory, const struct vhost_ring *ring,
                      bool event_idx, struct virtqueue *queue)
{
    const size_t n = ring->size;
    const size_t event_bytes = event_idx ? sizeof(uint16_t) : 0;

    queue->desc = vhost_ram_at(memory, ring->desc, n * sizeof(struct vring_desc),
                                  DESC_ALIGN_BYTES);
    queue->avail = vhost_ram_at(memory, ring->avail, sizeof(struct vring_avail) +
                                   n * sizeof(uint16_t) + event_bytes, AVAIL_ALIGN_BYTES);
    queue->used = vhost_ram_at(memory, ring->used, sizeof(struct vring_used) +
                                  n * sizeof(struct vring_used_elem) + event_bytes,
                                  USED_ALIGN_BYTES);
    return queue->desc != NULL && queue->avail != NULL && queue->used != NULL;
}

/*
 * Whether a worker may use a notification descriptor (-1: there is none).  It must be an eventfd,
 * and must not block: a pipe or a file that a frontend passes instead could hold a worker for ever.
 */
static bool notifies(int fd)
{
    static const char eventfd_name[] = "anon_inode:[eventfd]";
    char link[64];
    char name[sizeof(eventfd_name)] = "";
    int flags;

    if (fd < 0) {
        return true;
    }
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if (readlink(link, name, sizeof(name)) != (ssize_t)strlen(eventfd_name) ||
        memcmp(name, eventfd_name, strlen(eventfd_name)) != 0) {
        return false;
    }
    flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

/*
 * Where a ring begins that the frontend has just placed.  The guest knows only its used index: what
 * a switch before us had taken and not given back is taken once more, rather than lost to it.
 */
static void begin_ring(struct vhost_ring *ring, const struct virtqueue *queue)
{
    if (ring->fresh) {
        ring->next_used = queue->used->idx;
        ring->last_avail = ring->next_used;
        ring->fresh = false;
    }
}

/* Fills @p queue; its size stays 0 when the frontend has not set the ring up, or did it badly. */
static enum virtqueue_fault build_ring(struct vhost_vnic *device, struct vhost_ring *ring,
                                       const struct vnic_live *live, struct virtqueue *queue)
{
    const bool event_idx = (live->features & FEATURE(VIRTIO_RING_F_EVENT_IDX)) != 0;

    if (ring->size == 0 || !ring->placed || ring->call_fd == VHOST_FD_NOT_SET ||
        ring->kick_fd == VHOST_FD_NOT_SET) {
        return VIRTQUEUE_NONE;
    }
    if (!find_ring(&device->memory, ring, event_idx, queue)) {
        return VIRTQUEUE_RING_PLACE;
    }
    if (!notifies(ring->call_fd) || !notifies(ring->kick_fd)) {
        return VIRTQUEUE_NOTIFY_FD;
    }
    begin_ring(ring, queue);
    queue->size = ring->size;
    queue->mask = (uint16_t)(ring->size - 1);
    queue->enabled = ring->enabled;
    queue->event_idx = event_idx;
    queue->indirect = (live->features & FEATURE(VIRTIO_RING_F_INDIRECT_DESC)) != 0;
    queue->call_fd = ring->call_fd;
    queue->kick_fd = ring->kick_fd;
    queue->held = &device->vnic.held;
    queue->fault = ring->fault;
    queue->last_avail = ring->last_avail;
    queue->next_used = ring->next_used;
    queue->shown_used = ring->next_used;
    return VIRTQUEUE_NONE;
}

static void build_rings(struct vhost_vnic *device, struct vnic_live *live)
{
    bool in_a_row = true;

    for (uint16_t i = 0; i < device->ring_count; i++) {
        struct virtqueue *queue = ring_of(live, i);
        enum virtqueue_fault fault;

        queue->call_fd = -1;
        queue->kick_fd = -1;
        fault = build_ring(device, &device->ring[i], live, queue);
        if (fault != VIRTQUEUE_NONE) {
            vnic_note_fault(&device->vnic, fault, i);
        }
        if (queue->size != 0) {
            live->pair_count = (uint16_t)(i / 2 + 1);
        }
        if (i % 2 == 0) {
            in_a_row = in_a_row && queue->size != 0 && queue->enabled;
            live->to_pair_count = (uint16_t)(live->to_pair_count + in_a_row);
        }
    }
}

/* A device without anything, features known; NULL when there is no memory for it. */
static struct vnic_live *live_create(const struct vhost_vnic *device)
{
    struct vnic_live *live = aligned_alloc(_Alignof(struct vnic_live), sizeof(*live));

    if (live == NULL) {
        return NULL;
    }
    memset(live, 0, sizeof(*live));
    live->memory = device->memory.guest;
    live->features = device->features;
    live->takes = offload_takes(live->features);
    live->mergeable = (live->features & FEATURE(VIRTIO_NET_F_MRG_RXBUF)) != 0;
    live->net_hdr_bytes = live->mergeable || (live->features & FEATURE(VIRTIO_F_VERSION_1)) != 0
                              ? sizeof(struct virtio_net_hdr_mrg_rxbuf)
                              : sizeof(struct virtio_net_hdr);
    return live;
}

void vhost_device_build(struct vhost_vnic *device)
{
    struct vnic *vnic = &device->vnic;
    struct vnic_live *live;

    if (!device->running ||
        atomic_load_explicit(&vnic->live, memory_order_relaxed) != NULL) {
        return;
    }
    live = live_create(device);
    if (live == NULL) {
        return;
    }
    if (atomic_load_explicit(&vnic->held, memory_order_relaxed)) {
        vnic_note_fault(vnic, VIRTQUEUE_NOTIFY_HELD, 0);
        free(live);
        return;
    }
    if (atomic_load_explicit(&vnic->memory_gone, memory_order_relaxed)) {
        vnic_note_fault(vnic, VIRTQUEUE_MEMORY_GONE, 0);
        free(live);
        return;
    }
    guest_fault_watch(vnic, &live->memory);                    /* rings are read from here on */
    build_rings(device, live);
    pthread_mutex_lock(&device->lock);
    device->status.features = live->features;
    device->status.pairs_enabled = live->to_pair_count;
    device->status.ring_size = live->from_guest[0].size;
    pthread_mutex_unlock(&device->lock);
    for (uint16_t i = 0; i < live->pair_count; i++) {
        if (live->to_guest[i].size != 0) {
            virtqueue_want_kick(&live->to_guest[i], false);    /* nobody waits for buffers */
        }
    }
    /* Pairs with the acquire in the worker: the device is complete before the pointer. */
    atomic_store_explicit(&vnic->live, live, memory_order_release);
    vhost_hooks_wake();
}
