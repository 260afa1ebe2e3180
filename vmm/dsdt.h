/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a machine has, as AML: its PCI root, serial port and virtio-mmio slots, and how to turn off.
 *
 * Only what no bus can tell is here.  PCI devices, their slots and their hot plug are found by PCI
 * itself, processors by the MADT.
 *
 * Standard: ACPI 6.4, 6 (device configuration), 7.4.2 (_S5); PCI Firmware 3.2, 4.5 (_OSC).
 */
#ifndef VMM_DSDT_H
#define VMM_DSDT_H

#include <stdbool.h>

#include "vmm/aml.h"
#include "vmm/pci.h"

#define DSDT_BUSES (PCI_ECAM_BYTES >> 20)      /* each has 1 MiB of ECAM */

/** Writes the DSDT's terms.  @param mmio_devices  at most VIRTIO_MMIO_SLOTS_MAX */
void dsdt_write(struct aml *aml, bool pci, unsigned mmio_devices);

#endif
