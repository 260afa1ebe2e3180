/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/egress_deliver.h"

#include <string.h>

#include "dataplane/capture.h"
#include "dataplane/host_port.h"
#include "dataplane/nic.h"
#include "dataplane/packet_port.h"
#include "dataplane/team_port.h"
#include "switch/ether.h"
#include "switch/frame_tag.h"
#include "switch/mac.h"
#include "switch/offload.h"

/* ---- counting -------------------------------------------------------------------------------- */

static void show(const struct worker *worker, uint16_t port, const struct frame_batch *batch,
                 const struct egress_group *group, const uint8_t *verdict)
{
    if (__builtin_expect(worker->fabric->watch != NULL, 0)) {
        capture_see(worker->fabric->watch, worker->id, port, CAPTURE_OUT, batch, group->index,
                    group->count, verdict);
    }
}

/* Of frames that were delivered, those to all or to a group; only flooded ones can be. */
static void count_groups(struct port_counters *counters, const struct frame_batch *batch,
                         const struct egress_group *group, const uint8_t *verdict)
{
    for (uint16_t i = 0; i < group->count; i++) {
        const struct frame *frame = &batch->frame[group->index[i]];

        if (verdict[i] == VNIC_DELIVERED && (frame->hdr[0] & 1) != 0) {
            const bool broadcast = mac_read(frame->hdr) == MAC_BROADCAST;

            counter_add(&counters->to_broadcast, broadcast);
            counter_add(&counters->to_multicast, !broadcast);
        }
    }
}

/* Counts those that were not delivered.  @return their bytes */
static uint64_t count_lost(struct port_counters *counters, const struct frame_batch *batch,
                           const struct egress_group *group, const uint8_t *verdict)
{
    uint64_t bytes = 0;

    for (uint16_t i = 0; i < group->count; i++) {
        if (verdict[i] != VNIC_DELIVERED) {
            counter_add(&counters->drops[verdict[i]], 1);
            bytes += batch->frame[group->index[i]].len_bytes;
        }
    }
    return bytes;
}

void egress_settle(struct worker *worker, uint16_t port, const struct frame_batch *batch,
                   const struct egress_group *group, const uint8_t *verdict, uint16_t delivered)
{
    struct port_counters *counters = &worker->counters[port];
    uint64_t bytes = group->bytes;

    if (__builtin_expect(delivered != group->count, 0)) {
        bytes -= count_lost(counters, batch, group, verdict);
    }
    counter_add(&counters->to_frames, delivered);
    counter_add(&counters->to_bytes, bytes);
    if (batch->flood_count != 0) {
        count_groups(counters, batch, group, verdict);
    }
    show(worker, port, batch, group, verdict);
}

void egress_drop(struct worker *worker, uint16_t port, const struct frame_batch *batch,
                 const struct egress_group *group, enum drop_reason reason)
{
    const uint16_t owner = reason == DROP_BAD_OFFLOAD ? batch->port_in : port;
    uint8_t verdict[FRAME_BURST];

    memset(verdict, (int)reason, group->count);
    counter_add(&worker->counters[owner].drops[reason], group->count);
    show(worker, port, batch, group, verdict);
}

/* ---- the MTU --------------------------------------------------------------------------------- */

/* The switch's own tag comes on top of the MTU, which bounds what a long frame is cut into. */
static inline bool over_mtu(const struct frame *frame, uint32_t max_frame_bytes)
{
    if (__builtin_expect(frame->len_bytes <= max_frame_bytes, 1)) {
        return false;
    }
    return offload_wire_bytes(frame) > max_frame_bytes + (frame->tagged != 0 ? FRAME_TAG_BYTES : 0);
}

/* Parts @p group into frames that fit and frames over the MTU. */
static void split_by_mtu(const struct frame_batch *batch, uint32_t max_frame_bytes,
                         const struct egress_group *group, struct egress_group *fits,
                         struct egress_group *over)
{
    for (uint16_t i = 0; i < group->count; i++) {
        const struct frame *frame = &batch->frame[group->index[i]];

        egress_group_add(over_mtu(frame, max_frame_bytes) ? over : fits, batch, group->index[i]);
    }
}

/* ---- guests ---------------------------------------------------------------------------------- */

static void deliver_pair(struct worker *worker, uint16_t port, struct vnic_live *live,
                         uint16_t pair, const struct frame_batch *batch,
                         const struct egress_group *group)
{
    struct vnic *vnic = worker->fabric->port[port].endpoint;
    uint8_t verdict[FRAME_BURST];
    const uint16_t delivered = vnic_to_guest(vnic, live, pair, batch, group->index, group->count,
                                             verdict);

    egress_settle(worker, port, batch, group, verdict, delivered);
}

