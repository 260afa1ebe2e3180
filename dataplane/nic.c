/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/nic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_packet.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_pci.h>

#include "dataplane/nic_attach.h"
#include "dataplane/nic_device.h"
#include "dataplane/nic_link.h"
#include "dataplane/nic_offload.h"
#include "dataplane/nic_xdp.h"
#include "switch/mac.h"
#include "switch/offload.h"

/* Beyond the MTU: an Ethernet header, two tags, and a checksum where hardware leaves it. */
#define OVERHEAD_BYTES   (RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN + RTE_ETHER_CRC_LEN)
#define ROOM_BYTES       2048u     /* of a buffer: hardware counts some in units of 1 KiB */
#define ROOM_UNIT_BYTES  128u
#define XDP_ROOM_BYTES   256u      /* XDP_PACKET_HEADROOM: AF_XDP keeps as much before a frame */
#define RING_ENTRIES     512u      /* when the driver does not say */
#define TAP_ENTRIES      64u       /* net_tap looks at each of them for every frame it receives */
#define POOL_LEAST       2047u
#define POOL_CACHE       128u      /* buffers a worker keeps at hand, at most 1.5 times as many */

/* ---- how long a frame may be ----------------------------------------------------------------- */

static uint32_t room_for(uint32_t mtu_bytes)
{
    const uint32_t whole_bytes = mtu_bytes + OVERHEAD_BYTES + XDP_ROOM_BYTES;

    return whole_bytes <= ROOM_BYTES ? ROOM_BYTES : RTE_ALIGN(whole_bytes, ROOM_UNIT_BYTES);
}

/* AF_XDP takes whole buffers as its chunks, which are at most a page. */
static uint32_t max_mtu_of_chunk(void)
{
    const uint32_t page_bytes = (uint32_t)sysconf(_SC_PAGESIZE);
    uint32_t room_bytes = page_bytes;

    while (rte_mempool_calc_obj_size((uint32_t)sizeof(struct rte_mbuf) + RTE_PKTMBUF_HEADROOM +
                                     room_bytes, 0, NULL) > page_bytes) {
        room_bytes -= ROOM_UNIT_BYTES;
    }
    return room_bytes - OVERHEAD_BYTES - XDP_ROOM_BYTES;
}

/* What rte_eth_dev_set_mtu() will take: it counts what a driver says of frames as well. */
static uint32_t max_mtu_of(const struct rte_eth_dev_info *info)
{
    uint32_t beyond_bytes = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
    uint32_t max_bytes = info->max_mtu;

    if (info->max_mtu != UINT16_MAX && info->max_rx_pktlen > info->max_mtu) {
        beyond_bytes = info->max_rx_pktlen - info->max_mtu;
    }
    if (info->max_rx_pktlen < max_bytes + beyond_bytes) {
        max_bytes = info->max_rx_pktlen - RTE_MIN(beyond_bytes, info->max_rx_pktlen);
    }
    return max_bytes;
}

static int check_mtu(const struct nic *nic, uint32_t mtu_bytes, struct error *error)
{
    char name[RTE_ETH_NAME_MAX_LEN] = "";

    (void)rte_eth_dev_get_name_by_port(nic->port_id, name);
    if (mtu_bytes > nic->max_mtu_bytes) {
        return error_set(error, ERANGE, "device \"%s\" can have an MTU of at most %u, and the "
                         "switch's is %u; choose --mtu %u or less", name, nic->max_mtu_bytes,
                         mtu_bytes, nic->max_mtu_bytes);
    }
    return 0;
}

/* ---- making it ------------------------------------------------------------------------------- */

struct set_up {
    const struct nic_config *config;
    struct rte_eth_dev_info info;
    struct rte_eth_conf conf;
    char name[RTE_ETH_NAME_MAX_LEN];
    int socket;                    /* NUMA node of the device, or SOCKET_ID_ANY */
    uint16_t from_entries;
    uint16_t to_entries;
    bool hardware;
};

