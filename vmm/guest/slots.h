/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PCI Express slots: NICs that come and go while the guest runs.
 *
 * A slot interrupts by CHANGE_VECTOR.  One with something new gets power and its NIC is started; at
 * its attention button, or when what was in it is gone, the NIC is stopped and the power is off.
 *
 * Standard: PCI Express 4.0, 6.7 (hot plug), 7.5.3 (PCI Express capability).
 */
#ifndef VMM_GUEST_SLOTS_H
#define VMM_GUEST_SLOTS_H

#include <stdint.h>

/** Takes what is behind a bridge, now and, if it is a slot, later. */
void slots_add(uint64_t ecam_gpa, volatile uint8_t *bridge);
/** Looks what has happened. */
void slots_look(void);

#endif
