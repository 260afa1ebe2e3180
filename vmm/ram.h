/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's memory: one sealed memfd, mapped once, with a hole below 4 GiB.
 *
 * It is a memfd because the switch maps it too, and sealed because nobody who has it may shrink it
 * under the other: then there is no SIGBUS to survive.  2 MiB pages are taken where the host has
 * enough of them free; the guest sees no difference.
 *
 * Guest-physical addresses 0 to 3 GiB, and from 4 GiB on what is left; devices live between.
 */
#ifndef VMM_RAM_H
#define VMM_RAM_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/error.h"

#define RAM_MIN_BYTES  (UINT64_C(16) << 20)
#define RAM_MAX_BYTES  (UINT64_C(1) << 40)
#define RAM_HOLE_GPA   (UINT64_C(3) << 30)
#define RAM_HIGH_GPA   (UINT64_C(4) << 30)
#define RAM_PARTS_MAX  2u

struct ram_part {
    uint64_t gpa;
    uint64_t size_bytes;
    uint64_t offset_bytes;         /* in the memfd, and from host on */
};

struct ram {
    int fd;
    uint8_t *host;                 /* the first byte, as mapped here */
    uint64_t size_bytes;
    bool huge_pages;
    unsigned part_count;
    struct ram_part part[RAM_PARTS_MAX];
};

/**
 * @param size_bytes  a multiple of 2 MiB between the bounds above
 * @return 0; -EINVAL, -ENOMEM with a sentence; ram_destroy() is due in any case
 * Thread: main, before any vCPU runs.
 */
int ram_create(struct ram *ram, uint64_t size_bytes, struct error *error);
void ram_destroy(struct ram *ram);

/**
 * Makes it the memory of a VM, in slots 0 to part_count - 1.
 * @return 0, or -errno with a sentence.  Thread: main, before any vCPU runs.
 */
int ram_attach(const struct ram *ram, int vm_fd, struct error *error);

/**
 * Where @p len_bytes at @p gpa lie, all of them in one part; NULL when they do not.  What the guest
 * has there may change at any time: read once, into a local.  Thread: any.
 */
void *ram_at(const struct ram *ram, uint64_t gpa, uint64_t len_bytes);

/**
 * Zeroes @p len_bytes where ram_at() said.  Whole pages are given back to the host, but those of
 * 2 MiB: what nothing was written to yet then costs nothing until the guest writes to it.
 * Thread: main, while no vCPU runs.
 */
void ram_clear(const struct ram *ram, uint8_t *at, uint64_t len_bytes);

#endif
