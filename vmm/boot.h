/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loading a kernel into guest memory: bzImage, or ELF (vmlinux, or any program of ours).
 *
 * A bzImage is entered by the 64-bit boot protocol, an ELF file by PVH where it has that note, else
 * by the 64-bit protocol at its entry.  The file is a stranger's: every number in it is checked
 * against the file and the memory before it is used, and a file that is no kernel is refused with a
 * sentence that says what it is instead.
 *
 * Standard: Linux Documentation/arch/x86/boot.rst (2.12 or later), ELF-64, Xen
 * public/arch-x86/hvm/start_info.h (PVH).
 */
#ifndef VMM_BOOT_H
#define VMM_BOOT_H

#include <stdint.h>

#include "switch/error.h"
#include "vmm/boot_file.h"
#include "vmm/ram.h"
#include "vmm/vcpu.h"

/*
 * What lies where below 1 MiB when a kernel starts.  Kernels lie above, the initrd at the end of
 * low memory.  A kernel's own tables take the place of these as soon as it has some.
 */
#define BOOT_GDT_GPA          0x500u
#define BOOT_START_INFO_GPA   0x6000u      /* PVH: a page, with modules and memory map */
#define BOOT_ZERO_PAGE_GPA    0x7000u      /* 64-bit protocol: struct boot_params */
#define BOOT_STACK_END_GPA    0x9000u      /* a page, to be used from its end down */
#define BOOT_PAGE_TABLES_GPA  0x9000u      /* 6 pages: 4 GiB mapped one to one */
#define BOOT_CMDLINE_GPA      0x20000u
#define BOOT_CMDLINE_BYTES    0x10000u
#define BOOT_LOW_END_GPA      0xa0000u     /* memory ends, as on a PC; there is nothing behind */
#define BOOT_ACPI_GPA         0xe0000u     /* the tables, up to: */
#define BOOT_KERNEL_GPA       0x100000u

struct boot_config {
    const struct boot_file *kernel;
    const struct boot_file *initrd;        /* NULL: none */
    const char *cmdline;
    uint64_t acpi_rsdp_gpa;                /* 0: none */
};

/**
 * Fills guest memory and says how the first vCPU starts.
 * @return 0, or -errno with a sentence
 * Thread: main, while no vCPU runs.
 */
int boot_load(struct ram *ram, const struct boot_config *config, struct vcpu_start *start,
              struct error *error);

#endif
