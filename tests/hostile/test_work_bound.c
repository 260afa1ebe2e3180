/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How much work a guest can make of one turn: chains of many small pieces, which cost a cache miss
 * each and carry nothing.  A worker serves all its guests in turns, so what one turn may cost is
 * what every other guest waits.
 *
 * Nothing is timed here: what was taken, and what was refused without a look, tells how much was
 * walked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/fake_guest.h"
#include "vnic/vnic.h"

#define RING        16384u
#define LONG_CHAINS 12u
#define LONG_PIECES 1000u
#define CRUMB_BYTES 9u
#define BUFFERS     FAKE_GPA

static struct fake_guest *guest;
static struct frame_batch batch;
static uint8_t payload[FRAME_MAX_BYTES];
static uint8_t verdict[FRAME_BURST];
static uint8_t index_of[FRAME_BURST];

static int setup(void **state)
{
    (void)state;
    guest = fake_guest_create(&(struct fake_guest_config){ .ring_entries = RING });
    memset(&batch, 0, sizeof(batch));
    for (uint8_t i = 0; i < FRAME_BURST; i++) {
        index_of[i] = i;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_guest_destroy(guest);
    return 0;
}

/* Chain @p n of @p pieces descriptors, all of the same bytes. */
static void offer_chain(struct fake_ring *ring, unsigned n, unsigned pieces, uint32_t len_bytes,
                        uint16_t flags)
{
    const uint16_t head = (uint16_t)(n * pieces);

    for (uint16_t i = 0; i < pieces; i++) {
        const bool last = i + 1u == pieces;

        fake_ring_desc(ring, (uint16_t)(head + i), BUFFERS, len_bytes,
                       (uint16_t)(flags | (last ? 0 : VRING_DESC_F_NEXT)),
                       (uint16_t)(head + i + 1));
    }
    fake_ring_offer(ring, head);
}

static void add_frame(uint32_t len_bytes)
{
    const uint32_t hdr_bytes = len_bytes < FRAME_HDR_BYTES ? len_bytes : FRAME_HDR_BYTES;

    batch.run[batch.count] = (struct frame_run){ .data = payload,
                                                 .len_bytes = len_bytes - hdr_bytes };
    batch.frame[batch.count] = (struct frame){
        .hdr = batch.hdr[batch.count], .len_bytes = len_bytes,
        .hdr_len_bytes = (uint16_t)hdr_bytes, .seg_first = batch.count,
        .seg_count = len_bytes > hdr_bytes,
    };
    batch.count++;
}

static uint16_t deliver(void)
{
    return vnic_to_guest(&guest->vnic, guest->live, 0, &batch, index_of, batch.count, verdict);
}

static void test_frames_too_long_end_the_batch_when_they_have_cost_as_much_as_one(void **state)
{
    struct drop_tally refused;
    unsigned calls = 0;
    uint32_t gone = 0;

    (void)state;
    for (unsigned n = 0; n < LONG_CHAINS; n++) {
        offer_chain(&guest->from, n, LONG_PIECES, FRAME_MAX_BYTES / LONG_PIECES + 1, 0);
    }
    while (gone < LONG_CHAINS && calls++ < LONG_CHAINS) {
        assert_int_equal(vnic_from_guest(&guest->vnic, guest->live, 0, &batch, &refused), 0);
        vnic_return(guest->live, 0);
        assert_in_range(refused.drops[DROP_FRAME_TOO_LONG], 1,
                        2 * FRAME_RUNS / LONG_PIECES);
        gone += refused.count;
    }
    assert_int_equal(gone, LONG_CHAINS);
    assert_int_equal(guest->from.queue->fault, VIRTQUEUE_NONE);
}

/* Room for a small frame in each chain; large ones find none in 256 of them. */
static void test_buffers_of_crumbs_are_not_walked_for_every_frame(void **state)
{
    (void)state;
    for (unsigned n = 0; n < RING / 4; n++) {
        offer_chain(&guest->to, n, 4, CRUMB_BYTES, VRING_DESC_F_WRITE);
    }
    for (unsigned i = 0; i + 1 < FRAME_BURST; i++) {
        add_frame(9600);
    }
    add_frame(20);

    assert_int_equal(deliver(), 0);
    for (unsigned i = 0; i < FRAME_BURST; i++) {
        assert_int_equal(verdict[i], DROP_GUEST_BUFFER_SMALL);
    }

    batch.count = 0;
    add_frame(20);
    assert_int_equal(deliver(), 1);
    assert_int_equal(guest->to.queue->fault, VIRTQUEUE_NONE);
}

/* Each chain is honest; only together they have more pieces than a frame may have. */
static void test_buffers_in_many_pieces_are_too_small_and_not_broken(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 256; n++) {
        offer_chain(&guest->to, n, 5, 12, VRING_DESC_F_WRITE);
    }
    add_frame(FRAME_MAX_BYTES);
    add_frame(40);

    assert_int_equal(deliver(), 1);

    assert_int_equal(verdict[0], DROP_GUEST_BUFFER_SMALL);
    assert_int_equal(verdict[1], VNIC_DELIVERED);
    assert_int_equal(guest->to.queue->fault, VIRTQUEUE_NONE);
    assert_int_equal(guest->vnic.fault, VIRTQUEUE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        TEST(test_frames_too_long_end_the_batch_when_they_have_cost_as_much_as_one),
        TEST(test_buffers_of_crumbs_are_not_walked_for_every_frame),
        TEST(test_buffers_in_many_pieces_are_too_small_and_not_broken),
#undef TEST
    };

    return cmocka_run_group_tests_name("work of a turn", tests, NULL, NULL);
}
