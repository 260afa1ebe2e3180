/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Walking the bytes of a frame: the trusted header, then the runs, as one sequence.
 *
 * Everything that copies a frame (delivery to a guest, capture, later a NIC) reads it through one
 * cursor, so that the boundary between header and payload is known here and nowhere else.
 */
#ifndef SWITCH_GATHER_H
#define SWITCH_GATHER_H

#include <stdint.h>
#include <string.h>

#include "switch/frame.h"

struct gather {
    const uint8_t *data;           /* next byte of the current piece */
    uint32_t left_bytes;           /* of the current piece */
    const struct frame_run *next;  /* the piece after it */
};

/** Starts at the first byte of @p frame; the batch is borrowed while the cursor is used. */
static inline struct gather gather_start(const struct frame_batch *batch, const struct frame *frame)
{
    return (struct gather){ .data = frame->hdr, .left_bytes = frame->hdr_len_bytes,
                            .next = &batch->run[frame->seg_first] };
}

/**
 * Copies the next @p len_bytes to @p to.  The caller never asks for more than the frame has left.
 * Thread: any worker; does not block, allocate or log.
 */
static inline void gather_copy(struct gather *from, uint8_t *to, uint32_t len_bytes)
{
    while (len_bytes > from->left_bytes) {
        memcpy(to, from->data, from->left_bytes);
        to += from->left_bytes;
        len_bytes -= from->left_bytes;
        from->data = from->next->data;
        from->left_bytes = from->next->len_bytes;
        from->next++;
    }
    memcpy(to, from->data, len_bytes);
    from->data += len_bytes;
    from->left_bytes -= len_bytes;
}

#endif
