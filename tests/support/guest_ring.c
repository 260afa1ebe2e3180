/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver's half of a split virtio ring.
 */
#include "tests/support/guest_ring.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RING_ALIGN_BYTES 64
#define SLOT_ALIGN_BYTES 64

/* Shared fields are read and written as the atomics they are. */
static uint16_t load_acquire(const uint16_t *field)
{
    return atomic_load_explicit((const _Atomic uint16_t *)field, memory_order_acquire);
}

static void store_release(uint16_t *field, uint16_t value)
{
    atomic_store_explicit((_Atomic uint16_t *)field, value, memory_order_release);
}

static uint16_t *used_event(const struct guest_ring *ring)
{
    return &ring->avail->ring[ring->size];
}

static uint16_t *avail_event(const struct guest_ring *ring)
{
    return (uint16_t *)(void *)&ring->used->ring[ring->size];
}

static size_t desc_bytes(uint16_t size)
{
    return size * sizeof(struct vring_desc);
}

static size_t avail_bytes(uint16_t size)
{
    return sizeof(struct vring_avail) + (size + 1u) * sizeof(uint16_t);
}

static size_t used_bytes(uint16_t size)
{
    return sizeof(struct vring_used) + size * sizeof(struct vring_used_elem) + sizeof(uint16_t);
}

size_t guest_ring_bytes(uint16_t size)
{
    return desc_bytes(size) + avail_bytes(size) + used_bytes(size) + 3 * RING_ALIGN_BYTES;
}

static int slots_create(struct guest_ring *ring, struct guest_ram *ram)
{
    for (uint16_t i = 0; i < ring->size; i++) {
        ring->slot[i] = guest_ram_alloc(ram, i % ram->region_count, ring->slot_size_bytes,
                                        SLOT_ALIGN_BYTES);
        if (ring->slot[i] == NULL) {
            return -ENOMEM;
        }
        ring->slot_gpa[i] = guest_ram_gpa(ram, ring->slot[i]);
    }
    return 0;
}

int guest_ring_create(struct guest_ring *ring, struct guest_ram *ram, uint16_t size,
                      uint32_t slot_size_bytes)
{
    *ring = (struct guest_ring){
        .desc = guest_ram_alloc(ram, 0, desc_bytes(size), RING_ALIGN_BYTES),
        .avail = guest_ram_alloc(ram, 0, avail_bytes(size), RING_ALIGN_BYTES),
        .used = guest_ram_alloc(ram, 0, used_bytes(size), RING_ALIGN_BYTES),
        .slot = calloc(size, sizeof(*ring->slot)),
        .slot_gpa = calloc(size, sizeof(*ring->slot_gpa)),
        .slot_size_bytes = slot_size_bytes,
        .size = size,
        .kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
        .call_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
        .err_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
        .next = calloc(size, sizeof(*ring->next)),
        .chain_slots = calloc(size, sizeof(*ring->chain_slots)),
    };
    int status = ring->kick_fd < 0 || ring->call_fd < 0 || ring->err_fd < 0 ? -EMFILE : 0;

    if (status == 0 && (ring->desc == NULL || ring->avail == NULL || ring->used == NULL)) {
        status = -ENOMEM;
    }
    if (status == 0) {
        status = slots_create(ring, ram);
    }
    if (status < 0) {
        guest_ring_release(ring);
        return status;
    }
    guest_ring_clear(ring);
    return 0;
}

static void close_event(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

void guest_ring_release(struct guest_ring *ring)
{
    if (ring->size == 0) {
        return;
    }
    close_event(ring->kick_fd);
    close_event(ring->call_fd);
    close_event(ring->err_fd);
    free(ring->slot);
    free(ring->slot_gpa);
    free(ring->next);
    free(ring->chain_slots);
    *ring = (struct guest_ring){.size = 0};
}

void guest_ring_clear(struct guest_ring *ring)
{
    memset(ring->desc, 0, desc_bytes(ring->size));
    memset(ring->avail, 0, avail_bytes(ring->size));
    memset(ring->used, 0, used_bytes(ring->size));
    memset(ring->chain_slots, 0, ring->size * sizeof(*ring->chain_slots));
    for (uint16_t i = 0; i < ring->size; i++) {
        ring->next[i] = (uint16_t)(i + 1);
    }
    ring->free_head = 0;
    ring->free_count = ring->size;
    ring->avail_idx = 0;
    ring->used_idx = 0;
}

int guest_ring_take(struct guest_ring *ring)
{
    const uint16_t slot = ring->free_head;

    if (ring->free_count == 0) {
        return -1;
    }
    ring->free_head = ring->next[slot];
    ring->free_count--;
    return slot;
}

void guest_ring_kick(struct guest_ring *ring)
{
    const uint64_t one = 1;
    ssize_t written = write(ring->kick_fd, &one, sizeof(one));

    (void)written;    /* fails only when the counter is full, and then the device has been told */
    ring->kicks++;
}

void guest_ring_publish(struct guest_ring *ring, uint16_t head, uint16_t slots)
{
    const uint16_t old = ring->avail_idx;
    bool wanted;

    ring->chain_slots[head] = slots;
    ring->avail->ring[old % ring->size] = head;
    ring->avail_idx = (uint16_t)(old + 1);
    store_release(&ring->avail->idx, ring->avail_idx);

    /* Pairs with the device's fence between asking for kicks and its last look at avail->idx. */
    atomic_thread_fence(memory_order_seq_cst);
    if (ring->event_idx) {
        wanted = vring_need_event(load_acquire(avail_event(ring)), ring->avail_idx, old);
    } else {
        wanted = (load_acquire(&ring->used->flags) & VRING_USED_F_NO_NOTIFY) == 0;
    }
    if (wanted) {
        guest_ring_kick(ring);
    }
}

int guest_ring_pop(struct guest_ring *ring, uint16_t *head, uint32_t *len_bytes)
{
    const uint16_t device_idx = load_acquire(&ring->used->idx);
    const struct vring_used_elem *used = &ring->used->ring[ring->used_idx % ring->size];

    if (device_idx == ring->used_idx) {
        return 0;
    }
    if (used->id >= ring->size || ring->chain_slots[used->id] == 0) {
        return -EPROTO;
    }
    *head = (uint16_t)used->id;
    *len_bytes = used->len;
    ring->used_idx++;
    return 1;
}

void guest_ring_free(struct guest_ring *ring, uint16_t head)
{
    uint16_t last = head;

    for (uint16_t i = 1; i < ring->chain_slots[head]; i++) {
        last = ring->next[last];
    }
    ring->free_count = (uint16_t)(ring->free_count + ring->chain_slots[head]);
    ring->chain_slots[head] = 0;
    ring->next[last] = ring->free_head;
    ring->free_head = head;
}

uint16_t guest_ring_want_calls(struct guest_ring *ring, bool wanted)
{
    /* An event index half the space away is never reached before it is moved on. */
    const uint16_t event = wanted ? ring->used_idx : (uint16_t)(ring->used_idx - 0x8000u);

    if (ring->event_idx) {
        store_release(used_event(ring), event);
    } else {
        store_release(&ring->avail->flags, wanted ? 0 : VRING_AVAIL_F_NO_INTERRUPT);
    }
    /* Pairs with the device's fence between its used->idx and its look at the event or flag. */
    atomic_thread_fence(memory_order_seq_cst);
    return (uint16_t)(load_acquire(&ring->used->idx) - ring->used_idx);
}
