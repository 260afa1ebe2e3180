/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP segments in a batch, and the proof that coalescing them changed nothing: what comes out, cut
 * again, is for each flow what went in, in order and byte for byte, but for an identification that
 * has no meaning.
 *
 * Header and payload of a frame are memory of their own, so that a sanitizer sees who reads on.
 */
#ifndef TESTS_SUPPORT_COALESCE_LAB_H
#define TESTS_SUPPORT_COALESCE_LAB_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/ether.h"
#include "switch/frame.h"
#include "switch/segment.h"
#include "tests/support/frame_builder.h"

#define LAB_PATCHES 2
#define LAB_PORT    9u             /* where segments go, unless they say another */

enum lab_layer { LAB_NOTHING, LAB_ETHER, LAB_IP, LAB_TCP };

/* Bits of a byte that are inverted. */
struct lab_patch {
    uint8_t layer;                 /* enum lab_layer */
    uint8_t off;                   /* in its header */
    uint8_t bits;
    bool late;                     /* after the checksums were written */
};

/* Zeroes are what is usual. */
struct lab_segment {
    uint8_t flow;                  /* in bit 0 its source, in others its port */
    uint8_t ip_version;            /* 4 or 6 */
    uint8_t ip_option_words;       /* IPv4: of 4 bytes; IPv6: an extension header of 8 each */
    uint8_t tcp_option_words;
    uint8_t tcp_flags;
    uint8_t csum_state;            /* enum frame_csum */
    uint8_t gso_type;              /* enum frame_gso: it is long already */
    bool may_fragment;             /* IPv4: DF is not set */
    uint16_t id;
    uint16_t vlan_tci;
    uint16_t port_out;             /* 0: LAB_PORT */
    uint16_t trusted_bytes;        /* at hdr; 0: as many as may be */
    uint32_t sequence;
    uint32_t payload_bytes;
    uint32_t trailer_bytes;        /* behind the IP packet */
    uint32_t run_bytes;            /* the longest run; 0: one run */
    uint8_t takes_not;             /* what the destination does not take (enum offload_take) */
    struct lab_patch patch[LAB_PATCHES];
};

/* A frame as it went in. */
struct lab_original {
    uint8_t *bytes;                /* with its checksum complete */
    uint32_t len_bytes;
    struct ether_info info;
    uint16_t vlan_tci;
    uint16_t port_out;
    bool is_long;
    bool found;
};

struct coalesce_lab {
    struct frame_batch batch;
    uint8_t takes[FRAME_BURST];
    /* ---- the lab's own ---- */
    struct lab_original original[FRAME_BURST];
    uint16_t originals;
    void *memory[2 * FRAME_BURST];
    uint32_t memories;
    struct frame_batch segments;
    struct wire wire;
    uint8_t bytes[FRAME_MAX_BYTES];
    char shape[4 * FRAME_BURST];
};

/** @return owned, for coalesce_lab_destroy(); its batch is empty */
struct coalesce_lab *coalesce_lab_create(void);
void coalesce_lab_destroy(struct coalesce_lab *lab);

/** Empties the batch. */
void coalesce_lab_start(struct coalesce_lab *lab);

/** Adds a segment to the batch. */
struct frame *coalesce_lab_add(struct coalesce_lab *lab, const struct lab_segment *wanted);

/** Coalesces the batch, also one that was filled by others.  @return what coalesce_batch() did */
uint16_t coalesce_lab_run(struct coalesce_lab *lab);

/** @return NULL when the batch is right and the same streams as before, or what is wrong */
const char *coalesce_lab_check(struct coalesce_lab *lab);

/** How many segments each frame of the batch is: "2 1 1". */
const char *coalesce_lab_shape(struct coalesce_lab *lab);

#endif
