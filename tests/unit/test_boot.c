/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What guest memory and the first processor are like when a kernel has been loaded.
 */
#include "vmm/boot.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/kernel_file.h"
#include "vmm/pci.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

#define RSDP         0xe0000u
#define INITRD_BYTES 5000u         /* not a whole number of pages */
#define RAM          1u
#define RESERVED     2u

struct boot_lab {
    struct ram ram;
    struct kernel_file kernel;
    uint8_t initrd[INITRD_BYTES];
    struct vcpu_start start;
    struct error error;
};

static int lab_setup(void **state)
{
    struct boot_lab *lab = calloc(1, sizeof(*lab));

    lab->ram.fd = -1;
    memset(lab->initrd, 0x17, sizeof(lab->initrd));
    *state = lab;
    return 0;
}

static int lab_teardown(void **state)
{
    struct boot_lab *lab = *state;

    ram_destroy(&lab->ram);
    free(lab);
    return 0;
}

/* A guest's memory as one leaves it that is reset. */
static void used_ram(struct boot_lab *lab, uint64_t size_bytes)
{
    assert_int_equal(ram_create(&lab->ram, size_bytes, NULL), 0);
    memset(ram_at(&lab->ram, 0, 4 * MIB), 0x5a, 4 * MIB);
}

static int load(struct boot_lab *lab, uint64_t initrd_bytes, const char *cmdline)
{
    const struct boot_file kernel = kernel_file_of(&lab->kernel);
    const struct boot_file initrd = {
        .what = "initrd", .path = "initrd.img", .fd = -1,
        .bytes = lab->initrd, .size_bytes = initrd_bytes,
    };
    const struct boot_config config = {
        .kernel = &kernel,
        .initrd = initrd_bytes > 0 ? &initrd : NULL,
        .cmdline = cmdline,
        .acpi_rsdp_gpa = RSDP,
    };

    return boot_load(&lab->ram, &config, &lab->start, &lab->error);
}

static uint64_t word(const struct boot_lab *lab, uint64_t gpa)
{
    uint64_t value;

    memcpy(&value, ram_at(&lab->ram, gpa, sizeof(value)), sizeof(value));
    return value;
}

static const struct boot_params *zero_page(const struct boot_lab *lab)
{
    return ram_at(&lab->ram, lab->start.rsi, sizeof(struct boot_params));
}

static void assert_bytes(const struct boot_lab *lab, uint64_t gpa, uint8_t value,
                         uint64_t len_bytes)
{
    const uint8_t *bytes = ram_at(&lab->ram, gpa, len_bytes);

    assert_non_null(bytes);
    for (uint64_t i = 0; i < len_bytes; i++) {
        assert_int_equal(bytes[i], value);
    }
}

static void assert_e820(const struct boot_params *params, unsigned index, uint64_t gpa,
                        uint64_t size_bytes, uint32_t type)
{
    assert_true(index < params->e820_entries);
    assert_int_equal(params->e820_table[index].addr, gpa);
    assert_int_equal(params->e820_table[index].size, size_bytes);
    assert_int_equal(params->e820_table[index].type, type);
}

/* What a processor makes of @p address: Intel SDM 3, 4.5. */
static uint64_t walk(const struct boot_lab *lab, uint64_t address)
{
    uint64_t gpa = lab->start.page_tables_gpa;

    for (unsigned shift = 39; shift > 21; shift -= 9) {
        const uint64_t entry = word(lab, gpa + (address >> shift & 511) * 8);

        assert_int_equal(entry & 0x83, 0x03);          /* present, writable, a table */
        gpa = entry & ~UINT64_C(0xfff);
    }
    gpa = word(lab, gpa + (address >> 21 & 511) * 8);
    assert_int_equal(gpa & 0x83, 0x83);                /* a page of 2 MiB */
    return (gpa & ~UINT64_C(0x1fffff)) | (address & 0x1fffff);
}

/* ---- the 64-bit protocol --------------------------------------------------------------------- */

