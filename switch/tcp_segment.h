/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP segments whose headers are where they usually are: Ethernet, then IPv4 without options or
 * IPv6 without extensions, then TCP.
 *
 * Every field is at a constant place then, so that finding it needs no parser, and what segments
 * have in common is compared by whole words, under a mask that leaves out what is each one's own.
 *
 * Thread: any; trusted bytes only are read.
 * Standard: RFC 791, 3.1; RFC 8200, 3; RFC 9293, 3.1.
 */
#ifndef SWITCH_TCP_SEGMENT_H
#define SWITCH_TCP_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/bytes.h"
#include "switch/ether.h"
#include "switch/frame.h"
#include "switch/offload.h"
#include "switch/vlan.h"

/* Offsets in a frame. */
#define TCP_SEGMENT_TYPE_OFF       12u
#define TCP_SEGMENT_IP_OFF         FRAME_MIN_BYTES
#define TCP_SEGMENT_IPV4_LENGTH    (TCP_SEGMENT_IP_OFF + 2)
#define TCP_SEGMENT_IPV4_ID        (TCP_SEGMENT_IP_OFF + 4)
#define TCP_SEGMENT_IPV4_FRAGMENT  (TCP_SEGMENT_IP_OFF + 6)
#define TCP_SEGMENT_IPV4_PROTOCOL  (TCP_SEGMENT_IP_OFF + 9)
#define TCP_SEGMENT_IPV4_CHECKSUM  (TCP_SEGMENT_IP_OFF + 10)
#define TCP_SEGMENT_IPV6_LENGTH    (TCP_SEGMENT_IP_OFF + 4)
#define TCP_SEGMENT_IPV6_NEXT      (TCP_SEGMENT_IP_OFF + 6)

#define IPV4_HEADER_BYTES  20u
#define IPV4_PLAIN         0x45    /* version 4, no options */
#define IPV4_DF            0x4000u
#define IPV4_FRAGMENT      0x3fffu /* there are more, or this is not the first */
#define IPV6_HEADER_BYTES  40u

/* Offsets in a TCP header. */
#define TCP_HEADER_BYTES   20u
#define TCP_SEQUENCE_OFF   4u
#define TCP_FLAGS_OFF      12u     /* a word: the header's length, then all flags */
#define TCP_FLAGS          0x0fffu
#define TCP_PSH            0x0008u
#define TCP_ACK            0x0010u
#define TCP_CHECKSUM_OFF   16u

/* ---- where things are ------------------------------------------------------------------------ */

struct tcp_layout {
    uint8_t addresses_off;         /* of two addresses, right behind which the ports are */
    uint8_t tcp_off;
    uint8_t gso_type;              /* of a long frame of such segments */
    uint8_t takes;                 /* what its destination has to take */
    uint8_t alike[TCP_SEGMENT_IP_OFF + IPV6_HEADER_BYTES + TCP_HEADER_BYTES];
};

/* The bits that are the same in all segments of a long frame; others may be a segment's own. */
#define ALIKE_2 0xff, 0xff
#define ALIKE_4 ALIKE_2, ALIKE_2
#define ALIKE_8 ALIKE_4, ALIKE_4
#define OWN_2   0, 0
#define OWN_4   OWN_2, OWN_2

#define ALIKE_ETHERNET ALIKE_8, ALIKE_4, ALIKE_2
/* Ports; sequence; acknowledgment; length, flags, window; checksum; urgent pointer. */
#define ALIKE_TCP      ALIKE_4, OWN_4, ALIKE_4, 0xff, 0xff & ~TCP_PSH, ALIKE_2, OWN_2, ALIKE_2

static const struct tcp_layout tcp_over_ipv4 = {
    .addresses_off = TCP_SEGMENT_IP_OFF + 12, .tcp_off = TCP_SEGMENT_IP_OFF + IPV4_HEADER_BYTES,
    .gso_type = FRAME_GSO_TCP4, .takes = OFFLOAD_TAKES_TSO4,
    /* Type of service; length, identification; flags, TTL, protocol; checksum; addresses. */
    .alike = { ALIKE_ETHERNET, ALIKE_2, OWN_4, ALIKE_4, OWN_2, ALIKE_8, ALIKE_TCP },
};
static const struct tcp_layout tcp_over_ipv6 = {
    .addresses_off = TCP_SEGMENT_IP_OFF + 8, .tcp_off = TCP_SEGMENT_IP_OFF + IPV6_HEADER_BYTES,
    .gso_type = FRAME_GSO_TCP6, .takes = OFFLOAD_TAKES_TSO6,
    /* Traffic class and flow label; length; next header, hop limit; addresses. */
    .alike = { ALIKE_ETHERNET, ALIKE_4, OWN_2, ALIKE_2, ALIKE_8, ALIKE_8, ALIKE_8, ALIKE_8,
               ALIKE_TCP },
};

#undef ALIKE_2
#undef ALIKE_4
#undef ALIKE_8
#undef OWN_2
#undef OWN_4
#undef ALIKE_ETHERNET
#undef ALIKE_TCP

/**
 * The layout of @p frame if it is a segment, which over IPv6 any next header may lead to.
 * @return NULL: it is none, or has no whole IP header
 */
