/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/fake_guest.h"

#include <assert.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_ENTRIES 256u

/* Of exactly this size, so that what lies behind it is not ours. */
static void *block(size_t align_bytes, size_t size_bytes)
{
    void *at = NULL;

    if (posix_memalign(&at, align_bytes, size_bytes) != 0) {
        abort();
    }
    memset(at, 0, size_bytes);
    return at;
}

static void ring_create(struct fake_ring *ring, struct virtqueue *queue, uint16_t size,
                        const struct fake_guest_config *config)
{
    const size_t event_bytes = config->event_idx ? sizeof(uint16_t) : 0;

    *ring = (struct fake_ring){
        .queue = queue,
        .desc = block(16, size * sizeof(struct vring_desc)),
        .avail = block(16, sizeof(struct vring_avail) + size * sizeof(uint16_t) + event_bytes),
        .used = block(16, sizeof(struct vring_used) + size * sizeof(struct vring_used_elem) +
                              event_bytes),
        .size = size,
    };
    *queue = (struct virtqueue){
        .desc = ring->desc,
        .avail = ring->avail,
        .used = ring->used,
        .size = size,
        .mask = (uint16_t)(size - 1),
        .enabled = true,
        .event_idx = config->event_idx,
        .indirect = !config->no_indirect,
        .call_fd = -1,
        .kick_fd = -1,
    };
}

static void ring_destroy(struct fake_ring *ring)
{
    free(ring->desc);
    free(ring->avail);
    free(ring->used);
}

struct fake_guest *fake_guest_create(const struct fake_guest_config *config)
{
    static const uint64_t gpa[FAKE_REGIONS] = { FAKE_GPA, FAKE_GPA_NEXT, FAKE_GPA_LOW };
    const uint16_t size = config->ring_entries == 0 ? DEFAULT_ENTRIES : config->ring_entries;
    struct fake_guest *guest = block(64, sizeof(*guest));
    struct vnic_live *live = block(64, sizeof(*live));

    live->features = config->features;
    live->takes = config->takes;
    live->net_hdr_bytes = config->legacy ? 10 : 12;
    live->mergeable = !config->legacy && !config->not_mergeable;
    live->pair_count = 1;
    live->to_pair_count = 1;
    live->memory.region_count = FAKE_REGIONS;
    for (unsigned i = 0; i < FAKE_REGIONS; i++) {
        live->memory.region[i] = (struct guest_region){ .gpa = gpa[i],
                                                        .size_bytes = FAKE_REGION_BYTES,
                                                        .hva = block(4096, FAKE_REGION_BYTES) };
    }
    ring_create(&guest->to, &live->to_guest[0], size, config);
    ring_create(&guest->from, &live->from_guest[0], size, config);
    guest->live = live;
    atomic_store(&guest->vnic.leaves, OFFLOAD_TAKES_ALL);
    atomic_store(&guest->vnic.live, live);
    return guest;
}

void fake_guest_destroy(struct fake_guest *guest)
{
    if (guest == NULL) {
        return;
    }
    for (unsigned i = 0; i < FAKE_REGIONS; i++) {
        free(guest->live->memory.region[i].hva);
    }
    ring_destroy(&guest->to);
    ring_destroy(&guest->from);
    free(guest->live);
    free(guest);
}

static void ring_clear(struct fake_ring *ring)
{
    memset(ring->desc, 0, ring->size * sizeof(ring->desc[0]));
    memset(ring->avail, 0, sizeof(*ring->avail) + ring->size * sizeof(ring->avail->ring[0]));
    memset(ring->used, 0, sizeof(*ring->used) + ring->size * sizeof(ring->used->ring[0]));
    fake_ring_reset(ring);
}

void fake_guest_clear(struct fake_guest *guest)
{
    for (unsigned i = 0; i < FAKE_REGIONS; i++) {
        memset(guest->live->memory.region[i].hva, 0, FAKE_REGION_BYTES);
    }
    ring_clear(&guest->to);
    ring_clear(&guest->from);
    atomic_store(&guest->vnic.fault, VIRTQUEUE_NONE);
}

uint8_t *fake_guest_at(const struct fake_guest *guest, uint64_t gpa)
{
    uint32_t run_bytes;
    uint8_t *at = guest_memory_at(&guest->live->memory, gpa, 1, &run_bytes);

    assert(at != NULL);
    return at;
}

bool fake_guest_owns(const struct fake_guest *guest, const void *data, size_t len_bytes)
{
    for (unsigned i = 0; i < FAKE_REGIONS; i++) {
        const uintptr_t off = (uintptr_t)data - (uintptr_t)guest->live->memory.region[i].hva;

        if (off <= FAKE_REGION_BYTES && len_bytes <= FAKE_REGION_BYTES - off) {
            return true;
        }
    }
    return false;
}

void fake_ring_desc(struct fake_ring *ring, uint16_t index, uint64_t gpa, uint32_t len_bytes,
                    uint16_t flags, uint16_t next)
{
    ring->desc[index] = (struct vring_desc){ .addr = gpa, .len = len_bytes, .flags = flags,
                                             .next = next };
}

void fake_ring_offer(struct fake_ring *ring, uint16_t head)
{
    ring->avail->ring[ring->offered % ring->size] = head;
    ring->offered++;
    ring->avail->idx = ring->offered;
}

