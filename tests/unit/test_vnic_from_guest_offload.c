/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a guest's virtio-net header says of a frame: the truth becomes facts, a lie costs the frame
 * and nothing else, however the header lies in memory and whoever writes to it meanwhile.
 */
#include <linux/virtio_net.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "switch/ether.h"
#include "switch/gather.h"
#include "switch/offload.h"
#include "switch/segment.h"
#include "tests/support/fake_guest.h"
#include "tests/support/long_frame.h"
#include "tests/support/random.h"
#include "vnic/net_header.h"

#define HDR         12u            /* the virtio-net header of a modern driver */
#define FRAME_GPA   FAKE_GPA
#define TABLE_GPA   (FAKE_GPA_LOW + 0x1000)
#define PAGE_BYTES  4096u
#define MSS         1448u
#define SCRIBBLE_S  1
#define GSO_UDP_L4  5u             /* VIRTIO_NET_HDR_GSO_UDP_L4, of Linux 6.2 and later */

typedef struct virtio_net_hdr_v1 header;   /* little-endian, as this machine is */

static struct fake_guest *guest;
static struct fake_ring *ring;
static struct frame_batch batch;
static struct drop_tally refused;
static struct long_frame longs;
static uint8_t bytes[FRAME_MAX_BYTES];

static int setup_with(const struct fake_guest_config *config)
{
    guest = fake_guest_create(config);
    ring = &guest->from;
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_with(&(struct fake_guest_config){ .features = OFFLOAD_ALL });
}

static int setup_legacy(void **state)
{
    (void)state;
    return setup_with(&(struct fake_guest_config){ .features = OFFLOAD_ALL, .legacy = true });
}

static int setup_large_ring(void **state)
{
    (void)state;
    return setup_with(&(struct fake_guest_config){ .features = OFFLOAD_ALL,
                                                   .ring_entries = 4096 });
}

static int teardown(void **state)
{
    (void)state;
    fake_guest_destroy(guest);
    return 0;
}

static uint16_t take(void)
{
    return vnic_from_guest(&guest->vnic, guest->live, 0, &batch, &refused);
}

/* Puts the long frame, with a header before it, where a chain may describe it. */
static uint32_t put_frame(uint64_t gpa, const header *says)
{
    const uint32_t hdr_bytes = guest->live->net_hdr_bytes;

    for (uint32_t i = 0; i < hdr_bytes; i++) {
        *fake_guest_at(guest, gpa + i) = ((const uint8_t *)says)[i];
    }
    for (uint32_t i = 0; i < longs.wire.len_bytes; i++) {          /* in two regions, perhaps */
        *fake_guest_at(guest, gpa + hdr_bytes + i) = longs.wire.data[i];
    }
    return hdr_bytes + longs.wire.len_bytes;
}

static void send(uint16_t head, const header *says)
{
    fake_ring_offer_buffer(ring, head, FRAME_GPA, put_frame(FRAME_GPA, says), 0);
}

/* Makes a frame of the kind, to be cut into MSS bytes.  Returns what is true of it. */
static header make_frame(uint8_t gso_type, uint8_t ip_version, uint32_t payload_bytes)
{
    longs = (struct long_frame){ .gso_type = gso_type, .ip_version = ip_version,
                                 .payload_bytes = payload_bytes, .gso_size_bytes = MSS };
    long_frame_write(&longs);
    return (header){
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = gso_type == FRAME_GSO_UDP ? GSO_UDP_L4
                    : ip_version == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6,
        .hdr_len = longs.header_bytes,
        .gso_size = MSS,
        .csum_start = longs.l4_off_bytes,
        .csum_offset = gso_type == FRAME_GSO_UDP ? 6 : 16,
    };
}

static void assert_bytes(const struct frame *frame)
{
    struct gather from = gather_start(&batch, frame);

    assert_int_equal(frame->len_bytes, longs.wire.len_bytes);
    gather_copy(&from, bytes, frame->len_bytes);
    assert_memory_equal(bytes, longs.wire.data, frame->len_bytes);
}

static void assert_facts(const struct frame *frame, const header *says)
{
    assert_int_equal(frame->csum_state, FRAME_CSUM_PARTIAL);
    assert_int_equal(frame->csum_start_bytes, says->csum_start);
    assert_int_equal(frame->csum_offset_bytes, says->csum_offset);
    assert_int_equal(frame->gso_type, longs.gso_type);
    assert_int_equal(frame->gso_size_bytes, says->gso_size);
    assert_int_equal(frame->l4_off_bytes, longs.l4_off_bytes);
    assert_int_equal(frame->l3_off_bytes, longs.l3_off_bytes);
}

