/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a virtio device's PCI function says of itself: identity, and capabilities that point into
 * its BAR.
 *
 * The BAR has a page for each kind of register, so that page tables can tell them apart.  Each
 * queue has a doorbell of its own, so that KVM needs no look at what is written.
 *
 * Standard: virtio 1.2, 4.1.2 (identity), 4.1.4 (capabilities).
 */
#ifndef VMM_VIRTIO_PCI_FUNCTION_H
#define VMM_VIRTIO_PCI_FUNCTION_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/pci_config.h"
#include "vmm/virtio_device.h"

#define VIRTIO_PCI_BAR            0u
#define VIRTIO_PCI_BAR_BYTES      0x8000u
#define VIRTIO_PCI_PAGE_BYTES     0x1000u
#define VIRTIO_PCI_DOORBELL_BYTES 4u

enum virtio_pci_page {
    VIRTIO_PCI_PAGE_COMMON,
    VIRTIO_PCI_PAGE_ISR,
    VIRTIO_PCI_PAGE_DEVICE,
    VIRTIO_PCI_PAGE_NOTIFY,
    VIRTIO_PCI_PAGE_MSIX,
    VIRTIO_PCI_PAGE_PENDING,
};

/* Where in configuration space those capabilities are that a guest writes. */
struct virtio_pci_places {
    uint8_t msix;
    uint8_t window;                /* VIRTIO_PCI_CAP_PCI_CFG */
};

/** Fills @p function, but for its BAR, its operations and what is the root's. */
void virtio_pci_describe(struct pci_function *function, const struct virtio_device *device,
                         bool hot, struct virtio_pci_places *places);

#endif
