/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A split virtqueue as a device in this process serves it: block, console, entropy, NIC control.
 *
 * The guest's rings are read once into locals and believed only when checked: an index beyond the
 * ring, a loop, or a buffer outside of memory ends the queue and says so to the caller, who makes
 * the device need a reset.  Not for a NIC's data, which the switch serves.
 *
 * A queue starts where its used index stands, which a driver's new ring has at 0: so a ring that
 * was in use before a snapshot goes on from there, with nothing in flight.
 *
 * Standard: virtio 1.2, 2.7.
 */
#ifndef VMM_VMM_QUEUE_H
#define VMM_VMM_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include <linux/virtio_ring.h>

#include "vmm/virtio_device.h"

#define VMM_QUEUE_PIECES_MAX 256u  /* buffers in one chain */

struct vmm_queue {
    const struct ram *ram;
    const struct virtio_queue *set;    /* borrowed from the device: its call_fd may change */
    /* The rings as mapped here; the guest may write all of them at any time. */
    const volatile struct vring_desc *desc;
    volatile struct vring_avail *avail;
    volatile struct vring_used *used;
    uint16_t size;
    bool event_idx;
    bool indirect;
    bool broken;
    uint16_t next_avail;
    uint16_t next_used;
};

/* One chain: what the driver gave to read, then what it gave to write, as pieces of memory here. */
struct vmm_chain {
    uint16_t head;
    uint16_t readable;             /* pieces; the writable ones follow them */
    uint16_t writable;
    uint32_t readable_bytes;
    uint32_t writable_bytes;
    struct iovec piece[VMM_QUEUE_PIECES_MAX];
};

/**
 * Begins to serve queue @p number as its driver set it up.
 * @return 1; 0 for a queue that the driver has not made ready, of which nothing can be taken
 * Thread: any, from ops->start on; the rest of this file: one thread at a time for each queue.
 */
int vmm_queue_start(struct vmm_queue *queue, const struct virtio_device *device, uint16_t number);
/** @return 1 with the next chain, 0 when there is none, -EPROTO: the queue is broken now */
int vmm_queue_take(struct vmm_queue *queue, struct vmm_chain *chain);
/** Returns a chain with @p written_bytes in it; interrupts the driver if it wants that. */
void vmm_queue_return(struct vmm_queue *queue, uint16_t head, uint32_t written_bytes);
/** Turns kicks off or on; @return whether there is something after all, when turned on */
bool vmm_queue_want_kicks(struct vmm_queue *queue, bool wanted);

#endif
