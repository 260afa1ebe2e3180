/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An answer is the question turned around: copied, its two ends swapped.  UDP's checksum does not
 * change by that.
 */
#include "vmm/guest/answer.h"

#include "vmm/guest/memory.h"

#define ARP_REQUEST 1u
#define ARP_REPLY   2u
#define ECHO_PORT   7u

/* Advertisement flags. */
#define ND_SOLICITED 0x40u
#define ND_OVERRIDE  0x20u
#define ND_OPTION_TARGET_LINK 2u

static void swap(uint8_t *a, uint8_t *b, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        const uint8_t byte = a[i];

        a[i] = b[i];
        b[i] = byte;
    }
}

static size_t answer_arp(const struct station *self, const uint8_t *frame, size_t len_bytes,
                         uint8_t *reply)
{
    static const uint8_t of_ip_on_ethernet[6] = { 0, 1, 8, 0, 6, 4 };

    if (!self->has_ip || len_bytes < ARP_END ||
        memcmp(frame + ETHER_BYTES, of_ip_on_ethernet, sizeof(of_ip_on_ethernet)) != 0 ||
        packet_get(frame + ARP_OPERATION) != ARP_REQUEST ||
        memcmp(frame + ARP_TO_IP, self->ip, 4) != 0) {
        return 0;
    }
    packet_put_ether(reply, frame + ARP_FROM_MAC, self->mac, ETHER_ARP);
    memcpy(reply + ETHER_BYTES, of_ip_on_ethernet, sizeof(of_ip_on_ethernet));
    packet_put(reply + ARP_OPERATION, ARP_REPLY);
    memcpy(reply + ARP_FROM_MAC, self->mac, 6);
    memcpy(reply + ARP_FROM_IP, self->ip, 4);
    memcpy(reply + ARP_TO_MAC, frame + ARP_FROM_MAC, 6);
    memcpy(reply + ARP_TO_IP, frame + ARP_FROM_IP, 4);
    return ARP_END;
}

/* Whether this is UDP for the echo service, right as far as its checksum says. */
static bool is_udp_echo(const uint8_t *udp, size_t len_bytes, uint32_t pseudo_sum, bool may_be_zero)
{
    if (len_bytes < UDP_END || packet_get(udp + UDP_TO) != ECHO_PORT ||
        packet_get(udp + UDP_LENGTH) != len_bytes) {
        return false;
    }
    if (may_be_zero && packet_get(udp + UDP_CHECKSUM) == 0) {
        return true;
    }
    return packet_checksum(udp, len_bytes, pseudo_sum) == 0;
}

static bool is_echo(const uint8_t *icmp, size_t len_bytes, unsigned type, uint32_t pseudo_sum)
{
    return len_bytes >= ICMP_END && icmp[ICMP_TYPE] == type && icmp[ICMP_CODE] == 0 &&
           packet_checksum(icmp, len_bytes, pseudo_sum) == 0;
}

static void turn_ether(const struct station *self, uint8_t *frame)
{
    memcpy(frame, frame + 6, 6);
    memcpy(frame + 6, self->mac, 6);
}

static void turn_ports(uint8_t *udp)
{
    swap(udp + UDP_FROM, udp + UDP_TO, 2);
}

static size_t answer_ip(const struct station *self, const uint8_t *frame, size_t len_bytes,
                        uint8_t *reply)
{
    const uint8_t *payload = frame + IP_END;
    const unsigned protocol = frame[IP_PROTOCOL];
    size_t payload_bytes;
    uint32_t pseudo_sum;

    if (!self->has_ip || !packet_is_ip(frame, len_bytes, &payload_bytes) ||
        memcmp(frame + IP_TO, self->ip, 4) != 0) {
        return 0;
    }
    pseudo_sum = (uint16_t)~packet_checksum(frame + IP_FROM, 8, 0) + PROTOCOL_UDP +
                 (uint32_t)payload_bytes;
    if (!(protocol == PROTOCOL_ICMP && is_echo(payload, payload_bytes, ICMP_ECHO, 0)) &&
        !(protocol == PROTOCOL_UDP && is_udp_echo(payload, payload_bytes, pseudo_sum, true))) {
        return 0;
    }
    memcpy(reply, frame, IP_END + payload_bytes);
    turn_ether(self, reply);
    packet_put_ip(reply, protocol, frame + IP_TO, frame + IP_FROM, payload_bytes);
    if (protocol == PROTOCOL_ICMP) {
        reply[IP_END + ICMP_TYPE] = ICMP_ECHO_REPLY;
        packet_put_icmp_checksum(reply, payload_bytes);
    } else {
        turn_ports(reply + IP_END);
    }
    return IP_END + payload_bytes;
}

