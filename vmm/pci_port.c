/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/pci_port.h"

#include <errno.h>
#include <stddef.h>

#include <linux/pci_regs.h>

#define VENDOR_RED_HAT 0x1b36u     /* its generic root port, which QEMU has too */
#define DEVICE_PORT    0x000cu
#define CLASS_BRIDGE   0x060400u
#define EXPRESS_BYTES  0x3cu
#define MSI_BYTES      14u
#define LINK_2_5GT_X1  0x11u

#define SLOT_EVENTS (PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PFD | PCI_EXP_SLTSTA_MRLSC |            \
                     PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_CC | PCI_EXP_SLTSTA_DLLSC)
#define SLOT_CONTROLS (PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_PFDE | PCI_EXP_SLTCTL_MRLSCE |       \
                       PCI_EXP_SLTCTL_PDCE | PCI_EXP_SLTCTL_CCIE | PCI_EXP_SLTCTL_HPIE |         \
                       PCI_EXP_SLTCTL_AIC | PCI_EXP_SLTCTL_PIC | PCI_EXP_SLTCTL_PCC |            \
                       PCI_EXP_SLTCTL_DLLSCE)

static uint8_t *express(struct pci_port *port, unsigned at)
{
    return port->function.config + port->express + at;
}

static uint16_t slot_control(const struct pci_port *port)
{
    return pci_config_get16(port->function.config + port->express + PCI_EXP_SLTCTL);
}

static uint16_t slot_status(const struct pci_port *port)
{
    return pci_config_get16(port->function.config + port->express + PCI_EXP_SLTSTA);
}

static void set_slot_status(struct pci_port *port, uint16_t bits)
{
    pci_config_put16(express(port, PCI_EXP_SLTSTA), slot_status(port) | bits);
}

/* ---- interrupts ------------------------------------------------------------------------------ */

static bool msi_is_on(const struct pci_port *port)
{
    return (port->function.config[port->msi + PCI_MSI_FLAGS] & PCI_MSI_FLAGS_ENABLE) != 0;
}

static void interrupt(const struct pci_port *port)
{
    const uint8_t *msi = port->function.config + port->msi;

    irq_send(port->irq, (uint64_t)pci_config_get32(msi + PCI_MSI_ADDRESS_HI) << 32 |
             pci_config_get32(msi + PCI_MSI_ADDRESS_LO), pci_config_get16(msi + PCI_MSI_DATA_64));
}

/* Interrupts when there is the first reason to, which is told from later ones: 6.7.3.4. */
static void update_interrupt(struct pci_port *port)
{
    const uint16_t control = slot_control(port);
    uint16_t wanted = control & (PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_PFDE |
                                 PCI_EXP_SLTCTL_MRLSCE | PCI_EXP_SLTCTL_PDCE |
                                 PCI_EXP_SLTCTL_CCIE);
    bool reason;

    /* The bits of both registers are the same, but for the link's. */
    if ((control & PCI_EXP_SLTCTL_DLLSCE) != 0) {
        wanted |= PCI_EXP_SLTSTA_DLLSC;
    }
    reason = (control & PCI_EXP_SLTCTL_HPIE) != 0 && (slot_status(port) & wanted) != 0;
    if (reason && !port->raised && msi_is_on(port)) {
        interrupt(port);
    }
    port->raised = reason;
}

/* ---- the slot -------------------------------------------------------------------------------- */

bool pci_port_is_open(const struct pci_port *port)
{
    return port->plugged != NULL && (slot_control(port) & PCI_EXP_SLTCTL_PCC) == 0;
}

