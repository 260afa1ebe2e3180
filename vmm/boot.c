/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel is loaded first, since it says what may lie where; then comes what it is told.  All of
 * that lies below 1 MiB, where no kernel is put: so the two cannot overlap.
 */
#include "vmm/boot.h"

#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "vmm/boot_image.h"
#include "vmm/pci.h"

#define PAGE_BYTES       4096u
#define ENTRIES_PER_PAGE 512u
#define MAPPED_GIBS      4u
#define LARGE_PAGE_BYTES (UINT64_C(2) << 20)
#define PAGE_WRITABLE    UINT64_C(0x3)     /* and present */
#define PAGE_LARGE       UINT64_C(0x80)

#define BOOT_FLAG_OFFSET offsetof(struct boot_params, hdr.boot_flag)
#define HEADER_MAGIC_OFFSET offsetof(struct boot_params, hdr.header)
#define BOOT_MAGICS_END  (HEADER_MAGIC_OFFSET + sizeof(uint32_t))
#define LOADER_UNKNOWN   0xffu
#define VIDEO_NORMAL     0xffffu

/* Types of memory, alike in e820 and PVH. */
#define MEMORY_RAM       1u
#define MEMORY_RESERVED  2u
#define MEMORY_RANGES_MAX 5u

/* Xen public/arch-x86/hvm/start_info.h, version 1. */
#define START_INFO_MAGIC 0x336ec578u

struct start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules_gpa, cmdline_gpa, rsdp_gpa, map_gpa;
    uint32_t map_count, reserved;
};

struct start_module {
    uint64_t gpa, size_bytes, cmdline_gpa, reserved;
};

struct start_memory {
    uint64_t gpa, size_bytes;
    uint32_t type, reserved;
};

struct start_page {
    struct start_info info;
    struct start_module initrd;
    struct start_memory map[MEMORY_RANGES_MAX];
};

static_assert(sizeof(struct start_info) == 56, "as Xen has it");
static_assert(sizeof(struct start_module) == 32, "as Xen has it");
static_assert(sizeof(struct start_memory) == 24, "as Xen has it");
static_assert(sizeof(struct start_page) <= PAGE_BYTES, "there is one page for it");
static_assert(sizeof(struct boot_params) == PAGE_BYTES, "there is one page for it");

struct memory_range {
    uint64_t gpa, size_bytes;
    uint32_t type;
};

/* Where the initrd is; all 0 when there is none. */
struct placed {
    uint64_t gpa, size_bytes;
};

/* The memory of a VM, for it to know.  Returns the number of ranges. */
static unsigned memory_map(const struct ram *ram, struct memory_range map[MEMORY_RANGES_MAX])
{
    const uint64_t low_bytes = ram->part[0].size_bytes;
    unsigned count = 0;

    map[count++] = (struct memory_range){ 0, BOOT_LOW_END_GPA, MEMORY_RAM };
    map[count++] = (struct memory_range){ BOOT_ACPI_GPA, BOOT_KERNEL_GPA - BOOT_ACPI_GPA,
                                          MEMORY_RESERVED };
    map[count++] = (struct memory_range){ BOOT_KERNEL_GPA, low_bytes - BOOT_KERNEL_GPA,
                                          MEMORY_RAM };
    map[count++] = (struct memory_range){ PCI_ECAM_GPA, PCI_ECAM_BYTES, MEMORY_RESERVED };
    if (ram->part_count > 1) {
        map[count++] = (struct memory_range){ ram->part[1].gpa, ram->part[1].size_bytes,
                                              MEMORY_RAM };
    }
    return count;
}

/* ---- what a kernel is given ------------------------------------------------------------------ */

static int load_kernel(struct ram *ram, const struct boot_file *file, struct boot_image *image,
                       struct error *error)
{
    uint8_t head[BOOT_MAGICS_END] = { 0 };
    const uint64_t len_bytes = file->size_bytes < sizeof(head) ? file->size_bytes : sizeof(head);
    const int result = boot_file_read(file, 0, head, len_bytes, error);

