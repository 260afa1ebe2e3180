/* SPDX-License-Identifier: BSD-3-Clause */
/* The capture's ring on one thread: order, fullness, and the end where a record does not fit. */
#include "dataplane/capture_ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define RING_BYTES 4096u
#define HEAD_BYTES 24u             /* of a record, before its data; records are multiples of 32 */

static int ring_setup(void **state)
{
    static struct capture_ring ring;

    *state = &ring;
    return capture_ring_init(&ring, RING_BYTES);
}

static int ring_teardown(void **state)
{
    capture_ring_free(*state);
    return 0;
}

/* Writes a record whose every byte tells its number. */
static bool write_one(struct capture_ring *ring, uint32_t number, uint32_t len_bytes)
{
    struct capture_record *record = capture_ring_reserve(ring, len_bytes);

    if (record == NULL) {
        return false;
    }
    record->tsc = number;
    memset(record->data, (int)(number & 0xff), len_bytes);
    return true;
}

static bool read_one(struct capture_ring *ring, uint32_t number, uint32_t len_bytes)
{
    const struct capture_record *record = capture_ring_peek(ring);
    bool same = record != NULL && record->tsc == number && record->captured_bytes == len_bytes;

    for (uint32_t i = 0; same && i < len_bytes; i++) {
        same = record->data[i] == (number & 0xff);
    }
    if (record != NULL) {
        capture_ring_next(ring);
    }
    return same;
}

static void test_capture_ring_empty_has_nothing(void **state)
{
    struct capture_ring *ring = *state;

    assert_null(capture_ring_peek(ring));
}

static void test_capture_ring_record_is_seen_only_when_published(void **state)
{
    struct capture_ring *ring = *state;

    assert_true(write_one(ring, 1, 60));
    assert_null(capture_ring_peek(ring));
    capture_ring_publish(ring);

    assert_true(read_one(ring, 1, 60));
    assert_null(capture_ring_peek(ring));
}

static void test_capture_ring_peek_again_gives_the_same_record(void **state)
{
    struct capture_ring *ring = *state;
    const struct capture_record *first;

    assert_true(write_one(ring, 1, 60));
    assert_true(write_one(ring, 2, 60));
    capture_ring_publish(ring);
    first = capture_ring_peek(ring);

    assert_ptr_equal(capture_ring_peek(ring), first);
}

static void test_capture_ring_full_refuses_until_read(void **state)
{
    struct capture_ring *ring = *state;
    uint32_t written = 0;

    while (write_one(ring, written, 128 - HEAD_BYTES)) {
        written++;
    }
    capture_ring_publish(ring);
    assert_int_equal(written, RING_BYTES / 128);        /* not a byte is wasted */
    assert_false(write_one(ring, written, 0));

    assert_true(read_one(ring, 0, 128 - HEAD_BYTES));
    assert_true(write_one(ring, written, 128 - HEAD_BYTES));
    assert_false(write_one(ring, written + 1, 0));
}

static void test_capture_ring_record_of_no_bytes_is_a_record(void **state)
{
    struct capture_ring *ring = *state;

    assert_true(write_one(ring, 1, 0));
    capture_ring_publish(ring);

    assert_true(read_one(ring, 1, 0));
}

static void test_capture_ring_record_that_would_cross_the_end_starts_at_the_front(void **state)
{
    struct capture_ring *ring = *state;

    for (uint32_t i = 0; i < 3; i++) {
        assert_true(write_one(ring, i, 1024 - HEAD_BYTES));
    }
    assert_true(write_one(ring, 3, 960 - HEAD_BYTES));  /* and 64 bytes are left before the end */
    capture_ring_publish(ring);
    assert_true(read_one(ring, 0, 1024 - HEAD_BYTES));

    assert_true(write_one(ring, 4, 512));
    capture_ring_publish(ring);

    assert_true(read_one(ring, 1, 1024 - HEAD_BYTES));
    assert_true(read_one(ring, 2, 1024 - HEAD_BYTES));
    assert_true(read_one(ring, 3, 960 - HEAD_BYTES));
    assert_ptr_equal(capture_ring_peek(ring), ring->data);
    assert_true(read_one(ring, 4, 512));
}

/* The skipped end counts: what is left in two pieces is not what is left. */
static void test_capture_ring_two_pieces_do_not_make_a_record(void **state)
{
    struct capture_ring *ring = *state;

    for (uint32_t i = 0; i < 3; i++) {
        assert_true(write_one(ring, i, 1024 - HEAD_BYTES));
    }
    capture_ring_publish(ring);
    assert_true(read_one(ring, 0, 1024 - HEAD_BYTES));

    assert_false(write_one(ring, 3, 1200));             /* 1024 at the end and 1024 in front */
    assert_true(write_one(ring, 3, 1024 - HEAD_BYTES));
}

static void test_capture_ring_a_million_of_all_lengths_stay_in_order(void **state)
{
    struct capture_ring *ring = *state;
    uint32_t written = 0, read = 0;

    while (read < 1000000) {
        while (written - read < 7 && write_one(ring, written, written * 7 % 611)) {
            written++;
        }
        capture_ring_publish(ring);
        while (read < written && written - read > read % 5) {
            assert_true(read_one(ring, read, read * 7 % 611));
            read++;
        }
    }
}

#define RING_TEST(name) cmocka_unit_test_setup_teardown(name, ring_setup, ring_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RING_TEST(test_capture_ring_empty_has_nothing),
        RING_TEST(test_capture_ring_record_is_seen_only_when_published),
        RING_TEST(test_capture_ring_peek_again_gives_the_same_record),
        RING_TEST(test_capture_ring_full_refuses_until_read),
        RING_TEST(test_capture_ring_record_of_no_bytes_is_a_record),
        RING_TEST(test_capture_ring_record_that_would_cross_the_end_starts_at_the_front),
        RING_TEST(test_capture_ring_two_pieces_do_not_make_a_record),
        RING_TEST(test_capture_ring_a_million_of_all_lengths_stay_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
