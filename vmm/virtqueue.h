/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A split virtqueue as a device in this process serves it: block, console, entropy, NIC control.
 *
 * The guest's rings are read once into locals and believed only when checked: an index beyond the
 * ring, a loop, or a buffer outside of memory ends the queue and says so to the caller, who makes
 * the device need a reset.  Not for a NIC's data, which the switch serves.
 *
 * Standard: virtio 1.2, 2.7.
 */
#ifndef VMM_VIRTQUEUE_H
#define VMM_VIRTQUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vmm/virtio_device.h"

#define VIRTQUEUE_PIECES_MAX 256u

struct vmm_queue {
    const struct ram *ram;
    struct virtio_queue set;       /* as the driver set it up */
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
    struct iovec piece[VIRTQUEUE_PIECES_MAX];
};

void vmm_queue_start(struct vmm_queue *queue, const struct virtio_device *device, uint16_t number);
/** @return 1 with the next chain, 0 when there is none, -EPROTO: the queue is broken now */
int vmm_queue_take(struct vmm_queue *queue, struct vmm_chain *chain);
/** Returns a chain with @p written_bytes in it; interrupts the driver if it wants that. */
void vmm_queue_return(struct vmm_queue *queue, uint16_t head, uint32_t written_bytes);
/** Turns kicks off or on; @return whether there is something after all, when turned on */
bool vmm_queue_want_kicks(struct vmm_queue *queue, bool wanted);

#endif
