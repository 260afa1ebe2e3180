/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtio device without its transport: features, configuration space, queues.
 *
 * virtio_mmio and virtio_pci are two register tables over this; a device (virtio_net, virtio_blk,
 * virtio_console, virtio_rng) is a table of functions and knows of neither.  What a driver writes
 * is kept here and given to the device when the driver says that it is ready, all at once: rings
 * that do not lie in the guest's memory make the device need a reset and never reach it.
 *
 * A driver that does things in another order than the standard's finds them not done: feature bits
 * count until FEATURES_OK, a queue's settings until it is ready, and queues until DRIVER_OK.
 *
 * Threads: a transport calls a device's functions under the bus's lock, from a vCPU's thread or the
 * main one, so never two at once.  start and stop are not put off: when stop returns, the guest may
 * use the memory of its rings for something else.  A device that works on other threads too has a
 * lock of its own for that; it may hold it while it calls what is said below to be for any thread.
 *
 * Standard: virtio 1.2, 2 (basic facilities), 3 (initialization), 4.1 and 4.2 (transports).
 */
#ifndef VMM_VIRTIO_DEVICE_H
#define VMM_VIRTIO_DEVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "switch/error.h"
#include "vmm/ram.h"

#define VIRTIO_QUEUES_MAX 33u      /* 16 pairs of a NIC and its control queue */
#define VIRTIO_OWN_WORDS  3u       /* of a snapshot, for what is a device's own */

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
    uint16_t size_max;             /* set once by the device, before it is plugged in */
    bool ready;
    uint64_t desc_gpa, avail_gpa, used_gpa;
    int kick_fd;                   /* eventfd: the driver made buffers available.  Owned by the
                                      transport, the same while the device is plugged in */
    _Atomic int call_fd;           /* eventfd: writing it interrupts the driver; -1: it wants no
                                      interrupt.  Owned by the transport; it may change while the
                                      device runs: see ops->call_changed */
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
    /* The driver reset the device, or it goes: afterwards no queue is touched any more.  Only
     * after start, once for each. */
    void (*stop)(struct virtio_device *device);
    /* queue[n].call_fd is another one now (the driver moved its vector).  NULL for a device that
     * looks at call_fd each time; else only between start and stop. */
    void (*call_changed)(struct virtio_device *device, uint16_t queue);
    /* For a device whose driver has told it more, since it runs, than is kept below: what that is,
     * for a snapshot, and the same again, right after start.  Both or neither.  restore believes
     * @p own no more than a driver, and returns 0, or -EINVAL with a sentence. */
    void (*save)(struct virtio_device *device, uint64_t own[VIRTIO_OWN_WORDS]);
    int (*restore)(struct virtio_device *device, const uint64_t own[VIRTIO_OWN_WORDS],
                   struct error *error);
};

struct virtio_device {
    const struct virtio_ops *ops;
    struct ram *ram;
    /* ---- the transport's, set when the device is plugged in ---- */
    void (*config_changed)(void *transport);   /* interrupts the driver: it reads the config anew */
    void *transport;
    /* ---- what the driver did; written under the bus's lock, but for NEEDS_RESET ---- */
    bool running;                  /* between ops->start and ops->stop */
    uint64_t acked;
    _Atomic uint8_t status;
    _Atomic uint32_t config_generation;
    uint32_t device_features_select, driver_features_select;
    uint16_t queue_select;
    struct virtio_queue queue[VIRTIO_QUEUES_MAX];
};

/* ---- for devices ----------------------------------------------------------------------------- */

/** Tells the driver that the configuration has changed, when there is one to tell.  Thread: any. */
void virtio_device_config_changed(struct virtio_device *device);
/** The driver broke the rules: it is told to reset the device (2.1.2).  Thread: any. */
void virtio_device_needs_reset(struct virtio_device *device);

/* ---- for transports: the part of the register table that both share -------------------------- */

/** Features offered, and 32 bits of them or of what the driver took, as selected. */
uint64_t virtio_device_features(struct virtio_device *device);
uint32_t virtio_device_offered_word(struct virtio_device *device);
uint32_t virtio_device_acked_word(const struct virtio_device *device);
void virtio_device_ack_word(struct virtio_device *device, uint32_t word);

void virtio_device_set_status(struct virtio_device *device, uint8_t status);
/** As a driver's write of 0 to the status: what it set up is forgotten, the device is stopped. */
void virtio_device_reset(struct virtio_device *device);

/** The selected queue; NULL when there is none of that number. */
struct virtio_queue *virtio_device_queue(struct virtio_device *device);
void virtio_device_set_queue_size(struct virtio_device *device, uint32_t size);
void virtio_device_set_queue_ready(struct virtio_device *device, bool ready);
/* The addresses of a queue's parts are written in halves. */
enum virtio_area { VIRTIO_DESC, VIRTIO_AVAIL, VIRTIO_USED };
void virtio_device_set_queue_half(struct virtio_device *device, enum virtio_area area, bool high,
                                  uint32_t value);
uint32_t virtio_device_queue_half(struct virtio_device *device, enum virtio_area area, bool high);
/** A notification that did not come by ioeventfd. */
void virtio_device_kick(struct virtio_device *device, uint32_t queue);

/** Makes each queue's kick_fd; call_fd is -1.  @return 0; -errno with a sentence, with none made */
int virtio_device_open_kicks(struct virtio_device *device, struct error *error);
void virtio_device_close_kicks(struct virtio_device *device);

/** Whether the three parts of @p queue lie in guest memory, aligned.  2.7 */
bool virtio_queue_is_sound(const struct ram *ram, const struct virtio_queue *queue,
                           bool event_idx);

/* ---- a device's part of a snapshot ----------------------------------------------------------- */

struct virtio_queue_state {
    uint16_t size;
    uint16_t ready;
    uint32_t zero;                 /* of no meaning, but no byte of a snapshot is left unsaid */
    uint64_t desc_gpa, avail_gpa, used_gpa;
};

#define VIRTIO_DEVICE_STATE_VERSION 1u     /* another one for another layout, or meaning */

struct virtio_device_state {
    uint64_t acked;
    uint32_t config_generation;
    uint32_t device_features_select, driver_features_select;
    uint16_t queue_select;
    uint8_t status;
    uint8_t version;
    uint64_t own[VIRTIO_OWN_WORDS];        /* 0 for a device that does not run */
    struct virtio_queue_state queue[VIRTIO_QUEUES_MAX];
};

void virtio_device_save(struct virtio_device *device, struct virtio_device_state *state);
/**
 * Gives a device that was just reset the state of another; one that ran then runs.
 * @param state  from a file: believed no more than a driver's writes
 * @return 0; -EINVAL with a sentence, then the device is as after a reset
 * Thread: main, before any vCPU runs, with guest memory as it was.
 */
int virtio_device_restore(struct virtio_device *device, const struct virtio_device_state *state,
                          struct error *error);

#endif
