/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames come out of a transmit ring exactly as they were put in, and nothing else comes out.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "switch/frame_tag.h"
#include "switch/gather.h"
#include "tests/support/fake_guest.h"
#include "tests/support/random.h"

#define NEXT         VRING_DESC_F_NEXT
#define HDR          12u           /* the virtio-net header of a modern driver */
#define BUFFERS      FAKE_GPA      /* frames are put here */
#define SCRIBBLE_S   1

static struct fake_guest *guest;
static struct fake_ring *ring;
static struct frame_batch batch;
static struct drop_tally refused;
static uint8_t bytes[FRAME_MAX_BYTES + 1];

static int setup(void **state)
{
    (void)state;
    guest = fake_guest_create(&(struct fake_guest_config){ 0 });
    ring = &guest->from;
    return 0;
}

static int setup_legacy(void **state)
{
    (void)state;
    guest = fake_guest_create(&(struct fake_guest_config){ .legacy = true });
    ring = &guest->from;
    return 0;
}

static int setup_large_ring(void **state)
{
    (void)state;
    guest = fake_guest_create(&(struct fake_guest_config){ .ring_entries = 4096 });
    ring = &guest->from;
    return 0;
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

static uint8_t pattern(uint32_t seed, uint32_t i)
{
    return (uint8_t)(seed * 31 + i * 7 + (i >> 8));
}

/* Writes a frame behind a header that asks for nothing, and is ones where that is left open. */
static void write_frame(uint64_t gpa, uint32_t hdr_bytes, uint32_t seed, uint32_t len_bytes)
{
    for (uint32_t i = 0; i < hdr_bytes; i++) {
        *fake_guest_at(guest, gpa + i) = i < 2 ? 0 : 0xff;
    }
    for (uint32_t i = 0; i < len_bytes; i++) {
        *fake_guest_at(guest, gpa + hdr_bytes + i) = pattern(seed, i);
    }
}

/* Spreads what stands at @p gpa over descriptors that end at the given cuts, from @p head on. */
static void write_chain(uint16_t head, uint64_t gpa, uint32_t len_bytes, const uint32_t *cuts,
                        unsigned cut_count)
{
    uint32_t from = 0;

    for (unsigned i = 0; i <= cut_count; i++) {
        const uint32_t to = i < cut_count ? cuts[i] : len_bytes;

        fake_ring_desc(ring, (uint16_t)(head + i), gpa + from, to - from,
                       i < cut_count ? NEXT : 0, (uint16_t)(head + i + 1));
        from = to;
    }
}

static void assert_frame(uint16_t index, uint32_t seed, uint32_t len_bytes)
{
    const struct frame *frame = &batch.frame[index];
    const uint32_t hdr_bytes = len_bytes < FRAME_HDR_BYTES ? len_bytes : FRAME_HDR_BYTES;
    struct gather from = gather_start(&batch, frame);

    assert_int_equal(frame->len_bytes, len_bytes);
    assert_int_equal(frame->hdr_len_bytes, hdr_bytes);
    assert_ptr_equal(frame->hdr, batch.hdr[index]);
    assert_int_equal(frame->tagged | frame->came_tagged | frame->tci_in, 0);
    for (uint16_t i = 0; i < frame->seg_count; i++) {
        const struct frame_run *run = &batch.run[frame->seg_first + i];

        assert_true(fake_guest_owns(guest, run->data, run->len_bytes));
    }
    gather_copy(&from, bytes, len_bytes);
    for (uint32_t i = 0; i < len_bytes; i++) {
        if (bytes[i] != pattern(seed, i)) {
            fail_msg("byte %u of %u", i, len_bytes);
        }
    }
}

static void assert_fault(enum virtqueue_fault fault)
{
    uint16_t where;

    assert_int_equal(ring->queue->fault, fault);
    assert_int_equal(vnic_fault(&guest->vnic, &where), fault);
    assert_int_equal(where, 1);
    assert_int_equal(refused.drops[DROP_BAD_DESCRIPTOR], 1);
    assert_int_equal(refused.count, 1);
    assert_int_equal(take(), 0);
    assert_int_equal(refused.count, 0);
}

/* ---- frames that are right ------------------------------------------------------------------- */

static void test_vnic_from_guest_every_length_in_one_buffer(void **state)
{
    static const uint32_t edges[] = { 1, 13, 14, 59, 60, 64, 123, 124, 125, 128, 129, 1514, 4096,
                                      9018, FRAME_MAX_BYTES - 1, FRAME_MAX_BYTES };

    (void)state;
    for (uint32_t len = 1; len < 300; len++) {
        write_frame(BUFFERS, HDR, len, len);
        fake_ring_offer_buffer(ring, (uint16_t)(len % ring->size), BUFFERS, HDR + len, 0);
        assert_int_equal(take(), 1);
        assert_frame(0, len, len);
        vnic_return(guest->live, 0);
    }
    for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
        write_frame(BUFFERS, HDR, 1, edges[i]);
        fake_ring_offer_buffer(ring, 0, BUFFERS, HDR + edges[i], 0);
        assert_int_equal(take(), 1);
        assert_frame(0, 1, edges[i]);
    }
}

