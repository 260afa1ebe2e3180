/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtqueue as a device serves it: chains as the standard has them, and all that are none.
 */
#include "vmm/vmm_queue.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/fake_virtio.h"
#include "tests/support/random.h"

#define SIZE      8u
#define DESC_GPA  0x10000u
#define AVAIL_GPA 0x11000u
#define USED_GPA  0x12000u
#define TABLE_GPA 0x13000u
#define DATA_GPA  0x20000u
#define EVENT_IDX (UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT  (UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC)

#define NEXT  VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define TABLE VRING_DESC_F_INDIRECT

struct queue_lab {
    struct fake_virtio fake;
    struct vring_desc *desc, *table;
    struct vring_avail *avail;
    struct vring_used *used;
    struct vmm_queue queue;
    struct vmm_chain chain;
};

static void start_queue(struct queue_lab *lab, uint64_t features)
{
    lab->fake.device.acked = features;
    assert_int_equal(vmm_queue_start(&lab->queue, &lab->fake.device, 0), 1);
}

static int lab_setup(void **state)
{
    struct queue_lab *lab = calloc(1, sizeof(*lab));
    struct virtio_queue *set = &lab->fake.device.queue[0];

    assert_int_equal(fake_virtio_open(&lab->fake), 0);
    set->size = SIZE;
    set->ready = true;
    set->desc_gpa = DESC_GPA;
    set->avail_gpa = AVAIL_GPA;
    set->used_gpa = USED_GPA;
    set->call_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    lab->desc = ram_at(&lab->fake.ram, DESC_GPA, 0x1000);
    lab->avail = ram_at(&lab->fake.ram, AVAIL_GPA, 0x1000);
    lab->used = ram_at(&lab->fake.ram, USED_GPA, 0x1000);
    lab->table = ram_at(&lab->fake.ram, TABLE_GPA, 0x10000);
    start_queue(lab, INDIRECT);
    *state = lab;
    return 0;
}

static int lab_teardown(void **state)
{
    struct queue_lab *lab = *state;

    close(lab->fake.device.queue[0].call_fd);
    fake_virtio_close(&lab->fake);
    free(lab);
    return 0;
}

static struct vring_desc describe(uint64_t gpa, uint32_t len_bytes, uint16_t flags, uint16_t next)
{
    return (struct vring_desc){ gpa, len_bytes, flags, next };
}

static void make_available(struct queue_lab *lab, uint16_t head)
{
    lab->avail->ring[lab->avail->idx % SIZE] = head;
    lab->avail->idx++;
}

static unsigned interrupts(struct queue_lab *lab)
{
    eventfd_t count = 0;

    return eventfd_read(lab->fake.device.queue[0].call_fd, &count) == 0 ? (unsigned)count : 0;
}

static void assert_broken(struct queue_lab *lab)
{
    assert_int_equal(vmm_queue_take(&lab->queue, &lab->chain), -EPROTO);
    assert_true(lab->queue.broken);
    assert_int_equal(vmm_queue_take(&lab->queue, &lab->chain), -EPROTO);
    vmm_queue_return(&lab->queue, 0, 0);
    assert_int_equal(lab->used->idx, 0);
}

static void test_queue_a_chain_is_what_the_driver_gave(void **state)
{
    struct queue_lab *lab = *state;

    lab->desc[5] = describe(DATA_GPA, 16, NEXT, 2);
    lab->desc[2] = describe(DATA_GPA + 0x1000, 100, NEXT, 7);
    lab->desc[7] = describe(DATA_GPA + 0x2000, 512, NEXT | WRITE, 0);
    lab->desc[0] = describe(DATA_GPA + 0x3000, 1, WRITE, 99);
    assert_int_equal(vmm_queue_take(&lab->queue, &lab->chain), 0);
    make_available(lab, 5);

    assert_int_equal(vmm_queue_take(&lab->queue, &lab->chain), 1);

    assert_int_equal(lab->chain.head, 5);
    assert_int_equal(lab->chain.readable, 2);
    assert_int_equal(lab->chain.writable, 2);
    assert_int_equal(lab->chain.readable_bytes, 116);
    assert_int_equal(lab->chain.writable_bytes, 513);
    assert_ptr_equal(lab->chain.piece[2].iov_base, ram_at(&lab->fake.ram, DATA_GPA + 0x2000, 1));
    assert_int_equal(lab->chain.piece[2].iov_len, 512);
    assert_int_equal(vmm_queue_take(&lab->queue, &lab->chain), 0);
}

