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

#include <stdint.h>

#include "switch/error.h"
#include "vmm/msix.h"
#include "vmm/pci.h"
#include "vmm/virtio_device.h"

struct virtio_pci;

/**
 * As virtio_mmio_plug(); behind a port of its own with @p hot.  What is not hot is added before the
 * guest runs, and nothing works before pci_root_reset().  Thread: main.
 */
struct virtio_pci *virtio_pci_plug(int vm_fd, struct pci_root *root, struct irq *irq, bool hot,
                                   struct virtio_device *device, struct error *error);
/** Out at once; the guest was asked before (see virtio_pci_ask_out()), or is stopped, or is
 * surprised.  NULL is fine. */
void virtio_pci_unplug(struct virtio_pci *pci);
/** As pci_root_ask_out(); when @p gone is called, virtio_pci_unplug() is due. */
int virtio_pci_ask_out(struct virtio_pci *pci, void (*gone)(void *context), void *context,
                       struct error *error);

/* ---- snapshots ------------------------------------------------------------------------------- */

struct virtio_pci_state {
    struct virtio_device_state device;
    struct pci_config_state config;
    struct msix_state msix;
    uint16_t queue_vector[VIRTIO_QUEUES_MAX];
    uint16_t config_vector;
    uint32_t isr;
};

/** Thread: main, no vCPU runs. */
void virtio_pci_save(const struct virtio_pci *pci, struct virtio_pci_state *state);
/** As virtio_device_restore(), which see; after pci_root_restore(). */
int virtio_pci_restore(struct virtio_pci *pci, const struct virtio_pci_state *state,
                       struct error *error);

#endif
