/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the switch was told of a NIC's driver, and telling it the rest.
 *
 * The device holds what the driver has set up, the control queue what it asked for since.  From
 * both follows what the switch should know: net_link_settle() makes up the difference, all of it at
 * first and then what has changed.  There is one such path, so none of them can be forgotten.
 *
 * Thread: any, one at a time; but for net_link_call_changed().
 */
#ifndef VMM_NET_LINK_H
#define VMM_NET_LINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "switch/error.h"
#include "vmm/backend.h"
#include "vmm/net_control.h"
#include "vmm/virtio_device.h"

/* Features whose other end is the switch; the others are between the driver and this monitor. */
#define NET_LINK_FEATURES(X)                                                                     \
    X(VIRTIO_NET_F_CSUM, CSUM)                                                                   \
    X(VIRTIO_NET_F_GUEST_CSUM, GUEST_CSUM)                                                       \
    X(VIRTIO_NET_F_GUEST_TSO4, GUEST_TSO4)                                                       \
    X(VIRTIO_NET_F_GUEST_TSO6, GUEST_TSO6)                                                       \
    X(VIRTIO_NET_F_GUEST_ECN, GUEST_ECN)                                                         \
    X(VIRTIO_NET_F_HOST_TSO4, HOST_TSO4)                                                         \
    X(VIRTIO_NET_F_HOST_TSO6, HOST_TSO6)                                                         \
    X(VIRTIO_NET_F_HOST_ECN, HOST_ECN)                                                           \
    X(VIRTIO_NET_F_MRG_RXBUF, MRG_RXBUF)                                                         \
    X(VIRTIO_NET_F_MQ, MQ)                                                                       \
    X(VIRTIO_RING_F_INDIRECT_DESC, INDIRECT_DESC)                                                \
    X(VIRTIO_RING_F_EVENT_IDX, EVENT_IDX)                                                        \
    X(VIRTIO_F_VERSION_1, VERSION_1)                                                             \
    X(VIRTIO_F_IN_ORDER, IN_ORDER)                                                               \
    X(NET_F_GUEST_USO4, GUEST_USO4)                                                              \
    X(NET_F_GUEST_USO6, GUEST_USO6)                                                              \
    X(NET_F_HOST_USO, HOST_USO)

#define NET_LINK_BIT(number, name) | UINT64_C(1) << (number)
#define NET_LINK_FEATURES_ALL (UINT64_C(0) NET_LINK_FEATURES(NET_LINK_BIT))

struct net_link {
    const struct virtio_device *device;
    uint16_t pairs;                /* of queues that the device has */
    uint16_t mtu_bytes;            /* told to a driver that asks; or 0 */
    struct backend *backend;       /* NULL: no connection */
    uint64_t offered;              /* of NET_LINK_FEATURES_ALL, by the switch at the backend */
    _Atomic uint64_t calls_changed;    /* a bit for each queue */
    /* ---- what the switch knows ---- */
    bool served;                   /* it has the rings */
    uint64_t told_features;
    uint16_t told_pairs;
};

/** Notes that queue[n].call_fd is another one now.  Any thread. */
void net_link_call_changed(struct net_link *link, uint16_t queue);

/**
 * Tells the switch what it does not know yet of the driver that runs.
 * @return 0 and link->served; -ENOTSUP, when it does not offer what the driver uses: the connection
 *         is as it was; else -errno of the backend's; each with a sentence
 */
int net_link_settle(struct net_link *link, const struct net_control *wanted, struct error *error);

/**
 * Takes the rings back; then the switch does not touch the guest's memory any more.
 * @return 0; -errno of the backend's with a sentence, and the switch may do so until it sees that
 *         it was hung up on
 */
int net_link_take_back(struct net_link *link, struct error *error);

#endif
