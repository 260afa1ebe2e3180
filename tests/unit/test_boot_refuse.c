/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that are no kernel, or one that cannot run: each is refused with what is wrong with it.
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

#define MIB (UINT64_C(1) << 20)

struct refuse_lab {
    struct ram ram;
    struct kernel_file kernel;
};

static int lab_setup(void **state)
{
    struct refuse_lab *lab = calloc(1, sizeof(*lab));

    *state = lab;
    return ram_create(&lab->ram, 16 * MIB, NULL);
}

static int lab_teardown(void **state)
{
    struct refuse_lab *lab = *state;

    ram_destroy(&lab->ram);
    free(lab);
    return 0;
}

static int load(struct refuse_lab *lab, struct error *error)
{
    const struct boot_file kernel = kernel_file_of(&lab->kernel);
    const struct boot_config config = { .kernel = &kernel, .cmdline = "" };
    struct vcpu_start start;

    return boot_load(&lab->ram, &config, &start, error);
}

static void assert_refused(struct refuse_lab *lab, const char *sentence)
{
    struct error error = { 0 };
    const int result = load(lab, &error);

    assert_string_equal(error.text, sentence);
    assert_true(result < 0);
    assert_int_equal(result, -error.code);
}

/* ---- what is no kernel ----------------------------------------------------------------------- */

struct other_file {
    unsigned at;
    const char *bytes;
    unsigned len_bytes;
    const char *sentence;
};

#define UNPACK ", as an initrd is: give a kernel, a bzImage or an unpacked vmlinux"
#define OTHER_FILE(at, bytes, sentence) \
    { at, bytes, sizeof(bytes) - 1, "the kernel vmlinuz " sentence }

static const struct other_file other_files[] = {
    OTHER_FILE(0, "\x1f\x8b\x08\x00", "is compressed with gzip" UNPACK),
    OTHER_FILE(0, "\x1f\x8b\x08\x08\0\0\0\0\0\x03" "vmlinux",
               "is vmlinux, compressed with gzip: unpack it"),
    OTHER_FILE(0, "\x1f\x8b\x08\x08\0\0\0\0\0\x03" "a\nb", "is a, compressed with gzip: unpack it"),
    OTHER_FILE(0, "\x1f\x8b\x08\x0c\0\0\0\0\0\x03" "vmlinux", "is compressed with gzip" UNPACK),
    OTHER_FILE(0, "\xfd" "7zXZ\0", "is compressed with xz" UNPACK),
    OTHER_FILE(0, "\x28\xb5\x2f\xfd", "is compressed with zstd" UNPACK),
    OTHER_FILE(0, "\x04\x22\x4d\x18", "is compressed with lz4" UNPACK),
    OTHER_FILE(0, "\x02\x21\x4c\x18", "is compressed with lz4" UNPACK),
    OTHER_FILE(0, "\x89LZO", "is compressed with lzop" UNPACK),
    OTHER_FILE(0, "BZh9", "is compressed with bzip2" UNPACK),
    OTHER_FILE(0, "\x5d\0\0\x80", "is compressed with lzma" UNPACK),
    OTHER_FILE(0, "070701", "is a cpio archive, an initrd: give that with --initrd"),
    OTHER_FILE(0, "070702", "is a cpio archive, an initrd: give that with --initrd"),
    OTHER_FILE(0, "#!/bin/sh\n", "is a script: give a bzImage or a vmlinux"),
    OTHER_FILE(0, "QFI\xfb", "is a qcow2 disk image: make it raw, and give that with --disk"),
    OTHER_FILE(56, "ARM\x64", "is a kernel for arm64: give one built for x86-64"),
    OTHER_FILE(56, "RSC\x05", "is a kernel for RISC-V: give one built for x86-64"),
    OTHER_FILE(0, "MZ\x90", "is a program for Windows or EFI: give a bzImage or a vmlinux"),
    OTHER_FILE(510, "\x55\xaa",
               "is a disk image, or a boot sector: give a disk with --disk"),
    OTHER_FILE(0, "Hello", "is neither a bzImage nor an ELF file: give one of them"),
    OTHER_FILE(0x202, "HdrS", "is neither a bzImage nor an ELF file: give one of them"),
};

static void test_refuse_says_what_a_file_is_instead(void **state)
{
    struct refuse_lab *lab = *state;

    for (size_t i = 0; i < sizeof(other_files) / sizeof(other_files[0]); i++) {
        const struct other_file *other = &other_files[i];

        lab->kernel = (struct kernel_file){ .len_bytes = 4096 };
        memcpy(lab->kernel.bytes + other->at, other->bytes, other->len_bytes);
        assert_refused(lab, other->sentence);
        lab->kernel.len_bytes = other->at + other->len_bytes;      /* and nothing behind it */
        assert_refused(lab, other->sentence);
    }
}

