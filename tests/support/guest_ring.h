/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A split virtio ring as a guest's driver keeps it (virtio 1.2, 2.7), for tests.
 *
 * Every descriptor owns one buffer, its slot, for the life of the ring, so that no allocator is
 * needed and a test can tell from a descriptor's number where its bytes are.  What the driver
 * believes about its ring (free slots, chains, indices) is kept in private memory: a test may write
 * any nonsense into the shared part and the driver still knows what it did.
 */
#ifndef TESTS_SUPPORT_GUEST_RING_H
#define TESTS_SUPPORT_GUEST_RING_H

#include "tests/support/guest_ram.h"

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

struct guest_ring {
    /* Shared with the device: read and written by both, or by a test that misbehaves. */
    struct vring_desc *desc;
    struct vring_avail *avail;    /* its used_event stands at avail->ring[size] */
    struct vring_used *used;      /* its avail_event stands after used->ring[size - 1] */
    uint8_t **slot;               /* slot[i]: the buffer of descriptor i, in guest memory */
    uint64_t *slot_gpa;
    uint32_t slot_size_bytes;
    uint16_t size;

    /* Event file descriptors, ours: the device has duplicates. */
    int kick_fd;
    int call_fd;
    int err_fd;

    /* What the driver knows. */
    bool event_idx;               /* VIRTIO_F_EVENT_IDX is negotiated */
    uint16_t avail_idx;           /* next avail index to publish */
    uint16_t used_idx;            /* next used index to read */
    uint16_t free_head;           /* list of free slots through next[] */
    uint16_t free_count;
    uint16_t *next;               /* the slot after this one in its chain or in the free list */
    uint16_t *chain_slots;        /* chain_slots[head]: slots a published chain holds, 0 for none */
    uint64_t kicks;               /* how often the device wanted to be told */
};

/** Bytes of the shared part of a ring of @p size entries, for sizing guest memory. */
size_t guest_ring_bytes(uint16_t size);

/**
 * Makes a ring and its slots in guest memory.
 *
 * The ring lies in region 0; slot i lies in region i modulo their number, so that with several
 * regions every chain crosses them.
 *
 * @param size  entries, a power of two
 * @return 0, -ENOMEM, or -errno of eventfd()
 */
int guest_ring_create(struct guest_ring *ring, struct guest_ram *ram, uint16_t size,
                      uint32_t slot_size_bytes);

/** Closes the event descriptors and frees the private part; a zeroed struct is fine. */
void guest_ring_release(struct guest_ring *ring);

/** Makes the ring as new: all slots free, indices zero, shared memory cleared. */
void guest_ring_clear(struct guest_ring *ring);

/** Takes a free slot. @return its number, or -1 when there is none */
int guest_ring_take(struct guest_ring *ring);

/**
 * Makes the chain that starts at slot @p head available and kicks the device if it wants that.
 *
 * The descriptors must be written; @p slots is how many slots come back when the device has used
 * the chain, linked by guest_ring.next from head on.
 * Standard: virtio 1.2, 2.7.13.
 */
void guest_ring_publish(struct guest_ring *ring, uint16_t head, uint16_t slots);

/**
 * Reads the next chain that the device has used; its slots stay taken until guest_ring_free().
 *
 * @return 1, 0 when there is none, -EPROTO when the device returned a chain it was not given
 * Standard: virtio 1.2, 2.7.14.
 */
int guest_ring_pop(struct guest_ring *ring, uint16_t *head, uint32_t *len_bytes);

/** Gives the slots of a popped chain back to the free list. */
void guest_ring_free(struct guest_ring *ring, uint16_t head);

/** Asks the device for a call at the next used chain, or for none. @return chains already there */
uint16_t guest_ring_want_calls(struct guest_ring *ring, bool wanted);

/** Kicks whether the device wants it or not. */
void guest_ring_kick(struct guest_ring *ring);

#endif
