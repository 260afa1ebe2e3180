/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What people give for a kernel, told apart by how it begins.  ELF files and bzImages do not come
 * here: their loaders say what is wrong with them.
 */
#include "vmm/boot_image.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define HEAD_BYTES        512u
#define RAM_STEP_BYTES    (UINT64_C(2) << 20)
#define GZIP_FLAG_EXTRA   0x04u
#define GZIP_FLAG_NAME    0x08u
#define GZIP_HEADER_BYTES 10u
#define NAME_SIZE         64u

struct boot_kind {
    uint16_t offset_bytes;
    uint8_t len_bytes;
    const char *magic;
    const char *text;              /* what it is: what to do */
};

#define COMPRESSED(with) "is compressed with " with ", as an initrd is: give a kernel, a bzImage " \
                         "or an unpacked vmlinux"

/* The first that fits. */
static const struct boot_kind kinds[] = {
    { 0, 6, "070701", "is a cpio archive, an initrd: give that with --initrd" },
    { 0, 6, "070702", "is a cpio archive, an initrd: give that with --initrd" },
    { 0, 6, "\xfd" "7zXZ\0", COMPRESSED("xz") },
    { 0, 4, "\x28\xb5\x2f\xfd", COMPRESSED("zstd") },
    { 0, 4, "\x04\x22\x4d\x18", COMPRESSED("lz4") },
    { 0, 4, "\x02\x21\x4c\x18", COMPRESSED("lz4") },
    { 0, 4, "\x89LZO", COMPRESSED("lzop") },
    { 0, 3, "BZh", COMPRESSED("bzip2") },
    { 0, 3, "\x5d\0\0", COMPRESSED("lzma") },
    { 0, 2, "#!", "is a script: give a bzImage or a vmlinux" },
    { 0, 4, "QFI\xfb", "is a qcow2 disk image: make it raw, and give that with --disk" },
    { 56, 4, "ARM\x64", "is a kernel for arm64: give one built for x86-64" },
    { 56, 4, "RSC\x05", "is a kernel for RISC-V: give one built for x86-64" },
    { 0, 2, "MZ", "is a program for Windows or EFI: give a bzImage or a vmlinux" },
    { 510, 2, "\x55\xaa", "is a disk image, or a boot sector: give a disk with --disk" },
};

/* The name that a gzip file has for what is in it (RFC 1952, 2.3.1); "" when it has none. */
static void gzip_name(const uint8_t *head, uint64_t len_bytes, char name[NAME_SIZE])
{
    unsigned length = 0;

    if (len_bytes > GZIP_HEADER_BYTES && (head[3] & GZIP_FLAG_NAME) != 0 &&
        (head[3] & GZIP_FLAG_EXTRA) == 0) {
        for (uint64_t i = GZIP_HEADER_BYTES; i < len_bytes && length < NAME_SIZE - 1; i++) {
            if (head[i] <= ' ' || head[i] > '~') {
                break;
            }
            name[length++] = (char)head[i];
        }
    }
    name[length] = '\0';
}

static int refuse_gzip(const struct boot_file *file, const uint8_t *head, uint64_t len_bytes,
                       struct error *error)
{
    char name[NAME_SIZE];

    gzip_name(head, len_bytes, name);
    if (name[0] == '\0') {
        return error_set(error, EINVAL, "the kernel %s " COMPRESSED("gzip"), file->path);
    }
    return error_set(error, EINVAL, "the kernel %s is %s, compressed with gzip: unpack it",
                     file->path, name);
}

int boot_refuse(const struct boot_file *file, struct error *error)
{
    const uint64_t len_bytes = file->size_bytes < HEAD_BYTES ? file->size_bytes : HEAD_BYTES;
    uint8_t head[HEAD_BYTES] = { 0 };
    const int result = boot_file_read(file, 0, head, len_bytes, error);

    if (result != 0) {
        return result;
    }
    if (head[0] == 0x1f && head[1] == 0x8b) {
        return refuse_gzip(file, head, len_bytes, error);
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (memcmp(head + kinds[i].offset_bytes, kinds[i].magic, kinds[i].len_bytes) == 0) {
            return error_set(error, EINVAL, "the kernel %s %s", file->path, kinds[i].text);
        }
    }
    return error_set(error, EINVAL,
                     "the kernel %s is neither a bzImage nor an ELF file: give one of them",
                     file->path);
}

int boot_too_large(const struct ram *ram, const struct boot_file *file, uint64_t end_gpa,
                   struct error *error)
{
    const uint64_t low_mib = ram->part[0].size_bytes >> 20;

    if (end_gpa > RAM_HOLE_GPA) {
        return error_set(error, ENOMEM,
                         "the %s %s does not fit below 3 GiB, where memory ends for devices: give "
                         "a smaller one", file->what, file->path);
    }
    return error_set(error, ENOMEM,
                     "the %s %s does not fit into %" PRIu64 " MiB of memory: give the VM at least "
                     "%" PRIu64 "M", file->what, file->path, low_mib,
                     (end_gpa + RAM_STEP_BYTES - 1) / RAM_STEP_BYTES * RAM_STEP_BYTES >> 20);
}