/* Spreads a group over the receive rings of a multiqueue guest: a flow stays on one ring. */
static void deliver_steered(struct worker *worker, uint16_t port, struct vnic_live *live,
                            const struct frame_batch *batch, const struct egress_group *group)
{
    uint32_t hash[FRAME_BURST];
    uint32_t left = group->count == FRAME_BURST ? UINT32_MAX : (1u << group->count) - 1;

    ether_flow_hashes(batch, group->index, group->count, hash);
    while (left != 0) {
        const uint16_t pair = (uint16_t)(hash[__builtin_ctz(left)] % live->to_pair_count);
        struct egress_group part = { .count = 0 };

        for (uint32_t rest = left; rest != 0; rest &= rest - 1) {
            const uint32_t i = (uint32_t)__builtin_ctz(rest);

            if (hash[i] % live->to_pair_count == pair) {
                egress_group_add(&part, batch, group->index[i]);
                left &= ~(1u << i);
            }
        }
        deliver_pair(worker, port, live, pair, batch, &part);
    }
}

static void deliver_guest(struct worker *worker, uint16_t port, const struct frame_batch *batch,
                          const struct egress_group *group)
{
    struct vnic *vnic = worker->fabric->port[port].endpoint;
    struct vnic_live *live = atomic_load_explicit(&vnic->live, memory_order_acquire);

    if (live == NULL || live->to_pair_count == 0) {
        const bool broken = atomic_load_explicit(&vnic->fault, memory_order_relaxed) != 0;

        egress_drop(worker, port, batch, group, broken ? DROP_QUEUE_BROKEN : DROP_NOT_ATTACHED);
    } else if (live->to_pair_count == 1) {
        deliver_pair(worker, port, live, 0, batch, group);
    } else {
        deliver_steered(worker, port, live, batch, group);
    }
}

/* ---- any port -------------------------------------------------------------------------------- */

/*
 * A worker keeps to one queue of an interface: so does a flow then, because all of it comes from a
 * queue that one worker polls.
 */
uint16_t egress_send(struct worker *worker, uint16_t port, const struct frame_batch *batch,
                     const struct egress_group *group, uint8_t *verdict)
{
    const struct fabric_port *out = &worker->fabric->port[port];
    uint16_t queue;

    switch ((enum fabric_port_kind)out->kind) {
    case FABRIC_PORT_HOST:
        queue = (uint16_t)(worker->id % host_port_queues(out->endpoint));
        return host_port_to_host(out->endpoint, queue, batch, group->index, group->count, verdict);
    case FABRIC_PORT_PACKET:
        queue = (uint16_t)(worker->id % packet_port_queues(out->endpoint));
        return packet_port_to_wire(out->endpoint, queue, batch, group->index, group->count,
                                   verdict);
    case FABRIC_PORT_NIC:
        return nic_to_wire(out->endpoint, worker->id, batch, group->index, group->count, verdict);
    case FABRIC_PORT_VNIC:
    case FABRIC_PORT_TEAM:
    case FABRIC_PORT_UNUSED:
    case FABRIC_PORT_ABSENT:
        break;
    }
    memset(verdict, DROP_LINK_DOWN, group->count);
    return 0;
}

/* Frames that fit. */
static void deliver(struct worker *worker, uint16_t port, const struct frame_batch *batch,
                    const struct egress_group *group)
{
    const uint8_t kind = worker->fabric->port[port].kind;
    uint8_t verdict[FRAME_BURST];

    if (kind == FABRIC_PORT_VNIC) {
        deliver_guest(worker, port, batch, group);
    } else if (kind == FABRIC_PORT_TEAM) {
        team_port_deliver(worker, port, batch, group);
    } else {
        const uint16_t delivered = egress_send(worker, port, batch, group, verdict);

        egress_settle(worker, port, batch, group, verdict, delivered);
    }
}

uint8_t egress_takes(const struct worker *worker, uint16_t port)
{
    const struct fabric_port *out = &worker->fabric->port[port];
    const struct vnic *vnic = out->endpoint;
    const struct vnic_live *live;

    switch ((enum fabric_port_kind)out->kind) {
    case FABRIC_PORT_VNIC:
        live = atomic_load_explicit(&vnic->live, memory_order_acquire);
        return live != NULL ? vnic_takes(vnic, live) : OFFLOAD_TAKES_ALL;
    case FABRIC_PORT_HOST:
        return host_port_takes(out->endpoint);
    case FABRIC_PORT_PACKET:
        return packet_port_takes(out->endpoint);
    case FABRIC_PORT_NIC:
        return nic_takes(out->endpoint);
    case FABRIC_PORT_TEAM:
        return team_port_takes(worker, port);
    case FABRIC_PORT_UNUSED:
    case FABRIC_PORT_ABSENT:
        break;
    }
    return OFFLOAD_TAKES_ALL;      /* which is dropped whole */
}

void egress_deliver(struct worker *worker, uint16_t port, const struct frame_batch *batch,
                    const struct egress_group *group)
{
    const uint32_t max_frame_bytes = worker->fabric->port[port].max_frame_bytes;
    struct egress_group fits = { .count = 0 };
    struct egress_group over = { .count = 0 };

    if (__builtin_expect(group->longest_bytes <= max_frame_bytes, 1)) {
        deliver(worker, port, batch, group);
        return;
    }
    split_by_mtu(batch, max_frame_bytes, group, &fits, &over);
    if (over.count != 0) {
        egress_drop(worker, port, batch, &over, DROP_OVER_MTU);
    }
    if (fits.count != 0) {
        deliver(worker, port, batch, &fits);
    }
}
