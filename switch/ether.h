/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the header of a frame says: one bounded parser over trusted bytes.
 *
 * It reads what was copied out of guest memory and never past it, and believes no length in it: an
 * offset it gives lies inside the bytes it was given, and what is cut off is reported as not there.
 * Tags are reported and left in place.
 *
 * The flow hash decides which queue of a receiver a frame goes to.  It is the same for all frames
 * of one direction of a flow and differs, as a rule, for the other direction, which another
 * receiver gets.  It has no secret: a sender that makes all its flows meet in one queue only slows
 * those flows.
 */
#ifndef SWITCH_ETHER_H
#define SWITCH_ETHER_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/bytes.h"
#include "switch/frame.h"

#define ETHER_MAX_TAGS   2u
#define ETHER_TAG_BYTES  4u

enum ethertype {
    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_ARP = 0x0806,
    ETHERTYPE_CTAG = 0x8100,       /* IEEE 802.1Q-2022, table 9-1: customer tag */
    ETHERTYPE_IPV6 = 0x86dd,
    ETHERTYPE_STAG = 0x88a8,       /* service tag */
    ETHERTYPE_OLD_STAG = 0x9100,   /* the same, of no standard, but of many devices */
};

enum ip_protocol {
    IP_PROTOCOL_ICMP = 1,
    IP_PROTOCOL_TCP = 6,
    IP_PROTOCOL_UDP = 17,
    IP_PROTOCOL_DCCP = 33,
    IP_PROTOCOL_ICMPV6 = 58,
    IP_PROTOCOL_SCTP = 132,
    IP_PROTOCOL_UDP_LITE = 136,
};

struct ether_info {
    uint64_t destination;
    uint64_t source;
    uint32_t flow_hash;            /* over addresses, protocol and ports; 0 when it is not IP */
    uint16_t ethertype;            /* after at most two tags */
    uint16_t l3_off_bytes;         /* of what follows the ethertype; the length when nothing does */
    uint16_t l4_off_bytes;         /* 0 when unknown, cut off, or in another fragment */
    uint16_t source_port;          /* of TCP, UDP, UDP-Lite, SCTP and DCCP; 0 when unknown */
    uint16_t destination_port;
    uint16_t tag_tci[ETHER_MAX_TAGS];   /* outer first */
    uint8_t tag_count;
    uint8_t ip_version;            /* 4 or 6 when the whole fixed header is there and sound, or 0 */
    uint8_t l4_protocol;           /* after IPv6 extension headers; 0 when unknown */
    bool is_fragment;              /* first ones too; their hash is over the addresses only */
    bool is_later_fragment;        /* not the first one, which has what follows the IP headers */
};

/**
 * Parses the first bytes of a frame.
 *
 * @param hdr          trusted bytes, the Ethernet header first
 * @param hdr_len_bytes  how many; what lies after them is not read
 * @param info         filled; what is not known is 0
 * @return false when there is no whole Ethernet header
 *
 * Thread: any.  Does not block, allocate or log; at most 8 IPv6 extension headers are walked.
 * Standard: IEEE 802.3, 3.2; RFC 791, 3.1; RFC 8200, 3 and 4; RFC 7045, 4 (which extension headers
 *           there are); RFC 6946 (atomic fragments are none).
 */
bool ether_parse(const uint8_t *hdr, uint16_t hdr_len_bytes, struct ether_info *info);

/**
 * Fills @p hash with the flow_hash of @p count frames of @p batch, those that @p index names.
 * Thread: any worker.  Does not block, allocate or log.
 */
void ether_flow_hashes(const struct frame_batch *batch, const uint8_t *index, uint16_t count,
                       uint32_t *hash);

/** Whether a header of at least FRAME_MIN_BYTES starts with a tag of any kind. */
static inline bool ether_is_tagged(const uint8_t *hdr)
{
    const uint16_t type = bytes_get_2(&hdr[12]);

    return type == ETHERTYPE_CTAG || type == ETHERTYPE_STAG || type == ETHERTYPE_OLD_STAG;
}

#endif
