/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One guest sends any frame with any virtio-net header, in descriptors cut anywhere; another, which
 * takes what the fuzzer says, gets it in buffers cut anywhere.
 *
 * fuzz-sources: vnic/virtqueue.c vnic/vnic.c vnic/vnic_from_guest.c vnic/vnic_to_guest.c
 * fuzz-sources: vnic/net_header.c switch/ether.c switch/mac.c switch/checksum.c
 * fuzz-sources: tests/support/fake_guest.c
 *
 * The property: what comes out has facts that the sender had negotiated.  What arrives is what was
 * sent, and whoever reads the header it arrives with learns those facts; or there is nothing in it,
 * and in the place of a partial checksum stands the one that RFC 1071 has for the bytes sent.
 */
#include <stdlib.h>
#include <string.h>

#include "switch/offload.h"
#include "tests/support/checksum_naive.h"
#include "tests/support/fake_guest.h"
#include "vnic/net_header.h"

#define SHAPES      4u
#define GIVEN_BYTES 4096u          /* of a frame in the input */
#define MORE_BYTES  61000u         /* behind them, at most */
#define TABLE_GPA   (FAKE_GPA_LOW + 0x8000)
#define MOST_PIECES 200u           /* of the ring's 256 entries */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How the input begins; header and frame follow. */
struct plan {
    uint8_t shape;                 /* of both guests: legacy, mergeable */
    uint8_t features;              /* CSUM, HOST_TSO4, HOST_TSO6, HOST_ECN, HOST_USO */
    uint8_t takes;
    uint8_t tables;                /* 1: sent through one; 2: received through one */
    uint8_t first_bytes[2];        /* of the sender's chain, the receiver's */
    uint8_t piece_bytes[2];        /* of both, in units of 8 */
    uint8_t more_bytes[2];         /* of the frame, behind those that are there */
};

static struct frame_batch batch;
static uint8_t sent[FRAME_MAX_BYTES];
static uint8_t got[FRAME_MAX_BYTES];

static void check(int truth)
{
    if (!truth) {
        abort();
    }
}

static uint64_t features_of(uint8_t bits)
{
    static const uint64_t feature[] = { OFFLOAD_CSUM, OFFLOAD_HOST_TSO4, OFFLOAD_HOST_TSO6,
                                        OFFLOAD_HOST_ECN, OFFLOAD_HOST_USO };
    uint64_t features = 0;

    for (unsigned i = 0; i < sizeof(feature) / sizeof(feature[0]); i++) {
        features |= (bits >> i & 1) != 0 ? feature[i] : 0;
    }
    return features;
}

/* A guest of that shape, its rings as new. */
static struct fake_guest *guest_of(struct fake_guest *guests[SHAPES], uint8_t shape)
{
    const struct fake_guest_config config = {
        .legacy = (shape & 1) != 0,
        .not_mergeable = (shape & 2) != 0,
    };

    if (guests[shape] == NULL) {
        guests[shape] = fake_guest_create(&config);
    }
    fake_ring_reset(&guests[shape]->to);
    fake_ring_reset(&guests[shape]->from);
    return guests[shape];
}

static struct fake_chain chain_of(const struct plan *plan, unsigned side, uint32_t len_bytes)
{
    struct fake_chain chain = {
        .gpa = FAKE_GPA, .len_bytes = len_bytes, .first_bytes = plan->first_bytes[side],
        .piece_bytes = plan->piece_bytes[side] * 8u,
        .table_gpa = (plan->tables >> side & 1) != 0 ? TABLE_GPA : 0,
        .flags = side == 0 ? 0 : VRING_DESC_F_WRITE,
    };

    if (chain.piece_bytes != 0 && chain.piece_bytes < len_bytes / MOST_PIECES + 1) {
        chain.piece_bytes = len_bytes / MOST_PIECES + 1;
    }
    return chain;
}

static uint16_t send(struct fake_guest *guest, const struct plan *plan, const uint8_t *header,
                     uint32_t len_bytes)
{
    const uint32_t hdr_bytes = guest->live->net_hdr_bytes;
    const struct fake_chain chain = chain_of(plan, 0, hdr_bytes + len_bytes);
    struct drop_tally refused;
    uint16_t count;

    memset(fake_guest_at(guest, FAKE_GPA), 0, hdr_bytes);
    memcpy(fake_guest_at(guest, FAKE_GPA), header, NET_HEADER_BASE_BYTES);
    memcpy(fake_guest_at(guest, FAKE_GPA) + hdr_bytes, sent, len_bytes);
    (void)fake_ring_offer_chain(guest, &guest->from, &chain);
    count = vnic_from_guest(&guest->vnic, guest->live, 0, &batch, &refused);
    check(count + refused.drops[DROP_BAD_OFFLOAD] == 1 && refused.count == 1u - count);
    check((net_header_features(header) & ~guest->live->features) == 0 || count == 0);
    return count;
}

