/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The last step: frames that are as their port takes them go there, and are counted and shown.
 *
 * What a port is decides here, once a group, by which code it is served.  A port that is not there
 * and a frame that does not fit are found here too, so that no code behind this line has to.
 */
#ifndef DATAPLANE_EGRESS_DELIVER_H
#define DATAPLANE_EGRESS_DELIVER_H

#include "dataplane/worker.h"

/* Frames of a batch for one port, in order. */
struct egress_group {
    uint8_t index[FRAME_BURST];
    uint16_t count;
    uint32_t bytes;                /* of all of them */
    uint32_t longest_bytes;        /* none is longer, but for a tag */
};

/** Adds the frame at @p index, which lies behind those that are in it. */
static inline void egress_group_add(struct egress_group *group, const struct frame_batch *batch,
                                    uint8_t index)
{
    const uint32_t len_bytes = batch->frame[index].len_bytes;

    group->index[group->count++] = index;
    group->bytes += len_bytes;
    if (len_bytes > group->longest_bytes) {
        group->longest_bytes = len_bytes;
    }
}

/**
 * Gives frames to @p port of worker->fabric, as they are, and counts each of them there.
 *
 * @param batch  where they are: worker->batch or worker->segments
 * Thread: the worker.
 */
void egress_deliver(struct worker *worker, uint16_t port, const struct frame_batch *batch,
                    const struct egress_group *group);

/** What @p port of worker->fabric takes undone now (enum offload_take).  Thread: the worker. */
uint8_t egress_takes(const struct worker *worker, uint16_t port);

/* ---- for team_port.c, whose members are ports too -------------------------------------------- */

/**
 * Hands frames to the interface behind @p port, counting nothing.
 * @param verdict  filled, one each: VNIC_DELIVERED, or why not
 * @return how many it took
 */
uint16_t egress_send(struct worker *worker, uint16_t port, const struct frame_batch *batch,
                     const struct egress_group *group, uint8_t *verdict);
/** Counts frames by their verdicts as what @p port took or lost, and shows them to captures. */
void egress_settle(struct worker *worker, uint16_t port, const struct frame_batch *batch,
                   const struct egress_group *group, const uint8_t *verdict, uint16_t delivered);

/** Counts frames for @p port as lost, under the port that owns @p reason.  Thread: the worker. */
void egress_drop(struct worker *worker, uint16_t port, const struct frame_batch *batch,
                 const struct egress_group *group, enum drop_reason reason);

#endif