static void assert_no_facts(const struct frame *frame)
{
    assert_int_equal(frame->csum_state, FRAME_CSUM_AS_IT_IS);
    assert_int_equal(frame->gso_type, FRAME_GSO_NONE);
}

/* One frame was sent and is refused; its descriptor goes back, and the ring is whole. */
static void assert_lie(void)
{
    uint32_t head;
    uint32_t len_bytes;

    assert_int_equal(take(), 0);
    assert_int_equal(batch.count, 0);
    assert_int_equal(batch.offload_count, 0);
    assert_int_equal(refused.drops[DROP_BAD_OFFLOAD], 1);
    assert_int_equal(refused.count, 1);
    vnic_return(guest->live, 0);
    assert_true(fake_ring_used(ring, &head, &len_bytes));
    assert_int_equal(ring->queue->fault, VIRTQUEUE_NONE);
}

/* ---- the truth ------------------------------------------------------------------------------- */

/* Any long frame that any guest can send, in every way that it can be described. */
static void test_vnic_from_guest_offload_true_claims_become_facts(void **state)
{
    uint64_t random = 11;
    (void)state;

    for (unsigned i = 0; i < 3000; i++) {
        struct fake_chain chain = { .head = (uint16_t)random_below(&random, 4) };
        static struct frame_batch expected;
        header says = { .num_buffers = (uint16_t)random_next(&random) };
        struct frame *truth;

        do {
            long_frame_random(&longs, &random);
        } while (longs.payload_bytes <= longs.gso_size_bytes);
        long_frame_write(&longs);
        batch_start(&expected, 0);
        truth = long_frame_add(&longs, &expected);
        net_header_write((uint8_t *)&says, truth, OFFLOAD_TAKES_ALL);
        says.hdr_len = (uint16_t)random_next(&random);         /* a hint that nobody takes */

        chain.gpa = random_below(&random, 2) == 0
                    ? FAKE_GPA : FAKE_GPA_NEXT - random_below(&random, 300);
        chain.len_bytes = put_frame(chain.gpa, &says);
        switch (random_below(&random, 4)) {
        case 0: break;                                         /* one buffer */
        case 1: chain.first_bytes = HDR; break;                /* the header apart */
        case 2: chain.first_bytes = HDR + longs.header_bytes; break;
        case 3: chain.first_bytes = 1 + random_below(&random, 300); break;
        }
        chain.piece_bytes = random_below(&random, 2) * PAGE_BYTES;
        chain.table_gpa = random_below(&random, 2) * TABLE_GPA;
        (void)fake_ring_offer_chain(guest, ring, &chain);

        assert_int_equal(take(), 1);
        assert_int_equal(batch.offload_count, 1);
        assert_int_equal(refused.count, 0);
        assert_facts(&batch.frame[0], &says);
        assert_bytes(&batch.frame[0]);
        vnic_return(guest->live, 0);
    }
}

/* The claim is gathered from its pieces, wherever they are cut. */
static void test_vnic_from_guest_offload_header_split_at_every_offset(void **state)
{
    const header says = make_frame(FRAME_GSO_TCP4, 4, 9000);
    const uint32_t len_bytes = put_frame(FRAME_GPA, &says);
    (void)state;

    for (uint32_t first = 1; first < 2 * HDR; first++) {
        for (uint32_t piece = 1; piece < 2 * HDR; piece++) {
            struct fake_chain chain = { .gpa = FRAME_GPA, .len_bytes = 2 * HDR,
                                        .first_bytes = first, .piece_bytes = piece };
            const uint16_t pieces = fake_ring_offer_chain(guest, ring, &chain);

            /* The rest of the frame behind the pieces of its beginning. */
            ring->desc[pieces - 1].flags = VRING_DESC_F_NEXT;
            fake_ring_desc(ring, pieces, FRAME_GPA + 2 * HDR, len_bytes - 2 * HDR, 0, 0);
            assert_int_equal(take(), 1);
            assert_facts(&batch.frame[0], &says);
            assert_bytes(&batch.frame[0]);
            vnic_return(guest->live, 0);
        }
    }
}

