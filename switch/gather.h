/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Walking the bytes of a frame: the trusted header, then the runs, as one sequence.
 *
 * Everything that copies a frame (delivery to a guest, capture, later a NIC) reads it through one
 * cursor, so that the boundary between header and payload is known here and nowhere else.
 */
#ifndef SWITCH_GATHER_H
#define SWITCH_GATHER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "switch/checksum.h"
#include "switch/frame.h"

#define GATHER_PAGE_BYTES 4096u
#define GATHER_NEAR_BYTES 31u      /* modulo a page: the distances that are slow */
#define GATHER_LONG_BYTES 2048u    /* libc takes "rep movsb" from here on, or later */

/*
 * Copies as memcpy() does, but where that is slow: libc copies what is long by "rep movsb", which
 * Zen 3 and 4 do thirty times slower when @p to lies a few bytes behind @p from, modulo a page.
 * Nobody chooses that; a frame behind a header in the receiver's page meets it again and again.
 */
static inline void gather_bytes(uint8_t *to, const uint8_t *from, uint32_t len_bytes)
{
    const uintptr_t distance = ((uintptr_t)to - (uintptr_t)from) % GATHER_PAGE_BYTES;

    if (len_bytes >= GATHER_LONG_BYTES && distance - 1 < GATHER_NEAR_BYTES) {
        typedef uint64_t vector __attribute__((vector_size(16)));
        vector piece[4];

        for (; len_bytes >= sizeof(piece); len_bytes -= (uint32_t)sizeof(piece)) {
            for (unsigned i = 0; i < 4; i++, from += sizeof(vector)) {
                memcpy(&piece[i], from, sizeof(vector));
            }
            for (unsigned i = 0; i < 4; i++, to += sizeof(vector)) {
                memcpy(to, &piece[i], sizeof(vector));
            }
        }
    }
    memcpy(to, from, len_bytes);
}

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
        gather_bytes(to, from->data, from->left_bytes);
        to += from->left_bytes;
        len_bytes -= from->left_bytes;
        from->data = from->next->data;
        from->left_bytes = from->next->len_bytes;
        from->next++;
    }
    gather_bytes(to, from->data, len_bytes);
    from->data += len_bytes;
    from->left_bytes -= len_bytes;
}

/* A checksum over bytes that are being copied: starts as { 0 }, checksum_finish() takes its sum. */
struct gather_sum {
    uint64_t sum;                  /* a plain number, see checksum.h */
    bool odd;                      /* an odd number of bytes is in it */
};

/**
 * Copies the next @p len_bytes to @p to and adds them to @p sum, reading each once: however the
 * bytes are cut into pieces and calls, the sum is that of the bytes as they were copied.
 * Thread: as gather_copy().
 */
static inline void gather_copy_sum(struct gather *from, uint8_t *to, uint32_t len_bytes,
                                   struct gather_sum *sum)
{
    while (len_bytes > 0) {
        uint32_t part_bytes;

        while (from->left_bytes == 0) {
            from->data = from->next->data;
            from->left_bytes = from->next->len_bytes;
            from->next++;
        }
        part_bytes = len_bytes < from->left_bytes ? len_bytes : from->left_bytes;
        sum->sum = checksum_copy(sum->sum, to, from->data, part_bytes, sum->odd);
        sum->odd ^= (part_bytes & 1) != 0;
        from->data += part_bytes;
        from->left_bytes -= part_bytes;
        to += part_bytes;
        len_bytes -= part_bytes;
    }
}

#endif
