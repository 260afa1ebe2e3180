/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a guest turns itself off or starts anew: ACPI's PM1 block, port 0xcf9, the keyboard
 * controller's reset, and the power button that asks it to.
 *
 * ACPI mode is always on, since nothing else is there to be switched from (SCI_EN reads as 1).
 * There is no keyboard controller: of its ports only the one command that resets is understood.
 *
 * Standard: ACPI 6.4, 4.8.2 (fixed power button), 4.8.3 (PM1 registers), 4.8.3.6 (reset register).
 */
#ifndef VMM_POWER_H
#define VMM_POWER_H

#include <stdint.h>

#include "switch/error.h"
#include "vmm/bus.h"
#include "vmm/irq.h"
#include "vmm/vcpu.h"

struct power;

/**
 * As at power-on: a reset makes it anew.
 * @param ended  as a vCPU's: called on the vCPU's thread, under the bus's lock, each time the guest
 *               asks for it
 * @return owned; NULL with a sentence
 * Thread: main, as all of this.
 */
struct power *power_create(struct bus *bus, struct irq *irq,
                           void (*ended)(void *context, enum vcpu_end end, const char *why),
                           void *context, struct error *error);
/** NULL is fine. */
void power_destroy(struct power *power);
/** Presses the button: an SCI, if the guest has enabled it.  @return whether it has */
int power_button(struct power *power);

/* ---- snapshots ------------------------------------------------------------------------------- */

struct power_state {
    uint16_t status, enable, control;      /* PM1 */
    uint8_t reset_control;                 /* 0xcf9 */
    uint8_t zero;
};

/** No vCPU runs. */
void power_save(const struct power *power, struct power_state *state);
/** @param state  believed no more than a guest's writes: bits that are not there stay clear */
void power_restore(struct power *power, const struct power_state *state);

#endif
