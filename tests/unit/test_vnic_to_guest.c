/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames arrive in receive buffers of every shape, whole, once, and not a byte beside them.
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

#include "tests/support/fake_guest.h"
#include "tests/support/random.h"

#define NEXT        VRING_DESC_F_NEXT
#define WRITE       VRING_DESC_F_WRITE
#define HDR         12u            /* the virtio-net header of a modern driver */
#define CANARY      0xa5
#define SCRIBBLE_S  1
#define THREADS     2u
#define THREAD_FRAMES 20000u

static struct fake_guest *guest;
static struct fake_ring *ring;
static struct frame_batch batch;
static uint8_t payload[FRAME_MAX_BYTES];
static const uint8_t in_order[FRAME_BURST] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
                                               15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
                                               28, 29, 30, 31 };
static uint8_t verdict[FRAME_BURST];

static int setup_with(const struct fake_guest_config *config)
{
    guest = fake_guest_create(config);
    ring = &guest->to;
    memset(&batch, 0, sizeof(batch));
    for (uint32_t i = 0; i < FRAME_MAX_BYTES; i++) {
        payload[i] = (uint8_t)(i * 7 + (i >> 8) + 1);
    }
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_with(&(struct fake_guest_config){ 0 });
}

static int setup_not_mergeable(void **state)
{
    (void)state;
    return setup_with(&(struct fake_guest_config){ .not_mergeable = true });
}

static int setup_legacy(void **state)
{
    (void)state;
    return setup_with(&(struct fake_guest_config){ .legacy = true });
}

static int teardown(void **state)
{
    (void)state;
    fake_guest_destroy(guest);
    return 0;
}

/* Adds a frame of the first bytes of the payload, its tail in @p runs runs. */
static void add_frame(uint32_t len_bytes, uint16_t runs)
{
    struct frame *frame = &batch.frame[batch.count];
    const uint32_t hdr_bytes = len_bytes < FRAME_HDR_BYTES ? len_bytes : FRAME_HDR_BYTES;
    uint32_t at = hdr_bytes;

    *frame = (struct frame){ .hdr = batch.hdr[batch.count], .len_bytes = len_bytes,
                             .hdr_len_bytes = (uint16_t)hdr_bytes,
                             .seg_first = batch.run_count };
    memcpy(frame->hdr, payload, hdr_bytes);
    for (uint16_t i = 0; i < runs && at < len_bytes; i++) {
        const uint32_t left = len_bytes - at;
        const uint32_t part = i + 1 == runs ? left : left / (uint32_t)(runs - i);

        batch.run[batch.run_count++] = (struct frame_run){ .data = payload + at,
                                                           .len_bytes = part };
        frame->seg_count++;
        at += part;
    }
    batch.count++;
}

static void clear_batch(void)
{
    batch.count = 0;
    batch.run_count = 0;
}

static uint16_t deliver(void)
{
    return vnic_to_guest(&guest->vnic, guest->live, 0, &batch, in_order, batch.count, verdict);
}

/* Takes one delivered frame, which starts in the buffer at @p gpa, all of it in one piece. */
static void assert_one_piece(uint64_t gpa, uint32_t hdr_bytes, uint32_t len_bytes,
                             uint32_t buffer_bytes)
{
    static const uint8_t zeroes[10];
    const uint8_t *at = fake_guest_at(guest, gpa);
    uint32_t head;
    uint32_t used_bytes;

    assert_true(fake_ring_used(ring, &head, &used_bytes));
    assert_int_equal(used_bytes, hdr_bytes + len_bytes);
    assert_memory_equal(at, zeroes, sizeof(zeroes));
    if (hdr_bytes == HDR) {
        assert_int_equal(at[10], 1);
        assert_int_equal(at[11], 0);
    }
    assert_memory_equal(at + hdr_bytes, payload, len_bytes);
    for (uint32_t i = hdr_bytes + len_bytes; i < buffer_bytes; i++) {
        assert_int_equal(at[i], CANARY);
    }
}

static void offer(uint16_t head, uint64_t gpa, uint32_t len_bytes)
{
    memset(fake_guest_at(guest, gpa), CANARY, len_bytes);
    fake_ring_offer_buffer(ring, head, gpa, len_bytes, WRITE);
}

/* ---- one buffer a frame ---------------------------------------------------------------------- */