static void test_queue_an_indirect_table_is_walked(void **state)
{
    struct queue_lab *lab = *state;

    lab->desc[1] = describe(DATA_GPA, 8, NEXT, 3);
    lab->desc[3] = describe(TABLE_GPA, 3 * sizeof(struct vring_desc), TABLE, 0);
    lab->table[0] = describe(DATA_GPA + 0x1000, 24, NEXT, 2);
    lab->table[2] = describe(DATA_GPA + 0x2000, 0, NEXT | WRITE, 1);
    lab->table[1] = describe(DATA_GPA + 0x3000, 32, WRITE, 0);
    make_available(lab, 1);

    assert_int_equal(vmm_queue_take(&lab->queue, &lab->chain), 1);

    assert_int_equal(lab->chain.readable, 2);
    assert_int_equal(lab->chain.writable, 1);      /* that without bytes is no piece */
    assert_int_equal(lab->chain.readable_bytes, 32);
    assert_int_equal(lab->chain.writable_bytes, 32);
}

static void test_queue_what_is_no_chain_breaks_it(void **state)
{
    static const struct {
        const char *what;
        struct vring_desc first, second;
    } wrong[] = {
        { "a loop", { DATA_GPA, 8, NEXT, 1 }, { DATA_GPA, 8, NEXT, 0 } },
        { "a next that is none", { DATA_GPA, 8, NEXT, SIZE }, { 0, 0, 0, 0 } },
        { "beyond memory", { RAM_MIN_BYTES - 4, 8, 0, 0 }, { 0, 0, 0, 0 } },
        { "in the hole", { RAM_HOLE_GPA, 1, 0, 0 }, { 0, 0, 0, 0 } },
        { "wraps", { UINT64_MAX - 3, 8, 0, 0 }, { 0, 0, 0, 0 } },
        { "longer than memory", { DATA_GPA, UINT32_MAX, WRITE, 0 }, { 0, 0, 0, 0 } },
        { "readable after writable", { DATA_GPA, 8, NEXT | WRITE, 1 }, { DATA_GPA, 8, 0, 0 } },
        { "a table in a table", { TABLE_GPA, 16, TABLE, 0 }, { 0, 0, 0, 0 } },
        { "a table with a next", { TABLE_GPA, 16, TABLE | NEXT, 1 }, { DATA_GPA, 8, 0, 0 } },
        { "a table of no entries", { TABLE_GPA, 0, TABLE, 0 }, { 0, 0, 0, 0 } },
        { "a table that is cut", { TABLE_GPA, 17, TABLE, 0 }, { 0, 0, 0, 0 } },
        { "a table too long", { TABLE_GPA, 16 * 257, TABLE, 0 }, { 0, 0, 0, 0 } },
        { "a table not aligned", { TABLE_GPA + 4, 16, TABLE, 0 }, { 0, 0, 0, 0 } },
        { "a table beyond memory", { RAM_MIN_BYTES - 8, 16, TABLE, 0 }, { 0, 0, 0, 0 } },
    };
    struct queue_lab *lab = *state;

    lab->table[0] = describe(TABLE_GPA, 16, TABLE, 0);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        print_message("# %s\n", wrong[i].what);
        lab->desc[0] = wrong[i].first;
        lab->desc[1] = wrong[i].second;
        lab->avail->idx = 0;
        start_queue(lab, INDIRECT);
        make_available(lab, 0);
        assert_broken(lab);
    }
}

static void test_queue_an_indirect_table_not_negotiated_breaks_it(void **state)
{
    struct queue_lab *lab = *state;

    start_queue(lab, 0);
    lab->desc[0] = describe(TABLE_GPA, 16, TABLE, 0);
    lab->table[0] = describe(DATA_GPA, 8, 0, 0);
    make_available(lab, 0);
    assert_broken(lab);
}

static void test_queue_a_head_beyond_the_ring_breaks_it(void **state)
{
    struct queue_lab *lab = *state;

    make_available(lab, SIZE);
    assert_broken(lab);
}

static void test_queue_an_index_too_far_ahead_breaks_it(void **state)
{
    struct queue_lab *lab = *state;

    lab->desc[0] = describe(DATA_GPA, 8, 0, 0);
    lab->avail->idx = SIZE + 1;
    assert_broken(lab);
}

