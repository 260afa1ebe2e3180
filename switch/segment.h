/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Software segmentation: one frame longer than its receiver takes becomes several that fit.
 *
 * The segments share the payload of the long frame: each owns a header and lists slices of the same
 * runs, so that nothing is copied before delivery.  Segments come in batches of at most FRAME_BURST,
 * to be delivered one after the other.
 *
 * Standard: TCP: RFC 9293, 3.1, flags per RFC 3168, 6.1.2 (CWR on the first segment only), FIN and
 * PSH on the last; IPv4: RFC 6864 (identification goes up by one each), total length and header
 * checksum anew, also when the sender left it 0; IPv6: payload length; UDP: RFC 768, one datagram
 * each.
 */
#ifndef SWITCH_SEGMENT_H
#define SWITCH_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/frame.h"

/* Where a segmentation stands. */
struct segmenter {
    const struct frame_batch *from;
    const struct frame *frame;
    uint32_t header_bytes;         /* all before the payload */
    uint32_t done_bytes;           /* of the payload */
    uint32_t run;                  /* the slice that comes next */
    uint32_t run_offset_bytes;
    uint32_t index;                /* of the next segment */
};

/**
 * Starts to segment @p frame, which has a gso_type that was checked (see net_header.h).
 *
 * @param from   its batch; both are borrowed until the last segment is delivered
 * @return whether it can be: its headers are all trusted bytes
 */
bool segment_start(struct segmenter *segmenter, const struct frame_batch *from,
                   const struct frame *frame);

/**
 * Makes the next segments, complete with checksums.
 *
 * @param into  overwritten: frames with the tci, tag and ports of the long one
 * @return how many, 0 at the end
 */
uint16_t segment_next(struct segmenter *segmenter, struct frame_batch *into);

#endif
