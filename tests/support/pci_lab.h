/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A PCI root without KVM, and a guest's accesses to it.  Who uses this includes fake_kvm.h as well.
 */
#ifndef TESTS_SUPPORT_PCI_LAB_H
#define TESTS_SUPPORT_PCI_LAB_H

#include <stdint.h>

#include "tests/support/fake_virtio.h"
#include "vmm/pci.h"
#include "vmm/virtio_pci.h"

#define PCI_LAB_SLOTS 9u           /* ports on two devices */
#define PCI_LAB_FIRST 3u           /* the first device on bus 0 that is no port */
#define PCI_LAB_EXPRESS 0x40u      /* where every function here has this capability */

struct pci_lab {
    struct fake_virtio fake;
    struct bus *bus;
    struct event_base *base;
    struct pci_root *root;
    struct virtio_pci *pci;        /* NULL until it is plugged in */
};

int pci_lab_open(struct pci_lab *lab);
/** Takes out what is plugged in, too. */
void pci_lab_close(struct pci_lab *lab);
/** Plugs the device in and resets the root, as before a guest runs. */
void pci_lab_plug(struct pci_lab *lab, bool hot);

/* A guest's accesses: of configuration space, and of memory. */
uint32_t pci_lab_get(struct pci_lab *lab, unsigned bus_number, unsigned devfn, unsigned offset,
                     unsigned len_bytes);
void pci_lab_put(struct pci_lab *lab, unsigned bus_number, unsigned devfn, unsigned offset,
                 unsigned len_bytes, uint32_t value);
uint32_t pci_lab_peek(struct pci_lab *lab, uint64_t gpa, unsigned len_bytes);
void pci_lab_poke(struct pci_lab *lab, uint64_t gpa, unsigned len_bytes, uint32_t value);
/** Where the capability of @p id is, the @p nth such from 0; 0: none. */
unsigned pci_lab_capability(struct pci_lab *lab, unsigned bus_number, unsigned devfn, uint8_t id,
                            unsigned nth);
/** As a driver: enables memory.  @return where BAR 0 is */
uint64_t pci_lab_enable(struct pci_lab *lab, unsigned bus_number, unsigned devfn);

#endif
