/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ACPI tables of a machine: processors, PCI, interrupts, power off and reset; no more.
 *
 * Hardware-reduced is not claimed, so that kernels without support for it find a PM1 block.  What
 * a machine has not got (a keyboard controller, VGA, a CMOS clock, a PM timer) the tables say, so
 * that no kernel waits for it.
 *
 * Standard: ACPI 6.4, 5.2 (tables), 19 and 20 (AML); PCI Firmware 3.2, 4.1.2 (MCFG), 4.5 (_OSC).
 */
#ifndef VMM_ACPI_H
#define VMM_ACPI_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/error.h"
#include "vmm/ram.h"

#define ACPI_PM1_PORT     0x600u   /* event block, 4 bytes; control block, 2 */
#define ACPI_RESET_PORT   0xcf9u
#define ACPI_SCI_GSI      9u
#define ACPI_SLEEP_OFF    5u       /* SLP_TYP of S5, as the DSDT says it */

struct acpi_config {
    unsigned cpus;
    bool pci;
    unsigned mmio_devices;         /* virtio-mmio slots to tell of */
};

/**
 * Writes the tables between 0xe0000 and 1 MiB; @p rsdp_gpa is where they begin.
 * @return 0, or -EINVAL with a sentence for more processors or devices than a machine can have
 * Thread: main, while no vCPU runs.
 */
int acpi_write(struct ram *ram, const struct acpi_config *config, uint64_t *rsdp_gpa,
               struct error *error);

#endif
