/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NIC: its frames are the switch's, its control queue and configuration are here.
 *
 * What a driver negotiates goes to the switch by vhost-user: memory, rings, the eventfds by which
 * the guest kicks and is interrupted.  From then on no frame and no notification passes this
 * process.  When the switch goes, the link is down (VIRTIO_NET_S_LINK_UP); when it is back, the
 * rings are handed over again from where their used indices stand, the link is up, and the guest is
 * asked to announce itself.  A guest that boots before its switch has a NIC without a link.
 *
 * Before the first connection the switch cannot be asked what it offers: the features are those
 * that this monitor knows.  A driver that goes by one which the switch turns out to lack has no
 * link; what a guest would merely take undone (GUEST_ features) does not matter.
 *
 * Standard: virtio 1.2, 5.1 (network device), 5.1.6.5 (control queue).
 */
#ifndef VMM_VIRTIO_NET_H
#define VMM_VIRTIO_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/error.h"
#include "vmm/virtio_device.h"

struct event_base;
struct virtio_net;

#define VIRTIO_NET_PAIRS_MAX 16u

struct virtio_net_options {
    const char *name;              /* of the vNIC */
    const char *socket_path;
    uint64_t mac;                  /* 0x00155d010203 is 00:15:5d:01:02:03 */
    uint16_t mtu_bytes;            /* 0: not told to the guest */
    uint16_t pairs;                /* 1 to 16 */
};

struct virtio_net_status {
    bool connected;                /* to the switch, which may lack what the driver needs */
    bool link_up;
    uint64_t features;             /* negotiated by the driver; 0: no driver */
    uint16_t pairs_enabled;        /* by the driver; 0: no driver */
    uint32_t connects;             /* since the VM started */
    char why[ERROR_TEXT_SIZE];     /* there is no link, or a driver that broke it; "" otherwise */
};

/**
 * Begins to look for the switch; what it offers is known once the event loop runs.
 * @param options  its texts are borrowed while the NIC lives
 * @return owned; NULL with a sentence
 * Thread: main, as all of this.
 */
struct virtio_net *virtio_net_create(struct ram *ram, struct event_base *base,
                                     const struct virtio_net_options *options,
                                     struct error *error);
/** It is not plugged in any more.  NULL is fine. */
void virtio_net_destroy(struct virtio_net *net);
struct virtio_device *virtio_net_device(struct virtio_net *net);   /* to be plugged in */
void virtio_net_status(struct virtio_net *net, struct virtio_net_status *status);

#endif