static inline const struct tcp_layout *tcp_layout_of(const struct frame *frame)
{
    const uint8_t *hdr = frame->hdr;
    uint16_t type;

    if (frame->hdr_len_bytes < tcp_over_ipv4.tcp_off) {
        return NULL;
    }
    type = bytes_get_2(hdr + TCP_SEGMENT_TYPE_OFF);
    if (type == ETHERTYPE_IPV4) {
        return hdr[TCP_SEGMENT_IPV4_PROTOCOL] == IP_PROTOCOL_TCP ? &tcp_over_ipv4 : NULL;
    }
    return type == ETHERTYPE_IPV6 && frame->hdr_len_bytes >= tcp_over_ipv6.tcp_off &&
           hdr[TCP_SEGMENT_IPV6_NEXT] != IP_PROTOCOL_UDP ? &tcp_over_ipv6 : NULL;
}

/** Whether it is one: its TCP header is there, and no fragment's. */
static inline bool tcp_layout_holds(const struct tcp_layout *layout, const struct frame *frame)
{
    const uint8_t *hdr = frame->hdr;

    if (frame->hdr_len_bytes < layout->tcp_off + TCP_HEADER_BYTES) {
        return false;
    }
    if (layout == &tcp_over_ipv4) {
        return hdr[TCP_SEGMENT_IP_OFF] == IPV4_PLAIN &&
               (bytes_get_2(hdr + TCP_SEGMENT_IPV4_FRAGMENT) & IPV4_FRAGMENT) == 0;
    }
    return hdr[TCP_SEGMENT_IP_OFF] >> 4 == 6 && hdr[TCP_SEGMENT_IPV6_NEXT] == IP_PROTOCOL_TCP;
}

/** Whether two frames of @p layout are between the same addresses of one VLAN. */
static inline bool tcp_layout_same_addresses(const struct tcp_layout *layout,
                                             const struct frame *a, const struct frame *b)
{
    uint64_t differ = (a->vlan_tci ^ b->vlan_tci) & VLAN_VID_MASK;

    for (uint32_t off = layout->addresses_off; off < layout->tcp_off; off += 8) {
        differ |= bytes_load_8(a->hdr + off) ^ bytes_load_8(b->hdr + off);
    }
    return differ == 0;
}

/** Whether headers of @p header_bytes differ only in what is each segment's own. */
static inline bool tcp_layout_alike(const struct tcp_layout *layout, const uint8_t *a,
                                    const uint8_t *b, uint32_t header_bytes)
{
    const uint32_t fixed_bytes = layout->tcp_off + TCP_HEADER_BYTES;
    uint32_t off = fixed_bytes - 8;                /* the last word, which overlaps */
    uint64_t differ = (bytes_load_8(a + off) ^ bytes_load_8(b + off)) &
                      bytes_load_8(layout->alike + off);

    for (off = 0; off < fixed_bytes - 8; off += 8) {
        differ |= (bytes_load_8(a + off) ^ bytes_load_8(b + off)) &
                  bytes_load_8(layout->alike + off);
    }
    for (off = fixed_bytes; off < header_bytes; off += 4) {    /* TCP options */
        differ |= bytes_load_4(a + off) ^ bytes_load_4(b + off);
    }
    return differ == 0;
}

/* ---- a segment ------------------------------------------------------------------------------- */

struct tcp_segment {
    struct frame *frame;
    const struct tcp_layout *layout;
    uint64_t end;                  /* of the addresses, and the ports: what mostly differs */
    uint32_t sequence;
    uint32_t header_bytes;         /* all before the payload */
    bool pushed;                   /* PSH: with more behind it there would be none */
    bool mergeable;                /* by all that it says itself but its checksums */
};

/** Reads @p frame, of which @p layout holds. */
static inline struct tcp_segment tcp_segment_read(const struct tcp_layout *layout,
                                                  struct frame *frame)
{
    const uint8_t *tcp = frame->hdr + layout->tcp_off;

    return (struct tcp_segment){
        .frame = frame,
        .layout = layout,
        .end = bytes_load_8(tcp - 4),
        .sequence = bytes_get_4(tcp + TCP_SEQUENCE_OFF),
        .header_bytes = layout->tcp_off + (tcp[TCP_FLAGS_OFF] >> 4) * 4u,
        .pushed = (bytes_get_2(tcp + TCP_FLAGS_OFF) & TCP_PSH) != 0,
    };
}

/** The length of the IP packet, as its header says. */
static inline uint32_t tcp_segment_ip_bytes(const struct tcp_segment *segment)
{
    const uint8_t *hdr = segment->frame->hdr;

    return segment->layout == &tcp_over_ipv4
           ? bytes_get_2(hdr + TCP_SEGMENT_IPV4_LENGTH)
           : IPV6_HEADER_BYTES + bytes_get_2(hdr + TCP_SEGMENT_IPV6_LENGTH);
}

/** Its identification; 0 for IPv6, which has none. */
static inline uint16_t tcp_segment_id(const struct tcp_segment *segment)
{
    return segment->layout == &tcp_over_ipv4
           ? bytes_get_2(segment->frame->hdr + TCP_SEGMENT_IPV4_ID) : 0;
}

static inline uint32_t tcp_segment_payload_bytes(const struct tcp_segment *segment)
{
    return segment->frame->len_bytes - segment->header_bytes;
}

/** How many runs its payload is, its trusted bytes being one. */
static inline uint32_t tcp_segment_runs(const struct tcp_segment *segment)
{
    return (uint32_t)segment->frame->seg_count +
           (segment->frame->hdr_len_bytes > segment->header_bytes);
}

#endif
