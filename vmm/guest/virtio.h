/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtio device as its driver sees it, by memory-mapped registers or over PCI, and its queues.
 *
 * Standard: virtio 1.2, 2.7 (split virtqueues), 4.1.4 (PCI), 4.2.2 (MMIO).
 */
#ifndef VMM_GUEST_VIRTIO_H
#define VMM_GUEST_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_ring.h>

#define VIRTIO_RING_ENTRIES 256u       /* a device may have fewer */
#define VIRTIO_FEATURE(bit) (UINT64_C(1) << (bit))

#define VIRTIO_WINDOW_BYTES 0x38u      /* PCI: the common configuration, 4.1.4.3 */

/* ---- devices --------------------------------------------------------------------------------- */

struct virtio {
    bool is_pci;
    volatile uint8_t *function;        /* PCI: the configuration space */
    volatile uint8_t *registers;       /* MMIO: the page; PCI: the common configuration */
    volatile uint8_t *config;          /* of the device's kind */
    volatile uint8_t *notify;          /* PCI: the doorbells */
    uint32_t notify_step_bytes;
    volatile uint32_t *msix;           /* PCI: the table */
    uint32_t gsi;                      /* MMIO: the line */
    uint64_t features;                 /* negotiated */
};

/** Resets the device and takes of its features those in @p wanted.  @return whether it agrees */
bool virtio_start(struct virtio *device, uint64_t wanted);
/** After the queues. */
void virtio_start_end(struct virtio *device);
void virtio_reset(struct virtio *device);
uint8_t virtio_status(const struct virtio *device);
/** What virtio_start() and virtio_start_end() do in order, out of order: for misbehaviour. */
void virtio_set_status(const struct virtio *device, uint8_t status);
void virtio_take_features(const struct virtio *device, uint64_t features);
/** MMIO: whether it interrupted because its configuration may have changed; that is then done. */
bool virtio_take_interrupt(const struct virtio *device);

/* ---- queues ---------------------------------------------------------------------------------- */

struct ring_memory {
    struct vring_desc desc[VIRTIO_RING_ENTRIES];
    struct {
        uint16_t flags, index;
        uint16_t ring[VIRTIO_RING_ENTRIES];
        uint16_t used_event;
    } avail;
    struct {
        uint16_t flags, index;
        struct vring_used_elem ring[VIRTIO_RING_ENTRIES];
        uint16_t avail_event;
    } used __attribute__((aligned(64)));
} __attribute__((aligned(4096)));

struct ring {
    volatile struct ring_memory *memory;
    uint16_t size;
    uint16_t avail_next;               /* given, but not told yet below */
    uint16_t avail_told;
    uint16_t used_next;
    volatile void *doorbell;
    bool doorbell_is_short;            /* 16 bits */
    uint16_t number;
};

/** Sets queue @p number up.  @p entries_max is a power of 2.  @return whether the device has it */
bool ring_start(struct ring *ring, const struct virtio *device, uint16_t number,
                uint16_t entries_max, volatile struct ring_memory *memory);
/** As ring_start() with rings where no memory need be, for misbehaviour. */
bool ring_place(struct ring *ring, const struct virtio *device, uint16_t number,
                uint16_t entries_max, uint64_t gpa);
/** Gives the chain at @p head to the device; it learns of it by ring_tell(). */
void ring_give(struct ring *ring, uint16_t head);
/** Kicks, if the device wants that. */
void ring_tell(struct ring *ring);
void ring_kick(const struct ring *ring);
/** Takes back what the device has used.  @return whether there was something */
bool ring_take(struct ring *ring, uint16_t *head, uint32_t *written_bytes);
bool ring_has_used(const struct ring *ring);
void ring_want_interrupts(struct ring *ring, bool wanted);

#endif
