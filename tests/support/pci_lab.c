/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/pci_lab.h"

#include <string.h>

#include <event2/event.h>
#include <linux/pci_regs.h>

#include "tests/support/fake_kvm.h"

int pci_lab_open(struct pci_lab *lab)
{
    memset(lab, 0, sizeof(*lab));
    fake_kvm_reset();
    if (fake_virtio_open(&lab->fake) < 0) {
        return -1;
    }
    lab->bus = bus_create();
    lab->base = event_base_new();
    lab->root = pci_root_create(lab->bus, fake_kvm_irq(), lab->base, PCI_LAB_SLOTS, NULL);
    return lab->root == NULL ? -1 : 0;
}

void pci_lab_close(struct pci_lab *lab)
{
    virtio_pci_unplug(lab->pci);
    pci_root_destroy(lab->root);
    event_base_free(lab->base);
    bus_destroy(lab->bus);
    fake_virtio_close(&lab->fake);
}

void pci_lab_plug(struct pci_lab *lab, bool hot)
{
    lab->pci = virtio_pci_plug(-1, lab->root, fake_kvm_irq(), hot, &lab->fake.device, NULL);
    pci_root_reset(lab->root);
}

uint32_t pci_lab_peek(struct pci_lab *lab, uint64_t gpa, unsigned len_bytes)
{
    uint64_t value = 0;

    bus_read(lab->bus, BUS_MEMORY, gpa, (uint8_t *)&value, len_bytes);
    return (uint32_t)value;
}

void pci_lab_poke(struct pci_lab *lab, uint64_t gpa, unsigned len_bytes, uint32_t value)
{
    const uint64_t wide = value;

    bus_write(lab->bus, BUS_MEMORY, gpa, (const uint8_t *)&wide, len_bytes);
}

static uint64_t ecam(unsigned bus_number, unsigned devfn, unsigned offset)
{
    return PCI_ECAM_GPA + ((uint64_t)bus_number << 20) + (devfn << 12) + offset;
}

uint32_t pci_lab_get(struct pci_lab *lab, unsigned bus_number, unsigned devfn, unsigned offset,
                     unsigned len_bytes)
{
    return pci_lab_peek(lab, ecam(bus_number, devfn, offset), len_bytes);
}

void pci_lab_put(struct pci_lab *lab, unsigned bus_number, unsigned devfn, unsigned offset,
                 unsigned len_bytes, uint32_t value)
{
    pci_lab_poke(lab, ecam(bus_number, devfn, offset), len_bytes, value);
}

unsigned pci_lab_capability(struct pci_lab *lab, unsigned bus_number, unsigned devfn, uint8_t id,
                            unsigned nth)
{
    unsigned at = pci_lab_get(lab, bus_number, devfn, PCI_CAPABILITY_LIST, 1);

    for (unsigned steps = 0; at != 0 && steps < 48; steps++) {
        if (pci_lab_get(lab, bus_number, devfn, at, 1) == id && nth-- == 0) {
            return at;
        }
        at = pci_lab_get(lab, bus_number, devfn, at + PCI_CAP_LIST_NEXT, 1);
    }
    return 0;
}

uint64_t pci_lab_enable(struct pci_lab *lab, unsigned bus_number, unsigned devfn)
{
    pci_lab_put(lab, bus_number, devfn, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    return pci_lab_get(lab, bus_number, devfn, PCI_BASE_ADDRESS_0, 4) & ~15u;
}
