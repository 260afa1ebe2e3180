/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A disk as a virtio device.
 *
 * Requests are served in order on a thread of the disk's own, straight from and to guest memory, so
 * that a slow disk holds neither a vCPU nor the control thread.  Flush is fdatasync, discard and
 * write-zeroes punch holes where the file system can.  A read-only image says so
 * (VIRTIO_BLK_F_RO).
 *
 * Standard: virtio 1.2, 5.2.
 */
#ifndef VMM_VIRTIO_BLK_H
#define VMM_VIRTIO_BLK_H

#include <stdbool.h>

#include "switch/error.h"
#include "vmm/virtio_device.h"

struct virtio_blk;

/** @return owned; NULL with a sentence: see disk_open().  Thread: main, as all of this. */
struct virtio_blk *virtio_blk_create(struct ram *ram, const char *path, bool read_only,
                                     struct error *error);
/** It was unplugged.  NULL is fine. */
void virtio_blk_destroy(struct virtio_blk *blk);
struct virtio_device *virtio_blk_device(struct virtio_blk *blk);

/**
 * Starts the thread, without which requests wait; @p enter runs first in it (the sandbox).
 * @return 0; -errno with a sentence, of @p enter's as well
 */
int virtio_blk_run(struct virtio_blk *blk, int (*enter)(void *context), void *context,
                   struct error *error);

#endif
