/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The virtio devices of a machine, and the transport they are plugged into.
 *
 * Of the two transports one is there: PCI, which takes NICs while the guest runs, or MMIO, whose
 * places the guest is told of once, at its start.  On PCI every NIC has a port of its own, also one
 * that was there from the start, so that any of them can be taken out; disks, console and entropy
 * stay where they are.
 *
 * Thread: main, all of it.
 */
#ifndef VMM_DEVICES_H
#define VMM_DEVICES_H

#include "switch/error.h"
#include "vmm/bus.h"
#include "vmm/console.h"
#include "vmm/irq.h"
#include "vmm/machine.h"
#include "vmm/ram.h"

/* What devices are made with; all borrowed. */
struct devices_place {
    int vm_fd;
    struct ram *ram;
    struct bus *bus;
    struct irq *irq;
    struct event_base *base;
    struct console *console;
};

struct devices;

/** All that @p config asks for, plugged in.  @return owned; NULL with a sentence */
struct devices *devices_create(const struct devices_place *place,
                               const struct machine_config *config, struct error *error);
void devices_destroy(struct devices *devices);
/** Starts what has a thread of its own, each with its sandbox.  @return 0; -errno, a sentence */
int devices_run(struct devices *devices, struct error *error);
/** As at power-on; no vCPU runs. */
void devices_reset(struct devices *devices);

/** How many there are on MMIO: what the guest's command line, or ACPI, must name.  0 on PCI. */
unsigned devices_mmio_count(const struct devices *devices);

/* As machine_add_nic() and machine_remove_nic(). */
int devices_add_nic(struct devices *devices, const struct virtio_net_options *nic,
                    struct error *error);
int devices_remove_nic(struct devices *devices, const char *name, bool force,
                       struct error *error);
/** @return how many of @p nic are filled */
unsigned devices_nics(const struct devices *devices, struct machine_nic nic[MACHINE_NICS_MAX]);

#endif
