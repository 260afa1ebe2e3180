/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guest memory for tests: regions of shared memory at chosen guest-physical addresses.
 *
 * Each region is a memfd of its own, so that a backend meets regions as QEMU makes them, with gaps,
 * in any order, or touching each other.  Memory is only ever handed out, never taken back: a test
 * guest lives for seconds.
 */
#ifndef TESTS_SUPPORT_GUEST_RAM_H
#define TESTS_SUPPORT_GUEST_RAM_H

#include "tests/support/vhost_user.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guest_ram_region {
    uint64_t gpa;
    uint64_t size_bytes;    /* multiple of the page size */
    uint64_t used_bytes;
    uint8_t *hva;           /* where this process has it mapped */
    int fd;                 /* memfd; a hostile test may truncate it */
};

struct guest_ram {
    struct guest_ram_region region[VHOST_USER_MAX_REGIONS];
    unsigned region_count;
    bool hugepages;         /* whether all regions lie on 2 MiB pages */
};

/**
 * Adds a region.
 *
 * @param size_bytes  rounded up to the page size
 * @param hugepages   2 MiB pages when enough are free, else 4 KiB pages; ram->hugepages says which
 * @return 0 or -errno
 */
int guest_ram_add(struct guest_ram *ram, uint64_t gpa, uint64_t size_bytes, bool hugepages);

/** Unmaps and closes all regions; a zeroed struct is fine. */
void guest_ram_release(struct guest_ram *ram);

/**
 * Hands out zeroed memory of one region.
 *
 * @param align_bytes  a power of two
 * @return where it is mapped, or NULL when the region is full
 */
void *guest_ram_alloc(struct guest_ram *ram, unsigned region, size_t size_bytes,
                      size_t align_bytes);

/** Translates an address that guest_ram_alloc() gave into the guest's; 0 for any other. */
uint64_t guest_ram_gpa(const struct guest_ram *ram, const void *address);

#endif
