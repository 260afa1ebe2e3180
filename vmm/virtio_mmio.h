/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory-mapped transport, for kernels without PCI: one page of registers for each device.
 *
 * A driver learns of it by the kernel's command line (virtio_mmio.device=SIZE@BASE:IRQ) or by ACPI.
 * Notifications are ioeventfds.  Interrupts have a status register that says why: so the call
 * eventfd of a queue comes to this process, which sets the register and then the line.
 *
 * Standard: virtio 1.2, 4.2 (version 2 registers).
 */
#ifndef VMM_VIRTIO_MMIO_H
#define VMM_VIRTIO_MMIO_H

#include <stdint.h>

#include "switch/error.h"
#include "vmm/bus.h"
#include "vmm/irq.h"
#include "vmm/virtio_device.h"

#define VIRTIO_MMIO_BASE_GPA   UINT64_C(0xd0000000)
#define VIRTIO_MMIO_SIZE_BYTES 0x1000u
#define VIRTIO_MMIO_FIRST_GSI  5u
#define VIRTIO_MMIO_SLOTS_MAX  18u     /* a line of the I/O APIC each, without ACPI's */

struct virtio_mmio;
struct event_base;

/**
 * Plugs @p device in at slot @p slot.
 * @param vm_fd   for ioeventfds
 * @param device  borrowed until virtio_mmio_unplug(); it is reset first
 * @return owned; NULL with a sentence
 * Thread: main.
 */
struct virtio_mmio *virtio_mmio_plug(int vm_fd, struct bus *bus, struct irq *irq,
                                     struct event_base *base, unsigned slot,
                                     struct virtio_device *device, struct error *error);
/** Stops the device and takes it out.  NULL is fine.  Thread: main. */
void virtio_mmio_unplug(struct virtio_mmio *mmio);
/** As at power-on.  Thread: main. */
void virtio_mmio_reset(struct virtio_mmio *mmio);

/** The line of a slot. */
uint32_t virtio_mmio_gsi(unsigned slot);
/** Writes what the kernel's command line needs for slots 0 to @p count - 1.  Returns its length,
 * as snprintf() does. */
int virtio_mmio_cmdline(unsigned count, char *text, unsigned size);

/* ---- snapshots ------------------------------------------------------------------------------- */

struct virtio_mmio_state {
    struct virtio_device_state device;
    uint32_t interrupt_status;
    uint32_t zero;
};

/** Thread: main, no vCPU runs. */
void virtio_mmio_save(const struct virtio_mmio *mmio, struct virtio_mmio_state *state);
/** As virtio_device_restore(), which see. */
int virtio_mmio_restore(struct virtio_mmio *mmio, const struct virtio_mmio_state *state,
                        struct error *error);

#endif
