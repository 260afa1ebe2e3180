/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtio device without its transport: features, configuration space, queues.
 *
 * virtio_mmio and virtio_pci are two register tables over this; a device (virtio_net, virtio_blk,
 * virtio_console, virtio_rng) is a table of functions and knows of neither.  What a driver writes
 * is kept here and given to the device when the driver says that it is ready, all at once: rings
 * that do not lie in the guest's memory make the device need a reset and never reach it.
 *
 * Standard: virtio 1.2, 2 (basic facilities), 3 (initialization), 4.1 and 4.2 (transports).
 */
#ifndef VMM_VIRTIO_DEVICE_H
#define VMM_VIRTIO_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/ram.h"

#define VIRTIO_QUEUES_MAX 33u      /* 16 pairs of a NIC and its control queue */

/* Device status bits.  Standard: virtio 1.2, 2.1. */
#define VIRTIO_ACKNOWLEDGE 1u
#define VIRTIO_DRIVER      2u
#define VIRTIO_DRIVER_OK   4u
#define VIRTIO_FEATURES_OK 8u
#define VIRTIO_NEEDS_RESET 64u
#define VIRTIO_FAILED      128u

/* What a driver set up; addresses are guest-physical and checked to lie in memory. */
struct virtio_queue {
    uint16_t size;                 /* entries, a power of two up to size_max */
    uint16_t size_max;
    bool ready;
    uint64_t desc_gpa, avail_gpa, used_gpa;
    int kick_fd;                   /* eventfd: the driver made buffers available.  Owned by the
                                      transport, -1 before the device is ready */
    int call_fd;                   /* eventfd: writing it interrupts the driver.  As above; it may
                                      change while the device runs: see ops->call_changed */
};

struct virtio_device;

struct virtio_ops {
    const char *name;              /* for people: "virtio-net" */
    uint16_t device_id;            /* virtio 1.2, 5: 1 net, 2 block, 3 console, 4 entropy */
    uint16_t queue_count;
    /* What is offered; VIRTIO_F_VERSION_1 is added by the transport. */
    uint64_t (*features)(struct virtio_device *device);
    /* Configuration space, bounded by the device; reads outside give 0. */
    void (*config_read)(struct virtio_device *device, uint32_t offset, uint8_t *data,
                        unsigned len_bytes);
    void (*config_write)(struct virtio_device *device, uint32_t offset, const uint8_t *data,
                         unsigned len_bytes);
    /* DRIVER_OK: device->queue[] are set up, device->acked is what was negotiated. */
    void (*start)(struct virtio_device *device);
    /* The driver reset the device, or it goes: afterwards no queue is touched any more. */
    void (*stop)(struct virtio_device *device);
    /* queue[n].call_fd is another one now (the driver moved its vector, or masked it). */
    void (*call_changed)(struct virtio_device *device, uint16_t queue);
};

struct virtio_device {
    const struct virtio_ops *ops;
    struct ram *ram;
    /* ---- the transport's, set when the device is plugged in ---- */
    void (*config_changed)(void *transport);   /* interrupts the driver: it reads the config anew */
    void *transport;
    uint64_t acked;
    uint8_t status;
    uint32_t config_generation;
    struct virtio_queue queue[VIRTIO_QUEUES_MAX];
};

/* ---- for transports: the part of the register table that both share -------------------------- */

void virtio_device_set_status(struct virtio_device *device, uint8_t status);
void virtio_device_reset(struct virtio_device *device);
/** Whether the three parts of @p queue lie in guest memory, aligned.  2.7 */
bool virtio_queue_is_sound(const struct ram *ram, const struct virtio_queue *queue,
                           bool event_idx);
/** Tells the driver that the configuration has changed, when there is one to tell. */
void virtio_device_config_changed(struct virtio_device *device);

#endif
