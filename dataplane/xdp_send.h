/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sending by an AF_XDP socket in copy mode, which every interface has: no program is attached, the
 * interface is not changed, and nothing is received.
 *
 * The kernel copies each frame, as it does for a packet socket, but does not look into it or search
 * a ring for it, which is a fifth of what a frame to a veth costs.  A slot is half a page, so that
 * frames of the usual MTU go this way; longer ones, which the kernel would want in pieces, are
 * dearer by it than by a packet socket's ring.
 *
 * In copy mode the kernel looks at the ring within our calls only.  So what it has not taken of a
 * batch (the interface is down or busy) is withdrawn: the entries are made to name no slot, which
 * the kernel skips and counts.  That count says how far it had come; the ring's own index did not
 * always, before Linux 6.17.
 *
 * Standard: linux/if_xdp.h, Documentation/networking/af_xdp.rst in Linux.
 */
#ifndef DATAPLANE_XDP_SEND_H
#define DATAPLANE_XDP_SEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/frame.h"

#define XDP_SEND_SLOTS     128u
#define XDP_SEND_MAX_BYTES 2048u   /* of a frame, with its tag */

/* A ring that is shared with the kernel. */
struct xdp_send_ring {
    uint32_t *producer;
    uint32_t *consumer;
    void *entries;
    void *memory;
    size_t memory_bytes;
};

struct xdp_sender {
    int fd;                        /* -1: none */
    bool usable;
    uint8_t *slots;
    struct xdp_send_ring out;      /* of struct xdp_desc; entry n is about slot n, or none */
    struct xdp_send_ring done;     /* of addresses */
    uint64_t skipped;              /* entries that the kernel has ever, when the ring was empty */
    bool taken[XDP_SEND_SLOTS];    /* by the kernel */
};

/**
 * Opens a socket to queue @p queue of interface @p ifindex, or does without: another has the queue,
 * there is none of this number, or the kernel has no AF_XDP.  Thread: control.
 */
void xdp_send_open(struct xdp_sender *sender, int ifindex, uint16_t queue);
/** Nothing for one that is open to nothing.  Thread: control. */
void xdp_send_close(struct xdp_sender *sender);

/**
 * Sends frames of at most XDP_SEND_MAX_BYTES, whose checksums are complete.
 * @return how many went, from the first on; the others have not, and never will by this
 * Thread: one at a time.  Does not block, allocate or log.
 */
uint16_t xdp_send(struct xdp_sender *sender, const struct frame_batch *batch, const uint8_t *index,
                  uint16_t count);

#endif
