/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NICs on the PCI bus, as firmware, or a monitor in its place, has set them up.
 *
 * Standard: PCI 3.0, 6 (configuration space); virtio 1.2, 4.1.4 (capabilities).
 */
#ifndef VMM_GUEST_PCI_H
#define VMM_GUEST_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/guest/virtio.h"

#define PCI_ECAM_DEFAULT_GPA 0xe0000000u

/* Where the search is; begins as zeros but for ecam_gpa. */
struct pci_place {
    uint64_t ecam_gpa;
    unsigned bus, device;
    unsigned buses_seen;               /* behind bridges, to be searched after bus 0 */
};

/** @param nic  filled with the next virtio-net device.  @return whether there is one */
bool pci_next_nic(struct pci_place *place, struct virtio *nic);

#endif
