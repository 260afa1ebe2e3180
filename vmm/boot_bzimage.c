/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A kernel is put where it prefers to run: a relocatable one, too, would move itself there from any
 * place below, and takes its init_size from there on.
 */
#include "vmm/boot_image.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "vmm/boot.h"

#define SECTOR_BYTES        512u
#define SETUP_SECTORS_OLD   4u             /* what 0 stands for */
#define PARAGRAPH_BYTES     16u            /* of syssize */
#define HEADER_JUMP_END     0x202u         /* the jump's offset, in its second byte, counts on */
#define VERSION_MIN         0x020cu
#define ENTRY_64_OFFSET     0x200u
#define HEADER_OFFSET       offsetof(struct boot_params, hdr)
/* With 2.12 a header has at least these. */
#define HEADER_END_MIN      (HEADER_OFFSET + offsetof(struct setup_header, handover_offset))

/* Leaves what lies behind the file's own header zero. */
static int header_read(const struct boot_file *file, struct setup_header *header,
                       struct error *error)
{
    const int result = boot_file_read(file, HEADER_OFFSET, header, sizeof(*header), error);
    size_t end;

    if (result != 0) {
        return result;
    }
    if (header->version < VERSION_MIN) {
        return error_set(error, EINVAL,
                         "the kernel %s speaks boot protocol %u.%02u, and it takes 2.12 (Linux "
                         "3.8) or later: give a newer kernel", file->path, header->version >> 8,
                         header->version & 0xffu);
    }
    end = HEADER_JUMP_END + (header->jump >> 8);
    if (end < HEADER_END_MIN) {
        return error_set(error, EINVAL,
                         "the kernel %s has a damaged setup header, which ends at 0x%zx: copy it "
                         "anew", file->path, end);
    }
    if (end - HEADER_OFFSET < sizeof(*header)) {
        memset((uint8_t *)header + (end - HEADER_OFFSET), 0,
               sizeof(*header) - (end - HEADER_OFFSET));
    }
    return 0;
}

static int header_check(const struct boot_file *file, const struct setup_header *header,
                        struct error *error)
{
    if ((header->xloadflags & XLF_KERNEL_64) == 0) {
        return error_set(error, EINVAL,
                         "the kernel %s is a 32-bit one, without a 64-bit entry: give one built "
                         "for x86-64", file->path);
    }
    if ((header->loadflags & LOADED_HIGH) == 0) {
        return error_set(error, EINVAL,
                         "the kernel %s is a zImage, to be loaded below 1 MiB: give a bzImage",
                         file->path);
    }
    if (header->pref_address < BOOT_KERNEL_GPA) {
        return error_set(error, EINVAL,
                         "the kernel %s wants to run at 0x%" PRIx64 ", below 1 MiB, where what it "
                         "is told lies: build it for a higher address", file->path,
                         (uint64_t)header->pref_address);
    }
    if ((uint64_t)header->syssize * PARAGRAPH_BYTES <= ENTRY_64_OFFSET) {
        return error_set(error, EINVAL,
                         "the kernel %s has %" PRIu64 " bytes of code, too few to have an entry: "
                         "copy it anew", file->path,
                         (uint64_t)header->syssize * PARAGRAPH_BYTES);
    }
    return 0;
}

int boot_bzimage_load(struct ram *ram, const struct boot_file *file, struct boot_image *image,
                      struct error *error)
{
    const uint64_t low_bytes = ram->part[0].size_bytes;
    struct setup_header header;
    uint64_t setup_bytes, code_bytes, take_bytes, gpa;
    int result = header_read(file, &header, error);

    if (result == 0) {
        result = header_check(file, &header, error);
    }
    if (result != 0) {
        return result;
    }
    setup_bytes = (header.setup_sects == 0 ? SETUP_SECTORS_OLD : header.setup_sects) + 1u;
    setup_bytes *= SECTOR_BYTES;
    code_bytes = (uint64_t)header.syssize * PARAGRAPH_BYTES;
    take_bytes = code_bytes > header.init_size ? code_bytes : header.init_size;
    gpa = header.pref_address;
    if (gpa > low_bytes || take_bytes > low_bytes - gpa) {
        return boot_too_large(ram, file, gpa > RAM_HOLE_GPA ? UINT64_MAX : gpa + take_bytes,
                              error);
    }
    *image = (struct boot_image){
        .entry_gpa = gpa + ENTRY_64_OFFSET,
        .end_gpa = gpa + take_bytes,
        .initrd_last_gpa = header.initrd_addr_max,
        .cmdline_max_bytes = header.cmdline_size,
        .header = header,
    };
    return boot_file_read(file, setup_bytes, ram_at(ram, gpa, code_bytes), code_bytes, error);
}
