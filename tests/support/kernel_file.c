/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/support/kernel_file.h"

#include <stddef.h>
#include <string.h>

#define SETUP_BYTES 1024u          /* a boot sector and one of set-up */
#define CODE_AT     1024u          /* in an ELF file */
#define NOTE_AT     512u
#define ENTRY       0x40u          /* in the code */

void kernel_file_bzimage(struct kernel_file *file)
{
    *file = (struct kernel_file){ .len_bytes = SETUP_BYTES + KERNEL_FILE_CODE_BYTES };
    *kernel_file_header(file) = (struct setup_header){
        .setup_sects = 1,
        .syssize = KERNEL_FILE_CODE_BYTES / 16,
        .boot_flag = 0xaa55,
        .jump = 0x6aeb,            /* over the header, to 0x26c */
        .header = 0x53726448,
        .version = 0x020f,
        .loadflags = LOADED_HIGH,
        .initrd_addr_max = 0x7fffffff,
        .kernel_alignment = 0x200000,
        .relocatable_kernel = 1,
        .xloadflags = XLF_KERNEL_64,
        .cmdline_size = 255,
        .setup_data = 0x1234,      /* which a loader must not leave there */
        .pref_address = KERNEL_FILE_GPA,
        .init_size = KERNEL_FILE_TAKES,
    };
    memset(file->bytes + SETUP_BYTES, KERNEL_FILE_CODE, KERNEL_FILE_CODE_BYTES);
}

void kernel_file_elf(struct kernel_file *file, bool pvh)
{
    static const char owner[4] = "Xen";
    const uint32_t entry = KERNEL_FILE_GPA + ENTRY;
    const Elf64_Nhdr note = { .n_namesz = sizeof(owner), .n_descsz = sizeof(entry),
                              .n_type = 18 };
    const uint64_t half = KERNEL_FILE_CODE_BYTES / 2;

    *file = (struct kernel_file){ .len_bytes = CODE_AT + KERNEL_FILE_CODE_BYTES };
    *kernel_file_elf_head(file) = (Elf64_Ehdr){
        .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_entry = KERNEL_FILE_GPA,
        .e_phoff = sizeof(Elf64_Ehdr),
        .e_ehsize = sizeof(Elf64_Ehdr),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = pvh ? KERNEL_FILE_PARTS : KERNEL_FILE_NOTE,
    };
    *kernel_file_part(file, KERNEL_FILE_TEXT) = (Elf64_Phdr){
        .p_type = PT_LOAD, .p_offset = CODE_AT, .p_paddr = KERNEL_FILE_GPA,
        .p_vaddr = UINT64_C(0xffffffff81000000), .p_filesz = half, .p_memsz = half,
    };
    *kernel_file_part(file, KERNEL_FILE_DATA) = (Elf64_Phdr){
        .p_type = PT_LOAD, .p_offset = CODE_AT + half, .p_paddr = KERNEL_FILE_GPA + 4096,
        .p_filesz = half, .p_memsz = KERNEL_FILE_TAKES - 4096,
    };
    if (pvh) {
        *kernel_file_part(file, KERNEL_FILE_NOTE) = (Elf64_Phdr){
            .p_type = PT_NOTE, .p_offset = NOTE_AT, .p_align = 4,
            .p_filesz = sizeof(note) + sizeof(owner) + sizeof(entry),
        };
    }
    memcpy(file->bytes + NOTE_AT, &note, sizeof(note));
    memcpy(file->bytes + NOTE_AT + sizeof(note), owner, sizeof(owner));
    memcpy(file->bytes + NOTE_AT + sizeof(note) + sizeof(owner), &entry, sizeof(entry));
    memset(file->bytes + CODE_AT, KERNEL_FILE_CODE, KERNEL_FILE_CODE_BYTES);
}

struct setup_header *kernel_file_header(struct kernel_file *file)
{
    return (struct setup_header *)(file->bytes + offsetof(struct boot_params, hdr));
}

Elf64_Ehdr *kernel_file_elf_head(struct kernel_file *file)
{
    return (Elf64_Ehdr *)file->bytes;
}

Elf64_Phdr *kernel_file_part(struct kernel_file *file, unsigned number)
{
    return (Elf64_Phdr *)(file->bytes + sizeof(Elf64_Ehdr)) + number;
}

Elf64_Nhdr *kernel_file_note(struct kernel_file *file)
{
    return (Elf64_Nhdr *)(file->bytes + NOTE_AT);
}

struct boot_file kernel_file_of(const struct kernel_file *file)
{
    return (struct boot_file){
        .what = "kernel", .path = "vmlinuz", .fd = -1,
        .bytes = file->bytes, .size_bytes = file->len_bytes,
    };
}
