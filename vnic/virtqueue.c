/* SPDX-License-Identifier: BSD-3-Clause */
#include "vnic/virtqueue.h"

#include <errno.h>
#include <stddef.h>
#include <sys/eventfd.h>

/* An indirect table longer than this is no table that any driver makes. */
#define INDIRECT_MAX_ENTRIES 1024u

const char *virtqueue_fault_text(enum virtqueue_fault fault)
{
    static const char *const texts[VIRTQUEUE_FAULT_COUNT] = {
#define X(name, mend, text) [VIRTQUEUE_##name] = text,
        VIRTQUEUE_FAULTS(X)
#undef X
    };

    return (unsigned)fault < VIRTQUEUE_FAULT_COUNT ? texts[fault] : "unknown";
}

const char *virtqueue_fault_mend(enum virtqueue_fault fault)
{
    static const char *const texts[VIRTQUEUE_FAULT_COUNT] = {
#define X(name, mend, text) [VIRTQUEUE_##name] = mend,
        VIRTQUEUE_FAULTS(X)
#undef X
    };

    return (unsigned)fault < VIRTQUEUE_FAULT_COUNT ? texts[fault] : VIRTQUEUE_BY_RESET;
}

/* The table a walk is in: the ring's own, or an indirect one. */
struct walk_table {
    const volatile struct vring_desc *desc;
    uint32_t size;
    bool indirect;
};

/* Enters the indirect table that @p d describes, or says why not. */
static enum virtqueue_fault walk_enter_indirect(const struct virtqueue *queue,
                                                const struct guest_memory *memory,
                                                const struct vring_desc *d,
                                                struct walk_table *table)
{
    uint32_t run_bytes;
    const uint8_t *at;

    if (!queue->indirect || table->indirect || (d->flags & VRING_DESC_F_NEXT) != 0) {
        return VIRTQUEUE_INDIRECT_NESTED;
    }
    if (d->len == 0 || d->len % sizeof(struct vring_desc) != 0 ||
        d->len > INDIRECT_MAX_ENTRIES * sizeof(struct vring_desc)) {
        return VIRTQUEUE_INDIRECT_SIZE;
    }
    at = guest_memory_at(memory, d->addr, d->len, &run_bytes);
    if (at == NULL || run_bytes != d->len) {
        return VIRTQUEUE_OUTSIDE_MEMORY;
    }
    if ((uintptr_t)at % _Alignof(struct vring_desc) != 0) {
        return VIRTQUEUE_INDIRECT_ALIGN;
    }
    table->desc = (const volatile struct vring_desc *)(const void *)at;
    table->size = d->len / (uint32_t)sizeof(struct vring_desc);
    table->indirect = true;
    return VIRTQUEUE_NONE;
}

/* Lists the pieces of one buffer behind the @p *count there are. */
static enum virtqueue_fault walk_buffer(const struct guest_memory *memory,
                                        const struct vring_desc *d, struct frame_run *run,
                                        uint32_t size, uint32_t *count)
{
    uint64_t addr = d->addr;
    uint32_t left_bytes = d->len;

    while (left_bytes > 0) {
        uint32_t run_bytes;
        uint8_t *at = guest_memory_at(memory, addr, left_bytes, &run_bytes);

        if (at == NULL) {
            return VIRTQUEUE_OUTSIDE_MEMORY;
        }
        if (*count == size) {
            return VIRTQUEUE_CHAIN_LONG;
        }
        run[(*count)++] = (struct frame_run){ .data = at, .len_bytes = run_bytes };
        addr += run_bytes;
        left_bytes -= run_bytes;
    }
    return VIRTQUEUE_NONE;
}

