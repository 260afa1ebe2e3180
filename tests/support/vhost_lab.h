/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A switch without a switch, for tests of the vNIC layer: vNICs, and one worker that passes frames.
 *
 * DPDK runs without huge pages in this process; the worker holds live devices under a grace period
 * as the real ones do, and passes what it takes from vNIC 2n to vNIC 2n + 1 and back, so that a
 * test with a frontend on each end knows whether frames still go through while it misbehaves
 * elsewhere.  All offloads are offered, and nothing is cut: what a receiver does not take is lost.
 */
#ifndef TESTS_SUPPORT_VHOST_LAB_H
#define TESTS_SUPPORT_VHOST_LAB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/support/frontend.h"
#include "vnic/vhost_control.h"

#define VHOST_LAB_VNICS 4u

struct vhost_lab {
    char dir[64];
    char path[VHOST_LAB_VNICS][96];
    struct vnic *vnic[VHOST_LAB_VNICS];        /* NULL: removed */
    atomic_uint waits;                         /* how often each hook was called */
    atomic_uint wakes;
    atomic_uint changes;
    atomic_ulong passed_frames;                /* by the worker, delivered */
    atomic_ulong lost_frames;                  /* taken by it, and not delivered */
    atomic_ulong bad_chains;                   /* refused by it */
};

/**
 * Starts DPDK (once), the worker, and VHOST_LAB_VNICS vNICs of @p pairs pairs.
 *
 * @return 0 or -1, with a reason on standard error
 */
int vhost_lab_open(struct vhost_lab *lab, uint16_t pairs);
void vhost_lab_close(struct vhost_lab *lab);

/** Makes the vNIC anew that vhost_lab_remove() took away.  @return 0 or -1 */
int vhost_lab_add(struct vhost_lab *lab, unsigned index, uint16_t pairs);
void vhost_lab_remove(struct vhost_lab *lab, unsigned index);

/** Status of a vNIC, waiting up to two seconds for @p state. @return whether it came */
bool vhost_lab_await(struct vhost_lab *lab, unsigned index, enum vhost_state state,
                     struct vhost_status *status);

/** Sends @p count frames from @p a to @p b, whose vNICs are a pair. @return how many came */
unsigned vhost_lab_pass(struct frontend *a, struct frontend *b, unsigned count);

/** Descriptors open in this process. */
unsigned vhost_lab_open_fds(void);

#endif