static void test_vnic_from_guest_offload_of_a_legacy_driver(void **state)
{
    const header says = make_frame(FRAME_GSO_TCP6, 6, 5000);
    (void)state;

    send(0, &says);

    assert_int_equal(take(), 1);
    assert_facts(&batch.frame[0], &says);
    assert_bytes(&batch.frame[0]);
}

static void test_vnic_from_guest_offload_flags_of_receivers_are_ignored(void **state)
{
    const header says = { .flags = VIRTIO_NET_HDR_F_DATA_VALID | VIRTIO_NET_HDR_F_RSC_INFO,
                          .hdr_len = 9, .gso_size = 9, .csum_start = 9, .csum_offset = 9 };
    (void)state;

    (void)make_frame(FRAME_GSO_TCP4, 4, 200);
    send(0, &says);

    assert_int_equal(take(), 1);
    assert_int_equal(batch.offload_count, 0);
    assert_no_facts(&batch.frame[0]);
}

/* ---- lies ------------------------------------------------------------------------------------ */

static void test_vnic_from_guest_offload_without_its_features_is_a_lie(void **state)
{
    static const struct {
        uint8_t gso_type, ip_version, gso;
        uint64_t needs;
    } of[] = {
        { FRAME_GSO_TCP4, 4, VIRTIO_NET_HDR_GSO_NONE, OFFLOAD_CSUM },
        { FRAME_GSO_UDP, 6, VIRTIO_NET_HDR_GSO_NONE, OFFLOAD_CSUM },
        { FRAME_GSO_TCP4, 4, VIRTIO_NET_HDR_GSO_TCPV4, OFFLOAD_CSUM | OFFLOAD_HOST_TSO4 },
        { FRAME_GSO_TCP6, 6, VIRTIO_NET_HDR_GSO_TCPV6, OFFLOAD_CSUM | OFFLOAD_HOST_TSO6 },
        { FRAME_GSO_UDP, 4, GSO_UDP_L4, OFFLOAD_CSUM | OFFLOAD_HOST_USO },
        { FRAME_GSO_UDP, 6, GSO_UDP_L4, OFFLOAD_CSUM | OFFLOAD_HOST_USO },
        { FRAME_GSO_TCP4, 4, VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN,
          OFFLOAD_CSUM | OFFLOAD_HOST_TSO4 | OFFLOAD_HOST_ECN },
        { FRAME_GSO_TCP6, 6, VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN,
          OFFLOAD_CSUM | OFFLOAD_HOST_TSO6 | OFFLOAD_HOST_ECN },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
        header says = make_frame(of[i].gso_type, of[i].ip_version, 9000);

        says.gso_type = of[i].gso;
        guest->live->features = of[i].needs;
        send(0, &says);
        assert_int_equal(take(), 1);
        assert_int_equal(batch.frame[0].csum_state, FRAME_CSUM_PARTIAL);
        vnic_return(guest->live, 0);
        for (unsigned bit = 0; bit < 64; bit++) {
            if ((of[i].needs & UINT64_C(1) << bit) != 0) {
                uint32_t head;
                uint32_t len_bytes;

                while (fake_ring_used(ring, &head, &len_bytes)) {
                }
                guest->live->features = OFFLOAD_ALL & ~(UINT64_C(1) << bit);
                send(0, &says);
                assert_lie();
            }
        }
    }
}

static void test_vnic_from_guest_offload_lies_in_every_field(void **state)
{
    const header truth = make_frame(FRAME_GSO_TCP4, 4, 9000);
    const uint16_t payload = longs.header_bytes;
    header lie[] = { truth, truth, truth, truth, truth, truth, truth, truth, truth, truth };
    (void)state;

    lie[0].csum_start = 0xffff;                    /* beyond the frame */
    lie[1].csum_start = payload;                   /* into the payload */
    lie[2].csum_start = 0;
    lie[3].csum_offset = 0xffff;
    lie[4].csum_offset = (uint16_t)(FRAME_HDR_BYTES - truth.csum_start - 1);   /* half of it */
    lie[5].csum_offset = 6;                        /* UDP's, which is TCP's sequence number */
    lie[6].gso_size = 0;
    lie[7].gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
    lie[8].gso_type = VIRTIO_NET_HDR_GSO_UDP;      /* fragmentation, which nobody offered */
    lie[9].flags = 0;                              /* segments without checksums */
    for (size_t i = 0; i < sizeof(lie) / sizeof(lie[0]); i++) {
        send(0, &lie[i]);
        assert_lie();
    }
    for (unsigned gso = 6; gso <= 0xff; gso++) {
        if ((gso & ~(unsigned)VIRTIO_NET_HDR_GSO_ECN) != VIRTIO_NET_HDR_GSO_TCPV4) {
            lie[0] = truth;
            lie[0].gso_type = (uint8_t)gso;
            send(0, &lie[0]);
            assert_lie();
        }
    }
}

