/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An uplink on a kernel interface by packet sockets, for interfaces that AF_XDP does not serve.
 *
 * What comes in is read from a ring that the kernel fills (PACKET_RX_RING), 32 MiB for a queue, or
 * 8 MiB for each of several.  How it goes out: see packet_send.h.
 *
 * With PACKET_VNET_HDR the kernel says of each frame whether its checksum is still to be computed
 * and whether it is a segment of more than the MTU, as frames from a local stack (a veth's other
 * end, a bridge) mostly are; DPDK's af_packet driver does not ask, and passes them on broken.  What
 * it cannot say it drops, as if the ring were full: segments of UDP before Linux 6.2.  The tag,
 * which the kernel takes out of the bytes, is put back where it was.  The other way we say the same
 * to the kernel, which has the interface's device do it, or does it itself.
 *
 * Promiscuous mode is a membership of the socket: whatever ends the daemon ends it.
 *
 * Standard: packet(7), linux/if_packet.h (TPACKET_V2).
 */
#ifndef DATAPLANE_PACKET_PORT_H
#define DATAPLANE_PACKET_PORT_H

#include <stdint.h>

#include "switch/drop.h"
#include "switch/error.h"
#include "switch/frame.h"

struct packet_port;

struct packet_port_config {
    int ifindex;
    const char *name;              /* for sentences */
    uint16_t port;                 /* the switch's number of it */
    uint16_t queues;               /* 1 to 16; more than one share by PACKET_FANOUT_HASH */
};

/**
 * Opens the sockets; the interface is up, which several queues need to share it.
 * @return owned, for packet_port_destroy(); NULL with a sentence
 * Thread: control.
 */
struct packet_port *packet_port_create(const struct packet_port_config *config,
                                       struct error *error);
/** No worker uses it.  NULL is fine.  Thread: control. */
void packet_port_destroy(struct packet_port *port);

/**
 * Takes what came in on @p queue: at most FRAME_BURST frames, which lie in the ring until
 * packet_port_return().
 *
 * @param refused  emptied, then counts what came and is no frame: BAD_OFFLOAD, FRAME_TOO_LONG,
 *                 FRAME_TOO_SHORT
 * Thread: the worker that polls the queue.  Does not block, allocate or log.
 */
uint16_t packet_port_from_wire(struct packet_port *port, uint16_t queue, struct frame_batch *batch,
                               struct drop_tally *refused);
/** Gives the slots of the last batch back to the kernel.  Thread: as above. */
void packet_port_return(struct packet_port *port, uint16_t queue);

/**
 * Sends frames.
 * @param verdict  filled for each: VNIC_DELIVERED or the reason it was not
 * @return how many were sent
 * Thread: any worker; several at once are fine.  Does not block, allocate or log.
 */
uint16_t packet_port_to_wire(struct packet_port *port, uint16_t queue,
                             const struct frame_batch *batch, const uint8_t *index, uint16_t count,
                             uint8_t *verdict);

/**
 * Tells of the interface's MTU when that, or anything else about it, has changed since the port
 * was made.  A frame that is longer than the port knows of is sent at more cost, and refused by the
 * kernel when it is too long; one whose segments are is refused by the port, because the kernel
 * does not look.
 * Thread: control.
 */
void packet_port_set_mtu(struct packet_port *port, uint32_t mtu_bytes);

/**
 * What may be sent undone (enum offload_take), by what the kernel knows: it does itself what the
 * interface does not.  Any thread.
 */
uint8_t packet_port_takes(const struct packet_port *port);
uint16_t packet_port_queues(const struct packet_port *port);
/**
 * Readable when @p queue has something: what a worker sleeps on.  Borrowed.
 *
 * Ask for it before each sleep: that takes a past error off the socket (the interface was down for
 * a moment), which would otherwise end every sleep at once.
 */
int packet_port_fd(const struct packet_port *port, uint16_t queue);
/** Frames the kernel lost since the port was made because the rings were full.  Thread: control. */
uint64_t packet_port_overruns(struct packet_port *port);

#endif
