/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a virtio-net header is believed of a frame: all that is true of it, and nothing else.
 */
#include "vnic/net_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "switch/checksum.h"
#include "switch/ether.h"
#include "switch/offload.h"
#include "tests/support/checksum_naive.h"
#include "tests/support/frame_builder.h"
#include "tests/support/frame_complete.h"
#include "tests/support/long_frame.h"
#include "tests/support/random.h"

#define A UINT64_C(0x00155d000001)
#define B UINT64_C(0x00155d000002)
#define IP_A UINT32_C(0x0a000001)
#define IP_B UINT32_C(0x0a000002)
#define NEEDS_CSUM 1u
#define DATA_VALID 2u
#define ECN 0x80u
#define CWR 0x80u
#define TCP_CSUM 16u
#define UDP_CSUM 6u
#define VXLAN_BYTES 16u                /* and UDP's header before it */

enum { GSO_NONE, GSO_TCPV4, GSO_OLD = 2, GSO_UDP = 3, GSO_TCPV6, GSO_UDP_L4 };

static struct wire wire;
static struct frame_batch batch;

struct fields {
    uint8_t flags;
    uint8_t gso;
    uint16_t hdr_len;
    uint16_t gso_size;
    uint16_t start;
    uint16_t offset;
};

/* Puts the wire's bytes into a frame, whose payload is listed, and reads a header about it. */
static bool read_of(const struct fields *fields, struct frame **frame)
{
    const uint8_t header[NET_HEADER_BASE_BYTES] = {
        fields->flags, fields->gso, (uint8_t)fields->hdr_len, (uint8_t)(fields->hdr_len >> 8),
        (uint8_t)fields->gso_size, (uint8_t)(fields->gso_size >> 8),
        (uint8_t)fields->start, (uint8_t)(fields->start >> 8),
        (uint8_t)fields->offset, (uint8_t)(fields->offset >> 8),
    };

    batch_start(&batch, 0);
    *frame = batch_add_wire(&batch, &wire, 0);
    return net_header_read(header, *frame);
}

static bool is_true(uint8_t gso, uint16_t gso_size, uint16_t start, uint16_t offset)
{
    struct frame *frame;

    return read_of(&(struct fields){ .flags = NEEDS_CSUM, .gso = gso, .gso_size = gso_size,
                                     .start = start, .offset = offset }, &frame);
}

static void check_untouched(const struct frame *frame)
{
    assert_int_equal(frame->csum_state, FRAME_CSUM_AS_IT_IS);
    assert_int_equal(frame->gso_type, FRAME_GSO_NONE);
    assert_int_equal(frame->gso_size_bytes, 0);
    assert_int_equal(frame->csum_start_bytes, 0);
}

/* The transport's header, 20 or 8 bytes, and bytes to @p len_bytes; l4 at the end of @p wire. */
static void put_transport(uint8_t protocol, uint32_t len_bytes)
{
    const uint32_t l4 = wire.len_bytes;

    wire_ports(&wire, 1000, 2000);
    wire_fill(&wire, len_bytes);
    if (protocol == IP_PROTOCOL_TCP) {
        wire.data[l4 + 12] = 0x50;
    }
}

static void make_v4(uint8_t protocol, uint32_t len_bytes)
{
    wire_start(&wire, B, A);
    wire_ipv4(&wire, IP_A, IP_B, protocol, 0);
    put_transport(protocol, len_bytes);
}

static void make_v6(uint8_t protocol, uint32_t len_bytes)
{
    wire_start(&wire, B, A);
    wire_ipv6(&wire, 1, 2, protocol);
    put_transport(protocol, len_bytes);
}

static void test_net_header_of_zeros_says_nothing(void **state)
{
    struct frame *frame;
    (void)state;

    make_v4(IP_PROTOCOL_UDP, 200);

    assert_true(read_of(&(struct fields){ 0 }, &frame));
    check_untouched(frame);
}

/* A guest that says "checked" (2) or "coalesced" (4) has no say in that. */
static void test_net_header_flags_for_receivers_are_ignored(void **state)
{
    struct frame *frame;
    (void)state;

    make_v4(IP_PROTOCOL_UDP, 200);

    assert_true(read_of(&(struct fields){ .flags = 2 | 4, .start = 9, .gso_size = 7 }, &frame));
    check_untouched(frame);
}

