/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frames of a nic: mbufs as frames one way, frames into mbufs the other.
 *
 * A device and its driver are believed to write only where they may; what they say of a frame
 * (lengths, pieces) is compared before anything is read by it.
 */
#include "dataplane/nic.h"

#include <string.h>
#include <sys/uio.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "dataplane/nic_device.h"
#include "switch/frame_tag.h"
#include "switch/gather.h"
#include "vnic/vnic.h"

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

static inline void take(struct rte_mbuf *mbuf, struct frame_batch *batch,
                        struct drop_tally *refused)
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
    batch->count++;
}

uint16_t nic_from_wire(struct nic *nic, uint16_t queue, struct frame_batch *batch,
                       struct drop_tally *refused)
{
    struct nic_from *from = &nic->from[queue];
    const uint16_t taken = rte_eth_rx_burst(nic->port_id, queue, from->held, FRAME_BURST);

    batch->count = 0;
    batch->run_count = 0;
    batch->flood_count = 0;
    batch->offload_count = 0;
    batch->port_in = nic->port;
    refused->count = 0;
    refused->drops[DROP_BAD_DESCRIPTOR] = 0;
    refused->drops[DROP_FRAME_TOO_LONG] = 0;
    from->held_count = taken;
    for (uint16_t i = 0; i < taken && i < AHEAD; i++) {
        rte_prefetch0(rte_pktmbuf_mtod(from->held[i], const void *));
    }
    for (uint16_t i = 0; i < taken; i++) {
        if (i + AHEAD < taken) {
            rte_prefetch0(rte_pktmbuf_mtod(from->held[i + AHEAD], const void *));
        }
        take(from->held[i], batch, refused);
    }
    return batch->count;
}

void nic_return(struct nic *nic, uint16_t queue)
{
    struct nic_from *from = &nic->from[queue];

    rte_pktmbuf_free_bulk(from->held, from->held_count);
    from->held_count = 0;
}

/* ---- to the wire ----------------------------------------------------------------------------- */

/* Frames that are mbufs now, and which of the caller's each is. */
struct sending {
    struct rte_mbuf *mbuf[FRAME_BURST];
    uint8_t of[FRAME_BURST];
    uint16_t count;
};

/* Copies a frame that one buffer does not hold; false when there are no more buffers. */
static bool fill_chain(struct nic *nic, struct rte_mbuf *first, struct gather *from,
                       uint32_t len_bytes)
{
    struct rte_mbuf *last = first;

    first->pkt_len = len_bytes;
    for (;;) {
        const uint16_t part = (uint16_t)RTE_MIN(len_bytes, nic->room_bytes);

        gather_copy(from, rte_pktmbuf_mtod(last, uint8_t *), part);
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

/* Copies a frame into @p mbuf.  Returns VNIC_DELIVERED, or why it cannot be. */
static inline uint8_t fill(struct nic *nic, struct rte_mbuf *mbuf, const struct frame_batch *batch,
                           const struct frame *frame)
{
    struct gather from = gather_start(batch, frame);

    if (__builtin_expect(frame->len_bytes <= nic->room_bytes, 1)) {
        gather_copy(&from, rte_pktmbuf_mtod(mbuf, uint8_t *), frame->len_bytes);
        mbuf->data_len = (uint16_t)frame->len_bytes;
        mbuf->pkt_len = frame->len_bytes;
        return VNIC_DELIVERED;
    }
    if (!nic->chains) {
        return DROP_OVER_MTU;
    }
    return fill_chain(nic, mbuf, &from, frame->len_bytes) ? VNIC_DELIVERED : DROP_DEVICE_BUSY;
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
    for (uint16_t i = 0; i < count; i++) {
        verdict[i] = fill(nic, mbuf[i], batch, &batch->frame[index[i]]);
        if (__builtin_expect(verdict[i] == VNIC_DELIVERED, 1)) {
            sending.of[sending.count] = (uint8_t)i;
            sending.mbuf[sending.count++] = mbuf[i];
        } else {
            rte_pktmbuf_free(mbuf[i]);
        }
    }
    sent = sending.count == 0 ? 0 : send_burst(nic, (uint16_t)(worker % nic->to_count), &sending);
    rte_pktmbuf_free_bulk(sending.mbuf + sent, sending.count - sent);
    for (uint16_t i = sent; i < sending.count; i++) {
        verdict[sending.of[i]] = DROP_DEVICE_BUSY;
    }
    return sent;
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