/* Presence and link follow from what is plugged in and has power.  @return bits of what changed */
static uint16_t update_slot(struct pci_port *port)
{
    const bool open = pci_port_is_open(port);
    const uint16_t before = slot_status(port);
    const uint16_t present = port->plugged != NULL ? PCI_EXP_SLTSTA_PDS : 0;
    uint16_t changed = (before & PCI_EXP_SLTSTA_PDS) != present ? PCI_EXP_SLTSTA_PDC : 0;

    pci_config_put16(express(port, PCI_EXP_SLTSTA),
                     (uint16_t)((before & ~PCI_EXP_SLTSTA_PDS) | present));
    pci_config_put16(express(port, PCI_EXP_LNKSTA),
                     open ? PCI_EXP_LNKSTA_DLLLA | LINK_2_5GT_X1 : LINK_2_5GT_X1);
    if (open != port->open) {
        port->open = open;
        changed |= PCI_EXP_SLTSTA_DLLSC;
        port->power_changed(port);
    }
    return changed;
}

/*
 * Whoever plugs something into a slot with a button presses it then: 6.7.1.5.  A driver may listen
 * to the button only; Linux's does.
 */
void pci_port_plug(struct pci_port *port, struct pci_function *function)
{
    const bool asks = function != NULL && (slot_control(port) & PCI_EXP_SLTCTL_PCC) != 0;

    port->plugged = function;
    set_slot_status(port, update_slot(port) | (asks ? PCI_EXP_SLTSTA_ABP : 0));
    update_interrupt(port);
}

static void slot_controlled(struct pci_port *port)
{
    set_slot_status(port, update_slot(port) | PCI_EXP_SLTSTA_CC);
}

/* A guest has written registers of the port. */
static void port_written(struct pci_function *function, uint32_t offset, unsigned len_bytes)
{
    struct pci_port *port = (struct pci_port *)function;

    if (pci_config_touches(offset, len_bytes, port->express + PCI_EXP_SLTCTL, 2)) {
        slot_controlled(port);
    }
    if (pci_config_touches(offset, len_bytes, PCI_BRIDGE_CONTROL, 1) && port->plugged != NULL &&
        (function->config[PCI_BRIDGE_CONTROL] & PCI_BRIDGE_CTL_BUS_RESET) != 0) {
        port->bus_reset(port);
    }
    update_interrupt(port);
}

int pci_port_press(struct pci_port *port, struct error *error)
{
    const uint16_t control = slot_control(port);
    const uint16_t listens = PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_HPIE;

    if ((control & listens) != listens || !msi_is_on(port)) {
        return error_set(error, EOPNOTSUPP,
                         "%s: the guest does not listen to the button of the slot; it has no "
                         "driver for PCI Express hot plug, or is not up yet",
                         port->plugged->name);
    }
    /* Pressed again while the light blinks, the button would call it off. */
    if ((slot_status(port) & PCI_EXP_SLTSTA_ABP) != 0 ||
        (control & PCI_EXP_SLTCTL_PIC) == PCI_EXP_SLTCTL_PWR_IND_BLINK) {
        return error_set(error, EALREADY, "%s: the guest has not answered the button of the slot "
                         "yet; wait some seconds", port->plugged->name);
    }
    set_slot_status(port, PCI_EXP_SLTSTA_ABP);
    update_interrupt(port);
    return 0;
}

/* ---- the bridge ------------------------------------------------------------------------------ */

uint8_t pci_port_bus(const struct pci_port *port)
{
    return port->function.config[PCI_SECONDARY_BUS];
}

uint32_t pci_port_window(const struct pci_port *port)
{
    const uint16_t first = pci_config_get16(port->function.config + PCI_MEMORY_BASE) & 0xfff0;
    const uint16_t last = pci_config_get16(port->function.config + PCI_MEMORY_LIMIT) & 0xfff0;

    return first <= last ? (uint32_t)first << 16 : 0;
}

void pci_port_resume(struct pci_port *port)
{
    update_slot(port);
    port->raised = false;
    update_interrupt(port);
}

void pci_port_reset(struct pci_port *port)
{
    const bool occupied = port->plugged != NULL;

    pci_config_put16(express(port, PCI_EXP_SLTCTL),
                     occupied ? PCI_EXP_SLTCTL_ATTN_IND_OFF | PCI_EXP_SLTCTL_PWR_IND_ON
                              : PCI_EXP_SLTCTL_ATTN_IND_OFF | PCI_EXP_SLTCTL_PWR_IND_OFF |
                                PCI_EXP_SLTCTL_PWR_OFF);
    port->asked = false;
    port->let_go = false;
    pci_port_resume(port);
}

