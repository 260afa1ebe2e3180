/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's memory as its frontend shares it: descriptors become mappings, or the table is refused.
 *
 * A frontend names a place in two ways: by the guest's address in what the guest writes, and by its
 * own in what it says of rings.  The first is guest_memory.h's business; the second is translated
 * here, for control only.
 *
 * Only memory is mapped: a memfd, a file of tmpfs or of hugetlbfs.  A page of any other file is
 * brought by somebody when it is touched, by a disk or by a process of the frontend's choice
 * (FUSE), which may let the worker of all guests wait in that page fault for ever.
 */
#ifndef VNIC_VHOST_RAM_H
#define VNIC_VHOST_RAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vnic/guest_memory.h"
#include "vnic/vhost_message.h"

/* All zero: nothing is mapped. */
struct vhost_ram {
    struct guest_memory guest;     /* as workers are given it */
    struct {
        uint64_t user_address;     /* in the frontend, of the region's first byte */
        void *map;                 /* what was mapped: the region, and to whole pages around it */
        size_t map_bytes;
    } region[GUEST_MEMORY_REGIONS_MAX];
};

/**
 * Maps the regions of a SET_MEM_TABLE message that passed its check; all of them or none.
 *
 * @param memory   filled; holds nothing before
 * @param message  its descriptors stay the caller's, and may be closed after
 * @return false, with nothing mapped: a region is empty, wraps, is longer than its file, or its
 *         file is no memory
 * Thread: the vhost thread.
 */
bool vhost_ram_map(struct vhost_ram *memory, const struct vhost_message *message);

/** Unmaps everything.  No worker holds it any more. */
void vhost_ram_unmap(struct vhost_ram *memory);

/**
 * Translates an address of the frontend's.
 *
 * @return where the @p len_bytes at @p user_address are here, or NULL: they do not lie in one
 *         region, or are not aligned to @p align_bytes (a power of two)
 */
void *vhost_ram_at(const struct vhost_ram *memory, uint64_t user_address, size_t len_bytes,
                      size_t align_bytes);

#endif
