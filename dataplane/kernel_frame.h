/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames as the kernel gives and takes them: in one piece with a virtio-net header right before it,
 * and as a vector of pieces.  What a tap device and a packet socket have in common.
 *
 * The kernel takes and gives frames undone, super-frames of 64 KiB among them.  Its word about what
 * is left to do is checked as a guest's is, because frames of other guests and of containers come
 * through it with the claims that those made; that it found a checksum right is its own word.
 */
#ifndef DATAPLANE_KERNEL_FRAME_H
#define DATAPLANE_KERNEL_FRAME_H

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "switch/drop.h"
#include "switch/frame.h"
#include "switch/offload.h"
#include "vnic/net_header.h"

static inline struct frame *kernel_frame_refuse(struct drop_tally *refused, enum drop_reason reason)
{
    refused->drops[reason]++;
    refused->count++;
    return NULL;
}

/** Empties what a queue of @p port is to fill. */
static inline void kernel_frame_start(struct frame_batch *batch, uint16_t port,
                                      struct drop_tally *refused)
{
    batch->count = 0;
    batch->run_count = 0;
    batch->flood_count = 0;
    batch->offload_count = 0;
    batch->altered = false;
    batch->port_in = port;
    *refused = (struct drop_tally){ 0 };
}

/**
 * Makes the bytes at @p at the next frame of @p batch; NET_HEADER_BASE_BYTES before them are the
 * header that the kernel wrote, and room for a tag or two afterwards.
 *
 * @param tag_bytes  what the caller will put in front: the frame has room for that many more
 * @return the frame, or NULL: it is counted in @p refused
 */
static inline struct frame *kernel_frame_add(struct frame_batch *batch, struct drop_tally *refused,
                                             uint8_t *at, uint32_t len_bytes, uint32_t tag_bytes)
{
    const uint32_t most_bytes = FRAME_HDR_BYTES - tag_bytes;
    const uint32_t hdr_bytes = len_bytes < most_bytes ? len_bytes : most_bytes;
    struct frame *frame = &batch->frame[batch->count];

    if (len_bytes < FRAME_MIN_BYTES) {
        return kernel_frame_refuse(refused, DROP_FRAME_TOO_SHORT);
    }
    if (len_bytes > FRAME_MAX_BYTES - tag_bytes) {
        return kernel_frame_refuse(refused, DROP_FRAME_TOO_LONG);
    }
    *frame = (struct frame){ .hdr = at, .len_bytes = len_bytes,
                             .hdr_len_bytes = (uint16_t)hdr_bytes, .seg_first = batch->run_count,
                             .port_in = batch->port_in };
    if (!net_header_read_trusted(at - NET_HEADER_BASE_BYTES, frame)) {
        return kernel_frame_refuse(refused, DROP_BAD_OFFLOAD);
    }
    if (hdr_bytes < len_bytes) {
        batch->run[batch->run_count++] =
            (struct frame_run){ .data = at + hdr_bytes, .len_bytes = len_bytes - hdr_bytes };
        frame->seg_count = 1;
    }
    batch->offload_count = (uint16_t)(batch->offload_count +
                                      (frame->csum_state != FRAME_CSUM_AS_IT_IS));
    batch->count++;
    return frame;
}

#define KERNEL_FRAME_IOVECS 2u     /* of a frame, besides its runs */

/**
 * Fills @p iov with the virtio-net header of @p frame, which is written into @p header, and with
 * its pieces; the port takes what is undone of it.
 * @return how many; 0: more than a call takes, which only a guest that wants it can bring about
 */
static inline uint32_t kernel_frame_iov(const struct frame_batch *batch, const struct frame *frame,
                                        uint8_t header[NET_HEADER_BASE_BYTES], struct iovec *iov)
{
    const struct frame_run *run = &batch->run[frame->seg_first];

    if (frame->seg_count > IOV_MAX - KERNEL_FRAME_IOVECS) {
        return 0;
    }
    net_header_write(header, frame, OFFLOAD_TAKES_ALL);
    iov[0] = (struct iovec){ header, NET_HEADER_BASE_BYTES };
    iov[1] = (struct iovec){ frame->hdr, frame->hdr_len_bytes };
    for (uint32_t i = 0; i < frame->seg_count; i++) {
        iov[KERNEL_FRAME_IOVECS + i] =
            (struct iovec){ (void *)(uintptr_t)run[i].data, run[i].len_bytes };
    }
    return KERNEL_FRAME_IOVECS + frame->seg_count;
}

/** What the kernel meant when it did not take a frame. */
static inline enum drop_reason kernel_frame_refusal(int error)
{
    switch (error) {
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
        return DROP_DEVICE_BUSY;
    case ENETDOWN:
    case ENODEV:
    case ENXIO:
    case EIO:                      /* a tap device that is down */
    case EBADFD:                   /* one that somebody has removed */
        return DROP_LINK_DOWN;
    case EMSGSIZE:
        return DROP_OVER_MTU;
    default:                       /* EFAULT: a guest's memory that is gone */
        return DROP_DEVICE_ERROR;
    }
}

#endif
