/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Between boot and its two loaders: what one has found out of a kernel that it put into memory.
 */
#ifndef VMM_BOOT_IMAGE_H
#define VMM_BOOT_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <asm/bootparam.h>

#include "switch/error.h"
#include "vmm/boot_file.h"
#include "vmm/ram.h"

struct boot_image {
    bool is_pvh;                   /* entered by PVH; else by the 64-bit protocol */
    uint64_t entry_gpa;
    uint64_t end_gpa;              /* of all that the kernel takes until it knows its memory */
    uint64_t initrd_last_gpa;      /* where an initrd may lie at most */
    uint64_t cmdline_max_bytes;    /* without the zero at its end */
    struct setup_header header;    /* for the zero page */
};

/* Both: @return 0, or -errno with a sentence; @p image is filled.  Thread: main. */

int boot_bzimage_load(struct ram *ram, const struct boot_file *file, struct boot_image *image,
                      struct error *error);
int boot_elf_load(struct ram *ram, const struct boot_file *file, struct boot_image *image,
                  struct error *error);

/** Says what @p file is, since it is no kernel.  @return -errno */
int boot_refuse(const struct boot_file *file, struct error *error);
/**
 * Says how much memory @p file needs, since it does not fit.
 * @param end_gpa  low memory must reach as far; UINT64_MAX: beyond what any VM has
 * @return -ENOMEM
 */
int boot_too_large(const struct ram *ram, const struct boot_file *file, uint64_t end_gpa,
                   struct error *error);

#endif
