/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sleeping when there is nothing to do, and waking for the frame that ends it.
 *
 * The set of descriptors is built from what is there at every sleep and kept nowhere: there is no
 * registration that a reconnecting frontend could leave behind.  A worker arms all its rings and
 * NICs, looks at each once more, goes offline and polls; the publisher of a fabric or a live device
 * wakes it.  A host's adapter and a packet socket need no arming: they are readable as long as they
 * have something.  While the worker is offline a frontend's descriptor in its set may be closed and
 * its number reused by something else: that costs a needless wake-up and nothing more, because a
 * kick is consumed only after coming back online, through the live device that stands then.  An
 * interface's is closed only when nobody sleeps on it any more: see dataplane_publish().
 *
 * Two things cannot wake a worker: a NIC without interrupts, and an interface that is gone, whose
 * descriptor has an error all the time, until control has published the port as absent.  With one
 * of them the worker naps instead: 50 us at first, twice as long each time that nothing came, at
 * most 1 ms.  That is the longest that the first frame after a silence waits, and what it costs is
 * a thousand looks a second: measured, 2 to 3 % of a core.  Everything else ends a nap as it ends a
 * sleep.
 */
#ifndef DATAPLANE_IDLE_H
#define DATAPLANE_IDLE_H

#include <stdbool.h>

#include "dataplane/worker.h"

/**
 * Sleeps until one of the worker's queues has something or the worker is woken; returns at once
 * when a queue has something already, or when a new fabric stands.
 *
 * @return false when a nap is over and nothing is known to have come: look, and nap again
 * Thread: the worker, online, after a turn: nothing that the turn held is used.
 */
bool idle_sleep(struct worker *worker);

#endif