static void test_boot_bzimage_is_entered_by_the_64_bit_protocol(void **state)
{
    struct boot_lab *lab = *state;
    const struct boot_params *params;

    used_ram(lab, 16 * MIB);
    kernel_file_bzimage(&lab->kernel);
    assert_int_equal(load(lab, 0, "console=ttyS0"), 0);

    assert_int_equal(lab->start.mode, VCPU_START_LONG);
    assert_int_equal(lab->start.rip, KERNEL_FILE_GPA + 0x200);
    assert_bytes(lab, KERNEL_FILE_GPA, KERNEL_FILE_CODE, KERNEL_FILE_CODE_BYTES);
    params = zero_page(lab);
    assert_int_equal(params->hdr.type_of_loader, 0xff);
    assert_int_equal(params->hdr.version, 0x020f);
    assert_int_equal(params->hdr.init_size, KERNEL_FILE_TAKES);
    assert_int_equal(params->hdr.setup_data, 0);
    assert_int_equal(params->hdr.ramdisk_size, 0);
    assert_int_equal(params->acpi_rsdp_addr, RSDP);
    assert_int_equal(params->sentinel, 0);             /* nor anything else that was there */
    assert_string_equal(ram_at(&lab->ram, params->hdr.cmd_line_ptr, 14), "console=ttyS0");
}

static void test_boot_header_ends_where_the_file_says(void **state)
{
    struct boot_lab *lab = *state;

    used_ram(lab, 16 * MIB);
    kernel_file_bzimage(&lab->kernel);
    kernel_file_header(&lab->kernel)->jump = 0x62eb;   /* to 0x264, behind init_size */
    kernel_file_header(&lab->kernel)->handover_offset = 0x190;
    assert_int_equal(load(lab, 0, ""), 0);

    assert_int_equal(zero_page(lab)->hdr.handover_offset, 0);
}

static void test_boot_page_tables_map_4_gib_one_to_one(void **state)
{
    const uint64_t addresses[] = { 0, 0x7000, 2 * MIB - 1, 2 * MIB, GIB - 1, GIB, 3 * GIB + 5,
                                   4 * GIB - 1 };
    struct boot_lab *lab = *state;

    used_ram(lab, 16 * MIB);
    kernel_file_bzimage(&lab->kernel);
    assert_int_equal(load(lab, 0, ""), 0);

    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        assert_int_equal(walk(lab, addresses[i]), addresses[i]);
    }
    assert_int_equal(word(lab, lab->start.page_tables_gpa + 8), 0);
    assert_int_equal(word(lab, BOOT_PAGE_TABLES_GPA + 4096 + 4 * 8), 0);
}

static void test_boot_descriptor_table_is_that_of_the_mode(void **state)
{
    static const uint64_t gdt_long[] = VCPU_GDT_LONG;
    static const uint64_t gdt_protected[] = VCPU_GDT_PROTECTED;
    struct boot_lab *lab = *state;

    used_ram(lab, 16 * MIB);
    kernel_file_elf(&lab->kernel, false);
    assert_int_equal(load(lab, 0, ""), 0);
    assert_memory_equal(ram_at(&lab->ram, lab->start.gdt_gpa, sizeof(gdt_long)), gdt_long,
                        sizeof(gdt_long));
    kernel_file_elf(&lab->kernel, true);
    assert_int_equal(load(lab, 0, ""), 0);

    assert_memory_equal(ram_at(&lab->ram, lab->start.gdt_gpa, sizeof(gdt_protected)),
                        gdt_protected, sizeof(gdt_protected));
}

static void test_boot_memory_map_has_the_hole_and_what_lies_behind(void **state)
{
    struct boot_lab *lab = *state;
    const struct boot_params *params;

    used_ram(lab, 5 * GIB);
    kernel_file_bzimage(&lab->kernel);
    assert_int_equal(load(lab, 0, ""), 0);

    params = zero_page(lab);
    assert_int_equal(params->e820_entries, 5);
    assert_e820(params, 0, 0, 0xa0000, RAM);
    assert_e820(params, 1, 0xe0000, 0x20000, RESERVED);
    assert_e820(params, 2, MIB, 3 * GIB - MIB, RAM);
    assert_e820(params, 3, PCI_ECAM_GPA, PCI_ECAM_BYTES, RESERVED);
    assert_e820(params, 4, 4 * GIB, 2 * GIB, RAM);
}

