/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One split ring as its device sees it, and every way in which its driver can lie about it.
 *
 * The guest can change any byte of a ring at any time.  So each shared field is read once, through
 * a volatile view, into a local, and only the local is checked and used; indices that the device
 * owns (last_avail, next_used) are private and are never read back from shared memory.
 *
 * Used entries are written when a chain is taken, and become the guest's only when
 * virtqueue_publish() stores the index, after the whole batch has been delivered.
 *
 * Standard: virtio 1.2, 2.7 (split virtqueues), 2.7.7 (notification suppression), 2.7.10 (events).
 */
#ifndef VNIC_VIRTQUEUE_H
#define VNIC_VIRTQUEUE_H

#include <linux/virtio_ring.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "switch/frame.h"
#include "vnic/guest_memory.h"

/*
 * What a driver or its VMM did wrong, and what makes the vNIC whole again.  A ring's first fault
 * breaks it until then.
 */
#define VIRTQUEUE_BY_RESET   "the guest's driver resets"
#define VIRTQUEUE_BY_CONNECT "the VMM connects again, with memory that stays"
#define VIRTQUEUE_BY_ADD     "the vNIC is removed and added again"
#define VIRTQUEUE_FAULTS(X)                                                                     \
    X(NONE,            VIRTQUEUE_BY_RESET, "")                                                  \
    X(AVAIL_JUMP,      VIRTQUEUE_BY_RESET,                                                      \
      "the available index jumped by more than the ring holds")                                 \
    X(HEAD_RANGE,      VIRTQUEUE_BY_RESET, "a chain starts beyond the descriptor table")        \
    X(NEXT_RANGE,      VIRTQUEUE_BY_RESET, "a descriptor's next lies beyond its table")         \
    X(CHAIN_LONG,      VIRTQUEUE_BY_RESET, "a chain is longer than the ring, or loops")         \
    X(LENGTH_ZERO,     VIRTQUEUE_BY_RESET, "a descriptor has no length")                        \
    X(OUTSIDE_MEMORY,  VIRTQUEUE_BY_RESET, "a buffer lies outside the guest's memory")          \
    X(DIRECTION,       VIRTQUEUE_BY_RESET,                                                      \
      "a buffer is writable where it must be readable, or the reverse")                         \
    X(INDIRECT_NESTED, VIRTQUEUE_BY_RESET,                                                      \
      "an indirect table or flag stands where none may")                                        \
    X(INDIRECT_SIZE,   VIRTQUEUE_BY_RESET,                                                      \
      "an indirect table's length is no multiple of a descriptor, or too long")                 \
    X(INDIRECT_ALIGN,  VIRTQUEUE_BY_RESET, "an indirect table is misaligned")                   \
    X(HEADER_MISSING,  VIRTQUEUE_BY_RESET, "a chain is shorter than the virtio-net header")     \
    X(RING_PLACE,      VIRTQUEUE_BY_RESET,                                                      \
      "a ring is misaligned or not wholly inside the guest's memory")                           \
    X(NOTIFY_FD,       VIRTQUEUE_BY_RESET,                                                      \
      "a ring's notification descriptor is not an eventfd")                                     \
    X(NOTIFY_HELD,     VIRTQUEUE_BY_ADD, "a notification descriptor blocked")                   \
    X(MEMORY_GONE,     VIRTQUEUE_BY_CONNECT,                                                    \
      "the memory behind the guest was truncated or taken away")

enum virtqueue_fault {
#define X(name, mend, text) VIRTQUEUE_##name,
    VIRTQUEUE_FAULTS(X)
#undef X
    VIRTQUEUE_FAULT_COUNT
};

/** The operator's text for @p fault, without a full stop; "" for none. */
const char *virtqueue_fault_text(enum virtqueue_fault fault);

/** What has to happen before the ring is used again, to follow the word "when". */
const char *virtqueue_fault_mend(enum virtqueue_fault fault);

struct virtqueue {
    /* ---- set when built, then constant ---- */
    const volatile struct vring_desc *desc;
    volatile struct vring_avail *avail;
    volatile struct vring_used *used;
    uint16_t size;                 /* a power of two, 0: this ring is not set up */
    uint16_t mask;
    bool enabled;                  /* the frontend said so */
    bool event_idx;                /* VIRTIO_RING_F_EVENT_IDX */
    bool indirect;                 /* VIRTIO_RING_F_INDIRECT_DESC */
    int call_fd;                   /* borrowed; -1: the driver polls */
    int kick_fd;                   /* borrowed; -1: the device must poll */
    atomic_bool *held;             /* of its vNIC, which see; NULL: this ring is alone */
    /* ---- the device's own: its worker, or whoever holds the claim ---- */
    uint16_t last_avail;           /* next entry of the available ring to take */
    uint16_t next_used;            /* next entry of the used ring to fill */
    uint16_t shown_used;           /* what the guest has been shown */
    bool notified;                 /* the driver was notified once since the ring was built */
    enum virtqueue_fault fault;    /* set by whoever finds it; the ring is not touched any more */
} __attribute__((aligned(64)));    /* rings side by side may be those of two workers */

