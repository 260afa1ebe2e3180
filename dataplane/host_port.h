/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host's own adapter on a switch: a tap device, multiqueue, with virtio-net headers.
 *
 * A tap device moves one frame a call.  Frames are read so, into memory of the queue, and are
 * listed there.  To the host a batch is one call where the kernel has io_uring (see io_ring.h), for
 * which each frame is copied into one piece.  Long frames, and those of a second worker at the same
 * queue, are written one by one from the pieces they are in, a guest's included: the kernel copies,
 * and answers an address that is gone with an error.
 *
 * The host's stack does to us as a guest does: it leaves checksums and segments to the switch, and
 * takes frames with theirs undone.  An operator may switch the first off (ethtool -K), upon which
 * the kernel does it before we read; the second is no feature of the device, and stays.
 *
 * The device lives as long as its descriptors: whatever ends the daemon removes it.
 *
 * Standard: tun(4) as in linux/if_tun.h (TUNSETOFFLOAD).
 */
#ifndef DATAPLANE_HOST_PORT_H
#define DATAPLANE_HOST_PORT_H

#include <stdint.h>

#include "switch/drop.h"
#include "switch/error.h"
#include "switch/frame.h"

struct host_port;

struct host_port_config {
    const char *name;              /* of the device; at most 15 characters */
    uint16_t port;                 /* the switch's number of it */
    uint16_t queues;               /* 1 to 16: at most one a worker is of use */
};

/**
 * Makes the device, which must not exist yet; it is down and has a random address.  Its MTU may be
 * set to anything the kernel takes, at any time: there is room for the longest frame.
 * @return owned, for host_port_destroy(); NULL with a sentence that names the device
 * Thread: control.
 */
struct host_port *host_port_create(const struct host_port_config *config, struct error *error);
/** Removes the device; no worker uses it.  NULL is fine.  Thread: control. */
void host_port_destroy(struct host_port *port);

/**
 * Reads what the host sent through @p queue: at most FRAME_BURST frames, fewer when they are to be
 * cut into many segments.
 *
 * The frames lie in memory of the queue until the next call for it.
 *
 * @param batch    filled; what it held is lost
 * @param refused  emptied, then counts what was read and is no frame: BAD_OFFLOAD, FRAME_TOO_LONG,
 *                 FRAME_TOO_SHORT
 * Thread: the worker that polls the queue.  Does not block, allocate or log.
 */
uint16_t host_port_from_host(struct host_port *port, uint16_t queue, struct frame_batch *batch,
                             struct drop_tally *refused);

/**
 * Gives frames to the host's stack.
 *
 * @param queue    any of its queues; a flow should keep to one
 * @param verdict  filled for each: VNIC_DELIVERED or the reason it was not
 * @return how many were delivered
 * Thread: any worker; several at once on one queue are fine.  Does not block, allocate or log.
 */
uint16_t host_port_to_host(struct host_port *port, uint16_t queue, const struct frame_batch *batch,
                           const uint8_t *index, uint16_t count, uint8_t *verdict);

/** What the host takes undone (enum offload_take), by what its kernel knows.  Any thread. */
uint8_t host_port_takes(const struct host_port *port);
uint16_t host_port_queues(const struct host_port *port);
/** Readable when @p queue has something: what a worker sleeps on.  Borrowed. */
int host_port_fd(const struct host_port *port, uint16_t queue);

#endif