static void test_boot_memory_map_of_a_small_vm_has_no_high_memory(void **state)
{
    struct boot_lab *lab = *state;
    const struct boot_params *params;

    used_ram(lab, 16 * MIB);
    kernel_file_bzimage(&lab->kernel);
    assert_int_equal(load(lab, 0, ""), 0);

    params = zero_page(lab);
    assert_int_equal(params->e820_entries, 4);
    assert_e820(params, 2, MIB, 15 * MIB, RAM);
}

/* ---- initrd ---------------------------------------------------------------------------------- */

static void test_boot_initrd_lies_at_the_end_of_low_memory(void **state)
{
    struct boot_lab *lab = *state;
    const struct boot_params *params;

    used_ram(lab, 16 * MIB);
    kernel_file_bzimage(&lab->kernel);
    assert_int_equal(load(lab, INITRD_BYTES, ""), 0);

    params = zero_page(lab);
    assert_int_equal(params->hdr.ramdisk_image, 16 * MIB - 8192);
    assert_int_equal(params->hdr.ramdisk_size, INITRD_BYTES);
    assert_bytes(lab, params->hdr.ramdisk_image, 0x17, INITRD_BYTES);
}

static void test_boot_initrd_lies_no_higher_than_the_kernel_wants(void **state)
{
    struct boot_lab *lab = *state;

    used_ram(lab, 32 * MIB);
    kernel_file_bzimage(&lab->kernel);
    kernel_file_header(&lab->kernel)->initrd_addr_max = 8 * MIB - 1;
    assert_int_equal(load(lab, INITRD_BYTES, ""), 0);

    assert_int_equal(zero_page(lab)->hdr.ramdisk_image, 8 * MIB - 8192);
    assert_bytes(lab, 8 * MIB - 8192, 0x17, INITRD_BYTES);
}

static void test_boot_initrd_of_all_that_is_left_fits_and_a_page_more_does_not(void **state)
{
    struct boot_lab *lab = *state;

    used_ram(lab, 16 * MIB);
    kernel_file_bzimage(&lab->kernel);
    kernel_file_header(&lab->kernel)->init_size = (uint32_t)(14 * MIB - 8192);
    assert_int_equal(load(lab, INITRD_BYTES, ""), 0);
    assert_int_equal(zero_page(lab)->hdr.ramdisk_image, 16 * MIB - 8192);
    kernel_file_header(&lab->kernel)->init_size += 4096;

    assert_int_equal(load(lab, INITRD_BYTES, ""), -ENOMEM);
    assert_string_equal(lab->error.text, "the initrd initrd.img does not fit into 16 MiB of "
                        "memory: give the VM at least 18M");
}

static void test_boot_initrd_above_what_the_kernel_takes_is_refused(void **state)
{
    struct boot_lab *lab = *state;

    used_ram(lab, 16 * MIB);
    kernel_file_bzimage(&lab->kernel);
    kernel_file_header(&lab->kernel)->initrd_addr_max = KERNEL_FILE_GPA + KERNEL_FILE_TAKES;

    assert_int_equal(load(lab, INITRD_BYTES, ""), -EFBIG);
    assert_non_null(strstr(lab->error.text, "too large for this kernel"));
}

/* ---- ELF ------------------------------------------------------------------------------------- */

static void test_boot_elf_is_entered_by_the_64_bit_protocol_at_its_entry(void **state)
{
    struct boot_lab *lab = *state;
    const struct boot_params *params;

    used_ram(lab, 16 * MIB);
    kernel_file_elf(&lab->kernel, false);
    assert_int_equal(load(lab, INITRD_BYTES, "quiet"), 0);

    assert_int_equal(lab->start.mode, VCPU_START_LONG);
    assert_int_equal(lab->start.rip, KERNEL_FILE_GPA);
    params = zero_page(lab);
    assert_int_equal(params->hdr.header, 0x53726448);
    assert_int_equal(params->hdr.ramdisk_size, INITRD_BYTES);
    assert_string_equal(ram_at(&lab->ram, params->hdr.cmd_line_ptr, 6), "quiet");
}

