/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any kernel with any initrd is loaded into a small guest's memory, which ends in guard pages.
 *
 * fuzz-sources: vmm/boot.c vmm/boot_file.c vmm/boot_elf.c vmm/boot_bzimage.c vmm/boot_refuse.c
 * fuzz-sources: vmm/ram.c switch/error.c
 *
 * The property: a refusal has a sentence.  What was loaded is entered within low memory above
 * 1 MiB, and what was put there is all still there: nothing lies on the initrd, the command line
 * or the tables.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <asm/bootparam.h>

#include "vmm/boot.h"

#define GUARD_BYTES  (UINT64_C(1) << 20)
#define MOST_BYTES   (UINT64_C(32) << 20)
#define STEP_BYTES   (UINT64_C(2) << 20)
#define STEPS        9u            /* 16 to 32 MiB */
#define INITRD_BYTES 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t initrd_bytes[INITRD_BYTES];

static void check(int truth)
{
    if (!truth) {
        abort();
    }
}

/* Memory that ends where the guard begins. */
static struct ram ram_of(uint64_t size_bytes)
{
    static uint8_t *room;

    if (room == NULL) {
        room = mmap(NULL, GUARD_BYTES + MOST_BYTES + GUARD_BYTES, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        check(room != MAP_FAILED);
    }
    check(mprotect(room + GUARD_BYTES, MOST_BYTES - size_bytes, PROT_NONE) == 0);
    check(mprotect(room + GUARD_BYTES + MOST_BYTES - size_bytes, size_bytes,
                   PROT_READ | PROT_WRITE) == 0);
    return (struct ram){
        .fd = -1,
        .host = room + GUARD_BYTES + MOST_BYTES - size_bytes,
        .size_bytes = size_bytes,
        .part_count = 1,
        .part = { { .size_bytes = size_bytes } },
    };
}

static uint64_t word(const struct ram *ram, uint64_t gpa)
{
    const uint8_t *at = ram_at(ram, gpa, sizeof(uint64_t));
    uint64_t value;

    check(at != NULL);
    memcpy(&value, at, sizeof(value));
    return value;
}

static void check_initrd(const struct ram *ram, uint64_t gpa, uint64_t len_bytes,
                         uint64_t given_bytes)
{
    check(len_bytes == given_bytes);
    if (len_bytes > 0) {
        const uint8_t *at = ram_at(ram, gpa, len_bytes);

        check(at != NULL && gpa >= BOOT_KERNEL_GPA && gpa % 4096 == 0);
        check(memcmp(at, initrd_bytes, len_bytes) == 0);
    }
}

static void check_started(const struct ram *ram, const struct boot_config *config,
                          const struct vcpu_start *start)
{
    const uint64_t given_bytes = config->initrd != NULL ? config->initrd->size_bytes : 0;

    check(start->rip >= BOOT_KERNEL_GPA && start->rip < ram->size_bytes);
    check(start->gdt_gpa == BOOT_GDT_GPA && word(ram, BOOT_GDT_GPA) == 0);
    check(memcmp(ram_at(ram, BOOT_CMDLINE_GPA, 64), config->cmdline,
                 strlen(config->cmdline) + 1) == 0);
    if (start->mode == VCPU_START_PROTECTED) {
        const uint64_t modules = word(ram, start->rbx + 16);

        check((uint32_t)word(ram, start->rbx) == 0x336ec578);
        check_initrd(ram, word(ram, modules), word(ram, modules + 8), given_bytes);
    } else {
        const struct boot_params *params = ram_at(ram, start->rsi, sizeof(*params));

        check(params != NULL && params->e820_entries == 4);
        check(params->hdr.cmd_line_ptr == BOOT_CMDLINE_GPA && params->hdr.setup_data == 0);
        check_initrd(ram, params->hdr.ramdisk_image, params->hdr.ramdisk_size, given_bytes);
        check((word(ram, start->page_tables_gpa) & 0xfff) == 3);
    }
}

/* The input: memory in steps, the initrd in units of 256 bytes, then the kernel. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct boot_file kernel = { .what = "kernel", .path = "kernel", .fd = -1 };
    struct boot_file initrd = { .what = "initrd", .path = "initrd", .fd = -1,
                                .bytes = initrd_bytes };
    struct boot_config config = { .kernel = &kernel, .cmdline = "quiet", .acpi_rsdp_gpa = 0xe0000 };
    struct error error = { 0 };
    struct vcpu_start start;
    struct ram ram;
    uint8_t *copy;
    int result;

    if (size < 2) {
        return 0;
    }
    ram = ram_of(MOST_BYTES - data[0] % STEPS * STEP_BYTES);
    memset(initrd_bytes, 0xa7, sizeof(initrd_bytes));
    initrd.size_bytes = data[1] * 256u;
    config.initrd = initrd.size_bytes > 0 ? &initrd : NULL;
    kernel.size_bytes = size - 2;
    copy = malloc(kernel.size_bytes);  /* what is read behind it is found */
    check(copy != NULL || kernel.size_bytes == 0);
    kernel.bytes = memcpy(copy, data + 2, kernel.size_bytes);
    result = boot_load(&ram, &config, &start, &error);
    if (result == 0) {
        check_started(&ram, &config, &start);
    } else {
        check(result == -error.code && error.text[0] != '\0');
    }
    free(copy);
    return 0;
}