static void test_queue_more_bytes_than_can_be_counted_break_it(void **state)
{
    struct queue_lab *lab = *state;
    const unsigned entries = VMM_QUEUE_PIECES_MAX;

    /* 256 times 16 MiB are 4 GiB, one byte too many. */
    for (unsigned i = 0; i < entries; i++) {
        lab->table[i] = describe(0, (uint32_t)RAM_MIN_BYTES, i + 1 < entries ? NEXT : 0,
                                 (uint16_t)(i + 1));
    }
    lab->desc[0] = describe(TABLE_GPA, entries * 16, TABLE, 0);
    make_available(lab, 0);
    assert_broken(lab);
}

static void test_queue_as_many_pieces_as_fit_are_taken(void **state)
{
    struct queue_lab *lab = *state;
    const unsigned entries = VMM_QUEUE_PIECES_MAX;

    for (unsigned i = 0; i < entries; i++) {
        lab->table[i] = describe(DATA_GPA, 1, i + 1 < entries ? NEXT : 0, (uint16_t)(i + 1));
    }
    lab->desc[0] = describe(TABLE_GPA, entries * 16, TABLE, 0);
    make_available(lab, 0);
    assert_int_equal(vmm_queue_take(&lab->queue, &lab->chain), 1);
    assert_int_equal(lab->chain.readable, entries);

    /* And with one before the table, there is one too many. */
    lab->desc[1] = describe(DATA_GPA, 1, NEXT, 0);
    make_available(lab, 1);
    assert_int_equal(vmm_queue_take(&lab->queue, &lab->chain), -EPROTO);
}

static void test_queue_what_is_returned_is_in_the_used_ring(void **state)
{
    struct queue_lab *lab = *state;

    vmm_queue_return(&lab->queue, 3, 512);
    vmm_queue_return(&lab->queue, 1, 0);

    assert_int_equal(lab->used->idx, 2);
    assert_int_equal(lab->used->ring[0].id, 3);
    assert_int_equal(lab->used->ring[0].len, 512);
    assert_int_equal(lab->used->ring[1].id, 1);
    assert_int_equal(interrupts(lab), 2);
}

static void test_queue_a_driver_that_wants_no_interrupt_gets_none(void **state)
{
    struct queue_lab *lab = *state;

    lab->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
    vmm_queue_return(&lab->queue, 0, 0);
    assert_int_equal(interrupts(lab), 0);
    lab->avail->flags = 0;
    lab->fake.device.queue[0].call_fd = -1;
    vmm_queue_return(&lab->queue, 0, 0);
    assert_int_equal(lab->used->idx, 2);
}

static void test_queue_with_event_index_interrupts_where_asked(void **state)
{
    struct queue_lab *lab = *state;
    volatile uint16_t *used_event = &lab->avail->ring[SIZE];

    start_queue(lab, EVENT_IDX);
    *used_event = 2;
    vmm_queue_return(&lab->queue, 0, 0);
    vmm_queue_return(&lab->queue, 0, 0);
    assert_int_equal(interrupts(lab), 0);
    vmm_queue_return(&lab->queue, 0, 0);
    assert_int_equal(interrupts(lab), 1);
    vmm_queue_return(&lab->queue, 0, 0);
    assert_int_equal(interrupts(lab), 0);
}

static void test_queue_kicks_are_turned_off_and_on(void **state)
{
    struct queue_lab *lab = *state;
    const volatile uint16_t *avail_event = (volatile uint16_t *)&lab->used->ring[SIZE];

    assert_false(vmm_queue_want_kicks(&lab->queue, false));
    assert_int_equal(lab->used->flags, VRING_USED_F_NO_NOTIFY);
    assert_false(vmm_queue_want_kicks(&lab->queue, true));
    assert_int_equal(lab->used->flags, 0);
    lab->desc[0] = describe(DATA_GPA, 8, 0, 0);
    make_available(lab, 0);
    assert_true(vmm_queue_want_kicks(&lab->queue, true));

    start_queue(lab, EVENT_IDX);
    assert_int_equal(vmm_queue_take(&lab->queue, &lab->chain), 1);
    assert_false(vmm_queue_want_kicks(&lab->queue, true));
    assert_int_equal(*avail_event, 1);
}

