/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One pass over the batch.  For each TCP stream that is met it keeps the segments gathered so far,
 * to which nothing is done yet; a frame of that stream that does not continue them, or is the last
 * they can take, ends that, and only then the long frame is written into the first of them.
 *
 * Checksums are looked at when all else is right, and at most once each, so that what a hostile
 * sender costs is bounded by what it sends: a sum over each frame, and a search through the streams
 * of the batch.
 *
 * TCP that is not where it usually is (behind IPv4 options or IPv6 extension headers, in fragments)
 * may be of any stream between its addresses, and ends them all.
 */
#include "switch/coalesce.h"

#include <assert.h>
#include <stdbool.h>

#include "switch/bytes.h"
#include "switch/checksum.h"
#include "switch/offload.h"
#include "switch/tcp_segment.h"

#define IP_MAX_BYTES 65535u
static_assert(TCP_SEGMENT_IP_OFF + IP_MAX_BYTES <= FRAME_MAX_BYTES, "the longest packet fits");

/* Segments of a TCP stream that follow one another and can be one frame. */
struct stream {
    struct tcp_segment first;
    uint32_t members;              /* frames of the batch, a bit each */
    uint32_t len_bytes;            /* of the long frame */
    uint16_t last_id;              /* IPv4: of the last member */
    uint16_t id_step;              /* IPv4: from each member to the next, when there are several */
    bool sound;                    /* the first's checksums were found right */
};

struct coalescer {
    struct frame_batch *batch;
    uint32_t gone;                 /* frames that were merged into others, a bit each */
    uint32_t runs_left;            /* that no stream will need */
    uint32_t count;
    struct stream stream[FRAME_BURST];   /* being gathered; a frame adds one at most */
};

static inline bool has_one(const struct stream *stream)
{
    return (stream->members & (stream->members - 1)) == 0;
}

/* ---- checksums ------------------------------------------------------------------------------- */

static uint64_t pseudo_header(const struct tcp_layout *layout, const uint8_t *hdr,
                              uint32_t len_bytes)
{
    return checksum_pseudo(hdr + TCP_SEGMENT_IP_OFF, IP_PROTOCOL_TCP,
                           len_bytes - layout->tcp_off);
}

static uint16_t ipv4_checksum(const uint8_t *hdr)
{
    return checksum_finish(checksum_add(0, hdr + TCP_SEGMENT_IP_OFF, IPV4_HEADER_BYTES, false));
}

/* Whether they are right; of TCP's, a promise is enough. */
static bool is_sound(const struct frame_batch *batch, const struct tcp_segment *segment)
{
    const struct tcp_layout *layout = segment->layout;
    const struct frame *frame = segment->frame;
    uint64_t sum;

    if (layout == &tcp_over_ipv4 && ipv4_checksum(frame->hdr) != 0) {
        return false;
    }
    if (frame->csum_state != FRAME_CSUM_AS_IT_IS) {
        return true;
    }
    sum = pseudo_header(layout, frame->hdr, frame->len_bytes);
    return checksum_finish(checksum_add_frame(sum, batch, frame, layout->tcp_off)) == 0;
}

/* ---- the long frame -------------------------------------------------------------------------- */

static void list_runs(struct frame_batch *batch, const struct frame *frame)
{
    for (uint16_t i = 0; i < frame->seg_count; i++) {
        batch->run[batch->run_count++] = batch->run[frame->seg_first + i];
    }
}

/* Lists the payload of all members as that of the first.  @return the last of them */
static const struct frame *list_members(struct frame_batch *batch, const struct stream *stream)
{
    const uint32_t header_bytes = stream->first.header_bytes;
    const uint16_t seg_first = batch->run_count;
    struct frame *first = stream->first.frame;
    const struct frame *member = first;

    list_runs(batch, first);
    for (uint32_t rest = stream->members & (stream->members - 1); rest != 0; rest &= rest - 1) {
        member = &batch->frame[__builtin_ctz(rest)];
        if (member->hdr_len_bytes > header_bytes) {
            batch->run[batch->run_count++] = (struct frame_run){
                .data = member->hdr + header_bytes,
                .len_bytes = member->hdr_len_bytes - header_bytes,
            };
        }
        list_runs(batch, member);
    }
    first->seg_first = seg_first;
    first->seg_count = (uint16_t)(batch->run_count - seg_first);
    return member;
}