static void test_vnic_from_guest_offload_of_a_frame_without_bytes_is_a_lie(void **state)
{
    const header says = make_frame(FRAME_GSO_TCP4, 4, 9000);
    (void)state;

    (void)put_frame(FRAME_GPA, &says);
    fake_ring_offer_buffer(ring, 0, FRAME_GPA, HDR, 0);
    assert_lie();
    fake_ring_offer_buffer(ring, 0, FRAME_GPA, HDR + 13, 0);
    assert_lie();
}

/* Any of the 32 frames may lie: the others come out in order, and all descriptors go back. */
static void test_vnic_from_guest_offload_lies_leave_the_others_as_they_were(void **state)
{
    static const uint32_t patterns[] = { 0x1, 0x80000000, 0x55555555, 0xfffffffe, 0x7fffffff,
                                         0xffffffff, 0x00ff8010 };
    (void)state;

    for (size_t n = 0; n < sizeof(patterns) / sizeof(patterns[0]); n++) {
        uint32_t head;
        uint32_t len_bytes;
        uint16_t at = 0;

        for (uint16_t i = 0; i < FRAME_BURST; i++) {
            header says = make_frame(FRAME_GSO_UDP, 4, 10u + i);

            says.gso_type = VIRTIO_NET_HDR_GSO_NONE;
            if ((patterns[n] >> i & 1) != 0) {
                says.csum_start++;
            }
            fake_ring_offer_buffer(ring, i, FAKE_GPA + i * PAGE_BYTES,
                                   put_frame(FAKE_GPA + i * PAGE_BYTES, &says), 0);
        }

        assert_int_equal(take(), FRAME_BURST - __builtin_popcount(patterns[n]));
        assert_int_equal(refused.drops[DROP_BAD_OFFLOAD], __builtin_popcount(patterns[n]));
        assert_int_equal(refused.count, __builtin_popcount(patterns[n]));
        assert_int_equal(batch.offload_count, batch.count);
        for (uint16_t i = 0; i < FRAME_BURST; i++) {
            if ((patterns[n] >> i & 1) == 0) {
                (void)make_frame(FRAME_GSO_UDP, 4, 10u + i);
                assert_int_equal(batch.frame[at].csum_state, FRAME_CSUM_PARTIAL);
                assert_bytes(&batch.frame[at++]);
            }
        }
        vnic_return(guest->live, 0);
        for (uint16_t i = 0; i < FRAME_BURST; i++) {
            assert_true(fake_ring_used(ring, &head, &len_bytes));
            assert_int_equal(head, i);
        }
    }
}

/* ---- long frames ----------------------------------------------------------------------------- */

/* In 17 pages, as a driver sends them, and in 32 pieces: through a table and without. */
static void test_vnic_from_guest_offload_longest_frame_in_pieces(void **state)
{
    static const uint32_t pieces_of[] = { PAGE_BYTES, 2120 };
    const header says = make_frame(FRAME_GSO_TCP4, 4, 65535 - 40);
    const uint32_t len_bytes = put_frame(FRAME_GPA, &says);
    (void)state;

    for (size_t i = 0; i < 4; i++) {
        struct fake_chain chain = { .gpa = FRAME_GPA, .len_bytes = len_bytes,
                                    .first_bytes = HDR + longs.header_bytes,
                                    .piece_bytes = pieces_of[i / 2],
                                    .table_gpa = i % 2 * TABLE_GPA };

        assert_int_equal(fake_ring_offer_chain(guest, ring, &chain), i / 2 == 0 ? 17 : 32);
        assert_int_equal(take(), 1);
        assert_facts(&batch.frame[0], &says);
        assert_bytes(&batch.frame[0]);
        vnic_return(guest->live, 0);
    }
}

/* Offers a frame of @p len_bytes, whatever its bytes are. */
static void offer_length(uint16_t head, uint32_t len_bytes)
{
    fake_ring_offer_buffer(ring, head, FAKE_GPA, HDR + len_bytes, 0);
}

