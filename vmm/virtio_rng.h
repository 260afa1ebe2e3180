/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Entropy from the host's getrandom(), at most 64 KiB a request.  Standard: virtio 1.2, 5.4.
 */
#ifndef VMM_VIRTIO_RNG_H
#define VMM_VIRTIO_RNG_H

#include "switch/error.h"
#include "vmm/virtio_device.h"

#define VIRTIO_RNG_REQUEST_BYTES 65536u

struct event_base;
struct virtio_rng;

/** @return owned; NULL with a sentence.  Thread: main. */
struct virtio_rng *virtio_rng_create(struct ram *ram, struct event_base *base,
                                     struct error *error);
/** It was unplugged.  NULL is fine. */
void virtio_rng_destroy(struct virtio_rng *rng);
struct virtio_device *virtio_rng_device(struct virtio_rng *rng);

#endif
