/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The decision: for each frame of a batch, the port it leaves by, all ports, or none and why.
 *
 * It reads trusted header bytes and the fabric, and nothing else; it takes no time from a clock and
 * touches no counter.  A source that is new, or behind another port than the table says, is noted
 * for the single writer of the table, at most once a batch and source; until the note has been
 * acted on, frames to it flood.  Notes are bounded: when there is no room, the next frame of that
 * source brings another chance.
 *
 * Policy of the port is applied here as well: its VLANs (vlan.h), the lock on its addresses, and
 * its guards (guard.h).
 *
 * Standard: IEEE 802.1Q-2022, 8.6 (forwarding process), 8.6.3 (reserved addresses), 8.7 (learning).
 */
#ifndef SWITCH_FORWARD_H
#define SWITCH_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/fabric.h"
#include "switch/frame.h"

/* A source that the table does not know behind this port. */
struct forward_note {
    uint64_t mac;
    uint16_t vlan;                 /* the filtering id */
    uint16_t port;
    uint32_t switch_index;
    uint32_t generation;           /* of the fabric it was seen in; a stale note is ignored */
    uint32_t reserved;
};

struct forward_notes {
    uint32_t count;
    struct forward_note note[FRAME_BURST];
};

/* What a batch holds, counted while its frames are at hand anyway. */
struct forward_classes {
    uint32_t bytes;                /* of all frames, as they are now */
    uint32_t longest_bytes;        /* none that goes somewhere is longer */
    bool alike;                    /* it is sure that all have the same port_out */
    uint32_t broadcast_frames;
    uint32_t multicast_frames;     /* group addresses but broadcast */
    uint32_t untagged_bytes;       /* taken out of frames as tags; len_bytes counts them no more */
    uint64_t spoofed_mac;          /* the last source that a locked port tried; 0: none */
};

/**
 * Decides for every frame of @p batch: fills port_out, drop_reason, vlan_tci, and flood_count of
 * the batch.  A frame that goes somewhere is untagged afterwards, whatever it came as; one that is
 * dropped is left as it came.
 *
 * @param fabric   the worker's fabric of this turn
 * @param batch    frames of one port of that fabric; its port is a used one
 * @param now_s    the second that learned entries are refreshed with
 * @param notes    emptied, then filled
 * @param classes  emptied, then filled
 * Thread: any worker.  Does not block, allocate or log.
 */
void forward_batch(const struct fabric *fabric, struct frame_batch *batch, uint32_t now_s,
                   struct forward_notes *notes, struct forward_classes *classes);

/** Fills bytes, longest_bytes and alike anew, after frames became others.  Thread: any worker. */
static inline void forward_measure(const struct frame_batch *batch,
                                   struct forward_classes *classes)
{
    classes->bytes = 0;
    classes->longest_bytes = 0;
    classes->alike = true;
    for (uint16_t i = 0; i < batch->count; i++) {
        const uint32_t len_bytes = batch->frame[i].len_bytes;

        classes->alike &= batch->frame[i].port_out == batch->frame[0].port_out;
        classes->bytes += len_bytes;
        if (len_bytes > classes->longest_bytes) {
            classes->longest_bytes = len_bytes;
        }
    }
}

#endif