static void test_net_header_of_a_trusted_sender_says_that_it_checked(void **state)
{
    uint8_t header[NET_HEADER_BASE_BYTES] = { DATA_VALID };
    struct frame *frame;
    (void)state;

    make_v4(IP_PROTOCOL_UDP, 200);
    batch_start(&batch, 0);
    frame = batch_add_wire(&batch, &wire, 0);
    assert_true(net_header_read_trusted(header, frame));
    assert_int_equal(frame->csum_state, FRAME_CSUM_CHECKED);
    assert_int_equal(frame->gso_type, FRAME_GSO_NONE);

    header[0] = DATA_VALID | NEEDS_CSUM;           /* what is yet to be computed was not checked */
    header[6] = 34;
    header[8] = UDP_CSUM;
    batch_start(&batch, 0);
    frame = batch_add_wire(&batch, &wire, 0);
    assert_true(net_header_read_trusted(header, frame));
    assert_int_equal(frame->csum_state, FRAME_CSUM_PARTIAL);

    header[0] = DATA_VALID;                        /* and a lie stays one */
    header[1] = GSO_UDP_L4;
    batch_start(&batch, 0);
    frame = batch_add_wire(&batch, &wire, 0);
    assert_false(net_header_read_trusted(header, frame));
    check_untouched(frame);
}

/* LRO: whatever checksum is in the frame, what is made of it will be right. */
static void check_merged(uint8_t gso, uint8_t protocol)
{
    const uint8_t header[NET_HEADER_BASE_BYTES] = { DATA_VALID, gso, 0, 0, 100 };
    struct frame *frame;
    uint16_t sum;

    batch_start(&batch, 0);
    frame = batch_add_wire(&batch, &wire, 0);
    assert_false(net_header_read(header, frame));  /* of a guest */
    assert_true(net_header_read_trusted(header, frame));
    assert_int_equal(frame->csum_state, FRAME_CSUM_PARTIAL);
    assert_int_not_equal(frame->gso_type, FRAME_GSO_NONE);
    assert_int_equal(frame->gso_size_bytes, 100);

    frame_complete(&batch, frame);
    sum = (uint16_t)(protocol + frame->len_bytes - frame->l4_off_bytes);
    sum = frame->l4_off_bytes == 34 ? checksum_naive(sum, frame->hdr + 26, 8)
                                    : checksum_naive(sum, frame->hdr + 22, 32);
    assert_int_equal(checksum_finish(checksum_add_frame(sum, &batch, frame, frame->l4_off_bytes)),
                     0);
}

static void test_net_header_merged_by_a_trusted_sender_has_no_checksum_yet(void **state)
{
    (void)state;

    make_v4(IP_PROTOCOL_TCP, 3001);
    check_merged(GSO_TCPV4, IP_PROTOCOL_TCP);
    make_v6(IP_PROTOCOL_TCP, 3000);
    check_merged(GSO_TCPV6, IP_PROTOCOL_TCP);
    make_v4(IP_PROTOCOL_UDP, 3000);
    check_merged(GSO_UDP_L4, IP_PROTOCOL_UDP);
    make_v6(IP_PROTOCOL_UDP, 3001);
    check_merged(GSO_UDP_L4, IP_PROTOCOL_UDP);
}

static void test_net_header_checksum_of_each_transport_is_taken_over(void **state)
{
    static const struct { uint8_t protocol; uint16_t offset; } of[] = {
        { IP_PROTOCOL_TCP, TCP_CSUM }, { IP_PROTOCOL_UDP, UDP_CSUM },
    };
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        for (unsigned v6 = 0; v6 < 2; v6++) {
            const uint16_t l4 = v6 ? 54 : 34;
            struct frame *frame;

            (v6 ? make_v6 : make_v4)(of[i].protocol, 300);

            assert_true(read_of(&(struct fields){ .flags = NEEDS_CSUM, .start = l4,
                                                  .offset = of[i].offset }, &frame));
            assert_int_equal(frame->csum_state, FRAME_CSUM_PARTIAL);
            assert_int_equal(frame->csum_start_bytes, l4);
            assert_int_equal(frame->csum_offset_bytes, of[i].offset);
            assert_int_equal(frame->l3_off_bytes, 14);
            assert_int_equal(frame->l4_off_bytes, l4);
            assert_int_equal(frame->gso_type, FRAME_GSO_NONE);
        }
    }
}

