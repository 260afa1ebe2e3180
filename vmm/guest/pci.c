/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/guest/pci.h"

#include <stddef.h>

#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>

#define DEVICES_PER_BUS 32u
#define CAPABILITIES_MAX 48u           /* what has room; a list may be a loop */
#define NO_DEVICE        0xffffffffu
#define VIRTIO_NET       0x10411af4u   /* device and vendor: 4.1.2 */

static volatile uint8_t *function_at(const struct pci_place *place)
{
    return (volatile uint8_t *)(place->ecam_gpa + ((uint64_t)place->bus << 20) +
                                (place->device << 15));
}

static uint32_t read32(const volatile uint8_t *function, uint32_t offset)
{
    return *(const volatile uint32_t *)(function + offset);
}

/* Where a BAR is; NULL for one that is nowhere, or where this guest does not reach. */
static volatile uint8_t *bar_at(const volatile uint8_t *function, unsigned bar)
{
    uint64_t gpa;
    uint32_t low;

    if (bar > 5) {
        return NULL;
    }
    low = read32(function, PCI_BASE_ADDRESS_0 + 4 * bar);
    gpa = low & PCI_BASE_ADDRESS_MEM_MASK & UINT32_MAX;
    if ((low & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64 && bar < 5) {
        gpa |= (uint64_t)read32(function, PCI_BASE_ADDRESS_0 + 4 * (bar + 1)) << 32;
    }
    return gpa == 0 || gpa > UINT32_MAX ? NULL : (volatile uint8_t *)gpa;
}

static void take_virtio(const volatile uint8_t *function, uint32_t at, struct virtio *nic)
{
    const uint8_t type = function[at + offsetof(struct virtio_pci_cap, cfg_type)];
    volatile uint8_t *where = bar_at(function, function[at + offsetof(struct virtio_pci_cap, bar)]);

    if (where == NULL) {
        return;
    }
    where += read32(function, at + offsetof(struct virtio_pci_cap, offset));
    switch (type) {
    case VIRTIO_PCI_CAP_COMMON_CFG:
        nic->registers = where;
        break;
    case VIRTIO_PCI_CAP_NOTIFY_CFG:
        nic->notify = where;
        nic->notify_step_bytes = read32(function, at + sizeof(struct virtio_pci_cap));
        break;
    case VIRTIO_PCI_CAP_DEVICE_CFG:
        nic->config = where;
        break;
    }
}

static void take_msix(volatile uint8_t *function, uint32_t at, struct virtio *nic)
{
    const uint32_t table = read32(function, at + PCI_MSIX_TABLE);
    volatile uint8_t *where = bar_at(function, table & PCI_MSIX_TABLE_BIR);

    if (where != NULL) {
        nic->msix = (volatile uint32_t *)(where + (table & PCI_MSIX_TABLE_OFFSET));
        *(volatile uint16_t *)(function + at + PCI_MSIX_FLAGS) = PCI_MSIX_FLAGS_ENABLE;
    }
}

/* Returns whether all that a driver needs is there. */
static bool take_nic(volatile uint8_t *function, struct virtio *nic)
{
    uint32_t at = function[PCI_CAPABILITY_LIST];

    *nic = (struct virtio){ .is_pci = true };
    *(volatile uint16_t *)(function + PCI_COMMAND) = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
    for (unsigned i = 0; at >= PCI_STD_HEADER_SIZEOF && i < CAPABILITIES_MAX; i++) {
        const uint8_t id = function[at];

        if (id == PCI_CAP_ID_VNDR) {
            take_virtio(function, at, nic);
        } else if (id == PCI_CAP_ID_MSIX) {
            take_msix(function, at, nic);
        }
        at = function[at + PCI_CAP_LIST_NEXT] & ~3u;
    }
    return nic->registers != NULL && nic->notify != NULL && nic->config != NULL &&
           nic->msix != NULL;
}

bool pci_next_nic(struct pci_place *place, struct virtio *nic)
{
    while (place->bus <= place->buses_seen) {
        volatile uint8_t *const function = function_at(place);
        const uint32_t id = read32(function, PCI_VENDOR_ID);
        const bool is_bridge = id != NO_DEVICE && (function[PCI_HEADER_TYPE] & 0x7f) ==
                                                  PCI_HEADER_TYPE_BRIDGE;

        if (is_bridge && function[PCI_SECONDARY_BUS] > place->buses_seen) {
            place->buses_seen = function[PCI_SECONDARY_BUS];
        }
        /* A bus behind a port has one device. */
        if (++place->device == (place->bus == 0 ? DEVICES_PER_BUS : 1)) {
            place->device = 0;
            place->bus++;
        }
        if (id == VIRTIO_NET && take_nic(function, nic)) {
            return true;
        }
    }
    return false;
}