/* Cut once at every offset, which splits the virtio header, the trusted header and the payload. */
static void test_vnic_from_guest_split_at_every_offset(void **state)
{
    static const uint32_t lens[] = { 1, 14, 60, 123, 124, 125, 129, 200, 300 };

    (void)state;
    for (size_t n = 0; n < sizeof(lens) / sizeof(lens[0]); n++) {
        write_frame(BUFFERS, HDR, 3, lens[n]);
        for (uint32_t cut = 1; cut < HDR + lens[n]; cut++) {
            write_chain(0, BUFFERS, HDR + lens[n], &cut, 1);
            fake_ring_offer(ring, 0);
            assert_int_equal(take(), 1);
            assert_frame(0, 3, lens[n]);
        }
    }
}

static void test_vnic_from_guest_split_into_single_bytes(void **state)
{
    uint32_t cuts[199];

    (void)state;
    for (uint32_t i = 0; i < 199; i++) {
        cuts[i] = i + 1;
    }
    write_frame(BUFFERS, HDR, 5, 188);
    write_chain(0, BUFFERS, 200, cuts, 199);
    fake_ring_offer(ring, 0);

    assert_int_equal(take(), 1);
    assert_frame(0, 5, 188);
}

static void test_vnic_from_guest_through_an_indirect_table(void **state)
{
    struct vring_desc *table;

    (void)state;
    write_frame(BUFFERS, HDR, 9, 1500);
    table = (struct vring_desc *)(void *)fake_guest_at(guest, FAKE_GPA_NEXT);
    table[0] = (struct vring_desc){ .addr = BUFFERS, .len = HDR, .flags = NEXT, .next = 2 };
    table[2] = (struct vring_desc){ .addr = BUFFERS + HDR, .len = 700, .flags = NEXT, .next = 1 };
    table[1] = (struct vring_desc){ .addr = BUFFERS + HDR + 700, .len = 800 };
    fake_ring_offer_buffer(ring, 17, FAKE_GPA_NEXT, 48, VRING_DESC_F_INDIRECT);

    assert_int_equal(take(), 1);
    assert_frame(0, 9, 1500);
}

static void test_vnic_from_guest_across_two_regions(void **state)
{
    (void)state;
    for (uint32_t before = 1; before < 400; before++) {
        write_frame(FAKE_GPA_NEXT - before, HDR, 2, 388);
        fake_ring_offer_buffer(ring, 0, FAKE_GPA_NEXT - before, HDR + 388, 0);
        assert_int_equal(take(), 1);
        assert_frame(0, 2, 388);
    }
}

static void test_vnic_from_guest_header_of_a_legacy_driver(void **state)
{
    (void)state;
    write_frame(BUFFERS, 10, 4, 1000);
    fake_ring_offer_buffer(ring, 0, BUFFERS, 1010, 0);

    assert_int_equal(take(), 1);
    assert_frame(0, 4, 1000);
}

static void test_vnic_from_guest_header_and_nothing_else_is_an_empty_frame(void **state)
{
    (void)state;
    fake_ring_offer_buffer(ring, 0, BUFFERS, HDR, 0);

    assert_int_equal(take(), 1);
    assert_int_equal(batch.frame[0].len_bytes, 0);
    assert_int_equal(batch.frame[0].hdr_len_bytes, 0);
    assert_int_equal(refused.count, 0);
}

static void test_vnic_from_guest_takes_bursts_in_order_round_the_ring(void **state)
{
    uint32_t sent = 0;
    uint32_t got = 0;

    (void)state;
    while (got < 70000) {
        for (int i = 0; i < 50; i++, sent++) {
            const uint16_t slot = (uint16_t)(sent % ring->size);

            write_frame(FAKE_GPA + slot * 128u, HDR, sent, 20);
            fake_ring_offer_buffer(ring, slot, FAKE_GPA + slot * 128u, HDR + 20, 0);
        }
        while (got < sent) {       /* a batch ends with the ring */
            const uint32_t row = ring->size - got % ring->size;
            const uint32_t most = sent - got < row ? sent - got : row;

            assert_int_equal(take(), most < FRAME_BURST ? most : FRAME_BURST);
            for (uint16_t i = 0; i < batch.count; i++, got++) {
                assert_frame(i, got, 20);
            }
        }
        vnic_return(guest->live, 0);
    }
}

