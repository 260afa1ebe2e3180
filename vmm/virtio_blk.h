/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A disk from a raw image file.
 *
 * Requests are served in order on a thread of the disk's own, by preadv and pwritev straight from
 * and to guest memory, so that a slow disk holds neither a vCPU nor the control thread.  Flush is
 * fdatasync, discard and write-zeroes punch holes where the file system can.  A read-only image is
 * opened read-only and says so (VIRTIO_BLK_F_RO).  The image is locked against a second VM.
 *
 * Standard: virtio 1.2, 5.2.
 */
#ifndef VMM_VIRTIO_BLK_H
#define VMM_VIRTIO_BLK_H

#include <stdbool.h>

#include "switch/error.h"
#include "vmm/virtio_device.h"

struct virtio_blk;

struct virtio_blk_config {
    const char *path;
    bool read_only;
    int (*enter)(void *context);   /* runs first in its thread: the sandbox */
    void *context;
};

/** @return owned; NULL with a sentence: no file, not whole sectors, in use.  Thread: main. */
struct virtio_blk *virtio_blk_create(struct ram *ram, const struct virtio_blk_config *config,
                                     struct error *error);
void virtio_blk_destroy(struct virtio_blk *blk);
struct virtio_device *virtio_blk_device(struct virtio_blk *blk);

#endif