static void test_vnic_from_guest_offload_batch_ends_with_enough_bytes(void **state)
{
    const uint32_t unmetered_bytes = VNIC_BATCH_BYTES / FRAME_BURST;
    uint32_t head;
    uint32_t len_bytes;
    (void)state;

    for (uint16_t i = 0; i < 8; i++) {
        offer_length(i, FRAME_MAX_BYTES);
    }
    assert_int_equal(take(), 5);                   /* four are less */
    assert_int_equal(take(), 3);

    for (uint16_t i = 0; i < FRAME_BURST; i++) {
        offer_length(i, unmetered_bytes);
    }
    assert_int_equal(take(), FRAME_BURST);

    for (uint16_t i = 0; i < FRAME_BURST; i++) {
        offer_length(i, i == 0 ? unmetered_bytes + 1 : unmetered_bytes);
    }
    assert_int_equal(take(), FRAME_BURST);

    for (uint16_t i = 0; i < FRAME_BURST; i++) {   /* the long ones last: 18 * 9216 + 2 * 65562 */
        offer_length(i, i < 18 ? unmetered_bytes : FRAME_MAX_BYTES);
    }
    assert_int_equal(take(), 20);
    assert_int_equal(take(), 5);
    assert_int_equal(take(), 5);
    assert_int_equal(take(), 2);

    for (uint16_t i = 0; i < FRAME_BURST; i++) {   /* and first: 4 * 65562 + 4 * 9000 */
        offer_length(i, i < 4 ? FRAME_MAX_BYTES : 9000);
    }
    assert_int_equal(take(), 8);
    assert_int_equal(take(), 24);
    assert_int_equal(take(), 0);
    assert_int_equal(refused.count, 0);
    vnic_return(guest->live, 0);
    for (unsigned i = 0; i < 8 + 4 * FRAME_BURST; i++) {
        assert_true(fake_ring_used(ring, &head, &len_bytes));
    }
    assert_false(fake_ring_used(ring, &head, &len_bytes));
}

/*
 * What a batch may be cut into is bounded, however small the segments are that a guest asks for;
 * what came behind is not lost, and what of it was refused is counted once.
 */
static void test_vnic_from_guest_offload_batch_ends_with_enough_segments(void **state)
{
    const uint32_t too_long = FRAME_BURST - 1;
    uint16_t taken = 0;
    uint32_t head;
    uint32_t len_bytes;
    header says = make_frame(FRAME_GSO_TCP4, 4, 9000);
    (void)state;

    says.gso_size = 90;
    for (uint16_t i = 0; i < FRAME_BURST; i++) {
        send(i, &says);
        if (i == too_long) {
            fake_ring_desc(ring, i, FAKE_GPA, HDR + FRAME_MAX_BYTES + 1, 0, 0);
        }
    }
    while (taken < FRAME_BURST - 1) {
        uint32_t segments = 0;

        assert_in_range(take(), 1, 3);
        for (uint16_t i = 0; i < batch.count; i++) {
            assert_true(segments < SEGMENT_MAX_BATCH);
            assert_int_equal(batch.frame[i].gso_size_bytes, says.gso_size);
            assert_bytes(&batch.frame[i]);
            segments += segment_count(&batch.frame[i]);
        }
        assert_int_equal(batch.offload_count, batch.count);
        taken = (uint16_t)(taken + batch.count);
        assert_int_equal(refused.count, taken == FRAME_BURST - 1);
        assert_int_equal(refused.drops[DROP_FRAME_TOO_LONG], refused.count);
        vnic_return(guest->live, 0);
    }
    assert_int_equal(take(), 0);
    for (uint16_t i = 0; i < FRAME_BURST; i++) {
        assert_true(fake_ring_used(ring, &head, &len_bytes));
        assert_int_equal(head, i);
    }
    assert_false(fake_ring_used(ring, &head, &len_bytes));
}

/* A whole batch of long chains, which its bytes allow when pieces are small, has enough runs. */
static void test_vnic_from_guest_offload_batch_holds_32_frames_of_32_pieces(void **state)
{
    const header says = make_frame(FRAME_GSO_TCP4, 4, 9000);
    const uint32_t len_bytes = put_frame(FRAME_GPA, &says);
    (void)state;

    for (uint16_t i = 0; i < FRAME_BURST; i++) {
        const struct fake_chain chain = { .gpa = FRAME_GPA, .len_bytes = len_bytes,
                                          .first_bytes = HDR + longs.header_bytes,
                                          .piece_bytes = 300, .head = (uint16_t)(i * 32) };

        assert_int_equal(fake_ring_offer_chain(guest, ring, &chain), 31);
    }
    assert_int_equal(take(), FRAME_BURST);
    for (uint16_t i = 0; i < FRAME_BURST; i++) {
        assert_facts(&batch.frame[i], &says);
        assert_bytes(&batch.frame[i]);
    }
}

