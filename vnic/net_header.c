/* SPDX-License-Identifier: BSD-3-Clause */
#include "vnic/net_header.h"

#include <stddef.h>
#include <string.h>

#include "switch/checksum.h"
#include "switch/ether.h"
#include "switch/offload.h"

#define FLAG_NEEDS_CSUM     1u
#define FLAG_DATA_VALID     2u     /* a receiver is told so; only the kernel is believed it */
#define GSO_NONE            0u
#define GSO_TCP4            1u
#define GSO_TCP6            4u
#define GSO_UDP             5u     /* 3 is UDP fragmentation, which is not offered */
#define GSO_ECN             0x80u

#define TCP_DATA_OFFSET     12u    /* RFC 9293, 3.1 */
#define TCP_CSUM_OFFSET     16u
#define TCP_HEADER_BYTES    20u
#define UDP_CSUM_OFFSET     6u     /* RFC 768 */
#define UDP_HEADER_BYTES    8u
#define TUNNEL_HEADER_BYTES 20u    /* the least there is between a transport and the one inside */

/* The header's fields that are used; hdr_len is a hint that is not needed to read one. */
struct claim {
    uint8_t gso;
    uint16_t gso_size_bytes;
    uint16_t csum_start_bytes;
    uint16_t csum_offset_bytes;
};

/* What may be segmented. */
static const struct gso_kind {
    uint8_t gso;                   /* as the header has it */
    uint8_t protocol;
    uint8_t ip_version;            /* 0: either */
    uint8_t type;                  /* enum frame_gso */
    uint64_t features;             /* that a guest negotiates to send it */
} gso_kinds[] = {
    { GSO_TCP4, IP_PROTOCOL_TCP, 4, FRAME_GSO_TCP4, OFFLOAD_HOST_TSO4 },
    { GSO_TCP4 | GSO_ECN, IP_PROTOCOL_TCP, 4, FRAME_GSO_TCP4,
      OFFLOAD_HOST_TSO4 | OFFLOAD_HOST_ECN },
    { GSO_TCP6, IP_PROTOCOL_TCP, 6, FRAME_GSO_TCP6, OFFLOAD_HOST_TSO6 },
    { GSO_TCP6 | GSO_ECN, IP_PROTOCOL_TCP, 6, FRAME_GSO_TCP6,
      OFFLOAD_HOST_TSO6 | OFFLOAD_HOST_ECN },
    { GSO_UDP, IP_PROTOCOL_UDP, 0, FRAME_GSO_UDP, OFFLOAD_HOST_USO },
};

static uint16_t read_le16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static void write_le16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The checksum is the one of the frame's own transport. */
static bool is_own_csum(const struct claim *claim, const struct ether_info *info)
{
    if (info->l4_off_bytes == 0 || info->is_fragment ||
        claim->csum_start_bytes != info->l4_off_bytes) {
        return false;
    }
    return (info->l4_protocol == IP_PROTOCOL_TCP &&
            claim->csum_offset_bytes == TCP_CSUM_OFFSET) ||
           (info->l4_protocol == IP_PROTOCOL_UDP && claim->csum_offset_bytes == UDP_CSUM_OFFSET);
}

/*
 * The checksum is one inside of a tunnel, behind all that anything is decided by.  Of the tunnel
 * nothing need be believed: a sum of payload, stored into payload, is nothing that the sender could
 * not have sent in the first place.
 */
static bool is_inner_csum(const struct claim *claim, const struct ether_info *info)
{
    const uint32_t outer = info->ip_version != 0 ? info->l4_off_bytes : info->l3_off_bytes;

    return outer != 0 && info->l4_protocol != IP_PROTOCOL_TCP &&
           claim->csum_start_bytes >= outer + TUNNEL_HEADER_BYTES;
}

/* The kind that is claimed, when the frame is of it. */
static const struct gso_kind *find_gso(const struct claim *claim, const struct ether_info *info)
{
    for (size_t i = 0; i < sizeof(gso_kinds) / sizeof(gso_kinds[0]); i++) {
        const struct gso_kind *kind = &gso_kinds[i];

        if (kind->gso == claim->gso && kind->protocol == info->l4_protocol &&
            (kind->ip_version == 0 || kind->ip_version == info->ip_version)) {
            return kind;
        }
    }
    return NULL;
}

/* Takes the claim to segment over for a frame whose own checksum is asked for, if it is true. */
static bool read_gso(const struct claim *claim, const struct ether_info *info,
                     struct frame *frame)
{
    const struct gso_kind *kind = find_gso(claim, info);
    uint32_t l4_bytes = UDP_HEADER_BYTES;
    uint32_t headers_bytes;

    if (kind == NULL || claim->gso_size_bytes == 0) {
        return false;
    }
    if (kind->protocol == IP_PROTOCOL_TCP) {       /* whose checksum, behind this byte, is there */
        l4_bytes = (frame->hdr[info->l4_off_bytes + TCP_DATA_OFFSET] >> 4) * 4u;
        if (l4_bytes < TCP_HEADER_BYTES) {
            return false;
        }
    }
    headers_bytes = info->l4_off_bytes + l4_bytes;
    if (headers_bytes > frame->hdr_len_bytes) {
        return false;
    }
    if (frame->len_bytes - headers_bytes > claim->gso_size_bytes) {
        frame->gso_type = kind->type;
        frame->gso_size_bytes = claim->gso_size_bytes;
    }
    return true;
}

