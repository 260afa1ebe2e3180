/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Garbage of all sorts, the same in each run: what broke once breaks again.
 */
#ifndef VMM_GUEST_GARBAGE_H
#define VMM_GUEST_GARBAGE_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/guest/virtio.h"

#define GARBAGE_WILD_GPA   UINT64_C(0x00007ffffffff000)    /* far outside of any memory */
#define GARBAGE_DEVICE_GPA UINT64_C(0x00000000fec00000)    /* registers, no memory */

uint32_t garbage_number(void);
void garbage_fill(void *bytes, size_t len_bytes);
/** Does nothing for so long: a device may take its time to notice. */
void garbage_wait(uint64_t ns);

/** Writes, and reads, at random places of a window of registers, in all widths. */
void garbage_registers(volatile uint8_t *window, uint32_t len_bytes, unsigned count);

/**
 * Fills the ring's table with descriptors at random, makes some of them available, and kicks.  What
 * a device may believe of it lies in an area of this file's own.
 */
void garbage_chains(struct ring *ring);

#endif
