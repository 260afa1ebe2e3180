/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every way in which a driver can lie about a ring, one test each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/fake_guest.h"
#include "tests/support/random.h"

#define NEXT     VRING_DESC_F_NEXT
#define WRITE    VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT
#define RUNS     1088u

static struct fake_guest *guest;
static struct fake_ring *ring;
static struct frame_run run[RUNS];
static uint32_t total_bytes;

static int setup_with(const struct fake_guest_config *config)
{
    guest = fake_guest_create(config);
    ring = &guest->from;
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_with(&(struct fake_guest_config){ 0 });
}

static int setup_event_idx(void **state)
{
    (void)state;
    return setup_with(&(struct fake_guest_config){ .event_idx = true });
}

static int setup_no_indirect(void **state)
{
    (void)state;
    return setup_with(&(struct fake_guest_config){ .no_indirect = true });
}

static int teardown(void **state)
{
    (void)state;
    if (ring->queue->call_fd >= 0) {
        (void)close(ring->queue->call_fd);
    }
    fake_guest_destroy(guest);
    return 0;
}

static uint32_t walk_from(uint16_t head, uint32_t size)
{
    return virtqueue_walk(ring->queue, &guest->live->memory, head, false, run, size, &total_bytes);
}

static void assert_fault(uint16_t head, enum virtqueue_fault fault)
{
    ring->queue->fault = VIRTQUEUE_NONE;
    assert_int_equal(walk_from(head, RUNS), 0);
    assert_int_equal(ring->queue->fault, fault);
}

static void assert_walk(uint16_t head, uint32_t runs, uint32_t bytes)
{
    assert_int_equal(walk_from(head, RUNS), runs);
    assert_int_equal(ring->queue->fault, VIRTQUEUE_NONE);
    assert_int_equal(total_bytes, bytes);
    for (uint32_t i = 0; i < runs; i++) {
        assert_true(fake_guest_owns(guest, run[i].data, run[i].len_bytes));
    }
}

/* Writes an indirect table of @p count plain descriptors of 10 bytes, chained, at @p gpa. */
static struct vring_desc *indirect_table(uint64_t gpa, uint16_t count)
{
    struct vring_desc *table = (struct vring_desc *)(void *)fake_guest_at(guest, gpa);

    for (uint16_t i = 0; i < count; i++) {
        table[i] = (struct vring_desc){ .addr = FAKE_GPA + 0x10000 + 16u * i, .len = 10,
                                        .flags = i + 1 < count ? NEXT : 0,
                                        .next = (uint16_t)(i + 1) };
    }
    return table;
}

/* ---- chains ---------------------------------------------------------------------------------- */

static void test_walk_single_descriptor_is_one_run(void **state)
{
    (void)state;
    fake_ring_desc(ring, 7, FAKE_GPA + 5, 100, 0, 0);

    assert_walk(7, 1, 100);
    assert_ptr_equal(run[0].data, fake_guest_at(guest, FAKE_GPA + 5));
}

static void test_walk_chain_keeps_the_order(void **state)
{
    (void)state;
    fake_ring_desc(ring, 3, FAKE_GPA + 1000, 12, NEXT, 200);
    fake_ring_desc(ring, 200, FAKE_GPA_LOW, 300, NEXT, 0);
    fake_ring_desc(ring, 0, FAKE_GPA_NEXT + 9, 1, 0, 0);

    assert_walk(3, 3, 313);
    assert_ptr_equal(run[0].data, fake_guest_at(guest, FAKE_GPA + 1000));
    assert_ptr_equal(run[1].data, fake_guest_at(guest, FAKE_GPA_LOW));
    assert_ptr_equal(run[2].data, fake_guest_at(guest, FAKE_GPA_NEXT + 9));
}

static void test_walk_chain_as_long_as_the_ring_is_fine(void **state)
{
    (void)state;
    for (uint16_t i = 0; i < ring->size; i++) {
        fake_ring_desc(ring, i, FAKE_GPA + i, 1, i + 1 < ring->size ? NEXT : 0,
                       (uint16_t)(i + 1));
    }

    assert_walk(0, ring->size, ring->size);
}

static void test_walk_head_out_of_range(void **state)
{
    (void)state;
    assert_fault(ring->size, VIRTQUEUE_HEAD_RANGE);
    assert_fault(UINT16_MAX, VIRTQUEUE_HEAD_RANGE);
}

