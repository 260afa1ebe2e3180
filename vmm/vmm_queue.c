/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/vmm_queue.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>

#include <linux/virtio_config.h>

#define BIT(n) (UINT64_C(1) << (n))

/* The event indices: the driver's behind the available ring, the device's behind the used one. */
static volatile uint16_t *used_event(const struct vmm_queue *queue)
{
    return &queue->avail->ring[queue->size];
}

static volatile uint16_t *avail_event(const struct vmm_queue *queue)
{
    return (volatile uint16_t *)&queue->used->ring[queue->size];
}

int vmm_queue_start(struct vmm_queue *queue, const struct virtio_device *device, uint16_t number)
{
    const struct virtio_queue *set = &device->queue[number];
    const uint64_t size = set->size;

    *queue = (struct vmm_queue){
        .ram = device->ram,
        .set = set,
        .size = set->size,
        .event_idx = (device->acked & BIT(VIRTIO_RING_F_EVENT_IDX)) != 0,
        .indirect = (device->acked & BIT(VIRTIO_RING_F_INDIRECT_DESC)) != 0,
    };
    if (!set->ready || !virtio_queue_is_sound(device->ram, set, queue->event_idx)) {
        return 0;
    }
    queue->desc = ram_at(device->ram, set->desc_gpa, sizeof(struct vring_desc) * size);
    queue->avail = ram_at(device->ram, set->avail_gpa, sizeof(struct vring_avail));
    queue->used = ram_at(device->ram, set->used_gpa, sizeof(struct vring_used));
    queue->next_used = queue->used->idx;
    queue->next_avail = queue->next_used;
    return 1;
}

/* ---- taking ---------------------------------------------------------------------------------- */

/* The table a walk is in: the ring's own, or an indirect one; and how far it may still go. */
struct walk {
    const volatile struct vring_desc *table;
    uint32_t table_size;
    uint32_t steps_left;
    bool in_indirect;
};

/* Reads each field once. */
static struct vring_desc read_desc(const volatile struct vring_desc *shared)
{
    const struct vring_desc desc = {
        .addr = shared->addr,
        .len = shared->len,
        .flags = shared->flags,
        .next = shared->next,
    };

    return desc;
}

/* Enters the indirect table that @p desc describes.  Standard: virtio 1.2, 2.7.5.3. */
static bool enter_indirect(const struct vmm_queue *queue, const struct vring_desc *desc,
                           struct walk *walk)
{
    const uint32_t count = desc->len / (uint32_t)sizeof(struct vring_desc);
    const void *table;

    if (!queue->indirect || walk->in_indirect || (desc->flags & VRING_DESC_F_NEXT) != 0 ||
        desc->len % sizeof(struct vring_desc) != 0 || count == 0 ||
        count > VMM_QUEUE_PIECES_MAX || desc->addr % _Alignof(struct vring_desc) != 0) {
        return false;
    }
    table = ram_at(queue->ram, desc->addr, desc->len);
    *walk = (struct walk){
        .table = table,
        .table_size = count,
        .steps_left = count,
        .in_indirect = true,
    };
    return table != NULL;
}

/* Adds the buffer that @p desc describes to the chain. */
static bool add_piece(const struct vmm_queue *queue, const struct vring_desc *desc,
                      struct vmm_chain *chain)
{
    const bool writable = (desc->flags & VRING_DESC_F_WRITE) != 0;
    uint32_t *total_bytes = writable ? &chain->writable_bytes : &chain->readable_bytes;
    const unsigned at = chain->readable + chain->writable;
    void *bytes;

    if (!writable && chain->writable > 0) {
        return false;              /* what the device writes comes last: 2.7.4.2 */
    }
    if (desc->len == 0) {
        return true;
    }
    bytes = ram_at(queue->ram, desc->addr, desc->len);
    if (bytes == NULL || at == VMM_QUEUE_PIECES_MAX || desc->len > UINT32_MAX - *total_bytes) {
        return false;
    }
    chain->piece[at] = (struct iovec){ .iov_base = bytes, .iov_len = desc->len };
    *total_bytes += desc->len;
    *(writable ? &chain->writable : &chain->readable) += 1;
    return true;
}

