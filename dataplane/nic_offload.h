/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an ethdev does of checksums and segmentation: decided once, when it is configured.
 *
 * A device is asked for what it has and what can be said exactly; the rest is the switch's.  Not
 * asked for are:
 *
 *   - merging what it receives (LRO), which a switch must be able to undo: see switch/coalesce.h;
 *   - UDP segmentation: DPDK's UDP_TSO is UFO, IP fragments of one datagram;
 *   - segments of a frame with CWR: no device says whether only its first segment will have it;
 *   - segments of TCP that are very short (i40e and iavf lose what is below 256 bytes), or behind
 *     IPv6 extension headers;
 *   - checksums of what is received from drivers of virtio: they would pass frames on without one.
 */
#ifndef DATAPLANE_NIC_OFFLOAD_H
#define DATAPLANE_NIC_OFFLOAD_H

#include <stdbool.h>

#include "dataplane/nic_device.h"
#include "switch/offload.h"

struct rte_eth_conf;
struct rte_eth_dev_info;

/**
 * Chooses, for a device of which chains and max_mtu_bytes are known, what it shall do: writes it
 * into @p nic, and into @p conf as rte_eth_dev_configure() wants it.  Thread: control.
 */
void nic_offload_choose(struct nic *nic, const struct rte_eth_dev_info *info,
                        struct rte_eth_conf *conf);

/** Whether the device cuts long frames of TCP.  Any thread. */
static inline bool nic_offload_cuts(const struct nic *nic)
{
    return (nic->offloads & OFFLOAD_TAKES_TSO4) != 0;
}

#endif