static void test_walk_next_out_of_range(void **state)
{
    (void)state;
    fake_ring_desc(ring, 0, FAKE_GPA, 10, NEXT, ring->size);
    assert_fault(0, VIRTQUEUE_NEXT_RANGE);

    ring->desc[0].next = UINT16_MAX;
    assert_fault(0, VIRTQUEUE_NEXT_RANGE);
}

static void test_walk_loops_end(void **state)
{
    (void)state;
    fake_ring_desc(ring, 0, FAKE_GPA, 10, NEXT, 0);
    assert_fault(0, VIRTQUEUE_CHAIN_LONG);

    fake_ring_desc(ring, 0, FAKE_GPA, 10, NEXT, 9);
    fake_ring_desc(ring, 9, FAKE_GPA, 10, NEXT, 0);
    assert_fault(0, VIRTQUEUE_CHAIN_LONG);
}

static void test_walk_more_pieces_than_asked_for(void **state)
{
    (void)state;
    fake_ring_desc(ring, 0, FAKE_GPA, 10, NEXT, 1);
    fake_ring_desc(ring, 1, FAKE_GPA, 10, NEXT, 2);
    fake_ring_desc(ring, 2, FAKE_GPA, 10, 0, 0);

    assert_int_equal(walk_from(0, 2), 0);
    assert_int_equal(ring->queue->fault, VIRTQUEUE_CHAIN_LONG);
}

/* ---- addresses and lengths ------------------------------------------------------------------- */

static void test_walk_first_and_last_byte_of_memory(void **state)
{
    (void)state;
    fake_ring_desc(ring, 0, FAKE_GPA, 1, 0, 0);
    assert_walk(0, 1, 1);
    fake_ring_desc(ring, 0, FAKE_GPA_END - 1, 1, 0, 0);
    assert_walk(0, 1, 1);
    fake_ring_desc(ring, 0, FAKE_GPA_LOW, FAKE_REGION_BYTES, 0, 0);
    assert_walk(0, 1, FAKE_REGION_BYTES);
}

static void test_walk_address_outside_memory(void **state)
{
    static const uint64_t outside[] = { 0, FAKE_GPA_LOW - 1, FAKE_GPA_LOW + FAKE_REGION_BYTES,
                                        FAKE_GPA - 1, FAKE_GPA_END, FAKE_GPA_END + (1ull << 40),
                                        1ull << 63, UINT64_MAX };

    (void)state;
    for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        fake_ring_desc(ring, 0, outside[i], 1, 0, 0);
        assert_fault(0, VIRTQUEUE_OUTSIDE_MEMORY);
    }
}

static void test_walk_buffer_across_the_end_of_memory(void **state)
{
    (void)state;
    fake_ring_desc(ring, 0, FAKE_GPA_END - 1, 2, 0, 0);
    assert_fault(0, VIRTQUEUE_OUTSIDE_MEMORY);
    fake_ring_desc(ring, 0, FAKE_GPA_LOW + 1, FAKE_REGION_BYTES, 0, 0);
    assert_fault(0, VIRTQUEUE_OUTSIDE_MEMORY);
    fake_ring_desc(ring, 0, FAKE_GPA - 1, 2, 0, 0);
    assert_fault(0, VIRTQUEUE_OUTSIDE_MEMORY);
}

static void test_walk_address_wraps_at_2_64(void **state)
{
    (void)state;
    fake_ring_desc(ring, 0, UINT64_MAX - 5, 0x2000, 0, 0);
    assert_fault(0, VIRTQUEUE_OUTSIDE_MEMORY);

    /* Even when memory lies at both ends of the address space. */
    guest->live->memory.region[2].gpa = 0;
    guest->live->memory.region[1].gpa = 0 - FAKE_REGION_BYTES;
    fake_ring_desc(ring, 0, UINT64_MAX - 5, 16, 0, 0);
    if (walk_from(0, RUNS) != 0) {
        for (uint32_t i = 0; i < 2; i++) {
            assert_true(fake_guest_owns(guest, run[i].data, run[i].len_bytes));
        }
    }
}

static void test_walk_buffer_across_two_regions_is_two_runs(void **state)
{
    (void)state;
    fake_ring_desc(ring, 0, FAKE_GPA_NEXT - 30, 100, 0, 0);

    assert_walk(0, 2, 100);
    assert_int_equal(run[0].len_bytes, 30);
    assert_ptr_equal(run[1].data, fake_guest_at(guest, FAKE_GPA_NEXT));
}

