/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the two ends of a port leave to each other: checksums and segmentation, as one list.
 *
 * A vNIC's features are virtio's, by their bits, for both directions: what its guest may leave
 * undone in what it sends (CSUM, HOST_*) and what it takes undone (GUEST_*).  Any port that is a
 * destination is described by the second half alone, an enum offload_take mask, so that egress asks
 * a guest, a tap device and a NIC the same question: may this frame go there as it is?
 *
 * Stateful offload (TCP Chimney) is none of these and does not exist here.
 *
 * Standard: virtio 1.2, 5.1.3 (feature bits), 5.1.3.1 (which needs which); 54 to 56 as in 1.3.
 */
#ifndef SWITCH_OFFLOAD_H
#define SWITCH_OFFLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/error.h"
#include "switch/frame.h"

/* X(name, virtio's bit, word for people, what it needs: all of these, or one of these) */
#define OFFLOAD_FEATURES(X)                                                                      \
    X(CSUM,       0,  "csum",       0,                     0)                                    \
    X(HOST_TSO4,  11, "host_tso4",  OFFLOAD_CSUM,          0)                                    \
    X(HOST_TSO6,  12, "host_tso6",  OFFLOAD_CSUM,          0)                                    \
    X(HOST_ECN,   13, "host_ecn",   0, OFFLOAD_HOST_TSO4 | OFFLOAD_HOST_TSO6)                    \
    X(HOST_USO,   56, "host_uso",   OFFLOAD_CSUM,          0)                                    \
    X(GUEST_CSUM, 1,  "guest_csum", 0,                     0)                                    \
    X(GUEST_TSO4, 7,  "guest_tso4", OFFLOAD_GUEST_CSUM,    0)                                    \
    X(GUEST_TSO6, 8,  "guest_tso6", OFFLOAD_GUEST_CSUM,    0)                                    \
    X(GUEST_ECN,  9,  "guest_ecn",  0, OFFLOAD_GUEST_TSO4 | OFFLOAD_GUEST_TSO6)                  \
    X(GUEST_USO4, 54, "guest_uso4", OFFLOAD_GUEST_CSUM,    0)                                    \
    X(GUEST_USO6, 55, "guest_uso6", OFFLOAD_GUEST_CSUM,    0)

#define OFFLOAD_CSUM       (UINT64_C(1) << 0)
#define OFFLOAD_GUEST_CSUM (UINT64_C(1) << 1)
#define OFFLOAD_GUEST_TSO4 (UINT64_C(1) << 7)
#define OFFLOAD_GUEST_TSO6 (UINT64_C(1) << 8)
#define OFFLOAD_GUEST_ECN  (UINT64_C(1) << 9)
#define OFFLOAD_HOST_TSO4  (UINT64_C(1) << 11)
#define OFFLOAD_HOST_TSO6  (UINT64_C(1) << 12)
#define OFFLOAD_HOST_ECN   (UINT64_C(1) << 13)
#define OFFLOAD_GUEST_USO4 (UINT64_C(1) << 54)
#define OFFLOAD_GUEST_USO6 (UINT64_C(1) << 55)
#define OFFLOAD_HOST_USO   (UINT64_C(1) << 56)

#define OFFLOAD_ALL (OFFLOAD_CSUM | OFFLOAD_GUEST_CSUM | OFFLOAD_GUEST_TSO4 |                    \
                     OFFLOAD_GUEST_TSO6 | OFFLOAD_GUEST_ECN | OFFLOAD_HOST_TSO4 |                \
                     OFFLOAD_HOST_TSO6 | OFFLOAD_HOST_ECN | OFFLOAD_GUEST_USO4 |                 \
                     OFFLOAD_GUEST_USO6 | OFFLOAD_HOST_USO)

#define OFFLOAD_TEXT_SIZE 128u     /* holds every text of offload_format() */

/*
 * X(name, value, word for people): what a destination takes undone, and what a guest says it takes
 * by the feature OFFLOAD_GUEST_name.  ECN is on top of TSO: segments of a frame with CWR set.
 * A port takes CSUM in any case: where nobody behind it does, its frames are completed as they are
 * copied to it.
 */
#define OFFLOAD_TAKES(X)                                                                         \
    X(CSUM, 0x01, "csum")                                                                        \
    X(TSO4, 0x02, "tso4")                                                                        \
    X(TSO6, 0x04, "tso6")                                                                        \
    X(ECN,  0x08, "ecn")                                                                         \
    X(USO4, 0x10, "uso4")                                                                        \
    X(USO6, 0x20, "uso6")

