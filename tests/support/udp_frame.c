/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ethernet frames with IPv4 and UDP.
 */
#include "tests/support/udp_frame.h"

#include <string.h>

#define ETHER_BYTES 14u
#define IP_BYTES 20u

static void put16(uint8_t *to, unsigned value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static void put32(uint8_t *to, uint32_t value)
{
    put16(to, value >> 16);
    put16(to + 2, value & 0xffffu);
}

/* RFC 1071, over the IPv4 header. */
static unsigned ip_checksum(const uint8_t *ip)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i < IP_BYTES; i += 2) {
        sum += (uint32_t)ip[i] << 8 | ip[i + 1];
    }
    sum = (sum & 0xffffu) + (sum >> 16);
    sum = (sum & 0xffffu) + (sum >> 16);
    return ~sum & 0xffffu;
}

void udp_frame_write(uint8_t *frame, size_t len_bytes, const struct udp_frame *fields)
{
    uint8_t *ip = frame + ETHER_BYTES;
    uint8_t *udp = ip + IP_BYTES;

    memcpy(frame, fields->to, 6);
    memcpy(frame + 6, fields->from, 6);
    put16(frame + 12, 0x0800);

    memset(ip, 0, IP_BYTES);
    ip[0] = 0x45;
    put16(ip + 2, (unsigned)(len_bytes - ETHER_BYTES));
    ip[8] = 64;    /* time to live */
    ip[9] = 17;    /* UDP */
    put32(ip + 12, fields->from_ip);
    put32(ip + 16, fields->to_ip);
    put16(ip + 10, ip_checksum(ip));

    put16(udp, fields->from_port);
    put16(udp + 2, fields->to_port);
    put16(udp + 4, (unsigned)(len_bytes - ETHER_BYTES - IP_BYTES));
    put16(udp + 6, 0);
    for (size_t i = UDP_FRAME_HEADERS_BYTES; i < len_bytes; i++) {
        frame[i] = (uint8_t)(i - UDP_FRAME_HEADERS_BYTES);
    }
}

void udp_frame_mac(uint8_t mac[6], uint8_t side, uint32_t number)
{
    mac[0] = 0x02;
    mac[1] = side;
    put32(mac + 2, number);
}