static void test_vnic_to_guest_every_length(void **state)
{
    static const uint32_t edges[] = { 512, 1514, 1518, 4096, 9018, FRAME_MAX_BYTES };

    (void)state;
    for (uint32_t len = 1; len < 300; len++) {
        clear_batch();
        add_frame(len, 1);
        offer(0, FAKE_GPA + len, HDR + len + 32);
        assert_int_equal(deliver(), 1);
        assert_int_equal(verdict[0], VNIC_DELIVERED);
        assert_one_piece(FAKE_GPA + len, HDR, len, HDR + len + 32);
    }
    for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
        for (uint16_t runs = 1; runs < 6; runs++) {
            clear_batch();
            add_frame(edges[i], runs);
            offer(0, FAKE_GPA_LOW, HDR + edges[i]);
            assert_int_equal(deliver(), 1);
            assert_one_piece(FAKE_GPA_LOW, HDR, edges[i], HDR + edges[i]);
        }
    }
}

static void test_vnic_to_guest_buffer_that_just_fits_at_the_end_of_memory(void **state)
{
    (void)state;
    for (uint32_t len = 60; len < 200; len++) {
        const uint64_t gpa = FAKE_GPA_END - HDR - len;

        clear_batch();
        add_frame(len, 1);
        offer(0, gpa, HDR + len);
        assert_int_equal(deliver(), 1);
        assert_one_piece(gpa, HDR, len, HDR + len);
    }
}

static void test_vnic_to_guest_header_of_a_legacy_driver(void **state)
{
    (void)state;
    add_frame(400, 1);
    offer(3, FAKE_GPA, 500);

    assert_int_equal(deliver(), 1);
    assert_one_piece(FAKE_GPA, 10, 400, 500);
}

static void test_vnic_to_guest_header_in_a_descriptor_of_its_own(void **state)
{
    (void)state;
    memset(fake_guest_at(guest, FAKE_GPA), CANARY, 2000);
    for (uint32_t cut = 1; cut < 40; cut++) {
        clear_batch();
        add_frame(200, 2);
        fake_ring_desc(ring, 0, FAKE_GPA, cut, WRITE | NEXT, 1);
        fake_ring_desc(ring, 1, FAKE_GPA + cut, 1000, WRITE, 0);
        fake_ring_offer(ring, 0);
        assert_int_equal(deliver(), 1);
        assert_one_piece(FAKE_GPA, HDR, 200, 300);
    }
}

static void test_vnic_to_guest_through_an_indirect_table(void **state)
{
    struct vring_desc *table;

    (void)state;
    table = (struct vring_desc *)(void *)fake_guest_at(guest, FAKE_GPA_NEXT);
    table[0] = (struct vring_desc){ .addr = FAKE_GPA, .len = 100, .flags = WRITE | NEXT,
                                    .next = 1 };
    table[1] = (struct vring_desc){ .addr = FAKE_GPA + 100, .len = 1900, .flags = WRITE };
    memset(fake_guest_at(guest, FAKE_GPA), CANARY, 2000);
    fake_ring_offer_buffer(ring, 9, FAKE_GPA_NEXT, 32, VRING_DESC_F_INDIRECT);
    add_frame(1500, 1);

    assert_int_equal(deliver(), 1);
    assert_one_piece(FAKE_GPA, HDR, 1500, 2000);
}

static void test_vnic_to_guest_goes_round_the_ring_in_order(void **state)
{
    uint32_t sent = 0;

    (void)state;
    while (sent < 70000) {
        clear_batch();
        for (uint16_t i = 0; i < FRAME_BURST; i++, sent++) {
            add_frame(20 + i, 1);
            offer((uint16_t)(sent % ring->size), FAKE_GPA + i * 128u, 100);
        }
        assert_int_equal(deliver(), FRAME_BURST);
        for (uint16_t i = 0; i < FRAME_BURST; i++) {
            assert_one_piece(FAKE_GPA + i * 128u, HDR, 20u + i, 100);
        }
    }
}

/* ---- too few buffers, too small ones --------------------------------------------------------- */

