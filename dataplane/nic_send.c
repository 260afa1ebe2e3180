/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What goes to a nic: frames copied into mbufs, with what the device is to do about each.
 *
 * A partial checksum is the device's where it can be asked for it, and is otherwise summed while
 * the frame is copied, so that its bytes are read once either way.  The loop has a variant for
 * batches that have none: those cost what they would without all this.
 */
#include "dataplane/nic.h"

#include <string.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "dataplane/nic_device.h"
#include "switch/bytes.h"
#include "switch/checksum.h"
#include "switch/ether.h"
#include "switch/gather.h"
#include "switch/offload.h"
#include "vnic/vnic.h"

#define IPV4_CHECKSUM_OFF    10u   /* RFC 791, 3.1 */
#define IPV6_HEADER_BYTES    40u   /* RFC 8200, 3 */
#define TCP_CHECKSUM_OFF     16u   /* RFC 9293, 3.1 */
#define TCP_HEADER_BYTES     20u
#define UDP_CHECKSUM_OFF     6u    /* RFC 768 */
#define UDP_HEADER_BYTES     8u

/* ---- what the device is asked for ------------------------------------------------------------ */

/*
 * How the device is asked for the checksum of @p frame; 0: it cannot be.  It can be for the
 * frame's own TCP or UDP with a whole header: drivers find it by adding up lengths of headers.
 * They make up the pseudo-header anew, from the fixed header of IPv6: so no extension headers.
 */
static inline uint64_t flags_for(const struct nic *nic, const struct frame *frame)
{
    const bool tcp = frame->csum_offset_bytes == TCP_CHECKSUM_OFF;
    const bool ipv4 = frame->hdr[frame->l3_off_bytes] >> 4 == 4;
    const uint32_t l4_bytes = tcp ? TCP_HEADER_BYTES : UDP_HEADER_BYTES;

    if ((nic->offloads & OFFLOAD_TAKES_CSUM) == 0 ||
        frame->csum_start_bytes != frame->l4_off_bytes ||
        (!tcp && frame->csum_offset_bytes != UDP_CHECKSUM_OFF) ||
        (!ipv4 && frame->l4_off_bytes - frame->l3_off_bytes != IPV6_HEADER_BYTES) ||
        frame->l4_off_bytes + l4_bytes > frame->hdr_len_bytes) {
        return 0;
    }
    return (ipv4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6) |
           (tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM);
}

/* Has the device cut a frame: DPDK wants a pseudo-header without length, and no sum of IPv4's. */
static void ask_to_cut(const struct nic *nic, struct rte_mbuf *mbuf, const struct frame *frame)
{
    const bool ipv4 = frame->gso_type == FRAME_GSO_TCP4;
    uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, frame->l3_off_bytes);
    uint8_t *tcp = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, frame->l4_off_bytes);

    checksum_store_partial(tcp + TCP_CHECKSUM_OFF, checksum_pseudo(ip, IP_PROTOCOL_TCP, 0));
    mbuf->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
    mbuf->tso_segsz = frame->gso_size_bytes;
    mbuf->l4_len = offload_header_bytes(frame) - frame->l4_off_bytes;
    if (ipv4 && nic->ip_sums) {
        mbuf->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
        bytes_put_2(ip + IPV4_CHECKSUM_OFF, 0);
    }
}

/* Has the device do what @p flags say, and cut what is long. */
static inline void ask(const struct nic *nic, struct rte_mbuf *mbuf, const struct frame *frame,
                       uint64_t flags)
{
    mbuf->ol_flags |= flags;
    mbuf->l2_len = frame->l3_off_bytes;
    mbuf->l3_len = frame->l4_off_bytes - frame->l3_off_bytes;
    mbuf->l4_len = frame->csum_offset_bytes == TCP_CHECKSUM_OFF ? TCP_HEADER_BYTES
                                                                : UDP_HEADER_BYTES;
    if (frame->gso_type != FRAME_GSO_NONE) {
        ask_to_cut(nic, mbuf, frame);
    }
}

/* ---- copying --------------------------------------------------------------------------------- */

/* A checksum that is completed while the frame is copied. */
struct summing {
    uint32_t before_bytes;         /* how many are left before those that are summed */
    struct gather_sum sum;
};

