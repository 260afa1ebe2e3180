/* SPDX-License-Identifier: BSD-3-Clause */
#include "switch/guard.h"

#include <string.h>

#include "switch/bytes.h"

#define ANY_GUARD            (FABRIC_PORT_DHCP_GUARD | FABRIC_PORT_ROUTER_GUARD)

#define ICMP_REDIRECT        5u    /* RFC 792 */
#define ICMP_ROUTER          9u    /* an advertisement: RFC 1256, 3 */
#define ICMPV6_ROUTER        134u  /* an advertisement: RFC 4861, 4.2 */
#define ICMPV6_REDIRECT      137u  /* RFC 4861, 4.5 */

#define IPV4_LENGTH_OFF      2u    /* RFC 791, 3.1: of the packet */
#define IPV6_LENGTH_OFF      4u    /* RFC 8200, 3: of what follows its header */
#define IPV6_HEADER_BYTES    40u

#define ETHERTYPE_MIN        0x600u   /* less is a length: IEEE 802.3, 3.2.6 */

/*
 * How many of the bytes are no padding, by the packet's own length.  A length of 0 says nothing: it
 * is that of a super-frame, or of what no receiver takes.
 */
static uint16_t unpadded_bytes(const uint8_t *hdr, uint16_t hdr_len_bytes,
                               const struct ether_info *info)
{
    const uint8_t *ip = hdr + info->l3_off_bytes;
    const uint32_t len_bytes = bytes_get_2(ip + (info->ip_version == 4 ? IPV4_LENGTH_OFF
                                                                       : IPV6_LENGTH_OFF));
    const uint32_t end = info->l3_off_bytes + len_bytes +
                         (info->ip_version == 4 ? 0 : IPV6_HEADER_BYTES);

    return len_bytes != 0 && end < hdr_len_bytes ? (uint16_t)end : hdr_len_bytes;
}

/* Port 0 is nobody's: it was not seen. */
static bool may_be_for_dhcp_client(const struct ether_info *info)
{
    const uint16_t client = info->ip_version == 4 ? GUARD_DHCP_CLIENT : GUARD_DHCPV6_CLIENT;

    return info->destination_port == client || info->destination_port == 0;
}

static bool may_be_from_router(const uint8_t *hdr, const struct ether_info *info)
{
    const uint8_t type = hdr[info->l4_off_bytes];

    if (info->l4_off_bytes == 0) {
        return true;
    }
    return info->ip_version == 4 ? type == ICMP_REDIRECT || type == ICMP_ROUTER
                                 : type == ICMPV6_REDIRECT || type == ICMPV6_ROUTER;
}

static uint8_t object_to_packet(const uint8_t *hdr, const struct ether_info *info)
{
    if (info->ip_version == 0 || info->is_later_fragment) {
        return 0;
    }
    if (info->ip_version == 6 && info->l4_protocol == 0) {
        return ANY_GUARD;          /* not found behind the extension headers */
    }
    if (info->l4_protocol == IP_PROTOCOL_UDP) {
        return may_be_for_dhcp_client(info) ? FABRIC_PORT_DHCP_GUARD : 0;
    }
    if (info->l4_protocol == (info->ip_version == 4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6)) {
        return may_be_from_router(hdr, info) ? FABRIC_PORT_ROUTER_GUARD : 0;
    }
    return 0;
}

/* Whether it has a length for its type, and then a SNAP header with the type of IP or of a tag. */
static bool is_snap_ip(const uint8_t *hdr, uint16_t hdr_len_bytes, const struct ether_info *info)
{
    static const uint8_t snap[] = { 0xaa, 0xaa, 0x03, 0, 0, 0 };   /* RFC 1042 */
    const uint8_t *llc = hdr + info->l3_off_bytes;
    uint16_t type;

    if (info->ethertype >= ETHERTYPE_MIN ||
        hdr_len_bytes < info->l3_off_bytes + sizeof(snap) + sizeof(type) ||
        memcmp(llc, snap, sizeof(snap)) != 0) {
        return false;
    }
    type = bytes_get_2(llc + sizeof(snap));
    return type == ETHERTYPE_IPV4 || type == ETHERTYPE_IPV6 || type == ETHERTYPE_CTAG ||
           type == ETHERTYPE_STAG;
}

uint8_t guard_objections(const uint8_t *hdr, uint16_t hdr_len_bytes)
{
    struct ether_info info;
    uint16_t unpadded;

    if (!ether_parse(hdr, hdr_len_bytes, &info)) {
        return 0;
    }
    if (info.ip_version == 0) {
        return is_snap_ip(hdr, hdr_len_bytes, &info) ? ANY_GUARD : 0;
    }
    unpadded = unpadded_bytes(hdr, hdr_len_bytes, &info);
    if (unpadded < hdr_len_bytes) {
        (void)ether_parse(hdr, unpadded, &info);
    }
    return object_to_packet(hdr, &info);
}