static void test_walk_zero_length(void **state)
{
    (void)state;
    fake_ring_desc(ring, 0, FAKE_GPA, 0, 0, 0);
    assert_fault(0, VIRTQUEUE_LENGTH_ZERO);

    fake_ring_desc(ring, 0, FAKE_GPA, 10, NEXT, 1);
    fake_ring_desc(ring, 1, FAKE_GPA, 0, 0, 0);
    assert_fault(0, VIRTQUEUE_LENGTH_ZERO);
}

static void test_walk_huge_length(void **state)
{
    (void)state;
    fake_ring_desc(ring, 0, FAKE_GPA, UINT32_MAX, 0, 0);
    assert_fault(0, VIRTQUEUE_OUTSIDE_MEMORY);
}

/* A region may be larger than 4 GiB in all: what is summed must not wrap. */
static void test_walk_total_saturates(void **state)
{
    struct guest_memory huge = { .region_count = 1 };

    (void)state;
    huge.region[0] = (struct guest_region){ .gpa = 0, .size_bytes = 1ull << 33,
                                            .hva = (uint8_t *)4096 };
    fake_ring_desc(ring, 0, 0, UINT32_MAX, NEXT, 1);
    fake_ring_desc(ring, 1, 0, UINT32_MAX, 0, 0);

    assert_int_equal(virtqueue_walk(ring->queue, &huge, 0, false, run, RUNS, &total_bytes), 2);
    assert_int_equal(total_bytes, UINT32_MAX);
}

static void test_walk_wrong_direction(void **state)
{
    (void)state;
    fake_ring_desc(ring, 0, FAKE_GPA, 10, WRITE, 0);
    assert_fault(0, VIRTQUEUE_DIRECTION);

    fake_ring_desc(ring, 0, FAKE_GPA, 10, WRITE | NEXT, 1);
    fake_ring_desc(ring, 1, FAKE_GPA, 10, 0, 0);
    ring->queue->fault = VIRTQUEUE_NONE;
    assert_int_equal(virtqueue_walk(ring->queue, &guest->live->memory, 0, true, run, RUNS,
                                    &total_bytes), 0);
    assert_int_equal(ring->queue->fault, VIRTQUEUE_DIRECTION);
}

/* ---- indirect tables ------------------------------------------------------------------------- */

static void test_walk_indirect_table(void **state)
{
    (void)state;
    (void)indirect_table(FAKE_GPA + 64, 5);
    fake_ring_desc(ring, 4, FAKE_GPA + 64, 5 * 16, INDIRECT, 0);

    assert_walk(4, 5, 50);
}

static void test_walk_indirect_longer_than_the_ring_is_fine(void **state)
{
    (void)state;
    (void)indirect_table(FAKE_GPA, 1024);
    fake_ring_desc(ring, 0, FAKE_GPA, 1024 * 16, INDIRECT, 0);

    assert_walk(0, 1024, 10240);
}

static void test_walk_indirect_not_negotiated(void **state)
{
    (void)state;
    (void)indirect_table(FAKE_GPA, 1);
    fake_ring_desc(ring, 0, FAKE_GPA, 16, INDIRECT, 0);

    assert_fault(0, VIRTQUEUE_INDIRECT_NESTED);
}

static void test_walk_indirect_nested(void **state)
{
    struct vring_desc *table;

    (void)state;
    table = indirect_table(FAKE_GPA, 2);
    table[1].flags = INDIRECT;
    table[1].len = 16;
    fake_ring_desc(ring, 0, FAKE_GPA, 32, INDIRECT, 0);
    assert_fault(0, VIRTQUEUE_INDIRECT_NESTED);

    fake_ring_desc(ring, 0, FAKE_GPA, 32, INDIRECT | NEXT, 1);
    assert_fault(0, VIRTQUEUE_INDIRECT_NESTED);
}

static void test_walk_indirect_bad_sizes(void **state)
{
    static const uint32_t sizes_bytes[] = { 0, 1, 15, 17, 1025 * 16, UINT32_MAX };

    (void)state;
    (void)indirect_table(FAKE_GPA, 1);
    for (size_t i = 0; i < sizeof(sizes_bytes) / sizeof(sizes_bytes[0]); i++) {
        fake_ring_desc(ring, 0, FAKE_GPA, sizes_bytes[i], INDIRECT, 0);
        assert_fault(0, VIRTQUEUE_INDIRECT_SIZE);
    }
}

