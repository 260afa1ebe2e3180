/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Software segmentation: one frame longer than its receiver takes becomes several that fit.
 *
 * The segments share the payload of the long frame: each owns a header and lists slices of the same
 * runs, so that nothing is copied before delivery but what the long frame had in its header bytes.
 * Segments come in batches of at most FRAME_BURST, to be delivered one after the other.
 *
 * Only headers are made here.  The transport's checksum is left partial (FRAME_CSUM_PARTIAL) with
 * the segment's own pseudo-header in the field, for whoever delivers it.  What the sender left in
 * the fields has no say, and need not even be there.
 *
 * Standard: TCP: RFC 9293, 3.1 (sequence numbers, the urgent pointer is relative to them), flags
 * per RFC 3168, 6.1.2 (CWR on the first segment only), FIN and PSH on the last; IPv4: RFC 6864
 * (identification goes up by one each), total length and header checksum anew, also when the sender
 * left it 0; IPv6: payload length, RFC 8200, 8.1; UDP: RFC 768, one datagram each.  Options and
 * extension headers are each segment's as they were the long one's.
 */
#ifndef SWITCH_SEGMENT_H
#define SWITCH_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/frame.h"

/*
 * Segments of one frame, at most.  The least MTU a port may have, 576 bytes, needs a quarter;
 * without a bound a guest could have 65,000 frames of a byte made by sending one.
 */
#define SEGMENT_MAX_FRAMES 512u

/*
 * A batch ends with the frame by which it comes to as many segments.  Each may have to be cut for
 * every port it goes to: 32 frames of 512 segments, flooded to 100 ports, held all others up for
 * 250 ms.
 */
#define SEGMENT_MAX_BATCH 256u

/** How many segments a frame is to be cut into, about; 0: none.  Thread: any worker. */
static inline uint32_t segment_count(const struct frame *frame)
{
    return frame->gso_type == FRAME_GSO_NONE ? 0 : frame->len_bytes / frame->gso_size_bytes;
}

/* Where a segmentation stands. */
struct segmenter {
    const struct frame_batch *from;
    const struct frame *frame;
    uint32_t payload_bytes;        /* of the long frame */
    uint32_t done_bytes;           /* of that */
    uint32_t run_offset_bytes;     /* into the run that comes next */
    uint16_t run;                  /* its number in the batch */
    uint16_t index;                /* of the next segment */
    uint16_t header_bytes;         /* all before the payload */
    uint16_t l3_off_bytes;
    uint16_t l4_off_bytes;
    uint8_t ip_version;            /* 4 or 6 */
    uint8_t protocol;              /* TCP or UDP */
    /* Sums of what all segments have in common: */
    uint64_t ip_sum;               /* IPv4's header without length, identification, checksum */
    uint64_t pseudo_sum;           /* the pseudo-header without the length */
};

/**
 * Starts to segment @p frame, which has a gso_type that was checked (see net_header.h).
 *
 * @param from   its batch; both are borrowed, and stay as they are, until the last segment is made
 *               and delivered
 * @return whether it can be.  If not, it is to be dropped as DROP_BAD_OFFLOAD: its headers are not
 *         what gso_type says or not all trusted bytes (as 60 bytes of IPv4 and 60 of TCP are not),
 *         it is a fragment or a SYN, an IPv6 AH signs it as a whole, its route goes on behind the
 *         destination in the header (so another is in the checksum: RFC 1122, 3.2.1.8; RFC 8200,
 *         8.1), a segment would be longer than IP can say, or there would be too many
 * Thread: any worker.  Reads trusted bytes only.
 */
bool segment_start(struct segmenter *segmenter, const struct frame_batch *from,
                   const struct frame *frame);

/**
 * Makes the next segments, with partial checksums; into->offload_count is their number.
 *
 * @param into  overwritten: frames with the tci, tag and ports of the long one; not its batch
 * @return how many, 0 at the end
 * Thread: any worker.  Does not read the payload.
 */
uint16_t segment_next(struct segmenter *segmenter, struct frame_batch *into);

#endif