static void test_net_header_tags_move_the_checksum(void **state)
{
    (void)state;

    wire_start(&wire, B, A);
    wire_tag(&wire, ETHERTYPE_STAG, 100);
    wire_tag(&wire, ETHERTYPE_CTAG, 0);
    wire_ipv4(&wire, IP_A, IP_B, IP_PROTOCOL_TCP, 0);
    put_transport(IP_PROTOCOL_TCP, 3000);

    assert_true(is_true(GSO_NONE, 0, 42, TCP_CSUM));
    assert_true(is_true(GSO_TCPV4, 1000, 42, TCP_CSUM));
    assert_false(is_true(GSO_NONE, 0, 34, TCP_CSUM));
}

static void test_net_header_checksum_elsewhere_is_a_lie(void **state)
{
    (void)state;

    make_v4(IP_PROTOCOL_UDP, 300);
    assert_false(is_true(GSO_NONE, 0, 0, 6));                  /* over the source address */
    assert_false(is_true(GSO_NONE, 0, 14, 10));                /* IP's own */
    assert_false(is_true(GSO_NONE, 0, 33, UDP_CSUM));
    assert_false(is_true(GSO_NONE, 0, 35, UDP_CSUM));
    assert_false(is_true(GSO_NONE, 0, 53, UDP_CSUM));          /* before the end of a tunnel's */
    assert_false(is_true(GSO_NONE, 0, 34, TCP_CSUM));
    assert_false(is_true(GSO_NONE, 0, 34, 0));                 /* over the ports */
    assert_false(is_true(GSO_NONE, 0, 34, 0xffff));
    assert_false(is_true(GSO_NONE, 0, 0xffff, 0xffff));

    make_v4(IP_PROTOCOL_TCP, 300);
    assert_false(is_true(GSO_NONE, 0, 34, UDP_CSUM));
    assert_false(is_true(GSO_NONE, 0, 60, TCP_CSUM));          /* TCP carries no packets */
}

static void test_net_header_checksum_of_other_protocols_is_refused(void **state)
{
    static const uint8_t protocol[] = { 1, 58, IP_PROTOCOL_SCTP, IP_PROTOCOL_UDP_LITE,
                                        IP_PROTOCOL_DCCP };
    (void)state;

    for (size_t i = 0; i < sizeof(protocol); i++) {
        make_v4(protocol[i], 300);
        for (uint16_t offset = 0; offset < 20; offset++) {
            assert_false(is_true(GSO_NONE, 0, 34, offset));
        }
    }
}

static void test_net_header_checksum_of_a_fragment_is_refused(void **state)
{
    (void)state;

    for (unsigned second = 0; second < 2; second++) {
        wire_start(&wire, B, A);
        wire_ipv4(&wire, IP_A, IP_B, IP_PROTOCOL_UDP, second ? 0x2010 : 0x2000);
        put_transport(IP_PROTOCOL_UDP, 300);
        assert_false(is_true(GSO_NONE, 0, 34, UDP_CSUM));

        wire_start(&wire, B, A);
        wire_ipv6(&wire, 1, 2, 44);
        wire_fragment(&wire, IP_PROTOCOL_UDP, second ? 0x0011 : 0x0001);
        put_transport(IP_PROTOCOL_UDP, 300);
        assert_false(is_true(GSO_NONE, 0, 62, UDP_CSUM));
    }
}

