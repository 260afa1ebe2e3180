/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file's tables are read once, whole, and checked in full before the first byte goes to guest
 * memory.  Segments go to their physical addresses, which with Linux differ from the virtual ones.
 */
#include "vmm/boot_image.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "vmm/boot.h"

#define HEADERS_MAX          64u
#define NOTES_BYTES_MAX      16384u        /* a kernel has some hundred */
#define NOTE_XEN_PHYS32      18u           /* XEN_ELFNOTE_PHYS32_ENTRY */
#define LINUX_CMDLINE_BYTES  2047u         /* COMMAND_LINE_SIZE, without its end */

struct elf {
    const struct boot_file *file;
    struct ram *ram;
    Elf64_Ehdr head;
    Elf64_Phdr part[HEADERS_MAX];
    uint64_t end_gpa;
};

static const struct { uint16_t machine; const char *name; } machines[] = {
    { EM_386, "32-bit x86" }, { EM_ARM, "32-bit ARM" }, { EM_AARCH64, "arm64" },
    { EM_RISCV, "RISC-V" }, { EM_PPC64, "POWER" }, { EM_S390, "IBM Z" }, { EM_MIPS, "MIPS" },
    { EM_LOONGARCH, "LoongArch" }, { EM_BPF, "BPF" },
};

static const char *machine_name(uint16_t machine)
{
    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
        if (machines[i].machine == machine) {
            return machines[i].name;
        }
    }
    return "another machine";
}

static const char *type_name(uint16_t type)
{
    return type == ET_DYN ? "a shared object or a program to be relocated" :
           type == ET_REL ? "an object file or a module" :
           type == ET_CORE ? "a core dump" : "no program";
}

static int head_check(const struct boot_file *file, const Elf64_Ehdr *head, struct error *error)
{
    if (head->e_ident[EI_CLASS] == ELFCLASS32) {
        return error_set(error, EINVAL,
                         "the kernel %s is a 32-bit ELF file: give one built for x86-64",
                         file->path);
    }
    if (head->e_ident[EI_DATA] == ELFDATA2LSB && head->e_machine != EM_X86_64) {
        return error_set(error, EINVAL,
                         "the kernel %s is an ELF file for %s (%u): give one built for x86-64",
                         file->path, machine_name(head->e_machine), head->e_machine);
    }
    if (head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_ident[EI_DATA] != ELFDATA2LSB) {
        return error_set(error, EINVAL,
                         "the kernel %s is an ELF file of a class or byte order that x86-64 does "
                         "not have: give one built for x86-64", file->path);
    }
    if (head->e_type != ET_EXEC) {
        return error_set(error, EINVAL,
                         "the kernel %s is an ELF file, but %s: give a vmlinux, or link it to "
                         "fixed addresses", file->path, type_name(head->e_type));
    }
    if (head->e_phentsize != sizeof(Elf64_Phdr) || head->e_phnum == 0 ||
        head->e_phnum > HEADERS_MAX) {
        return error_set(error, EINVAL,
                         "the kernel %s has %u program headers of %u bytes, and 1 to %u of %zu are "
                         "possible: it is damaged, or no kernel", file->path, head->e_phnum,
                         head->e_phentsize, HEADERS_MAX, sizeof(Elf64_Phdr));
    }
    return 0;
}

/* ---- segments -------------------------------------------------------------------------------- */

static bool is_loaded(const Elf64_Phdr *part)
{
    return part->p_type == PT_LOAD && part->p_memsz > 0;
}

/* Whether the file has the segment, and low memory the place for it. */
static int segment_check(const struct elf *elf, const Elf64_Phdr *part, struct error *error)
{
    const uint64_t low_bytes = elf->ram->part[0].size_bytes;
    const uint64_t size_bytes = elf->file->size_bytes;

    if (part->p_offset > size_bytes || part->p_filesz > size_bytes - part->p_offset) {
        return error_set(error, EINVAL,
                         "the kernel %s is cut off: it has %" PRIu64 " bytes, and a segment of %"
                         PRIu64 " is to be at %" PRIu64 "; copy it anew", elf->file->path,
                         size_bytes, (uint64_t)part->p_filesz, (uint64_t)part->p_offset);
    }
    if (part->p_filesz > part->p_memsz) {
        return error_set(error, EINVAL,
                         "the kernel %s has a segment with more bytes in the file than in memory: "
                         "it is damaged", elf->file->path);
    }
    if (part->p_paddr < BOOT_KERNEL_GPA) {
        return error_set(error, EINVAL,
                         "the kernel %s has a segment at physical address 0x%" PRIx64 ", below "
                         "1 MiB, where what it is told lies: link it to a higher one",
                         elf->file->path, (uint64_t)part->p_paddr);
    }
    if (part->p_paddr > low_bytes || part->p_memsz > low_bytes - part->p_paddr) {
        const bool is_far = part->p_paddr > RAM_HOLE_GPA || part->p_memsz > RAM_HOLE_GPA;

        return boot_too_large(elf->ram, elf->file,
                              is_far ? UINT64_MAX : part->p_paddr + part->p_memsz, error);
    }
    return 0;
}

/* Two segments that were both checked. */
static bool overlap(const Elf64_Phdr *a, const Elf64_Phdr *b)
{
    return a->p_paddr < b->p_paddr + b->p_memsz && b->p_paddr < a->p_paddr + a->p_memsz;
}

