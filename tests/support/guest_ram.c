/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guest memory for tests, on memfds.
 */
#include "tests/support/guest_ram.h"

#include <errno.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES 4096u
#define HUGE_PAGE_BYTES (2u << 20)

static uint64_t round_up(uint64_t value, uint64_t to)
{
    return (value + to - 1) & ~(to - 1);
}

static int region_map(struct guest_ram_region *region, unsigned memfd_flags)
{
    int code;

    region->fd = memfd_create("guest-ram", MFD_CLOEXEC | memfd_flags);
    if (region->fd < 0) {
        return -errno;
    }
    if (ftruncate(region->fd, (off_t)region->size_bytes) == 0) {
        region->hva = mmap(NULL, region->size_bytes, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_POPULATE, region->fd, 0);
        if (region->hva != MAP_FAILED) {
            return 0;
        }
    }
    code = errno;
    close(region->fd);
    return -code;
}

int guest_ram_add(struct guest_ram *ram, uint64_t gpa, uint64_t size_bytes, bool hugepages)
{
    struct guest_ram_region *region = &ram->region[ram->region_count];
    int status = -ENOMEM;
    bool huge;

    if (ram->region_count == VHOST_USER_MAX_REGIONS) {
        return -ENOSPC;
    }
    *region = (struct guest_ram_region){.gpa = gpa};
    if (hugepages) {
        region->size_bytes = round_up(size_bytes, HUGE_PAGE_BYTES);
        status = region_map(region, MFD_HUGETLB | MFD_HUGE_2MB);
    }
    huge = status == 0;
    if (!huge) {
        region->size_bytes = round_up(size_bytes, PAGE_BYTES);
        status = region_map(region, 0);
    }
    if (status == 0) {
        ram->hugepages = huge && (ram->region_count == 0 || ram->hugepages);
        ram->region_count++;
    }
    return status;
}

void guest_ram_release(struct guest_ram *ram)
{
    for (unsigned i = 0; i < ram->region_count; i++) {
        munmap(ram->region[i].hva, ram->region[i].size_bytes);
        close(ram->region[i].fd);
    }
    *ram = (struct guest_ram){.region_count = 0};
}

void *guest_ram_alloc(struct guest_ram *ram, unsigned index, size_t size_bytes, size_t align_bytes)
{
    struct guest_ram_region *region = &ram->region[index];
    const uint64_t start = round_up(region->used_bytes, align_bytes);

    if (start > region->size_bytes || size_bytes > region->size_bytes - start) {
        return NULL;
    }
    region->used_bytes = start + size_bytes;
    return region->hva + start;
}

uint64_t guest_ram_gpa(const struct guest_ram *ram, const void *address)
{
    for (unsigned i = 0; i < ram->region_count; i++) {
        const uint64_t offset = (uint64_t)((const uint8_t *)address - ram->region[i].hva);

        if (offset < ram->region[i].size_bytes) {
            return ram->region[i].gpa + offset;
        }
    }
    return 0;
}
