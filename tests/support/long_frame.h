/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames for tests that are longer than their receiver takes, with what a sender leaves undone:
 * TCP and UDP over IPv4 and IPv6, with tags, options and extension headers.
 */
#ifndef TESTS_SUPPORT_LONG_FRAME_H
#define TESTS_SUPPORT_LONG_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/frame.h"
#include "tests/support/frame_builder.h"

struct long_frame {
    /* ---- wanted ---- */
    uint8_t gso_type;              /* enum frame_gso */
    uint8_t ip_version;            /* 4 or 6 */
    uint8_t tags;                  /* in the bytes: 0 to 2 */
    uint8_t option_words;          /* IPv4: options of 4 bytes; IPv6: extensions of 8 */
    uint8_t tcp_option_words;
    uint64_t option_seed;          /* for options and extensions of all kinds; 0: padding only */
    uint8_t tcp_flags;
    uint16_t urgent;
    uint16_t id;
    uint16_t id_flags;             /* IPv4's flags, as DF */
    uint32_t sequence;
    uint32_t payload_bytes;
    uint16_t gso_size_bytes;
    uint16_t trusted_bytes;        /* of the frame, at hdr; at least the headers */
    uint32_t run_bytes;            /* the longest run; 0: one run */
    uint64_t run_seed;             /* for runs of any length, run_bytes on average; 0: all alike */
    /* ---- as written ---- */
    uint16_t l3_off_bytes;
    uint16_t l4_off_bytes;
    uint16_t header_bytes;
    struct wire wire;
};

/** Chooses everything at random, within what can be cut. */
void long_frame_random(struct long_frame *frame, uint64_t *random);

/** Writes the wire; lengths, sums and payload come of themselves. */
void long_frame_write(struct long_frame *frame);

/** Adds it to @p batch, and to its offload_count, with its facts; the wire is borrowed. */
struct frame *long_frame_add(const struct long_frame *frame, struct frame_batch *batch);

#endif
