/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/guest/packet.h"

#include "vmm/guest/memory.h"

#define IP_NO_OPTIONS 0x45u            /* version 4, a header of 5 words */
#define IP6_VERSION   0x60u
#define IP_FRAGMENTED 0x3fffu          /* more fragments, or an offset */

uint16_t packet_checksum(const uint8_t *bytes, size_t len_bytes, uint32_t sum)
{
    for (; len_bytes > 1; len_bytes -= 2, bytes += 2) {
        sum += packet_get(bytes);
    }
    if (len_bytes == 1) {
        sum += (uint32_t)bytes[0] << 8;
    }
    while (sum > UINT16_MAX) {
        sum = (sum & UINT16_MAX) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

uint32_t packet_pseudo_sum(const uint8_t *frame, unsigned protocol, size_t len_bytes)
{
    const uint16_t addresses = (uint16_t)~packet_checksum(frame + IP6_FROM, 32, 0);

    return addresses + protocol + (uint32_t)len_bytes;
}

void packet_put_ether(uint8_t *frame, const uint8_t to[6], const uint8_t from[6], unsigned type)
{
    memcpy(frame, to, 6);
    memcpy(frame + 6, from, 6);
    packet_put(frame + ETHER_TYPE, type);
}

void packet_put_ip(uint8_t *frame, unsigned protocol, const uint8_t from[4], const uint8_t to[4],
                   size_t len_bytes)
{
    memset(frame + ETHER_BYTES, 0, IP_END - ETHER_BYTES);
    frame[ETHER_BYTES] = IP_NO_OPTIONS;
    packet_put(frame + IP_TOTAL, (unsigned)(IP_END - ETHER_BYTES + len_bytes));
    frame[IP_TTL] = TTL;
    frame[IP_PROTOCOL] = (uint8_t)protocol;
    memcpy(frame + IP_FROM, from, 4);
    memcpy(frame + IP_TO, to, 4);
    packet_put(frame + IP_CHECKSUM,
               packet_checksum(frame + ETHER_BYTES, IP_END - ETHER_BYTES, 0));
}

void packet_put_ip6(uint8_t *frame, unsigned protocol, unsigned hops, const uint8_t from[16],
                    const uint8_t to[16], size_t len_bytes)
{
    memset(frame + ETHER_BYTES, 0, IP6_END - ETHER_BYTES);
    frame[ETHER_BYTES] = IP6_VERSION;
    packet_put(frame + IP6_LENGTH, (unsigned)len_bytes);
    frame[IP6_NEXT] = (uint8_t)protocol;
    frame[IP6_HOPS] = (uint8_t)hops;
    memcpy(frame + IP6_FROM, from, 16);
    memcpy(frame + IP6_TO, to, 16);
}

void packet_put_icmp_checksum(uint8_t *frame, size_t len_bytes)
{
    uint8_t *icmp = frame + IP_END;

    packet_put(icmp + ICMP_CHECKSUM, 0);
    packet_put(icmp + ICMP_CHECKSUM, packet_checksum(icmp, len_bytes, 0));
}

void packet_put_icmp6_checksum(uint8_t *frame, size_t len_bytes)
{
    uint8_t *icmp = frame + IP6_END;

    packet_put(icmp + ICMP_CHECKSUM, 0);
    packet_put(icmp + ICMP_CHECKSUM,
               packet_checksum(icmp, len_bytes,
                               packet_pseudo_sum(frame, PROTOCOL_ICMP6, len_bytes)));
}

bool packet_is_ip(const uint8_t *frame, size_t len_bytes, size_t *payload_bytes)
{
    size_t total_bytes;

    if (len_bytes < IP_END || packet_get(frame + ETHER_TYPE) != ETHER_IP ||
        frame[ETHER_BYTES] != IP_NO_OPTIONS ||
        (packet_get(frame + IP_FRAGMENT) & IP_FRAGMENTED) != 0) {
        return false;
    }
    total_bytes = packet_get(frame + IP_TOTAL);
    if (total_bytes < IP_END - ETHER_BYTES || total_bytes > len_bytes - ETHER_BYTES) {
        return false;
    }
    *payload_bytes = total_bytes - (IP_END - ETHER_BYTES);
    return packet_checksum(frame + ETHER_BYTES, IP_END - ETHER_BYTES, 0) == 0;
}

bool packet_is_ip6(const uint8_t *frame, size_t len_bytes, size_t *payload_bytes)
{
    if (len_bytes < IP6_END || packet_get(frame + ETHER_TYPE) != ETHER_IP6 ||
        (frame[ETHER_BYTES] & 0xf0) != IP6_VERSION) {
        return false;
    }
    *payload_bytes = packet_get(frame + IP6_LENGTH);
    return *payload_bytes <= len_bytes - IP6_END;
}
