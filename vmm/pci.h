/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A PCI Express root complex: configuration space by ECAM, one bus, and ports to plug into.
 *
 * Devices on bus 0 are there from the start.  Each hot-pluggable device sits behind a root port of
 * its own with PCIe's native hot plug (slot status, presence, power, MSI), which every operating
 * system knows without a line of ACPI.
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

#define PCI_ECAM_GPA      UINT64_C(0xe0000000)
#define PCI_ECAM_BYTES    UINT64_C(0x10000000)     /* 256 buses */
#define PCI_MEMORY_GPA    UINT64_C(0xc0000000)     /* where BARs are, 256 MiB */
#define PCI_MEMORY_BYTES  UINT64_C(0x10000000)
#define PCI_BARS          6u
#define PCI_CONFIG_BYTES  4096u

struct pci_root;

/* A function: its configuration space is data, with a mask of what a guest may write. */
struct pci_function {
    uint8_t config[PCI_CONFIG_BYTES];
    uint8_t writable[PCI_CONFIG_BYTES];
    uint64_t bar_bytes[PCI_BARS];  /* 0: none; a power of two; 64-bit ones take two */
    const struct bus_ops *bar_ops[PCI_BARS];
    void *context;                 /* for bar_ops */
    /* A guest has written @p len_bytes at @p offset; config has the new bytes. */
    void (*config_written)(struct pci_function *function, uint32_t offset, unsigned len_bytes);
    /* ---- the root's ---- */
    uint8_t bus, device;
    uint64_t bar_gpa[PCI_BARS];    /* where it is mapped now; 0: nowhere */
};

/** @param hot_slots  root ports to plug into while the VM runs.  @return owned; NULL */
struct pci_root *pci_root_create(struct bus *bus, struct irq *irq, unsigned hot_slots,
                                 struct error *error);
void pci_root_destroy(struct pci_root *root);

/** Adds a function to bus 0 before the guest runs, or (@p hot) behind a free port.  Thread: main */
int pci_root_add(struct pci_root *root, struct pci_function *function, bool hot,
                 struct error *error);
/**
 * Asks the guest to let go of a function behind a port (attention button), and calls @p gone when
 * it has powered the slot off.  Thread: main; @p gone as well.
 */
int pci_root_ask_out(struct pci_root *root, struct pci_function *function,
                     void (*gone)(void *context), void *context, struct error *error);
/** Takes it out at once, asked or not. */
void pci_root_remove(struct pci_root *root, struct pci_function *function);

#endif
