/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's driver for a virtio device of the monitor's, without KVM and without a transport.
 *
 * It has a guest's memory and is itself the transport, so that a test says in a few lines which
 * chains it offers and sees what came back.  All of the rings is open to a test that misbehaves.
 */
#ifndef TESTS_SUPPORT_VMM_DRIVER_H
#define TESTS_SUPPORT_VMM_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_ring.h>

#include "vmm/virtio_device.h"

#define VMM_DRIVER_RINGS    3u
#define VMM_DRIVER_DATA_GPA UINT64_C(0x400000)     /* what lies from here on is the test's */

struct vmm_driver_piece {
    uint64_t gpa;
    uint32_t len_bytes;
    bool writable;
};

struct vmm_driver_ring {
    struct vring_desc *desc;
    struct vring_avail *avail;
    struct vring_used *used;
    uint16_t size;
    uint16_t next_desc;            /* the first that the next chain takes */
    uint16_t next_used;
    int call_fd;
};

struct vmm_driver {
    struct ram ram;
    struct virtio_device *device;
    struct vmm_driver_ring ring[VMM_DRIVER_RINGS];
    unsigned config_changes;
};

/** Makes the guest's memory, of RAM_MIN_BYTES.  @return 0 or -1 */
int vmm_driver_open(struct vmm_driver *driver);
void vmm_driver_close(struct vmm_driver *driver);

/** @param device  borrowed until vmm_driver_unplug() */
void vmm_driver_plug(struct vmm_driver *driver, struct virtio_device *device);
void vmm_driver_unplug(struct vmm_driver *driver);

/** Resets the device and brings it up with @p features and VERSION_1, all rings as new. */
void vmm_driver_start(struct vmm_driver *driver, uint64_t features);
void vmm_driver_reset(struct vmm_driver *driver);

/** What is at @p gpa: NULL outside of memory. */
void *vmm_driver_at(struct vmm_driver *driver, uint64_t gpa);

/**
 * Makes a chain of @p count pieces available, and kicks; descriptors are taken in turn, so a test
 * sees to it that no more than the ring's size are out.
 * @return the chain's head
 */
uint16_t vmm_driver_offer(struct vmm_driver *driver, unsigned ring,
                          const struct vmm_driver_piece *piece, unsigned count);
void vmm_driver_kick(struct vmm_driver *driver, unsigned ring);

/** The next chain that came back.  @return whether there is one */
bool vmm_driver_used(struct vmm_driver *driver, unsigned ring, uint16_t *head,
                     uint32_t *len_bytes);
/** As that, but waits for the interrupt, 10 s at most: for devices with a thread of their own. */
bool vmm_driver_wait(struct vmm_driver *driver, unsigned ring, uint16_t *head,
                     uint32_t *len_bytes);
/** Interrupts since it was asked last. */
uint64_t vmm_driver_interrupts(struct vmm_driver *driver, unsigned ring);

#endif