static void test_walk_indirect_misaligned(void **state)
{
    (void)state;
    fake_ring_desc(ring, 0, FAKE_GPA + 1, 16, INDIRECT, 0);
    assert_fault(0, VIRTQUEUE_INDIRECT_ALIGN);
}

static void test_walk_indirect_outside_memory(void **state)
{
    (void)state;
    fake_ring_desc(ring, 0, FAKE_GPA_END, 16, INDIRECT, 0);
    assert_fault(0, VIRTQUEUE_OUTSIDE_MEMORY);
    fake_ring_desc(ring, 0, FAKE_GPA_END - 16, 32, INDIRECT, 0);
    assert_fault(0, VIRTQUEUE_OUTSIDE_MEMORY);
    /* Two regions are neighbours for the guest, but the table is not in one piece here. */
    fake_ring_desc(ring, 0, FAKE_GPA_NEXT - 16, 32, INDIRECT, 0);
    assert_fault(0, VIRTQUEUE_OUTSIDE_MEMORY);
}

static void test_walk_indirect_next_and_loops(void **state)
{
    struct vring_desc *table;

    (void)state;
    table = indirect_table(FAKE_GPA, 3);
    fake_ring_desc(ring, 0, FAKE_GPA, 48, INDIRECT, 0);
    table[1].next = 3;
    assert_fault(0, VIRTQUEUE_NEXT_RANGE);

    table[1].next = 0;
    assert_fault(0, VIRTQUEUE_CHAIN_LONG);
}

/* ---- the available index --------------------------------------------------------------------- */

static void test_available_wraps_and_never_exceeds_the_ring(void **state)
{
    struct virtqueue *queue;

    (void)state;
    queue = ring->queue;
    assert_int_equal(virtqueue_available(queue), 0);
    queue->last_avail = 65530;
    ring->avail->idx = 5;
    assert_int_equal(virtqueue_available(queue), 11);
    ring->avail->idx = (uint16_t)(65530 + ring->size);
    assert_int_equal(virtqueue_available(queue), ring->size);
    assert_int_equal(queue->fault, VIRTQUEUE_NONE);

    ring->avail->idx++;
    assert_int_equal(virtqueue_available(queue), 0);
    assert_int_equal(queue->fault, VIRTQUEUE_AVAIL_JUMP);
}

static void test_available_going_backwards_is_a_jump(void **state)
{
    (void)state;
    ring->queue->last_avail = 10;
    ring->avail->idx = 9;

    assert_int_equal(virtqueue_available(ring->queue), 0);
    assert_int_equal(ring->queue->fault, VIRTQUEUE_AVAIL_JUMP);
}

/* ---- the used ring and notifications --------------------------------------------------------- */

static void test_used_entries_show_at_publish_only(void **state)
{
    uint32_t head;
    uint32_t len_bytes;

    (void)state;
    for (uint16_t i = 0; i < 5; i++) {
        virtqueue_use(ring->queue, (uint16_t)(i + 10), i);
    }
    assert_int_equal(ring->used->idx, 0);

    virtqueue_publish(ring->queue);

    for (uint16_t i = 0; i < 5; i++) {
        assert_true(fake_ring_used(ring, &head, &len_bytes));
        assert_int_equal(head, i + 10);
        assert_int_equal(len_bytes, i);
    }
    assert_false(fake_ring_used(ring, &head, &len_bytes));
}

static void test_used_ring_wraps(void **state)
{
    uint32_t head;
    uint32_t len_bytes;

    (void)state;
    for (uint32_t i = 0; i < 70000; i++) {
        virtqueue_use(ring->queue, (uint16_t)(i % ring->size), i);
        virtqueue_publish(ring->queue);
        assert_true(fake_ring_used(ring, &head, &len_bytes));
        assert_int_equal(len_bytes, i);
    }
}

static uint64_t calls_so_far(void)
{
    eventfd_t calls = 0;

    (void)eventfd_read(ring->queue->call_fd, &calls);
    return calls;
}

