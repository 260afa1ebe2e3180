/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/nic_offload.h"

#include <string.h>

#include <rte_ethdev.h>

#define TO_SUMS   (RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM)
#define FROM_SUMS (RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM)

/* A driver's limit of a chain; 0 where it says none. */
static bool takes_pieces(uint16_t limit, uint32_t pieces)
{
    return limit == 0 || pieces <= limit;
}

/*
 * Whether the device takes as many buffers as the longest frame is in, and as many as one segment
 * of it may touch: that starts and ends within buffers, and has the header in another.
 */
static bool takes_long_chains(const struct nic *nic, const struct rte_eth_desc_lim *limits)
{
    const uint32_t all = FRAME_MAX_BYTES / nic->room_bytes + 1;
    const uint32_t segment = nic->max_mtu_bytes / nic->room_bytes + 3;

    return takes_pieces(limits->nb_seg_max, all) &&
           takes_pieces(limits->nb_mtu_seg_max, RTE_MIN(segment, all));
}

/* net_tap segments in software, IPv4 only, and refuses segments as long as its MTU. */
static bool cuts_right(const struct rte_eth_dev_info *info)
{
    return (info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_TCP_TSO) != 0 &&
           strcmp(info->driver_name, "net_tap") != 0;
}

/* Drivers that, asked to check, let their other end leave checksums partial. */
static bool leaves_sums_partial(const struct rte_eth_dev_info *info)
{
    return strncmp(info->driver_name, "net_virtio", strlen("net_virtio")) == 0 ||
           strcmp(info->driver_name, "net_vhost") == 0;
}

void nic_offload_choose(struct nic *nic, const struct rte_eth_dev_info *info,
                        struct rte_eth_conf *conf)
{
    nic->offloads = 0;
    nic->ip_sums = false;
    nic->checks = (info->rx_offload_capa & FROM_SUMS) == FROM_SUMS && !leaves_sums_partial(info);
    if (nic->checks) {
        conf->rxmode.offloads |= FROM_SUMS;
    }
    if ((info->tx_offload_capa & TO_SUMS) != TO_SUMS) {
        return;
    }
    nic->offloads = OFFLOAD_TAKES_CSUM;
    conf->txmode.offloads |= TO_SUMS;
    if (nic->chains && cuts_right(info) && takes_long_chains(nic, &info->tx_desc_lim)) {
        nic->offloads |= OFFLOAD_TAKES_TSO4 | OFFLOAD_TAKES_TSO6;
        nic->ip_sums = (info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0;
        conf->txmode.offloads |= RTE_ETH_TX_OFFLOAD_TCP_TSO |
                                 (nic->ip_sums ? RTE_ETH_TX_OFFLOAD_IPV4_CKSUM : 0);
    }
}
