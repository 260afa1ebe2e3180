/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chains of one plain buffer each, which is how most drivers hand over most frames.
 *
 * They are found a batch at a time, in two passes whose cache misses overlap: the heads, which ask
 * for the descriptors, and the descriptors, which ask for the buffers.  The second pass ends at the
 * first chain that is anything else, be it allowed or not: virtqueue_walk() says what that is.
 */
#ifndef VNIC_PLAIN_BUFFER_H
#define VNIC_PLAIN_BUFFER_H

#include <stdbool.h>
#include <stdint.h>

#include "vnic/copy.h"
#include "vnic/guest_memory.h"
#include "vnic/virtqueue.h"

/* Flags that say more of a buffer than where it is; and which way it goes is checked too. */
#define PLAIN_BUFFER_FLAGS (VRING_DESC_F_NEXT | VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT)

struct plain_buffer {
    uint8_t *at;                   /* all of it lies there */
    uint32_t len_bytes;
};

/**
 * Reads the heads of the next @p count available chains, which lie in a row (virtqueue_row()), and
 * asks for their descriptors.
 */
static inline void plain_buffer_heads(const struct virtqueue *queue, uint32_t count,
                                      uint16_t head[FRAME_BURST])
{
    const uint32_t first = queue->last_avail & queue->mask;
    const void *ring = (const void *)(uintptr_t)&queue->avail->ring[first];
    const volatile struct vring_desc *desc = queue->desc;
    const uint32_t mask = queue->mask;

    if (__builtin_expect(queue->size - first >= FRAME_BURST, 1)) {
        memcpy(head, ring, FRAME_BURST * sizeof(*head));
    } else {
        memcpy(head, ring, count * sizeof(*head));
    }
    /* What was copied is what is used: the ring may be another by now. */
    __asm__ volatile("" : : "r"(head) : "memory");
    for (uint32_t i = 0; i < count; i++) {
        __builtin_prefetch((const void *)(uintptr_t)&desc[head[i] & mask]);
    }
}

/**
 * Lists the buffers of the chains at @p head, up to the first that is not a plain one.
 *
 * @param writable    whether they are to be written to, or read
 * @param least_bytes that they must have, at least 1; and @p more_bytes may have beyond it
 * @param buffer      filled, @p count at most
 * @return how many; what comes behind them has not been looked at
 * Thread: the one that polls the queue.
 */
static inline __attribute__((always_inline)) uint32_t
plain_buffer_list(const struct virtqueue *queue, const struct guest_memory *memory, bool writable,
                  const uint16_t *head, uint32_t count, uint32_t least_bytes, uint32_t more_bytes,
                  struct plain_buffer *buffer)
{
    const volatile struct vring_desc *desc = queue->desc;
    const struct plain_buffer *start = buffer;
    const uint16_t *end = head + count;
    const uint32_t size = queue->size;
    const uint32_t flags = writable ? VRING_DESC_F_WRITE : 0;
    struct guest_region in = memory->region[0];        /* of size 0, if there is none */

    for (; head != end; head++, buffer++) {
        struct vring_desc d;
        uint64_t off_bytes;

        if (__builtin_expect(*head >= size, 0)) {
            break;
        }
        d = virtqueue_desc_read(&desc[*head]);
        if (__builtin_expect((d.flags & PLAIN_BUFFER_FLAGS) != flags ||
                             d.len - least_bytes > more_bytes, 0)) {
            break;
        }
        off_bytes = d.addr - in.gpa;
        if (__builtin_expect(off_bytes >= in.size_bytes, 0)) {
            const struct guest_region *found = guest_memory_find(memory, d.addr);

            if (found == NULL) {
                break;
            }
            in = *found;
            off_bytes = d.addr - in.gpa;
        }
        if (__builtin_expect(d.len > in.size_bytes - off_bytes, 0)) {
            break;
        }
        buffer->at = in.hva + off_bytes;
        buffer->len_bytes = d.len;
        if (writable) {
            copy_fetch_own(buffer->at);
            copy_fetch_own(buffer->at + 64);
        } else {
            __builtin_prefetch(buffer->at);
            __builtin_prefetch(buffer->at + 64);
        }
    }
    return (uint32_t)(buffer - start);
}

#endif
