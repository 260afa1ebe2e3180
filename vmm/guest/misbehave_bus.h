/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What no driver does to a bus, to its interrupts, and to the devices that are no NICs.
 *
 * What was changed is put back, so that the NIC can be started again.
 */
#ifndef VMM_GUEST_MISBEHAVE_BUS_H
#define VMM_GUEST_MISBEHAVE_BUS_H

#include "vmm/guest/nic.h"

/* The first three are for NICs on PCI. */

/** Registers moved over memory, over other devices, and nowhere. */
void misbehave_bars(struct nic *nic);
/** Garbage in the configuration space of all functions. */
void misbehave_config(struct nic *nic);
/** Garbage in the interrupt table, and interrupts while it changes. */
void misbehave_messages(struct nic *nic);
/** Garbage in the queues and registers of every other virtio device. */
void misbehave_others(struct nic *nic);

#endif
