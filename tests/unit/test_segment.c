/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segments of ten thousand frames chosen at random (the same ones in every run), each read back as
 * bytes and held against the long frame and against sums made word by word; then the single rules.
 */
#include "switch/segment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/bytes.h"
#include "switch/frame_tag.h"
#include "switch/gather.h"
#include "tests/support/checksum_naive.h"
#include "tests/support/frame_complete.h"
#include "tests/support/long_frame.h"
#include "tests/support/random.h"

#define CASES 10000

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20
#define TCP_CWR 0x80

struct room {
    struct frame_batch from;
    struct frame_batch into;
    struct long_frame long_frame;
    struct segmenter segmenter;
    struct frame *frame;           /* the long one, in `from` */
    uint8_t bytes[FRAME_MAX_BYTES];   /* of one segment */
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

/* Makes the frame that is wanted of room->long_frame. */
static void room_frame(struct room *room)
{
    long_frame_write(&room->long_frame);
    batch_start(&room->from, 7);
    room->frame = long_frame_add(&room->long_frame, &room->from);
    room->frame->port_out = 9;
    room->frame->vlan_tci = 0x2064;
    room->frame->flow_hash = 0x12345678;
}

/* A TCP stream over IPv4 in segments of 1,000 bytes, with room for a test's own wishes. */
static struct long_frame *room_plain(struct room *room)
{
    room->long_frame = (struct long_frame){
        .gso_type = FRAME_GSO_TCP4,
        .ip_version = 4,
        .tcp_flags = TCP_ACK,
        .sequence = 1,
        .payload_bytes = 3500,
        .gso_size_bytes = 1000,
        .trusted_bytes = FRAME_HDR_BYTES,
    };
    return &room->long_frame;
}

/* The bytes of a segment, without the tag that the test may have pushed. */
static uint32_t room_read(struct room *room, const struct frame *segment)
{
    struct gather from = gather_start(&room->into, segment);

    assert_in_range(segment->len_bytes, 1, sizeof(room->bytes));
    gather_copy(&from, room->bytes, segment->len_bytes);
    assert_int_equal(from.left_bytes, 0);
    if (!segment->tagged) {
        return segment->len_bytes;
    }
    memmove(room->bytes + 12, room->bytes + 16, segment->len_bytes - 16);
    return segment->len_bytes - 4;
}

/* ---- what holds for every segment ------------------------------------------------------------ */

static void check_ip(const struct room *room, uint32_t len_bytes, uint32_t index)
{
    const struct long_frame *of = &room->long_frame;
    const uint8_t *ip = room->bytes + of->l3_off_bytes;
    const uint8_t *was = of->wire.data + of->l3_off_bytes;
    const uint32_t ip_bytes = len_bytes - of->l3_off_bytes;
    const uint32_t header_bytes = of->l4_off_bytes - of->l3_off_bytes;

    if (of->ip_version == 6) {
        assert_memory_equal(ip, was, 4);
        assert_int_equal(bytes_get_2(ip + 4), ip_bytes - 40);
        assert_memory_equal(ip + 6, was + 6, header_bytes - 6);
        return;
    }
    assert_memory_equal(ip, was, 2);
    assert_int_equal(bytes_get_2(ip + 2), ip_bytes);
    assert_int_equal(bytes_get_2(ip + 4), (uint16_t)(of->id + index));
    assert_memory_equal(ip + 6, was + 6, 4);
    assert_int_equal(checksum_naive(0, ip, header_bytes), 0xffff);
    assert_memory_equal(ip + 12, was + 12, header_bytes - 12);
}

/* The sum of the pseudo-header of the segment in room->bytes, from its own bytes. */
static uint16_t pseudo_sum(const struct room *room, uint32_t len_bytes)
{
    const struct long_frame *of = &room->long_frame;
    const uint8_t *ip = room->bytes + of->l3_off_bytes;
    const uint32_t l4_bytes = len_bytes - of->l4_off_bytes;
    const uint8_t rest[4] = { (uint8_t)(l4_bytes >> 8), (uint8_t)l4_bytes, 0,
                              of->gso_type == FRAME_GSO_UDP ? 17 : 6 };

    return checksum_naive(of->ip_version == 4 ? checksum_naive(0, ip + 12, 8)
                                              : checksum_naive(0, ip + 8, 32), rest, sizeof(rest));
}

/* The checksum of @p segment, as it is in room->bytes, is partial; completed, it is right. */
static void check_l4_sum(struct room *room, struct frame *segment)
{
    const struct long_frame *of = &room->long_frame;
    const uint8_t *l4 = room->bytes + of->l4_off_bytes;
    uint32_t len_bytes;

    assert_int_equal(segment->csum_state, FRAME_CSUM_PARTIAL);
    assert_int_equal(segment->csum_start_bytes, room->frame->csum_start_bytes);
    assert_int_equal(segment->csum_offset_bytes, room->frame->csum_offset_bytes);
    len_bytes = room_read(room, segment);
    assert_int_equal(bytes_get_2(l4 + segment->csum_offset_bytes), pseudo_sum(room, len_bytes));
    frame_complete(&room->into, segment);
    len_bytes = room_read(room, segment);
    assert_int_equal(checksum_naive(pseudo_sum(room, len_bytes), l4, len_bytes - of->l4_off_bytes),
                     0xffff);
    if (of->gso_type == FRAME_GSO_UDP) {
        assert_int_not_equal(bytes_get_2(l4 + 6), 0);
    }
}

static void check_l4(const struct room *room, uint32_t len_bytes, uint32_t index, uint32_t done)
{
    const struct long_frame *of = &room->long_frame;
    const uint8_t *l4 = room->bytes + of->l4_off_bytes;
    const uint8_t *was = of->wire.data + of->l4_off_bytes;
    const bool last = done + len_bytes - of->header_bytes == of->payload_bytes;
    uint8_t flags = of->tcp_flags;

    assert_memory_equal(l4, was, 4);
    if (of->gso_type == FRAME_GSO_UDP) {
        assert_int_equal(bytes_get_2(l4 + 4), len_bytes - of->l4_off_bytes);
        return;
    }
    assert_int_equal(bytes_get_4(l4 + 4), of->sequence + done);
    assert_memory_equal(l4 + 8, was + 8, 5);
    if (index > 0) {
        flags &= (uint8_t)~TCP_CWR;
        flags &= (uint8_t)~(of->urgent > done ? 0 : TCP_URG);
    }
    if (!last) {
        flags &= (uint8_t)~(TCP_FIN | TCP_PSH);
    }
    assert_int_equal(l4[13], flags);
    assert_memory_equal(l4 + 14, was + 14, 2);
    assert_int_equal(bytes_get_2(l4 + 18), (flags & TCP_URG) != 0 ? of->urgent - done : of->urgent);
    assert_memory_equal(l4 + 20, was + 20, of->header_bytes - of->l4_off_bytes - 20u);
}

static void check_facts(const struct room *room, const struct frame *segment)
{
    const struct frame *of = room->frame;

    assert_int_equal(segment->gso_type, FRAME_GSO_NONE);
    assert_int_equal(segment->gso_size_bytes, 0);
    assert_int_equal(segment->port_in, of->port_in);
    assert_int_equal(segment->port_out, of->port_out);
    assert_int_equal(segment->vlan_tci, of->vlan_tci);
    assert_int_equal(segment->flow_hash, of->flow_hash);
    assert_int_equal(segment->tagged, of->tagged);
    assert_int_equal(segment->l3_off_bytes, of->l3_off_bytes);
    assert_int_equal(segment->l4_off_bytes, of->l4_off_bytes);
    assert_true(segment->hdr + segment->hdr_len_bytes <=
                room->into.hdr[segment - room->into.frame] + FRAME_HDR_BYTES);
    assert_true(segment->seg_first + segment->seg_count <= room->into.run_count);
    for (uint16_t i = 0; i < segment->seg_count; i++) {
        assert_true(room->into.run[segment->seg_first + i].len_bytes > 0);
    }
}

/* Segments the frame and checks every segment; returns how many there were. */
static uint32_t room_check_all(struct room *room)
{
    const struct long_frame *of = &room->long_frame;
    uint32_t done = 0;
    uint32_t index = 0;
    uint16_t count;

    assert_true(segment_start(&room->segmenter, &room->from, room->frame));
    while ((count = segment_next(&room->segmenter, &room->into)) > 0) {
        assert_in_range(count, 1, FRAME_BURST);
        assert_int_equal(count, room->into.count);
        assert_int_equal(count, room->into.offload_count);
        for (uint16_t i = 0; i < count; i++, index++) {
            struct frame *segment = &room->into.frame[i];
            const uint32_t len_bytes = room_read(room, segment);
            const uint32_t part_bytes = len_bytes - of->header_bytes;

            check_facts(room, segment);
            assert_memory_equal(room->bytes, of->wire.data, of->l3_off_bytes);
            check_ip(room, len_bytes, index);
            check_l4(room, len_bytes, index, done);
            check_l4_sum(room, segment);
            assert_true(part_bytes == of->gso_size_bytes ||
                        (part_bytes < of->gso_size_bytes &&
                         done + part_bytes == of->payload_bytes));
            assert_memory_equal(room->bytes + of->header_bytes,
                                of->wire.data + of->header_bytes + done, part_bytes);
            done += part_bytes;
        }
    }
    assert_int_equal(done, of->payload_bytes);
    assert_int_equal(segment_next(&room->segmenter, &room->into), 0);
    return index;
}

static void test_segment_cuts_any_frame_into_right_ones(void **state)
{
    struct room *room = *state;
    uint64_t random = 1;

    for (unsigned i = 0; i < CASES; i++) {
        long_frame_random(&room->long_frame, &random);
        room_frame(room);
        if (room->long_frame.tags < 2 && random_below(&random, 4) == 0) {
            frame_tag_push(room->frame, 0x2064);
        }

        assert_int_equal(room_check_all(room),
                         (room->long_frame.payload_bytes + room->long_frame.gso_size_bytes - 1) /
                         room->long_frame.gso_size_bytes);
    }
}

/* ---- single rules ---------------------------------------------------------------------------- */

static void test_segment_keeps_cwr_on_the_first_and_fin_and_psh_on_the_last(void **state)
{
    struct room *room = *state;
    const uint8_t flags[] = { TCP_ACK | TCP_CWR, TCP_ACK, TCP_ACK, TCP_ACK | TCP_FIN | TCP_PSH };

    room_plain(room)->tcp_flags = TCP_ACK | TCP_CWR | TCP_FIN | TCP_PSH;
    room_frame(room);

    assert_true(segment_start(&room->segmenter, &room->from, room->frame));
    assert_int_equal(segment_next(&room->segmenter, &room->into), 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(room->into.frame[i].hdr[room->long_frame.l4_off_bytes + 13], flags[i]);
    }
}

static void test_segment_wraps_identification_and_sequence(void **state)
{
    struct room *room = *state;
    struct long_frame *wanted = room_plain(room);

    wanted->id = 0xffff;
    wanted->id_flags = 0x4000;
    wanted->sequence = 0xffffffff;
    room_frame(room);

    assert_int_equal(room_check_all(room), 4);
}

static void test_segment_of_a_short_payload_is_one_and_whole(void **state)
{
    struct room *room = *state;

    room_plain(room)->payload_bytes = 1000;
    room_frame(room);
    assert_int_equal(room_check_all(room), 1);

    room_plain(room)->payload_bytes = 0;
    room_frame(room);
    assert_int_equal(room_check_all(room), 1);
}

static void test_segment_of_udp_whose_sum_is_zero_is_completed_to_ones(void **state)
{
    struct room *room = *state;
    struct long_frame *wanted = room_plain(room);
    uint8_t *last = room->long_frame.wire.data;
    struct frame *segment = room->into.frame;
    uint16_t sum;

    wanted->gso_type = FRAME_GSO_UDP;
    wanted->payload_bytes = 200;
    room_frame(room);
    last += wanted->wire.len_bytes - 2;
    last[0] = 0;
    last[1] = 0;
    assert_true(segment_start(&room->segmenter, &room->from, room->frame));
    assert_int_equal(segment_next(&room->segmenter, &room->into), 1);
    frame_complete(&room->into, segment);
    sum = bytes_get_2(segment->hdr + wanted->l4_off_bytes + 6);

    last[0] = (uint8_t)(sum >> 8);                 /* which adds it to what it complements */
    last[1] = (uint8_t)sum;
    assert_true(segment_start(&room->segmenter, &room->from, room->frame));
    assert_int_equal(segment_next(&room->segmenter, &room->into), 1);
    frame_complete(&room->into, segment);

    assert_int_equal(bytes_get_2(segment->hdr + wanted->l4_off_bytes + 6), 0xffff);
}

static void test_segment_bounds_a_batch_by_its_runs(void **state)
{
    struct room *room = *state;
    struct long_frame *wanted = room_plain(room);

    wanted->trusted_bytes = 54;
    wanted->run_bytes = 3;
    wanted->gso_size_bytes = 104;
    wanted->payload_bytes = 3 * FRAME_RUNS;
    room_frame(room);
    assert_int_equal(room->frame->seg_count, FRAME_RUNS);
    assert_true(segment_start(&room->segmenter, &room->from, room->frame));
    assert_in_range(segment_next(&room->segmenter, &room->into), 1, 31);   /* cuts make more runs */
    assert_in_range(room->into.run_count, FRAME_RUNS - 37, FRAME_RUNS);
    assert_int_equal(room_check_all(room), 32);

    wanted->gso_size_bytes = 4000;                 /* all runs that a batch can have, in one */
    room_frame(room);
    assert_int_equal(room_check_all(room), 1);
}

static void test_segment_passes_over_empty_runs(void **state)
{
    struct room *room = *state;
    struct frame_run *run = room->from.run;

    room_plain(room);
    room_frame(room);
    run[2] = run[0];
    run[0].len_bytes = 0;
    run[1] = run[0];
    room->frame->seg_count = 3;
    room->from.run_count = 3;

    assert_int_equal(room_check_all(room), 4);
}

static void test_segment_of_a_flood_floods(void **state)
{
    struct room *room = *state;

    room_plain(room);
    room_frame(room);
    room->frame->port_out = PORT_FLOOD;

    assert_true(segment_start(&room->segmenter, &room->from, room->frame));
    assert_int_equal(segment_next(&room->segmenter, &room->into), 4);
    assert_int_equal(room->into.flood_count, 4);
    assert_int_equal(room->into.port_in, 7);
}

static void test_segment_leaves_room_for_a_tag_before_every_header(void **state)
{
    struct room *room = *state;
    const struct frame_batch *into = &room->into;
    struct long_frame *wanted = room_plain(room);

    wanted->option_words = 7;                      /* a header of 122 bytes */
    wanted->tcp_option_words = 10;
    room_frame(room);
    assert_true(segment_start(&room->segmenter, &room->from, room->frame));
    assert_int_equal(segment_next(&room->segmenter, &room->into), 4);
    for (unsigned i = 0; i < 4; i++) {
        frame_tag_push(&room->into.frame[i], 5);
    }

    for (unsigned i = 0; i < 4; i++) {
        const struct frame *segment = &into->frame[i];

        assert_true(segment->hdr >= into->headroom);
        assert_true(i == 0 || segment->hdr >= segment[-1].hdr + segment[-1].hdr_len_bytes);
        assert_memory_equal(segment->hdr + 16, wanted->wire.data + 12, 4);
    }
}

/* ---- what cannot be cut ---------------------------------------------------------------------- */

static bool room_starts(struct room *room)
{
    return segment_start(&room->segmenter, &room->from, room->frame);
}

static void test_segment_refuses_headers_that_are_not_all_trusted(void **state)
{
    struct room *room = *state;

    room_plain(room)->tcp_option_words = 3;
    room_frame(room);
    room->frame->hdr_len_bytes = room->long_frame.header_bytes;
    assert_true(room_starts(room));
    for (uint16_t len_bytes = 0; len_bytes < room->long_frame.header_bytes; len_bytes++) {
        room->frame->hdr_len_bytes = len_bytes;
        assert_false(room_starts(room));
    }
}

static void test_segment_refuses_a_type_that_the_headers_belie(void **state)
{
    struct room *room = *state;

    room_plain(room);
    room_frame(room);
    room->frame->gso_type = FRAME_GSO_TCP6;
    assert_false(room_starts(room));
    room->frame->gso_type = FRAME_GSO_UDP;
    assert_false(room_starts(room));
    room->frame->gso_type = FRAME_GSO_NONE;
    assert_false(room_starts(room));
    room->frame->gso_type = 0xff;
    assert_false(room_starts(room));
    room->frame->gso_type = FRAME_GSO_TCP4;
    assert_true(room_starts(room));
    room->frame->hdr[room->long_frame.l4_off_bytes + 12] = 4 << 4;
    assert_false(room_starts(room));
}

static void test_segment_refuses_fragments(void **state)
{
    struct room *room = *state;

    room_plain(room)->id_flags = 0x2000;
    room_frame(room);

    assert_false(room_starts(room));
}

static void test_segment_refuses_a_route_that_is_not_at_its_end(void **state)
{
    struct room *room = *state;
    struct long_frame *wanted = room_plain(room);
    uint8_t *ip;

    wanted->gso_type = FRAME_GSO_TCP6;
    wanted->ip_version = 6;
    wanted->option_words = 3;
    room_frame(room);
    assert_true(room_starts(room));
    ip = room->frame->hdr + wanted->l3_off_bytes;
    ip[6] = 43;                                    /* now the extension is a routing header */
    ip[40 + 3] = 1;
    assert_false(room_starts(room));
    ip[40 + 3] = 0;
    assert_true(room_starts(room));
}

static void test_segment_refuses_a_source_route_that_is_not_at_its_end(void **state)
{
    static const struct { uint8_t options[12]; bool starts; } cases[] = {
        { { 131, 7, 4, 1, 2, 3, 4, 0, 1, 1, 1, 1 }, false },
        { { 131, 7, 8, 1, 2, 3, 4, 0, 1, 1, 1, 1 }, true },
        { { 1, 148, 4, 0, 0, 137, 7, 7, 1, 2, 3, 4 }, false },
        { { 1, 148, 4, 0, 0, 137, 7, 8, 1, 2, 3, 4 }, true },
        { { 7, 7, 4, 1, 2, 3, 4, 1, 1, 1, 1, 1 }, true },       /* a record is no route */
        { { 0, 131, 7, 4, 1, 2, 3, 4, 0, 0, 0, 0 }, true },     /* nor what is behind the end */
        { { 148, 0, 131, 7, 4, 1, 2, 3, 4, 0, 0, 0 }, true },   /* or nowhere */
        { { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 131, 7 }, true },
        { { 1, 1, 1, 1, 1, 1, 1, 1, 1, 131, 7, 4 }, false },
    };
    struct room *room = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        room_plain(room)->option_words = 3;
        room_frame(room);
        memcpy(room->frame->hdr + room->long_frame.l3_off_bytes + 20, cases[i].options, 12);
        if (room_starts(room) != cases[i].starts) {
            fail_msg("options %zu", i);
        }
    }
}

