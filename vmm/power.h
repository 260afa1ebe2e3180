/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a guest turns itself off or starts anew: ACPI's PM1 block, port 0xcf9, the keyboard
 * controller's reset, and the power button that asks it to.
 */
#ifndef VMM_POWER_H
#define VMM_POWER_H

#include "switch/error.h"
#include "vmm/bus.h"
#include "vmm/irq.h"
#include "vmm/vcpu.h"

struct power;

/** @param ended  as a vCPU's: called on the vCPU's thread.  @return owned; NULL with a sentence */
struct power *power_create(struct bus *bus, struct irq *irq,
                           void (*ended)(void *context, enum vcpu_end end, const char *why),
                           void *context, struct error *error);
void power_destroy(struct power *power);
/** Presses the button: an SCI, if the guest has enabled it.  @return whether it has.  Main. */
int power_button(struct power *power);

#endif