static void write_headers(const struct stream *stream, const struct frame *last)
{
    const struct tcp_layout *layout = stream->first.layout;
    uint8_t *hdr = stream->first.frame->hdr;
    uint8_t *tcp = hdr + layout->tcp_off;

    if (layout == &tcp_over_ipv4) {
        bytes_put_2(hdr + TCP_SEGMENT_IPV4_LENGTH, stream->len_bytes - TCP_SEGMENT_IP_OFF);
        bytes_put_2(hdr + TCP_SEGMENT_IPV4_CHECKSUM, 0);
        bytes_put_2(hdr + TCP_SEGMENT_IPV4_CHECKSUM, ipv4_checksum(hdr));
    } else {
        bytes_put_2(hdr + TCP_SEGMENT_IPV6_LENGTH, stream->len_bytes - layout->tcp_off);
    }
    bytes_put_2(tcp + TCP_FLAGS_OFF, bytes_get_2(last->hdr + layout->tcp_off + TCP_FLAGS_OFF));
    checksum_store_partial(tcp + TCP_CHECKSUM_OFF, pseudo_header(layout, hdr, stream->len_bytes));
}

/* Makes the first of several members the long frame, and the others part of it. */
static void write_long_frame(struct coalescer *c, const struct stream *stream)
{
    const struct tcp_layout *layout = stream->first.layout;
    const uint32_t gso_size_bytes = tcp_segment_payload_bytes(&stream->first);
    struct frame_batch *batch = c->batch;
    struct frame *frame = stream->first.frame;

    write_headers(stream, list_members(batch, stream));
    for (uint32_t rest = stream->members; rest != 0; rest &= rest - 1) {
        if (batch->frame[__builtin_ctz(rest)].csum_state != FRAME_CSUM_AS_IT_IS) {
            batch->offload_count--;
        }
    }
    batch->offload_count++;
    frame->len_bytes = stream->len_bytes;
    frame->gso_type = layout->gso_type;
    frame->gso_size_bytes = (uint16_t)gso_size_bytes;
    frame->csum_state = FRAME_CSUM_PARTIAL;
    frame->csum_start_bytes = layout->tcp_off;
    frame->csum_offset_bytes = TCP_CHECKSUM_OFF;
    frame->l3_off_bytes = TCP_SEGMENT_IP_OFF;
    frame->l4_off_bytes = layout->tcp_off;
    c->gone |= stream->members & (stream->members - 1);
}

/* ---- streams --------------------------------------------------------------------------------- */

static inline struct stream *find_stream(struct coalescer *c, const struct tcp_segment *segment)
{
    for (uint32_t i = 0; i < c->count; i++) {
        const struct tcp_segment *first = &c->stream[i].first;

        if (first->end == segment->end && first->layout == segment->layout &&
            tcp_layout_same_addresses(first->layout, first->frame, segment->frame)) {
            return &c->stream[i];
        }
    }
    return NULL;
}

static inline void start_stream(struct coalescer *c, const struct tcp_segment *segment)
{
    struct stream *stream = &c->stream[c->count++];

    stream->first = *segment;
    stream->members = 1u << (segment->frame - c->batch->frame);
    stream->len_bytes = segment->frame->len_bytes;
    stream->last_id = tcp_segment_id(segment);
    stream->sound = false;
}

/* Gathers no more of @p stream, whose place another takes. */
static void end_stream(struct coalescer *c, struct stream *stream)
{
    if (!has_one(stream)) {
        write_long_frame(c, stream);
    }
    *stream = c->stream[--c->count];
}

/* Ends all streams that @p frame may be of. */
static void end_streams_between(struct coalescer *c, const struct tcp_layout *layout,
                                const struct frame *frame)
{
    for (uint32_t i = c->count; i-- > 0;) {
        struct stream *stream = &c->stream[i];

        if (stream->first.layout == layout &&
            tcp_layout_same_addresses(layout, stream->first.frame, frame)) {
            end_stream(c, stream);
        }
    }
}

/* ---- what is merged -------------------------------------------------------------------------- */

static inline bool is_mergeable(const struct tcp_segment *segment, uint8_t takes)
{
    const struct frame *frame = segment->frame;
    const struct tcp_layout *layout = segment->layout;
    const uint8_t *tcp = frame->hdr + layout->tcp_off;

    return frame->gso_type == FRAME_GSO_NONE && (takes & layout->takes) != 0 &&
           frame->port_out != PORT_FLOOD && frame->port_out != PORT_NONE &&
           (bytes_get_2(tcp + TCP_FLAGS_OFF) & TCP_FLAGS & ~TCP_PSH) == TCP_ACK &&
           segment->header_bytes >= layout->tcp_off + TCP_HEADER_BYTES &&
           segment->header_bytes <= frame->hdr_len_bytes &&
           segment->header_bytes < frame->len_bytes &&
           frame->len_bytes == TCP_SEGMENT_IP_OFF + tcp_segment_ip_bytes(segment) &&
           (frame->csum_state != FRAME_CSUM_PARTIAL ||
            (frame->csum_start_bytes == layout->tcp_off &&
             frame->csum_offset_bytes == TCP_CHECKSUM_OFF));
}