/* The receiver's header says what the frame's facts are. */
static void check_told(const uint8_t *header, const struct frame *frame, uint32_t len_bytes)
{
    struct frame again = { .hdr = got, .hdr_len_bytes = frame->hdr_len_bytes,
                           .len_bytes = len_bytes };

    check(net_header_read(header, &again));
    check(again.csum_state == frame->csum_state && again.gso_type == frame->gso_type);
    check(again.csum_start_bytes == frame->csum_start_bytes);
    check(again.csum_offset_bytes == frame->csum_offset_bytes);
    check(again.gso_size_bytes == frame->gso_size_bytes);
    check(memcmp(got, sent, len_bytes) == 0);
}

/* The receiver's header says nothing, and there is nothing left to be done. */
static void check_done(const uint8_t *header, const struct frame *frame, uint32_t len_bytes)
{
    static const uint8_t zeros[NET_HEADER_BASE_BYTES];
    const uint32_t field = (uint32_t)frame->csum_start_bytes + frame->csum_offset_bytes;
    uint16_t sum;

    check(memcmp(header, zeros, sizeof(zeros)) == 0);
    if (frame->csum_state == FRAME_CSUM_PARTIAL) {
        sum = checksum_naive_stored(checksum_naive(0, sent + frame->csum_start_bytes,
                                                   len_bytes - frame->csum_start_bytes),
                                    frame->csum_offset_bytes);
        sent[field] = (uint8_t)(sum >> 8);
        sent[field + 1] = (uint8_t)sum;
    }
    check(memcmp(got, sent, len_bytes) == 0);
}

/* Offers buffers for @p need_bytes: three and a chain where they are merged, or the chain alone. */
static void offer_room(struct fake_guest *guest, const struct plan *plan, uint32_t need_bytes)
{
    struct fake_chain chain;

    if (guest->live->mergeable && need_bytes > 100) {
        for (uint16_t i = 0; i < 3; i++, need_bytes -= need_bytes / 3) {
            fake_ring_offer_buffer(&guest->to, i, FAKE_GPA + need_bytes, need_bytes / 3,
                                   VRING_DESC_F_WRITE);
        }
    }
    chain = chain_of(plan, 1, need_bytes);
    chain.head = 3;
    (void)fake_ring_offer_chain(guest, &guest->to, &chain);
}

static void receive(struct fake_guest *guest, const struct plan *plan, uint32_t len_bytes)
{
    const uint8_t index = 0;
    const struct frame *frame = &batch.frame[0];
    uint8_t header[FAKE_HEADER_BYTES];
    uint8_t verdict;

    /* Without checksums it has negotiated nothing else either: offload_sound(). */
    guest->live->takes = (plan->takes & OFFLOAD_TAKES_CSUM) != 0 ? plan->takes & OFFLOAD_TAKES_ALL
                                                                 : 0;
    if ((offload_needs(frame) & ~vnic_takes(&guest->vnic, guest->live)) != 0) {
        return;                    /* it would have been cut */
    }
    offer_room(guest, plan, guest->live->net_hdr_bytes + len_bytes);
    check(vnic_to_guest(&guest->vnic, guest->live, 0, &batch, &index, 1, &verdict) == 1);
    check(fake_guest_receive(guest, header, got) == len_bytes);
    if ((guest->live->takes & OFFLOAD_TAKES_CSUM) != 0) {
        check_told(header, frame, len_bytes);
    } else {
        check_done(header, frame, len_bytes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fake_guest *senders[SHAPES];
    static struct fake_guest *receivers[SHAPES];
    struct fake_guest *sender;
    struct plan plan;
    uint32_t len_bytes;
    uint32_t more_bytes;

    if (size < sizeof(plan) + NET_HEADER_BASE_BYTES) {
        return 0;
    }
    memcpy(&plan, data, sizeof(plan));
    size -= sizeof(plan) + NET_HEADER_BASE_BYTES;
    len_bytes = (uint32_t)(size < GIVEN_BYTES ? size : GIVEN_BYTES);
    memcpy(sent, data + sizeof(plan) + NET_HEADER_BASE_BYTES, len_bytes);
    more_bytes = (uint32_t)(plan.more_bytes[0] | plan.more_bytes[1] << 8) % MORE_BYTES;
    memset(sent + len_bytes, 0x5a, more_bytes);
    len_bytes += more_bytes;
    sender = guest_of(senders, plan.shape % SHAPES);
    sender->live->features = features_of(plan.features);
    if (send(sender, &plan, data + sizeof(plan), len_bytes) == 1) {
        receive(guest_of(receivers, plan.shape / SHAPES % SHAPES), &plan, len_bytes);
    }
    vnic_return(sender->live, 0);
    return 0;
}
