/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/egress.h"

#include <string.h>

#include "dataplane/capture.h"
#include "switch/ether.h"
#include "switch/mac.h"

/* Frames of the batch for one port, in order. */
struct group {
    uint8_t index[FRAME_BURST];
    uint16_t count;
};

static inline struct group group_of(uint32_t mask)
{
    struct group group = { .count = 0 };

    while (mask != 0) {
        group.index[group.count++] = (uint8_t)__builtin_ctz(mask);
        mask &= mask - 1;
    }
    return group;
}

/* ---- counting -------------------------------------------------------------------------------- */

/* Counts a group by its verdicts; only flooded frames can have a group address. */
static void count_to(struct worker *worker, uint16_t port, const struct group *group,
                     const uint8_t *verdict, uint16_t delivered)
{
    const struct frame_batch *batch = &worker->batch;
    struct port_counters *counters = &worker->counters[port];
    const bool flooded = batch->flood_count != 0;
    uint64_t bytes = 0;

    counter_add(&counters->to_frames, delivered);
    for (uint16_t i = 0; i < group->count; i++) {
        const struct frame *frame = &batch->frame[group->index[i]];

        if (__builtin_expect(verdict[i] != VNIC_DELIVERED, 0)) {
            counter_add(&counters->drops[verdict[i]], 1);
            continue;
        }
        bytes += frame->len_bytes;
        if (flooded && (frame->hdr[0] & 1) != 0) {
            const bool broadcast = mac_read(frame->hdr) == MAC_BROADCAST;

            counter_add(&counters->to_broadcast, broadcast);
            counter_add(&counters->to_multicast, !broadcast);
        }
    }
    counter_add(&counters->to_bytes, bytes);
}

/* ---- one destination ------------------------------------------------------------------------- */

/* An 802.1Q or 802.1ad tag lengthens a frame without touching the MTU's payload. */
static inline bool over_mtu(const struct frame *frame, uint32_t max_frame_bytes)
{
    if (__builtin_expect(frame->len_bytes <= max_frame_bytes, 1)) {
        return false;
    }
    return frame->len_bytes > max_frame_bytes + ETHER_TAG_BYTES || !ether_is_tagged(frame->hdr);
}

/* Takes frames over the MTU out of @p group, when there are any: the rest in @p fits. */
static bool split_by_mtu(const struct frame_batch *batch, uint32_t max_frame_bytes,
                         const struct group *group, struct group *fits, struct group *over)
{
    fits->count = 0;
    over->count = 0;
    for (uint16_t i = 0; i < group->count; i++) {
        struct group *to = over_mtu(&batch->frame[group->index[i]], max_frame_bytes) ? over : fits;

        to->index[to->count++] = group->index[i];
    }
    return over->count != 0;
}

static void drop_group(struct worker *worker, uint16_t port, const struct group *group,
                       enum drop_reason reason)
{
    uint8_t verdict[FRAME_BURST];

    memset(verdict, (int)reason, group->count);
    counter_add(&worker->counters[port].drops[reason], group->count);
    if (__builtin_expect(worker->fabric->watch != NULL, 0)) {
        capture_see(worker->fabric->watch, worker->id, port, CAPTURE_OUT, &worker->batch,
                    group->index, group->count, verdict);
    }
}

static void deliver_pair(struct worker *worker, uint16_t port, struct vnic_live *live,
                         uint16_t pair, const struct group *group)
{
    struct vnic *vnic = worker->fabric->port[port].endpoint;
    uint8_t verdict[FRAME_BURST];
    const uint16_t delivered = vnic_to_guest(vnic, live, pair, &worker->batch, group->index,
                                             group->count, verdict);

    count_to(worker, port, group, verdict, delivered);
    if (__builtin_expect(worker->fabric->watch != NULL, 0)) {
        capture_see(worker->fabric->watch, worker->id, port, CAPTURE_OUT, &worker->batch,
                    group->index, group->count, verdict);
    }
}

/* Spreads a group over the receive rings of a multiqueue guest: a flow stays on one ring. */
static void deliver_steered(struct worker *worker, uint16_t port, struct vnic_live *live,
                            const struct group *group)
{
    uint32_t hash[FRAME_BURST];
    uint32_t left = group->count == FRAME_BURST ? UINT32_MAX : (1u << group->count) - 1;

    ether_flow_hashes(&worker->batch, group->index, group->count, hash);
    while (left != 0) {
        const uint16_t pair = (uint16_t)(hash[__builtin_ctz(left)] % live->to_pair_count);
        struct group part = { .count = 0 };

        for (uint32_t rest = left; rest != 0; rest &= rest - 1) {
            const uint32_t i = (uint32_t)__builtin_ctz(rest);

            if (hash[i] % live->to_pair_count == pair) {
                part.index[part.count++] = group->index[i];
                left &= ~(1u << i);
            }
        }
        deliver_pair(worker, port, live, pair, &part);
    }
}

