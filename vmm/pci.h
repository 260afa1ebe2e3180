/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A PCI Express root complex: configuration space by ECAM, one bus, and ports to plug into.
 *
 * Devices on bus 0 are there from the start.  Each hot-pluggable device sits behind a root port of
 * its own with PCIe's native hot plug (slot status, presence, power, MSI), which every operating
 * system knows without a line of ACPI.
 *
 * Buses, windows and BARs have addresses after a reset, as firmware would leave them, so that a
 * guest needs no allocator; one that has its own may change them.
 *
 * Standard: PCI 3.0; PCI Express 4.0, 6.7 (hot plug), 7.2.2 (ECAM), 7.5 (capabilities).
 */
#ifndef VMM_PCI_H
#define VMM_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/error.h"
#include "vmm/bus.h"
#include "vmm/irq.h"
#include "vmm/pci_config.h"

#define PCI_ECAM_GPA      UINT64_C(0xe0000000)
#define PCI_ECAM_BYTES    UINT64_C(0x10000000)     /* 256 buses */
#define PCI_MEMORY_GPA    UINT64_C(0xc0000000)     /* where BARs are, 256 MiB */
#define PCI_MEMORY_BYTES  UINT64_C(0x10000000)
#define PCI_HOT_SLOTS_MAX 32u

struct event_base;

/** @param hot_slots  root ports to plug into while the VM runs.  @return owned; NULL */
struct pci_root *pci_root_create(struct bus *bus, struct irq *irq, struct event_base *base,
                                 unsigned hot_slots, struct error *error);
/** Every function that was added has been removed. */
void pci_root_destroy(struct pci_root *root);
/** As after power-on, with what is plugged in: due before the guest runs first.  Thread: main. */
void pci_root_reset(struct pci_root *root);

/**
 * Adds a function to bus 0 before the guest runs, or (@p hot) behind a free port.
 * @param function  borrowed until pci_root_remove()
 * @return 0; -ENOSPC with a sentence
 * Thread: main
 */
int pci_root_add(struct pci_root *root, struct pci_function *function, bool hot,
                 struct error *error);
/**
 * Asks the guest to let go of a function behind a port (attention button), and calls @p gone when
 * it has powered the slot off: then pci_root_remove() is due.  Thread: main; @p gone as well.
 * @return 0, -EALREADY when it is about to; -EOPNOTSUPP when it does not listen; with a sentence
 */
int pci_root_ask_out(struct pci_root *root, struct pci_function *function,
                     void (*gone)(void *context), void *context, struct error *error);
/** Takes it out at once, asked or not. */
void pci_root_remove(struct pci_root *root, struct pci_function *function);

/** Under the bus's lock, as the next. */
void pci_lock(struct pci_root *root);
void pci_unlock(struct pci_root *root);
/** Sees to it that BARs are mapped where @p function's configuration says. */
void pci_root_map(struct pci_root *root, struct pci_function *function);

/* ---- snapshots: of the root's own functions; each other one's is with its owner -------------- */

struct pci_root_state {
    uint32_t hot_slots;
    struct pci_config_state bridge;
    struct pci_config_state port[PCI_HOT_SLOTS_MAX];
};

/** Thread: main, no vCPU runs; the same functions are in the same places. */
void pci_root_save(const struct pci_root *root, struct pci_root_state *state);
/**
 * Before the state of any function that is plugged in: a slot without power resets it.
 * @return 0; -EINVAL with a sentence when the number of ports is another one
 */
int pci_root_restore(struct pci_root *root, const struct pci_root_state *state,
                     struct error *error);

#endif
