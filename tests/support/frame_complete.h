/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A frame's partial checksum completed where it lies, as a port completes it in what it copies.
 */
#ifndef TESTS_SUPPORT_FRAME_COMPLETE_H
#define TESTS_SUPPORT_FRAME_COMPLETE_H

#include "switch/checksum.h"
#include "switch/frame.h"

/** Leaves a frame that has none as it is. */
static inline void frame_complete(const struct frame_batch *batch, struct frame *frame)
{
    if (frame->csum_state == FRAME_CSUM_PARTIAL) {
        checksum_store(&frame->hdr[frame->csum_start_bytes + frame->csum_offset_bytes], frame,
                       checksum_add_frame(0, batch, frame, frame->csum_start_bytes));
        frame->csum_state = FRAME_CSUM_CHECKED;
    }
}

#endif
