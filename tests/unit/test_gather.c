/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The cursor over a frame's bytes: whatever the runs and the steps, it gives the wire's bytes.
 */
#include "switch/gather.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/checksum_naive.h"
#include "tests/support/frame_builder.h"
#include "tests/support/random.h"

struct room {
    struct frame_batch batch;
    struct wire wire;
    uint8_t copy[FRAME_MAX_BYTES];
};

static int room_setup(void **state)
{
    struct room *room = aligned_alloc(64, (sizeof(*room) + 63) / 64 * 64);

    *state = room;
    return room != NULL ? 0 : -1;
}

static int room_teardown(void **state)
{
    free(*state);
    return 0;
}

static struct frame *room_frame(struct room *room, uint32_t len_bytes, uint32_t run_bytes)
{
    batch_start(&room->batch, 3);
    wire_start(&room->wire, 0xa, 0xb);
    wire_fill(&room->wire, len_bytes);
    memset(room->copy, 0, sizeof(room->copy));
    return batch_add_wire(&room->batch, &room->wire, run_bytes);
}

static void test_gather_copies_a_frame_that_is_header_only(void **state)
{
    struct room *room = *state;
    const struct frame *frame = room_frame(room, 60, 0);
    struct gather from = gather_start(&room->batch, frame);

    gather_copy(&from, room->copy, 60);

    assert_int_equal(frame->seg_count, 0);
    assert_memory_equal(room->copy, room->wire.data, 60);
}

static void test_gather_crosses_from_header_into_runs(void **state)
{
    struct room *room = *state;
    const struct frame *frame = room_frame(room, 1514, 300);
    struct gather from = gather_start(&room->batch, frame);

    gather_copy(&from, room->copy, 1514);

    assert_int_equal(frame->seg_count, 5);
    assert_memory_equal(room->copy, room->wire.data, 1514);
}

static void test_gather_copies_nothing_when_asked_for_nothing(void **state)
{
    struct room *room = *state;
    struct gather from = gather_start(&room->batch, room_frame(room, 200, 0));

    gather_copy(&from, room->copy, 0);
    gather_copy(&from, room->copy, 200);
    gather_copy(&from, room->copy + 200, 0);

    assert_memory_equal(room->copy, room->wire.data, 200);
    assert_int_equal(room->copy[200], 0);
}

static void test_gather_in_random_steps_gives_the_wire(void **state)
{
    struct room *room = *state;
    uint64_t random = 7;

    for (unsigned round = 0; round < 2000; round++) {
        const uint32_t len = 14 + random_below(&random, round % 10 == 0 ? 60000 : 2000);
        const uint32_t run = len / 1000 + 1 + random_below(&random, 500);
        struct gather from = gather_start(&room->batch, room_frame(room, len, run));

        for (uint32_t done = 0; done < len;) {
            uint32_t step = random_below(&random, 400);

            step = step < len - done ? step : len - done;
            gather_copy(&from, room->copy + done, step);
            done += step;
        }

        assert_memory_equal(room->copy, room->wire.data, len);
    }
}

static void test_gather_copies_long_pieces_at_any_distance_within_a_page(void **state)
{
    struct room *room = *state;
    uint8_t *to = aligned_alloc(4096, 3 * 4096);
    uint8_t *from = aligned_alloc(4096, 3 * 4096);

    wire_start(&room->wire, 0xa, 0xb);
    wire_fill(&room->wire, 3 * 4096);
    memcpy(from, room->wire.data, 3 * 4096);
    for (uint32_t len = 2040; len < 2200; len++) {
        const uint32_t distance = (len * 7) % 40;
        struct frame frame = { .hdr = from + 5 };
        struct gather cursor = gather_start(&room->batch, &frame);

        cursor.left_bytes = len;
        memset(to, 0, 3 * 4096);
        gather_copy(&cursor, to + 5 + distance, len);

        assert_memory_equal(to + 5 + distance, room->wire.data + 5, len);
        assert_int_equal(to[4 + distance], 0);
        assert_int_equal(to[5 + distance + len], 0);
    }
    free(to);
    free(from);
}

static void test_gather_sums_what_it_copies_in_any_steps(void **state)
{
    struct room *room = *state;
    uint64_t random = 8;

    for (unsigned round = 0; round < 2000; round++) {
        const uint32_t len = 14 + random_below(&random, round % 10 == 0 ? 60000 : 2000);
        const uint32_t run = len / 1000 + 1 + random_below(&random, 500);
        const uint32_t start = random_below(&random, 15);
        struct gather from = gather_start(&room->batch, room_frame(room, len, run));
        struct gather_sum sum = { 0 };

        gather_copy(&from, room->copy, start);
        for (uint32_t done = start; done < len;) {
            uint32_t step = random_below(&random, 400);

            step = step < len - done ? step : len - done;
            gather_copy_sum(&from, room->copy + done, step, &sum);
            done += step;
        }

        assert_memory_equal(room->copy, room->wire.data, len);
        assert_int_equal(checksum_finish(sum.sum),
                         (uint16_t)~checksum_naive(0, room->wire.data + start, len - start));
        assert_int_equal(sum.odd, (len - start) % 2);
    }
}

static void test_gather_sums_over_empty_runs(void **state)
{
    struct room *room = *state;
    struct frame *frame = room_frame(room, 1000, 0);
    struct gather_sum sum = { 0 };
    struct gather from;

    room->batch.run[2] = room->batch.run[0];
    room->batch.run[0].len_bytes = 0;
    room->batch.run[1].len_bytes = 0;
    frame->seg_count = 3;
    from = gather_start(&room->batch, frame);
    gather_copy_sum(&from, room->copy, 1000, &sum);

    assert_memory_equal(room->copy, room->wire.data, 1000);
    assert_int_equal(checksum_finish(sum.sum), (uint16_t)~checksum_naive(0, room->copy, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gather_copies_a_frame_that_is_header_only),
        cmocka_unit_test(test_gather_crosses_from_header_into_runs),
        cmocka_unit_test(test_gather_copies_nothing_when_asked_for_nothing),
        cmocka_unit_test(test_gather_in_random_steps_gives_the_wire),
        cmocka_unit_test(test_gather_copies_long_pieces_at_any_distance_within_a_page),
        cmocka_unit_test(test_gather_sums_what_it_copies_in_any_steps),
        cmocka_unit_test(test_gather_sums_over_empty_runs),
    };

    return cmocka_run_group_tests(tests, room_setup, room_teardown);
}
