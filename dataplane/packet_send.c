/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/packet_send.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>

#include "dataplane/kernel_frame.h"
#include "switch/frame_tag.h"
#include "switch/gather.h"
#include "vnic/vnic.h"

#define RING_BYTES      (1u << 20)
#define SLOT_BYTES      10240u     /* for the frame of the longest MTU */
#define SLOTS           (RING_BYTES / SLOT_BYTES)
#define SEND_BYTES      (4 << 20)  /* on their way through the interface's own queue */

/* A slot: its header (less the address of a received one), the virtio-net header, the bytes. */
#define HEADER_OFF      (TPACKET2_HDRLEN - sizeof(struct sockaddr_ll))
#define FRAME_OFF       (HEADER_OFF + NET_HEADER_BASE_BYTES)
#define HDR_LEN_OFF     2u         /* of a virtio-net header */
#define SLOT_MAX_BYTES  (SLOT_BYTES - FRAME_OFF)
static_assert(SLOT_BYTES % TPACKET_ALIGNMENT == 0, "slots are aligned");
static_assert(SLOTS > FRAME_BURST, "a batch fits");

/* The switch's own tag comes on top of the MTU. */
static inline bool segments_over_mtu(const struct frame *frame, uint32_t max_frame_bytes)
{
    return frame->gso_type != FRAME_GSO_NONE &&
           offload_wire_bytes(frame) > max_frame_bytes + (frame->tagged != 0 ? FRAME_TAG_BYTES : 0);
}

/* ---- opening --------------------------------------------------------------------------------- */

static bool set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/* Its frames take the way of the host's own; it receives nothing. */
static bool open_queued(struct packet_sender *sender)
{
    sender->queued_fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (sender->queued_fd < 0) {
        return false;
    }
    (void)set_option(sender->queued_fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BYTES);
    return set_option(sender->queued_fd, SOL_PACKET, PACKET_VNET_HDR, 1);
}

int packet_send_open(struct packet_sender *sender, int fd, int ifindex, uint16_t queue)
{
    const struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_ifindex = ifindex };
    const struct tpacket_req request = { .tp_block_size = RING_BYTES, .tp_block_nr = 1,
                                         .tp_frame_size = SLOT_BYTES, .tp_frame_nr = SLOTS };
    void *ring;

    sender->fd = fd;
    sender->address = (struct sockaddr_ll){ .sll_family = AF_PACKET, .sll_ifindex = ifindex,
                                            .sll_protocol = htons(ETH_P_ALL) };
    sender->queued_fd = -1;
    sender->ring_fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (sender->ring_fd < 0) {
        return -1;
    }
    sender->opened = true;
    xdp_send_open(&sender->xdp, ifindex, queue);
    /* The default of 208 KiB is less than a burst of jumbo frames; but works, where it must. */
    (void)set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BYTES);
    (void)set_option(sender->ring_fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BYTES);
    if (!set_option(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1) ||
        !set_option(sender->ring_fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1) ||
        !set_option(sender->ring_fd, SOL_PACKET, PACKET_VERSION, TPACKET_V2) ||
        !set_option(sender->ring_fd, SOL_PACKET, PACKET_VNET_HDR, 1) ||
        setsockopt(sender->ring_fd, SOL_PACKET, PACKET_TX_RING, &request, sizeof(request)) != 0 ||
        bind(sender->ring_fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        !open_queued(sender)) {
        return -1;
    }
    ring = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                sender->ring_fd, 0);
    if (ring == MAP_FAILED) {
        return -1;
    }
    sender->ring = ring;
    return 0;
}

void packet_send_close(struct packet_sender *sender)
{
    if (sender->ring != NULL) {
        (void)munmap(sender->ring, RING_BYTES);
    }
    if (sender->opened) {
        xdp_send_close(&sender->xdp);
        (void)close(sender->ring_fd);
        if (sender->queued_fd >= 0) {
            (void)close(sender->queued_fd);
        }
    }
}

/* ---- by messages ----------------------------------------------------------------------------- */

/* Frames as messages of one call. */
struct messages {
    uint16_t count;
    uint8_t verdict_of[FRAME_BURST];       /* where a message's verdict goes */
    struct mmsghdr message[FRAME_BURST];
    uint8_t header[FRAME_BURST][NET_HEADER_BASE_BYTES];
    struct iovec iov[FRAME_RUNS + KERNEL_FRAME_IOVECS * FRAME_BURST];
};

