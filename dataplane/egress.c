/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/egress.h"

#include "dataplane/egress_deliver.h"
#include "dataplane/egress_finish.h"

/* ---- one destination ------------------------------------------------------------------------- */

static inline struct egress_group group_of(const struct frame_batch *batch, uint32_t mask)
{
    struct egress_group group = { .count = 0 };

    for (; mask != 0; mask &= mask - 1) {
        egress_group_add(&group, batch, (uint8_t)__builtin_ctz(mask));
    }
    return group;
}

/* The group of all frames. */
static inline struct egress_group group_of_all(const struct frame_batch *batch,
                                               const struct forward_classes *classes)
{
    struct egress_group group = {
        .index = { 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                   16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31 },
        .count = batch->count,
        .bytes = classes->bytes,
        .longest_bytes = classes->longest_bytes,
    };

    static_assert(FRAME_BURST == 32, "as many as are listed");
    return group;
}

static void deliver(struct worker *worker, uint16_t port, const struct egress_group *group)
{
    if (__builtin_expect(egress_unfinished(&worker->batch, &worker->fabric->port[port]), 0)) {
        egress_finish(worker, port, group);
    } else {
        egress_deliver(worker, port, &worker->batch, group);
    }
}

/* ---- floods ---------------------------------------------------------------------------------- */

/* Frames that are flooded to the same ports. */
struct flood_class {
    const uint16_t *member;
    uint32_t count;
    uint32_t mask;
};

/* Whom a frame is flooded to is said by its VLAN, and by whether its address is a group's. */
static inline uint32_t flood_key(const struct frame *frame)
{
    return (frame->vlan_tci & VLAN_VID_MASK) | (uint32_t)(frame->hdr[0] & 1) << 16;
}

static struct flood_class class_of(const struct fabric_switch *on, uint32_t key)
{
    const struct fabric_flood *flood = fabric_flood(on, key & VLAN_VID_MASK);

    return (struct flood_class){ flood->member, fabric_flood_reach(flood, key >> 16 != 0), 0 };
}

/* Sorts the frames of @p flood by whom they go to.  @return how many classes, mostly one */
static uint32_t classify(const struct frame_batch *batch, const struct fabric_switch *on,
                         uint32_t flood, struct flood_class *class)
{
    uint32_t count = 0;

    while (flood != 0) {
        const uint32_t key = flood_key(&batch->frame[__builtin_ctz(flood)]);

        class[count] = class_of(on, key);
        for (uint32_t rest = flood; rest != 0; rest &= rest - 1) {
            const uint32_t i = (uint32_t)__builtin_ctz(rest);

            class[count].mask |= (uint32_t)(flood_key(&batch->frame[i]) == key) << i;
        }
        flood &= ~class[count++].mask;
    }
    return count;
}

/* Marks the frames of @p class for its ports, but for the sender.  @return to how many ports */
static uint32_t mark_class(struct worker *worker, const struct flood_class *class)
{
    const uint16_t port_in = worker->batch.port_in;
    uint32_t ports = class->count;

    for (uint32_t i = 0; i < class->count; i++) {
        if (class->member[i] == port_in) {
            ports--;
        } else {
            worker->mark[class->member[i]] |= class->mask;
        }
    }
    return ports;
}

/* Delivers what is marked for the ports of @p class, the same frames to most of them. */
static void deliver_class(struct worker *worker, const struct flood_class *class)
{
    struct egress_group group = group_of(&worker->batch, class->mask);
    uint32_t grouped = class->mask;

    for (uint32_t i = 0; i < class->count; i++) {
        const uint16_t port = class->member[i];
        const uint32_t mask = worker->mark[port];

        if (mask == 0) {           /* the sender, or a port of a class before */
            continue;
        }
        worker->mark[port] = 0;
        if (mask != grouped) {
            group = group_of(&worker->batch, mask);
            grouped = mask;
        }
        deliver(worker, port, &group);
    }
}

/* Delivers what is flooded and, in its place, what was sent to one of the ports flooded to. */
static void flood_batch(struct worker *worker, uint32_t flood)
{
    const uint16_t port_in = worker->batch.port_in;
    const struct fabric *fabric = worker->fabric;
    const struct fabric_switch *on = &fabric->switches[fabric->port[port_in].switch_index];
    struct flood_class class[FRAME_BURST];
    const uint32_t count = classify(&worker->batch, on, flood, class);
    uint64_t copies = 0;

    for (uint32_t i = 0; i < count; i++) {
        const uint64_t frames = (uint64_t)__builtin_popcount(class[i].mask);

        /* Forward floods only where a port takes it, so that this is never less than none. */
        copies += frames * (mark_class(worker, &class[i]) - 1);
    }
    for (uint32_t i = 0; i < count; i++) {
        deliver_class(worker, &class[i]);
    }
    counter_add(&worker->counters[port_in].flood_copies, copies);
}

/* ---- the batch ------------------------------------------------------------------------------- */

/* Marks in worker->mark[] what is for a port.  @return the mask of frames to flood */
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
            worker->mark[frame->port_out] |= 1u << i;
            *unicast |= 1u << i;
        }
    }
    return flood;
}

static void deliver_mixed(struct worker *worker)
{
    uint32_t unicast;
    const uint32_t flood = sort_batch(worker, &unicast);

    if (flood != 0) {
        flood_batch(worker, flood);
    }
    for (; unicast != 0; unicast &= unicast - 1) {
        const uint16_t port = worker->batch.frame[__builtin_ctz(unicast)].port_out;
        const uint32_t mask = worker->mark[port];

        if (mask != 0) {           /* 0: delivered, by a flood or with an earlier frame */
            const struct egress_group group = group_of(&worker->batch, mask);

            worker->mark[port] = 0;
            deliver(worker, port, &group);
        }
    }
}

void egress_batch(struct worker *worker, const struct forward_classes *classes)
{
    const struct frame_batch *batch = &worker->batch;

    if (batch->count == 0) {
        return;
    }
    if (!classes->alike || batch->frame[0].port_out == PORT_NONE) {
        deliver_mixed(worker);
    } else if (batch->frame[0].port_out == PORT_FLOOD) {
        flood_batch(worker, batch->count == FRAME_BURST ? UINT32_MAX : (1u << batch->count) - 1);
    } else {
        const struct egress_group group = group_of_all(batch, classes);

        deliver(worker, batch->frame[0].port_out, &group);
    }
}