static void test_vnic_from_guest_gives_back_at_return_only(void **state)
{
    uint32_t head;
    uint32_t len_bytes;

    (void)state;
    fake_ring_offer_buffer(ring, 30, BUFFERS, 100, 0);
    fake_ring_offer_buffer(ring, 20, BUFFERS, 100, 0);
    assert_int_equal(take(), 2);
    assert_false(fake_ring_used(ring, &head, &len_bytes));

    vnic_return(guest->live, 0);

    assert_true(fake_ring_used(ring, &head, &len_bytes));
    assert_int_equal(head, 30);
    assert_true(fake_ring_used(ring, &head, &len_bytes));
    assert_int_equal(head, 20);
    assert_int_equal(len_bytes, 0);
    assert_false(fake_ring_used(ring, &head, &len_bytes));
}

/* More pieces than a batch has runs: the batch ends early, and the rest comes next time. */
static void test_vnic_from_guest_long_chains_fill_batches_without_loss(void **state)
{
    const uint32_t pieces = 300;
    uint32_t cuts[299];
    unsigned got = 0;

    (void)state;
    for (uint32_t i = 0; i < pieces - 1; i++) {
        cuts[i] = HDR + FRAME_HDR_BYTES + i + 1;
    }
    write_frame(BUFFERS, HDR, 6, FRAME_HDR_BYTES + pieces);
    for (uint16_t n = 0; n < 12; n++) {
        write_chain((uint16_t)(n * pieces), BUFFERS, HDR + FRAME_HDR_BYTES + pieces, cuts,
                    pieces - 1);
        fake_ring_offer(ring, (uint16_t)(n * pieces));
    }
    for (int turn = 0; turn < 12 && got < 12; turn++) {
        const uint16_t count = take();

        assert_in_range(count, 1, FRAME_RUNS / pieces);
        for (uint16_t i = 0; i < count; i++) {
            assert_frame(i, 6, FRAME_HDR_BYTES + pieces);
        }
        got += count;
    }
    assert_int_equal(got, 12);
    assert_int_equal(refused.count, 0);
}

/* A tag that is put before a header lies in the slot before, and must not be over its frame. */
static void test_vnic_from_guest_leaves_room_for_a_tag_before_each_header(void **state)
{
    (void)state;
    write_frame(BUFFERS, HDR, 6, 200);
    for (uint16_t i = 0; i < FRAME_BURST; i++) {
        fake_ring_offer_buffer(ring, i, BUFFERS, HDR + 200, 0);
    }
    assert_int_equal(take(), FRAME_BURST);

    for (uint16_t i = 0; i < FRAME_BURST; i++) {
        frame_tag_push(&batch.frame[i], 0x6005);
    }
    for (uint16_t i = 0; i < FRAME_BURST; i++) {
        const uint8_t tag[FRAME_TAG_BYTES] = { 0x81, 0x00, 0x60, 0x05 };

        assert_int_equal(batch.frame[i].len_bytes, 200 + FRAME_TAG_BYTES);
        assert_memory_equal(batch.frame[i].hdr + 12, tag, sizeof(tag));
        assert_int_equal(frame_tag_pop(&batch.frame[i]), 0x6005);
    }
    for (uint16_t i = 0; i < FRAME_BURST; i++) {
        assert_frame(i, 6, 200);
    }
}

static void test_vnic_from_guest_nothing_from_a_ring_that_is_off(void **state)
{
    (void)state;
    fake_ring_offer_buffer(ring, 0, BUFFERS, 100, 0);
    ring->queue->enabled = false;
    assert_int_equal(take(), 0);

    ring->queue->enabled = true;
    assert_int_equal(take(), 1);
}

/* ---- frames that are wrong ------------------------------------------------------------------- */

