/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtual NIC: the switch's end of a guest's virtio-net device.
 *
 * A struct vnic lives as long as its port.  What comes and goes with the frontend (memory, rings,
 * features, file descriptors) is a struct vnic_live, published through one pointer: the control
 * side (vhost_control) builds a complete one, publishes it, and before any of it changes or goes
 * away it publishes NULL and waits until no worker holds it.  So a worker that loaded the pointer
 * may use all of it until its turn ends, and has nothing to check but NULL.
 *
 * Only private indices of the rings change after publication, and only by the ring's worker.  A
 * receive ring may be filled by several workers when there are several; then each takes the ring's
 * claim for the length of one batch.
 */
#ifndef VNIC_VNIC_H
#define VNIC_VNIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "switch/drop.h"
#include "switch/frame.h"
#include "switch/offload.h"
#include "vnic/guest_memory.h"
#include "vnic/virtqueue.h"

#define VNIC_PAIRS_MAX 16u
#define VNIC_BATCH_BYTES (32u * 9216u)    /* four and a half of the longest frames */

/* One frontend's device, complete.  Allocated aligned; freed after a grace period. */
struct vnic_live {
    struct guest_memory memory;
    uint64_t features;             /* negotiated virtio feature bits */
    uint16_t net_hdr_bytes;        /* 12, or 10 for a legacy driver without mergeable buffers */
    bool mergeable;                /* VIRTIO_NET_F_MRG_RXBUF */
    uint8_t takes;                 /* of what it negotiated: enum offload_take */
    uint16_t pair_count;           /* pairs with at least one ring set up */
    uint16_t to_pair_count;        /* pairs 0 .. n-1 whose receive ring is enabled */
    /* virtio's receiveq is where the switch delivers, its transmitq where it takes from. */
    struct virtqueue to_guest[VNIC_PAIRS_MAX] __attribute__((aligned(64)));
    struct virtqueue from_guest[VNIC_PAIRS_MAX] __attribute__((aligned(64)));
};

struct vnic {
    /* ---- read by workers each turn; written by vhost_control ---- */
    _Atomic(struct vnic_live *) live;
    uint16_t port;
    bool shared;                   /* several workers may deliver: take the claim */
    /* ---- written by workers, read by control ---- */
    atomic_uint fault;             /* of the first broken ring: see vnic_fault(); 0: none */
    atomic_bool memory_gone;       /* guest_fault covered its memory; until the frontend leaves */
    atomic_bool held;              /* its frontend has held a worker: it is served no more, ever */
    atomic_flag claim[VNIC_PAIRS_MAX] __attribute__((aligned(64)));
    /* ---- written by control, read by workers ---- */
    atomic_uint leaves;            /* enum offload_take mask: what its operator lets it be left */
};

/** What the guest of @p vnic is told of frames (enum offload_take).  Thread: any worker. */
static inline uint8_t vnic_told(const struct vnic *vnic, const struct vnic_live *live)
{
    return (uint8_t)(live->takes & atomic_load_explicit(&vnic->leaves, memory_order_relaxed));
}

/**
 * What @p vnic takes undone (enum offload_take): what its guest does, and partial checksums in any
 * case, because they are completed while the frame is copied.  Thread: any worker.
 */
static inline uint8_t vnic_takes(const struct vnic *vnic, const struct vnic_live *live)
{
    return (uint8_t)(vnic_told(vnic, live) | OFFLOAD_TAKES_CSUM);
}

/**
 * Takes the next chains a guest made available as frames.
 *
 * The descriptors stay the guest's loan until vnic_return(): call it when the batch is delivered.
 *
 * @param vnic     its owner, told when the queue breaks
 * @param live     as loaded this turn, with @p pair below its pair_count
 * @param batch    filled with at most FRAME_BURST frames; what it held is lost
 * @param refused  emptied, then counts chains that were taken and are no frames
 * @return frames in @p batch, 0 when the guest sent nothing
 *
 * What the virtio-net header says is verified (net_header.h) and becomes facts of the frame.  What
 * the frame belies is a lie, and so is what needs a feature that was not negotiated.  A batch ends
 * with the frame by which it comes to VNIC_BATCH_BYTES or to SEGMENT_MAX_BATCH segments: each may
 * be cut, or copied, for every port of a flood.
 *
 * Errors: a malformed chain breaks the queue, is counted as DROP_BAD_DESCRIPTOR and ends the batch;
 * the frames before it are returned.  A lie costs its frame, and is counted as DROP_BAD_OFFLOAD.
 * Thread: the worker that polls this pair.  Does not block, allocate or log.
 * Standard: virtio 1.2, 2.7.13 (available buffers), 5.1.6 (net header), 5.1.6.2 (transmission).
 */
uint16_t vnic_from_guest(struct vnic *vnic, struct vnic_live *live, uint16_t pair,
                         struct frame_batch *batch, struct drop_tally *refused);

/** Gives the descriptors of the last batch back to the guest that sent it.  Thread: as above. */
void vnic_return(struct vnic_live *live, uint16_t pair);

#define VNIC_DELIVERED 0xffu       /* a verdict; any other is an enum drop_reason */

/**
 * Copies frames into a guest's receive buffers and notifies it once.
 *
 * A frame's facts go into its virtio-net header, as far as the guest takes them (vnic_told()).  A
 * partial checksum that it does not take is completed within the copy.  A frame of a gso_type that
 * its guest has not negotiated was meant for another that took it, or for none: the guest has come
 * since the caller asked vnic_takes(), and the frame is DROP_NOT_ATTACHED.
 *
 * @param vnic     the receiver
 * @param live     as loaded this turn
 * @param pair     whose receive ring, below live->to_pair_count
 * @param batch    where the frames are; borrowed, unchanged
 * @param index    which of its frames, @p count of them, in order
 * @param verdict  filled for each: VNIC_DELIVERED or the reason it was not
 * @return how many were delivered
 * Thread: any worker; two on one ring exclude each other for a batch when vnic->shared is set.
 * Does not allocate or log.
 * Standard: virtio 1.2, 5.1.6.3 and 5.1.6.4 (receive buffers, mergeable), 2.7.8 (used ring).
 */
uint16_t vnic_to_guest(struct vnic *vnic, struct vnic_live *live, uint16_t pair,
                       const struct frame_batch *batch, const uint8_t *index, uint16_t count,
                       uint8_t *verdict);

/**
 * Notes the first fault of a vNIC for control to read; later ones are kept out.
 *
 * @param ring  virtio's index of it: receive 2k, transmit 2k + 1
 * Thread: any.
 */
void vnic_note_fault(struct vnic *vnic, enum virtqueue_fault fault, uint16_t ring);

/** The fault that was noted, and of which ring; VIRTQUEUE_NONE and 0 without one.  Thread: any. */
enum virtqueue_fault vnic_fault(const struct vnic *vnic, uint16_t *ring);

#endif
