/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sending to a kernel interface, in three ways.
 *
 * By an AF_XDP socket (xdp_send.h) go whole frames of the usual MTU: it is the fastest.
 *
 * By a packet socket's transmit ring (PACKET_TX_RING) goes what that one does not take.  A batch is
 * one call, too: frames are copied into slots, and the kernel is asked to copy each whole (hdr_len
 * of its virtio-net header is all of it).  Otherwise it would lend pages of the ring, and hand a
 * slot back when its frame is orphaned, which on the way into another namespace is before anybody
 * has read it: the next frame would overwrite it.  Two copies and one call are a third faster than
 * one copy and a message for each frame.
 *
 * By messages (sendmmsg) goes what neither takes: frames longer than the MTU or a slot, for which
 * they have no check, or when another worker is at them.  Nor do they say why they stopped; so what
 * they left is sent by messages, and those say it for each frame.
 *
 * All of them go past the interface's queue, which keeps a flow in order.  There the kernel does
 * the checksums that the interface does not, but drops frames that it would have to cut; and what
 * an interface cuts depends on length, tags and more, which nobody tells.  So such a frame is sent
 * again by a socket that goes through the queue, where the kernel cuts.  Of an interface that cuts
 * nothing at all we know, and go there at once: it would count them all as dropped.
 */
#ifndef DATAPLANE_PACKET_SEND_H
#define DATAPLANE_PACKET_SEND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <linux/if_packet.h>

#include "dataplane/xdp_send.h"
#include "switch/frame.h"

struct packet_sender {
    /* ---- written once, but for the last two, which are control's ---- */
    int fd;                        /* for messages; borrowed */
    int ring_fd;                   /* a socket of its own: one with a ring takes no messages */
    int queued_fd;                 /* for what the kernel has to cut */
    struct sockaddr_ll address;    /* of a message; the protocol has the kernel look for it itself,
                                      behind tags, and not take it from what is to be cut */
    bool opened;
    uint8_t *ring;
    atomic_uint max_frame_bytes;   /* of an untagged frame: the interface's MTU */
    atomic_bool cuts;              /* the interface, some long frames at least */
    /* ---- of whoever has the claim ---- */
    atomic_flag claim __attribute__((aligned(64)));
    uint32_t next;                 /* the slot that the kernel looks at next */
    struct xdp_sender xdp;
};

/**
 * Opens a ring of 1 MiB to interface @p ifindex, and where it can an AF_XDP socket to its queue
 * @p queue.
 *
 * @param sender  all 0
 * @param fd      a packet socket on the interface, with virtio-net headers; borrowed
 * @return 0, or -1 with errno; packet_send_close() is due in either case
 * Thread: control.
 */
int packet_send_open(struct packet_sender *sender, int fd, int ifindex, uint16_t queue);
/** Nothing for one that is all 0.  Thread: control. */
void packet_send_close(struct packet_sender *sender);

/**
 * Sets the limit for an interface of @p mtu_bytes, and looks at what it does.  Longer frames go by
 * messages; what would be cut into longer ones is DROP_OVER_MTU, because the kernel does not look.
 * Thread: control.
 */
void packet_send_limit(struct packet_sender *sender, uint32_t mtu_bytes);

/** As packet_port_to_wire(). */
uint16_t packet_send(struct packet_sender *sender, const struct frame_batch *batch,
                     const uint8_t *index, uint16_t count, uint8_t *verdict);

#endif