static void test_vnic_from_guest_too_long_is_refused_and_returned(void **state)
{
    uint32_t head;
    uint32_t len_bytes;

    (void)state;
    fake_ring_offer_buffer(ring, 1, BUFFERS, HDR + FRAME_MAX_BYTES + 1, 0);
    write_frame(BUFFERS, HDR, 8, 60);
    fake_ring_offer_buffer(ring, 2, BUFFERS, HDR + 60, 0);

    assert_int_equal(take(), 1);

    assert_frame(0, 8, 60);
    assert_int_equal(refused.drops[DROP_FRAME_TOO_LONG], 1);
    assert_int_equal(refused.count, 1);
    vnic_return(guest->live, 0);
    assert_true(fake_ring_used(ring, &head, &len_bytes));
    assert_int_equal(head, 1);
    assert_true(fake_ring_used(ring, &head, &len_bytes));
    assert_int_equal(ring->queue->fault, VIRTQUEUE_NONE);
}

static void test_vnic_from_guest_shorter_than_the_header(void **state)
{
    const uint32_t cut = 5;

    (void)state;
    write_chain(0, BUFFERS, HDR - 1, &cut, 1);
    fake_ring_offer(ring, 0);

    assert_int_equal(take(), 0);
    assert_fault(VIRTQUEUE_HEADER_MISSING);
}

static void test_vnic_from_guest_frames_before_a_fault_are_returned(void **state)
{
    uint32_t head;
    uint32_t len_bytes;

    (void)state;
    write_frame(BUFFERS, HDR, 1, 60);
    for (uint16_t i = 0; i < 5; i++) {
        fake_ring_offer_buffer(ring, i, BUFFERS, HDR + 60, 0);
    }
    fake_ring_offer(ring, ring->size);
    fake_ring_offer(ring, 0);

    assert_int_equal(take(), 5);

    assert_frame(4, 1, 60);
    vnic_return(guest->live, 0);
    for (int i = 0; i < 5; i++) {
        assert_true(fake_ring_used(ring, &head, &len_bytes));
    }
    assert_false(fake_ring_used(ring, &head, &len_bytes));
    assert_fault(VIRTQUEUE_HEAD_RANGE);
}

static void test_vnic_from_guest_broken_descriptors(void **state)
{
    static const struct {
        uint64_t gpa;
        uint32_t len_bytes;
        uint16_t flags;
        uint16_t next;
        enum virtqueue_fault fault;
    } bad[] = {
        { FAKE_GPA_END, 100, 0, 0, VIRTQUEUE_OUTSIDE_MEMORY },
        { FAKE_GPA_END - 50, 100, 0, 0, VIRTQUEUE_OUTSIDE_MEMORY },
        { UINT64_MAX - 10, 100, 0, 0, VIRTQUEUE_OUTSIDE_MEMORY },
        { FAKE_GPA, UINT32_MAX, 0, 0, VIRTQUEUE_OUTSIDE_MEMORY },
        { FAKE_GPA, 0, 0, 0, VIRTQUEUE_LENGTH_ZERO },
        { FAKE_GPA, 100, VRING_DESC_F_WRITE, 0, VIRTQUEUE_DIRECTION },
        { FAKE_GPA, 100, NEXT, 0, VIRTQUEUE_CHAIN_LONG },
        { FAKE_GPA, 100, NEXT, 256, VIRTQUEUE_NEXT_RANGE },
        { FAKE_GPA, 100, VRING_DESC_F_INDIRECT, 0, VIRTQUEUE_INDIRECT_SIZE },
        { FAKE_GPA, 16, VRING_DESC_F_INDIRECT | NEXT, 0, VIRTQUEUE_INDIRECT_NESTED },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        fake_ring_reset(ring);
        atomic_store(&guest->vnic.fault, VIRTQUEUE_NONE);
        fake_ring_desc(ring, 0, bad[i].gpa, bad[i].len_bytes, bad[i].flags, bad[i].next);
        fake_ring_offer(ring, 0);

        assert_int_equal(take(), 0);
        assert_fault(bad[i].fault);
    }
}

static void test_vnic_from_guest_available_index_jumps(void **state)
{
    (void)state;
    ring->avail->idx = (uint16_t)(ring->size + 1);

    assert_int_equal(take(), 0);
    assert_fault(VIRTQUEUE_AVAIL_JUMP);
}

static void test_vnic_from_guest_first_fault_is_kept(void **state)
{
    uint16_t where;

    (void)state;
    vnic_note_fault(&guest->vnic, VIRTQUEUE_DIRECTION, 4);
    fake_ring_offer(ring, ring->size);
    assert_int_equal(take(), 0);

    assert_int_equal(vnic_fault(&guest->vnic, &where), VIRTQUEUE_DIRECTION);
    assert_int_equal(where, 4);
}

/* ---- a guest that changes everything all the time -------------------------------------------- */

