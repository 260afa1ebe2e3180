/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a guest takes undone it is told in the header, and what it does not take is done for it: the
 * checksum of whatever arrives is right, however the frame and its receive buffers are cut.
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
#include "switch/frame_tag.h"
#include "switch/offload.h"
#include "tests/support/checksum_naive.h"
#include "tests/support/fake_guest.h"
#include "tests/support/long_frame.h"
#include "tests/support/random.h"
#include "vnic/net_header.h"

#define HDR         12u            /* the virtio-net header of a modern driver */
#define WRITE       VRING_DESC_F_WRITE
#define TABLE_GPA   (FAKE_GPA_LOW + 0x10000)
#define PAGE_BYTES  4096u
#define SCRIBBLE_S  1

typedef struct virtio_net_hdr_v1 net_hdr;  /* little-endian, as this machine is */

static struct fake_guest *guest;
static struct fake_ring *ring;
static struct frame_batch batch;
static struct long_frame longs;
static net_hdr header;
static uint8_t bytes[FRAME_MAX_BYTES];
static uint8_t verdict[FRAME_BURST];

static int setup_with(const struct fake_guest_config *config)
{
    guest = fake_guest_create(config);
    ring = &guest->to;
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_with(&(struct fake_guest_config){ .takes = OFFLOAD_TAKES_ALL });
}

static int setup_not_mergeable(void **state)
{
    (void)state;
    return setup_with(&(struct fake_guest_config){ .takes = OFFLOAD_TAKES_ALL,
                                                   .not_mergeable = true });
}

static int setup_legacy(void **state)
{
    (void)state;
    return setup_with(&(struct fake_guest_config){ .takes = OFFLOAD_TAKES_ALL, .legacy = true });
}

static int teardown(void **state)
{
    (void)state;
    fake_guest_destroy(guest);
    return 0;
}

/* The sum of the pseudo-header of @p len_bytes at @p wire, which the long frame describes. */
static uint16_t pseudo_sum(const uint8_t *wire, uint32_t len_bytes)
{
    const uint8_t *ip = &wire[longs.l3_off_bytes];
    const uint32_t l4_bytes = len_bytes - longs.l4_off_bytes;
    const uint8_t rest[4] = { (uint8_t)(l4_bytes >> 8), (uint8_t)l4_bytes, 0,
                              longs.gso_type == FRAME_GSO_UDP ? 17 : 6 };

    const uint16_t sum = longs.ip_version == 4 ? checksum_naive(0, ip + 12, 8)
                                               : checksum_naive(0, ip + 8, 32);

    return checksum_naive(sum, rest, sizeof(rest));
}

/* Adds the long frame, its field as a sender leaves it, to be cut or not. */
static struct frame *add_frame(uint8_t csum_state, bool gso)
{
    struct frame *frame = long_frame_add(&longs, &batch);
    const uint16_t sum = pseudo_sum(longs.wire.data, longs.wire.len_bytes);
    uint8_t *field = &frame->hdr[frame->csum_start_bytes + frame->csum_offset_bytes];

    field[0] = (uint8_t)(sum >> 8);
    field[1] = (uint8_t)sum;
    frame->csum_state = csum_state;
    if (!gso) {
        frame->gso_type = FRAME_GSO_NONE;
        frame->gso_size_bytes = 0;
    }
    batch.offload_count = FRAME_BURST;             /* so that no test counts */
    return frame;
}

/* One that is short enough to be any guest's, its payload as long as it is said to be. */
static void make_frame(uint8_t gso_type, uint8_t ip_version, uint32_t payload_bytes)
{
    longs = (struct long_frame){ .gso_type = gso_type, .ip_version = ip_version,
                                 .payload_bytes = payload_bytes, .gso_size_bytes = 1448,
                                 .trusted_bytes = FRAME_HDR_BYTES };
    long_frame_write(&longs);
    batch_start(&batch, 0);
}

static uint16_t deliver(void)
{
    uint8_t index[FRAME_BURST];

    for (uint16_t i = 0; i < batch.count; i++) {
        index[i] = (uint8_t)i;
    }
    return vnic_to_guest(&guest->vnic, guest->live, 0, &batch, index, batch.count, verdict);
}

/* Offers one receive buffer of @p len_bytes in one piece. */
static void offer(uint16_t head, uint64_t gpa, uint32_t len_bytes)
{
    fake_ring_offer_buffer(ring, head, gpa, len_bytes, WRITE);
}

static uint32_t receive(void)
{
    return fake_guest_receive(guest, (uint8_t *)&header, bytes);
}

