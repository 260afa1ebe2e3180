/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From decided frames to delivered ones: group by destination, deliver each group by one call.
 *
 *     egress           which frames are for which port: floods by the VLAN of each frame
 *     egress_finish    what is left to do to them: tags, segments
 *     egress_deliver   hand them over to the code of that port, count, show to captures
 *
 * Within a destination, frames leave in the order they came, whether each was sent to it or
 * flooded: a flooded frame that overtook a unicast one would be reordering.  A batch has at most
 * 32 frames, so a group is a 32-bit mask, and its order is the order of its bits.
 */
#ifndef DATAPLANE_EGRESS_H
#define DATAPLANE_EGRESS_H

#include "dataplane/worker.h"

/**
 * Delivers worker->batch by worker->fabric and counts every frame.
 * @param classes  what forward found it to hold
 * Thread: the worker.
 */
void egress_batch(struct worker *worker, const struct forward_classes *classes);

#endif