static void prepare(struct messages *messages, struct packet_sender *sender,
                    const struct frame_batch *batch, const uint8_t *index, uint16_t count,
                    uint8_t *verdict)
{
    const uint32_t max_frame_bytes = atomic_load_explicit(&sender->max_frame_bytes,
                                                          memory_order_relaxed);
    struct iovec *iov = messages->iov;

    messages->count = 0;
    for (uint16_t i = 0; i < count; i++) {
        const struct frame *frame = &batch->frame[index[i]];
        const uint32_t pieces = kernel_frame_iov(batch, frame, messages->header[i], iov);

        if (pieces == 0 || segments_over_mtu(frame, max_frame_bytes)) {
            verdict[i] = pieces == 0 ? DROP_DEVICE_ERROR : DROP_OVER_MTU;
            continue;
        }
        messages->message[messages->count] =
            (struct mmsghdr){ .msg_hdr = { .msg_name = &sender->address,
                                           .msg_namelen = sizeof(sender->address),
                                           .msg_iov = iov, .msg_iovlen = pieces } };
        messages->verdict_of[messages->count++] = (uint8_t)i;
        iov += pieces;
    }
}

/*
 * What becomes of a message that was refused.  Of a frame that it would have to cut the kernel says
 * that the interface is busy, and takes it by the queue.
 */
static uint8_t settle_refused(const struct packet_sender *sender, const struct frame *frame,
                              const struct msghdr *message)
{
    if (errno == ENOBUFS && frame->gso_type != FRAME_GSO_NONE &&
        sendmsg(sender->queued_fd, message, 0) >= 0) {
        return VNIC_DELIVERED;
    }
    return kernel_frame_refusal(errno);
}

/* The call ends before a frame that is refused, and says why only when that is its first. */
static uint16_t send_messages(struct packet_sender *sender, const struct frame_batch *batch,
                              const uint8_t *index, uint16_t count, uint8_t *verdict)
{
    const bool cuts = atomic_load_explicit(&sender->cuts, memory_order_relaxed);
    const int fd = cuts ? sender->fd : sender->queued_fd;
    struct messages messages;
    uint16_t delivered = 0;
    uint16_t done = 0;

    prepare(&messages, sender, batch, index, count, verdict);
    while (done < messages.count) {
        struct mmsghdr *next = &messages.message[done];
        int sent = sendmmsg(fd, next, messages.count - done, 0);

        if (sent <= 0) {
            const uint8_t i = messages.verdict_of[done++];

            verdict[i] = settle_refused(sender, &batch->frame[index[i]], &next->msg_hdr);
            delivered = (uint16_t)(delivered + (verdict[i] == VNIC_DELIVERED));
        }
        for (; sent > 0; sent--) {
            verdict[messages.verdict_of[done++]] = VNIC_DELIVERED;
            delivered++;
        }
    }
    return delivered;
}

/* ---- by the ring ----------------------------------------------------------------------------- */

static inline struct tpacket2_hdr *slot_at(const struct packet_sender *sender, uint32_t number)
{
    return (struct tpacket2_hdr *)(sender->ring +
                                   number % SLOTS * SLOT_BYTES);
}

static inline uint32_t slot_status(const struct tpacket2_hdr *slot)
{
    return __atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE);
}