bool net_header_read(const uint8_t header[NET_HEADER_BASE_BYTES], struct frame *frame)
{
    const struct claim claim = { .gso = header[1], .gso_size_bytes = read_le16(&header[4]),
                                 .csum_start_bytes = read_le16(&header[6]),
                                 .csum_offset_bytes = read_le16(&header[8]) };
    struct ether_info info;
    bool is_true;

    if ((header[0] & FLAG_NEEDS_CSUM) == 0) {
        return claim.gso == GSO_NONE;              /* segments need checksums of their own */
    }
    if ((uint32_t)claim.csum_start_bytes + claim.csum_offset_bytes + 2 > frame->hdr_len_bytes ||
        !ether_parse(frame->hdr, frame->hdr_len_bytes, &info)) {
        return false;
    }
    if (claim.gso == GSO_NONE) {
        is_true = is_own_csum(&claim, &info) || is_inner_csum(&claim, &info);
    } else {
        is_true = is_own_csum(&claim, &info) && read_gso(&claim, &info, frame);
    }
    if (!is_true) {
        return false;
    }
    frame->csum_state = FRAME_CSUM_PARTIAL;
    frame->csum_start_bytes = claim.csum_start_bytes;
    frame->csum_offset_bytes = claim.csum_offset_bytes;
    frame->l3_off_bytes = info.l3_off_bytes;
    frame->l4_off_bytes = info.l4_off_bytes;
    return true;
}

/* Writes the pseudo-header's sum where the checksum of @p frame is: of its own TCP or UDP. */
static void write_pseudo_sum(struct frame *frame)
{
    const uint8_t protocol = frame->csum_offset_bytes == TCP_CSUM_OFFSET ? IP_PROTOCOL_TCP
                                                                         : IP_PROTOCOL_UDP;

    checksum_store_partial(frame->hdr + frame->csum_start_bytes + frame->csum_offset_bytes,
                           checksum_pseudo(frame->hdr + frame->l3_off_bytes, protocol,
                                           frame->len_bytes - frame->l4_off_bytes));
}

/* Reads what says of segments that their checksums were right, as if they were asked for. */
static bool read_merged(const uint8_t header[NET_HEADER_BASE_BYTES], struct frame *frame)
{
    uint8_t asks[NET_HEADER_BASE_BYTES] = { FLAG_NEEDS_CSUM, header[1] };
    struct ether_info info;

    if (!ether_parse(frame->hdr, frame->hdr_len_bytes, &info)) {
        return false;
    }
    memcpy(&asks[4], &header[4], 2);
    write_le16(&asks[6], info.l4_off_bytes);
    write_le16(&asks[8], info.l4_protocol == IP_PROTOCOL_TCP ? TCP_CSUM_OFFSET : UDP_CSUM_OFFSET);
    if (!net_header_read(asks, frame)) {
        return false;
    }
    write_pseudo_sum(frame);
    return true;
}

bool net_header_read_trusted(const uint8_t header[NET_HEADER_BASE_BYTES], struct frame *frame)
{
    if ((header[0] & (FLAG_NEEDS_CSUM | FLAG_DATA_VALID)) == FLAG_DATA_VALID &&
        header[1] != GSO_NONE) {
        return read_merged(header, frame);
    }
    if (!net_header_read(header, frame)) {
        return false;
    }
    if (frame->csum_state == FRAME_CSUM_AS_IT_IS && (header[0] & FLAG_DATA_VALID) != 0) {
        frame->csum_state = FRAME_CSUM_CHECKED;
    }
    return true;
}

uint64_t net_header_features(const uint8_t header[NET_HEADER_BASE_BYTES])
{
    uint64_t features = (header[0] & FLAG_NEEDS_CSUM) != 0 ? OFFLOAD_CSUM : 0;

    for (size_t i = 0; i < sizeof(gso_kinds) / sizeof(gso_kinds[0]); i++) {
        if (gso_kinds[i].gso == header[1]) {
            features |= gso_kinds[i].features;
        }
    }
    return features;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* The header's word for the segments that @p frame is to be cut into. */
static uint8_t gso_of(const struct frame *frame)
{
    const uint8_t ecn = (offload_needs(frame) & OFFLOAD_TAKES_ECN) != 0 ? GSO_ECN : 0;

    switch ((enum frame_gso)frame->gso_type) {
    case FRAME_GSO_TCP4:
        return GSO_TCP4 | ecn;
    case FRAME_GSO_TCP6:
        return GSO_TCP6 | ecn;
    case FRAME_GSO_UDP:
        return GSO_UDP;
    case FRAME_GSO_NONE:
        break;
    }
    return GSO_NONE;
}

void net_header_write(uint8_t header[NET_HEADER_BASE_BYTES], const struct frame *frame,
                      uint8_t takes)
{
    memset(header, 0, NET_HEADER_BASE_BYTES);
    if ((takes & OFFLOAD_TAKES_CSUM) == 0 || frame->csum_state == FRAME_CSUM_AS_IT_IS) {
        return;
    }
    if (frame->csum_state == FRAME_CSUM_CHECKED) {
        header[0] = FLAG_DATA_VALID;
        return;
    }
    header[0] = FLAG_NEEDS_CSUM;
    write_le16(&header[6], frame->csum_start_bytes);
    write_le16(&header[8], frame->csum_offset_bytes);
    if (frame->gso_type != FRAME_GSO_NONE) {
        header[1] = gso_of(frame);
        write_le16(&header[2], offload_header_bytes(frame));
        write_le16(&header[4], frame->gso_size_bytes);
    }
}
