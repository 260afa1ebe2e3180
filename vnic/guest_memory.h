/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's memory as the switch sees it: where a guest-physical address lies, if it lies anywhere.
 *
 * This is the only place where a guest's number becomes a pointer.  It answers with an address and
 * a length together, because a check of one without the other is no check; what spans two adjacent
 * regions comes back in pieces (memory hot-plugged in two banks is contiguous to the guest and is
 * not to us), what lies outside, or wraps, is refused.
 */
#ifndef VNIC_GUEST_MEMORY_H
#define VNIC_GUEST_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#define GUEST_MEMORY_REGIONS_MAX 8u        /* VHOST_MEMORY_BASELINE_NREGIONS of vhost-user */

struct guest_region {
    uint64_t gpa;                  /* guest-physical address of the first byte */
    uint64_t size_bytes;
    uint8_t *hva;                  /* the same byte here */
};

struct guest_memory {
    uint32_t region_count;
    struct guest_region region[GUEST_MEMORY_REGIONS_MAX];
};

/**
 * Translates as many of the @p len_bytes at @p gpa as lie in one region.
 *
 * @param run_bytes  filled with how many bytes the pointer is good for, 1 to @p len_bytes
 * @return the first byte, or NULL when @p gpa is in no region
 * Thread: any that holds the vnic_live this belongs to.
 */
static inline uint8_t *guest_memory_at(const struct guest_memory *memory, uint64_t gpa,
                                       uint32_t len_bytes, uint32_t *run_bytes)
{
    for (uint32_t i = 0; i < memory->region_count; i++) {
        const struct guest_region *r = &memory->region[i];
        const uint64_t off = gpa - r->gpa;                     /* wraps when gpa lies below */

        if (off < r->size_bytes) {
            const uint64_t left = r->size_bytes - off;

            *run_bytes = len_bytes <= left ? len_bytes : (uint32_t)left;
            return r->hva + off;
        }
    }
    return NULL;
}

#endif
