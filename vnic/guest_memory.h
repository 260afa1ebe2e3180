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
    struct guest_region region[GUEST_MEMORY_REGIONS_MAX];   /* those that there are not: all 0 */
};

/** The region that @p gpa lies in, or NULL.  Thread: any that holds the vnic_live it belongs to. */
static inline const struct guest_region *guest_memory_find(const struct guest_memory *memory,
                                                           uint64_t gpa)
{
    for (uint32_t i = 0; i < memory->region_count; i++) {
        /* Wraps when it lies below. */
        if (gpa - memory->region[i].gpa < memory->region[i].size_bytes) {
            return &memory->region[i];
        }
    }
    return NULL;
}

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
    const struct guest_region *region = guest_memory_find(memory, gpa);
    uint64_t off_bytes;
    uint64_t left_bytes;

    if (region == NULL) {
        return NULL;
    }
    off_bytes = gpa - region->gpa;
    left_bytes = region->size_bytes - off_bytes;
    *run_bytes = len_bytes <= left_bytes ? len_bytes : (uint32_t)left_bytes;
    return region->hva + off_bytes;
}

#endif