enum offload_take {
#define X(name, value, word) OFFLOAD_TAKES_##name = value,
    OFFLOAD_TAKES(X)
#undef X
    /* What whoever takes TSO takes, but devices, so it has no word: see offload_is_rare(). */
    OFFLOAD_TAKES_RARE = 0x40,
    OFFLOAD_TAKES_ALL = 0x7f
};

/**
 * Reads what `--offload` was given: "on", "off", or words of the table in any case, with commas:
 * "csum,host_tso4,guest_csum".  Also, for groups: "tx" and "rx" (what the guest sends; receives),
 * "tso", "ecn" and "uso" (both ways, with what they need).
 * @param features  written only when it is 0 that is returned
 * @return 0, or -EINVAL with a sentence: a word that is none, or one that needs another
 * Thread: any.
 */
int offload_parse(const char *text, uint64_t *features, struct error *error);

/**
 * Writes the shortest text that offload_parse() reads as @p features: "on", "off" or words.
 * Other bits of virtio among them are passed over.  Thread: any.
 */
void offload_format(uint64_t features, char text[OFFLOAD_TEXT_SIZE]);

/** Takes out of @p features what has not got what it needs; other bits stay.  Thread: any. */
uint64_t offload_sound(uint64_t features);

/** What a guest that negotiated @p features takes.  Thread: any. */
uint8_t offload_takes(uint64_t features);

/** The bytes before the payload of a frame with a gso_type.  Thread: any worker. */
static inline uint32_t offload_header_bytes(const struct frame *frame)
{
    return frame->l4_off_bytes +
           (frame->gso_type == FRAME_GSO_UDP ? 8u
                                             : (frame->hdr[frame->l4_off_bytes + 12] >> 4) * 4u);
}

/** The longest frame that @p frame is on a wire: itself, or a segment of it.  Any worker. */
static inline uint32_t offload_wire_bytes(const struct frame *frame)
{
    uint32_t most_bytes;

    if (frame->gso_type == FRAME_GSO_NONE) {
        return frame->len_bytes;
    }
    most_bytes = offload_header_bytes(frame) + frame->gso_size_bytes;
    return most_bytes < frame->len_bytes ? most_bytes : frame->len_bytes;
}

/* Shorter segments of TCP than devices are given: drivers refuse them, and some devices hang. */
#define OFFLOAD_SHORT_BYTES 256u

/** Whether a TCP frame is to be cut as no device does: too short, or behind extension headers. */
static inline bool offload_is_rare(const struct frame *frame)
{
    return frame->gso_size_bytes < OFFLOAD_SHORT_BYTES ||
           (frame->gso_type == FRAME_GSO_TCP6 &&
            frame->l4_off_bytes - frame->l3_off_bytes != 40);              /* RFC 8200, 3 */
}

/* Datagrams that a kernel takes in one frame, at most: 64 before Linux 6.9. */
#define OFFLOAD_UDP_SEGMENTS 64u
#define OFFLOAD_NEEDS_CUT    0x80u /* what nobody takes: the frame is cut for whoever it goes to */

/** What a destination has to take for @p frame to go there as it is.  Any worker. */
static inline uint8_t offload_needs(const struct frame *frame)
{
    const uint8_t csum = frame->csum_state == FRAME_CSUM_PARTIAL ? OFFLOAD_TAKES_CSUM : 0;
    uint8_t gso = 0;

    switch ((enum frame_gso)frame->gso_type) {
    case FRAME_GSO_NONE:
        return csum;
    case FRAME_GSO_TCP4:
        gso = OFFLOAD_TAKES_TSO4;
        break;
    case FRAME_GSO_TCP6:
        gso = OFFLOAD_TAKES_TSO6;
        break;
    case FRAME_GSO_UDP:
        if (frame->len_bytes - offload_header_bytes(frame) >
            OFFLOAD_UDP_SEGMENTS * frame->gso_size_bytes) {
            return OFFLOAD_NEEDS_CUT;
        }
        return csum | (frame->hdr[frame->l3_off_bytes] >> 4 == 4 ? OFFLOAD_TAKES_USO4
                                                                  : OFFLOAD_TAKES_USO6);
    }
    /* CWR: RFC 3168, 6.1.2; flags are the 14th byte of a TCP header. */
    return csum | gso | (offload_is_rare(frame) ? OFFLOAD_TAKES_RARE : 0) |
           ((frame->hdr[frame->l4_off_bytes + 13] & 0x80) != 0 ? OFFLOAD_TAKES_ECN : 0);
}

#endif