static int segments_check(struct elf *elf, struct error *error)
{
    for (unsigned i = 0; i < elf->head.e_phnum; i++) {
        const Elf64_Phdr *part = &elf->part[i];
        int result;

        if (!is_loaded(part)) {
            continue;
        }
        result = segment_check(elf, part, error);
        if (result != 0) {
            return result;
        }
        for (unsigned j = 0; j < i; j++) {
            if (is_loaded(&elf->part[j]) && overlap(&elf->part[j], part)) {
                return error_set(error, EINVAL,
                                 "the kernel %s has two segments at physical address 0x%" PRIx64
                                 ": it is damaged, or linked without physical addresses",
                                 elf->file->path, (uint64_t)part->p_paddr);
            }
        }
        if (elf->end_gpa < part->p_paddr + part->p_memsz) {
            elf->end_gpa = part->p_paddr + part->p_memsz;
        }
    }
    return 0;
}

static int segments_load(const struct elf *elf, struct error *error)
{
    for (unsigned i = 0; i < elf->head.e_phnum; i++) {
        const Elf64_Phdr *part = &elf->part[i];
        uint8_t *to;
        int result;

        if (!is_loaded(part)) {
            continue;
        }
        to = ram_at(elf->ram, part->p_paddr, part->p_memsz);
        result = boot_file_read(elf->file, part->p_offset, to, part->p_filesz, error);
        if (result != 0) {
            return result;
        }
        ram_clear(elf->ram, to + part->p_filesz, part->p_memsz - part->p_filesz);
    }
    return 0;
}

/* ---- the entry ------------------------------------------------------------------------------- */

static uint64_t align_up(uint64_t value, uint64_t align)
{
    return (value + align - 1) & ~(align - 1);
}

/* Looks for Xen's note among @p len_bytes of notes.  Returns whether it is there. */
static bool notes_find_pvh(const uint8_t *notes, uint64_t len_bytes, uint64_t align,
                           uint64_t *entry_gpa)
{
    static const char owner[] = "Xen";
    uint64_t at = 0;

    while (len_bytes - at >= sizeof(Elf64_Nhdr)) {
        const uint8_t *name = notes + at + sizeof(Elf64_Nhdr);
        Elf64_Nhdr note;
        uint64_t text_at, end;

        memcpy(&note, notes + at, sizeof(note));
        text_at = align_up(at + sizeof(note) + note.n_namesz, align);
        end = text_at + note.n_descsz;
        if (end > len_bytes) {
            return false;
        }
        if (note.n_type == NOTE_XEN_PHYS32 && note.n_namesz == sizeof(owner) &&
            memcmp(name, owner, sizeof(owner)) == 0 &&
            (note.n_descsz == sizeof(uint32_t) || note.n_descsz == sizeof(uint64_t))) {
            *entry_gpa = 0;
            memcpy(entry_gpa, notes + text_at, note.n_descsz);
            return true;
        }
        at = align_up(end, align);
        if (at > len_bytes) {
            return false;
        }
    }
    return false;
}

/* The entry by PVH where the file has that, else the one of its header. */
static int entry_find(const struct elf *elf, struct boot_image *image, struct error *error)
{
    uint8_t notes[NOTES_BYTES_MAX];

    image->entry_gpa = elf->head.e_entry;
    for (unsigned i = 0; i < elf->head.e_phnum && !image->is_pvh; i++) {
        const Elf64_Phdr *part = &elf->part[i];
        int result;

        if (part->p_type != PT_NOTE) {
            continue;
        }
        if (part->p_filesz > sizeof(notes)) {
            return error_set(error, EINVAL,
                             "the kernel %s has %" PRIu64 " bytes of notes, and at most %zu are "
                             "looked through: it is damaged, or no kernel", elf->file->path,
                             (uint64_t)part->p_filesz, sizeof(notes));
        }
        result = boot_file_read(elf->file, part->p_offset, notes, part->p_filesz, error);
        if (result != 0) {
            return result;
        }
        image->is_pvh = notes_find_pvh(notes, part->p_filesz, part->p_align == 8 ? 8 : 4,
                                       &image->entry_gpa);
    }
    for (unsigned i = 0; i < elf->head.e_phnum; i++) {
        if (is_loaded(&elf->part[i]) &&
            image->entry_gpa - elf->part[i].p_paddr < elf->part[i].p_filesz) {
            return 0;
        }
    }
    return error_set(error, EINVAL,
                     "the kernel %s would be entered at physical address 0x%" PRIx64
                     ", where it has nothing: it is a program of an operating system, or damaged",
                     elf->file->path, image->entry_gpa);
}

/* What a bzImage would say of itself, for those who look. */
static struct setup_header header_make(void)
{
    return (struct setup_header){
        .boot_flag = 0xaa55,
        .header = 0x53726448,      /* "HdrS" */
        .version = 0x020c,
        .loadflags = LOADED_HIGH,
        .kernel_alignment = BOOT_KERNEL_GPA,
        .xloadflags = XLF_KERNEL_64,
        .cmdline_size = LINUX_CMDLINE_BYTES,
    };
}

int boot_elf_load(struct ram *ram, const struct boot_file *file, struct boot_image *image,
                  struct error *error)
{
    struct elf elf = { .file = file, .ram = ram };
    int result = boot_file_read(file, 0, &elf.head, sizeof(elf.head), error);

    if (result == 0) {
        result = head_check(file, &elf.head, error);
    }
    if (result == 0) {
        result = boot_file_read(file, elf.head.e_phoff, elf.part,
                                elf.head.e_phnum * sizeof(elf.part[0]), error);
    }
    if (result == 0) {
        result = segments_check(&elf, error);
    }
    if (result != 0) {
        return result;
    }
    *image = (struct boot_image){
        .end_gpa = elf.end_gpa,
        .initrd_last_gpa = RAM_HOLE_GPA - 1,
        .cmdline_max_bytes = LINUX_CMDLINE_BYTES,
        .header = header_make(),
    };
    result = entry_find(&elf, image, error);
    return result != 0 ? result : segments_load(&elf, error);
}
