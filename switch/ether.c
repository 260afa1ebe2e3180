/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The header parser.  One view of the bytes is passed down; every read of a field comes after a
 * test that the view has it, in the same function.
 */
#include "switch/ether.h"

#include "switch/bytes.h"
#include "switch/mac.h"

#define ETHER_HEADER_BYTES   14u
#define IPV4_HEADER_BYTES    20u
#define IPV6_HEADER_BYTES    40u
#define IPV6_MAX_EXTENSIONS  8u
#define EXTENSION_MIN_BYTES  8u

/* RFC 7045, 4, but for ESP, behind which nothing is to be seen; AH counts its length in its own way
 * (RFC 4302, 2.2). */
enum extension {
    EXTENSION_HOP_BY_HOP = 0,
    EXTENSION_ROUTING = 43,
    EXTENSION_FRAGMENT = 44,
    EXTENSION_AH = 51,
    EXTENSION_DESTINATION = 60,
    EXTENSION_MOBILITY = 135,
    EXTENSION_HIP = 139,
    EXTENSION_SHIM6 = 140,
};

struct view {
    const uint8_t *data;
    uint32_t len_bytes;
};

static bool has(struct view view, uint32_t off, uint32_t len_bytes)
{
    return off <= view.len_bytes && len_bytes <= view.len_bytes - off;
}

static uint16_t read_2(struct view view, uint32_t off)
{
    return bytes_get_2(&view.data[off]);
}

static uint64_t read_8(struct view view, uint32_t off)
{
    return bytes_load_8(&view.data[off]);
}

/* ---- the flow hash --------------------------------------------------------------------------- */

/* Every bit of both words has a say in every bit of the product's middle. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    const unsigned __int128 product = (unsigned __int128)(a ^ UINT64_C(0x9e3779b97f4a7c15)) *
                                      (b ^ UINT64_C(0xc2b2ae3d27d4eb4f));

    return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

static uint32_t hash_flow(const struct ether_info *info, uint64_t addresses)
{
    uint64_t ends = 0;
    uint32_t hash;

    if (!info->is_fragment) {
        ends = (uint64_t)info->l4_protocol << 32 | (uint32_t)info->source_port << 16 |
               info->destination_port;
    }
    addresses = mix(addresses, ends);
    hash = (uint32_t)(addresses ^ addresses >> 32);
    return hash != 0 ? hash : 1;   /* 0 says that there is no flow */
}

/* ---- layers, from the top of the stack down to the first byte -------------------------------- */

static bool protocol_has_ports(uint8_t protocol)
{
    return protocol == IP_PROTOCOL_TCP || protocol == IP_PROTOCOL_UDP ||
           protocol == IP_PROTOCOL_SCTP || protocol == IP_PROTOCOL_DCCP ||
           protocol == IP_PROTOCOL_UDP_LITE;
}

static void parse_l4(struct view view, uint32_t off, uint8_t protocol, struct ether_info *info)
{
    info->l4_protocol = protocol;
    if (!has(view, off, 1)) {
        return;
    }
    info->l4_off_bytes = (uint16_t)off;
    if (protocol_has_ports(protocol) && has(view, off, 4)) {
        info->source_port = read_2(view, off);
        info->destination_port = read_2(view, off + 2);
    }
}

static void parse_ipv4(struct view view, struct ether_info *info)
{
    const uint32_t off = info->l3_off_bytes;
    uint32_t header_bytes;
    uint16_t fragment;

    if (!has(view, off, IPV4_HEADER_BYTES)) {
        return;
    }
    header_bytes = (view.data[off] & 0xfu) * 4;
    if (view.data[off] >> 4 != 4 || header_bytes < IPV4_HEADER_BYTES) {
        return;
    }
    info->ip_version = 4;
    fragment = read_2(view, off + 6) & 0x3fff;   /* "more fragments" and the offset */
    info->is_fragment = fragment != 0;
    if ((fragment & 0x1fff) == 0) {
        parse_l4(view, off + header_bytes, view.data[off + 9], info);
    } else {
        info->is_later_fragment = true;
        info->l4_protocol = view.data[off + 9];
    }
    info->flow_hash = hash_flow(info, read_8(view, off + 12));
}