/* Whether frames arrive on every queue the device has, wanted or not. */
static bool has_all_queues(const struct rte_eth_dev_info *info)
{
    return strcmp(info->driver_name, "net_af_xdp") == 0 ||
           strcmp(info->driver_name, "net_af_packet") == 0;
}

static int ask_device(struct nic *nic, struct set_up *set_up, struct error *error)
{
    const struct nic_config *config = set_up->config;
    struct rte_eth_dev_info *info = &set_up->info;
    struct rte_pci_addr address;

    if (rte_eth_dev_get_name_by_port(nic->port_id, set_up->name) != 0 ||
        rte_eth_dev_info_get(nic->port_id, info) != 0) {
        return error_set(error, EIO, "device \"%s\" does not say what it can do",
                         config->where);
    }
    set_up->hardware = rte_pci_addr_parse(config->where, &address) == 0;
    set_up->socket = rte_eth_dev_socket_id(nic->port_id);
    set_up->from_entries = info->default_rxportconf.ring_size;
    set_up->to_entries = info->default_txportconf.ring_size;
    if (set_up->from_entries == 0) {
        set_up->from_entries = strcmp(info->driver_name, "net_tap") == 0 ? TAP_ENTRIES
                                                                         : RING_ENTRIES;
    }
    if (set_up->to_entries == 0) {
        set_up->to_entries = RING_ENTRIES;
    }
    nic->max_mtu_bytes = max_mtu_of(info);
    nic->xdp = strcmp(info->driver_name, "net_af_xdp") == 0;
    if (nic->xdp) {
        nic->max_mtu_bytes = RTE_MIN(nic->max_mtu_bytes, max_mtu_of_chunk());
    }
    if (has_all_queues(info) && info->max_rx_queues > NIC_QUEUES_MAX) {
        return error_set(error, E2BIG, "device \"%s\" has %u queues, and each would have to be "
                         "polled; give it at most %u", set_up->name, info->max_rx_queues,
                         NIC_QUEUES_MAX);
    }
    return check_mtu(nic, config->mtu_bytes, error);
}

static uint16_t least(uint16_t a, uint16_t b, uint16_t c)
{
    const uint16_t less = a < b ? a : b;

    return less < c ? less : c;
}