    if (result != 0) {
        return result;
    }
    if (memcmp(head, ELFMAG, SELFMAG) == 0) {
        return boot_elf_load(ram, file, image, error);
    }
    if (memcmp(head + BOOT_FLAG_OFFSET, "\x55\xaa", 2) == 0 &&
        memcmp(head + HEADER_MAGIC_OFFSET, "HdrS", 4) == 0) {
        return boot_bzimage_load(ram, file, image, error);
    }
    return boot_refuse(file, error);
}

/* At the end of low memory, as far from the kernel as can be. */
static int load_initrd(struct ram *ram, const struct boot_file *file,
                       const struct boot_image *image, struct placed *initrd,
                       struct error *error)
{
    const uint64_t size_bytes = file->size_bytes;
    const uint64_t kernel_end = (image->end_gpa + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    const uint64_t low_bytes = ram->part[0].size_bytes;
    const uint64_t most = image->initrd_last_gpa + 1;
    const uint64_t end = low_bytes < most ? low_bytes : most;

    if (kernel_end > most || size_bytes > most - kernel_end) {
        return error_set(error, EFBIG,
                         "the initrd %s of %" PRIu64 " bytes is too large for this kernel, which "
                         "takes it below address 0x%" PRIx64 " only: give a smaller one",
                         file->path, size_bytes, most);
    }
    if (kernel_end > end || size_bytes > end - kernel_end) {
        return boot_too_large(ram, file, kernel_end + size_bytes, error);
    }
    *initrd = (struct placed){
        .gpa = (end - size_bytes) / PAGE_BYTES * PAGE_BYTES,
        .size_bytes = size_bytes,
    };
    return boot_file_read(file, 0, ram_at(ram, initrd->gpa, size_bytes), size_bytes, error);
}

static int write_cmdline(uint8_t *low, const char *cmdline, uint64_t max_bytes,
                         struct error *error)
{
    const size_t length = strlen(cmdline);

