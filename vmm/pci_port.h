/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A root port with a slot: PCI Express's native hot plug, as seen by the guest.
 *
 * The slot has an attention button, by which the guest is asked to let go; a power controller, by
 * which it says that it has; and presence, which may change by surprise.  A command is completed as
 * soon as it is given.  What is plugged in can be reached while the slot has power.
 *
 * Standard: PCI Express 4.0, 6.7 (hot plug), 7.5.3 (PCI Express capability); PCI 3.0, 6.8.1 (MSI).
 */
#ifndef VMM_PCI_PORT_H
#define VMM_PCI_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/error.h"
#include "vmm/irq.h"
#include "vmm/pci_config.h"

struct pci_port {
    struct pci_function function;  /* the first: the port's own, on bus 0 */
    struct irq *irq;
    uint8_t express, msi;          /* where the capabilities are */
    bool raised;                   /* the guest has been interrupted for what is in the status */
    bool open;                     /* what is plugged in had power when it was looked at last */
    struct pci_function *plugged;  /* NULL: empty */
    void (*power_changed)(struct pci_port *port);  /* pci_port_is_open() is another now */
    void (*bus_reset)(struct pci_port *port);      /* what is plugged in shall be reset */
    /* ---- the root's: somebody waits until the guest lets go ---- */
    bool asked, let_go;
    void (*gone)(void *context);
    void *gone_context;
};

void pci_port_init(struct pci_port *port, struct irq *irq, unsigned number);

/* All below: under the bus's lock. */

/** As after power-on, with what is plugged in; its configuration was reset before. */
void pci_port_reset(struct pci_port *port);
/** Puts @p function in, or takes out what is there with NULL; the guest is told. */
void pci_port_plug(struct pci_port *port, struct pci_function *function);
/** Something is plugged in, and has power. */
bool pci_port_is_open(const struct pci_port *port);
uint8_t pci_port_bus(const struct pci_port *port);
/** The first address that the port passes on; 0: none. */
uint32_t pci_port_window(const struct pci_port *port);
/** @return 0; -EALREADY, -EOPNOTSUPP with a sentence */
int pci_port_press(struct pci_port *port, struct error *error);
/** After pci_config_restore(): what follows from the registers and from what is plugged in. */
void pci_port_resume(struct pci_port *port);

#endif
