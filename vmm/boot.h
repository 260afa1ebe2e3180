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
#include "vmm/ram.h"
#include "vmm/vcpu.h"

struct boot_config {
    const char *kernel_path;
    const char *initrd_path;       /* NULL: none */
    const char *cmdline;
    uint64_t acpi_rsdp_gpa;        /* 0: none */
};

/**
 * Fills guest memory and says how the first vCPU starts.
 * @return 0, or -errno with a sentence
 * Thread: main, before any vCPU runs.
 */
int boot_load(struct ram *ram, const struct boot_config *config, struct vcpu_start *start,
              struct error *error);

/** As boot_load() for files that are in memory already: what is fuzzed. */
int boot_load_image(struct ram *ram, const uint8_t *kernel, uint64_t kernel_bytes,
                    const uint8_t *initrd, uint64_t initrd_bytes, const struct boot_config *config,
                    struct vcpu_start *start, struct error *error);

#endif
