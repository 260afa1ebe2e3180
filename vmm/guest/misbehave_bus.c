/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/guest/misbehave_bus.h"

#include <linux/pci_regs.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>

#include "vmm/guest/clock.h"
#include "vmm/guest/garbage.h"
#include "vmm/guest/mmio.h"
#include "vmm/guest/pci.h"
#include "vmm/guest/ring0.h"

#define CONFIG_WORDS     64u           /* of 32 bits, in a function */
#define CONFIG_BYTES     4096u         /* that can be accessed */
#define FUNCTIONS_MAX    64u
#define CONFIG_WRITES    200u          /* to each function */
#define MESSAGES         34u
#define MESSAGE_WRITES   1000u
#define OTHER_QUEUES     4u
#define OTHER_ROUNDS     40u
#define OTHER_ENTRIES    64u
#define OTHER_REGISTERS  50u
#define OTHER_WAIT_NS    UINT64_C(2000000)
#define PCI_MEMORY_GPA   UINT32_C(0xc0000000)
#define PCI_MEMORY_END   UINT32_C(0xd0000000)

/* ---- BARs ------------------------------------------------------------------------------------ */

/* The first BAR of another function on bus 0, to be moved over; our own if there is none. */
static uint32_t bar_of_another(const struct nic *nic)
{
    for (unsigned number = 0; number < PCI_FUNCTIONS; number++) {
        const volatile uint8_t *const function = pci_at(PCI_ECAM_DEFAULT_GPA, 0, number);

        if (function != NULL && !pci_is_bridge(function) && function != nic->device.function &&
            pci_read32(function, PCI_BASE_ADDRESS_0) != 0) {
            return pci_read32(function, PCI_BASE_ADDRESS_0);
        }
    }
    return pci_read32(nic->device.function, PCI_BASE_ADDRESS_0);
}