static void test_refuse_any_beginning_of_any_kernel(void **state)
{
    struct refuse_lab *lab = *state;

    for (unsigned kind = 0; kind < 3; kind++) {
        uint64_t whole_bytes;

        if (kind == 0) {
            kernel_file_bzimage(&lab->kernel);
        } else {
            kernel_file_elf(&lab->kernel, kind == 2);
        }
        whole_bytes = lab->kernel.len_bytes;
        assert_int_equal(load(lab, NULL), 0);
        for (uint64_t len_bytes = 0; len_bytes < whole_bytes; len_bytes++) {
            struct error error = { 0 };

            lab->kernel.len_bytes = len_bytes;
            assert_int_equal(load(lab, &error), -EINVAL);
            assert_non_null(strstr(error.text, "the kernel vmlinuz "));
        }
    }
}

/* ---- kernels that were spoiled --------------------------------------------------------------- */

struct spoiled {
    void (*spoil)(struct kernel_file *file);
    const char *sentence;
};

#define HEADER (*kernel_file_header(file))
#define HEAD   (*kernel_file_elf_head(file))
#define TEXT   (*kernel_file_part(file, KERNEL_FILE_TEXT))
#define DATA   (*kernel_file_part(file, KERNEL_FILE_DATA))
#define NOTE   (*kernel_file_part(file, KERNEL_FILE_NOTE))
#define SPOIL(name, change) static void name(struct kernel_file *file) { change; }

SPOIL(is_old, HEADER.version = 0x0204)
SPOIL(has_short_header, HEADER.jump = 0x61eb)
SPOIL(is_32_bit, HEADER.xloadflags = 0)
SPOIL(is_zimage, HEADER.loadflags = 0)
SPOIL(prefers_low, HEADER.pref_address = 0xfffff)
SPOIL(has_no_code, HEADER.syssize = 0x20)
SPOIL(has_more_code, HEADER.syssize += 1)
SPOIL(has_more_setup, HEADER.setup_sects = 2)
SPOIL(has_old_setup, HEADER.setup_sects = 0)           /* which stands for 4 */
SPOIL(takes_too_much, HEADER.init_size = 15 << 20)
SPOIL(takes_all, HEADER.init_size = UINT32_MAX)
SPOIL(prefers_behind_memory, HEADER.pref_address = 16 << 20)
SPOIL(takes_less_than_it_has, HEADER.pref_address = (16 << 20) - 1024; HEADER.init_size = 0)
SPOIL(prefers_the_hole, HEADER.pref_address = RAM_HOLE_GPA)
SPOIL(prefers_the_end, HEADER.pref_address = UINT64_MAX)

static const struct spoiled bzimages[] = {
    { is_old, "the kernel vmlinuz speaks boot protocol 2.04, and it takes 2.12 (Linux 3.8) or "
              "later: give a newer kernel" },
    { has_short_header, "the kernel vmlinuz has a damaged setup header, which ends at 0x263: copy "
                        "it anew" },
    { is_32_bit, "the kernel vmlinuz is a 32-bit one, without a 64-bit entry: give one built for "
                 "x86-64" },
    { is_zimage, "the kernel vmlinuz is a zImage, to be loaded below 1 MiB: give a bzImage" },
    { prefers_low, "the kernel vmlinuz wants to run at 0xfffff, below 1 MiB, where what it is told "
                   "lies: build it for a higher address" },
    { has_no_code, "the kernel vmlinuz has 512 bytes of code, too few to have an entry: copy it "
                   "anew" },
    { has_more_code, "the kernel vmlinuz is cut off: it has 3072 bytes, and 2064 are to be at "
                     "1024; copy it anew" },
    { has_more_setup, "the kernel vmlinuz is cut off: it has 3072 bytes, and 2048 are to be at "
                      "1536; copy it anew" },
    { has_old_setup, "the kernel vmlinuz is cut off: it has 3072 bytes, and 2048 are to be at "
                     "2560; copy it anew" },
    { takes_too_much, "the kernel vmlinuz does not fit into 16 MiB of memory: give the VM at least "
                      "18M" },
    { takes_all, "the kernel vmlinuz does not fit below 3 GiB, where memory ends for devices: give "
                 "a smaller one" },
    { prefers_behind_memory, "the kernel vmlinuz does not fit into 16 MiB of memory: give the VM "
                             "at least 18M" },
    { takes_less_than_it_has, "the kernel vmlinuz does not fit into 16 MiB of memory: give the VM "
                              "at least 18M" },
    { prefers_the_hole, "the kernel vmlinuz does not fit below 3 GiB, where memory ends for "
                        "devices: give a smaller one" },
    { prefers_the_end, "the kernel vmlinuz does not fit below 3 GiB, where memory ends for "
                       "devices: give a smaller one" },
};

