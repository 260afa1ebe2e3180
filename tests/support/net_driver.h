/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's NIC driver without a guest: a virtio_net device, and both that transport and driver do.
 *
 * Rings and frames are those of a frontend (see frontend.h), in the memory that the device hands to
 * its switch: so frontend_send() and frontend_receive() move frames through net_driver.guest, while
 * negotiation, the control queue and the configuration go by the device's functions.
 *
 * Thread: one, whose event loop turns only in the calls that say so.
 */
#ifndef TESTS_SUPPORT_NET_DRIVER_H
#define TESTS_SUPPORT_NET_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/support/frontend.h"
#include "vmm/virtio_net.h"

#define NET_DRIVER_PATIENCE_MS 10000

struct net_driver_config {
    const char *name;
    const char *socket_path;
    uint64_t mac;
    uint16_t pairs;                /* 0: one */
    uint16_t mtu_bytes;
    uint64_t without_features;     /* offered, and not taken */
};

struct net_driver {
    struct frontend guest;         /* its rings; it has no channel of its own */
    struct guest_ring control;
    uint16_t control_queue;
    bool mq;                       /* all pairs are set up */
    struct net_driver_config config;
    struct ram ram;
    struct event_base *base;
    struct virtio_net *net;
    struct virtio_device *device;
    unsigned config_changes;       /* interrupts */
};

/** Makes the device and plugs it in.  @param base  borrowed.  @return 0 or -1 */
int net_driver_open(struct net_driver *driver, struct event_base *base,
                    const struct net_driver_config *config);
/** Resets the device, takes it out, and frees all. */
void net_driver_close(struct net_driver *driver);

/** As a driver starts: features, queues, DRIVER_OK, buffers.  @return 0 or -1.  No loop. */
int net_driver_start(struct net_driver *driver);
void net_driver_reset(struct net_driver *driver);

/** What the configuration space says. */
uint16_t net_driver_status(struct net_driver *driver);
bool net_driver_link_is_up(struct net_driver *driver);

/** Turns the event loop until @p is_so says so.  @return whether it did in time */
bool net_driver_await(struct net_driver *driver, bool (*is_so)(struct net_driver *driver));
bool net_driver_await_link(struct net_driver *driver, bool up);
/** Turns the event loop for @p time_ms. */
void net_driver_run(struct net_driver *driver, int time_ms);

/**
 * Gives the device a command and turns the loop until it is answered.
 * @return VIRTIO_NET_OK, VIRTIO_NET_ERR; -1 when no answer comes
 */
int net_driver_command(struct net_driver *driver, uint8_t class, uint8_t number, const void *data,
                       uint32_t len_bytes);
int net_driver_set_pairs(struct net_driver *driver, uint16_t pairs);

#endif
