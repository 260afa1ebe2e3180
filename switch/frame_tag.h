/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Putting a VLAN tag into a frame's header and taking it out, in place.
 *
 * A tag is moved by moving the twelve bytes of addresses before it, into room that every source of
 * frames keeps in front of hdr.  So a destination that wants a tag and one that wants none can be
 * served one after the other from one frame, and nothing that delivers knows of tags.
 */
#ifndef SWITCH_FRAME_TAG_H
#define SWITCH_FRAME_TAG_H

#include <stdint.h>
#include <string.h>

#include "switch/bytes.h"
#include "switch/frame.h"

#define FRAME_TAG_BYTES 4u
#define FRAME_TPID      0x8100u    /* IEEE 802.1Q-2022, 9.5, table 9-1: the customer VLAN tag */

static inline void frame_tag_shift(struct frame *frame, int bytes)
{
    frame->hdr -= bytes;
    frame->hdr_len_bytes = (uint16_t)(frame->hdr_len_bytes + bytes);
    frame->len_bytes = (uint32_t)((int64_t)frame->len_bytes + bytes);
    frame->csum_start_bytes = (uint16_t)(frame->csum_start_bytes + bytes);
    frame->l3_off_bytes = (uint16_t)(frame->l3_off_bytes + bytes);
    frame->l4_off_bytes = (uint16_t)(frame->l4_off_bytes + bytes);
}

/** Tags @p frame, which has no tag in it, with @p tci; FRAME_TAG_BYTES before hdr are writable. */
static inline void frame_tag_push(struct frame *frame, uint16_t tci)
{
    uint8_t addresses[12];

    memcpy(addresses, frame->hdr, sizeof(addresses));
    frame_tag_shift(frame, (int)FRAME_TAG_BYTES);
    memcpy(frame->hdr, addresses, sizeof(addresses));
    bytes_put_2(&frame->hdr[12], FRAME_TPID);
    bytes_put_2(&frame->hdr[14], tci);
    frame->tagged = 1;
}

/** Takes the tag out; hdr_len_bytes is at least 18. @return the TCI it had */
static inline uint16_t frame_tag_pop(struct frame *frame)
{
    const uint16_t tci = bytes_get_2(&frame->hdr[14]);
    uint8_t addresses[12];

    memcpy(addresses, frame->hdr, sizeof(addresses));
    frame_tag_shift(frame, -(int)FRAME_TAG_BYTES);
    memcpy(frame->hdr, addresses, sizeof(addresses));
    frame->tagged = 0;
    return tci;
}

#endif
