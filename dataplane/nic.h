/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An uplink on an ethdev of DPDK's: a PCI device, a vdev, or a kernel interface by AF_XDP.
 *
 * From the wire, frames lie in mbufs until the batch is returned.  To the wire they are copied into
 * mbufs of the NIC's own pool, whatever they come from: a guest's memory cannot be lent to a
 * device, because the guest could change a frame after it was checked.  A frame longer than a
 * buffer is in several where the device can do that; else buffers are as long as the MTU asks.
 *
 * AF_XDP by DPDK's driver: an MTU of at most 3430, all queues of the interface or none, and no word
 * of its carrier.  Its program leaves the interface with the device, but not with a process that is
 * killed: it then lets every frame through to the host, until the interface is taken again or
 * `ip link set INTERFACE xdp off`.
 *
 * What the device does of checksums and segmentation is decided once, when it is configured: see
 * nic_offload.h.
 *
 * An ethdev's queue is one thread's.  With as many transmit queues as workers each has its own;
 * where the device has fewer, workers share by a claim for the length of one batch.
 */
#ifndef DATAPLANE_NIC_H
#define DATAPLANE_NIC_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/drop.h"
#include "switch/error.h"
#include "switch/frame.h"

struct nic;

struct nic_config {
    const char *where;             /* "0000:01:00.0", or a vdev as DPDK writes it, without "vdev:":
                                      "net_tap0,iface=x", "net_af_xdp3,iface=eth1" */
    uint16_t port;                 /* the switch's number of it */
    uint16_t queues;               /* wanted, at least 1; it may get fewer */
    uint16_t workers;              /* at least 1, at most DATAPLANE_MAX_WORKERS */
    uint32_t mtu_bytes;
};

/* What the device is and how its link stands. */
struct nic_status {
    char driver[32];               /* "net_af_xdp" */
    char name[64];                 /* DPDK's name of the device */
    bool carrier;
    uint32_t speed_mbps;           /* 0: unknown */
    uint64_t mac;
    uint32_t mtu_bytes;            /* as set */
    uint32_t max_mtu_bytes;
    uint8_t offloads;              /* what the device does of what it sends: enum offload_take */
};

/**
 * Attaches, configures and starts a device.
 *
 * @return owned, for nic_destroy(); NULL with a sentence: no such device, not bound to a driver of
 *         DPDK's, in use, an MTU it cannot take and which it can
 * Thread: control.
 */
struct nic *nic_create(const struct nic_config *config, struct error *error);
/** Stops and detaches the device; no worker uses it.  NULL is fine.  Thread: control. */
void nic_destroy(struct nic *nic);

/**
 * Changes the MTU while frames flow.
 * @return 0; -ERANGE with a sentence that says which it can take; -EBUSY with one when it could,
 *         but only if it is destroyed and created again with it
 * Thread: control.
 */
int nic_set_mtu(struct nic *nic, uint32_t mtu_bytes, struct error *error);
/** Asks the device; while it has no carrier, nic_to_wire() sends nothing.  Thread: control. */
void nic_status(struct nic *nic, struct nic_status *status);
/** Frames the device lost since it was made because its rings were full.  Thread: control. */
uint64_t nic_overruns(const struct nic *nic);

/**
 * As packet_port_from_wire().  What it refuses: BAD_DESCRIPTOR (lengths or pieces that contradict
 * each other), FRAME_TOO_LONG.  A frame of TCP or UDP whose checksum the device found right is
 * FRAME_CSUM_CHECKED; one that it found wrong is left to its receiver to refuse.
 */
uint16_t nic_from_wire(struct nic *nic, uint16_t queue, struct frame_batch *batch,
                       struct drop_tally *refused);
/** Frees the mbufs of the last batch, of refused frames too. */
void nic_return(struct nic *nic, uint16_t queue);
/**
 * Sends frames; @p worker says whose transmit queue.  A partial checksum is completed by the
 * device, or within the copy: when the device does none, when the checksum is one inside of a
 * tunnel, and when it is behind IPv6 extension headers, which drivers do not count in.  What a
 * driver refuses to have its device do is lost as DEVICE_ERROR; a long frame that the device does
 * not cut is OVER_MTU.
 * Thread: that worker; two on one queue exclude each other for a batch.
 */
uint16_t nic_to_wire(struct nic *nic, uint16_t worker, const struct frame_batch *batch,
                     const uint8_t *index, uint16_t count, uint8_t *verdict);

/**
 * What may be sent undone (enum offload_take): segmentation as the device can, and checksums, which
 * are completed within the copy when the device cannot.  Any thread.
 */
uint8_t nic_takes(const struct nic *nic);
uint16_t nic_queues(const struct nic *nic);
/**
 * Readable when @p queue has something, when the device can say so; -1: it cannot, and whoever
 * sleeps has to look at it now and then.  Arm it by nic_arm() before sleeping.  Nobody reads it: it
 * may be the device itself, and its bytes a frame.
 */
int nic_fd(const struct nic *nic, uint16_t queue);
/** Asks for an interrupt, or no more and forgets one.  Thread: the worker that polls the queue. */
void nic_arm(struct nic *nic, uint16_t queue, bool on);
/** Whether the device has something for @p queue now; false when it cannot say. */
bool nic_has_more(struct nic *nic, uint16_t queue);

#endif