static void test_net_header_checksum_field_must_be_trusted_whole(void **state)
{
    const uint16_t last = FRAME_HDR_BYTES - 2 - UDP_CSUM;
    (void)state;

    make_v4(IP_PROTOCOL_UDP, 300);
    assert_true(is_true(GSO_NONE, 0, last, UDP_CSUM));
    assert_false(is_true(GSO_NONE, 0, last + 1, UDP_CSUM));

    make_v4(IP_PROTOCOL_UDP, 42);
    assert_true(is_true(GSO_NONE, 0, 34, UDP_CSUM));
    make_v4(IP_PROTOCOL_UDP, 41);
    assert_false(is_true(GSO_NONE, 0, 34, UDP_CSUM));
    wire.len_bytes = 13;
    assert_false(is_true(GSO_NONE, 0, 2, 2));
}

/* Outer Ethernet, IPv4, UDP and VXLAN; inner Ethernet, IPv4 and TCP. */
static void make_vxlan(void)
{
    make_v4(IP_PROTOCOL_UDP, 34 + VXLAN_BYTES + 12);
    wire_ipv4(&wire, IP_A, IP_B, IP_PROTOCOL_TCP, 0);
    put_transport(IP_PROTOCOL_TCP, 3000);
}

static void test_net_header_checksum_in_a_tunnel_is_taken_over(void **state)
{
    const uint16_t inner = 34 + VXLAN_BYTES + 34;
    struct frame *frame;
    (void)state;

    make_vxlan();

    assert_true(read_of(&(struct fields){ .flags = NEEDS_CSUM, .start = inner,
                                          .offset = TCP_CSUM }, &frame));
    assert_int_equal(frame->csum_start_bytes, inner);
    assert_int_equal(frame->l4_off_bytes, 34);
}

static void test_net_header_segmentation_in_a_tunnel_is_refused(void **state)
{
    (void)state;

    make_vxlan();

    assert_false(is_true(GSO_TCPV4, 1000, 34 + VXLAN_BYTES + 34, TCP_CSUM));
}

/* Where IP is not seen to its end, its addresses could be what is written over. */
static void test_net_header_checksum_behind_unknown_headers_is_refused(void **state)
{
    (void)state;

    wire_start(&wire, B, A);
    wire_ipv6(&wire, 1, 2, 44);
    wire_fragment(&wire, IP_PROTOCOL_UDP, 0x0010);
    wire_fill(&wire, 200);

    assert_false(is_true(GSO_NONE, 0, 40, 2));
    assert_false(is_true(GSO_NONE, 0, 100, 2));
}

static void test_net_header_segmentation_is_taken_over(void **state)
{
    static const struct { uint8_t gso, protocol, version, type; uint16_t offset; } of[] = {
        { GSO_TCPV4, IP_PROTOCOL_TCP, 4, FRAME_GSO_TCP4, TCP_CSUM },
        { GSO_TCPV4 | ECN, IP_PROTOCOL_TCP, 4, FRAME_GSO_TCP4, TCP_CSUM },
        { GSO_TCPV6, IP_PROTOCOL_TCP, 6, FRAME_GSO_TCP6, TCP_CSUM },
        { GSO_TCPV6 | ECN, IP_PROTOCOL_TCP, 6, FRAME_GSO_TCP6, TCP_CSUM },
        { GSO_UDP_L4, IP_PROTOCOL_UDP, 4, FRAME_GSO_UDP, UDP_CSUM },
        { GSO_UDP_L4, IP_PROTOCOL_UDP, 6, FRAME_GSO_UDP, UDP_CSUM },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
        const uint16_t l4 = of[i].version == 4 ? 34 : 54;
        struct frame *frame;

        (of[i].version == 4 ? make_v4 : make_v6)(of[i].protocol, 9000);

        /* hdr_len is any nonsense: a hint */
        assert_true(read_of(&(struct fields){ .flags = NEEDS_CSUM, .gso = of[i].gso,
                                              .hdr_len = 0xfffe, .gso_size = 1448, .start = l4,
                                              .offset = of[i].offset }, &frame));
        assert_int_equal(frame->gso_type, of[i].type);
        assert_int_equal(frame->gso_size_bytes, 1448);
        assert_int_equal(frame->csum_state, FRAME_CSUM_PARTIAL);
        assert_int_equal(frame->csum_start_bytes, l4);
    }
}