static enum virtqueue_fault walk(const struct virtqueue *queue, const struct guest_memory *memory,
                                 uint16_t head, bool writable, struct frame_run *run,
                                 uint32_t size, uint32_t *count, uint32_t *total_bytes)
{
    struct walk_table table = { .desc = queue->desc, .size = queue->size };
    uint32_t steps = 0;
    uint32_t index = head;

    for (;;) {
        const struct vring_desc d = virtqueue_desc_read(&table.desc[index]);
        enum virtqueue_fault fault;

        if (++steps > table.size) {
            return VIRTQUEUE_CHAIN_LONG;
        }
        if ((d.flags & VRING_DESC_F_INDIRECT) != 0) {
            fault = walk_enter_indirect(queue, memory, &d, &table);
            if (fault != VIRTQUEUE_NONE) {
                return fault;
            }
            index = 0;
            steps = 0;
            continue;
        }
        if (((d.flags & VRING_DESC_F_WRITE) != 0) != writable) {
            return VIRTQUEUE_DIRECTION;
        }
        if (d.len == 0) {
            return VIRTQUEUE_LENGTH_ZERO;
        }
        fault = walk_buffer(memory, &d, run, size, count);
        if (fault != VIRTQUEUE_NONE) {
            return fault;
        }
        *total_bytes = *total_bytes + d.len < d.len ? UINT32_MAX : *total_bytes + d.len;
        if ((d.flags & VRING_DESC_F_NEXT) == 0) {
            return VIRTQUEUE_NONE;
        }
        if (d.next >= table.size) {
            return VIRTQUEUE_NEXT_RANGE;
        }
        index = d.next;
    }
}

uint32_t virtqueue_walk(struct virtqueue *queue, const struct guest_memory *memory, uint16_t head,
                        bool writable, struct frame_run *run, uint32_t size,
                        uint32_t *total_bytes)
{
    uint32_t count = 0;
    enum virtqueue_fault fault = VIRTQUEUE_HEAD_RANGE;

    *total_bytes = 0;
    if (head < queue->size) {
        fault = walk(queue, memory, head, writable, run, size, &count, total_bytes);
    }
    if (fault != VIRTQUEUE_NONE) {
        queue->fault = fault;
        return 0;
    }
    return count;
}

/*
 * Whether the driver wants to hear that the used index went from @p before to its present value.
 * The fence pairs with the driver's between its store of used_event (or flags) and its last look at
 * the used index: one of the two sees the other.  Standard: virtio 1.2, 2.7.7.2 and 2.7.10.1.
 */
static bool must_notify(struct virtqueue *queue, uint16_t before)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (!queue->event_idx) {
        return (queue->avail->flags & VRING_AVAIL_F_NO_INTERRUPT) == 0;
    }
    if (!queue->notified) {
        queue->notified = true;
        return true;
    }
    return vring_need_event(queue->avail->ring[queue->size], queue->next_used, before) != 0;
}

/*
 * The descriptor does not block, and when its counter is full the driver has been told.  But the
 * frontend shares it and can make it block; then a signal ends the call: see dataplane_wait().
 */
static void notify(struct virtqueue *queue)
{
    if (queue->held != NULL && atomic_load_explicit(queue->held, memory_order_relaxed)) {
        queue->fault = VIRTQUEUE_NOTIFY_HELD;
    } else if (eventfd_write(queue->call_fd, 1) != 0 && errno == EINTR) {
        queue->fault = VIRTQUEUE_NOTIFY_HELD;
        if (queue->held != NULL) {
            atomic_store_explicit(queue->held, true, memory_order_relaxed);
        }
    }
}

void virtqueue_publish(struct virtqueue *queue)
{
    const uint16_t before = queue->shown_used;

    if (queue->next_used == before) {
        return;
    }
    /* What was written to buffers and used entries is seen before the index: 2.7.13.3.1. */
    atomic_thread_fence(memory_order_release);
    queue->used->idx = queue->next_used;
    queue->shown_used = queue->next_used;
    if (must_notify(queue, before) && queue->call_fd >= 0) {
        notify(queue);
    }
}

void virtqueue_want_kick(struct virtqueue *queue, bool want)
{
    if (queue->event_idx) {
        if (want) {
            /* avail_event stands behind the used ring's last entry. */
            volatile struct vring_used_elem *end = &queue->used->ring[queue->size];

            *(volatile uint16_t *)(volatile void *)end = queue->last_avail;
        }
    } else {
        queue->used->flags = want ? 0 : VRING_USED_F_NO_NOTIFY;
    }
    if (want) {
        atomic_thread_fence(memory_order_seq_cst);
    }
}
