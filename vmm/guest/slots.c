/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/guest/slots.h"

#include <stdbool.h>
#include <stddef.h>

#include <linux/pci_regs.h>
#include <linux/virtio_ids.h>

#include "vmm/guest/nics.h"
#include "vmm/guest/pci.h"
#include "vmm/guest/ring0.h"

#define SLOTS_MAX 32u

static struct slot {
    uint64_t ecam_gpa;
    volatile uint8_t *bridge;
    uint32_t express;                  /* where its capability is; 0: not a slot */
    struct nic *nic;                   /* NULL: none was found in it */
} slots[SLOTS_MAX];
static unsigned slots_count;

static void control(const struct slot *slot, bool has_power)
{
    const uint16_t power = has_power ? PCI_EXP_SLTCTL_PWR_IND_ON
                                     : PCI_EXP_SLTCTL_PWR_IND_OFF | PCI_EXP_SLTCTL_PWR_OFF;

    pci_write16(slot->bridge, slot->express + PCI_EXP_SLTCTL,
                PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_PDCE | PCI_EXP_SLTCTL_HPIE |
                PCI_EXP_SLTCTL_ATTN_IND_OFF | power);
}

static void listen(const struct slot *slot)
{
    const uint32_t msi = pci_capability(slot->bridge, PCI_CAP_ID_MSI);

    if (msi != 0) {
        pci_write32(slot->bridge, msi + PCI_MSI_ADDRESS_LO, MSI_GPA);
        pci_write32(slot->bridge, msi + PCI_MSI_ADDRESS_HI, 0);
        pci_write16(slot->bridge, msi + PCI_MSI_DATA_64, CHANGE_VECTOR);
        pci_write16(slot->bridge, msi + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE);
    }
}

static void take(struct slot *slot)
{
    volatile uint8_t *const function = pci_at(slot->ecam_gpa, slot->bridge[PCI_SECONDARY_BUS], 0);
    struct virtio device;

    if (slot->nic == NULL && function != NULL &&
        pci_take_virtio(function, VIRTIO_ID_NET, &device)) {
        slot->nic = nics_add(&device);
    }
}

/* @param is_there  asked to let go of what can still be reached */
static void let_go(struct slot *slot, bool is_there)
{
    if (slot->nic != NULL) {
        nics_remove(slot->nic, is_there);
        slot->nic = NULL;
    }
    control(slot, false);
}

void slots_add(uint64_t ecam_gpa, volatile uint8_t *bridge)
{
    const uint32_t express = pci_capability(bridge, PCI_CAP_ID_EXP);
    struct slot *slot = &slots[slots_count];

    if (slots_count == SLOTS_MAX) {
        return;
    }
    slots_count++;
    *slot = (struct slot){ .ecam_gpa = ecam_gpa, .bridge = bridge };
    pci_write16(bridge, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    if (express == 0 ||
        (pci_read16(bridge, express + PCI_EXP_FLAGS) & PCI_EXP_FLAGS_SLOT) == 0) {
        take(slot);
        return;
    }
    slot->express = express;
    listen(slot);
    if ((pci_read16(bridge, express + PCI_EXP_SLTSTA) & PCI_EXP_SLTSTA_PDS) != 0) {
        control(slot, true);
        take(slot);
    } else {
        control(slot, false);
    }
}

static void look(struct slot *slot)
{
    const uint16_t status = pci_read16(slot->bridge, slot->express + PCI_EXP_SLTSTA);
    const bool is_there = (status & PCI_EXP_SLTSTA_PDS) != 0;

    pci_write16(slot->bridge, slot->express + PCI_EXP_SLTSTA, status);     /* seen */
    if ((status & PCI_EXP_SLTSTA_ABP) != 0 && slot->nic != NULL) {
        let_go(slot, is_there);
    } else if ((status & PCI_EXP_SLTSTA_PDC) != 0) {
        let_go(slot, false);           /* what was in it, if it did not say that it goes */
        if (is_there) {
            control(slot, true);
            take(slot);
        }
    }
}

void slots_look(void)
{
    for (unsigned i = 0; i < slots_count; i++) {
        if (slots[i].express != 0) {
            look(&slots[i]);
        }
    }
}