static void test_vnic_to_guest_ring_runs_out(void **state)
{
    (void)state;
    for (uint16_t i = 0; i < 8; i++) {
        add_frame(60, 0);
    }
    for (uint16_t i = 0; i < 5; i++) {
        offer(i, FAKE_GPA + i * 128u, 128);
    }

    assert_int_equal(deliver(), 5);

    for (uint16_t i = 0; i < 8; i++) {
        assert_int_equal(verdict[i], i < 5 ? VNIC_DELIVERED : DROP_GUEST_RING_FULL);
    }
    for (uint16_t i = 0; i < 5; i++) {
        assert_one_piece(FAKE_GPA + i * 128u, HDR, 60, 128);
    }
    assert_int_equal(deliver(), 0);
}

static void test_vnic_to_guest_too_small_a_buffer_stays_for_the_next_frame(void **state)
{
    (void)state;
    add_frame(200, 1);
    add_frame(80, 0);
    offer(0, FAKE_GPA, HDR + 199);

    assert_int_equal(deliver(), 1);

    assert_int_equal(verdict[0], DROP_GUEST_BUFFER_SMALL);
    assert_int_equal(verdict[1], VNIC_DELIVERED);
    assert_one_piece(FAKE_GPA, HDR, 80, HDR + 199);
}

/* ---- mergeable buffers ----------------------------------------------------------------------- */

/* Puts a frame together again from as many buffers as its header says. */
static void assert_merged(uint32_t len_bytes, const uint32_t *size_bytes, uint16_t buffers)
{
    uint32_t done = 0;
    uint32_t gpa = 0;

    for (uint16_t i = 0; i < buffers; i++) {
        const uint8_t *at = fake_guest_at(guest, FAKE_GPA + gpa);
        const uint32_t skip = i == 0 ? HDR : 0;
        uint32_t used_bytes;
        uint32_t head;

        if (i == 0) {
            assert_int_equal(at[10] | at[11] << 8, buffers);
        }
        assert_true(fake_ring_used(ring, &head, &used_bytes));
        assert_int_equal(head, i);
        assert_in_range(used_bytes, 1, size_bytes[i]);
        assert_memory_equal(at + skip, payload + done, used_bytes - skip);
        done += used_bytes - skip;
        gpa += size_bytes[i];
    }
    assert_int_equal(done, len_bytes);
}

static void test_vnic_to_guest_merges_buffers_of_odd_sizes(void **state)
{
    uint64_t random = 7;
    uint32_t size_bytes[200];

    (void)state;
    for (int round = 0; round < 2000; round++) {
        const uint32_t len = 1 + random_below(&random, round % 10 == 0 ? 60000 : 3000);
        uint64_t room = 0;
        uint16_t buffers = 0;

        fake_ring_reset(ring);
        clear_batch();
        add_frame(len, (uint16_t)(1 + random_below(&random, 4)));
        while (room < HDR + len) {
            size_bytes[buffers] = (buffers == 0 ? HDR : 1) +
                                  random_below(&random, len / 100 + 200);
            fake_ring_offer_buffer(ring, buffers, FAKE_GPA + room, size_bytes[buffers], WRITE);
            room += size_bytes[buffers++];
            assert_in_range(buffers, 1, 200);
        }
        assert_int_equal(deliver(), 1);
        assert_merged(len, size_bytes, buffers);
    }
}

static void test_vnic_to_guest_merge_without_enough_buffers_takes_none(void **state)
{
    uint32_t head;
    uint32_t len_bytes;

    (void)state;
    add_frame(1000, 1);
    offer(0, FAKE_GPA, 400);
    offer(1, FAKE_GPA + 400, 400);
    assert_int_equal(deliver(), 0);
    assert_int_equal(verdict[0], DROP_GUEST_RING_FULL);
    assert_false(fake_ring_used(ring, &head, &len_bytes));

    offer(2, FAKE_GPA + 800, 400);
    assert_int_equal(deliver(), 1);
    assert_merged(1000, (const uint32_t[]){ 400, 400, 400 }, 3);
}

/* ---- rings that are off or wrong ------------------------------------------------------------- */

static void test_vnic_to_guest_ring_that_is_off(void **state)
{
    (void)state;
    add_frame(60, 0);
    offer(0, FAKE_GPA, 100);
    ring->queue->enabled = false;

    assert_int_equal(deliver(), 0);
    assert_int_equal(verdict[0], DROP_NOT_ATTACHED);
}