static void test_segment_refuses_what_is_signed_as_a_whole(void **state)
{
    struct room *room = *state;
    struct long_frame *wanted = room_plain(room);

    wanted->gso_type = FRAME_GSO_TCP6;
    wanted->ip_version = 6;
    wanted->option_words = 3;
    room_frame(room);
    assert_true(room_starts(room));
    room->frame->hdr[wanted->l3_off_bytes + 6] = 51;           /* 24 bytes of AH: RFC 4302, 2.2 */
    room->frame->hdr[wanted->l3_off_bytes + 41] = 4;
    assert_false(room_starts(room));
}

static void test_segment_refuses_a_syn_unless_it_fits(void **state)
{
    struct room *room = *state;

    room_plain(room)->tcp_flags = TCP_SYN;
    room_frame(room);
    assert_false(room_starts(room));
    room->long_frame.payload_bytes = 1000;
    room_frame(room);
    assert_int_equal(room_check_all(room), 1);
}

static void test_segment_refuses_all_options_of_ipv4_and_tcp_together(void **state)
{
    struct room *room = *state;
    struct long_frame *wanted = room_plain(room);

    wanted->option_words = 10;
    wanted->tcp_option_words = 7;                  /* 122 bytes */
    room_frame(room);
    assert_int_equal(room_check_all(room), 4);
    wanted->tcp_option_words = 8;                  /* 126 */
    room_frame(room);
    assert_false(room_starts(room));
}