static atomic_bool scribbling;

/* Writes random bytes over the rings and the tables, with real addresses among them. */
static void *scribble(void *unused)
{
    uint64_t random = 42;

    (void)unused;
    while (atomic_load_explicit(&scribbling, memory_order_relaxed)) {
        volatile struct vring_desc *d = &ring->desc[random_below(&random, ring->size)];
        volatile struct vring_desc *t =
            &((volatile struct vring_desc *)(void *)fake_guest_at(guest, FAKE_GPA_NEXT))
                [random_below(&random, 64)];

        d->addr = FAKE_GPA + random_below(&random, 3 * FAKE_REGION_BYTES);
        d->len = random_below(&random, random_below(&random, 4) == 0 ? 100000 : 300);
        d->flags = (uint16_t)(random_next(&random) & 5);
        d->next = (uint16_t)random_below(&random, ring->size + 8u);
        if (random_below(&random, 8) == 0) {
            d->addr = FAKE_GPA_NEXT;
            d->len = 16 * (1 + random_below(&random, 64));
            d->flags = VRING_DESC_F_INDIRECT;
        }
        t->addr = FAKE_GPA + random_below(&random, 2 * FAKE_REGION_BYTES);
        t->len = random_below(&random, 2000);
        t->flags = (uint16_t)(random_next(&random) & 1);
        t->next = (uint16_t)random_below(&random, 66);
        *(volatile uint16_t *)&ring->avail->ring[random_below(&random, ring->size)] =
            (uint16_t)random_below(&random, ring->size + 2u);
        *(volatile uint16_t *)&ring->avail->idx =
            (uint16_t)(*(volatile uint16_t *)&ring->used->idx + random_below(&random, 40));
    }
    return NULL;
}

static void test_vnic_from_guest_rings_change_while_they_are_read(void **state)
{
    const time_t end = time(NULL) + SCRIBBLE_S + 1;
    unsigned long frames = 0;
    pthread_t thread;

    (void)state;
    atomic_store(&scribbling, true);
    assert_int_equal(pthread_create(&thread, NULL, scribble, NULL), 0);
    while (time(NULL) < end) {
        const uint16_t count = take();

        assert_in_range(count, 0, FRAME_BURST);
        for (uint16_t i = 0; i < count; i++) {
            const struct frame *frame = &batch.frame[i];
            struct gather from = gather_start(&batch, frame);

            assert_in_range(frame->len_bytes, 0, FRAME_MAX_BYTES);
            for (uint16_t k = 0; k < frame->seg_count; k++) {
                const struct frame_run *run = &batch.run[frame->seg_first + k];

                assert_true(fake_guest_owns(guest, run->data, run->len_bytes));
            }
            gather_copy(&from, bytes, frame->len_bytes);
        }
        frames += count;
        vnic_return(guest->live, 0);
        ring->queue->fault = VIRTQUEUE_NONE;
    }
    atomic_store(&scribbling, false);
    (void)pthread_join(thread, NULL);
    assert_true(frames > 0);
}

#define TEST(name)              cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_WITH(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_vnic_from_guest_every_length_in_one_buffer),
        TEST(test_vnic_from_guest_split_at_every_offset),
        TEST(test_vnic_from_guest_split_into_single_bytes),
        TEST(test_vnic_from_guest_through_an_indirect_table),
        TEST(test_vnic_from_guest_across_two_regions),
        TEST_WITH(test_vnic_from_guest_header_of_a_legacy_driver, setup_legacy),
        TEST(test_vnic_from_guest_header_and_nothing_else_is_an_empty_frame),
        TEST(test_vnic_from_guest_takes_bursts_in_order_round_the_ring),
        TEST(test_vnic_from_guest_gives_back_at_return_only),
        TEST_WITH(test_vnic_from_guest_long_chains_fill_batches_without_loss, setup_large_ring),
        TEST(test_vnic_from_guest_leaves_room_for_a_tag_before_each_header),
        TEST(test_vnic_from_guest_nothing_from_a_ring_that_is_off),
        TEST(test_vnic_from_guest_too_long_is_refused_and_returned),
        TEST(test_vnic_from_guest_shorter_than_the_header),
        TEST(test_vnic_from_guest_frames_before_a_fault_are_returned),
        TEST(test_vnic_from_guest_broken_descriptors),
        TEST(test_vnic_from_guest_available_index_jumps),
        TEST(test_vnic_from_guest_first_fault_is_kept),
        TEST(test_vnic_from_guest_rings_change_while_they_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
