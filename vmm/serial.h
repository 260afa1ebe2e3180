/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A 16550A at COM1, for the console of kernels and of our own guest.
 *
 * Standard: the 16550's registers as in PC16550D's data sheet; FIFO of 16, no modem.
 */
#ifndef VMM_SERIAL_H
#define VMM_SERIAL_H

#include "switch/error.h"
#include "vmm/bus.h"
#include "vmm/console.h"
#include "vmm/irq.h"

#define SERIAL_PORT 0x3f8u
#define SERIAL_GSI  4u

struct serial;

struct serial *serial_create(struct bus *bus, struct irq *irq, struct console *console,
                             struct error *error);
void serial_destroy(struct serial *serial);

#endif