static void test_net_header_segmentation_of_another_kind_is_a_lie(void **state)
{
    static const uint8_t unknown[] = { GSO_OLD, GSO_UDP, 6, 0x7f, ECN, ECN | GSO_UDP_L4,
                                       ECN | GSO_UDP };
    (void)state;

    make_v4(IP_PROTOCOL_TCP, 9000);
    assert_false(is_true(GSO_TCPV6, 1448, 34, TCP_CSUM));
    assert_false(is_true(GSO_UDP_L4, 1448, 34, TCP_CSUM));
    make_v6(IP_PROTOCOL_TCP, 9000);
    assert_false(is_true(GSO_TCPV4, 1448, 54, TCP_CSUM));
    make_v4(IP_PROTOCOL_UDP, 9000);
    assert_false(is_true(GSO_TCPV4, 1448, 34, UDP_CSUM));
    for (size_t i = 0; i < sizeof(unknown); i++) {
        assert_false(is_true(unknown[i], 1448, 34, UDP_CSUM));
    }
}

static void test_net_header_segmentation_needs_a_checksum_and_a_size(void **state)
{
    struct frame *frame;
    (void)state;

    make_v4(IP_PROTOCOL_TCP, 9000);

    assert_false(read_of(&(struct fields){ .gso = GSO_TCPV4, .gso_size = 1448, .start = 34,
                                           .offset = TCP_CSUM }, &frame));
    check_untouched(frame);
    assert_false(read_of(&(struct fields){ .flags = NEEDS_CSUM, .gso = GSO_TCPV4, .start = 34,
                                           .offset = TCP_CSUM }, &frame));
    check_untouched(frame);
}

static void test_net_header_one_segment_is_none(void **state)
{
    struct frame *frame;
    (void)state;

    make_v4(IP_PROTOCOL_TCP, 34 + 20 + 1000);

    assert_true(read_of(&(struct fields){ .flags = NEEDS_CSUM, .gso = GSO_TCPV4, .gso_size = 1000,
                                          .start = 34, .offset = TCP_CSUM }, &frame));
    assert_int_equal(frame->gso_type, FRAME_GSO_NONE);
    assert_int_equal(frame->csum_state, FRAME_CSUM_PARTIAL);
    assert_true(read_of(&(struct fields){ .flags = NEEDS_CSUM, .gso = GSO_TCPV4, .gso_size = 999,
                                          .start = 34, .offset = TCP_CSUM }, &frame));
    assert_int_equal(frame->gso_type, FRAME_GSO_TCP4);
}

static void test_net_header_segmentation_needs_whole_tcp_headers(void **state)
{
    (void)state;

    make_v4(IP_PROTOCOL_TCP, 9000);
    wire.data[34 + 12] = 0x40;
    assert_false(is_true(GSO_TCPV4, 1448, 34, TCP_CSUM));
    wire.data[34 + 12] = 0xf0;
    assert_true(is_true(GSO_TCPV4, 1448, 34, TCP_CSUM));

    make_v4(IP_PROTOCOL_TCP, 34 + 59);             /* options, cut off */
    wire.data[34 + 12] = 0xf0;
    assert_false(is_true(GSO_TCPV4, 1, 34, TCP_CSUM));
}

/* ---- writing --------------------------------------------------------------------------------- */

static uint16_t field(const uint8_t *header, unsigned at)
{
    return (uint16_t)(header[at] | header[at + 1] << 8);
}

static void write_of(uint8_t header[NET_HEADER_BASE_BYTES], const struct frame *frame,
                     uint8_t takes)
{
    memset(header, 0xee, NET_HEADER_BASE_BYTES);
    net_header_write(header, frame, takes);
}

static void test_net_header_nothing_to_say_is_written_as_zeros(void **state)
{
    static const uint8_t zeros[NET_HEADER_BASE_BYTES];
    uint8_t header[NET_HEADER_BASE_BYTES];
    struct frame frame = { .csum_start_bytes = 34, .csum_offset_bytes = 16 };
    (void)state;

    write_of(header, &frame, OFFLOAD_TAKES_ALL);
    assert_memory_equal(header, zeros, sizeof(zeros));
    for (unsigned csum = FRAME_CSUM_PARTIAL; csum <= FRAME_CSUM_CHECKED; csum++) {
        frame.csum_state = (uint8_t)csum;
        write_of(header, &frame, OFFLOAD_TAKES_ALL & ~OFFLOAD_TAKES_CSUM);
        assert_memory_equal(header, zeros, sizeof(zeros));
    }
}

