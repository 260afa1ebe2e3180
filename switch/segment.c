/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cutting frames.  Starting finds the headers, by the parser that forward uses and from the bytes
 * alone, and refuses what could not be cut right; after that nothing can go wrong.  A segment is
 * then three steps: copy the headers, list the slices, write what differs into the headers.
 */
#include "switch/segment.h"

#include <string.h>

#include "switch/bytes.h"
#include "switch/checksum.h"
#include "switch/ether.h"
#include "switch/frame_tag.h"

#define IP_MAX_BYTES        65535u

#define IPV4_HEADER_BYTES   20u    /* RFC 791, 3.1 */
#define IPV4_LENGTH_OFF     2u
#define IPV4_ID_OFF         4u
#define IPV4_CHECKSUM_OFF   10u
#define IPV4_OPTION_END     0u
#define IPV4_OPTION_NOP     1u
#define IPV4_OPTION_LSRR    131u   /* loose and strict source route */
#define IPV4_OPTION_SSRR    137u
#define OPTION_POINTER_OFF  2u

#define IPV6_HEADER_BYTES   40u    /* RFC 8200, 3 */
#define IPV6_LENGTH_OFF     4u
#define IPV6_NEXT_OFF       6u
#define IPV6_ROUTING        43u    /* extension headers: RFC 8200, 4; AH: RFC 4302 */
#define IPV6_FRAGMENT       44u
#define IPV6_AH             51u
#define ROUTING_LEFT_OFF    3u     /* segments left: RFC 8200, 4.4 */

#define TCP_HEADER_BYTES    20u    /* RFC 9293, 3.1 */
#define TCP_SEQUENCE_OFF    4u
#define TCP_LENGTH_OFF      12u
#define TCP_FLAGS_OFF       13u
#define TCP_CHECKSUM_OFF    16u
#define TCP_URGENT_OFF      18u
#define TCP_FIN             0x01u
#define TCP_SYN             0x02u
#define TCP_PSH             0x08u
#define TCP_URG             0x20u
#define TCP_CWR             0x80u

#define UDP_HEADER_BYTES    8u     /* RFC 768 */
#define UDP_LENGTH_OFF      4u
#define UDP_CHECKSUM_OFF    6u

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* ---- may it be cut? -------------------------------------------------------------------------- */

static bool is_of_type(const struct ether_info *info, enum frame_gso type)
{
    switch (type) {
    case FRAME_GSO_TCP4:
        return info->l4_protocol == IP_PROTOCOL_TCP && info->ip_version == 4;
    case FRAME_GSO_TCP6:
        return info->l4_protocol == IP_PROTOCOL_TCP && info->ip_version == 6;
    case FRAME_GSO_UDP:
        return info->l4_protocol == IP_PROTOCOL_UDP;
    case FRAME_GSO_NONE:
        break;
    }
    return false;
}

/* Whether an option of IPv4 routes to behind the header's destination: RFC 791, 3.1. */
static bool options_forbid(const uint8_t *hdr, const struct ether_info *info)
{
    uint32_t off = info->l3_off_bytes + IPV4_HEADER_BYTES;

    while (off + OPTION_POINTER_OFF < info->l4_off_bytes) {
        const uint8_t *at = &hdr[off];
        const bool routes = at[0] == IPV4_OPTION_LSRR || at[0] == IPV4_OPTION_SSRR;

        if (routes && at[OPTION_POINTER_OFF] <= at[1]) {
            return true;
        }
        if (at[0] == IPV4_OPTION_END || (at[0] != IPV4_OPTION_NOP && at[1] < 2)) {
            return false;
        }
        off += at[0] == IPV4_OPTION_NOP ? 1 : at[1];
    }
    return false;
}

/* Whether an IPv6 extension header, all of which end at l4_off, routes to elsewhere or signs. */
static bool extensions_forbid(const uint8_t *hdr, const struct ether_info *info)
{
    uint32_t off = info->l3_off_bytes + IPV6_HEADER_BYTES;
    uint8_t type = hdr[info->l3_off_bytes + IPV6_NEXT_OFF];

    while (off < info->l4_off_bytes) {
        const uint8_t *at = &hdr[off];

        if (type == IPV6_AH || (type == IPV6_ROUTING && at[ROUTING_LEFT_OFF] != 0)) {
            return true;
        }
        off += type == IPV6_FRAGMENT ? 8 : (at[1] + 1u) * 8;
        type = at[0];
    }
    return false;
}