/* Copies the next bytes of a frame, and adds them to @p summing unless that is NULL. */
static __rte_always_inline void copy(struct gather *from, uint8_t *to, uint32_t len_bytes,
                                     struct summing *summing)
{
    uint32_t before_bytes;

    if (summing == NULL) {
        gather_copy(from, to, len_bytes);
        return;
    }
    before_bytes = RTE_MIN(len_bytes, summing->before_bytes);
    gather_copy(from, to, before_bytes);
    summing->before_bytes -= before_bytes;
    gather_copy_sum(from, to + before_bytes, len_bytes - before_bytes, &summing->sum);
}

/* Copies a frame that one buffer does not hold; false when there are no more buffers. */
static bool copy_chain(struct nic *nic, struct rte_mbuf *first, struct gather *from,
                       uint32_t len_bytes, struct summing *summing)
{
    struct rte_mbuf *last = first;

    first->pkt_len = len_bytes;
    for (;;) {
        const uint16_t part = (uint16_t)RTE_MIN(len_bytes, nic->room_bytes);

        copy(from, rte_pktmbuf_mtod(last, uint8_t *), part, summing);
        last->data_len = part;
        len_bytes -= part;
        if (len_bytes == 0) {
            return true;
        }
        last->next = rte_pktmbuf_alloc(nic->pool);
        if (last->next == NULL) {
            return false;
        }
        last = last->next;
        first->nb_segs++;
    }
}

/* Copies all of a frame into @p mbuf.  Returns VNIC_DELIVERED, or why it cannot be. */
static __rte_always_inline uint8_t copy_all(struct nic *nic, struct rte_mbuf *mbuf,
                                            struct gather *from, uint32_t len_bytes,
                                            struct summing *summing)
{
    if (__builtin_expect(len_bytes <= nic->room_bytes, 1)) {
        copy(from, rte_pktmbuf_mtod(mbuf, uint8_t *), len_bytes, summing);
        mbuf->data_len = (uint16_t)len_bytes;
        mbuf->pkt_len = len_bytes;
        return VNIC_DELIVERED;
    }
    if (!nic->chains) {
        return DROP_OVER_MTU;
    }
    return copy_chain(nic, mbuf, from, len_bytes, summing) ? VNIC_DELIVERED : DROP_DEVICE_BUSY;
}

static __rte_always_inline uint8_t fill(struct nic *nic, struct rte_mbuf *mbuf,
                                        const struct frame_batch *batch, const struct frame *frame)
{
    struct gather from = gather_start(batch, frame);

    return copy_all(nic, mbuf, &from, frame->len_bytes, NULL);
}