static void test_vnic_to_guest_broken_descriptors(void **state)
{
    static const struct {
        uint64_t gpa;
        uint32_t len_bytes;
        uint16_t flags;
        uint16_t next;
        enum virtqueue_fault fault;
    } bad[] = {
        { FAKE_GPA_END, 200, WRITE, 0, VIRTQUEUE_OUTSIDE_MEMORY },
        { FAKE_GPA_END - 50, 100, WRITE, 0, VIRTQUEUE_OUTSIDE_MEMORY },
        { UINT64_MAX - 10, 200, WRITE, 0, VIRTQUEUE_OUTSIDE_MEMORY },
        { FAKE_GPA, 0, WRITE, 0, VIRTQUEUE_LENGTH_ZERO },
        { FAKE_GPA, 200, 0, 0, VIRTQUEUE_DIRECTION },
        { FAKE_GPA, 11, WRITE, 0, VIRTQUEUE_HEADER_MISSING },
        { FAKE_GPA, 10, WRITE | NEXT, 0, VIRTQUEUE_CHAIN_LONG },
        { FAKE_GPA, 10, WRITE | NEXT, 256, VIRTQUEUE_NEXT_RANGE },
        { FAKE_GPA, 24, VRING_DESC_F_INDIRECT, 0, VIRTQUEUE_INDIRECT_SIZE },
    };

    uint16_t where;

    (void)state;
    add_frame(100, 0);
    add_frame(100, 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        fake_ring_reset(ring);
        atomic_store(&guest->vnic.fault, VIRTQUEUE_NONE);
        fake_ring_desc(ring, 0, bad[i].gpa, bad[i].len_bytes, bad[i].flags, bad[i].next);
        fake_ring_offer(ring, 0);

        assert_int_equal(deliver(), 0);

        assert_int_equal(verdict[0], DROP_QUEUE_BROKEN);
        assert_int_equal(verdict[1], DROP_QUEUE_BROKEN);
        assert_int_equal(ring->queue->fault, bad[i].fault);
        assert_int_equal(vnic_fault(&guest->vnic, &where), bad[i].fault);
        assert_int_equal(where, 0);
        assert_int_equal(deliver(), 0);
    }
}

static void test_vnic_to_guest_bad_heads_and_index_jumps(void **state)
{
    (void)state;
    add_frame(100, 0);
    fake_ring_offer(ring, ring->size);
    assert_int_equal(deliver(), 0);
    assert_int_equal(verdict[0], DROP_QUEUE_BROKEN);
    assert_int_equal(ring->queue->fault, VIRTQUEUE_HEAD_RANGE);

    fake_ring_reset(ring);
    ring->avail->idx = (uint16_t)(ring->size + 1);
    assert_int_equal(deliver(), 0);
    assert_int_equal(ring->queue->fault, VIRTQUEUE_AVAIL_JUMP);
}

static void test_vnic_to_guest_frames_before_a_fault_are_delivered(void **state)
{
    (void)state;
    for (uint16_t i = 0; i < 4; i++) {
        add_frame(100, 0);
    }
    offer(0, FAKE_GPA, 200);
    offer(1, FAKE_GPA + 200, 200);
    fake_ring_offer(ring, UINT16_MAX);

    assert_int_equal(deliver(), 2);

    assert_one_piece(FAKE_GPA, HDR, 100, 200);
    assert_one_piece(FAKE_GPA + 200, HDR, 100, 200);
    assert_int_equal(verdict[2], DROP_QUEUE_BROKEN);
    assert_int_equal(verdict[3], DROP_QUEUE_BROKEN);
}

/* ---- others at the same time ----------------------------------------------------------------- */

static atomic_bool running;

/* Random bytes over rings and tables; the address sanitizer watches what follows from them. */
static void *scribble(void *unused)
{
    uint64_t random = 99;

    (void)unused;
    while (atomic_load_explicit(&running, memory_order_relaxed)) {
        volatile struct vring_desc *d = &ring->desc[random_below(&random, ring->size)];

        d->addr = FAKE_GPA + random_below(&random, 3 * FAKE_REGION_BYTES);
        d->len = random_below(&random, random_below(&random, 4) == 0 ? 100000 : 3000);
        d->flags = (uint16_t)(random_next(&random) % 16 == 0 ? 4 : 2 + (random_next(&random) & 1));
        d->next = (uint16_t)random_below(&random, ring->size + 2u);
        *(volatile uint16_t *)&ring->avail->ring[random_below(&random, ring->size)] =
            (uint16_t)random_below(&random, ring->size + 1u);
        *(volatile uint16_t *)&ring->avail->idx =
            (uint16_t)(*(volatile uint16_t *)&ring->used->idx + random_below(&random, 256));
    }
    return NULL;
}