static void deliver(struct worker *worker, uint16_t port, const struct group *group)
{
    const struct fabric_port *out = &worker->fabric->port[port];
    struct vnic *vnic = out->endpoint;
    struct vnic_live *live = atomic_load_explicit(&vnic->live, memory_order_acquire);
    struct group fits;
    struct group over;

    if (split_by_mtu(&worker->batch, out->max_frame_bytes, group, &fits, &over)) {
        drop_group(worker, port, &over, DROP_OVER_MTU);
    }
    if (fits.count == 0) {
        return;
    }
    if (live == NULL || live->to_pair_count == 0) {
        const bool broken = atomic_load_explicit(&vnic->fault, memory_order_relaxed) != 0;

        drop_group(worker, port, &fits, broken ? DROP_QUEUE_BROKEN : DROP_NOT_ATTACHED);
    } else if (live->to_pair_count == 1) {
        deliver_pair(worker, port, live, 0, &fits);
    } else {
        deliver_steered(worker, port, live, &fits);
    }
}

/* ---- the batch ------------------------------------------------------------------------------- */

/* Every frame to one known port, which is what a batch nearly always is. */
static bool all_to_one(const struct frame_batch *batch)
{
    const uint16_t port = batch->frame[0].port_out;

    for (uint16_t i = 1; i < batch->count; i++) {
        if (batch->frame[i].port_out != port) {
            return false;
        }
    }
    return port != PORT_NONE && port != PORT_FLOOD;
}

/* Sorts the batch into worker->unicast_mask[], by port.  Returns the mask of frames to flood. */
static uint32_t sort_batch(struct worker *worker, uint32_t *unicast)
{
    struct port_counters *counters = &worker->counters[worker->batch.port_in];
    uint32_t flood = 0;

    *unicast = 0;
    for (uint16_t i = 0; i < worker->batch.count; i++) {
        const struct frame *frame = &worker->batch.frame[i];

        if (frame->port_out == PORT_NONE) {
            counter_add(&counters->drops[frame->drop_reason], 1);
        } else if (frame->port_out == PORT_FLOOD) {
            flood |= 1u << i;
        } else {
            worker->unicast_mask[frame->port_out] |= 1u << i;
            *unicast |= 1u << i;
        }
    }
    return flood;
}

/* Delivers to every member but the sender what is flooded and, in its place, what is its own. */
static void flood_batch(struct worker *worker, uint32_t flood)
{
    const uint16_t port_in = worker->batch.port_in;
    const struct fabric *fabric = worker->fabric;
    const struct fabric_switch *in = &fabric->switches[fabric->port[port_in].switch_index];
    const uint32_t frames = (uint32_t)__builtin_popcount(flood);

    for (uint32_t i = 0; i < in->member_count; i++) {
        const uint16_t port = in->flood->member[i];
        struct group group;

        if (port == port_in) {
            continue;
        }
        group = group_of(flood | worker->unicast_mask[port]);
        worker->unicast_mask[port] = 0;
        deliver(worker, port, &group);
    }
    /* The sender is a member, and forward floods only where there is another. */
    counter_add(&worker->counters[port_in].flood_copies, (uint64_t)frames * (in->member_count - 2));
}

void egress_batch(struct worker *worker)
{
    const struct frame_batch *batch = &worker->batch;
    uint32_t unicast;
    uint32_t flood;

    if (batch->count == 0) {
        return;
    }
    if (all_to_one(batch)) {
        const struct group group = group_of(batch->count == FRAME_BURST
                                                ? UINT32_MAX : (1u << batch->count) - 1);

        deliver(worker, batch->frame[0].port_out, &group);
        return;
    }
    flood = sort_batch(worker, &unicast);
    if (flood != 0) {
        flood_batch(worker, flood);
    }
    while (unicast != 0) {
        const uint16_t port = batch->frame[__builtin_ctz(unicast)].port_out;
        const uint32_t mask = worker->unicast_mask[port];
        struct group group;

        worker->unicast_mask[port] = 0;
        unicast &= unicast - 1;
        if (mask != 0) {           /* delivered already, by a flood or by an earlier frame */
            unicast &= ~mask;
            group = group_of(mask);
            deliver(worker, port, &group);
        }
    }
}