void fake_ring_offer_buffer(struct fake_ring *ring, uint16_t head, uint64_t gpa,
                            uint32_t len_bytes, uint16_t flags)
{
    fake_ring_desc(ring, head, gpa, len_bytes, flags, 0);
    fake_ring_offer(ring, head);
}

uint16_t fake_ring_offer_chain(struct fake_guest *guest, struct fake_ring *ring,
                               const struct fake_chain *chain)
{
    const bool indirect = chain->table_gpa != 0;
    uint32_t part_bytes = chain->first_bytes != 0 ? chain->first_bytes : chain->len_bytes;
    uint32_t at_bytes = 0;
    uint16_t count = 0;

    while (at_bytes < chain->len_bytes) {
        const uint32_t left_bytes = chain->len_bytes - at_bytes;
        const uint32_t len_bytes = part_bytes < left_bytes ? part_bytes : left_bytes;
        const uint16_t index = (uint16_t)(indirect ? count : chain->head + count);
        const uint16_t more = len_bytes < left_bytes ? VRING_DESC_F_NEXT : 0;
        const struct vring_desc desc = { .addr = chain->gpa + at_bytes, .len = len_bytes,
                                         .flags = chain->flags | more,
                                         .next = (uint16_t)(index + 1) };

        if (indirect) {
            memcpy(fake_guest_at(guest, chain->table_gpa + index * sizeof(desc)), &desc,
                   sizeof(desc));
        } else {
            assert(index < ring->size);
            ring->desc[index] = desc;
        }
        at_bytes += len_bytes;
        part_bytes = chain->piece_bytes != 0 ? chain->piece_bytes : chain->len_bytes;
        count++;
    }
    if (indirect) {
        fake_ring_desc(ring, chain->head, chain->table_gpa,
                       (uint32_t)(count * sizeof(struct vring_desc)), VRING_DESC_F_INDIRECT, 0);
    }
    fake_ring_offer(ring, chain->head);
    return count;
}

bool fake_ring_used(struct fake_ring *ring, uint32_t *head, uint32_t *len_bytes)
{
    const struct vring_used_elem *elem = &ring->used->ring[ring->seen % ring->size];

    if (ring->seen == ring->used->idx) {
        return false;
    }
    *head = elem->id;
    *len_bytes = elem->len;
    ring->seen++;
    return true;
}

/* Where a driver puts what it received: the header first. */
struct reception {
    uint8_t *header;
    uint8_t *bytes;
    uint32_t header_bytes;
    uint32_t done_bytes;           /* of both */
};

static void receive_piece(struct fake_guest *guest, struct reception *r, uint64_t gpa,
                          uint32_t len_bytes)
{
    for (uint32_t i = 0; i < len_bytes; i++, r->done_bytes++) {
        const uint8_t byte = *fake_guest_at(guest, gpa + i);

        if (r->done_bytes < r->header_bytes) {
            r->header[r->done_bytes] = byte;
        } else {
            assert(r->done_bytes - r->header_bytes < FRAME_MAX_BYTES);
            r->bytes[r->done_bytes - r->header_bytes] = byte;
        }
    }
}

/* Takes what the next used chain is said to hold.  Returns whether there was one. */
static bool receive_chain(struct fake_guest *guest, struct reception *r)
{
    const struct vring_desc *table = guest->to.desc;
    uint32_t index;
    uint32_t left_bytes;

    if (!fake_ring_used(&guest->to, &index, &left_bytes)) {
        return false;
    }
    if ((table[index].flags & VRING_DESC_F_INDIRECT) != 0) {
        table = (const struct vring_desc *)(const void *)fake_guest_at(guest, table[index].addr);
        index = 0;
    }
    for (;;) {
        const struct vring_desc *desc = &table[index];
        const uint32_t part = left_bytes < desc->len ? left_bytes : desc->len;

        receive_piece(guest, r, desc->addr, part);
        left_bytes -= part;
        if ((desc->flags & VRING_DESC_F_NEXT) == 0) {
            break;
        }
        index = desc->next;
    }
    assert(left_bytes == 0);
    return true;
}

uint32_t fake_guest_receive(struct fake_guest *guest, uint8_t header[FAKE_HEADER_BYTES],
                            uint8_t *bytes)
{
    struct reception r = { .header = header, .bytes = bytes,
                           .header_bytes = guest->live->net_hdr_bytes };
    uint32_t buffers = 1;

    if (!receive_chain(guest, &r)) {
        return 0;
    }
    assert(r.done_bytes >= r.header_bytes);
    if (guest->live->mergeable) {
        buffers = (uint32_t)(header[10] | header[11] << 8);
    }
    while (buffers-- > 1) {
        if (!receive_chain(guest, &r)) {
            abort();                                           /* the header said that there is */
        }
    }
    return r.done_bytes - r.header_bytes;
}

void fake_ring_reset(struct fake_ring *ring)
{
    struct virtqueue *queue = ring->queue;

    ring->offered = 0;
    ring->seen = 0;
    ring->avail->idx = 0;
    ring->used->idx = 0;
    queue->last_avail = 0;
    queue->next_used = 0;
    queue->shown_used = 0;
    queue->notified = false;
    queue->fault = VIRTQUEUE_NONE;
}