static void test_vnic_to_guest_rings_change_while_they_are_read(void **state)
{
    const time_t end = time(NULL) + SCRIBBLE_S + 1;
    unsigned long delivered = 0;
    pthread_t thread;

    (void)state;
    for (uint16_t i = 0; i < FRAME_BURST; i++) {
        add_frame(i % 4 == 0 ? 9000 : 60u + i * 40u, 3);
    }
    atomic_store(&running, true);
    assert_int_equal(pthread_create(&thread, NULL, scribble, NULL), 0);
    while (time(NULL) < end) {
        delivered += deliver();
        ring->queue->fault = VIRTQUEUE_NONE;
    }
    atomic_store(&running, false);
    (void)pthread_join(thread, NULL);
    assert_true(delivered > 0);
}

/* One of several workers: delivers until its frames are through. */
static void *deliver_some(void *unused)
{
    uint8_t own_verdict[FRAME_BURST];
    unsigned left = THREAD_FRAMES;

    (void)unused;
    while (left > 0) {
        left -= vnic_to_guest(&guest->vnic, guest->live, 0, &batch, in_order,
                              (uint16_t)(left < 8 ? left : 8), own_verdict);
    }
    return NULL;
}

static void test_vnic_to_guest_shared_ring_is_filled_by_one_at_a_time(void **state)
{
    pthread_t thread[THREADS];
    uint32_t got = 0;

    (void)state;
    guest->vnic.shared = true;
    for (uint16_t i = 0; i < 8; i++) {
        add_frame(60, 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, deliver_some, NULL), 0);
    }
    while (got < THREADS * THREAD_FRAMES) {
        while ((uint16_t)(ring->offered - ring->seen) < ring->size) {
            const uint16_t slot = (uint16_t)(ring->offered % ring->size);

            fake_ring_desc(ring, slot, FAKE_GPA + slot * 128u, 128, WRITE, 0);
            ring->avail->ring[slot] = slot;
            ring->offered++;
            __atomic_store_n(&ring->avail->idx, ring->offered, __ATOMIC_RELEASE);
        }
        while (__atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE) != ring->seen) {
            const struct vring_used_elem *elem = &ring->used->ring[ring->seen % ring->size];

            assert_int_equal(elem->id, ring->seen % ring->size);
            assert_int_equal(elem->len, HDR + 60);
            assert_memory_equal(fake_guest_at(guest, FAKE_GPA + elem->id * 128u) + HDR, payload,
                                60);
            ring->seen++;
            got++;
        }
    }
    for (unsigned i = 0; i < THREADS; i++) {
        (void)pthread_join(thread[i], NULL);
    }
    assert_int_equal(got, THREADS * THREAD_FRAMES);
}

#define TEST(name)              cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_WITH(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_vnic_to_guest_every_length),
        TEST(test_vnic_to_guest_buffer_that_just_fits_at_the_end_of_memory),
        TEST_WITH(test_vnic_to_guest_header_of_a_legacy_driver, setup_legacy),
        TEST(test_vnic_to_guest_header_in_a_descriptor_of_its_own),
        TEST(test_vnic_to_guest_through_an_indirect_table),
        TEST(test_vnic_to_guest_goes_round_the_ring_in_order),
        TEST(test_vnic_to_guest_ring_runs_out),
        TEST_WITH(test_vnic_to_guest_too_small_a_buffer_stays_for_the_next_frame,
                  setup_not_mergeable),
        TEST(test_vnic_to_guest_merges_buffers_of_odd_sizes),
        TEST(test_vnic_to_guest_merge_without_enough_buffers_takes_none),
        TEST(test_vnic_to_guest_ring_that_is_off),
        TEST(test_vnic_to_guest_broken_descriptors),
        TEST(test_vnic_to_guest_bad_heads_and_index_jumps),
        TEST(test_vnic_to_guest_frames_before_a_fault_are_delivered),
        TEST(test_vnic_to_guest_rings_change_while_they_are_read),
        TEST(test_vnic_to_guest_shared_ring_is_filled_by_one_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