static void test_boot_elf_memory_that_the_file_has_not_is_zero(void **state)
{
    const uint64_t half = KERNEL_FILE_CODE_BYTES / 2;
    struct boot_lab *lab = *state;

    used_ram(lab, 16 * MIB);
    kernel_file_elf(&lab->kernel, false);
    assert_int_equal(load(lab, 0, ""), 0);

    assert_bytes(lab, KERNEL_FILE_GPA, KERNEL_FILE_CODE, half);
    assert_bytes(lab, KERNEL_FILE_GPA + half, 0x5a, 4096 - half);      /* is nobody's */
    assert_bytes(lab, KERNEL_FILE_GPA + 4096, KERNEL_FILE_CODE, half);
    assert_bytes(lab, KERNEL_FILE_GPA + 4096 + half, 0, KERNEL_FILE_TAKES - 4096 - half);
    assert_bytes(lab, KERNEL_FILE_GPA + KERNEL_FILE_TAKES, 0x5a, 4096);
}

static void test_boot_elf_with_xens_note_is_entered_by_pvh(void **state)
{
    struct boot_lab *lab = *state;
    uint64_t info, modules, map;

    used_ram(lab, 5 * GIB);
    kernel_file_elf(&lab->kernel, true);
    assert_int_equal(load(lab, INITRD_BYTES, "root=/dev/vda"), 0);

    assert_int_equal(lab->start.mode, VCPU_START_PROTECTED);
    assert_int_equal(lab->start.rip, KERNEL_FILE_GPA + 0x40);
    info = lab->start.rbx;
    assert_int_equal(word(lab, info), 0x00000001336ec578);     /* magic, version */
    assert_int_equal(word(lab, info + 8), UINT64_C(1) << 32);  /* no flags, one module */
    modules = word(lab, info + 16);
    assert_string_equal(ram_at(&lab->ram, word(lab, info + 24), 14), "root=/dev/vda");
    assert_int_equal(word(lab, info + 32), RSDP);
    map = word(lab, info + 40);
    assert_int_equal(word(lab, info + 48), 5);
    assert_int_equal(word(lab, modules), 3 * GIB - 8192);
    assert_int_equal(word(lab, modules + 8), INITRD_BYTES);
    assert_bytes(lab, word(lab, modules), 0x17, INITRD_BYTES);
    assert_int_equal(word(lab, map + 2 * 24), MIB);
    assert_int_equal(word(lab, map + 2 * 24 + 8), 3 * GIB - MIB);
    assert_int_equal(word(lab, map + 2 * 24 + 16), RAM);
    assert_int_equal(word(lab, map + 4 * 24), 4 * GIB);
    assert_int_equal(word(lab, map + 4 * 24 + 8), 2 * GIB);
}

static void test_boot_pvh_without_initrd_has_no_module(void **state)
{
    struct boot_lab *lab = *state;

    used_ram(lab, 16 * MIB);
    kernel_file_elf(&lab->kernel, true);
    assert_int_equal(load(lab, 0, ""), 0);

    assert_int_equal(word(lab, lab->start.rbx + 8), 0);
    assert_int_equal(word(lab, lab->start.rbx + 48), 4);
}

static void test_boot_notes_of_others_are_no_entry(void **state)
{
    struct boot_lab *lab = *state;

    used_ram(lab, 16 * MIB);
    kernel_file_elf(&lab->kernel, true);
    kernel_file_note(&lab->kernel)->n_type = 5;
    assert_int_equal(load(lab, 0, ""), 0);
    assert_int_equal(lab->start.mode, VCPU_START_LONG);
    kernel_file_elf(&lab->kernel, true);
    memcpy(kernel_file_note(&lab->kernel) + 1, "GNU", 4);
    assert_int_equal(load(lab, 0, ""), 0);
    assert_int_equal(lab->start.mode, VCPU_START_LONG);
    kernel_file_elf(&lab->kernel, true);
    kernel_file_note(&lab->kernel)->n_descsz = UINT32_MAX;
    assert_int_equal(load(lab, 0, ""), 0);
    assert_int_equal(lab->start.mode, VCPU_START_LONG);
    kernel_file_elf(&lab->kernel, true);
    kernel_file_part(&lab->kernel, KERNEL_FILE_NOTE)->p_filesz--;      /* the note is cut off */
    assert_int_equal(load(lab, 0, ""), 0);

    assert_int_equal(lab->start.mode, VCPU_START_LONG);
    assert_int_equal(lab->start.rip, KERNEL_FILE_GPA);
}

