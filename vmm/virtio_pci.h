/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The PCI transport: capabilities that point into one BAR, and MSI-X.
 *
 * With MSI-X a queue's call eventfd is KVM's irqfd itself: whoever serves the queue, the switch
 * too, interrupts the guest without this process.  A masked vector keeps its message pending
 * (PBA).  Without MSI-X nothing would interrupt: the device needs it, as every driver of ten years
 * has it.
 *
 * Standard: virtio 1.2, 4.1; PCI 3.0, 6.8.2 (MSI-X).
 */
#ifndef VMM_VIRTIO_PCI_H
#define VMM_VIRTIO_PCI_H

#include "switch/error.h"
#include "vmm/pci.h"
#include "vmm/virtio_device.h"

struct virtio_pci;

/** As virtio_mmio_plug(); behind a port of its own with @p hot.  Thread: main. */
struct virtio_pci *virtio_pci_plug(int vm_fd, struct pci_root *root, struct irq *irq, bool hot,
                                   struct virtio_device *device, struct error *error);
/** Out at once; the guest was asked before (see virtio_pci_ask_out()), or is stopped. */
void virtio_pci_unplug(struct virtio_pci *pci);
int virtio_pci_ask_out(struct virtio_pci *pci, void (*gone)(void *context), void *context,
                       struct error *error);

#endif