/* Lists the pieces of the chain that begins at @p chain->head; false for one that is none. */
static bool walk_chain(const struct vmm_queue *queue, struct vmm_chain *chain)
{
    struct walk walk = {
        .table = queue->desc,
        .table_size = queue->size,
        .steps_left = queue->size,
    };
    uint32_t index = chain->head;

    while (index < walk.table_size && walk.steps_left > 0) {
        const struct vring_desc desc = read_desc(&walk.table[index]);

        walk.steps_left--;
        if ((desc.flags & VRING_DESC_F_INDIRECT) != 0) {
            if (!enter_indirect(queue, &desc, &walk)) {
                return false;
            }
            index = 0;
            continue;
        }
        if (!add_piece(queue, &desc, chain)) {
            return false;
        }
        if ((desc.flags & VRING_DESC_F_NEXT) == 0) {
            return true;
        }
        index = desc.next;
    }
    return false;
}

/* How many chains wait; more than the ring has are a driver's lie. */
static uint16_t waiting(const struct vmm_queue *queue)
{
    const uint16_t index = queue->avail->idx;

    /* Pairs with the driver's barrier between the ring's entries and its index: 2.7.13. */
    atomic_thread_fence(memory_order_acquire);
    return (uint16_t)(index - queue->next_avail);
}

int vmm_queue_take(struct vmm_queue *queue, struct vmm_chain *chain)
{
    uint16_t count;

    if (queue->broken) {
        return -EPROTO;
    }
    if (queue->desc == NULL) {
        return 0;
    }
    count = waiting(queue);
    if (count == 0) {
        return 0;
    }
    chain->head = queue->avail->ring[queue->next_avail % queue->size];
    chain->readable = 0;
    chain->writable = 0;
    chain->readable_bytes = 0;
    chain->writable_bytes = 0;
    if (count > queue->size || chain->head >= queue->size || !walk_chain(queue, chain)) {
        queue->broken = true;
        return -EPROTO;
    }
    queue->next_avail++;
    return 1;
}

/* ---- returning ------------------------------------------------------------------------------- */

static bool wants_interrupt(const struct vmm_queue *queue)
{
    /* The used index is out before the driver's wish is read; the driver does the reverse: 2.7.7,
     * 2.7.8. */
    atomic_thread_fence(memory_order_seq_cst);
    if (queue->event_idx) {
        return vring_need_event(*used_event(queue), queue->next_used,
                                (uint16_t)(queue->next_used - 1));
    }
    return (queue->avail->flags & VRING_AVAIL_F_NO_INTERRUPT) == 0;
}

void vmm_queue_return(struct vmm_queue *queue, uint16_t head, uint32_t written_bytes)
{
    volatile struct vring_used_elem *entry;
    int call_fd;

    if (queue->broken || queue->desc == NULL) {
        return;
    }
    entry = &queue->used->ring[queue->next_used % queue->size];
    entry->id = head;
    entry->len = written_bytes;
    queue->next_used++;
    /* Entries, and what is in the buffers, come before the index that tells of them: 2.7.8. */
    atomic_thread_fence(memory_order_release);
    queue->used->idx = queue->next_used;
    call_fd = queue->set->call_fd;
    if (wants_interrupt(queue) && call_fd >= 0) {
        /* Fails only when the counter is full: then the driver is interrupted already. */
        (void)eventfd_write(call_fd, 1);
    }
}

bool vmm_queue_want_kicks(struct vmm_queue *queue, bool wanted)
{
    if (queue->desc == NULL || queue->broken) {
        return false;
    }
    if (!queue->event_idx) {
        queue->used->flags = wanted ? 0 : VRING_USED_F_NO_NOTIFY;
    } else if (wanted) {
        /* When not wanted, the index that was asked for last is left behind, and is not passed. */
        *avail_event(queue) = queue->next_avail;
    }
    if (!wanted) {
        return false;
    }
    /* The wish is out before the index is read again; the driver does the reverse: 2.7.10. */
    atomic_thread_fence(memory_order_seq_cst);
    return waiting(queue) != 0;
}
