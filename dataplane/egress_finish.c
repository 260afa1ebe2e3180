/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/egress_finish.h"

#include "switch/ether.h"
#include "switch/frame_tag.h"
#include "switch/offload.h"
#include "switch/segment.h"

/* ---- tags ------------------------------------------------------------------------------------ */

/*
 * Whether @p frame goes to a port with tags untagged.  What is in the port's untagged VLAN does,
 * unless it begins with a tag that came as payload from outside, which would be taken for its VLAN:
 * so somebody in the one VLAN would reach a guest in another.
 */
static inline bool goes_untagged(const struct frame *frame, uint16_t vlan_out)
{
    return (frame->vlan_tci & VLAN_VID_MASK) == vlan_out &&
           (vlan_out == 0 || !ether_is_tagged(frame->hdr));
}

static void tag_group(struct frame_batch *batch, struct egress_group *group, uint16_t vlan_out)
{
    for (uint16_t i = 0; i < group->count; i++) {
        struct frame *frame = &batch->frame[group->index[i]];

        if (!goes_untagged(frame, vlan_out)) {
            frame_tag_push(frame, frame->vlan_tci);
            group->bytes += FRAME_TAG_BYTES;
            batch->altered = true;
        }
    }
}

static void untag_group(struct frame_batch *batch, const struct egress_group *group)
{
    for (uint16_t i = 0; i < group->count; i++) {
        struct frame *frame = &batch->frame[group->index[i]];

        if (frame->tagged != 0) {
            (void)frame_tag_pop(frame);
        }
    }
}

/* ---- segments -------------------------------------------------------------------------------- */

/* Cuts the frame at @p index and delivers what comes of it. */
static void deliver_cut(struct worker *worker, uint16_t port, uint8_t index)
{
    struct frame_batch *segments = &worker->segments;
    struct egress_group whole = { .count = 0 };
    struct segmenter segmenter;
    uint64_t cut = 0;
    uint16_t count;

    egress_group_add(&whole, &worker->batch, index);
    if (!segment_start(&segmenter, &worker->batch, &worker->batch.frame[index])) {
        egress_drop(worker, port, &worker->batch, &whole, DROP_BAD_OFFLOAD);
        return;
    }
    while ((count = segment_next(&segmenter, segments)) > 0) {
        struct egress_group group = { .count = 0 };

        for (uint16_t i = 0; i < count; i++) {
            egress_group_add(&group, segments, (uint8_t)i);
        }
        segments->altered = true;
        egress_deliver(worker, port, segments, &group);
        cut += count;
    }
    counter_add(&worker->counters[worker->batch.port_in].segment_copies, cut - 1);
}

/*
 * All segments or none: what is left of a stream without its longest ones helps nobody.  So a long
 * frame one of whose segments is over the MTU is not cut, and is dropped as one by who delivers.
 */
static bool fits_when_cut(const struct frame *frame, uint32_t max_frame_bytes)
{
    return offload_wire_bytes(frame) <=
           max_frame_bytes + (frame->tagged != 0 ? FRAME_TAG_BYTES : 0);
}

/* Delivers all in order, and cuts the long frames that the port does not take. */
static void deliver_in_parts(struct worker *worker, uint16_t port, const struct egress_group *group)
{
    const uint32_t max_frame_bytes = worker->fabric->port[port].max_frame_bytes;
    const uint8_t takes = egress_takes(worker, port);
    const struct frame_batch *batch = &worker->batch;
    struct egress_group part = { .count = 0 };

    for (uint16_t i = 0; i < group->count; i++) {
        const struct frame *frame = &batch->frame[group->index[i]];

        if (frame->gso_type == FRAME_GSO_NONE || (offload_needs(frame) & ~takes) == 0 ||
            !fits_when_cut(frame, max_frame_bytes)) {
            egress_group_add(&part, batch, group->index[i]);
            continue;
        }
        if (part.count != 0) {
            egress_deliver(worker, port, batch, &part);
            part = (struct egress_group){ .count = 0 };
        }
        deliver_cut(worker, port, group->index[i]);
    }
    if (part.count != 0) {
        egress_deliver(worker, port, batch, &part);
    }
}

void egress_finish(struct worker *worker, uint16_t port, const struct egress_group *group)
{
    const struct fabric_port *out = &worker->fabric->port[port];
    const bool tags = (out->flags & FABRIC_PORT_TAGS) != 0;
    struct egress_group finished;

    if (out->kind == FABRIC_PORT_ABSENT) {
        egress_drop(worker, port, &worker->batch, group, DROP_LINK_DOWN);
        return;
    }
    if (tags) {
        finished = *group;
        group = &finished;
        tag_group(&worker->batch, &finished, out->vlan_out);
    }
    if (worker->batch.offload_count == 0) {
        egress_deliver(worker, port, &worker->batch, group);
    } else {
        deliver_in_parts(worker, port, group);
    }
    if (tags) {
        untag_group(&worker->batch, group);
    }
}
