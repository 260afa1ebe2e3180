/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two transports differ in where their registers are, and in how a queue is chosen and rung.
 */
#include "vmm/guest/virtio.h"

#include <stddef.h>

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_pci.h>

#include "vmm/guest/memory.h"
#include "vmm/guest/ring0.h"

#define NOBODY            0xffu        /* as reads what was taken out */
#define IO_APIC_GPA       0xfec00000u
#define IO_APIC_SELECT    0u
#define IO_APIC_WINDOW    0x10u
#define IO_APIC_ENTRY(n)  (0x10u + 2u * (n))

/* Entries of the MSI-X table. */
#define MSIX_QUEUES       0u
#define MSIX_CONFIG       1u
#define MSIX_ENTRY_WORDS  4u

static uint8_t read8(volatile const uint8_t *at)
{
    return *at;
}

static uint16_t read16(volatile const uint8_t *at)
{
    return *(volatile const uint16_t *)at;
}

static uint32_t read32(volatile const uint8_t *at)
{
    return *(volatile const uint32_t *)at;
}

static void write8(volatile uint8_t *at, uint8_t value)
{
    *at = value;
}

static void write16(volatile uint8_t *at, uint16_t value)
{
    *(volatile uint16_t *)at = value;
}

static void write32(volatile uint8_t *at, uint32_t value)
{
    *(volatile uint32_t *)at = value;
}

static void write64(volatile uint8_t *at, uint64_t value)
{
    write32(at, (uint32_t)value);
    write32(at + 4, (uint32_t)(value >> 32));
}

/* ---- devices --------------------------------------------------------------------------------- */

uint8_t virtio_status(const struct virtio *device)
{
    return device->is_pci ? read8(device->registers + VIRTIO_PCI_COMMON_STATUS)
                          : (uint8_t)read32(device->registers + VIRTIO_MMIO_STATUS);
}

void virtio_set_status(const struct virtio *device, uint8_t status)
{
    if (device->is_pci) {
        write8(device->registers + VIRTIO_PCI_COMMON_STATUS, status);
    } else {
        write32(device->registers + VIRTIO_MMIO_STATUS, status);
    }
}

static uint64_t offered(const struct virtio *device)
{
    const uint32_t select = device->is_pci ? VIRTIO_PCI_COMMON_DFSELECT
                                           : VIRTIO_MMIO_DEVICE_FEATURES_SEL;
    const uint32_t value = device->is_pci ? VIRTIO_PCI_COMMON_DF : VIRTIO_MMIO_DEVICE_FEATURES;
    uint64_t features = 0;

    for (uint32_t half = 0; half < 2; half++) {
        write32(device->registers + select, half);
        features |= (uint64_t)read32(device->registers + value) << (32 * half);
    }
    return features;
}

void virtio_take_features(const struct virtio *device, uint64_t features)
{
    const uint32_t select = device->is_pci ? VIRTIO_PCI_COMMON_GFSELECT
                                           : VIRTIO_MMIO_DRIVER_FEATURES_SEL;
    const uint32_t value = device->is_pci ? VIRTIO_PCI_COMMON_GF : VIRTIO_MMIO_DRIVER_FEATURES;

    for (uint32_t half = 0; half < 2; half++) {
        write32(device->registers + select, half);
        write32(device->registers + value, (uint32_t)(features >> (32 * half)));
    }
}

static void set_message(const struct virtio *device, unsigned entry, uint32_t vector)
{
    volatile uint32_t *const words = device->msix + entry * MSIX_ENTRY_WORDS;

    words[0] = MSI_GPA;
    words[1] = 0;
    words[2] = vector;
    words[3] = 0;                                      /* not masked */
}

/* All interrupts are edges, to the first processor: so an I/O APIC's entry, too, is zeros but for
 * the vector. */
static void route_interrupts(const struct virtio *device)
{
    volatile uint8_t *const io_apic = (volatile uint8_t *)IO_APIC_GPA;

    if (device->is_pci) {
        set_message(device, MSIX_QUEUES, INTERRUPT_VECTOR);
        set_message(device, MSIX_CONFIG, CHANGE_VECTOR);
        write16(device->registers + VIRTIO_PCI_COMMON_MSIX, MSIX_CONFIG);
    } else {
        write32(io_apic + IO_APIC_SELECT, IO_APIC_ENTRY(device->gsi) + 1);
        write32(io_apic + IO_APIC_WINDOW, 0);
        write32(io_apic + IO_APIC_SELECT, IO_APIC_ENTRY(device->gsi));
        write32(io_apic + IO_APIC_WINDOW, INTERRUPT_VECTOR);
    }
}

void virtio_reset(struct virtio *device)
{
    uint8_t status;

    virtio_set_status(device, 0);
    do {
        status = virtio_status(device);
    } while (status != 0 && status != NOBODY);         /* 4.1.4.3.2: it may take its time */
}

