/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The PCI bus, as firmware, or a monitor in its place, has set it up: with buses and BARs placed.
 *
 * Standard: PCI 3.0, 6 (configuration space); virtio 1.2, 4.1.4 (capabilities).
 */
#ifndef VMM_GUEST_PCI_H
#define VMM_GUEST_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/guest/virtio.h"

#define PCI_ECAM_DEFAULT_GPA 0xe0000000u
#define PCI_FUNCTIONS        256u      /* on a bus */
#define PCI_FUNCTIONS_DEVICE 8u        /* of a device */

/* A function is where its configuration space is. */

/** Function @p number of a bus, device times 8 included.  @return NULL when there is none */
volatile uint8_t *pci_at(uint64_t ecam_gpa, unsigned bus, unsigned number);
bool pci_is_bridge(const volatile uint8_t *function);
bool pci_has_siblings(const volatile uint8_t *function);

/** The first capability @p id.  @return its offset, 0 when there is none */
uint32_t pci_capability(const volatile uint8_t *function, uint8_t id);

/** @return whether @p function is a virtio device of kind @p id, then with @p device filled in */
bool pci_take_virtio(volatile uint8_t *function, uint16_t id, struct virtio *device);

static inline uint16_t pci_read16(const volatile uint8_t *function, uint32_t offset)
{
    return *(const volatile uint16_t *)(function + offset);
}

static inline uint32_t pci_read32(const volatile uint8_t *function, uint32_t offset)
{
    return *(const volatile uint32_t *)(function + offset);
}

static inline void pci_write16(volatile uint8_t *function, uint32_t offset, uint16_t value)
{
    *(volatile uint16_t *)(function + offset) = value;
}

static inline void pci_write32(volatile uint8_t *function, uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(function + offset) = value;
}

#endif
