/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ethernet frames with IPv4 and UDP, right in every field, for tests and benches.
 */
#ifndef TESTS_SUPPORT_UDP_FRAME_H
#define TESTS_SUPPORT_UDP_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define UDP_FRAME_HEADERS_BYTES 42u    /* Ethernet, IPv4 and UDP; the payload follows */

struct udp_frame {
    uint8_t to[6];
    uint8_t from[6];
    uint32_t to_ip;        /* host byte order, as the rest */
    uint32_t from_ip;
    uint16_t to_port;
    uint16_t from_port;
};

/**
 * Writes a frame of @p len_bytes (42 to 65,535 + 14, no FCS) with a payload of counting bytes.
 *
 * Standard: IEEE 802.3; RFC 791; RFC 768 (no UDP checksum: zero is allowed with IPv4).
 */
void udp_frame_write(uint8_t *frame, size_t len_bytes, const struct udp_frame *fields);

/** Fills @p mac with the locally administered unicast address 02:SS:NN:NN:NN:NN. */
void udp_frame_mac(uint8_t mac[6], uint8_t side, uint32_t number);

#endif
