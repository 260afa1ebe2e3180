/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration space of a PCI function, as data: bytes, and masks of what a guest may change.
 *
 * What a write does is the same for every register, so that no function decodes offsets of its own
 * but for those that make it act.  There are no extended capabilities: what is beyond 256 bytes
 * reads as 0, which says so.
 *
 * Standard: PCI 3.0, 6 (configuration space); PCI Express 4.0, 7.5.
 */
#ifndef VMM_PCI_CONFIG_H
#define VMM_PCI_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/bus.h"

#define PCI_CONFIG_BYTES 256u
#define PCI_BARS         6u

struct pci_root;
struct pci_port;

struct pci_function {
    const char *name;              /* for people: "virtio-net" */
    uint8_t config[PCI_CONFIG_BYTES];
    uint8_t writable[PCI_CONFIG_BYTES];
    uint8_t clearable[PCI_CONFIG_BYTES];   /* bits that a guest clears by writing 1 */
    uint8_t capabilities_end;      /* where the next one goes */
    uint64_t bar_bytes[PCI_BARS];  /* 0: none; a power of two; 64-bit ones take two */
    const struct bus_ops *bar_ops[PCI_BARS];
    void *context;                 /* for bar_ops */
    /* Each may be NULL; all are called under the bus's lock. */
    void (*config_read)(struct pci_function *function, uint32_t offset, unsigned len_bytes);
                                   /* a guest will read these bytes: config shall have them */
    void (*config_written)(struct pci_function *function, uint32_t offset, unsigned len_bytes);
                                   /* a guest has written these bytes; config has the new ones */
    void (*bar_moved)(struct pci_function *function, unsigned bar, uint64_t from_gpa);
                                   /* bar_gpa[bar] is where it is now; either may be nowhere */
    void (*reset)(struct pci_function *function);
                                   /* config is as it was when the function was added */
    /* ---- the root's ---- */
    struct pci_root *root;
    struct pci_port *port;         /* NULL: on bus 0 */
    uint8_t devfn;
    uint8_t initial[PCI_CONFIG_BYTES];
    uint64_t bar_gpa[PCI_BARS];    /* where it is mapped now; 0: nowhere */
};

/* What identifies a function. */
struct pci_identity {
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint8_t revision;
    uint32_t class_code;           /* 24 bits: class, subclass, interface */
};

/** A function without BARs and capabilities; the rest of @p function is 0.  */
void pci_config_init(struct pci_function *function, const struct pci_identity *identity);
/** Gives it a 32-bit memory BAR of @p bytes, a power of two from 16 on. */
void pci_config_add_bar(struct pci_function *function, unsigned bar, uint64_t bytes,
                        const struct bus_ops *ops, void *context);
/** Adds a capability of @p len_bytes, its header included, all 0.  @return where it is */
uint8_t pci_config_add_capability(struct pci_function *function, uint8_t id, uint8_t len_bytes);

/** Sets the bytes; not a guest's write.  Little endian, as all of it. */
void pci_config_put16(uint8_t *bytes, uint16_t value);
void pci_config_put32(uint8_t *bytes, uint32_t value);
uint16_t pci_config_get16(const uint8_t *bytes);
uint32_t pci_config_get32(const uint8_t *bytes);

/** A guest's access of 1, 2 or 4 aligned bytes; any other reads all ones and writes nothing. */
void pci_config_read(struct pci_function *function, uint32_t offset, uint8_t *data,
                     unsigned len_bytes);
void pci_config_write(struct pci_function *function, uint32_t offset, const uint8_t *data,
                      unsigned len_bytes);
/** Whether @p len_bytes at @p offset and the @p size_bytes at @p at have a byte in common. */
bool pci_config_touches(uint32_t offset, unsigned len_bytes, uint32_t at, unsigned size_bytes);

/** Where a guest has put @p bar; 0 when it does not respond, or where the window is not. */
uint64_t pci_config_bar(const struct pci_function *function, unsigned bar);

/* ---- snapshots: what a guest can change, and no more ----------------------------------------- */

struct pci_config_state {
    uint8_t config[PCI_CONFIG_BYTES];
};

void pci_config_save(const struct pci_function *function, struct pci_config_state *state);
/** Takes from @p state what a guest could have written; where BARs are is the root's to see to. */
void pci_config_restore(struct pci_function *function, const struct pci_config_state *state);

#endif
