/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Headers as offsets into bytes: what answers and pings are read from and written with.
 *
 * Standard: RFC 826 (ARP), 791 (IPv4), 792 (ICMP), 768 (UDP), 8200 (IPv6), 4443 (ICMPv6), 4861
 * (neighbour discovery).
 */
#ifndef VMM_GUEST_PACKET_H
#define VMM_GUEST_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ETHER_BYTES    14u
#define ETHER_TYPE     12u
#define ETHER_IP       0x0800u
#define ETHER_ARP      0x0806u
#define ETHER_IP6      0x86ddu
#define ETHER_LOAD     0x88b5u         /* IEEE 802, local experimental: the load's own frames */

/* Offsets from a frame's first byte. */
#define ARP_OPERATION  20u
#define ARP_FROM_MAC   22u
#define ARP_FROM_IP    28u
#define ARP_TO_MAC     32u
#define ARP_TO_IP      38u
#define ARP_END        42u

#define IP_TOTAL       16u
#define IP_ID          18u
#define IP_FRAGMENT    20u
#define IP_TTL         22u
#define IP_PROTOCOL    23u
#define IP_CHECKSUM    24u
#define IP_FROM        26u
#define IP_TO          30u
#define IP_END         34u

#define IP6_LENGTH     18u
#define IP6_NEXT       20u
#define IP6_HOPS       21u
#define IP6_FROM       22u
#define IP6_TO         38u
#define IP6_END        54u

/* Offsets from the first byte of ICMP, UDP. */
#define ICMP_TYPE      0u
#define ICMP_CODE      1u
#define ICMP_CHECKSUM  2u
#define ICMP_ID        4u
#define ICMP_SEQUENCE  6u
#define ICMP_END       8u
#define ND_FLAGS       4u
#define ND_TARGET      8u
#define ND_OPTION      24u
#define ND_END         32u             /* with a link-layer address */
#define UDP_FROM       0u
#define UDP_TO         2u
#define UDP_LENGTH     4u
#define UDP_CHECKSUM   6u
#define UDP_END        8u

#define PROTOCOL_ICMP  1u
#define PROTOCOL_UDP   17u
#define PROTOCOL_ICMP6 58u

#define ICMP_ECHO        8u
#define ICMP_ECHO_REPLY  0u
#define ICMP6_ECHO       128u
#define ICMP6_ECHO_REPLY 129u
#define ICMP6_SOLICIT    135u
#define ICMP6_ADVERTISE  136u

#define TTL            64u
#define ND_HOPS        255u            /* never forwarded: RFC 4861, 7.1 */

/* Who a NIC of this guest is. */
struct station {
    uint8_t mac[6];
    bool has_ip, has_ip6;
    uint8_t ip[4];
    uint8_t ip6[16];
};

static inline uint16_t packet_get(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline void packet_put(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/** The checksum of RFC 1071 over @p len_bytes; @p sum is what goes before it.  0: it is right. */
uint16_t packet_checksum(const uint8_t *bytes, size_t len_bytes, uint32_t sum);
/** What goes before the checksum of ICMPv6 and UDP over IPv6.  RFC 8200, 8.1 */
uint32_t packet_pseudo_sum(const uint8_t *frame, unsigned protocol, size_t len_bytes);

void packet_put_ether(uint8_t *frame, const uint8_t to[6], const uint8_t from[6], unsigned type);
/** An IPv4 header without options.  @p len_bytes follow it. */
void packet_put_ip(uint8_t *frame, unsigned protocol, const uint8_t from[4], const uint8_t to[4],
                   size_t len_bytes);
void packet_put_ip6(uint8_t *frame, unsigned protocol, unsigned hops, const uint8_t from[16],
                    const uint8_t to[16], size_t len_bytes);
/** Completes an ICMP message of @p len_bytes behind the header of IPv4, of IPv6. */
void packet_put_icmp_checksum(uint8_t *frame, size_t len_bytes);
void packet_put_icmp6_checksum(uint8_t *frame, size_t len_bytes);

/**
 * Whether an IPv4 packet is whole and right: no options, no fragment, lengths, header checksum.
 * @param len_bytes  of the frame
 * @param payload_bytes  of the packet; Ethernet may have padded the frame
 */
bool packet_is_ip(const uint8_t *frame, size_t len_bytes, size_t *payload_bytes);
bool packet_is_ip6(const uint8_t *frame, size_t len_bytes, size_t *payload_bytes);

#endif
