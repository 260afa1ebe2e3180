/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ring is read in order and its slots are given back in order: two counts say it all.
 *
 * A slot holds the longest frame there is, because what a local stack sends is not cut to the MTU.
 * Most frames touch one or two of a slot's seventeen pages, so a ring of 32 MiB is about 130 KiB of
 * cache at 64 bytes a frame.
 */
#include "dataplane/packet_port.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "dataplane/kernel_frame.h"
#include "dataplane/packet_send.h"
#include "switch/bytes.h"
#include "switch/frame_tag.h"
#include "switch/segment.h"

#define QUEUES_MAX       16u
#define BLOCK_BYTES      (4u << 20)
#define BLOCK_SLOTS      63u
#define SLOT_BYTES       66576u
#define RING_BLOCKS      8u        /* 504 slots in 32 MiB for a queue */
#define RING_BLOCKS_MANY 2u        /* 126 slots in 8 MiB for each of several, who share bursts */
#define AHEAD_SLOTS      4u        /* to have in the cache what another core has written */

/* Before a frame in a slot are the slot's header and the virtio-net header. */
#define FRAME_OFF_MIN    (TPACKET2_HDRLEN + NET_HEADER_BASE_BYTES)
#define FRAME_OFF_MAX    128u
static_assert(SLOT_BYTES % TPACKET_ALIGNMENT == 0 && SLOT_BYTES * BLOCK_SLOTS <= BLOCK_BYTES &&
              FRAME_OFF_MAX + FRAME_MAX_BYTES <= SLOT_BYTES, "a slot holds the longest frame");

struct packet_queue {
    /* ---- written once ---- */
    int fd;
    uint32_t slot_count;
    uint8_t *ring;
    /* ---- the worker's that polls it ---- */
    uint32_t next;                 /* the slot to be looked at */
    uint32_t held;                 /* how many before it are not given back */
    /* ---- any worker's ---- */
    struct packet_sender sender __attribute__((aligned(64)));
};

struct packet_port {
    uint16_t port;
    uint16_t queue_count;          /* made, perhaps not all the way */
    uint8_t takes;                 /* enum offload_take */
    uint64_t overruns;             /* control's, as read so far */
    struct packet_queue queue[QUEUES_MAX];
};

/* ---- making it ------------------------------------------------------------------------------- */

static int refuse_socket(const struct packet_port_config *config, const char *what,
                         struct error *error)
{
    const int code = errno;

    if (code == EPERM || code == EACCES) {
        return error_set(error, code, "The daemon may not open packet sockets on \"%s\": it needs "
                         "CAP_NET_RAW and CAP_NET_ADMIN.", config->name);
    }
    if (code == ENODEV || code == ENXIO) {
        return error_set(error, code, "The interface \"%s\" is gone.", config->name);
    }
    return error_set(error, code, "The kernel has no %s for packet sockets on \"%s\": %s.", what,
                     config->name, strerror(code));
}

static bool set_option(int fd, int option, int value)
{
    return setsockopt(fd, SOL_PACKET, option, &value, sizeof(value)) == 0;
}

static size_t ring_bytes(uint32_t slot_count)
{
    return (size_t)(slot_count / BLOCK_SLOTS) * BLOCK_BYTES;
}

static int make_ring(struct packet_queue *queue, const struct packet_port_config *config,
                     struct error *error)
{
    const uint32_t blocks = config->queues > 1 ? RING_BLOCKS_MANY : RING_BLOCKS;
    const struct tpacket_req request = { .tp_block_size = BLOCK_BYTES, .tp_block_nr = blocks,
                                         .tp_frame_size = SLOT_BYTES,
                                         .tp_frame_nr = blocks * BLOCK_SLOTS };
    void *ring;

    if (setsockopt(queue->fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)) != 0) {
        return refuse_socket(config, "receive ring of this size", error);
    }
    ring = mmap(NULL, ring_bytes(request.tp_frame_nr), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_POPULATE, queue->fd, 0);
    if (ring == MAP_FAILED) {
        return refuse_socket(config, "receive ring of this size", error);
    }
    queue->ring = ring;
    queue->slot_count = request.tp_frame_nr;
    return 0;
}

/*
 * What a socket takes in: at first nothing, so that no frame comes twice while several are being
 * bound; then all but what the host itself sends by the interface, for which PACKET_IGNORE_OUTGOING
 * is no use to sockets that share (Linux before 6.2).
 */
