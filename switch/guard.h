/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a guarded port may not send: what a DHCP server sends, and what a router says of routes.
 *
 * A guard that can be walked round is none, so it asks what a receiver might take a frame for, and
 * not how an honest sender would have made it:
 *
 *   - A DHCP client takes what comes to its port, whatever port it was sent from, so the port it
 *     is sent to decides.  What clients and relays send goes to the server's port, and passes.
 *   - What cannot be seen is objected to: a header that lies behind the trusted bytes, behind the
 *     end of its packet, or behind more extension headers than the parser walks.  No honest first
 *     fragment is such (RFC 7112).  Later fragments pass: without the first they come to nothing.
 *   - Padding is no part of a packet, though it may look like the header that is not there.
 *   - IP behind an LLC/SNAP header is objected to: some hosts take it as if there were none.
 */
#ifndef SWITCH_GUARD_H
#define SWITCH_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/bytes.h"
#include "switch/ether.h"
#include "switch/fabric.h"

#define GUARD_DHCP_CLIENT    68u   /* UDP ports: RFC 2131, 4.1 */
#define GUARD_DHCPV6_CLIENT  546u  /* RFC 8415, 7.2 */

/**
 * Says which guards object to a frame.
 *
 * @param hdr            trusted bytes, the Ethernet header first; tags are passed over
 * @param hdr_len_bytes  how many; the frame may be longer
 * @return FABRIC_PORT_DHCP_GUARD, FABRIC_PORT_ROUTER_GUARD, both or 0
 *
 * Thread: any.  Does not block, allocate or log.
 * Standard: RFC 6105 and RFC 7113 (RA guard); RFC 7610 (DHCPv6 shield); RFC 4861, 4.2 and 4.5;
 *           RFC 792 and RFC 1256 (the same of IPv4).
 */
uint8_t guard_objections(const uint8_t *hdr, uint16_t hdr_len_bytes);

/*
 * At a glance, at where an untagged frame has its fields: TCP, and UDP to somebody else, as most
 * frames are.  Where the packet ends is of no matter, since nobody takes one without fragments that
 * ends before its ports.
 */
static inline bool guard_passes_ipv4(const uint8_t *hdr, uint16_t hdr_len_bytes)
{
    return hdr_len_bytes >= 14 + 20 + 4 &&
           (hdr[23] == IP_PROTOCOL_TCP ||
            (hdr[23] == IP_PROTOCOL_UDP && hdr[14] == 0x45 && ((hdr[20] & 0x3f) | hdr[21]) == 0 &&
             bytes_get_2(&hdr[36]) != GUARD_DHCP_CLIENT));
}

static inline bool guard_passes_ipv6(const uint8_t *hdr, uint16_t hdr_len_bytes)
{
    return hdr_len_bytes >= 14 + 40 + 4 &&
           (hdr[20] == IP_PROTOCOL_TCP ||
            (hdr[20] == IP_PROTOCOL_UDP && bytes_get_2(&hdr[56]) != GUARD_DHCPV6_CLIENT));
}

/** Whether no guard can object to an untagged frame of at least FRAME_MIN_BYTES; false says nothing
 *  yet.  Thread: any. */
static inline bool guard_passes(const uint8_t *hdr, uint16_t hdr_len_bytes)
{
    const uint16_t type = bytes_get_2(&hdr[12]);

    return (type == ETHERTYPE_IPV4 && guard_passes_ipv4(hdr, hdr_len_bytes)) ||
           (type == ETHERTYPE_IPV6 && guard_passes_ipv6(hdr, hdr_len_bytes));
}

#endif