/* Everything but the checksum's field is as it was sent. */
static void assert_sent(const struct frame *frame, uint32_t len_bytes)
{
    const uint32_t field = (uint32_t)frame->csum_start_bytes + frame->csum_offset_bytes;

    assert_int_equal(len_bytes, longs.wire.len_bytes);
    assert_memory_equal(bytes, longs.wire.data, field);
    assert_memory_equal(bytes + field + 2, longs.wire.data + field + 2, len_bytes - field - 2);
}

static void assert_right_sum(uint32_t len_bytes)
{
    assert_int_equal(checksum_naive(pseudo_sum(bytes, len_bytes), bytes + longs.l4_off_bytes,
                                    len_bytes - longs.l4_off_bytes), 0xffff);
    if (longs.gso_type == FRAME_GSO_UDP) {
        assert_int_not_equal(bytes[longs.l4_off_bytes + 6] | bytes[longs.l4_off_bytes + 7], 0);
    }
}

static void assert_header_is_zeros(void)
{
    static const uint8_t zeros[NET_HEADER_BASE_BYTES];

    assert_memory_equal(&header, zeros, sizeof(zeros));
}

/* Offers buffers for @p need_bytes in a layout chosen at random, at the start of memory. */
static void offer_at_random(uint32_t need_bytes, uint64_t *random)
{
    uint32_t at_bytes = 0;
    uint16_t head = 0;

    fake_ring_reset(ring);
    while (at_bytes < need_bytes) {
        const bool one = !guest->live->mergeable || random_below(random, 2) == 0;
        const uint32_t least = at_bytes == 0 ? HDR : 1;
        const struct fake_chain chain = {
            .gpa = FAKE_GPA + at_bytes,
            .len_bytes = one ? need_bytes + random_below(random, 100)
                             : least + random_below(random, need_bytes / 50 + 300),
            .first_bytes = random_below(random, 2) * (1 + random_below(random, 200)),
            .piece_bytes = random_below(random, 2) * (need_bytes / 50 + 1 +
                                                      random_below(random, PAGE_BYTES)),
            .table_gpa = random_below(random, 2) * (TABLE_GPA + head * 64 * 16u),
            .head = head,
            .flags = WRITE,
        };

        head = (uint16_t)(head + fake_ring_offer_chain(guest, ring, &chain));
        at_bytes += chain.len_bytes;
    }
}

/* ---- guests that take what is undone --------------------------------------------------------- */

