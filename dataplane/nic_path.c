/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What comes from a nic: its mbufs as frames, and sleeping until there are some.
 *
 * A device and its driver are believed to write only where they may; what they say of a frame
 * (lengths, pieces) is compared before anything is read by it.
 *
 * The loop has a variant for devices that check checksums: from others nothing is asked.
 */
#include "dataplane/nic.h"

#include <string.h>
#include <sys/uio.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "dataplane/nic_device.h"
#include "switch/frame_tag.h"

#define AHEAD 4u                   /* frames whose bytes are fetched before they are looked at */

/* ---- from the wire --------------------------------------------------------------------------- */

static void refuse(struct drop_tally *refused, enum drop_reason reason)
{
    refused->drops[reason]++;
    refused->count++;
}

/* Whether a piece lies within its buffer. */
static inline bool piece_is_true(const struct rte_mbuf *piece)
{
    return piece->data_off <= piece->buf_len && piece->data_len <= piece->buf_len - piece->data_off;
}

/* Whether the pieces of a frame are as many and as long as its first says. */
static bool chain_is_true(const struct rte_mbuf *first)
{
    const struct rte_mbuf *piece = first;
    uint32_t len_bytes = 0;

    for (uint16_t left = first->nb_segs; left > 0; left--) {
        if (piece == NULL || !piece_is_true(piece)) {
            return false;
        }
        len_bytes += piece->data_len;
        piece = piece->next;
    }
    return piece == NULL && len_bytes == first->pkt_len;
}

/* Lists what of a piece comes after its first @p skip_bytes. */
static inline void add_run(struct frame_batch *batch, struct frame *frame,
                           const struct rte_mbuf *piece, uint16_t skip_bytes)
{
    batch->run[batch->run_count++] = (struct frame_run){
        .data = rte_pktmbuf_mtod_offset(piece, const uint8_t *, skip_bytes),
        .len_bytes = (uint32_t)(piece->data_len - skip_bytes),
    };
    frame->seg_count++;
}

/* Lists what of a chain comes after its first @p skip_bytes. */
static void list_runs(struct frame_batch *batch, struct frame *frame, const struct rte_mbuf *piece,
                      uint16_t skip_bytes)
{
    for (; piece != NULL; piece = piece->next) {
        if (piece->data_len > skip_bytes) {
            add_run(batch, frame, piece, skip_bytes);
            skip_bytes = 0;
        } else {
            skip_bytes = (uint16_t)(skip_bytes - piece->data_len);
        }
    }
}

/*
 * Where the trusted header is: in the mbuf, or in the batch when the first piece is too short for
 * it or has no room for a tag in front.
 */
static inline uint8_t *header_of(const struct rte_mbuf *mbuf, uint8_t *slot, uint16_t len_bytes)
{
    if (__builtin_expect(mbuf->data_len >= len_bytes && mbuf->data_off >= FRAME_TAG_BYTES, 1)) {
        return rte_pktmbuf_mtod(mbuf, uint8_t *);
    }
    for (uint16_t done = 0; done < len_bytes; mbuf = mbuf->next) {
        const uint16_t part = RTE_MIN(mbuf->data_len, (uint16_t)(len_bytes - done));

        memcpy(slot + done, rte_pktmbuf_mtod(mbuf, const uint8_t *), part);
        done = (uint16_t)(done + part);
    }
    return slot;
}

/*
 * Whether the device found the checksum of TCP or UDP right.  Some say so of all that they have
 * found nothing wrong with, fragments and ARP too, and mean the inner one of a tunnel.
 */