static void test_queue_indices_wrap(void **state)
{
    struct queue_lab *lab = *state;

    lab->avail->idx = UINT16_MAX - 2;
    lab->used->idx = UINT16_MAX - 2;
    start_queue(lab, 0);
    for (unsigned i = 0; i < 3 * SIZE; i++) {
        lab->desc[i % SIZE] = describe(DATA_GPA + i, 1, 0, 0);
        make_available(lab, i % SIZE);
        assert_int_equal(vmm_queue_take(&lab->queue, &lab->chain), 1);
        assert_int_equal(lab->chain.head, i % SIZE);
        vmm_queue_return(&lab->queue, lab->chain.head, i);
    }
    assert_int_equal(lab->used->idx, (uint16_t)(UINT16_MAX - 2 + 3 * SIZE));
}

static void test_queue_one_that_is_not_ready_has_nothing(void **state)
{
    struct queue_lab *lab = *state;

    lab->fake.device.queue[0].ready = false;
    assert_int_equal(vmm_queue_start(&lab->queue, &lab->fake.device, 0), 0);
    assert_int_equal(vmm_queue_take(&lab->queue, &lab->chain), 0);
    assert_false(vmm_queue_want_kicks(&lab->queue, true));
    vmm_queue_return(&lab->queue, 0, 0);
}

/* Everything that the guest can write is noise that changes between any two steps. */
static void test_queue_a_guest_of_noise_breaks_only_its_queue(void **state)
{
    struct queue_lab *lab = *state;
    const uint8_t *memory = lab->fake.ram.host;
    uint64_t random = 7;
    unsigned taken = 0;

    for (unsigned round = 0; round < 50000; round++) {
        for (unsigned i = 0; i < SIZE; i++) {
            lab->desc[i] = describe(random_next(&random) % (RAM_MIN_BYTES + 0x1000),
                                    random_below(&random, 0x2000),
                                    (uint16_t)random_below(&random, 8),
                                    (uint16_t)random_below(&random, SIZE + 1));
            lab->table[i] = lab->desc[random_below(&random, SIZE)];
            if ((lab->desc[i].flags & TABLE) != 0 && random_below(&random, 2) == 0) {
                lab->desc[i] = describe(TABLE_GPA, 16 * random_below(&random, SIZE), TABLE, 0);
            }
        }
        lab->avail->idx = (uint16_t)(lab->used->idx + random_below(&random, SIZE + 2));
        start_queue(lab, INDIRECT | (random_below(&random, 2) == 0 ? EVENT_IDX : 0));
        while (vmm_queue_take(&lab->queue, &lab->chain) == 1) {
            const unsigned pieces = lab->chain.readable + lab->chain.writable;

            assert_true(pieces <= VMM_QUEUE_PIECES_MAX);
            for (unsigned i = 0; i < pieces; i++) {
                const uint64_t at =
                    (uint64_t)((const uint8_t *)lab->chain.piece[i].iov_base - memory);

                assert_true(at < RAM_MIN_BYTES &&
                            lab->chain.piece[i].iov_len <= RAM_MIN_BYTES - at);
            }
            vmm_queue_return(&lab->queue, lab->chain.head, 0);
            taken++;
        }
    }
    assert_true(taken > 1000);
}

#define LAB_TEST(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_queue_a_chain_is_what_the_driver_gave),
        LAB_TEST(test_queue_an_indirect_table_is_walked),
        LAB_TEST(test_queue_what_is_no_chain_breaks_it),
        LAB_TEST(test_queue_an_indirect_table_not_negotiated_breaks_it),
        LAB_TEST(test_queue_a_head_beyond_the_ring_breaks_it),
        LAB_TEST(test_queue_an_index_too_far_ahead_breaks_it),
        LAB_TEST(test_queue_more_bytes_than_can_be_counted_break_it),
        LAB_TEST(test_queue_as_many_pieces_as_fit_are_taken),
        LAB_TEST(test_queue_what_is_returned_is_in_the_used_ring),
        LAB_TEST(test_queue_a_driver_that_wants_no_interrupt_gets_none),
        LAB_TEST(test_queue_with_event_index_interrupts_where_asked),
        LAB_TEST(test_queue_kicks_are_turned_off_and_on),
        LAB_TEST(test_queue_indices_wrap),
        LAB_TEST(test_queue_one_that_is_not_ready_has_nothing),
        LAB_TEST(test_queue_a_guest_of_noise_breaks_only_its_queue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