/* Identifications count up or, where they have no meaning, stay: RFC 6864, 4.1. */
static inline bool id_follows(const struct stream *stream, const struct tcp_segment *segment)
{
    const uint16_t step = (uint16_t)(tcp_segment_id(segment) - stream->last_id);
    const uint8_t *hdr = segment->frame->hdr;

    if (!has_one(stream)) {
        return step == stream->id_step;
    }
    return step == 1 || (step == 0 && (segment->layout != &tcp_over_ipv4 ||
                         (bytes_get_2(hdr + TCP_SEGMENT_IPV4_FRAGMENT) & IPV4_DF) != 0));
}

/* The runs that must be left for @p stream to take @p segment: the first time, its own too. */
static inline uint32_t runs_for(const struct stream *stream, const struct tcp_segment *segment)
{
    return tcp_segment_runs(segment) + (has_one(stream) ? stream->first.frame->seg_count : 0u);
}

static inline bool continues(const struct coalescer *c, const struct stream *stream,
                             const struct tcp_segment *segment)
{
    const struct tcp_segment *first = &stream->first;
    const struct frame *frame = segment->frame;

    return segment->mergeable &&
           segment->sequence - first->sequence == stream->len_bytes - first->header_bytes &&
           segment->header_bytes == first->header_bytes &&
           tcp_segment_payload_bytes(segment) <= tcp_segment_payload_bytes(first) &&
           stream->len_bytes + tcp_segment_payload_bytes(segment) <=
           TCP_SEGMENT_IP_OFF + IP_MAX_BYTES &&
           frame->port_out == first->frame->port_out &&
           frame->vlan_tci == first->frame->vlan_tci &&
           tcp_layout_alike(first->layout, first->frame->hdr, frame->hdr, first->header_bytes) &&
           id_follows(stream, segment) && runs_for(stream, segment) <= c->runs_left;
}

/* Takes what continues the stream, unless a checksum is wrong.  @return whether it did */
static bool add_segment(struct coalescer *c, struct stream *stream, struct tcp_segment *segment)
{
    const uint16_t id = tcp_segment_id(segment);

    if (!stream->sound) {
        stream->sound = is_sound(c->batch, &stream->first);
        if (!stream->sound) {
            return false;
        }
    }
    if (!is_sound(c->batch, segment)) {
        segment->mergeable = false;
        return false;
    }
    c->runs_left -= runs_for(stream, segment);
    stream->members |= 1u << (segment->frame - c->batch->frame);
    stream->len_bytes += tcp_segment_payload_bytes(segment);
    stream->id_step = (uint16_t)(id - stream->last_id);
    stream->last_id = id;
    return true;
}

static inline void meet_segment(struct coalescer *c, struct tcp_segment *segment)
{
    struct stream *stream = find_stream(c, segment);

    if (stream != NULL) {
        const bool added = continues(c, stream, segment) && add_segment(c, stream, segment);

        if (added && !segment->pushed &&
            tcp_segment_payload_bytes(segment) == tcp_segment_payload_bytes(&stream->first)) {
            return;
        }
        end_stream(c, stream);
        if (added) {
            return;
        }
    }
    if (segment->mergeable && !segment->pushed) {
        start_stream(c, segment);
    }
}

/* ---- the batch ------------------------------------------------------------------------------- */

static void close_gaps(struct frame_batch *batch, uint32_t gone)
{
    uint16_t to = (uint16_t)__builtin_ctz(gone);

    for (uint16_t from = to; from < batch->count; from++) {
        if ((gone >> from & 1) == 0) {
            batch->frame[to++] = batch->frame[from];
        }
    }
    batch->count = to;
}

uint16_t coalesce_batch(struct frame_batch *batch, const uint8_t takes[FRAME_BURST])
{
    const uint16_t count = batch->count;
    struct coalescer c;            /* of its streams, count are written */

    c.batch = batch;
    c.gone = 0;
    c.runs_left = (uint32_t)FRAME_RUNS - batch->run_count;
    c.count = 0;
    for (uint16_t i = 0; i < count; i++) {
        struct frame *frame = &batch->frame[i];
        const struct tcp_layout *layout = tcp_layout_of(frame);

        if (layout == NULL) {
            continue;
        }
        if (tcp_layout_holds(layout, frame)) {
            struct tcp_segment segment = tcp_segment_read(layout, frame);

            segment.mergeable = is_mergeable(&segment, takes[i]);
            meet_segment(&c, &segment);
        } else {
            end_streams_between(&c, layout, frame);
        }
    }
    while (c.count > 0) {
        end_stream(&c, &c.stream[c.count - 1]);
    }
    if (c.gone != 0) {
        close_gaps(batch, c.gone);
        batch->altered = true;
    }
    return (uint16_t)(count - batch->count);
}