static bool take_in(int fd, bool anything)
{
    static struct sock_filter nothing[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
    static struct sock_filter incoming[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog program = anything ? (struct sock_fprog){ 4, incoming }
                                               : (struct sock_fprog){ 1, nothing };

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

static int open_queue(struct packet_queue *queue, uint16_t number,
                      const struct packet_port_config *config, struct error *error)
{
    const struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_ifindex = config->ifindex,
                                         .sll_protocol = htons(ETH_P_ALL) };

    queue->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (queue->fd < 0) {
        return refuse_socket(config, "support", error);
    }
    if (!set_option(queue->fd, PACKET_VERSION, TPACKET_V2) ||
        !set_option(queue->fd, PACKET_VNET_HDR, 1)) {
        return refuse_socket(config, "offloads", error);
    }
    if (make_ring(queue, config, error) != 0) {
        return -1;
    }
    if (!take_in(queue->fd, false) ||
        bind(queue->fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        return refuse_socket(config, "access", error);
    }
    if (packet_send_open(&queue->sender, queue->fd, config->ifindex, number) != 0) {
        return refuse_socket(config, "transmit ring", error);
    }
    return 0;
}

/* Lets the queues share what comes in, a flow keeping to one. */
static int share(const struct packet_port *port, const struct packet_port_config *config,
                 struct error *error)
{
    int group = (PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_UNIQUEID) << 16;
    socklen_t size = sizeof(group);

    if (port->queue_count == 1) {
        return 0;
    }
    for (unsigned n = 0; n < port->queue_count; n++) {
        if (!set_option(port->queue[n].fd, PACKET_FANOUT, group)) {
            return refuse_socket(config, "way to share", error);
        }
        if (n == 0) {              /* the kernel has chosen the number of the group */
            if (getsockopt(port->queue[0].fd, SOL_PACKET, PACKET_FANOUT, &group, &size) != 0) {
                return refuse_socket(config, "way to share", error);
            }
            group = (group & 0xffff) | PACKET_FANOUT_HASH << 16;
        }
    }
    return 0;
}

/* What the kernel's virtio-net header has words for: segments of UDP from Linux 6.2 on. */
static uint8_t kernel_takes(void)
{
    const uint8_t uso = OFFLOAD_TAKES_USO4 | OFFLOAD_TAKES_USO6;
    struct utsname kernel;
    unsigned major;
    unsigned minor;

    if (uname(&kernel) != 0 || sscanf(kernel.release, "%u.%u", &major, &minor) != 2 ||
        major < 6 || (major == 6 && minor < 2)) {
        return OFFLOAD_TAKES_ALL & ~uso;
    }
    return OFFLOAD_TAKES_ALL;
}

static int start(struct packet_port *port, const struct packet_port_config *config,
                 struct error *error)
{
    const struct packet_mreq all = { .mr_ifindex = config->ifindex, .mr_type = PACKET_MR_PROMISC };
    struct ifreq request = { 0 };

    if (setsockopt(port->queue[0].fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) != 0) {
        return refuse_socket(config, "promiscuous mode", error);
    }
    for (unsigned n = 0; n < port->queue_count; n++) {
        if (!take_in(port->queue[n].fd, true)) {
            return refuse_socket(config, "filters", error);
        }
    }
    if (if_indextoname((unsigned)config->ifindex, request.ifr_name) == NULL ||
        ioctl(port->queue[0].fd, SIOCGIFMTU, &request) != 0) {
        return refuse_socket(config, "MTU", error);
    }
    packet_port_set_mtu(port, (uint32_t)request.ifr_mtu);
    return 0;
}

struct packet_port *packet_port_create(const struct packet_port_config *config,
                                       struct error *error)
{
    struct packet_port *port;

    if (config->queues == 0 || config->queues > QUEUES_MAX) {
        (void)error_set(error, EINVAL, "The interface \"%s\" can have 1 to %u queues, not %u.",
                        config->name, QUEUES_MAX, config->queues);
        return NULL;
    }
    port = aligned_alloc(64, sizeof(*port));
    if (port == NULL) {
        (void)error_set(error, ENOMEM, "There is no memory left for the uplink \"%s\".",
                        config->name);
        return NULL;
    }
    *port = (struct packet_port){ .port = config->port, .takes = kernel_takes() };
    while (port->queue_count < config->queues) {
        const uint16_t n = port->queue_count++;

        if (open_queue(&port->queue[n], n, config, error) != 0) {
            goto failed;
        }
    }
    if (share(port, config, error) != 0 || start(port, config, error) != 0) {
        goto failed;
    }
    return port;
failed:
    packet_port_destroy(port);
    return NULL;
}

void packet_port_destroy(struct packet_port *port)
{
    if (port == NULL) {
        return;
    }
    for (unsigned n = 0; n < port->queue_count; n++) {
        struct packet_queue *queue = &port->queue[n];

        packet_send_close(&queue->sender);
        if (queue->ring != NULL) {
            (void)munmap(queue->ring, ring_bytes(queue->slot_count));
        }
        if (queue->fd >= 0) {
            (void)close(queue->fd);
        }
    }
    free(port);
}

/* ---- from the wire --------------------------------------------------------------------------- */

static inline uint8_t *slot_at(const struct packet_queue *queue, uint32_t number)
{
    return queue->ring + (size_t)(number / BLOCK_SLOTS) * BLOCK_BYTES +
           number % BLOCK_SLOTS * SLOT_BYTES;
}

static inline uint32_t slot_after(const struct packet_queue *queue, uint32_t number, uint32_t by)
{
    number += by;
    return number < queue->slot_count ? number : number - queue->slot_count;
}

/* Puts the tag that the kernel has taken out where it was; forward finds it in the bytes. */
static inline void put_tag_back(struct frame *frame, uint16_t tpid, uint16_t tci)
{
    frame_tag_push(frame, tci);
    bytes_put_2(&frame->hdr[12], tpid);
    frame->tagged = 0;
}

/* Makes what is in a slot a frame, if it is one.  @return segments it is to be cut into, about */
static inline uint32_t take_slot(struct frame_batch *batch, struct drop_tally *refused,
                                 uint8_t *slot, uint32_t status)
{
    const struct tpacket2_hdr *header = (const struct tpacket2_hdr *)slot;
    const uint32_t off = header->tp_mac;
    const uint32_t len_bytes = header->tp_snaplen;
    const bool tagged = (status & TP_STATUS_VLAN_VALID) != 0;
    struct frame *frame;

    if (off < FRAME_OFF_MIN || off > FRAME_OFF_MAX || len_bytes > SLOT_BYTES - off ||
        len_bytes != header->tp_len) {
        (void)kernel_frame_refuse(refused, DROP_FRAME_TOO_LONG);
        return 0;
    }
    frame = kernel_frame_add(batch, refused, slot + off, len_bytes, tagged ? FRAME_TAG_BYTES : 0);
    if (frame == NULL) {
        return 0;
    }
    if (tagged) {
        put_tag_back(frame, (status & TP_STATUS_VLAN_TPID_VALID) != 0 ? header->tp_vlan_tpid
                                                                      : FRAME_TPID,
                     header->tp_vlan_tci);
    }
    return segment_count(frame);
}

uint16_t packet_port_from_wire(struct packet_port *port, uint16_t queue, struct frame_batch *batch,
                               struct drop_tally *refused)
{
    struct packet_queue *from = &port->queue[queue];
    uint32_t segments = 0;

    kernel_frame_start(batch, port->port, refused);
    for (unsigned taken = 0; taken < FRAME_BURST && segments < SEGMENT_MAX_BATCH; taken++) {
        uint8_t *slot = slot_at(from, from->next);
        const uint8_t *ahead = slot_at(from, slot_after(from, from->next, AHEAD_SLOTS));
        /* Pairs with the kernel's barrier before it hands the slot over: it is complete. */
        const uint32_t status = __atomic_load_n(&((struct tpacket2_hdr *)slot)->tp_status,
                                                __ATOMIC_ACQUIRE);

        if ((status & TP_STATUS_USER) == 0 || from->held == from->slot_count) {
            break;
        }
        __builtin_prefetch(ahead);
        __builtin_prefetch(ahead + 64);
        segments += take_slot(batch, refused, slot, status);
        from->next = slot_after(from, from->next, 1);
        from->held++;
    }
    return batch->count;
}

void packet_port_return(struct packet_port *port, uint16_t queue)
{
    struct packet_queue *from = &port->queue[queue];
    uint32_t number = slot_after(from, from->next, from->slot_count - from->held);

    for (; from->held > 0; from->held--) {
        struct tpacket2_hdr *header = (struct tpacket2_hdr *)slot_at(from, number);

        /* Nothing of the frame is read or written after this. */
        __atomic_store_n(&header->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
        number = slot_after(from, number, 1);
    }
}

/* ---- to the wire ----------------------------------------------------------------------------- */

uint16_t packet_port_to_wire(struct packet_port *port, uint16_t queue,
                             const struct frame_batch *batch, const uint8_t *index, uint16_t count,
                             uint8_t *verdict)
{
    return packet_send(&port->queue[queue].sender, batch, index, count, verdict);
}

void packet_port_set_mtu(struct packet_port *port, uint32_t mtu_bytes)
{
    for (unsigned n = 0; n < port->queue_count; n++) {
        packet_send_limit(&port->queue[n].sender, mtu_bytes);
    }
}

uint8_t packet_port_takes(const struct packet_port *port)
{
    return port->takes;
}

uint16_t packet_port_queues(const struct packet_port *port)
{
    return port->queue_count;
}

int packet_port_fd(const struct packet_port *port, uint16_t queue)
{
    const int fd = port->queue[queue].fd;
    int error;
    socklen_t size = sizeof(error);

    (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return fd;
}

uint64_t packet_port_overruns(struct packet_port *port)
{
    for (unsigned n = 0; n < port->queue_count; n++) {
        struct tpacket_stats stats;        /* counted anew since the last call */
        socklen_t size = sizeof(stats);

        if (getsockopt(port->queue[n].fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0) {
            port->overruns += stats.tp_drops;
        }
    }
    return port->overruns;
}
