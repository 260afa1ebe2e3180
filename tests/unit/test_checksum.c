/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sums are those of RFC 1071's own definition, whatever the lengths, places and pieces.
 */
#include "switch/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/checksum_naive.h"
#include "tests/support/long_frame.h"
#include "tests/support/random.h"

#define CASES 10000

struct room {
    struct frame_batch batch;
    struct long_frame long_frame;
    uint8_t bytes[FRAME_MAX_BYTES];
};

static int room_setup(void **state)
{
    struct room *room = aligned_alloc(64, (sizeof(*room) + 63) / 64 * 64);
    uint64_t random = 1;

    *state = room;
    if (room == NULL) {
        return -1;
    }
    for (size_t i = 0; i < sizeof(room->bytes); i++) {
        room->bytes[i] = (uint8_t)(random_next(&random) >> 32);
    }
    return 0;
}

static int room_teardown(void **state)
{
    free(*state);
    return 0;
}

static void test_checksum_of_the_standards_example_is_its_own(void **state)
{
    const uint8_t bytes[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
    const uint16_t result = checksum_finish(checksum_add(0, bytes, sizeof(bytes), false));

    (void)state;
    assert_int_equal(result, (uint16_t)~0xddf2);               /* RFC 1071, 3 */
}

static void test_checksum_of_nothing_is_all_ones(void **state)
{
    const struct room *room = *state;

    assert_int_equal(checksum_finish(checksum_add(0, room->bytes, 0, false)), 0xffff);
}

static void test_checksum_of_the_longest_frame_of_ones_does_not_overflow(void **state)
{
    struct room *room = *state;

    memset(room->bytes, 0xff, sizeof(room->bytes));

    assert_int_equal(checksum_finish(checksum_add(0xffffffff, room->bytes, FRAME_MAX_BYTES, false)),
                     0);
}

static void test_checksum_is_the_naive_one_at_every_length_and_place(void **state)
{
    struct room *room = *state;

    for (uint32_t len_bytes = 0; len_bytes < 400; len_bytes++) {
        const uint32_t off = len_bytes % 17;
        uint8_t *exact = malloc(len_bytes + off + 1);          /* a read past the end is seen */

        memcpy(exact + off + 1, room->bytes, len_bytes);
        assert_int_equal(checksum_finish(checksum_add(0, exact + off + 1, len_bytes, false)),
                         (uint16_t)~checksum_naive(0, room->bytes, len_bytes));
        free(exact);
    }
}

static void test_checksum_of_pieces_is_that_of_the_whole(void **state)
{
    struct room *room = *state;
    uint64_t random = 2;

    for (unsigned i = 0; i < CASES; i++) {
        const uint32_t len_bytes = random_below(&random, 3000);
        const uint8_t *bytes = &room->bytes[random_below(&random, 1000)];
        uint64_t sum = 0;

        for (uint32_t off = 0; off < len_bytes;) {
            const uint32_t part_bytes = random_below(&random, len_bytes - off + 1);

            sum = checksum_add(sum, bytes + off, part_bytes, (off & 1) != 0);
            off += part_bytes;
        }

        assert_int_equal(checksum_finish(sum), (uint16_t)~checksum_naive(0, bytes, len_bytes));
    }
}

static void test_checksum_copy_copies_and_sums_at_every_length_and_place(void **state)
{
    struct room *room = *state;

    for (uint32_t len_bytes = 0; len_bytes < 400; len_bytes++) {
        const uint32_t off = len_bytes % 17;
        uint8_t *from = malloc(len_bytes + off + 1);           /* what goes past an end is seen */
        uint8_t *to = malloc(len_bytes + 16 - off + 1);
        const bool odd = (len_bytes & 4) != 0;
        uint64_t sum;

        memcpy(from + off + 1, room->bytes, len_bytes);
        sum = checksum_copy(7, to + 16 - off + 1, from + off + 1, len_bytes, odd);
        assert_memory_equal(to + 16 - off + 1, room->bytes, len_bytes);
        assert_int_equal(sum, checksum_add(7, room->bytes, len_bytes, odd));
        free(from);
        free(to);
    }
}

/* The sum of a pseudo-header, as a sender leaves it in the field. */
static uint16_t pseudo_sum(const struct long_frame *of)
{
    const uint8_t *ip = &of->wire.data[of->l3_off_bytes];
    const uint32_t l4_bytes = of->wire.len_bytes - of->l4_off_bytes;
    const uint8_t rest[4] = { (uint8_t)(l4_bytes >> 8), (uint8_t)l4_bytes, 0,
                              of->gso_type == FRAME_GSO_UDP ? 17 : 6 };

    return checksum_naive(of->ip_version == 4 ? checksum_naive(0, ip + 12, 8)
                                              : checksum_naive(0, ip + 8, 32), rest, sizeof(rest));
}

static struct frame *room_partial(struct room *room, uint64_t *random)
{
    struct frame *frame;
    uint16_t sum;

    long_frame_random(&room->long_frame, random);
    long_frame_write(&room->long_frame);
    batch_start(&room->batch, 1);
    frame = long_frame_add(&room->long_frame, &room->batch);
    sum = pseudo_sum(&room->long_frame);
    frame->hdr[frame->csum_start_bytes + frame->csum_offset_bytes] = (uint8_t)(sum >> 8);
    frame->hdr[frame->csum_start_bytes + frame->csum_offset_bytes + 1] = (uint8_t)sum;
    return frame;
}

static void test_checksum_pseudo_is_the_naive_one_of_either_version(void **state)
{
    struct room *room = *state;
    struct long_frame *of = &room->long_frame;
    uint64_t random = 6;

    for (unsigned i = 0; i < CASES / 10; i++) {
        const uint8_t protocol = room_partial(room, &random)->gso_type == FRAME_GSO_UDP ? 17 : 6;
        const uint8_t *ip = &of->wire.data[of->l3_off_bytes];
        const uint32_t l4_bytes = of->wire.len_bytes - of->l4_off_bytes;

        assert_int_equal(checksum_finish(checksum_pseudo(ip, protocol, l4_bytes)),
                         (uint16_t)~pseudo_sum(of));
        assert_int_equal(checksum_pseudo(ip, protocol, 0) + l4_bytes,
                         checksum_pseudo(ip, protocol, l4_bytes));
    }
}

static void test_checksum_store_stores_zero_of_tcp_only(void **state)
{
    const struct frame udp = { .csum_offset_bytes = 6 }, tcp = { .csum_offset_bytes = 16 };
    uint8_t field[] = { 1, 2, 3 };
    (void)state;

    checksum_store(field, &udp, 0x2ffed);
    assert_memory_equal(field, "\x00\x10\x03", 3);
    checksum_store(field, &udp, 0x2fffd);
    assert_memory_equal(field, "\xff\xff\x03", 3);

    checksum_store(field, &tcp, 0x2ffed);
    assert_memory_equal(field, "\x00\x10\x03", 3);
    checksum_store(field, &tcp, 0x2fffd);
    assert_memory_equal(field, "\x00\x00\x03", 3);
}

static void test_checksum_store_partial_stores_the_sum_so_far(void **state)
{
    uint8_t field[] = { 1, 2, 3 };
    (void)state;

    checksum_store_partial(field, 0x21234);
    assert_int_equal(field[0], 0x12);
    assert_int_equal(field[1], 0x36);
    assert_int_equal(field[2], 3);
}

static void test_checksum_of_a_frame_in_pieces_verifies_when_stored(void **state)
{
    struct room *room = *state;
    uint64_t random = 3;

    for (unsigned i = 0; i < CASES / 10; i++) {
        struct frame *frame = room_partial(room, &random);
        struct wire *wire = &room->long_frame.wire;
        const uint16_t l4 = frame->csum_start_bytes;

        checksum_store(&frame->hdr[l4 + frame->csum_offset_bytes], frame,
                       checksum_add_frame(0, &room->batch, frame, l4));

        memcpy(wire->data, frame->hdr, frame->hdr_len_bytes);
        assert_int_equal(checksum_naive(pseudo_sum(&room->long_frame), &wire->data[l4],
                                        wire->len_bytes - l4), 0xffff);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checksum_of_the_standards_example_is_its_own),
        cmocka_unit_test(test_checksum_of_nothing_is_all_ones),
        cmocka_unit_test(test_checksum_is_the_naive_one_at_every_length_and_place),
        cmocka_unit_test(test_checksum_of_pieces_is_that_of_the_whole),
        cmocka_unit_test(test_checksum_copy_copies_and_sums_at_every_length_and_place),
        cmocka_unit_test(test_checksum_of_the_longest_frame_of_ones_does_not_overflow),
        cmocka_unit_test(test_checksum_pseudo_is_the_naive_one_of_either_version),
        cmocka_unit_test(test_checksum_store_stores_zero_of_tcp_only),
        cmocka_unit_test(test_checksum_store_partial_stores_the_sum_so_far),
        cmocka_unit_test(test_checksum_of_a_frame_in_pieces_verifies_when_stored),
    };

    return cmocka_run_group_tests(tests, room_setup, room_teardown);
}
