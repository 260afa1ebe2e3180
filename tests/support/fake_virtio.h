/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtio device that does nothing but count what a transport asks of it.
 *
 * It has three queues, the last of which has no entries, a configuration space of 64 bytes that can
 * be written, and memory of its guest.
 */
#ifndef TESTS_SUPPORT_FAKE_VIRTIO_H
#define TESTS_SUPPORT_FAKE_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/virtio_device.h"

#define FAKE_VIRTIO_QUEUES       3u
#define FAKE_VIRTIO_SIZE_MAX     256u
#define FAKE_VIRTIO_CONFIG_BYTES 64u
#define FAKE_VIRTIO_FEATURES     ((UINT64_C(1) << 5) | (UINT64_C(1) << 28) | (UINT64_C(1) << 29))

struct fake_virtio {
    struct virtio_device device;
    struct ram ram;
    uint8_t config[FAKE_VIRTIO_CONFIG_BYTES];
    unsigned starts, stops, calls_changed;
    bool runs;
    bool confused;                 /* started twice, or stopped when it did not run */
};

/** @return 0, or -1 when there is no memory */
int fake_virtio_open(struct fake_virtio *fake);
void fake_virtio_close(struct fake_virtio *fake);

#endif