/* The bytes before the payload; 0 when they are not all there, or are not what they should be. */
static uint16_t header_bytes(const struct frame *frame, const struct ether_info *info)
{
    const uint32_t left_bytes = (uint32_t)frame->hdr_len_bytes - info->l4_off_bytes;
    uint32_t l4_bytes = UDP_HEADER_BYTES;

    if (info->l4_protocol == IP_PROTOCOL_TCP) {
        if (left_bytes < TCP_HEADER_BYTES) {
            return 0;
        }
        l4_bytes = (frame->hdr[info->l4_off_bytes + TCP_LENGTH_OFF] >> 4) * 4u;
        if (l4_bytes < TCP_HEADER_BYTES) {
            return 0;
        }
    }
    return l4_bytes <= left_bytes ? (uint16_t)(info->l4_off_bytes + l4_bytes) : 0;
}

/* Sums what the segments of @p s have in common: a number is taken out by adding its complement. */
static void sum_headers(struct segmenter *s, const uint8_t *ip)
{
    s->pseudo_sum = checksum_pseudo(ip, s->protocol, 0);
    if (s->ip_version == 4) {
        s->ip_sum = checksum_add(0, ip, (size_t)s->l4_off_bytes - s->l3_off_bytes, false) +
                    (uint16_t)~bytes_get_2(ip + IPV4_LENGTH_OFF) +
                    (uint16_t)~bytes_get_2(ip + IPV4_ID_OFF) +
                    (uint16_t)~bytes_get_2(ip + IPV4_CHECKSUM_OFF);
    }
}

/* Whether segments of so many bytes can be made, be said, and be so many. */
static bool fits(const struct segmenter *s)
{
    const uint32_t gso_size_bytes = s->frame->gso_size_bytes;
    const uint8_t *l4 = s->frame->hdr + s->l4_off_bytes;

    if (s->protocol == IP_PROTOCOL_TCP && (l4[TCP_FLAGS_OFF] & TCP_SYN) != 0 &&
        s->payload_bytes > gso_size_bytes) {
        return false;
    }
    return (uint32_t)s->header_bytes - s->l3_off_bytes + least(gso_size_bytes, s->payload_bytes) <=
           IP_MAX_BYTES && s->payload_bytes <= gso_size_bytes * SEGMENT_MAX_FRAMES;
}

bool segment_start(struct segmenter *segmenter, const struct frame_batch *from,
                   const struct frame *frame)
{
    const uint32_t tag_bytes = frame->tagged ? FRAME_TAG_BYTES : 0;
    struct ether_info info;
    uint16_t headers;

    if (frame->gso_size_bytes == 0 || frame->hdr_len_bytes > FRAME_HDR_BYTES + tag_bytes ||
        !ether_parse(frame->hdr, frame->hdr_len_bytes, &info) || info.l4_off_bytes == 0 ||
        info.is_fragment || !is_of_type(&info, frame->gso_type) ||
        (info.ip_version == 4 && options_forbid(frame->hdr, &info)) ||
        (info.ip_version == 6 && extensions_forbid(frame->hdr, &info))) {
        return false;
    }
    headers = header_bytes(frame, &info);
    if (headers == 0) {
        return false;
    }
    *segmenter = (struct segmenter){
        .from = from,
        .frame = frame,
        .payload_bytes = frame->len_bytes - headers,
        .run = frame->seg_first,
        .header_bytes = headers,
        .l3_off_bytes = info.l3_off_bytes,
        .l4_off_bytes = info.l4_off_bytes,
        .ip_version = info.ip_version,
        .protocol = info.l4_protocol,
    };
    if (!fits(segmenter)) {
        return false;
    }
    sum_headers(segmenter, frame->hdr + info.l3_off_bytes);
    return true;
}

/* ---- the bytes of a segment ------------------------------------------------------------------ */

/*
 * Lists the next @p len_bytes of the runs as those of @p segment.
 * Returns false when @p into has no room for them; nothing is taken then.
 */
static bool slice_runs(struct segmenter *s, struct frame_batch *into, struct frame *segment,
                       uint32_t len_bytes)
{
    uint32_t offset = s->run_offset_bytes;
    uint16_t run = s->run;
    uint16_t count = into->run_count;

    while (len_bytes > 0) {
        const struct frame_run *from = &s->from->run[run];
        const uint32_t part_bytes = least(len_bytes, from->len_bytes - offset);

        if (count == FRAME_RUNS) {
            return false;
        }
        if (part_bytes > 0) {
            into->run[count++] = (struct frame_run){ .data = from->data + offset,
                                                     .len_bytes = part_bytes };
        }
        len_bytes -= part_bytes;
        offset += part_bytes;
        if (offset == from->len_bytes) {
            offset = 0;
            run++;
        }
    }
    segment->seg_first = into->run_count;
    segment->seg_count = (uint16_t)(count - into->run_count);
    into->run_count = count;
    s->run = run;
    s->run_offset_bytes = offset;
    return true;
}

/* ---- its headers ----------------------------------------------------------------------------- */

