/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A 16550A at COM1, for the console of kernels and of our own guest.
 *
 * The same eight registers answer at two places: at COM1's ports, where every kernel looks, and in
 * memory, for a program that may not use ports (at ring 3, and so on kvm_pvm).  All accesses are of
 * one byte.
 *
 * Its line is never busy: what is sent is gone at once, and what is received comes only as fast as
 * the guest takes it, so that nothing overruns.
 *
 * Standard: the 16550's registers as in PC16550D's data sheet; FIFO of 16, no modem.
 */
#ifndef VMM_SERIAL_H
#define VMM_SERIAL_H

#include <stdint.h>

#include "switch/error.h"
#include "vmm/bus.h"
#include "vmm/console.h"
#include "vmm/irq.h"

#define SERIAL_PORT       0x3f8u
#define SERIAL_GPA        UINT64_C(0xd00f0000)
#define SERIAL_REGISTERS  8u
#define SERIAL_GSI        4u
#define SERIAL_FIFO_BYTES 16u

struct serial;

/** @return owned; NULL with a sentence.  Thread: main, as all of this, while no vCPU runs. */
struct serial *serial_create(struct bus *bus, struct irq *irq, struct console *console,
                             struct error *error);
/** NULL is fine. */
void serial_destroy(struct serial *serial);

/* ---- snapshots ------------------------------------------------------------------------------- */

/* All that the guest can see, by the data sheet's names. */
struct serial_state {
    uint8_t ier, fcr, lcr, mcr, lsr, msr, scr;
    uint8_t dll, dlm;
    uint8_t sent;                  /* the interrupt for an empty transmitter is due */
    uint8_t received_count;
    uint8_t received[SERIAL_FIFO_BYTES];
};

void serial_save(const struct serial *serial, struct serial_state *state);
/**
 * @param state  from a file: believed no more than a guest's writes
 * @return 0; -EINVAL with a sentence, with nothing changed
 */
int serial_restore(struct serial *serial, const struct serial_state *state, struct error *error);

#endif