/* ---- a guest that changes a header while it is read ------------------------------------------ */

static atomic_bool scribbling;
static header claims[3];

/* Writes one of three headers after the other, byte by byte. */
static void *scribble(void *unused)
{
    volatile uint8_t *at = fake_guest_at(guest, FRAME_GPA);
    unsigned turn = 0;

    (void)unused;
    while (atomic_load_explicit(&scribbling, memory_order_relaxed)) {
        const uint8_t *from = (const uint8_t *)&claims[turn++ % 3];

        for (unsigned i = 0; i < NET_HEADER_BASE_BYTES; i++) {
            at[i] = from[i];
        }
    }
    return NULL;
}

static void test_vnic_from_guest_offload_header_changes_while_it_is_read(void **state)
{
    const time_t end = time(NULL) + SCRIBBLE_S + 1;
    unsigned long true_ones = 0;
    pthread_t thread;
    (void)state;

    claims[0] = make_frame(FRAME_GSO_TCP4, 4, 9000);
    claims[1] = (header){ 0 };
    claims[2] = claims[0];
    claims[2].csum_start = 0xfff0;
    claims[2].csum_offset = 0xff;
    (void)put_frame(FRAME_GPA, &claims[0]);
    atomic_store(&scribbling, true);
    assert_int_equal(pthread_create(&thread, NULL, scribble, NULL), 0);
    while (time(NULL) < end) {
        uint16_t count;
        uint16_t with_facts = 0;

        for (uint16_t i = 0; i < FRAME_BURST; i++) {
            const struct fake_chain chain = {
                .gpa = FRAME_GPA, .len_bytes = HDR + longs.wire.len_bytes,
                .first_bytes = i % 2 == 0 ? 0 : HDR / 2, .head = (uint16_t)(i * 2),
            };

            (void)fake_ring_offer_chain(guest, ring, &chain);
        }
        count = take();
        assert_int_equal(count + refused.drops[DROP_BAD_OFFLOAD], FRAME_BURST);
        for (uint16_t i = 0; i < count; i++) {
            const struct frame *frame = &batch.frame[i];

            if (frame->csum_state == FRAME_CSUM_PARTIAL) {
                /* Of gso_size any half may have been there, and 0 never gets through. */
                assert_int_equal(frame->csum_start_bytes, claims[0].csum_start);
                assert_int_equal(frame->csum_offset_bytes, claims[0].csum_offset);
                assert_int_equal(frame->gso_size_bytes == 0, frame->gso_type == FRAME_GSO_NONE);
                with_facts++;
            } else {
                assert_no_facts(frame);
            }
        }
        assert_int_equal(batch.offload_count, with_facts);
        true_ones += with_facts;
        vnic_return(guest->live, 0);
    }
    atomic_store(&scribbling, false);
    (void)pthread_join(thread, NULL);
    assert_true(true_ones > 0);
}

#define TEST(name)              cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_WITH(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_vnic_from_guest_offload_true_claims_become_facts),
        TEST(test_vnic_from_guest_offload_header_split_at_every_offset),
        TEST_WITH(test_vnic_from_guest_offload_of_a_legacy_driver, setup_legacy),
        TEST(test_vnic_from_guest_offload_flags_of_receivers_are_ignored),
        TEST(test_vnic_from_guest_offload_without_its_features_is_a_lie),
        TEST(test_vnic_from_guest_offload_lies_in_every_field),
        TEST(test_vnic_from_guest_offload_of_a_frame_without_bytes_is_a_lie),
        TEST(test_vnic_from_guest_offload_lies_leave_the_others_as_they_were),
        TEST(test_vnic_from_guest_offload_longest_frame_in_pieces),
        TEST(test_vnic_from_guest_offload_batch_ends_with_enough_bytes),
        TEST(test_vnic_from_guest_offload_batch_ends_with_enough_segments),
        TEST_WITH(test_vnic_from_guest_offload_batch_holds_32_frames_of_32_pieces,
                  setup_large_ring),
        TEST(test_vnic_from_guest_offload_header_changes_while_it_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
