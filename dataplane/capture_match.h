/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a capture's filter wants a frame, at the least cost for one that it does not.
 *
 * What a filter says depends on the bytes it reads and on nothing else, and which those are is
 * known from its program.  Nearly every filter reads headers only: then the trusted header of a
 * frame is all it is given, and no payload is gathered for it.  And most read no further than the
 * ports of TCP or UDP: then a frame that agrees with the last one refused, in each byte that the
 * program reads, is refused without running it.  That is three loads, masks and compares.
 *
 * Standard: the classic BPF machine, as pcap_compile() writes for it (bpf(4) of the BSDs).
 */
#ifndef DATAPLANE_CAPTURE_MATCH_H
#define DATAPLANE_CAPTURE_MATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <pcap/pcap.h>

#include "switch/frame.h"

/*
 * The bytes that are compared: from the EtherType to the ports behind IPv6, or, for a filter that
 * reads Ethernet addresses, from the first on.  The shortest frame has them.
 */
#define CAPTURE_WINDOW_VECTORS 3u
#define CAPTURE_WINDOW_BYTES   (16u * CAPTURE_WINDOW_VECTORS)
#define CAPTURE_WINDOW_AT      12u

typedef uint64_t capture_vector __attribute__((vector_size(16)));

/* What is known of a program; all zero: nothing, so that it is given whole frames. */
struct capture_match {
    capture_vector mask[CAPTURE_WINDOW_VECTORS];
    const struct bpf_insn *program;            /* borrowed */
    uint32_t reach_bytes;          /* it reads none from here on; UINT32_MAX: who knows */
    uint32_t window_at;            /* offset of the window: 0 or CAPTURE_WINDOW_AT */
    bool windowed;                 /* it reads nothing but masked bytes of the window */
    uint8_t ip_at;                 /* ... if the IPv4 header here has no options; 0: in any case */
};

/* The masked bytes of the last frame that was refused.  Each worker has its own. */
struct capture_refused {
    capture_vector bytes[CAPTURE_WINDOW_VECTORS];
    bool valid;
};

/** Learns what @p program reads; it outlives @p match.  Thread: control. */
void capture_match_learn(struct capture_match *match, const struct bpf_program *program);

/** Whether the filter needs no more than the trusted header of @p frame. */
static inline bool capture_match_needs_header_only(const struct capture_match *match,
                                                   const struct frame *frame)
{
    return match->reach_bytes <= frame->hdr_len_bytes ||
           frame->hdr_len_bytes == frame->len_bytes;
}

/** Bits in which what the filter reads of @p hdr differs from what was refused. */
static inline capture_vector capture_match_difference(const struct capture_match *match,
                                                      const struct capture_refused *refused,
                                                      const uint8_t *hdr)
{
    capture_vector differs = { 0, 0 };

    for (unsigned i = 0; i < CAPTURE_WINDOW_VECTORS; i++) {
        capture_vector bytes;

        memcpy(&bytes, hdr + match->window_at + i * sizeof(bytes), sizeof(bytes));
        differs |= (bytes & match->mask[i]) ^ refused->bytes[i];
    }
    return differs;
}

/**
 * Says whether all frames of a batch are sure to be refused, as the last refused one was.
 *
 * @param index  which frames of @p batch, @p count of them; NULL: its first
 * Thread: the worker of @p refused.
 */
static inline bool capture_match_refuses_all(const struct capture_match *match,
                                             const struct capture_refused *refused,
                                             const struct frame_batch *batch,
                                             const uint8_t *index, uint16_t count)
{
    const struct capture_match known = *match;     /* in registers, whatever is written below */
    const struct capture_refused last = *refused;
    const uint32_t end = known.window_at + CAPTURE_WINDOW_BYTES;
    capture_vector differs = { 0, 0 };

    if (!last.valid) {
        return false;
    }
    for (uint16_t i = 0; i < count; i++) {
        const struct frame *frame = &batch->frame[index != NULL ? index[i] : i];

        if (frame->hdr_len_bytes < end) {
            return false;
        }
        differs |= capture_match_difference(&known, &last, frame->hdr);
    }
    return (differs[0] | differs[1]) == 0;
}

/**
 * Runs the filter, unless it need not.
 *
 * @param bytes      the frame's first @p len_bytes: its header, if that is all it needs
 * @param refused    remembers a frame that is refused, where that is worth something
 * @return whether the capture wants the frame
 * Thread: its worker.
 */
bool capture_match_run(const struct capture_match *match, struct capture_refused *refused,
                       const struct frame *frame, const uint8_t *bytes, uint32_t len_bytes);

#endif