SPOIL(has_32_bits, HEAD.e_ident[EI_CLASS] = ELFCLASS32)
SPOIL(is_for_arm64, HEAD.e_machine = EM_AARCH64)
SPOIL(is_for_a_stranger, HEAD.e_machine = 0x1234)
SPOIL(is_big_endian, HEAD.e_ident[EI_DATA] = ELFDATA2MSB)
SPOIL(is_of_no_class, HEAD.e_ident[EI_CLASS] = 7)
SPOIL(is_shared, HEAD.e_type = ET_DYN)
SPOIL(is_module, HEAD.e_type = ET_REL)
SPOIL(is_core, HEAD.e_type = ET_CORE)
SPOIL(is_of_no_type, HEAD.e_type = 0)
SPOIL(has_no_headers, HEAD.e_phnum = 0)
SPOIL(has_many_headers, HEAD.e_phnum = 65)
SPOIL(has_odd_headers, HEAD.e_phentsize = 32)
SPOIL(has_headers_nowhere, HEAD.e_phoff = UINT64_MAX)
SPOIL(has_text_nowhere, TEXT.p_offset = UINT64_MAX)
SPOIL(has_text_of_all, TEXT.p_filesz = UINT64_MAX)
SPOIL(has_less_memory, TEXT.p_memsz = TEXT.p_filesz - 1)
SPOIL(lies_low, TEXT.p_paddr = 0x1000)
SPOIL(lies_behind_memory, DATA.p_paddr = 32 << 20)
SPOIL(lies_at_the_end, DATA.p_paddr = UINT64_MAX)
SPOIL(has_bss_of_all, DATA.p_memsz = UINT64_MAX)
SPOIL(has_bss_too_large, DATA.p_memsz = 14 << 20)
SPOIL(overlaps, DATA.p_paddr = TEXT.p_paddr + TEXT.p_memsz - 1)
SPOIL(is_twice_the_same, DATA.p_paddr = TEXT.p_paddr)
SPOIL(has_many_notes, NOTE.p_filesz = 16385; file->len_bytes = 20000)
SPOIL(has_notes_nowhere, NOTE.p_offset = UINT64_MAX)
SPOIL(is_entered_nowhere, kernel_file_note(file)->n_type = 0; HEAD.e_entry = 0x100000)
SPOIL(is_entered_in_bss, kernel_file_note(file)->n_type = 0;
                         HEAD.e_entry = DATA.p_paddr + DATA.p_filesz)
SPOIL(has_no_segment, kernel_file_note(file)->n_type = 0;
                      TEXT.p_type = DATA.p_type = PT_NULL)

#define ENTERED "the kernel vmlinuz would be entered at physical address "
#define NOWHERE ", where it has nothing: it is a program of an operating system, or damaged"

