/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A conversation has two ends, each a number of its address and port.  The lower one is taken
 * first, whoever sends, and that makes the hash symmetric.
 *
 * Most frames are TCP or UDP without options, whose fields are where they always are: those are
 * read at a glance, here, without a call.  The parser has the rest, and the same answer.
 */
#include "teaming/team_hash.h"

#include <stdbool.h>
#include <string.h>

#include "switch/ether.h"
#include "switch/frame_tag.h"
#include "switch/hash.h"
#include "switch/mac.h"

#define IPV4_HEADER_BYTES   20u
#define IPV4_ADDRESS_OFF    12u    /* RFC 791, 3.1 */
#define IPV6_HEADER_BYTES   40u
#define IPV6_ADDRESS_OFF    8u     /* RFC 8200, 3 */
#define PORTS_BYTES         4u

/* Fields are taken as they lie: what matters is that an end is the same number both ways. */
static inline uint16_t load_2(const uint8_t *bytes)
{
    uint16_t value;

    memcpy(&value, bytes, sizeof(value));
    return value;
}

static inline uint32_t load_4(const uint8_t *bytes)
{
    uint32_t value;

    memcpy(&value, bytes, sizeof(value));
    return value;
}

static inline uint64_t load_8(const uint8_t *bytes)
{
    uint64_t value;

    memcpy(&value, bytes, sizeof(value));
    return value;
}

static inline uint32_t hash_ends(uint64_t a, uint64_t b)
{
    const uint64_t low = a < b ? a : b;
    const uint64_t high = a < b ? b : a;
    const uint64_t mixed = hash_mix(low, high);

    return (uint32_t)(mixed ^ mixed >> 32);
}

static inline uint32_t hash_ipv4(const uint8_t *ip, uint16_t source_port,
                                 uint16_t destination_port)
{
    const uint8_t *address = ip + IPV4_ADDRESS_OFF;

    return hash_ends((uint64_t)load_4(address) << 16 | source_port,
                     (uint64_t)load_4(address + 4) << 16 | destination_port);
}

/* The port goes over the first bytes of an address, which hosts that talk have in common. */
static inline uint32_t hash_ipv6(const uint8_t *ip, uint16_t source_port,
                                 uint16_t destination_port)
{
    const uint8_t *address = ip + IPV6_ADDRESS_OFF;

    return hash_ends(hash_mix(load_8(address) ^ source_port, load_8(address + 8)),
                     hash_mix(load_8(address + 16) ^ destination_port, load_8(address + 24)));
}

/* What is no glance's: options, extension headers, fragments, other protocols, cut, not IP. */
static __attribute__((noinline)) uint32_t hash_parsed(const struct frame *frame,
                                                      enum team_hash_by by)
{
    uint16_t source_port = 0, destination_port = 0;
    struct ether_info info;
    const uint8_t *ip;

    if (!ether_parse(frame->hdr, frame->hdr_len_bytes, &info)) {
        return 0;
    }
    if (by == TEAM_HASH_L2 || info.ip_version == 0) {
        return hash_ends(info.destination, info.source);
    }
    if (by == TEAM_HASH_L4 && !info.is_fragment) {
        source_port = __builtin_bswap16(info.source_port);
        destination_port = __builtin_bswap16(info.destination_port);
    }
    ip = frame->hdr + info.l3_off_bytes;
    return info.ip_version == 4 ? hash_ipv4(ip, source_port, destination_port)
                                : hash_ipv6(ip, source_port, destination_port);
}

static inline bool has_ports(uint8_t protocol)
{
    return protocol == IP_PROTOCOL_TCP || protocol == IP_PROTOCOL_UDP;
}

/* @p by is a constant wherever this is called. */
static inline __attribute__((always_inline)) uint32_t hash_frame(const struct frame *frame,
                                                                 enum team_hash_by by)
{
    const uint32_t off = FRAME_MIN_BYTES + (frame->tagged != 0 ? FRAME_TAG_BYTES : 0);
    const uint8_t *ip = frame->hdr + off;

    if (by == TEAM_HASH_L2 && frame->hdr_len_bytes >= FRAME_MIN_BYTES) {
        return hash_ends(mac_read(frame->hdr), mac_read(frame->hdr + 6));
    }
    if (by != TEAM_HASH_L2 && frame->hdr_len_bytes >= off + IPV4_HEADER_BYTES + PORTS_BYTES) {
        const uint16_t type = __builtin_bswap16(load_2(ip - 2));

        if (type == ETHERTYPE_IPV4 && ip[0] == 0x45) {
            if (by == TEAM_HASH_L3) {
                return hash_ipv4(ip, 0, 0);
            }
            if (((ip[6] & 0x3fu) | ip[7]) == 0 && has_ports(ip[9])) {
                return hash_ipv4(ip, load_2(ip + IPV4_HEADER_BYTES),
                                 load_2(ip + IPV4_HEADER_BYTES + 2));
            }
        } else if (type == ETHERTYPE_IPV6 && ip[0] >> 4 == 6 &&
                   frame->hdr_len_bytes >= off + IPV6_HEADER_BYTES + PORTS_BYTES) {
            if (by == TEAM_HASH_L3) {
                return hash_ipv6(ip, 0, 0);
            }
            if (has_ports(ip[6])) {
                return hash_ipv6(ip, load_2(ip + IPV6_HEADER_BYTES),
                                 load_2(ip + IPV6_HEADER_BYTES + 2));
            }
        }
    }
    return hash_parsed(frame, by);
}

static inline __attribute__((always_inline)) void hash_all(const struct frame_batch *batch,
                                                           const uint8_t *index, uint16_t count,
                                                           enum team_hash_by by, uint32_t *hash)
{
    for (uint16_t i = 0; i < count; i++) {
        hash[i] = hash_frame(&batch->frame[index[i]], by);
    }
}

void team_hash(const struct frame_batch *batch, const uint8_t *index, uint16_t count,
               enum team_hash_by by, uint32_t *hash)
{
    switch (by) {
    case TEAM_HASH_L2:
        hash_all(batch, index, count, TEAM_HASH_L2, hash);
        return;
    case TEAM_HASH_L3:
        hash_all(batch, index, count, TEAM_HASH_L3, hash);
        return;
    case TEAM_HASH_L4:
    case TEAM_HASH_BY_COUNT:
        hash_all(batch, index, count, TEAM_HASH_L4, hash);
        return;
    }
}