/* How many queues, how long a buffer, and which of the device's abilities are wanted. */
static void choose(struct nic *nic, struct set_up *set_up)
{
    const struct rte_eth_dev_info *info = &set_up->info;
    struct rte_eth_conf *conf = &set_up->conf;
    const uint64_t hash = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP;

    nic->from_count = least(set_up->config->queues, info->max_rx_queues, NIC_QUEUES_MAX);
    if (has_all_queues(info)) {
        nic->from_count = info->max_rx_queues;
    }
    nic->to_count = least(set_up->config->workers, info->max_tx_queues, DATAPLANE_MAX_WORKERS);
    conf->rxmode.mtu = set_up->config->mtu_bytes;
    if (nic->from_count > 1 && (info->flow_type_rss_offloads & hash) != 0) {
        conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf->rx_adv_conf.rss_conf.rss_hf = info->flow_type_rss_offloads & hash;
    }
    nic->room_bytes = (uint16_t)room_for(set_up->config->mtu_bytes);
    nic->chains = (info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) != 0 &&
                  (info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;
    if (nic->chains) {
        nic->room_bytes = ROOM_BYTES;
        conf->rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
        conf->txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    }
    nic_offload_choose(nic, info, conf);
    if (nic_offload_cuts(nic)) {           /* a long frame is many pieces */
        set_up->to_entries = RTE_MAX(set_up->to_entries, RING_ENTRIES);
    }
}

static int configure(struct nic *nic, const struct rte_eth_conf *conf)
{
    int rc = rte_eth_dev_configure(nic->port_id, nic->from_count, nic->to_count, conf);

    if (rc != 0 && nic->from_count != nic->to_count) {
        /* Some have their queues in pairs only. */
        nic->to_count = nic->from_count;
        rc = rte_eth_dev_configure(nic->port_id, nic->from_count, nic->to_count, conf);
    }
    return rc;
}

static uint32_t pieces_of(const struct nic *nic, uint32_t len_bytes)
{
    return (len_bytes + nic->room_bytes - 1) / nic->room_bytes;
}

/* Buffers for all that can be away at once: in rings, in batches both ways, in workers' caches. */
static uint32_t buffers_for(const struct nic *nic, const struct set_up *set_up)
{
    const uint32_t workers = set_up->config->workers;
    const uint32_t from_pieces = pieces_of(nic, room_for(set_up->config->mtu_bytes));
    const uint32_t to_pieces = nic_offload_cuts(nic) ? pieces_of(nic, FRAME_MAX_BYTES)
                                                     : from_pieces;
    const uint32_t count = nic->from_count * set_up->from_entries +
                           nic->to_count * set_up->to_entries +
                           (nic->from_count * from_pieces + workers * to_pieces) * FRAME_BURST +
                           (workers + 1) * (POOL_CACHE + POOL_CACHE / 2);

    return RTE_MAX(count, POOL_LEAST);
}

static int make_pool(struct nic *nic, const struct set_up *set_up, struct error *error)
{
    const uint32_t count = buffers_for(nic, set_up);
    const uint32_t room_bytes = RTE_PKTMBUF_HEADROOM + nic->room_bytes;
    const uint64_t all_bytes = (uint64_t)count * (room_bytes + sizeof(struct rte_mbuf));
    char name[RTE_MEMPOOL_NAMESIZE];

    (void)snprintf(name, sizeof(name), "nic%u", nic->port_id);
    nic->pool = rte_pktmbuf_pool_create(name, count, POOL_CACHE, 0, (uint16_t)room_bytes,
                                        set_up->socket);
    if (nic->pool == NULL) {
        return error_set(error, ENOMEM, "device \"%s\" needs %u buffers, about %u MiB, and DPDK "
                         "has no such memory left; give the daemon that much more with --memory",
                         set_up->name, count, (uint32_t)(all_bytes >> 20) + 1);
    }
    if (nic->xdp && nic->pool->nb_mem_chunks != 1) {
        return error_set(error, ENOMEM, "device \"%s\" needs its %u buffers in one piece, and "
                         "DPDK's memory has none that long; give the daemon more with --memory",
                         set_up->name, count);
    }
    return 0;
}

static int start(struct nic *nic, struct set_up *set_up)
{
    int rc = rte_eth_dev_set_mtu(nic->port_id, (uint16_t)set_up->config->mtu_bytes);

    if (rc != 0 && rc != -ENOTSUP) {
        return rc;
    }
    for (uint16_t i = 0; i < nic->from_count; i++) {
        rc = rte_eth_rx_queue_setup(nic->port_id, i, set_up->from_entries,
                                    (unsigned)set_up->socket, NULL, nic->pool);
        if (rc != 0) {
            return rc;
        }
    }
    for (uint16_t i = 0; i < nic->to_count; i++) {
        rc = rte_eth_tx_queue_setup(nic->port_id, i, set_up->to_entries,
                                    (unsigned)set_up->socket, NULL);
        if (rc != 0) {
            return rc;
        }
    }
    return rte_eth_dev_start(nic->port_id);
}

/* Configures and starts; with interrupts when the device has them, for its queues and its link. */
static int bring_up(struct nic *nic, struct set_up *set_up, struct error *error)
{
    static const struct { bool queues, link; } tries[] = { { true, true }, { false, true },
                                                           { false, false } };
    const bool link_is_told = nic_link_is_told(nic->port_id);
    int rc = -EIO;

    for (unsigned i = 0; i < sizeof(tries) / sizeof(tries[0]) && rc != 0; i++) {
        set_up->conf.intr_conf.rxq = tries[i].queues;
        set_up->conf.intr_conf.lsc = tries[i].link && link_is_told;
        rc = configure(nic, &set_up->conf);
        if (rc == 0) {
            (void)rte_eth_dev_adjust_nb_rx_tx_desc(nic->port_id, &set_up->from_entries,
                                                   &set_up->to_entries);
            if (nic->pool == NULL && make_pool(nic, set_up, error) != 0) {
                return -ENOMEM;
            }
            rc = start(nic, set_up);
        }
    }
    if (rc != 0) {
        /* Most drivers say -1 of whatever it was. */
        return error_set(error, rc < -1 ? -rc : EIO, "device \"%s\" was found but does not "
                         "start%s%s; DPDK's messages in the daemon's log say more", set_up->name,
                         rc < -1 ? ": " : "", rc < -1 ? strerror(-rc) : "");
    }
    nic->shared = set_up->config->workers > nic->to_count;
    nic_link_listen(nic->port_id);
    return 0;
}

/*
 * Makes the device take frames for others.  A kernel interface is made so by a membership of a
 * socket, which ends with the process, because a flag that a driver sets there would stay.
 */
static int see_everything(struct nic *nic, const struct set_up *set_up, struct error *error)
{
    const struct packet_mreq everything = {
        .mr_ifindex = (int)set_up->info.if_index, .mr_type = PACKET_MR_PROMISC
    };
    int rc;

    if (!set_up->hardware && set_up->info.if_index != 0) {
        nic->promiscuous_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
        rc = nic->promiscuous_fd < 0 ||
             setsockopt(nic->promiscuous_fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &everything,
                        sizeof(everything)) != 0 ? -errno : 0;
    } else {
        (void)rte_eth_allmulticast_enable(nic->port_id);
        rc = rte_eth_promiscuous_enable(nic->port_id);
        if (rc == -ENOTSUP && !set_up->hardware) {     /* net_virtio_user: has no filter either */
            rc = 0;
        }
    }
    if (rc != 0) {
        return error_set(error, -rc, "device \"%s\" does not let frames for other addresses than "
                         "its own through (%s), so that none for a guest would arrive; a virtual "
                         "function has to be trusted by its host (`ip link set DEVICE vf N trust "
                         "on`)",
                         set_up->name, strerror(-rc));
    }
    return 0;
}

/* Finds out by what each queue wakes a sleeper. */
static void find_interrupts(struct nic *nic)
{
    const int level = rte_log_get_level(rte_log_register("lib.ethdev"));

    /* It complains of every device that has none. */
    (void)rte_log_set_level_pattern("lib.ethdev", RTE_LOG_EMERG);
    for (uint16_t i = 0; i < nic->from_count; i++) {
        nic->from[i].fd = rte_eth_dev_rx_intr_ctl_q_get_fd(nic->port_id, i);
        nic->from[i].interrupts = nic->from[i].fd >= 0 &&
                                  rte_eth_dev_rx_intr_enable(nic->port_id, i) == 0;
        if (nic->from[i].interrupts) {
            (void)rte_eth_dev_rx_intr_disable(nic->port_id, i);
        }
    }
    (void)rte_log_set_level_pattern("lib.ethdev", (uint32_t)level);
}

/* All the device ever counted; 0 when it does not count. */
static uint64_t overruns(const struct nic *nic)
{
    struct rte_eth_stats stats;

    if (rte_eth_stats_get(nic->port_id, &stats) != 0) {
        return 0;
    }
    return stats.imissed + stats.rx_nombuf;
}

static int set_up_device(struct nic *nic, const struct nic_config *config, struct error *error)
{
    struct set_up set_up = { .config = config };
    struct nic_status status;
    int rc = ask_device(nic, &set_up, error);

    if (rc == 0) {
        choose(nic, &set_up);
        rc = bring_up(nic, &set_up, error);
    }
    if (rc == 0) {
        rc = see_everything(nic, &set_up, error);
    }
    if (nic->xdp) {
        nic_xdp_note(nic->port_id);
    }
    if (rc == 0) {
        nic->mtu_bytes = config->mtu_bytes;
        nic->overruns_before = overruns(nic);
        find_interrupts(nic);
        nic_status(nic, &status);
    }
    return rc;
}

/* ---- the face -------------------------------------------------------------------------------- */

struct nic *nic_create(const struct nic_config *config, struct error *error)
{
    struct nic *nic = aligned_alloc(64, sizeof(*nic));

    if (nic == NULL) {
        (void)error_set(error, ENOMEM, "device \"%s\": there is no memory left for it",
                        config->where);
        return NULL;
    }
    memset(nic, 0, sizeof(*nic));
    nic->port = config->port;
    nic->promiscuous_fd = -1;
    for (uint16_t i = 0; i < DATAPLANE_MAX_WORKERS; i++) {
        atomic_flag_clear(&nic->to[i].claim);
    }
    if (nic_attach(config->where, &nic->port_id, error) != 0) {
        free(nic);
        return NULL;
    }
    if (set_up_device(nic, config, error) != 0) {
        nic_destroy(nic);
        return NULL;
    }
    return nic;
}

void nic_destroy(struct nic *nic)
{
    if (nic == NULL) {
        return;
    }
    nic_link_ignore(nic->port_id);
    (void)rte_eth_dev_stop(nic->port_id);
    nic_detach(nic->port_id);
    if (nic->xdp) {
        nic_xdp_close(nic->port_id);
    }
    if (nic->promiscuous_fd >= 0) {
        (void)close(nic->promiscuous_fd);
    }
    rte_mempool_free(nic->pool);
    free(nic);
}

int nic_set_mtu(struct nic *nic, uint32_t mtu_bytes, struct error *error)
{
    const bool fits = nic->chains || room_for(mtu_bytes) <= nic->room_bytes;
    char name[RTE_ETH_NAME_MAX_LEN] = "";
    int rc = check_mtu(nic, mtu_bytes, error);

    if (rc != 0) {
        return rc;
    }
    rc = fits ? rte_eth_dev_set_mtu(nic->port_id, (uint16_t)mtu_bytes) : -EBUSY;
    if (rc != 0 && rc != -ENOTSUP) {
        (void)rte_eth_dev_get_name_by_port(nic->port_id, name);
        return error_set(error, EBUSY, "device \"%s\" can have an MTU of %u only when it is "
                         "started anew; it was started for %u", name, mtu_bytes, nic->mtu_bytes);
    }
    nic->mtu_bytes = mtu_bytes;
    return 0;
}

void nic_status(struct nic *nic, struct nic_status *status)
{
    struct rte_ether_addr mac = { 0 };
    struct rte_eth_dev_info info;
    struct rte_eth_link link = { 0 };
    char name[RTE_ETH_NAME_MAX_LEN] = "";

    (void)rte_eth_dev_get_name_by_port(nic->port_id, name);
    (void)rte_eth_link_get_nowait(nic->port_id, &link);
    (void)rte_eth_macaddr_get(nic->port_id, &mac);
    *status = (struct nic_status){
        .carrier = link.link_status == RTE_ETH_LINK_UP,
        .speed_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed,
        .mac = mac_read(mac.addr_bytes),
        .mtu_bytes = nic->mtu_bytes,
        .max_mtu_bytes = nic->max_mtu_bytes,
        .offloads = nic->offloads,
    };
    (void)snprintf(status->name, sizeof(status->name), "%s", name);
    if (rte_eth_dev_info_get(nic->port_id, &info) == 0) {
        (void)snprintf(status->driver, sizeof(status->driver), "%s", info.driver_name);
    }
    atomic_store_explicit(&nic->carrier, status->carrier, memory_order_relaxed);
}

uint64_t nic_overruns(const struct nic *nic)
{
    return overruns(nic) - nic->overruns_before;
}

uint8_t nic_takes(const struct nic *nic)
{
    return nic->offloads | OFFLOAD_TAKES_CSUM;
}

uint16_t nic_queues(const struct nic *nic)
{
    return nic->from_count;
}

int nic_fd(const struct nic *nic, uint16_t queue)
{
    return nic->from[queue].fd;
}