    if (max_bytes > BOOT_CMDLINE_BYTES - 1) {
        max_bytes = BOOT_CMDLINE_BYTES - 1;
    }
    if (length > max_bytes) {
        return error_set(error, E2BIG,
                         "the kernel's command line has %zu characters with what the monitor adds, "
                         "and this kernel takes %" PRIu64 ": shorten it", length, max_bytes);
    }
    memcpy(low + BOOT_CMDLINE_GPA, cmdline, length + 1);
    return 0;
}

/* ---- entering it ----------------------------------------------------------------------------- */

static void start_by_pvh(const struct ram *ram, uint8_t *low, const struct placed *initrd,
                         uint64_t rsdp_gpa, struct vcpu_start *start)
{
    static const uint64_t gdt[] = VCPU_GDT_PROTECTED;
    struct memory_range map[MEMORY_RANGES_MAX];
    struct start_page page = {
        .info = {
            .magic = START_INFO_MAGIC,
            .version = 1,
            .module_count = initrd->size_bytes > 0,
            .modules_gpa = BOOT_START_INFO_GPA + offsetof(struct start_page, initrd),
            .cmdline_gpa = BOOT_CMDLINE_GPA,
            .rsdp_gpa = rsdp_gpa,
            .map_gpa = BOOT_START_INFO_GPA + offsetof(struct start_page, map),
            .map_count = memory_map(ram, map),
        },
        .initrd = { .gpa = initrd->gpa, .size_bytes = initrd->size_bytes },
    };

    for (unsigned i = 0; i < page.info.map_count; i++) {
        page.map[i] = (struct start_memory){ map[i].gpa, map[i].size_bytes, map[i].type, 0 };
    }
    memcpy(low + BOOT_START_INFO_GPA, &page, sizeof(page));
    memcpy(low + BOOT_GDT_GPA, gdt, sizeof(gdt));
    start->mode = VCPU_START_PROTECTED;
    start->rbx = BOOT_START_INFO_GPA;
}

static void write_zero_page(const struct ram *ram, uint8_t *low, const struct boot_image *image,
                            const struct placed *initrd, uint64_t rsdp_gpa)
{
    struct memory_range map[MEMORY_RANGES_MAX];
    struct boot_params params = { .acpi_rsdp_addr = rsdp_gpa, .hdr = image->header };

    params.hdr.type_of_loader = LOADER_UNKNOWN;
    params.hdr.vid_mode = VIDEO_NORMAL;
    params.hdr.ramdisk_image = (uint32_t)initrd->gpa;          /* below the hole at 3 GiB */
    params.hdr.ramdisk_size = (uint32_t)initrd->size_bytes;
    params.hdr.cmd_line_ptr = BOOT_CMDLINE_GPA;
    params.hdr.setup_data = 0;
    params.e820_entries = (uint8_t)memory_map(ram, map);
    for (unsigned i = 0; i < params.e820_entries; i++) {
        params.e820_table[i] = (struct boot_e820_entry){ map[i].gpa, map[i].size_bytes,
                                                         map[i].type };
    }
    memcpy(low + BOOT_ZERO_PAGE_GPA, &params, sizeof(params));
}

static void write_entry(uint8_t *low, uint64_t gpa, uint64_t entry)
{
    memcpy(low + gpa, &entry, sizeof(entry));
}

/* Three levels, in consecutive pages, of which the last maps pages of 2 MiB. */
static void write_page_tables(uint8_t *low)
{
    const uint64_t pointers_gpa = BOOT_PAGE_TABLES_GPA + PAGE_BYTES;
    const uint64_t directories_gpa = pointers_gpa + PAGE_BYTES;

    memset(low + BOOT_PAGE_TABLES_GPA, 0, 2 * PAGE_BYTES);
    write_entry(low, BOOT_PAGE_TABLES_GPA, pointers_gpa | PAGE_WRITABLE);
    for (unsigned i = 0; i < MAPPED_GIBS; i++) {
        write_entry(low, pointers_gpa + i * sizeof(uint64_t),
                    (directories_gpa + i * PAGE_BYTES) | PAGE_WRITABLE);
    }
    for (unsigned i = 0; i < MAPPED_GIBS * ENTRIES_PER_PAGE; i++) {
        write_entry(low, directories_gpa + i * sizeof(uint64_t),
                    i * LARGE_PAGE_BYTES | PAGE_LARGE | PAGE_WRITABLE);
    }
}

static void start_by_64_bits(const struct ram *ram, uint8_t *low, const struct boot_image *image,
                             const struct placed *initrd, uint64_t rsdp_gpa,
                             struct vcpu_start *start)
{
    static const uint64_t gdt[] = VCPU_GDT_LONG;

    write_zero_page(ram, low, image, initrd, rsdp_gpa);
    write_page_tables(low);
    memcpy(low + BOOT_GDT_GPA, gdt, sizeof(gdt));
    start->mode = VCPU_START_LONG;
    start->rsi = BOOT_ZERO_PAGE_GPA;
    start->page_tables_gpa = BOOT_PAGE_TABLES_GPA;
}

int boot_load(struct ram *ram, const struct boot_config *config, struct vcpu_start *start,
              struct error *error)
{
    uint8_t *low = ram_at(ram, 0, BOOT_KERNEL_GPA);
    struct boot_image image;
    struct placed initrd = { 0 };
    int result;

    assert(low != NULL);
    result = load_kernel(ram, config->kernel, &image, error);
    if (result == 0 && config->initrd != NULL) {
        result = load_initrd(ram, config->initrd, &image, &initrd, error);
    }
    if (result == 0) {
        result = write_cmdline(low, config->cmdline, image.cmdline_max_bytes, error);
    }
    if (result != 0) {
        return result;
    }
    *start = (struct vcpu_start){
        .rip = image.entry_gpa,
        .rsp = BOOT_STACK_END_GPA,
        .gdt_gpa = BOOT_GDT_GPA,
    };
    if (image.is_pvh) {
        start_by_pvh(ram, low, &initrd, config->acpi_rsdp_gpa, start);
    } else {
        start_by_64_bits(ram, low, &image, &initrd, config->acpi_rsdp_gpa, start);
    }
    return 0;
}
