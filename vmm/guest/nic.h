/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtio-net device: frames in and out, without copying one that lies in one buffer.
 *
 * Buffers are descriptors: the one of descriptor n is always buffer n.  What a device gives back
 * is checked, because this guest is what tests the device.
 *
 * Standard: virtio 1.2, 5.1.
 */
#ifndef VMM_GUEST_NIC_H
#define VMM_GUEST_NIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/guest/packet.h"
#include "vmm/guest/virtio.h"

#define NIC_MAX             4u
#define NIC_FRAME_BYTES_MAX 9216u      /* to send; received, 64 KiB */
#define NIC_SEND_ENTRIES    256u

struct nic_memory;

struct nic {
    struct virtio device;
    unsigned number;
    bool is_there;
    bool works;                        /* set up, and the device has not broken the rules */
    bool link_is_up;
    uint64_t wanted;                   /* features beyond those of use here */
    uint16_t mtu_bytes;                /* 0: not told */
    struct station station;
    struct ring receive, send;
    struct nic_memory *memory;
    uint16_t free_count;               /* entries to send with, not the device's */
    uint16_t free_next;                /* where the first of them stands: they go round, so that */
    uint16_t free[NIC_SEND_ENTRIES];   /* a ring has the same entries in each round (ring_give) */
    uint16_t held_count;               /* buffers of the frame that nic_receive() returned */
    uint16_t held[VIRTIO_RING_ENTRIES];
    uint64_t received, sent;           /* frames */
};

/**
 * Sets up a device that was found (or anew, with empty queues), and says so in a line.
 * nic->device, number and wanted are the caller's.
 */
void nic_start(struct nic *nic);
/** The same without the line.  @return whether it works */
bool nic_start_quietly(struct nic *nic);

/** The next frame, until nic_release().  @return NULL when there is none */
const uint8_t *nic_receive(struct nic *nic, size_t *len_bytes);
/** The same for who looks at headers only: of a frame of several buffers the first is there. */
const uint8_t *nic_receive_head(struct nic *nic, size_t *len_bytes);
void nic_release(struct nic *nic);

/** Room for a frame of NIC_FRAME_BYTES_MAX.  @return NULL when all is with the device */
uint8_t *nic_frame(struct nic *nic);
/** Sends what was written where the last nic_frame() said. */
void nic_send(struct nic *nic, size_t len_bytes);

/** Tells the device of all that was sent and released. */
void nic_tell(struct nic *nic);

/** Looks at the link, and says when it changed. */
void nic_look_at_link(struct nic *nic);

#endif