static bool is_extension(uint8_t next)
{
    return next == EXTENSION_HOP_BY_HOP || next == EXTENSION_ROUTING ||
           next == EXTENSION_FRAGMENT || next == EXTENSION_AH || next == EXTENSION_DESTINATION ||
           next == EXTENSION_MOBILITY || next == EXTENSION_HIP || next == EXTENSION_SHIM6;
}

/* Follows the extension headers from @p off, the first being a @p next. */
static void walk_extensions(struct view view, uint32_t off, uint8_t next, struct ether_info *info)
{
    for (unsigned i = 0; i < IPV6_MAX_EXTENSIONS && is_extension(next); i++) {
        uint32_t len_bytes = EXTENSION_MIN_BYTES;

        if (!has(view, off, EXTENSION_MIN_BYTES)) {
            return;
        }
        if (next == EXTENSION_FRAGMENT) {
            const uint16_t fragment = read_2(view, off + 2);

            info->is_fragment = info->is_fragment || (fragment & 0xfff9) != 0;
            if ((fragment & 0xfff8) != 0) {
                info->is_later_fragment = true;
                info->l4_protocol = view.data[off];
                return;
            }
        } else if (next == EXTENSION_AH) {
            len_bytes = (view.data[off + 1] + 2u) * 4;
        } else {
            len_bytes = (view.data[off + 1] + 1u) * 8;
        }
        next = view.data[off];
        off += len_bytes;
    }
    if (!is_extension(next)) {
        parse_l4(view, off, next, info);
    }
}

static void parse_ipv6(struct view view, struct ether_info *info)
{
    const uint32_t off = info->l3_off_bytes;
    uint64_t addresses;

    if (!has(view, off, IPV6_HEADER_BYTES) || view.data[off] >> 4 != 6) {
        return;
    }
    info->ip_version = 6;
    walk_extensions(view, off + IPV6_HEADER_BYTES, view.data[off + 6], info);
    addresses = mix(read_8(view, off + 8), read_8(view, off + 16)) ^
                mix(~read_8(view, off + 24), read_8(view, off + 32));
    info->flow_hash = hash_flow(info, addresses);
}

bool ether_parse(const uint8_t *hdr, uint16_t hdr_len_bytes, struct ether_info *info)
{
    const struct view view = { hdr, hdr_len_bytes };
    uint32_t off = ETHER_HEADER_BYTES;

    *info = (struct ether_info){ 0 };
    if (!has(view, 0, ETHER_HEADER_BYTES)) {
        return false;
    }
    info->destination = mac_read(hdr);
    info->source = mac_read(hdr + 6);
    info->ethertype = read_2(view, 12);
    while ((info->ethertype == ETHERTYPE_CTAG || info->ethertype == ETHERTYPE_STAG) &&
           info->tag_count < ETHER_MAX_TAGS && has(view, off, ETHER_TAG_BYTES)) {
        info->tag_tci[info->tag_count++] = read_2(view, off);
        info->ethertype = read_2(view, off + 2);
        off += ETHER_TAG_BYTES;
    }
    info->l3_off_bytes = (uint16_t)off;
    if (info->ethertype == ETHERTYPE_IPV4) {
        parse_ipv4(view, info);
    } else if (info->ethertype == ETHERTYPE_IPV6) {
        parse_ipv6(view, info);
    }
    return true;
}

void ether_flow_hashes(const struct frame_batch *batch, const uint8_t *index, uint16_t count,
                       uint32_t *hash)
{
    for (uint16_t i = 0; i < count; i++) {
        const struct frame *frame = &batch->frame[index[i]];
        struct ether_info info;

        (void)ether_parse(frame->hdr, frame->hdr_len_bytes, &info);
        hash[i] = info.flow_hash;
    }
}