bool virtio_start(struct virtio *device, uint64_t wanted)
{
    virtio_reset(device);
    virtio_set_status(device, VIRTIO_CONFIG_S_ACKNOWLEDGE);
    virtio_set_status(device, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
    device->features = offered(device) & (wanted | VIRTIO_FEATURE(VIRTIO_F_VERSION_1));
    virtio_take_features(device, device->features);
    virtio_set_status(device, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
                       VIRTIO_CONFIG_S_FEATURES_OK);
    route_interrupts(device);
    return (virtio_status(device) & VIRTIO_CONFIG_S_FEATURES_OK) != 0;
}

void virtio_start_end(struct virtio *device)
{
    virtio_set_status(device, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
                       VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
}

bool virtio_take_interrupt(const struct virtio *device)
{
    const uint32_t why = read32(device->registers + VIRTIO_MMIO_INTERRUPT_STATUS);

    if (why != 0) {
        write32(device->registers + VIRTIO_MMIO_INTERRUPT_ACK, why);
    }
    return (why & VIRTIO_MMIO_INT_CONFIG) != 0;
}

/* ---- queues ---------------------------------------------------------------------------------- */

/* Chooses queue @p number.  Returns how many entries it may have, 0 when there is no such queue. */
static uint16_t choose_queue(const struct virtio *device, uint16_t number)
{
    if (device->is_pci) {
        write16(device->registers + VIRTIO_PCI_COMMON_Q_SELECT, number);
        return read16(device->registers + VIRTIO_PCI_COMMON_Q_SIZE);
    }
    write32(device->registers + VIRTIO_MMIO_QUEUE_SEL, number);
    return (uint16_t)read32(device->registers + VIRTIO_MMIO_QUEUE_NUM_MAX);
}

/* The queue that was chosen, with its three parts at @p gpa and the doorbell of @p ring. */
static void place_pci(struct ring *ring, const struct virtio *device, uint64_t gpa)
{
    volatile uint8_t *const common = device->registers;

    write16(common + VIRTIO_PCI_COMMON_Q_SIZE, ring->size);
    write16(common + VIRTIO_PCI_COMMON_Q_MSIX, MSIX_QUEUES);
    write64(common + VIRTIO_PCI_COMMON_Q_DESCLO, gpa + offsetof(struct ring_memory, desc));
    write64(common + VIRTIO_PCI_COMMON_Q_AVAILLO, gpa + offsetof(struct ring_memory, avail));
    write64(common + VIRTIO_PCI_COMMON_Q_USEDLO, gpa + offsetof(struct ring_memory, used));
    ring->doorbell = device->notify + device->notify_step_bytes *
                                      read16(common + VIRTIO_PCI_COMMON_Q_NOFF);
    ring->doorbell_is_short = true;
    write16(common + VIRTIO_PCI_COMMON_Q_ENABLE, 1);
}

static void place_mmio(struct ring *ring, const struct virtio *device, uint64_t gpa)
{
    volatile uint8_t *const registers = device->registers;

    write32(registers + VIRTIO_MMIO_QUEUE_NUM, ring->size);
    write64(registers + VIRTIO_MMIO_QUEUE_DESC_LOW, gpa + offsetof(struct ring_memory, desc));
    write64(registers + VIRTIO_MMIO_QUEUE_AVAIL_LOW, gpa + offsetof(struct ring_memory, avail));
    write64(registers + VIRTIO_MMIO_QUEUE_USED_LOW, gpa + offsetof(struct ring_memory, used));
    ring->doorbell = registers + VIRTIO_MMIO_QUEUE_NOTIFY;
    ring->doorbell_is_short = false;
    write32(registers + VIRTIO_MMIO_QUEUE_READY, 1);
}

bool ring_place(struct ring *ring, const struct virtio *device, uint16_t number,
                uint16_t entries_max, uint64_t gpa)
{
    const uint16_t size_max = choose_queue(device, number);

    if (size_max == 0 || (size_max & (size_max - 1)) != 0) {   /* 2.7: a power of 2 */
        return false;
    }
    *ring = (struct ring){
        .number = number,
        .size = size_max < entries_max ? size_max : entries_max,
    };
    if (device->is_pci) {
        place_pci(ring, device, gpa);
    } else {
        place_mmio(ring, device, gpa);
    }
    return true;
}

bool ring_start(struct ring *ring, const struct virtio *device, uint16_t number,
                uint16_t entries_max, volatile struct ring_memory *memory)
{
    memset((void *)memory, 0, sizeof(*memory));
    if (!ring_place(ring, device, number, entries_max, (uintptr_t)memory)) {
        return false;
    }
    ring->memory = memory;
    ring_want_interrupts(ring, false);
    return true;
}

void ring_give(struct ring *ring, uint16_t head)
{
    volatile uint16_t *const entry = &ring->memory->avail.ring[ring->avail_next++ &
                                                               (ring->size - 1u)];

    if (*entry != head) {              /* else the device's core need not fetch it: memory.h */
        *entry = head;
    }
}

void ring_kick(const struct ring *ring)
{
    if (ring->doorbell_is_short) {
        *(volatile uint16_t *)ring->doorbell = ring->number;
    } else {
        *(volatile uint32_t *)ring->doorbell = ring->number;
    }
}

void ring_tell(struct ring *ring)
{
    if (ring->avail_told == ring->avail_next) {
        return;
    }
    ring->avail_told = ring->avail_next;
    /* Entries before the index (2.7.13.3), the index before the device's flags (2.7.13.4). */
    __atomic_store_n(&ring->memory->avail.index, ring->avail_next, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if ((ring->memory->used.flags & VRING_USED_F_NO_NOTIFY) == 0) {
        ring_kick(ring);
    }
}

bool ring_has_used(const struct ring *ring)
{
    return __atomic_load_n(&ring->memory->used.index, __ATOMIC_ACQUIRE) != ring->used_next;
}

bool ring_take(struct ring *ring, uint16_t *head, uint32_t *written_bytes)
{
    const volatile struct vring_used_elem *element;

    if (!ring_has_used(ring)) {
        return false;
    }
    element = &ring->memory->used.ring[ring->used_next++ & (ring->size - 1u)];
    *head = (uint16_t)element->id;
    *written_bytes = element->len;
    return true;
}

void ring_want_interrupts(struct ring *ring, bool wanted)
{
    ring->memory->avail.flags = wanted ? 0 : VRING_AVAIL_F_NO_INTERRUPT;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);           /* before the used index is looked at */
}
