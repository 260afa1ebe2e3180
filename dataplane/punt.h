/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What workers notice, on its way to control: one bounded ring a worker, one descriptor for all.
 *
 * A worker never waits: a note that finds its ring full is lost and counted, and the next frame
 * brings it again.  The descriptor is written only by the first note after control has found all
 * rings empty, so a flood of notes costs one system call and not one each.
 *
 * Arming pairs two sequentially consistent accesses: control stores `armed` and then looks at the
 * rings once more; a worker fills its ring and then looks at `armed`.  One of the two sees the
 * other.
 */
#ifndef DATAPLANE_PUNT_H
#define DATAPLANE_PUNT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "switch/forward.h"

struct rte_ring;

#define PUNT_RING_NOTES 1024u      /* a power of two; one less is usable */

struct punt {
    struct rte_ring **ring;        /* one a worker */
    uint16_t worker_count;
    uint16_t next;                 /* whose ring control reads first: no worker is favoured */
    int fd;                        /* an eventfd */
    atomic_bool armed __attribute__((aligned(64)));
};

/** @return 0 or a negative errno.  Thread: control, before the workers start. */
int punt_init(struct punt *punt, uint16_t worker_count);
void punt_fini(struct punt *punt);

/** Hands notes over.  @return how many found no room.  Thread: worker @p worker. */
uint32_t punt_notes(struct punt *punt, uint16_t worker, const struct forward_notes *notes);

/** Takes up to @p size notes; 0: there are none, and the descriptor is armed.  Thread: control. */
uint32_t punt_take(struct punt *punt, struct forward_note *notes, uint32_t size);

#endif