static const struct spoiled elfs[] = {
    { has_32_bits, "the kernel vmlinuz is a 32-bit ELF file: give one built for x86-64" },
    { is_for_arm64, "the kernel vmlinuz is an ELF file for arm64 (183): give one built for "
                    "x86-64" },
    { is_for_a_stranger, "the kernel vmlinuz is an ELF file for another machine (4660): give one "
                         "built for x86-64" },
    { is_big_endian, "the kernel vmlinuz is an ELF file of a class or byte order that x86-64 does "
                     "not have: give one built for x86-64" },
    { is_of_no_class, "the kernel vmlinuz is an ELF file of a class or byte order that x86-64 does "
                      "not have: give one built for x86-64" },
    { is_shared, "the kernel vmlinuz is an ELF file, but a shared object or a program to be "
                 "relocated: give a vmlinux, or link it to fixed addresses" },
    { is_module, "the kernel vmlinuz is an ELF file, but an object file or a module: give a "
                 "vmlinux, or link it to fixed addresses" },
    { is_core, "the kernel vmlinuz is an ELF file, but a core dump: give a vmlinux, or link it to "
               "fixed addresses" },
    { is_of_no_type, "the kernel vmlinuz is an ELF file, but no program: give a vmlinux, or link "
                     "it to fixed addresses" },
    { has_no_headers, "the kernel vmlinuz has 0 program headers of 56 bytes, and 1 to 64 of 56 are "
                      "possible: it is damaged, or no kernel" },
    { has_many_headers, "the kernel vmlinuz has 65 program headers of 56 bytes, and 1 to 64 of 56 "
                        "are possible: it is damaged, or no kernel" },
    { has_odd_headers, "the kernel vmlinuz has 3 program headers of 32 bytes, and 1 to 64 of 56 "
                       "are possible: it is damaged, or no kernel" },
    { has_headers_nowhere, "the kernel vmlinuz is cut off: it has 3072 bytes, and 168 are to be "
                           "at 18446744073709551615; copy it anew" },
    { has_text_nowhere, "the kernel vmlinuz is cut off: it has 3072 bytes, and a segment of 1024 "
                        "is to be at 18446744073709551615; copy it anew" },
    { has_text_of_all, "the kernel vmlinuz is cut off: it has 3072 bytes, and a segment of "
                       "18446744073709551615 is to be at 1024; copy it anew" },
    { has_less_memory, "the kernel vmlinuz has a segment with more bytes in the file than in "
                       "memory: it is damaged" },
    { lies_low, "the kernel vmlinuz has a segment at physical address 0x1000, below 1 MiB, where "
                "what it is told lies: link it to a higher one" },
    { lies_behind_memory, "the kernel vmlinuz does not fit into 16 MiB of memory: give the VM at "
                          "least 34M" },
    { lies_at_the_end, "the kernel vmlinuz does not fit below 3 GiB, where memory ends for "
                       "devices: give a smaller one" },
    { has_bss_of_all, "the kernel vmlinuz does not fit below 3 GiB, where memory ends for devices: "
                      "give a smaller one" },
    { has_bss_too_large, "the kernel vmlinuz does not fit into 16 MiB of memory: give the VM at "
                         "least 18M" },
    { overlaps, "the kernel vmlinuz has two segments at physical address 0x2003ff: it is damaged, "
                "or linked without physical addresses" },
    { is_twice_the_same, "the kernel vmlinuz has two segments at physical address 0x200000: it is "
                         "damaged, or linked without physical addresses" },
    { has_many_notes, "the kernel vmlinuz has 16385 bytes of notes, and at most 16384 are looked "
                      "through: it is damaged, or no kernel" },
    { has_notes_nowhere, "the kernel vmlinuz is cut off: it has 3072 bytes, and 20 are to be at "
                         "18446744073709551615; copy it anew" },
    { is_entered_nowhere, ENTERED "0x100000" NOWHERE },
    { is_entered_in_bss, ENTERED "0x201400" NOWHERE },
    { has_no_segment, ENTERED "0x200000" NOWHERE },
};

static void test_refuse_bzimages_that_cannot_run(void **state)
{
    struct refuse_lab *lab = *state;

    for (size_t i = 0; i < sizeof(bzimages) / sizeof(bzimages[0]); i++) {
        kernel_file_bzimage(&lab->kernel);
        bzimages[i].spoil(&lab->kernel);
        assert_refused(lab, bzimages[i].sentence);
    }
}

static void test_refuse_elf_files_that_cannot_run(void **state)
{
    struct refuse_lab *lab = *state;

    for (size_t i = 0; i < sizeof(elfs) / sizeof(elfs[0]); i++) {
        kernel_file_elf(&lab->kernel, true);
        elfs[i].spoil(&lab->kernel);
        assert_refused(lab, elfs[i].sentence);
    }
}

static void test_refuse_writes_nothing_for_an_elf_file_with_one_bad_segment(void **state)
{
    struct refuse_lab *lab = *state;

    kernel_file_elf(&lab->kernel, true);
    lies_behind_memory(&lab->kernel);
    assert_int_equal(load(lab, NULL), -ENOMEM);

    assert_int_equal(*(uint8_t *)ram_at(&lab->ram, KERNEL_FILE_GPA, 1), 0);
}

static void test_refuse_tells_memory_that_is_enough(void **state)
{
    struct refuse_lab *lab = *state;

    kernel_file_bzimage(&lab->kernel);
    takes_too_much(&lab->kernel);
    assert_int_equal(load(lab, NULL), -ENOMEM);
    ram_destroy(&lab->ram);
    assert_int_equal(ram_create(&lab->ram, 18 * MIB, NULL), 0);

    assert_int_equal(load(lab, NULL), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_refuse_says_what_a_file_is_instead),
        TEST(test_refuse_any_beginning_of_any_kernel),
        TEST(test_refuse_bzimages_that_cannot_run),
        TEST(test_refuse_elf_files_that_cannot_run),
        TEST(test_refuse_writes_nothing_for_an_elf_file_with_one_bad_segment),
        TEST(test_refuse_tells_memory_that_is_enough),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
