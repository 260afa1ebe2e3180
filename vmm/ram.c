/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mapping with 2 MiB pages reserves all of them at once, or fails at once: so the kernel answers
 * whether there are enough, and no count that is stale by then is ever asked for.  Ordinary memory
 * is not reserved: a guest costs what it has touched.
 */
#include "vmm/ram.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kvm.h>
#include <linux/memfd.h>

#define HUGE_PAGE_BYTES (UINT64_C(2) << 20)
#define PAGE_BYTES      UINT64_C(4096)
#define SEALS           (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* Makes and maps the memfd.  Returns 0 or a positive errno; what was made is in @p ram. */
static int ram_map(struct ram *ram, unsigned memfd_flags)
{
    void *host;

    ram->fd = memfd_create("guest-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING | memfd_flags);
    if (ram->fd < 0 || ftruncate(ram->fd, (off_t)ram->size_bytes) != 0 ||
        fcntl(ram->fd, F_ADD_SEALS, SEALS) != 0) {
        return errno;
    }
    host = mmap(NULL, ram->size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ram->fd, 0);
    if (host == MAP_FAILED) {
        return errno;
    }
    ram->host = host;
    return 0;
}

static void ram_lay_out(struct ram *ram)
{
    const uint64_t low_bytes = ram->size_bytes < RAM_HOLE_GPA ? ram->size_bytes : RAM_HOLE_GPA;

    ram->part[0] = (struct ram_part){ .size_bytes = low_bytes };
    ram->part_count = 1;
    if (low_bytes < ram->size_bytes) {
        ram->part[1] = (struct ram_part){
            .gpa = RAM_HIGH_GPA,
            .size_bytes = ram->size_bytes - low_bytes,
            .offset_bytes = low_bytes,
        };
        ram->part_count = 2;
    }
}

int ram_create(struct ram *ram, uint64_t size_bytes, struct error *error)
{
    int code;

    *ram = (struct ram){ .fd = -1, .size_bytes = size_bytes };
    if (size_bytes < RAM_MIN_BYTES || size_bytes > RAM_MAX_BYTES ||
        size_bytes % HUGE_PAGE_BYTES != 0) {
        return error_set(error, EINVAL,
                         "a guest's memory cannot be %" PRIu64 " bytes: "
                         "give it 16M to 1T, in steps of 2M", size_bytes);
    }
    ram->huge_pages = ram_map(ram, MFD_HUGETLB | MFD_HUGE_2MB) == 0;
    if (!ram->huge_pages) {
        ram_destroy(ram);
        ram->size_bytes = size_bytes;
        code = ram_map(ram, 0);
        if (code != 0) {
            return error_set(error, ENOMEM,
                             "%" PRIu64 " MiB of memory for the guest cannot be mapped (%s): "
                             "give it less, or raise the limit of this process's address space",
                             size_bytes >> 20, strerror(code));
        }
        (void)madvise(ram->host, size_bytes, MADV_HUGEPAGE);    /* if the host does not mind */
    }
    (void)madvise(ram->host, size_bytes, MADV_DONTDUMP);        /* a guest's secrets are its own */
    ram_lay_out(ram);
    return 0;
}

void ram_destroy(struct ram *ram)
{
    if (ram->host != NULL) {
        munmap(ram->host, ram->size_bytes);
    }
    if (ram->fd >= 0) {
        close(ram->fd);
    }
    *ram = (struct ram){ .fd = -1 };
}

int ram_attach(const struct ram *ram, int vm_fd, struct error *error)
{
    for (unsigned i = 0; i < ram->part_count; i++) {
        const struct kvm_userspace_memory_region region = {
            .slot = i,
            .guest_phys_addr = ram->part[i].gpa,
            .memory_size = ram->part[i].size_bytes,
            .userspace_addr = (uint64_t)(uintptr_t)(ram->host + ram->part[i].offset_bytes),
        };

        if (ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &region) != 0) {
            return error_set(error, errno, "KVM refuses the guest's %" PRIu64 " MiB of memory: %s",
                             ram->size_bytes >> 20, strerror(errno));
        }
    }
    return 0;
}

void *ram_at(const struct ram *ram, uint64_t gpa, uint64_t len_bytes)
{
    for (unsigned i = 0; i < ram->part_count; i++) {
        const struct ram_part *part = &ram->part[i];
        const uint64_t offset_bytes = gpa - part->gpa;          /* wraps when gpa lies below */

        if (offset_bytes < part->size_bytes && len_bytes <= part->size_bytes - offset_bytes) {
            return ram->host + part->offset_bytes + offset_bytes;
        }
    }
    return NULL;
}

void ram_clear(const struct ram *ram, uint8_t *at, uint64_t len_bytes)
{
    const uint64_t begin = (uint64_t)(at - ram->host), end = begin + len_bytes;
    const uint64_t first = (begin + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    const uint64_t last = end & ~(PAGE_BYTES - 1);

    /* 2 MiB pages were reserved: once given back, others may have them. */
    if (ram->huge_pages || first >= last ||
        madvise(ram->host + first, last - first, MADV_REMOVE) != 0) {
        memset(at, 0, len_bytes);
        return;
    }
    memset(at, 0, first - begin);
    memset(ram->host + last, 0, end - last);
}