static void test_net_header_checked_is_written_as_valid_and_nothing_else(void **state)
{
    static const uint8_t valid[NET_HEADER_BASE_BYTES] = { DATA_VALID };
    const struct frame frame = { .csum_state = FRAME_CSUM_CHECKED, .csum_start_bytes = 34 };
    uint8_t header[NET_HEADER_BASE_BYTES];
    (void)state;

    write_of(header, &frame, OFFLOAD_TAKES_CSUM);
    assert_memory_equal(header, valid, sizeof(valid));
}

/* Any long frame, its header written and read by another, has the same facts to it. */
static void test_net_header_written_and_read_is_the_same(void **state)
{
    static struct long_frame longs;
    uint64_t random = 2026;
    (void)state;

    for (unsigned i = 0; i < 3000; i++) {
        uint8_t header[NET_HEADER_BASE_BYTES];
        struct frame before;
        struct frame *frame;

        long_frame_random(&longs, &random);
        long_frame_write(&longs);
        batch_start(&batch, 0);
        frame = long_frame_add(&longs, &batch);
        if (longs.payload_bytes <= longs.gso_size_bytes || random_below(&random, 4) == 0) {
            frame->gso_type = FRAME_GSO_NONE;
            frame->gso_size_bytes = 0;
        }
        before = *frame;
        write_of(header, frame, OFFLOAD_TAKES_ALL);

        frame->gso_type = FRAME_GSO_NONE;
        frame->gso_size_bytes = 0;
        frame->csum_state = FRAME_CSUM_AS_IT_IS;
        frame->csum_start_bytes = 0;
        frame->csum_offset_bytes = 0;
        frame->l3_off_bytes = 0;
        frame->l4_off_bytes = 0;
        assert_true(net_header_read(header, frame));
        assert_memory_equal(frame, &before, sizeof(before));
        assert_int_equal(field(header, 2), before.gso_type != FRAME_GSO_NONE ? longs.header_bytes
                                                                             : 0);
        assert_int_equal((header[1] & ECN) != 0,
                         before.gso_type != FRAME_GSO_NONE && before.gso_type != FRAME_GSO_UDP &&
                             (longs.tcp_flags & CWR) != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_net_header_of_zeros_says_nothing),
        cmocka_unit_test(test_net_header_flags_for_receivers_are_ignored),
        cmocka_unit_test(test_net_header_of_a_trusted_sender_says_that_it_checked),
        cmocka_unit_test(test_net_header_merged_by_a_trusted_sender_has_no_checksum_yet),
        cmocka_unit_test(test_net_header_checksum_of_each_transport_is_taken_over),
        cmocka_unit_test(test_net_header_tags_move_the_checksum),
        cmocka_unit_test(test_net_header_checksum_elsewhere_is_a_lie),
        cmocka_unit_test(test_net_header_checksum_of_other_protocols_is_refused),
        cmocka_unit_test(test_net_header_checksum_of_a_fragment_is_refused),
        cmocka_unit_test(test_net_header_checksum_field_must_be_trusted_whole),
        cmocka_unit_test(test_net_header_checksum_in_a_tunnel_is_taken_over),
        cmocka_unit_test(test_net_header_segmentation_in_a_tunnel_is_refused),
        cmocka_unit_test(test_net_header_checksum_behind_unknown_headers_is_refused),
        cmocka_unit_test(test_net_header_segmentation_is_taken_over),
        cmocka_unit_test(test_net_header_segmentation_of_another_kind_is_a_lie),
        cmocka_unit_test(test_net_header_segmentation_needs_a_checksum_and_a_size),
        cmocka_unit_test(test_net_header_one_segment_is_none),
        cmocka_unit_test(test_net_header_segmentation_needs_whole_tcp_headers),
        cmocka_unit_test(test_net_header_nothing_to_say_is_written_as_zeros),
        cmocka_unit_test(test_net_header_checked_is_written_as_valid_and_nothing_else),
        cmocka_unit_test(test_net_header_written_and_read_is_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
