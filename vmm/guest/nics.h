/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All NICs of this guest: how they are found, and what it does while none has anything.
 *
 * It polls.  After a while without a frame it lets the devices interrupt and waits in ring 0 (HLT),
 * so that a guest at rest costs its host nothing; with `idle=poll` it never does.
 */
#ifndef VMM_GUEST_NICS_H
#define VMM_GUEST_NICS_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/guest/nic.h"

#define NICS_FOREVER UINT64_MAX

extern struct nic nics[NIC_MAX];
extern unsigned nics_count;            /* with those that have gone; numbers stay */

/**
 * Finds and starts the NICs: of MMIO those that the command line names, or all when it names none;
 * and those on the PCI bus.
 */
void nics_find(const char *command_line);

/** Starts one more.  @return NULL when there is no room for it */
struct nic *nics_add(const struct virtio *device);
/** @param is_there  it can still be told to stop */
void nics_remove(struct nic *nic, bool is_there);

/** Whether to wait when there is nothing to do, or to poll. */
void nics_set_waiting(bool waits);
/** Something was done: polling goes on for a while. */
void nics_are_busy(void);
/** Nothing was to be done: returns soon, or after an interrupt, or at @p until_ns (clock_ns()). */
void nics_idle(uint64_t until_ns);

#endif
