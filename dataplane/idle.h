/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sleeping when there is nothing to do, and waking for the frame that ends it.
 *
 * The set of kick descriptors is built from the live devices at every sleep and kept nowhere:
 * there is no registration that a reconnecting frontend could leave behind.  A worker arms all its
 * rings, looks at each once more, goes offline and polls; the publisher of a fabric or a live
 * device wakes it. While it is offline a descriptor in its set may be closed and its number reused
 * by something else: that costs a needless wake-up and nothing more, because a kick is consumed
 * only after coming back online, through the live device that stands then.
 */
#ifndef DATAPLANE_IDLE_H
#define DATAPLANE_IDLE_H

#include <stdbool.h>

#include "dataplane/worker.h"

/**
 * Sleeps until a guest of one of the worker's queues kicks or the worker is woken; returns at once
 * when a queue has something, or when a new fabric stands.  Thread: the worker, online, after a
 * turn: nothing that the turn held is used.
 */
void idle_sleep(struct worker *worker);

#endif