static void test_publish_respects_no_interrupt(void **state)
{
    (void)state;
    ring->queue->call_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    virtqueue_use(ring->queue, 0, 0);
    virtqueue_publish(ring->queue);
    assert_int_equal(calls_so_far(), 1);

    virtqueue_publish(ring->queue);
    assert_int_equal(calls_so_far(), 0);

    ring->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
    virtqueue_use(ring->queue, 0, 0);
    virtqueue_publish(ring->queue);
    assert_int_equal(calls_so_far(), 0);
}

/* The model: notify when one of the entries that became visible is the one asked for (2.7.10). */
static void test_publish_agrees_with_a_model_of_event_idx(void **state)
{
    uint64_t random = 1;

    (void)state;
    ring->queue->call_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    for (int round = 0; round < 100000; round++) {
        const uint16_t before = ring->queue->next_used;
        const uint16_t count = (uint16_t)random_below(&random, 40);
        const uint16_t asked = (uint16_t)(before + random_below(&random, 80) - 20);
        bool expected = round == 0 && count > 0;

        ring->avail->ring[ring->size] = asked;
        for (uint16_t i = 0; i < count; i++) {
            expected = expected || (uint16_t)(before + i) == asked;
            virtqueue_use(ring->queue, 0, 0);
        }
        virtqueue_publish(ring->queue);
        if (ring->queue->notified) {
            assert_int_equal(calls_so_far(), expected);
        }
    }
}

/* avail_event stands behind the last used entry. */
static uint16_t avail_event(void)
{
    uint16_t value;

    memcpy(&value, &ring->used->ring[ring->size], sizeof(value));
    return value;
}

static void test_want_kick_by_event_idx(void **state)
{
    (void)state;
    ring->queue->last_avail = 77;
    virtqueue_want_kick(ring->queue, true);
    assert_int_equal(avail_event(), 77);

    ring->queue->last_avail = 78;
    virtqueue_want_kick(ring->queue, false);
    assert_int_equal(avail_event(), 77);
    assert_int_equal(ring->used->flags, 0);
}

static void test_want_kick_by_flag(void **state)
{
    (void)state;
    virtqueue_want_kick(ring->queue, false);
    assert_int_equal(ring->used->flags, VRING_USED_F_NO_NOTIFY);
    virtqueue_want_kick(ring->queue, true);
    assert_int_equal(ring->used->flags, 0);
}

static void test_fault_texts_differ(void **state)
{
    (void)state;
    for (int i = 0; i < VIRTQUEUE_FAULT_COUNT; i++) {
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(virtqueue_fault_text(i), virtqueue_fault_text(j));
        }
    }
}

#define TEST(name)              cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_WITH(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_walk_single_descriptor_is_one_run),
        TEST(test_walk_chain_keeps_the_order),
        TEST(test_walk_chain_as_long_as_the_ring_is_fine),
        TEST(test_walk_head_out_of_range),
        TEST(test_walk_next_out_of_range),
        TEST(test_walk_loops_end),
        TEST(test_walk_more_pieces_than_asked_for),
        TEST(test_walk_first_and_last_byte_of_memory),
        TEST(test_walk_address_outside_memory),
        TEST(test_walk_buffer_across_the_end_of_memory),
        TEST(test_walk_address_wraps_at_2_64),
        TEST(test_walk_buffer_across_two_regions_is_two_runs),
        TEST(test_walk_zero_length),
        TEST(test_walk_huge_length),
        TEST(test_walk_total_saturates),
        TEST(test_walk_wrong_direction),
        TEST(test_walk_indirect_table),
        TEST(test_walk_indirect_longer_than_the_ring_is_fine),
        TEST_WITH(test_walk_indirect_not_negotiated, setup_no_indirect),
        TEST(test_walk_indirect_nested),
        TEST(test_walk_indirect_bad_sizes),
        TEST(test_walk_indirect_misaligned),
        TEST(test_walk_indirect_outside_memory),
        TEST(test_walk_indirect_next_and_loops),
        TEST(test_available_wraps_and_never_exceeds_the_ring),
        TEST(test_available_going_backwards_is_a_jump),
        TEST(test_used_entries_show_at_publish_only),
        TEST(test_used_ring_wraps),
        TEST(test_publish_respects_no_interrupt),
        TEST_WITH(test_publish_agrees_with_a_model_of_event_idx, setup_event_idx),
        TEST_WITH(test_want_kick_by_event_idx, setup_event_idx),
        TEST(test_want_kick_by_flag),
        TEST(test_fault_texts_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
