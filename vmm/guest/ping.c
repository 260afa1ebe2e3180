/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/guest/ping.h"

#include "vmm/guest/memory.h"

#define PING_ID     0x7673u
#define ARP_REQUEST 1u
#define ARP_REPLY   2u
#define ND_OPTION_SOURCE_LINK 1u
#define ND_OPTION_TARGET_LINK 2u

/* The n-th byte of an echo's data: it may not come back as something else. */
static uint8_t data_byte(uint64_t sequence, size_t n)
{
    return (uint8_t)(sequence + n);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static size_t ask_arp(const struct ping *ping, const struct station *self, uint8_t *frame)
{
    static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    static const uint8_t of_ip_on_ethernet[6] = { 0, 1, 8, 0, 6, 4 };

    packet_put_ether(frame, all, self->mac, ETHER_ARP);
    memcpy(frame + ETHER_BYTES, of_ip_on_ethernet, sizeof(of_ip_on_ethernet));
    packet_put(frame + ARP_OPERATION, ARP_REQUEST);
    memcpy(frame + ARP_FROM_MAC, self->mac, 6);
    memcpy(frame + ARP_FROM_IP, self->ip, 4);
    memset(frame + ARP_TO_MAC, 0, 6);
    memcpy(frame + ARP_TO_IP, ping->ip, 4);
    return ARP_END;
}

/* To the group of all whose address ends like this one: RFC 4291, 2.7.1; RFC 2464, 7. */
static size_t ask_neighbour(const struct ping *ping, const struct station *self, uint8_t *frame)
{
    const uint8_t *end = ping->ip6 + 13;
    const uint8_t group_mac[6] = { 0x33, 0x33, 0xff, end[0], end[1], end[2] };
    const uint8_t group[16] = { 0xff, 0x02, [11] = 1, [12] = 0xff, end[0], end[1], end[2] };
    uint8_t *icmp = frame + IP6_END;

    packet_put_ether(frame, group_mac, self->mac, ETHER_IP6);
    packet_put_ip6(frame, PROTOCOL_ICMP6, ND_HOPS, self->ip6, group, ND_END);
    memset(icmp, 0, ND_END);
    icmp[ICMP_TYPE] = ICMP6_SOLICIT;
    memcpy(icmp + ND_TARGET, ping->ip6, 16);
    icmp[ND_OPTION] = ND_OPTION_SOURCE_LINK;
    icmp[ND_OPTION + 1] = 1;
    memcpy(icmp + ND_OPTION + 2, self->mac, 6);
    packet_put_icmp6_checksum(frame, ND_END);
    return IP6_END + ND_END;
}

static size_t ask_echo(const struct ping *ping, const struct station *self, uint8_t *frame)
{
    const size_t header_bytes = ping->is_ip6 ? IP6_END : IP_END;
    const size_t icmp_bytes = ICMP_END + ping->size_bytes;
    uint8_t *icmp = frame + header_bytes;

    packet_put_ether(frame, ping->mac, self->mac, ping->is_ip6 ? ETHER_IP6 : ETHER_IP);
    icmp[ICMP_TYPE] = ping->is_ip6 ? ICMP6_ECHO : ICMP_ECHO;
    icmp[ICMP_CODE] = 0;
    packet_put(icmp + ICMP_ID, PING_ID);
    packet_put(icmp + ICMP_SEQUENCE, (uint16_t)ping->sent);
    for (size_t i = 0; i < ping->size_bytes; i++) {
        icmp[ICMP_END + i] = data_byte(ping->sent, i);
    }
    if (ping->is_ip6) {
        packet_put_ip6(frame, PROTOCOL_ICMP6, TTL, self->ip6, ping->ip6, icmp_bytes);
        packet_put_icmp6_checksum(frame, icmp_bytes);
    } else {
        packet_put_ip(frame, PROTOCOL_ICMP, self->ip, ping->ip, icmp_bytes);
        packet_put_icmp_checksum(frame, icmp_bytes);
    }
    return header_bytes + icmp_bytes;
}

size_t ping_next(struct ping *ping, const struct station *self, uint64_t now_ns, uint8_t *frame)
{
    if (ping->is_waiting && now_ns < ping->due_ns) {
        return 0;
    }
    ping->is_waiting = false;
    if (ping_is_over(ping)) {
        return 0;
    }
    ping->is_waiting = true;
    ping->sent_ns = now_ns;
    if (ping->is_resolved) {
        ping->due_ns = now_ns + PING_TIMEOUT_NS;
        ping->sent++;
        return ask_echo(ping, self, frame);
    }
    ping->due_ns = now_ns + PING_ASK_NS;
    ping->asked++;
    return ping->is_ip6 ? ask_neighbour(ping, self, frame) : ask_arp(ping, self, frame);
}

bool ping_is_over(const struct ping *ping)
{
    if (ping->is_waiting) {
        return false;
    }
    return ping->is_resolved ? ping->sent >= ping->count : ping->asked >= PING_ASKS_MAX;
}

/* ---- taking ---------------------------------------------------------------------------------- */

static bool take_arp(struct ping *ping, const uint8_t *frame, size_t len_bytes)
{
    if (ping->is_ip6 || len_bytes < ARP_END ||
        packet_get(frame + ARP_OPERATION) != ARP_REPLY ||
        memcmp(frame + ARP_FROM_IP, ping->ip, 4) != 0) {
        return false;
    }
    memcpy(ping->mac, frame + ARP_FROM_MAC, 6);
    return true;
}

static bool take_advertisement(struct ping *ping, const uint8_t *icmp, size_t len_bytes)
{
    if (len_bytes < ND_END || icmp[ICMP_TYPE] != ICMP6_ADVERTISE ||
        memcmp(icmp + ND_TARGET, ping->ip6, 16) != 0 ||
        icmp[ND_OPTION] != ND_OPTION_TARGET_LINK) {
        return false;
    }
    memcpy(ping->mac, icmp + ND_OPTION + 2, 6);
    return true;
}

/* The last echo that was asked for, unchanged. */
static bool is_echo(const struct ping *ping, const uint8_t *icmp, size_t len_bytes)
{
    const unsigned type = ping->is_ip6 ? ICMP6_ECHO_REPLY : ICMP_ECHO_REPLY;

    if (len_bytes != ICMP_END + ping->size_bytes || icmp[ICMP_TYPE] != type ||
        packet_get(icmp + ICMP_ID) != PING_ID ||
        packet_get(icmp + ICMP_SEQUENCE) != (uint16_t)ping->sent) {
        return false;
    }
    for (size_t i = 0; i < ping->size_bytes; i++) {
        if (icmp[ICMP_END + i] != data_byte(ping->sent, i)) {
            return false;
        }
    }
    return true;
}

/* The ICMP message of a frame from whom is asked.  NULL: it is none, or it is damaged. */
static const uint8_t *find_icmp(const struct ping *ping, const struct station *self,
                                const uint8_t *frame, size_t len_bytes, size_t *icmp_bytes)
{
    const uint8_t *icmp = frame + (ping->is_ip6 ? IP6_END : IP_END);
    uint32_t pseudo_sum = 0;

    if (ping->is_ip6) {
        if (!packet_is_ip6(frame, len_bytes, icmp_bytes) || frame[IP6_NEXT] != PROTOCOL_ICMP6 ||
            memcmp(frame + IP6_FROM, ping->ip6, 16) != 0 ||
            memcmp(frame + IP6_TO, self->ip6, 16) != 0) {
            return NULL;
        }
        pseudo_sum = packet_pseudo_sum(frame, PROTOCOL_ICMP6, *icmp_bytes);
    } else if (!packet_is_ip(frame, len_bytes, icmp_bytes) ||
               frame[IP_PROTOCOL] != PROTOCOL_ICMP ||
               memcmp(frame + IP_FROM, ping->ip, 4) != 0 ||
               memcmp(frame + IP_TO, self->ip, 4) != 0) {
        return NULL;
    }
    return *icmp_bytes >= ICMP_END && packet_checksum(icmp, *icmp_bytes, pseudo_sum) == 0 ? icmp
                                                                                         : NULL;
}

bool ping_take(struct ping *ping, const struct station *self, uint64_t now_ns,
               const uint8_t *frame, size_t len_bytes)
{
    const uint8_t *icmp;
    size_t icmp_bytes;
    uint64_t ns;

    if (!ping->is_waiting || len_bytes < ETHER_BYTES || memcmp(frame, self->mac, 6) != 0) {
        return false;
    }
    if (!ping->is_resolved && packet_get(frame + ETHER_TYPE) == ETHER_ARP) {
        ping->is_resolved = take_arp(ping, frame, len_bytes);
        ping->is_waiting = !ping->is_resolved;
        return ping->is_resolved;
    }
    icmp = find_icmp(ping, self, frame, len_bytes, &icmp_bytes);
    if (icmp == NULL) {
        return false;
    }
    if (!ping->is_resolved) {
        ping->is_resolved = ping->is_ip6 && take_advertisement(ping, icmp, icmp_bytes);
        ping->is_waiting = !ping->is_resolved;
        return ping->is_resolved;
    }
    if (!is_echo(ping, icmp, icmp_bytes)) {
        return false;
    }
    ns = now_ns - ping->sent_ns;
    ping->is_waiting = false;
    ping->received++;
    ping->round_trips_ns += ns;
    ping->round_trip_max_ns = ns > ping->round_trip_max_ns ? ns : ping->round_trip_max_ns;
    return true;
}
