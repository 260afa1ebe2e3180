/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The word of devices that their link has changed, for those that give it (link state interrupts).
 *
 * DPDK calls back on a thread of its own, where nothing may be done but to pass the word on: one
 * eventfd for all devices, which nobody closes, so that a call that comes while its device goes
 * has nothing to miss.  Whoever reads it asks each device.
 */
#ifndef DATAPLANE_NIC_LINK_H
#define DATAPLANE_NIC_LINK_H

#include <stdbool.h>
#include <stdint.h>

/**
 * Readable when the link of some device has changed since it was read, by eventfd_read().
 * Borrowed; -1: there is no descriptor left.  Thread: control.
 */
int nic_link_fd(void);

/** Whether a device that is not configured yet can tell of its link.  Thread: control. */
bool nic_link_is_told(uint16_t port_id);
/** From here on; the device was configured for it.  Thread: control. */
void nic_link_listen(uint16_t port_id);
/** No more: before the device is closed.  One that was not listened to is nothing. */
void nic_link_ignore(uint16_t port_id);

#endif