/* As fill(), for a frame whose checksum is partial. */
static uint8_t fill_partial(struct nic *nic, struct rte_mbuf *mbuf, const struct frame_batch *batch,
                            const struct frame *frame)
{
    const uint64_t flags = flags_for(nic, frame);
    struct gather from = gather_start(batch, frame);
    struct summing summing = { .before_bytes = frame->csum_start_bytes };
    uint8_t verdict;

    if (frame->gso_type != FRAME_GSO_NONE &&
        (flags == 0 || (offload_needs(frame) & ~nic->offloads) != 0)) {
        return DROP_OVER_MTU;
    }
    verdict = copy_all(nic, mbuf, &from, frame->len_bytes, flags == 0 ? &summing : NULL);
    if (verdict != VNIC_DELIVERED) {
        return verdict;
    }
    if (flags != 0) {
        ask(nic, mbuf, frame, flags);
        return verdict;
    }
    checksum_store(rte_pktmbuf_mtod_offset(mbuf, uint8_t *, frame->csum_start_bytes +
                                                            frame->csum_offset_bytes),
                   frame, summing.sum.sum);
    return verdict;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Frames that are mbufs now, and which of the caller's each is. */
struct sending {
    struct rte_mbuf *mbuf[FRAME_BURST];
    uint8_t of[FRAME_BURST];
    uint16_t count;
};

/* Makes the frames that can be sent mbufs: those of @p mbuf, of which the others are freed. */
static __rte_always_inline void fill_all(struct nic *nic, struct rte_mbuf **mbuf,
                                         const struct frame_batch *batch, const uint8_t *index,
                                         uint16_t count, uint8_t *verdict,
                                         struct sending *sending, const bool offloads)
{
    for (uint16_t i = 0; i < count; i++) {
        const struct frame *frame = &batch->frame[index[i]];

        verdict[i] = offloads && frame->csum_state == FRAME_CSUM_PARTIAL
                     ? fill_partial(nic, mbuf[i], batch, frame) : fill(nic, mbuf[i], batch, frame);
        if (__builtin_expect(verdict[i] == VNIC_DELIVERED, 1)) {
            sending->of[sending->count] = (uint8_t)i;
            sending->mbuf[sending->count++] = mbuf[i];
        } else {
            rte_pktmbuf_free(mbuf[i]);
        }
    }
}

/* Has the driver look at what it is asked for; what it refuses is freed and not sent. */
static void prepare(struct nic *nic, uint16_t queue, struct sending *sending, uint8_t *verdict)
{
    uint16_t kept = 0;
    uint16_t i = 0;

    while (i < sending->count) {
        const uint16_t good = rte_eth_tx_prepare(nic->port_id, queue, &sending->mbuf[i],
                                                 (uint16_t)(sending->count - i));

        memmove(&sending->mbuf[kept], &sending->mbuf[i], good * sizeof(sending->mbuf[0]));
        memmove(&sending->of[kept], &sending->of[i], good * sizeof(sending->of[0]));
        kept = (uint16_t)(kept + good);
        i = (uint16_t)(i + good);
        if (i < sending->count) {
            verdict[sending->of[i]] = DROP_DEVICE_ERROR;
            rte_pktmbuf_free(sending->mbuf[i++]);
        }
    }
    sending->count = kept;
}

/* Sends what the device has room for.  Returns how many. */
static uint16_t burst(struct nic *nic, uint16_t queue, struct rte_mbuf **mbuf, uint16_t count)
{
    uint16_t sent = 0;
    uint16_t more;

    /* Some take fewer at a time than they have room for. */
    do {
        more = rte_eth_tx_burst(nic->port_id, queue, mbuf + sent, (uint16_t)(count - sent));
        sent = (uint16_t)(sent + more);
    } while (more != 0 && sent < count);
    return sent;
}

static uint16_t send_burst(struct nic *nic, uint16_t queue, struct sending *sending)
{
    struct nic_to *to = &nic->to[queue];
    uint16_t sent;

    if (!nic->shared) {
        return burst(nic, queue, sending->mbuf, sending->count);
    }
    /* Held for one batch; its holder waits for nobody. */
    while (atomic_flag_test_and_set_explicit(&to->claim, memory_order_acquire)) {
        __builtin_ia32_pause();
    }
    sent = burst(nic, queue, sending->mbuf, sending->count);
    atomic_flag_clear_explicit(&to->claim, memory_order_release);
    return sent;
}

uint16_t nic_to_wire(struct nic *nic, uint16_t worker, const struct frame_batch *batch,
                     const uint8_t *index, uint16_t count, uint8_t *verdict)
{
    const uint16_t queue = (uint16_t)(worker % nic->to_count);
    struct rte_mbuf *mbuf[FRAME_BURST];
    struct sending sending = { .count = 0 };
    uint16_t sent;

    if (!atomic_load_explicit(&nic->carrier, memory_order_relaxed)) {
        memset(verdict, DROP_LINK_DOWN, count);
        return 0;
    }
    if (rte_pktmbuf_alloc_bulk(nic->pool, mbuf, count) != 0) {
        memset(verdict, DROP_DEVICE_BUSY, count);
        return 0;
    }
    if (batch->offload_count == 0) {
        fill_all(nic, mbuf, batch, index, count, verdict, &sending, false);
    } else {
        fill_all(nic, mbuf, batch, index, count, verdict, &sending, true);
    }
    if (batch->offload_count != 0 && nic->offloads != 0) {
        prepare(nic, queue, &sending, verdict);
    }
    sent = sending.count == 0 ? 0 : send_burst(nic, queue, &sending);
    rte_pktmbuf_free_bulk(sending.mbuf + sent, sending.count - sent);
    for (uint16_t i = sent; i < sending.count; i++) {
        verdict[sending.of[i]] = DROP_DEVICE_BUSY;
    }
    return sent;
}