/* Any long frame, to be cut or not, into any receive buffers: whole, and with its facts. */
static void test_vnic_to_guest_offload_takers_get_the_facts(void **state)
{
    uint64_t random = 5;
    (void)state;

    for (unsigned i = 0; i < 2000; i++) {
        const bool gso = random_below(&random, 4) != 0;
        struct frame *frame;
        uint8_t *field;
        uint32_t len_bytes;

        long_frame_random(&longs, &random);
        long_frame_write(&longs);
        batch_start(&batch, 0);
        frame = add_frame(FRAME_CSUM_PARTIAL, gso);
        if (offload_needs(frame) == OFFLOAD_NEEDS_CUT) {
            continue;
        }
        field = &frame->hdr[frame->csum_start_bytes + frame->csum_offset_bytes];
        offer_at_random(HDR + frame->len_bytes, &random);

        assert_int_equal(deliver(), 1);
        len_bytes = receive();
        assert_sent(frame, len_bytes);
        assert_memory_equal(bytes + (field - frame->hdr), field, 2);
        assert_int_equal(header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
        assert_int_equal(header.csum_start, frame->csum_start_bytes);
        assert_int_equal(header.csum_offset, frame->csum_offset_bytes);
        assert_int_equal(header.gso_size, frame->gso_size_bytes);
        assert_int_equal(header.hdr_len, gso ? longs.header_bytes : 0);
        assert_int_equal(header.gso_type != VIRTIO_NET_HDR_GSO_NONE, gso);
    }
}

static void test_vnic_to_guest_offload_checked_is_passed_on_to_takers_only(void **state)
{
    (void)state;

    make_frame(FRAME_GSO_TCP4, 4, 500);
    (void)add_frame(FRAME_CSUM_CHECKED, false);
    offer(0, FAKE_GPA, 1000);
    assert_int_equal(deliver(), 1);
    assert_int_equal(receive(), longs.wire.len_bytes);
    assert_int_equal(header.flags, VIRTIO_NET_HDR_F_DATA_VALID);
    assert_int_equal(header.csum_start | header.csum_offset | header.gso_type, 0);

    guest->live->takes = 0;
    offer(1, FAKE_GPA, 1000);
    assert_int_equal(deliver(), 1);
    assert_int_equal(receive(), longs.wire.len_bytes);
    assert_header_is_zeros();
}

/* Nothing of one frame's header is left in the next one's. */
static void test_vnic_to_guest_offload_each_frame_has_its_own_header(void **state)
{
    static const uint8_t states[] = { FRAME_CSUM_PARTIAL, FRAME_CSUM_AS_IT_IS, FRAME_CSUM_CHECKED,
                                      FRAME_CSUM_AS_IT_IS, FRAME_CSUM_PARTIAL };
    static const uint8_t flags[] = { VIRTIO_NET_HDR_F_NEEDS_CSUM, 0, VIRTIO_NET_HDR_F_DATA_VALID,
                                     0, VIRTIO_NET_HDR_F_NEEDS_CSUM };
    (void)state;

    make_frame(FRAME_GSO_TCP4, 4, 3000);
    for (uint16_t i = 0; i < sizeof(states); i++) {
        (void)add_frame(states[i], states[i] == FRAME_CSUM_PARTIAL);
    }
    for (unsigned merged = 0; merged < 2; merged++) {
        for (uint16_t i = 0; i < (merged ? 3 : 1) * sizeof(states); i++) {
            offer(i, FAKE_GPA + i * PAGE_BYTES, merged ? 1500 : PAGE_BYTES);
        }
        assert_int_equal(deliver(), sizeof(states));
        for (uint16_t i = 0; i < sizeof(states); i++) {
            assert_int_equal(receive(), longs.wire.len_bytes);
            assert_int_equal(header.flags, flags[i]);
            assert_int_equal(header.csum_start != 0, states[i] == FRAME_CSUM_PARTIAL);
            assert_int_equal(header.gso_type,
                             states[i] == FRAME_CSUM_PARTIAL ? VIRTIO_NET_HDR_GSO_TCPV4 : 0);
            assert_int_equal(header.num_buffers, merged ? 3 : 1);
        }
        fake_ring_reset(ring);
    }
}

/* On a trunk a tag stands before the headers, and offsets count from before the tag. */
static void test_vnic_to_guest_offload_tag_moves_the_offsets(void **state)
{
    struct frame *frame;
    (void)state;

    make_frame(FRAME_GSO_TCP4, 4, 3000);
    frame = add_frame(FRAME_CSUM_PARTIAL, true);
    frame_tag_push(frame, 7);
    offer(0, FAKE_GPA, PAGE_BYTES);

    assert_int_equal(deliver(), 1);

    assert_int_equal(receive(), longs.wire.len_bytes + FRAME_TAG_BYTES);
    assert_int_equal(header.csum_start, longs.l4_off_bytes + FRAME_TAG_BYTES);
    assert_int_equal(header.csum_offset, 16);
    assert_int_equal(header.hdr_len, longs.header_bytes + FRAME_TAG_BYTES);
}

/* ---- guests that do not ---------------------------------------------------------------------- */

/* Any frame into any receive buffers: its checksum is completed, and the batch is as it was. */
static void test_vnic_to_guest_offload_checksum_is_completed_in_every_layout(void **state)
{
    static struct frame_batch before;
    uint64_t random = 6;
    (void)state;

    guest->live->takes = OFFLOAD_TAKES_ALL & ~OFFLOAD_TAKES_CSUM;
    for (unsigned i = 0; i < 3000; i++) {
        struct frame *frame;
        uint32_t len_bytes;

        long_frame_random(&longs, &random);
        long_frame_write(&longs);
        batch_start(&batch, 0);
        frame = add_frame(FRAME_CSUM_PARTIAL, false);
        memcpy(&before, &batch, sizeof(batch));
        offer_at_random(HDR + frame->len_bytes, &random);

        assert_int_equal(deliver(), 1);
        assert_memory_equal(&batch, &before, sizeof(batch));
        len_bytes = receive();
        assert_sent(frame, len_bytes);
        assert_right_sum(len_bytes);
        assert_header_is_zeros();
    }
}

/* The first buffer ends at every place: before, in and behind the field, odd and even. */
static void test_vnic_to_guest_offload_field_split_across_buffers(void **state)
{
    (void)state;

    guest->live->takes = 0;
    for (unsigned i = 0; i < 4; i++) {
        const uint8_t type = i < 2 ? FRAME_GSO_UDP : i == 2 ? FRAME_GSO_TCP4 : FRAME_GSO_TCP6;
        const uint8_t version = i % 2 == 0 ? 4 : 6;

        for (uint32_t first = HDR; first < HDR + 200; first++) {
            for (uint32_t payload_bytes = 300; payload_bytes < 302; payload_bytes++) {
                make_frame(type, version, payload_bytes);
                (void)add_frame(FRAME_CSUM_PARTIAL, false);
                fake_ring_reset(ring);
                offer(0, FAKE_GPA, first);
                offer(1, FAKE_GPA + PAGE_BYTES, 1);
                offer(2, FAKE_GPA + 2 * PAGE_BYTES, 1000);

                assert_int_equal(deliver(), 1);
                assert_sent(&batch.frame[0], receive());
                assert_right_sum(longs.wire.len_bytes);
                assert_int_equal(header.num_buffers, 3);
            }
        }
    }
}

/* A buffer that is one for the guest lies in two places here: told or completed, it is filled. */
static void test_vnic_to_guest_offload_buffer_across_two_regions(void **state)
{
    (void)state;

    for (uint32_t before = 1; before < 500; before++) {
        guest->live->takes = before % 2 == 0 ? OFFLOAD_TAKES_ALL : 0;
        make_frame(FRAME_GSO_UDP, 4, 400);
        (void)add_frame(FRAME_CSUM_PARTIAL, false);
        offer((uint16_t)(before % ring->size), FAKE_GPA_NEXT - before, 500);

        assert_int_equal(deliver(), 1);
        assert_sent(&batch.frame[0], receive());
        if (before % 2 != 0) {
            assert_right_sum(longs.wire.len_bytes);
        }
    }
}

/* Frames of no more than the trusted header, where nothing is left to sum but the header. */
static void test_vnic_to_guest_offload_short_frames_are_completed(void **state)
{
    (void)state;

    guest->live->takes = 0;
    for (uint32_t payload_bytes = 1; payload_bytes < 200; payload_bytes++) {
        make_frame(FRAME_GSO_UDP, payload_bytes % 3 == 0 ? 6 : 4, payload_bytes);
        (void)add_frame(FRAME_CSUM_PARTIAL, false);
        offer((uint16_t)(payload_bytes % ring->size), FAKE_GPA + payload_bytes, 1000);

        assert_int_equal(deliver(), 1);
        assert_sent(&batch.frame[0], receive());
        assert_right_sum(longs.wire.len_bytes);
    }
}

/* 0 says of UDP that there is none; TCP stores it, and who compares would call ones wrong. */
static void test_vnic_to_guest_offload_sum_of_zero_is_ones_but_of_tcp(void **state)
{
    (void)state;

    guest->live->takes = 0;
    for (unsigned i = 0; i < 4; i++) {
        const bool merged = i % 2 != 0, tcp = i / 2 != 0;
        uint8_t *tail;
        uint32_t field;
        uint16_t sum;

        make_frame(tcp ? FRAME_GSO_TCP4 : FRAME_GSO_UDP, 4, 400);
        field = longs.l4_off_bytes + (tcp ? 16u : 6u);
        tail = &longs.wire.data[longs.wire.len_bytes - 2];
        memset(tail, 0, 2);
        memset(&longs.wire.data[field], 0, 2);
        sum = (uint16_t)~checksum_naive(pseudo_sum(longs.wire.data, longs.wire.len_bytes),
                                        &longs.wire.data[longs.l4_off_bytes],
                                        longs.wire.len_bytes - longs.l4_off_bytes);
        tail[0] = (uint8_t)(sum >> 8);
        tail[1] = (uint8_t)sum;
        (void)add_frame(FRAME_CSUM_PARTIAL, false);
        fake_ring_reset(ring);
        offer(0, FAKE_GPA, merged ? 100 : 1000);
        offer(1, FAKE_GPA + PAGE_BYTES, 1000);

        assert_int_equal(deliver(), 1);
        assert_sent(&batch.frame[0], receive());
        assert_memory_equal(&bytes[field], tcp ? "\0\0" : "\xff\xff", 2);
        assert_right_sum(longs.wire.len_bytes);
    }
}

static void test_vnic_to_guest_offload_legacy_driver_gets_facts_and_sums(void **state)
{
    (void)state;

    make_frame(FRAME_GSO_TCP6, 6, 5000);
    (void)add_frame(FRAME_CSUM_PARTIAL, true);
    offer(0, FAKE_GPA, 6000);
    assert_int_equal(deliver(), 1);
    assert_sent(&batch.frame[0], receive());
    assert_int_equal(header.gso_type, VIRTIO_NET_HDR_GSO_TCPV6);

    guest->live->takes = 0;
    make_frame(FRAME_GSO_TCP6, 6, 1000);
    (void)add_frame(FRAME_CSUM_PARTIAL, false);
    offer(1, FAKE_GPA, 6000);
    assert_int_equal(deliver(), 1);
    assert_sent(&batch.frame[0], receive());
    assert_right_sum(longs.wire.len_bytes);
}

/* What the operator does not let a guest be left, it is not told, whatever it negotiated. */
static void test_vnic_to_guest_offload_operator_narrows_what_is_left(void **state)
{
    (void)state;

    make_frame(FRAME_GSO_TCP4, 4, 1000);
    (void)add_frame(FRAME_CSUM_PARTIAL, false);
    atomic_store(&guest->vnic.leaves, 0);
    offer(0, FAKE_GPA, 2000);

    assert_int_equal(vnic_takes(&guest->vnic, guest->live), OFFLOAD_TAKES_CSUM);
    assert_int_equal(deliver(), 1);

    assert_sent(&batch.frame[0], receive());
    assert_right_sum(longs.wire.len_bytes);
    assert_header_is_zeros();
}

/* A guest's frontend may come, or its operator narrow what it is left, while a worker is at it. */
static void test_vnic_to_guest_offload_changes_between_the_choice_and_the_copy(void **state)
{
    (void)state;

    make_frame(FRAME_GSO_TCP4, 4, 3000);
    (void)add_frame(FRAME_CSUM_PARTIAL, true);
    offer(0, FAKE_GPA, 4000);
    guest->live->takes = OFFLOAD_TAKES_CSUM;
    assert_int_equal(deliver(), 0);
    assert_int_equal(verdict[0], DROP_NOT_ATTACHED);
    guest->live->takes = 0;
    assert_int_equal(deliver(), 0);
    assert_int_equal(receive(), 0);

    guest->live->takes = OFFLOAD_TAKES_ALL;
    atomic_store(&guest->vnic.leaves, 0);
    assert_int_equal(deliver(), 1);
    assert_sent(&batch.frame[0], receive());
    assert_int_equal(header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
    assert_int_equal(header.gso_size, longs.gso_size_bytes);
}

/* As a flood comes: the same batch to one after the other. */
static void test_vnic_to_guest_offload_flood_to_takers_and_others(void **state)
{
    (void)state;

    make_frame(FRAME_GSO_UDP, 6, 1201);
    for (unsigned i = 0; i < 4; i++) {
        (void)add_frame(FRAME_CSUM_PARTIAL, false);
    }
    for (uint16_t turn = 0; turn < 6; turn++) {
        const bool taker = turn % 2 == 0;

        guest->live->takes = taker ? OFFLOAD_TAKES_ALL : 0;
        for (uint16_t i = 0; i < 4; i++) {
            offer((uint16_t)(turn * 4 + i), FAKE_GPA + i * PAGE_BYTES, 2000);
        }
        assert_int_equal(deliver(), 4);
        for (uint16_t i = 0; i < 4; i++) {
            const uint8_t *field = &batch.frame[i].hdr[longs.l4_off_bytes + 6];

            assert_sent(&batch.frame[i], receive());
            assert_int_equal(header.flags, taker ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0);
            if (taker) {
                assert_memory_equal(&bytes[longs.l4_off_bytes + 6], field, 2);
            } else {
                assert_right_sum(longs.wire.len_bytes);
            }
        }
    }
}

/* ---- long frames ----------------------------------------------------------------------------- */

/* The longest frame there is, over the buffers that drivers post. */
static void test_vnic_to_guest_offload_longest_frame_over_buffers_of_drivers(void **state)
{
    static const struct { uint32_t bytes; uint16_t count; } buffer[] = {
        { 1526, 43 }, { PAGE_BYTES, 17 }, { 512, 129 }, { 65562 + HDR, 1 },
    };
    (void)state;

    for (size_t n = 0; n < sizeof(buffer) / sizeof(buffer[0]); n++) {
        make_frame(FRAME_GSO_TCP4, 4, 65535 - 40);
        (void)add_frame(FRAME_CSUM_PARTIAL, true);
        fake_ring_reset(ring);
        for (uint16_t i = 0; i < buffer[n].count; i++) {
            offer(i, FAKE_GPA + i * buffer[n].bytes, buffer[n].bytes);
        }

        assert_int_equal(deliver(), 1);
        assert_sent(&batch.frame[0], receive());
        assert_int_equal(header.num_buffers, buffer[n].count);
        assert_int_equal(header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
    }
}

/* Without mergeable buffers a driver posts chains of pages, the header often apart. */
static void test_vnic_to_guest_offload_longest_frame_into_a_chain(void **state)
{
    (void)state;

    for (unsigned table = 0; table < 2; table++) {
        const struct fake_chain chain = { .gpa = FAKE_GPA, .len_bytes = HDR + 17 * PAGE_BYTES,
                                          .first_bytes = HDR, .piece_bytes = PAGE_BYTES,
                                          .table_gpa = table * TABLE_GPA, .flags = WRITE };

        make_frame(FRAME_GSO_TCP6, 6, 65535 - 60);
        (void)add_frame(FRAME_CSUM_PARTIAL, true);
        assert_int_equal(fake_ring_offer_chain(guest, ring, &chain), 18);

        assert_int_equal(deliver(), 1);
        assert_sent(&batch.frame[0], receive());
        assert_int_equal(header.gso_size, 1448);
    }
}

/* ---- a sender that changes its payload while it is copied ------------------------------------ */

static atomic_bool scribbling;

static void *scribble(void *unused)
{
    uint64_t random = 8;

    (void)unused;
    while (atomic_load_explicit(&scribbling, memory_order_relaxed)) {
        volatile uint8_t *at = &longs.wire.data[FRAME_HDR_BYTES];

        at[random_below(&random, longs.wire.len_bytes - FRAME_HDR_BYTES)] =
            (uint8_t)random_next(&random);
    }
    return NULL;
}

/* The sum is of what arrives: no byte is read once to be copied and once more to be summed. */
static void test_vnic_to_guest_offload_payload_changes_while_it_is_copied(void **state)
{
    const time_t end = time(NULL) + SCRIBBLE_S + 1;
    pthread_t thread;
    (void)state;

    guest->live->takes = 0;
    make_frame(FRAME_GSO_UDP, 4, 600);
    (void)add_frame(FRAME_CSUM_PARTIAL, false);
    atomic_store(&scribbling, true);
    assert_int_equal(pthread_create(&thread, NULL, scribble, NULL), 0);
    for (uint16_t turn = 0; time(NULL) < end; turn++) {
        if (turn % 2 == 0) {
            offer(0, FAKE_GPA, 1000);
        } else {
            for (uint16_t i = 0; i < 7; i++) {
                offer(i, FAKE_GPA + i * 101u, 101);
            }
        }
        assert_int_equal(deliver(), 1);
        assert_right_sum(receive());
    }
    atomic_store(&scribbling, false);
    (void)pthread_join(thread, NULL);
}

#define TEST(name)              cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_WITH(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_vnic_to_guest_offload_takers_get_the_facts),
        TEST_WITH(test_vnic_to_guest_offload_takers_get_the_facts, setup_not_mergeable),
        TEST(test_vnic_to_guest_offload_checked_is_passed_on_to_takers_only),
        TEST(test_vnic_to_guest_offload_each_frame_has_its_own_header),
        TEST(test_vnic_to_guest_offload_tag_moves_the_offsets),
        TEST(test_vnic_to_guest_offload_checksum_is_completed_in_every_layout),
        TEST_WITH(test_vnic_to_guest_offload_checksum_is_completed_in_every_layout,
                  setup_not_mergeable),
        TEST(test_vnic_to_guest_offload_field_split_across_buffers),
        TEST(test_vnic_to_guest_offload_buffer_across_two_regions),
        TEST(test_vnic_to_guest_offload_short_frames_are_completed),
        TEST(test_vnic_to_guest_offload_sum_of_zero_is_ones_but_of_tcp),
        TEST_WITH(test_vnic_to_guest_offload_legacy_driver_gets_facts_and_sums, setup_legacy),
        TEST(test_vnic_to_guest_offload_operator_narrows_what_is_left),
        TEST(test_vnic_to_guest_offload_changes_between_the_choice_and_the_copy),
        TEST(test_vnic_to_guest_offload_flood_to_takers_and_others),
        TEST(test_vnic_to_guest_offload_longest_frame_over_buffers_of_drivers),
        TEST_WITH(test_vnic_to_guest_offload_longest_frame_into_a_chain, setup_not_mergeable),
        TEST(test_vnic_to_guest_offload_payload_changes_while_it_is_copied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