static inline void fill_slot(struct tpacket2_hdr *slot, const struct frame_batch *batch,
                             const struct frame *frame)
{
    struct gather from = gather_start(batch, frame);
    uint8_t *header = (uint8_t *)slot + HEADER_OFF;
    const uint16_t hdr_len = (uint16_t)frame->len_bytes;

    net_header_write(header, frame, OFFLOAD_TAKES_ALL);
    memcpy(header + HDR_LEN_OFF, &hdr_len, sizeof(hdr_len));   /* little-endian host */
    gather_copy(&from, header + NET_HEADER_BASE_BYTES, frame->len_bytes);
    slot->tp_len = NET_HEADER_BASE_BYTES + frame->len_bytes;
    __atomic_store_n(&slot->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
}

/*
 * Takes back the slots that the kernel has left, of @p filled from sender->next on: it works in
 * order, and looks at the first of those next time.  @return how many it has not left
 */
static uint16_t take_back(struct packet_sender *sender, uint16_t filled)
{
    const uint32_t left = TP_STATUS_SEND_REQUEST | TP_STATUS_WRONG_FORMAT;
    uint16_t sent = filled;

    while (sent > 0 && (slot_status(slot_at(sender, sender->next + sent - 1)) & left) != 0) {
        sent--;
        __atomic_store_n(&slot_at(sender, sender->next + sent)->tp_status, TP_STATUS_AVAILABLE,
                         __ATOMIC_RELEASE);
    }
    return sent;
}

/* @return how many were sent, from the first on */
static uint16_t send_by_ring(struct packet_sender *sender, const struct frame_batch *batch,
                             const uint8_t *index, uint16_t count)
{
    uint16_t filled = 0;
    uint16_t sent;

    while (filled < count) {
        struct tpacket2_hdr *slot = slot_at(sender, sender->next + filled);

        if (slot_status(slot) != TP_STATUS_AVAILABLE) {
            break;                 /* with the interface's driver still */
        }
        fill_slot(slot, batch, &batch->frame[index[filled++]]);
    }
    (void)send(sender->ring_fd, NULL, 0, MSG_DONTWAIT);
    sent = take_back(sender, filled);
    sender->next = (sender->next + sent) % SLOTS;
    return sent;
}

/* ---- a batch --------------------------------------------------------------------------------- */

/* Whether the interface cuts any frames; if it does not say, it may. */
static bool ask_cuts(const struct packet_sender *sender)
{
    struct ethtool_value value = { .cmd = ETHTOOL_GTSO };
    struct ifreq request = { .ifr_data = (void *)&value };

    return if_indextoname((unsigned)sender->address.sll_ifindex, request.ifr_name) == NULL ||
           ioctl(sender->fd, SIOCETHTOOL, &request) != 0 || value.data != 0;
}

void packet_send_limit(struct packet_sender *sender, uint32_t mtu_bytes)
{
    atomic_store_explicit(&sender->max_frame_bytes, ETH_HLEN + mtu_bytes, memory_order_relaxed);
    atomic_store_explicit(&sender->cuts, ask_cuts(sender), memory_order_relaxed);
}

static bool suit_ring(struct packet_sender *sender, const struct frame_batch *batch,
                      const uint8_t *index, uint16_t count)
{
    const uint32_t max_bytes = atomic_load_explicit(&sender->max_frame_bytes,
                                                    memory_order_relaxed);

    for (uint16_t i = 0; i < count; i++) {
        const struct frame *frame = &batch->frame[index[i]];

        if (frame->len_bytes > max_bytes + (frame->tagged != 0 ? FRAME_TAG_BYTES : 0) ||
            frame->len_bytes > SLOT_MAX_BYTES) {
            return false;
        }
    }
    return true;
}

/* What suits the ring, too, and is neither longer than a slot nor left undone. */
static bool suit_xdp(const struct frame_batch *batch, const uint8_t *index, uint16_t count)
{
    for (uint16_t i = 0; i < count; i++) {
        const struct frame *frame = &batch->frame[index[i]];

        if (frame->len_bytes > XDP_SEND_MAX_BYTES || frame->csum_state == FRAME_CSUM_PARTIAL) {
            return false;
        }
    }
    return true;
}

uint16_t packet_send(struct packet_sender *sender, const struct frame_batch *batch,
                     const uint8_t *index, uint16_t count, uint8_t *verdict)
{
    uint16_t sent = 0;

    if (suit_ring(sender, batch, index, count) &&
        !atomic_flag_test_and_set_explicit(&sender->claim, memory_order_acquire)) {
        sent = suit_xdp(batch, index, count) ? xdp_send(&sender->xdp, batch, index, count) : 0;
        if (sent < count) {
            sent = (uint16_t)(sent + send_by_ring(sender, batch, &index[sent],
                                                  (uint16_t)(count - sent)));
        }
        atomic_flag_clear_explicit(&sender->claim, memory_order_release);
        memset(verdict, VNIC_DELIVERED, sent);
    }
    if (sent == count) {
        return sent;
    }
    return (uint16_t)(sent + send_messages(sender, batch, &index[sent],
                                           (uint16_t)(count - sent), &verdict[sent]));
}