void misbehave_bars(struct nic *nic)
{
    volatile uint8_t *const function = nic->device.function;
    const uint32_t home = pci_read32(function, PCI_BASE_ADDRESS_0);
    const uint32_t places[] = {
        0, 0x1000, 0x100000, bar_of_another(nic), bar_of_another(nic) + 0x1000, PCI_MEMORY_GPA,
        PCI_MEMORY_END - 0x8000, PCI_MEMORY_END - 0x1000, (uint32_t)MMIO_FIRST_GPA,
        PCI_ECAM_DEFAULT_GPA, (uint32_t)GARBAGE_DEVICE_GPA, MSI_GPA, UINT32_MAX,
    };

    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        pci_write32(function, PCI_BASE_ADDRESS_0, places[i]);
        ring_kick(&nic->send);
        (void)virtio_status(&nic->device);
        if (places[i] >= PCI_MEMORY_GPA && places[i] < PCI_MEMORY_END) {
            garbage_registers((volatile uint8_t *)(uint64_t)(places[i] & ~0x7fffu), 0x100, 20);
        }
        pci_write16(function, PCI_COMMAND, (uint16_t)garbage_number());
    }
    pci_write32(function, PCI_BASE_ADDRESS_0, home);
    pci_write16(function, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

/* ---- configuration space --------------------------------------------------------------------- */

static struct kept {
    volatile uint8_t *function;
    uint32_t words[CONFIG_WORDS];
} kept[FUNCTIONS_MAX];

static unsigned keep(unsigned count, volatile uint8_t *function)
{
    if (function == NULL || count == FUNCTIONS_MAX) {
        return count;
    }
    kept[count].function = function;
    for (unsigned i = 0; i < CONFIG_WORDS; i++) {
        kept[count].words[i] = pci_read32(function, 4 * i);
    }
    return count + 1;
}

/* Slots come before what is in them, which loses all without power. */
void misbehave_config(struct nic *nic)
{
    unsigned count = 0;

    for (unsigned number = 0; number < PCI_FUNCTIONS; number++) {
        count = keep(count, pci_at(PCI_ECAM_DEFAULT_GPA, 0, number));
    }
    count = keep(count, nic->device.function);
    for (unsigned i = 0; i < count; i++) {
        garbage_registers(kept[i].function, i % 2 == 0 ? 4 * CONFIG_WORDS : CONFIG_BYTES,
                          CONFIG_WRITES);
    }
    for (unsigned i = 0; i < count; i++) {
        for (unsigned word = 0; word < CONFIG_WORDS; word++) {
            pci_write32(kept[i].function, 4 * word, kept[i].words[word]);
        }
    }
}

/* ---- interrupts ------------------------------------------------------------------------------ */

/* But for messages that would end or reset this guest's processor. */
void misbehave_messages(struct nic *nic)
{
    volatile uint8_t *const function = nic->device.function;
    const uint32_t at = pci_capability(function, PCI_CAP_ID_MSIX);

    for (unsigned i = 0; i < MESSAGE_WRITES; i++) {
        volatile uint32_t *const entry = nic->device.msix + garbage_number() % (2 * MESSAGES) * 4;

        switch (garbage_number() % 5) {
        case 0:
            entry[0] = garbage_number() & ~UINT32_C(0x80000000);
            entry[1] = garbage_number();
            break;
        case 1:
            entry[0] = MSI_GPA | (garbage_number() & 0xff000);
            entry[1] = 0;
            break;
        case 2:
            entry[2] = INTERRUPT_VECTOR | garbage_number() % 16;
            break;
        case 3:
            *(volatile uint64_t *)(entry + 2) = (uint64_t)garbage_number() << 32 |
                                                INTERRUPT_VECTOR;
            break;
        case 4:
            pci_write16(function, at + PCI_MSIX_FLAGS, (uint16_t)garbage_number());
            break;
        }
        ring_kick(&nic->send);
    }
    pci_write16(function, at + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE);
}

/* ---- the other devices ----------------------------------------------------------------------- */

static void pester(struct virtio *device)
{
    static volatile struct ring_memory memory[OTHER_QUEUES];

    for (unsigned round = 0; round < OTHER_ROUNDS; round++) {
        struct ring ring[OTHER_QUEUES];
        uint16_t count = 0;

        if (!virtio_start(device, UINT64_MAX)) {
            continue;
        }
        while (count < OTHER_QUEUES &&
               ring_start(&ring[count], device, count, OTHER_ENTRIES, &memory[count])) {
            count++;
        }
        virtio_start_end(device);
        for (uint16_t i = 0; i < count; i++) {
            garbage_chains(&ring[i]);
        }
        garbage_registers(device->config, 0x100, OTHER_REGISTERS);
        garbage_wait(OTHER_WAIT_NS);
    }
    virtio_reset(device);
}

static void pester_pci(void)
{
    static const uint16_t ids[] = { VIRTIO_ID_BLOCK, VIRTIO_ID_CONSOLE, VIRTIO_ID_RNG };
    struct virtio device;

    for (unsigned number = 0; number < PCI_FUNCTIONS; number += PCI_FUNCTIONS_DEVICE) {
        volatile uint8_t *const function = pci_at(PCI_ECAM_DEFAULT_GPA, 0, number);

        for (unsigned i = 0; function != NULL && i < sizeof(ids) / sizeof(ids[0]); i++) {
            if (pci_take_virtio(function, ids[i], &device)) {
                pester(&device);
            }
        }
    }
}

static void pester_mmio(void)
{
    for (unsigned slot = 0; slot < MMIO_SLOTS; slot++) {
        volatile uint8_t *const registers = (volatile uint8_t *)mmio_gpa(slot);
        const uint32_t id = ((const volatile uint32_t *)registers)[VIRTIO_MMIO_DEVICE_ID / 4];
        struct virtio device = {
            .registers = registers,
            .config = registers + VIRTIO_MMIO_CONFIG,
            .gsi = mmio_gsi(slot),
        };

        if (id != VIRTIO_ID_NET && id != UINT32_MAX) {
            pester(&device);
        }
    }
}

void misbehave_others(struct nic *nic)
{
    if (nic->device.is_pci) {
        pester_pci();
    } else {
        pester_mmio();
    }
}