/* ---- making ---------------------------------------------------------------------------------- */

static void add_express(struct pci_port *port, unsigned number)
{
    struct pci_function *function = &port->function;
    uint8_t *writable;

    port->express = pci_config_add_capability(function, PCI_CAP_ID_EXP, EXPRESS_BYTES);
    writable = function->writable + port->express;
    pci_config_put16(express(port, PCI_EXP_FLAGS),
                     2 | PCI_EXP_TYPE_ROOT_PORT << 4 | PCI_EXP_FLAGS_SLOT);
    pci_config_put32(express(port, PCI_EXP_DEVCAP), PCI_EXP_DEVCAP_RBER);
    pci_config_put16(writable + PCI_EXP_DEVCTL, 0x7fff);
    pci_config_put32(express(port, PCI_EXP_LNKCAP),
                     PCI_EXP_LNKCAP_DLLLARC | LINK_2_5GT_X1 | (uint32_t)number << 24);
    pci_config_put16(express(port, PCI_EXP_LNKSTA), LINK_2_5GT_X1);
    pci_config_put32(express(port, PCI_EXP_SLTCAP),
                     PCI_EXP_SLTCAP_ABP | PCI_EXP_SLTCAP_PCP | PCI_EXP_SLTCAP_AIP |
                     PCI_EXP_SLTCAP_PIP | PCI_EXP_SLTCAP_HPS | PCI_EXP_SLTCAP_HPC |
                     (uint32_t)number << 19);
    pci_config_put16(writable + PCI_EXP_SLTCTL, SLOT_CONTROLS);
    pci_config_put16(function->clearable + port->express + PCI_EXP_SLTSTA, SLOT_EVENTS);
}

static void add_msi(struct pci_port *port)
{
    struct pci_function *function = &port->function;
    uint8_t *writable;

    port->msi = pci_config_add_capability(function, PCI_CAP_ID_MSI, MSI_BYTES);
    writable = function->writable + port->msi;
    pci_config_put16(function->config + port->msi + PCI_MSI_FLAGS, PCI_MSI_FLAGS_64BIT);
    pci_config_put16(writable + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE);
    pci_config_put32(writable + PCI_MSI_ADDRESS_LO, ~UINT32_C(3));
    pci_config_put32(writable + PCI_MSI_ADDRESS_HI, UINT32_MAX);
    pci_config_put16(writable + PCI_MSI_DATA_64, UINT16_MAX);
}

void pci_port_init(struct pci_port *port, struct irq *irq, unsigned number)
{
    static const struct pci_identity identity = {
        .vendor = VENDOR_RED_HAT,
        .device = DEVICE_PORT,
        .class_code = CLASS_BRIDGE,
    };
    struct pci_function *function = &port->function;

    port->irq = irq;
    function->name = "slot";
    pci_config_init(function, &identity);
    function->config[PCI_HEADER_TYPE] = PCI_HEADER_TYPE_BRIDGE;
    function->writable[PCI_PRIMARY_BUS] = 0xff;
    function->writable[PCI_SECONDARY_BUS] = 0xff;
    function->writable[PCI_SUBORDINATE_BUS] = 0xff;
    pci_config_put16(function->writable + PCI_MEMORY_BASE, 0xfff0);
    pci_config_put16(function->writable + PCI_MEMORY_LIMIT, 0xfff0);
    pci_config_put16(function->writable + PCI_BRIDGE_CONTROL,
                     PCI_BRIDGE_CTL_PARITY | PCI_BRIDGE_CTL_SERR | PCI_BRIDGE_CTL_BUS_RESET);
    add_express(port, number);
    add_msi(port);
    function->config_written = port_written;
}