static void test_segment_refuses_what_costs_or_is_too_much(void **state)
{
    struct room *room = *state;
    struct long_frame *wanted = room_plain(room);

    wanted->payload_bytes = 65000;
    room_frame(room);
    room->frame->gso_size_bytes = 0;
    assert_false(room_starts(room));
    room->frame->gso_size_bytes = 65000 / SEGMENT_MAX_FRAMES;
    assert_false(room_starts(room));
    room->frame->gso_size_bytes = 65000 / SEGMENT_MAX_FRAMES + 1;
    assert_true(room_starts(room));
    room->frame->gso_size_bytes = 0xffff;          /* one segment, which IP can just say */
    room->frame->len_bytes = 14 + 65535;
    assert_true(room_starts(room));
    room->frame->len_bytes++;
    assert_false(room_starts(room));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segment_cuts_any_frame_into_right_ones),
        cmocka_unit_test(test_segment_keeps_cwr_on_the_first_and_fin_and_psh_on_the_last),
        cmocka_unit_test(test_segment_wraps_identification_and_sequence),
        cmocka_unit_test(test_segment_of_a_short_payload_is_one_and_whole),
        cmocka_unit_test(test_segment_of_udp_whose_sum_is_zero_is_completed_to_ones),
        cmocka_unit_test(test_segment_bounds_a_batch_by_its_runs),
        cmocka_unit_test(test_segment_passes_over_empty_runs),
        cmocka_unit_test(test_segment_of_a_flood_floods),
        cmocka_unit_test(test_segment_leaves_room_for_a_tag_before_every_header),
        cmocka_unit_test(test_segment_refuses_headers_that_are_not_all_trusted),
        cmocka_unit_test(test_segment_refuses_a_type_that_the_headers_belie),
        cmocka_unit_test(test_segment_refuses_fragments),
        cmocka_unit_test(test_segment_refuses_a_route_that_is_not_at_its_end),
        cmocka_unit_test(test_segment_refuses_a_source_route_that_is_not_at_its_end),
        cmocka_unit_test(test_segment_refuses_what_is_signed_as_a_whole),
        cmocka_unit_test(test_segment_refuses_a_syn_unless_it_fits),
        cmocka_unit_test(test_segment_refuses_all_options_of_ipv4_and_tcp_together),
        cmocka_unit_test(test_segment_refuses_what_costs_or_is_too_much),
    };

    return cmocka_run_group_tests(tests, room_setup, room_teardown);
}
