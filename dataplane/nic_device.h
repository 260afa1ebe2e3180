/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a nic is made of: the chapters of nic.h (nic, nic_*) share it, and nobody else looks.
 */
#ifndef DATAPLANE_NIC_DEVICE_H
#define DATAPLANE_NIC_DEVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/dataplane.h"
#include "dataplane/nic.h"
#include "switch/frame.h"

struct rte_mbuf;
struct rte_mempool;

#define NIC_QUEUES_MAX 16u

/* A receive queue; its worker writes. */
struct nic_from {
    struct rte_mbuf *held[FRAME_BURST];    /* of the batch that is under way */
    uint16_t held_count;
    bool interrupts;               /* fd is an eventfd, signalled when the device is armed */
    int fd;                        /* -1: none; else set once */
} __attribute__((aligned(64)));

/* A transmit queue. */
struct nic_to {
    atomic_flag claim;             /* taken for a batch when workers share queues */
} __attribute__((aligned(64)));

struct nic {
    /* ---- read by workers; written before they know of it, but for the carrier ---- */
    uint16_t port_id;              /* DPDK's number of the device */
    uint16_t port;                 /* the switch's */
    uint16_t from_count;
    uint16_t to_count;
    bool shared;                   /* fewer transmit queues than workers */
    bool chains;                   /* a frame may be longer than a buffer, both ways */
    uint8_t offloads;              /* what the device does of what it sends: enum offload_take */
    bool ip_sums;                  /* with TSO4: and the IPv4 headers' checksums */
    bool checks;                   /* it says of which frames it found the checksum right */
    uint16_t room_bytes;           /* of a buffer, without headroom */
    atomic_bool carrier;           /* when control last looked */
    struct rte_mempool *pool;      /* for both ways */
    /* ---- control's ---- */
    uint32_t mtu_bytes;
    uint32_t max_mtu_bytes;
    uint64_t overruns_before;      /* counted before this was made */
    bool xdp;                      /* by AF_XDP */
    int promiscuous_fd;            /* a socket that makes a kernel interface so; or -1 */
    /* ---- workers' ---- */
    struct nic_from from[NIC_QUEUES_MAX];
    struct nic_to to[DATAPLANE_MAX_WORKERS];
};

#endif
