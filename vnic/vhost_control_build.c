/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Retiring and building a vNIC's live device: the only two ways in which vnic->live changes.
 *
 * The library's word about a ring is not taken: it calls a ring ready whose used part ends beyond
 * its region, or whose size grew after its addresses were translated.  Each of a ring's three parts
 * is held against the memory table here, whole and aligned, before a worker may touch it.
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

#include <rte_vhost.h>

#include "vnic/guest_fault.h"

#define FEATURE(bit) (UINT64_C(1) << (bit))
#define FD_NOT_YET   (-2)          /* the library's mark of a descriptor that was never set */

/* Alignment of a ring's parts.  Standard: virtio 1.2, 2.7. */
enum { DESC_ALIGN_BYTES = 16, AVAIL_ALIGN_BYTES = 2, USED_ALIGN_BYTES = 4 };

static struct virtqueue *ring_of(struct vnic_live *live, uint16_t ring)
{
    return ring % 2 == 0 ? &live->to_guest[ring / 2] : &live->from_guest[ring / 2];
}

static void close_fd(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
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
            (void)rte_vhost_set_vring_base(device->vid, i, queue->last_avail, queue->next_used);
            device->ring[i].fault = queue->fault;
            close_fd(queue->call_fd);
            close_fd(queue->kick_fd);
        }
    }
    guest_fault_forget(&device->vnic);
    free(live);
}

/* ---- building -------------------------------------------------------------------------------- */

static bool read_memory(const struct vhost_vnic *device, struct guest_memory *memory)
{
    struct rte_vhost_memory *table = NULL;

    /* The library follows its table without asking whether there is one. */
    if (!device->memory_set || rte_vhost_get_mem_table(device->vid, &table) != 0) {
        return false;
    }
    for (uint32_t i = 0; i < table->nregions && i < GUEST_MEMORY_REGIONS_MAX; i++) {
        const struct rte_vhost_mem_region *from = &table->regions[i];

        memory->region[memory->region_count++] = (struct guest_region){
            .gpa = from->guest_phys_addr,
            .size_bytes = from->size,
            .hva = (uint8_t *)(uintptr_t)from->host_user_addr,
        };
    }
    free(table);
    return true;
}

/* Whether @p len_bytes at @p part lie in one region, aligned. */
static bool part_fits(const struct guest_memory *memory, const volatile void *part,
                      size_t len_bytes, size_t align_bytes)
{
    const uintptr_t at = (uintptr_t)part;

    if (at % align_bytes != 0) {
        return false;
    }
    for (uint32_t i = 0; i < memory->region_count; i++) {
        const struct guest_region *r = &memory->region[i];
        const uint64_t off = at - (uintptr_t)r->hva;           /* wraps when it lies below */

        if (off < r->size_bytes && len_bytes <= r->size_bytes - off) {
            return true;
        }
    }
    return false;
}

/* Sizes of the three parts, with the event fields behind them when they are used: 2.7.6, 2.7.8. */
static bool ring_fits(const struct guest_memory *memory, const struct rte_vhost_vring *vring,
                      bool event_idx)
{
    const size_t n = vring->size;
    const size_t event_bytes = event_idx ? sizeof(uint16_t) : 0;

    return part_fits(memory, vring->desc, n * sizeof(struct vring_desc), DESC_ALIGN_BYTES) &&
           part_fits(memory, vring->avail,
                     sizeof(struct vring_avail) + n * sizeof(uint16_t) + event_bytes,
                     AVAIL_ALIGN_BYTES) &&
           part_fits(memory, vring->used,
                     sizeof(struct vring_used) + n * sizeof(struct vring_used_elem) + event_bytes,
                     USED_ALIGN_BYTES);
}

/*
 * Makes the worker's own copy of a notification descriptor: -1 for none.  It must be an eventfd,
 * and must not block: a pipe or a file that a frontend passes instead could hold a worker for ever.
 */
static bool keep_fd(int fd, int *kept)
{
    static const char eventfd_name[] = "anon_inode:[eventfd]";
    char link[64];
    char name[sizeof(eventfd_name)] = "";
    int flags;

    *kept = -1;
    if (fd < 0) {
        return true;
    }
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if (readlink(link, name, sizeof(name)) != (ssize_t)strlen(eventfd_name) ||
        memcmp(name, eventfd_name, strlen(eventfd_name)) != 0) {
        return false;
    }
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        return false;
    }
    *kept = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return *kept >= 0;
}

/* Fills @p queue; its size stays 0 when the frontend has not set the ring up, or did it badly. */
static enum virtqueue_fault build_ring(struct vhost_vnic *device, uint16_t ring,
                                       const struct vnic_live *live, struct virtqueue *queue)
{
    const bool event_idx = (live->features & FEATURE(VIRTIO_RING_F_EVENT_IDX)) != 0;
    struct rte_vhost_vring vring;
    int call_fd;
    int kick_fd;

    if (rte_vhost_get_vhost_vring(device->vid, ring, &vring) != 0 || vring.size == 0 ||
        vring.desc == NULL || vring.avail == NULL || vring.used == NULL ||
        vring.callfd == FD_NOT_YET || vring.kickfd == FD_NOT_YET) {
        return VIRTQUEUE_NONE;
    }
    if (!ring_fits(&live->memory, &vring, event_idx)) {
        return VIRTQUEUE_RING_PLACE;
    }
    if (!keep_fd(vring.callfd, &call_fd)) {
        return VIRTQUEUE_NOTIFY_FD;
    }
    if (!keep_fd(vring.kickfd, &kick_fd)) {
        close_fd(call_fd);
        return VIRTQUEUE_NOTIFY_FD;
    }
    *queue = (struct virtqueue){
        .desc = vring.desc,
        .avail = vring.avail,
        .used = vring.used,
        .size = vring.size,
        .mask = (uint16_t)(vring.size - 1),
        .enabled = device->ring[ring].enabled,
        .event_idx = event_idx,
        .indirect = (live->features & FEATURE(VIRTIO_RING_F_INDIRECT_DESC)) != 0,
        .call_fd = call_fd,
        .kick_fd = kick_fd,
        .held = &device->vnic.held,
        .fault = device->ring[ring].fault,
    };
    (void)rte_vhost_get_vring_base(device->vid, ring, &queue->last_avail, &queue->next_used);
    queue->shown_used = queue->next_used;
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
        fault = build_ring(device, i, live, queue);
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
    (void)rte_vhost_get_negotiated_features(device->vid, &live->features);
    live->features |= device->acked;
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
    if (atomic_load_explicit(&vnic->memory_gone, memory_order_relaxed) ||
        !read_memory(device, &live->memory)) {
        vnic_note_fault(vnic, VIRTQUEUE_MEMORY_GONE, 0);
        free(live);
        return;
    }
    build_rings(device, live);
    pthread_mutex_lock(&device->lock);
    device->status.features = live->features;
    device->status.pairs_enabled = live->to_pair_count;
    device->status.ring_size = live->from_guest[0].size;
    pthread_mutex_unlock(&device->lock);
    guest_fault_watch(vnic, &live->memory);
    for (uint16_t i = 0; i < live->pair_count; i++) {
        if (live->to_guest[i].size != 0) {
            virtqueue_want_kick(&live->to_guest[i], false);    /* nobody waits for buffers */
        }
    }
    /* Pairs with the acquire in the worker: the device is complete before the pointer. */
    atomic_store_explicit(&vnic->live, live, memory_order_release);
    vhost_hooks_wake();
}
