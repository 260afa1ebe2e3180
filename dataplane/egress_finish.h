/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is left to do to frames before a port can take them: their tags and segments.
 *
 * In flight a frame is untagged, may lack its checksum, and may be longer than any wire takes,
 * with facts about that (frame.h).  What a port takes undone it gets as it is (offload.h), so that
 * between two guests that both do offloads nothing is computed at all.  A partial checksum every
 * port takes.  A tag is written before the frames are delivered and taken out after, because the
 * next port of a flood may want none.  A long frame is cut for each port anew into the worker's
 * second batch, whose segments are delivered in the frame's place, so that order is kept.
 */
#ifndef DATAPLANE_EGRESS_FINISH_H
#define DATAPLANE_EGRESS_FINISH_H

#include "dataplane/egress_deliver.h"

/** Whether frames of @p batch can need anything before @p out takes them. */
static inline bool egress_unfinished(const struct frame_batch *batch, const struct fabric_port *out)
{
    return (out->flags & FABRIC_PORT_TAGS) != 0 || batch->offload_count != 0;
}

/**
 * Delivers frames of worker->batch, finished for @p port; they are left as they were.
 * Thread: the worker.
 */
void egress_finish(struct worker *worker, uint16_t port, const struct egress_group *group);

#endif
