/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Kernels of a few KiB that a loader takes, for tests to spoil.
 */
#ifndef TESTS_SUPPORT_KERNEL_FILE_H
#define TESTS_SUPPORT_KERNEL_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

#include <asm/bootparam.h>

#include "vmm/boot_file.h"

#define KERNEL_FILE_BYTES      8192u
#define KERNEL_FILE_GPA        0x200000u   /* where it runs */
#define KERNEL_FILE_TAKES      0x100000u   /* from there on, with what it sets to zero */
#define KERNEL_FILE_CODE       0xc3u       /* each byte of its code */
#define KERNEL_FILE_CODE_BYTES 2048u

/* An ELF file's program headers. */
enum { KERNEL_FILE_TEXT, KERNEL_FILE_DATA, KERNEL_FILE_NOTE, KERNEL_FILE_PARTS };

struct kernel_file {
    uint8_t bytes[KERNEL_FILE_BYTES];
    uint64_t len_bytes;
};

void kernel_file_bzimage(struct kernel_file *file);
void kernel_file_elf(struct kernel_file *file, bool pvh);

struct setup_header *kernel_file_header(struct kernel_file *file);
Elf64_Ehdr *kernel_file_elf_head(struct kernel_file *file);
Elf64_Phdr *kernel_file_part(struct kernel_file *file, unsigned number);
/** Of the note that a file with PVH has. */
Elf64_Nhdr *kernel_file_note(struct kernel_file *file);

/** As the loader wants it; borrows. */
struct boot_file kernel_file_of(const struct kernel_file *file);

#endif
