/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From what the operator calls a device to an ethdev of DPDK's, and back.
 *
 * DPDK itself says little when it finds no device, and nothing a person can act on.  So what can be
 * known beforehand (no such address, not given to DPDK, bound to the kernel's driver, a name that
 * no driver has) is found out here first, and said in a sentence.
 *
 * Thread: control, for everything here.
 */
#ifndef DATAPLANE_NIC_ATTACH_H
#define DATAPLANE_NIC_ATTACH_H

#include <stdint.h>

#include "switch/error.h"

/**
 * Attaches the device named @p where (see nic_config) and claims it.
 *
 * @param port_id  filled with DPDK's number of it, which is stopped and not configured
 * @return 0, or a negative errno with a sentence: -ENODEV, -EPERM (not given to DPDK), -EBUSY (in
 *         use), or what its driver said
 */
int nic_attach(const char *where, uint16_t *port_id, struct error *error);
/** Closes the device and removes it from DPDK; it can be attached again. */
void nic_detach(uint16_t port_id);

/**
 * Checks before DPDK starts that it will be able to use a PCI device.
 * @return 0; -ENODEV or -EBUSY with a sentence: there is none, or the kernel's driver has it
 */
int nic_check_pci(const char *address, struct error *error);

#endif