static inline bool is_checked(const struct rte_mbuf *mbuf)
{
    const uint32_t type = mbuf->packet_type & (RTE_PTYPE_L4_MASK | RTE_PTYPE_TUNNEL_MASK);

    return (mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD &&
           (type == RTE_PTYPE_L4_TCP || type == RTE_PTYPE_L4_UDP);
}

static __rte_always_inline void take(struct rte_mbuf *mbuf, struct frame_batch *batch,
                                     struct drop_tally *refused, const bool checks)
{
    const bool plain = mbuf->nb_segs == 1 && mbuf->pkt_len == mbuf->data_len &&
                       piece_is_true(mbuf);
    const uint16_t hdr_len = (uint16_t)RTE_MIN(mbuf->pkt_len, FRAME_HDR_BYTES);
    struct frame *frame = &batch->frame[batch->count];

    if (__builtin_expect((!plain && !chain_is_true(mbuf)) ||
                         mbuf->nb_segs > FRAME_RUNS - batch->run_count, 0)) {
        refuse(refused, DROP_BAD_DESCRIPTOR);
        return;
    }
    if (__builtin_expect(mbuf->pkt_len > FRAME_MAX_BYTES, 0)) {
        refuse(refused, DROP_FRAME_TOO_LONG);
        return;
    }
    *frame = (struct frame){
        .hdr = header_of(mbuf, batch->hdr[batch->count], hdr_len),
        .len_bytes = mbuf->pkt_len,
        .hdr_len_bytes = hdr_len,
        .seg_first = batch->run_count,
        .port_in = batch->port_in,
    };
    if (__builtin_expect(!plain, 0)) {
        list_runs(batch, frame, mbuf, hdr_len);
    } else if (mbuf->pkt_len > hdr_len) {
        add_run(batch, frame, mbuf, hdr_len);
    }
    if (checks && is_checked(mbuf)) {
        frame->csum_state = FRAME_CSUM_CHECKED;
        batch->offload_count++;
    }
    batch->count++;
}

static __rte_always_inline void take_all(const struct nic_from *from, struct frame_batch *batch,
                                         struct drop_tally *refused, const bool checks)
{
    const uint16_t count = from->held_count;

    for (uint16_t i = 0; i < count && i < AHEAD; i++) {
        rte_prefetch0(rte_pktmbuf_mtod(from->held[i], const void *));
    }
    for (uint16_t i = 0; i < count; i++) {
        if (i + AHEAD < count) {
            rte_prefetch0(rte_pktmbuf_mtod(from->held[i + AHEAD], const void *));
        }
        take(from->held[i], batch, refused, checks);
    }
}

uint16_t nic_from_wire(struct nic *nic, uint16_t queue, struct frame_batch *batch,
                       struct drop_tally *refused)
{
    struct nic_from *from = &nic->from[queue];

    from->held_count = rte_eth_rx_burst(nic->port_id, queue, from->held, FRAME_BURST);
    batch->count = 0;
    batch->run_count = 0;
    batch->flood_count = 0;
    batch->offload_count = 0;
    batch->altered = false;
    batch->port_in = nic->port;
    refused->count = 0;
    refused->drops[DROP_BAD_DESCRIPTOR] = 0;
    refused->drops[DROP_FRAME_TOO_LONG] = 0;
    if (nic->checks) {
        take_all(from, batch, refused, true);
    } else {
        take_all(from, batch, refused, false);
    }
    return batch->count;
}

void nic_return(struct nic *nic, uint16_t queue)
{
    struct nic_from *from = &nic->from[queue];

    rte_pktmbuf_free_bulk(from->held, from->held_count);
    from->held_count = 0;
}

/* ---- sleeping -------------------------------------------------------------------------------- */

void nic_arm(struct nic *nic, uint16_t queue, bool on)
{
    const struct nic_from *from = &nic->from[queue];
    uint64_t signals;
    const struct iovec all = { .iov_base = &signals, .iov_len = sizeof(signals) };

    if (!from->interrupts) {
        return;
    }
    if (on) {
        (void)rte_eth_dev_rx_intr_enable(nic->port_id, queue);
    } else {
        (void)rte_eth_dev_rx_intr_disable(nic->port_id, queue);
        (void)!preadv2(from->fd, &all, 1, -1, RWF_NOWAIT);
    }
}

bool nic_has_more(struct nic *nic, uint16_t queue)
{
    return rte_eth_rx_queue_count(nic->port_id, queue) > 0;
}
