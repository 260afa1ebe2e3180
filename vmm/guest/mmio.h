/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the monitor has devices of the memory-mapped transport: a page and a line for each, from
 * the first slot on without a gap.
 *
 * Known, not read: with ACPI it is ACPI's tables that tell, and those take an interpreter.
 */
#ifndef VMM_GUEST_MMIO_H
#define VMM_GUEST_MMIO_H

#include <stdint.h>

#define MMIO_FIRST_GPA  UINT64_C(0xd0000000)
#define MMIO_SLOT_BYTES 0x1000u
#define MMIO_SLOTS      18u
#define MMIO_FIRST_GSI  5u
#define MMIO_ACPI_GSI   9u             /* ACPI's own, which no device has */

static inline uint64_t mmio_gpa(unsigned slot)
{
    return MMIO_FIRST_GPA + slot * MMIO_SLOT_BYTES;
}

static inline uint32_t mmio_gsi(unsigned slot)
{
    const uint32_t gsi = MMIO_FIRST_GSI + slot;

    return gsi < MMIO_ACPI_GSI ? gsi : gsi + 1;
}

#endif