/** Reads a descriptor, each field once: its address, and the other three by one load. */
static inline struct vring_desc virtqueue_desc_read(const volatile struct vring_desc *shared)
{
    const volatile uint64_t *word = (const volatile uint64_t *)(const volatile void *)shared;
    const uint64_t addr = word[0];
    const uint64_t rest = word[1];

    return (struct vring_desc){ .addr = addr, .len = (uint32_t)rest,
                                .flags = (uint16_t)(rest >> 32), .next = (uint16_t)(rest >> 48) };
}

/**
 * How many chains the driver has made available and the device has not taken.
 * An index that jumped is a fault and answers 0.  Acquires what the driver wrote before it.
 * Standard: virtio 1.2, 2.7.13.3.
 */
static inline uint16_t virtqueue_available(struct virtqueue *queue)
{
    const uint16_t idx = queue->avail->idx;
    const uint16_t count = (uint16_t)(idx - queue->last_avail);

    atomic_thread_fence(memory_order_acquire);
    if (__builtin_expect(count > queue->size, 0)) {
        queue->fault = VIRTQUEUE_AVAIL_JUMP;
        return 0;
    }
    return count;
}

/** Whether the available index differs from what was taken; whether it may is not asked here. */
static inline bool virtqueue_has_more(const struct virtqueue *queue)
{
    return queue->avail->idx != queue->last_avail;
}

/** Writes a used entry, which the guest sees when virtqueue_publish() has gone past it. */
static inline void virtqueue_put_used(volatile struct vring_used_elem *entry, uint16_t head,
                                      uint32_t len_bytes)
{
    const uint64_t elem = head | (uint64_t)len_bytes << 32;

    memcpy((void *)(uintptr_t)entry, &elem, sizeof(elem));
}

/** Fills the next used entry; the guest does not see it yet. */
static inline void virtqueue_use(struct virtqueue *queue, uint16_t head, uint32_t len_bytes)
{
    virtqueue_put_used(&queue->used->ring[queue->next_used & queue->mask], head, len_bytes);
    queue->next_used++;
}

/** How many chains from the next on lie in a row, and have used entries in a row: at least one. */
static inline uint32_t virtqueue_row(const struct virtqueue *queue)
{
    const uint32_t avail_at = queue->last_avail & queue->mask;
    const uint32_t used_at = queue->next_used & queue->mask;

    return queue->size - (avail_at > used_at ? avail_at : used_at);
}

/** Fills the next @p count in a row, of chains that nothing was written to. */
static inline void virtqueue_use_row(struct virtqueue *queue, const uint16_t *head, uint32_t count)
{
    typedef uint64_t used_elem __attribute__((aligned(4), may_alias));
    used_elem *used =
        (used_elem *)(uintptr_t)&queue->used->ring[queue->next_used & queue->mask];

    for (uint32_t i = 0; i < count; i++) {
        used[i] = head[i];
    }
    queue->next_used = (uint16_t)(queue->next_used + count);
}

/**
 * Walks the chain at @p head, bounded and checked, into @p run.
 *
 * @param writable   true: every buffer must be device-writable; false: none may be
 * @param run        filled with the chain's pieces in order; to be written to when @p writable
 * @param size       how many fit; a chain that needs more is VIRTQUEUE_CHAIN_LONG
 * @param total_bytes filled with their sum, saturating at UINT32_MAX
 * @return pieces, or 0 with queue->fault set
 * Thread: the one that polls the queue.  Does not block, allocate or log.
 * Standard: virtio 1.2, 2.7.5 (descriptor table), 2.7.5.3 (indirect descriptors).
 */
uint32_t virtqueue_walk(struct virtqueue *queue, const struct guest_memory *memory, uint16_t head,
                        bool writable, struct frame_run *run, uint32_t size,
                        uint32_t *total_bytes);

/**
 * Shows the guest all entries filled so far and notifies it, unless it asked not to be.
 * One index store and at most one system call, whatever the number of entries.  A notification that
 * a signal had to end is VIRTQUEUE_NOTIFY_HELD, and the last one of all rings of that vNIC.
 * Standard: virtio 1.2, 2.7.8, 2.7.10.
 */
void virtqueue_publish(struct virtqueue *queue);

/**
 * Asks the driver to kick at its next chain, or not to.  After asking, look at the ring once more
 * before sleeping: what came in between has not kicked.
 */
void virtqueue_want_kick(struct virtqueue *queue, bool want);

#endif