/* Who asks without an address of its own asks whether it may have ours: all are told. */
static size_t advertise(const struct station *self, const uint8_t *frame, uint8_t *reply)
{
    static const uint8_t none[16];
    static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };
    static const uint8_t all_nodes_mac[6] = { 0x33, 0x33, 0, 0, 0, 1 };
    const bool is_probe = memcmp(frame + IP6_FROM, none, 16) == 0;
    uint8_t *icmp = reply + IP6_END;

    packet_put_ether(reply, is_probe ? all_nodes_mac : frame + 6, self->mac, ETHER_IP6);
    packet_put_ip6(reply, PROTOCOL_ICMP6, ND_HOPS, self->ip6,
                   is_probe ? all_nodes : frame + IP6_FROM, ND_END);
    memset(icmp, 0, ND_END);
    icmp[ICMP_TYPE] = ICMP6_ADVERTISE;
    icmp[ND_FLAGS] = is_probe ? ND_OVERRIDE : ND_SOLICITED | ND_OVERRIDE;
    memcpy(icmp + ND_TARGET, self->ip6, 16);
    icmp[ND_OPTION] = ND_OPTION_TARGET_LINK;
    icmp[ND_OPTION + 1] = 1;                   /* times 8 bytes */
    memcpy(icmp + ND_OPTION + 2, self->mac, 6);
    packet_put_icmp6_checksum(reply, ND_END);
    return IP6_END + ND_END;
}

static bool is_solicitation(const struct station *self, const uint8_t *frame, size_t payload_bytes)
{
    const uint8_t *icmp = frame + IP6_END;

    return payload_bytes >= ND_OPTION && icmp[ICMP_TYPE] == ICMP6_SOLICIT &&
           icmp[ICMP_CODE] == 0 && frame[IP6_HOPS] == ND_HOPS &&
           memcmp(icmp + ND_TARGET, self->ip6, 16) == 0 &&
           packet_checksum(icmp, payload_bytes,
                           packet_pseudo_sum(frame, PROTOCOL_ICMP6, payload_bytes)) == 0;
}

static size_t answer_ip6(const struct station *self, const uint8_t *frame, size_t len_bytes,
                         uint8_t *reply)
{
    const uint8_t *payload = frame + IP6_END;
    const unsigned protocol = frame[IP6_NEXT];
    size_t payload_bytes;
    uint32_t pseudo_sum;

    if (!self->has_ip6 || !packet_is_ip6(frame, len_bytes, &payload_bytes)) {
        return 0;
    }
    if (protocol == PROTOCOL_ICMP6 && is_solicitation(self, frame, payload_bytes)) {
        return advertise(self, frame, reply);
    }
    pseudo_sum = packet_pseudo_sum(frame, protocol, payload_bytes);
    if (memcmp(frame + IP6_TO, self->ip6, 16) != 0 ||
        (!(protocol == PROTOCOL_ICMP6 &&
           is_echo(payload, payload_bytes, ICMP6_ECHO, pseudo_sum)) &&
         !(protocol == PROTOCOL_UDP && is_udp_echo(payload, payload_bytes, pseudo_sum, false)))) {
        return 0;
    }
    memcpy(reply, frame, IP6_END + payload_bytes);
    turn_ether(self, reply);
    packet_put_ip6(reply, protocol, TTL, frame + IP6_TO, frame + IP6_FROM, payload_bytes);
    if (protocol == PROTOCOL_ICMP6) {
        reply[IP6_END + ICMP_TYPE] = ICMP6_ECHO_REPLY;
        packet_put_icmp6_checksum(reply, payload_bytes);
    } else {
        turn_ports(reply + IP6_END);
    }
    return IP6_END + payload_bytes;
}

size_t answer_frame(const struct station *self, const uint8_t *frame, size_t len_bytes,
                    uint8_t *reply, size_t size_bytes)
{
    const bool is_group = len_bytes > 0 && (frame[0] & 1) != 0;

    /* An answer is at most as long as its question, but for an address's. */
    if (len_bytes < ETHER_BYTES || size_bytes < IP6_END + ND_END || len_bytes > size_bytes ||
        (!is_group && memcmp(frame, self->mac, 6) != 0)) {
        return 0;
    }
    switch (packet_get(frame + ETHER_TYPE)) {
    case ETHER_ARP:
        return answer_arp(self, frame, len_bytes, reply);
    case ETHER_IP:
        return len_bytes < IP_END ? 0 : answer_ip(self, frame, len_bytes, reply);
    case ETHER_IP6:
        return len_bytes < IP6_END ? 0 : answer_ip6(self, frame, len_bytes, reply);
    default:
        return 0;
    }
}