/* ---- command line, stack --------------------------------------------------------------------- */

static void test_boot_cmdline_as_long_as_the_kernel_takes_fits_and_no_longer(void **state)
{
    struct boot_lab *lab = *state;
    char cmdline[257];

    used_ram(lab, 16 * MIB);
    kernel_file_bzimage(&lab->kernel);
    memset(cmdline, 'x', sizeof(cmdline));
    cmdline[255] = '\0';
    assert_int_equal(load(lab, 0, cmdline), 0);
    assert_string_equal(ram_at(&lab->ram, BOOT_CMDLINE_GPA, 256), cmdline);
    cmdline[255] = 'x';
    cmdline[256] = '\0';

    assert_int_equal(load(lab, 0, cmdline), -E2BIG);
    assert_string_equal(lab->error.text, "the kernel's command line has 256 characters with what "
                        "the monitor adds, and this kernel takes 255: shorten it");
}

static void test_boot_cmdline_beyond_its_place_is_refused_whatever_the_kernel_takes(void **state)
{
    struct boot_lab *lab = *state;
    char *cmdline = malloc(BOOT_CMDLINE_BYTES + 1);

    used_ram(lab, 16 * MIB);
    kernel_file_bzimage(&lab->kernel);
    kernel_file_header(&lab->kernel)->cmdline_size = UINT32_MAX;
    memset(cmdline, 'x', BOOT_CMDLINE_BYTES);
    cmdline[BOOT_CMDLINE_BYTES] = '\0';

    assert_int_equal(load(lab, 0, cmdline), -E2BIG);
    cmdline[BOOT_CMDLINE_BYTES - 1] = '\0';
    assert_int_equal(load(lab, 0, cmdline), 0);
    free(cmdline);
}

static void test_boot_stack_lies_apart_from_all_else(void **state)
{
    struct boot_lab *lab = *state;

    used_ram(lab, 16 * MIB);
    kernel_file_elf(&lab->kernel, false);
    assert_int_equal(load(lab, 0, ""), 0);

    assert_int_equal(lab->start.rsp % 16, 0);
    assert_bytes(lab, lab->start.rsp - 4096, 0x5a, 4096);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_boot_bzimage_is_entered_by_the_64_bit_protocol),
        TEST(test_boot_header_ends_where_the_file_says),
        TEST(test_boot_page_tables_map_4_gib_one_to_one),
        TEST(test_boot_descriptor_table_is_that_of_the_mode),
        TEST(test_boot_memory_map_has_the_hole_and_what_lies_behind),
        TEST(test_boot_memory_map_of_a_small_vm_has_no_high_memory),
        TEST(test_boot_initrd_lies_at_the_end_of_low_memory),
        TEST(test_boot_initrd_lies_no_higher_than_the_kernel_wants),
        TEST(test_boot_initrd_of_all_that_is_left_fits_and_a_page_more_does_not),
        TEST(test_boot_initrd_above_what_the_kernel_takes_is_refused),
        TEST(test_boot_elf_is_entered_by_the_64_bit_protocol_at_its_entry),
        TEST(test_boot_elf_memory_that_the_file_has_not_is_zero),
        TEST(test_boot_elf_with_xens_note_is_entered_by_pvh),
        TEST(test_boot_pvh_without_initrd_has_no_module),
        TEST(test_boot_notes_of_others_are_no_entry),
        TEST(test_boot_cmdline_as_long_as_the_kernel_takes_fits_and_no_longer),
        TEST(test_boot_cmdline_beyond_its_place_is_refused_whatever_the_kernel_takes),
        TEST(test_boot_stack_lies_apart_from_all_else),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