static void finish_ip(const struct segmenter *s, uint8_t *ip, uint32_t ip_bytes)
{
    if (s->ip_version == 6) {
        bytes_put_2(ip + IPV6_LENGTH_OFF, ip_bytes - IPV6_HEADER_BYTES);
    } else {
        const uint16_t id = (uint16_t)(bytes_get_2(ip + IPV4_ID_OFF) + s->index);

        bytes_put_2(ip + IPV4_LENGTH_OFF, ip_bytes);
        bytes_put_2(ip + IPV4_ID_OFF, id);
        bytes_put_2(ip + IPV4_CHECKSUM_OFF, checksum_finish(s->ip_sum + ip_bytes + id));
    }
}

static void finish_tcp(const struct segmenter *s, uint8_t *tcp, bool last)
{
    const uint16_t urgent = bytes_get_2(tcp + TCP_URGENT_OFF);
    uint32_t flags = tcp[TCP_FLAGS_OFF];

    if (s->index > 0) {
        flags &= ~TCP_CWR;
        if ((flags & TCP_URG) != 0 && urgent > s->done_bytes) {
            bytes_put_2(tcp + TCP_URGENT_OFF, urgent - s->done_bytes);
        } else {
            flags &= ~TCP_URG;
        }
    }
    if (!last) {
        flags &= ~(TCP_FIN | TCP_PSH);
    }
    tcp[TCP_FLAGS_OFF] = (uint8_t)flags;
    bytes_put_4(tcp + TCP_SEQUENCE_OFF, bytes_get_4(tcp + TCP_SEQUENCE_OFF) + s->done_bytes);
}

/* Writes into the headers of @p segment what is its own; its payload is @p part_bytes long. */
static void finish_headers(const struct segmenter *s, struct frame *segment, uint32_t part_bytes)
{
    uint8_t *l4 = segment->hdr + s->l4_off_bytes;
    const uint32_t l4_bytes = segment->len_bytes - s->l4_off_bytes;

    finish_ip(s, segment->hdr + s->l3_off_bytes, segment->len_bytes - s->l3_off_bytes);
    if (s->protocol == IP_PROTOCOL_TCP) {
        finish_tcp(s, l4, s->done_bytes + part_bytes == s->payload_bytes);
    } else {
        bytes_put_2(l4 + UDP_LENGTH_OFF, l4_bytes);
    }
    checksum_store_partial(l4 + segment->csum_offset_bytes, s->pseudo_sum + l4_bytes);
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* Adds the next segment to @p into; returns false when that has no room for its runs. */
static bool add_segment(struct segmenter *s, struct frame_batch *into)
{
    const struct frame *frame = s->frame;
    const uint32_t part_bytes = least(frame->gso_size_bytes, s->payload_bytes - s->done_bytes);
    const uint32_t at_hdr = least(s->header_bytes + s->done_bytes, frame->hdr_len_bytes);
    const uint32_t copied_bytes = least(part_bytes, frame->hdr_len_bytes - at_hdr);
    struct frame *segment = &into->frame[into->count];

    *segment = *frame;
    segment->hdr = into->hdr[into->count];
    segment->hdr -= frame->tagged ? FRAME_TAG_BYTES : 0;       /* where pushing it would start */
    segment->len_bytes = s->header_bytes + part_bytes;
    segment->hdr_len_bytes = (uint16_t)(s->header_bytes + copied_bytes);
    segment->gso_type = FRAME_GSO_NONE;
    segment->gso_size_bytes = 0;
    segment->csum_state = FRAME_CSUM_PARTIAL;
    segment->csum_start_bytes = s->l4_off_bytes;
    segment->csum_offset_bytes = s->protocol == IP_PROTOCOL_TCP ? TCP_CHECKSUM_OFF
                                                                : UDP_CHECKSUM_OFF;
    segment->l3_off_bytes = s->l3_off_bytes;
    segment->l4_off_bytes = s->l4_off_bytes;
    if (!slice_runs(s, into, segment, part_bytes - copied_bytes)) {
        return false;
    }
    memcpy(segment->hdr, frame->hdr, s->header_bytes);
    memcpy(segment->hdr + s->header_bytes, frame->hdr + at_hdr, copied_bytes);
    finish_headers(s, segment, part_bytes);
    into->count++;
    s->done_bytes += part_bytes;
    s->index++;
    return true;
}

uint16_t segment_next(struct segmenter *segmenter, struct frame_batch *into)
{
    into->count = 0;
    into->run_count = 0;
    into->port_in = segmenter->from->port_in;
    while (into->count < FRAME_BURST &&
           (segmenter->done_bytes < segmenter->payload_bytes || segmenter->index == 0) &&
           add_segment(segmenter, into)) {
    }
    into->offload_count = into->count;
    into->flood_count = segmenter->frame->port_out == PORT_FLOOD ? into->count : 0;
    return into->count;
}
