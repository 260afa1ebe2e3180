/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/guest/pci.h"

#include <stddef.h>

#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>

#define CAPABILITIES_MAX 48u           /* what has room; a list may be a loop */
#define NO_DEVICE        0xffffffffu
#define VIRTIO(id)       (0x10401af4u + ((uint32_t)(id) << 16))    /* device and vendor: 4.1.2 */
#define HAS_SIBLINGS     0x80u         /* in the header's type */

volatile uint8_t *pci_at(uint64_t ecam_gpa, unsigned bus, unsigned number)
{
    volatile uint8_t *const function = (volatile uint8_t *)(ecam_gpa + ((uint64_t)bus << 20) +
                                                            (number << 12));

    return pci_read32(function, PCI_VENDOR_ID) == NO_DEVICE ? NULL : function;
}

bool pci_is_bridge(const volatile uint8_t *function)
{
    return (function[PCI_HEADER_TYPE] & ~HAS_SIBLINGS) == PCI_HEADER_TYPE_BRIDGE;
}

bool pci_has_siblings(const volatile uint8_t *function)
{
    return (function[PCI_HEADER_TYPE] & HAS_SIBLINGS) != 0;
}

/* ---- capabilities ---------------------------------------------------------------------------- */

/* The capability after the one at @p at; the first for 0.  Returns 0 after the last. */
static uint32_t next_capability(const volatile uint8_t *function, uint32_t at)
{
    const uint32_t next = function[at == 0 ? PCI_CAPABILITY_LIST : at + PCI_CAP_LIST_NEXT] & ~3u;

    return next < PCI_STD_HEADER_SIZEOF ? 0 : next;
}

uint32_t pci_capability(const volatile uint8_t *function, uint8_t id)
{
    uint32_t at = next_capability(function, 0);

    for (unsigned i = 0; at != 0 && i < CAPABILITIES_MAX; i++) {
        if (function[at] == id) {
            return at;
        }
        at = next_capability(function, at);
    }
    return 0;
}

/* Where a BAR is; NULL for one that is nowhere, or where this guest does not reach. */
static volatile uint8_t *bar_at(const volatile uint8_t *function, unsigned bar)
{
    uint64_t gpa;
    uint32_t low;

    if (bar > 5) {
        return NULL;
    }
    low = pci_read32(function, PCI_BASE_ADDRESS_0 + 4 * bar);
    gpa = low & PCI_BASE_ADDRESS_MEM_MASK & UINT32_MAX;
    if ((low & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64 && bar < 5) {
        gpa |= (uint64_t)pci_read32(function, PCI_BASE_ADDRESS_0 + 4 * (bar + 1)) << 32;
    }
    return gpa == 0 || gpa > UINT32_MAX ? NULL : (volatile uint8_t *)gpa;
}

/* ---- virtio ---------------------------------------------------------------------------------- */

static void take_virtio(const volatile uint8_t *function, uint32_t at, struct virtio *device)
{
    const uint8_t type = function[at + offsetof(struct virtio_pci_cap, cfg_type)];
    volatile uint8_t *where = bar_at(function, function[at + offsetof(struct virtio_pci_cap, bar)]);

    if (where == NULL) {
        return;
    }
    where += pci_read32(function, at + offsetof(struct virtio_pci_cap, offset));
    switch (type) {
    case VIRTIO_PCI_CAP_COMMON_CFG:
        device->registers = where;
        break;
    case VIRTIO_PCI_CAP_NOTIFY_CFG:
        device->notify = where;
        device->notify_step_bytes = pci_read32(function, at + sizeof(struct virtio_pci_cap));
        break;
    case VIRTIO_PCI_CAP_DEVICE_CFG:
        device->config = where;
        break;
    }
}

static void take_msix(volatile uint8_t *function, uint32_t at, struct virtio *device)
{
    const uint32_t table = pci_read32(function, at + PCI_MSIX_TABLE);
    volatile uint8_t *where = bar_at(function, table & PCI_MSIX_TABLE_BIR);

    if (where != NULL) {
        device->msix = (volatile uint32_t *)(where + (table & PCI_MSIX_TABLE_OFFSET));
        pci_write16(function, at + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE);
    }
}

bool pci_take_virtio(volatile uint8_t *function, uint16_t id, struct virtio *device)
{
    uint32_t at;

    if (pci_read32(function, PCI_VENDOR_ID) != VIRTIO(id)) {
        return false;
    }
    *device = (struct virtio){ .is_pci = true, .function = function };
    pci_write16(function, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    at = next_capability(function, 0);
    for (unsigned i = 0; at != 0 && i < CAPABILITIES_MAX; i++) {
        const uint8_t capability = function[at];

        if (capability == PCI_CAP_ID_VNDR) {
            take_virtio(function, at, device);
        } else if (capability == PCI_CAP_ID_MSIX) {
            take_msix(function, at, device);
        }
        at = next_capability(function, at);
    }
    return device->registers != NULL && device->notify != NULL && device->config != NULL &&
           device->msix != NULL;
}
