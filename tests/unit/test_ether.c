/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The header parser: what it finds, what it hashes, and that a cut header is never more than cut.
 */
#include "switch/ether.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/frame_builder.h"
#include "tests/support/random.h"

#define A UINT64_C(0x00155d000001)
#define B UINT64_C(0x00155d000002)
#define IP_A UINT32_C(0x0a000001)
#define IP_B UINT32_C(0x0a000002)

static struct wire wire;

/* Parses a copy that has exactly the bytes there are, so that a sanitizer sees a read past them. */
static struct ether_info parse_cut(uint32_t len_bytes)
{
    uint8_t *exact = malloc(len_bytes > 0 ? len_bytes : 1);
    struct ether_info info;

    assert_non_null(exact);
    memcpy(exact, wire.data, len_bytes);
    assert_int_equal(ether_parse(exact, (uint16_t)len_bytes, &info), len_bytes >= 14);
    free(exact);
    return info;
}

static struct ether_info parse(void)
{
    return parse_cut(wire.len_bytes);
}

static void start(void)
{
    wire_start(&wire, B, A);
}

static uint32_t udp_hash(uint32_t source, uint32_t destination, uint16_t source_port,
                         uint16_t destination_port)
{
    start();
    wire_ipv4(&wire, source, destination, IP_PROTOCOL_UDP, 0);
    wire_ports(&wire, source_port, destination_port);
    return parse().flow_hash;
}

static void test_ether_arp_has_addresses_and_no_flow(void **state)
{
    struct ether_info info;
    (void)state;

    start();
    wire_type(&wire, ETHERTYPE_ARP);
    wire_fill(&wire, 60);
    info = parse();

    assert_true(info.destination == B && info.source == A);
    assert_int_equal(info.ethertype, ETHERTYPE_ARP);
    assert_int_equal(info.l3_off_bytes, 14);
    assert_int_equal(info.ip_version, 0);
    assert_int_equal(info.flow_hash, 0);
}

static void test_ether_ipv4_udp_is_found_whole(void **state)
{
    struct ether_info info;
    (void)state;

    start();
    wire_ipv4(&wire, IP_A, IP_B, IP_PROTOCOL_UDP, 0);
    wire_ports(&wire, 5000, 53);
    wire_fill(&wire, 64);
    info = parse();

    assert_int_equal(info.ip_version, 4);
    assert_int_equal(info.l4_protocol, IP_PROTOCOL_UDP);
    assert_int_equal(info.l4_off_bytes, 34);
    assert_int_equal(info.source_port, 5000);
    assert_int_equal(info.destination_port, 53);
    assert_false(info.is_fragment);
    assert_int_not_equal(info.flow_hash, 0);
}

static void test_ether_ipv4_options_move_l4(void **state)
{
    struct ether_info info;
    (void)state;

    start();
    wire_ipv4(&wire, IP_A, IP_B, IP_PROTOCOL_TCP, 0);
    wire.data[14] = 0x47;
    wire_fill(&wire, wire.len_bytes + 8);
    wire_ports(&wire, 1, 2);
    info = parse();

    assert_int_equal(info.l4_off_bytes, 42);
    assert_int_equal(info.destination_port, 2);
}

static void test_ether_ipv4_unsound_header_is_not_ip(void **state)
{
    static const uint8_t first[] = { 0x44, 0x40, 0x55, 0x65, 0x05 };
    (void)state;

    for (size_t i = 0; i < sizeof(first); i++) {
        struct ether_info info;

        start();
        wire_ipv4(&wire, IP_A, IP_B, IP_PROTOCOL_UDP, 0);
        wire_ports(&wire, 1, 2);
        wire.data[14] = first[i];
        info = parse();

        assert_int_equal(info.ip_version, 0);
        assert_int_equal(info.l4_off_bytes, 0);
        assert_int_equal(info.flow_hash, 0);
    }
}

static void test_ether_two_tags_are_reported_and_passed(void **state)
{
    struct ether_info info;
    (void)state;

    start();
    wire_tag(&wire, ETHERTYPE_STAG, 0x2064);
    wire_tag(&wire, ETHERTYPE_CTAG, 0x000a);
    wire_ipv4(&wire, IP_A, IP_B, IP_PROTOCOL_TCP, 0);
    wire_ports(&wire, 80, 81);
    info = parse();

    assert_int_equal(info.tag_count, 2);
    assert_int_equal(info.tag_tci[0], 0x2064);
    assert_int_equal(info.tag_tci[1], 0x000a);
    assert_int_equal(info.l3_off_bytes, 22);
    assert_int_equal(info.source_port, 80);
}

static void test_ether_third_tag_is_the_type(void **state)
{
    struct ether_info info;
    (void)state;

    start();
    for (unsigned i = 0; i < 3; i++) {
        wire_tag(&wire, ETHERTYPE_CTAG, 1);
    }
    wire_ipv4(&wire, IP_A, IP_B, IP_PROTOCOL_TCP, 0);
    info = parse();

    assert_int_equal(info.ethertype, ETHERTYPE_CTAG);
    assert_int_equal(info.ip_version, 0);
}

static void test_ether_ipv6_extensions_are_walked(void **state)
{
    struct ether_info info;
    (void)state;

    start();
    wire_ipv6(&wire, 1, 2, 0);
    wire_extension(&wire, 60, 1);
    wire_extension(&wire, 51, 0);
    wire_extension(&wire, 139, 0);               /* AH of 8 bytes: its length counts in fours */
    wire_extension(&wire, 140, 0);
    wire_extension(&wire, IP_PROTOCOL_UDP, 0);
    wire_ports(&wire, 546, 547);
    info = parse();

    assert_int_equal(info.ip_version, 6);
    assert_int_equal(info.l4_protocol, IP_PROTOCOL_UDP);
    assert_int_equal(info.l4_off_bytes, 14 + 40 + 16 + 8 + 8 + 8 + 8);
    assert_int_equal(info.source_port, 546);
}

static void test_ether_ipv6_walk_is_bounded(void **state)
{
    struct ether_info info;
    (void)state;

    start();
    wire_ipv6(&wire, 1, 2, 60);
    for (unsigned i = 0; i < 8; i++) {
        wire_extension(&wire, 60, 0);
    }
    wire_extension(&wire, IP_PROTOCOL_UDP, 0);
    wire_ports(&wire, 1, 2);
    info = parse();

    assert_int_equal(info.ip_version, 6);
    assert_int_equal(info.l4_off_bytes, 0);
    assert_int_equal(info.l4_protocol, 0);
    assert_int_not_equal(info.flow_hash, 0);
}

static void test_ether_fragments_hash_addresses_only(void **state)
{
    struct ether_info first, later, other;
    (void)state;

    start();
    wire_ipv4(&wire, IP_A, IP_B, IP_PROTOCOL_UDP, 0x2000);
    wire_ports(&wire, 1, 2);
    first = parse();
    start();
    wire_ipv4(&wire, IP_A, IP_B, IP_PROTOCOL_UDP, 0x0010);
    wire_ports(&wire, 3, 4);
    later = parse();
    start();
    wire_ipv4(&wire, IP_A, IP_B + 1, IP_PROTOCOL_UDP, 0x0010);
    wire_ports(&wire, 3, 4);
    other = parse();

    assert_true(first.is_fragment && later.is_fragment);
    assert_true(!first.is_later_fragment && later.is_later_fragment);
    assert_int_equal(first.source_port, 1);
    assert_int_equal(later.l4_off_bytes, 0);
    assert_int_equal(later.source_port, 0);
    assert_int_equal(first.flow_hash, later.flow_hash);
    assert_int_not_equal(later.flow_hash, other.flow_hash);
}

static void test_ether_ipv6_fragments_hash_addresses_only(void **state)
{
    struct ether_info first, later, whole;
    (void)state;

    start();
    wire_ipv6(&wire, 1, 2, 44);
    wire_fragment(&wire, IP_PROTOCOL_UDP, 0x0001);
    wire_ports(&wire, 1, 2);
    first = parse();
    start();
    wire_ipv6(&wire, 1, 2, 44);
    wire_fragment(&wire, IP_PROTOCOL_UDP, 0x0100);
    wire_ports(&wire, 3, 4);
    later = parse();
    start();
    wire_ipv6(&wire, 1, 2, 44);
    wire_fragment(&wire, IP_PROTOCOL_UDP, 0);
    wire_ports(&wire, 1, 2);
    whole = parse();

    assert_true(first.is_fragment && later.is_fragment);
    assert_true(!first.is_later_fragment && later.is_later_fragment);
    assert_int_equal(first.flow_hash, later.flow_hash);
    assert_int_equal(later.l4_off_bytes, 0);
    assert_false(whole.is_fragment);
    assert_int_equal(whole.destination_port, 2);
}

static void test_ether_hash_tells_flows_apart(void **state)
{
    const uint32_t hash = udp_hash(IP_A, IP_B, 1000, 2000);
    (void)state;

    assert_int_equal(udp_hash(IP_A, IP_B, 1000, 2000), hash);
    assert_int_not_equal(udp_hash(IP_A, IP_B, 1001, 2000), hash);
    assert_int_not_equal(udp_hash(IP_A, IP_B, 1000, 2001), hash);
    assert_int_not_equal(udp_hash(IP_A + 1, IP_B, 1000, 2000), hash);
    assert_int_not_equal(udp_hash(IP_B, IP_A, 2000, 1000), hash);
}

/* Queues are chosen by a remainder or by the low or high bits, so each must spread by itself. */
static void test_ether_hash_spreads_neighbouring_flows_over_queues(void **state)
{
    static const unsigned shifts[] = { 0, 12, 28 };
    (void)state;

    for (size_t s = 0; s < 3; s++) {
        unsigned count[16] = { 0 };

        for (uint16_t port = 0; port < 4096; port++) {
            count[(udp_hash(IP_A, IP_B, (uint16_t)(20000 + port), 80) >> shifts[s]) % 16]++;
        }
        for (unsigned queue = 0; queue < 16; queue++) {
            assert_in_range(count[queue], 160, 352);
        }
    }
}

static void test_ether_flow_hashes_are_those_of_the_frames_named(void **state)
{
    static struct frame_batch batch;
    const uint8_t index[] = { 4, 0, 2 };
    uint32_t single[5], hash[3];
    (void)state;

    batch_start(&batch, 1);
    for (uint16_t i = 0; i < 5; i++) {
        single[i] = udp_hash(IP_A, IP_B, i, 80);
        batch_add_wire(&batch, &wire, 0);
    }
    ether_flow_hashes(&batch, index, 3, hash);

    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(hash[i], single[index[i]]);
    }
}

static void test_ether_is_tagged_knows_all_tags(void **state)
{
    static const uint16_t tags[] = { ETHERTYPE_CTAG, ETHERTYPE_STAG, ETHERTYPE_OLD_STAG };
    (void)state;

    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        start();
        wire_tag(&wire, tags[i], 1);
        assert_true(ether_is_tagged(wire.data));
    }
    start();
    wire_type(&wire, ETHERTYPE_IPV4);
    assert_false(ether_is_tagged(wire.data));
}

static void test_ether_cut_anywhere_stays_inside(void **state)
{
    (void)state;

    for (unsigned kind = 0; kind < 3; kind++) {
        start();
        wire_tag(&wire, ETHERTYPE_CTAG, 5);
        if (kind == 0) {
            wire_ipv4(&wire, IP_A, IP_B, IP_PROTOCOL_TCP, 0);
        } else {
            wire_ipv6(&wire, 1, 2, kind == 1 ? IP_PROTOCOL_TCP : 0);
        }
        if (kind == 2) {
            wire_extension(&wire, 44, 2);
            wire_fragment(&wire, IP_PROTOCOL_TCP, 1);
        }
        wire_ports(&wire, 80, 81);
        for (uint32_t len = 0; len <= wire.len_bytes; len++) {
            const struct ether_info info = parse_cut(len);

            assert_true(info.l3_off_bytes <= len);
            assert_true(info.l4_off_bytes == 0 || info.l4_off_bytes < len);
            assert_int_equal(info.source_port != 0, len == wire.len_bytes);
        }
    }
}

static void test_ether_random_bytes_stay_inside(void **state)
{
    static const uint8_t next[] = { 0, 43, 44, 51, 60, 135, 6, 17 };
    uint64_t random = 99;
    (void)state;

    for (unsigned round = 0; round < 50000; round++) {
        struct ether_info info;

        start();
        if (round % 2 == 0) {
            wire_ipv4(&wire, IP_A, IP_B, 17, (uint16_t)random_next(&random));
        } else {
            wire_ipv6(&wire, 1, 2, next[random_below(&random, 8)]);
        }
        while (wire.len_bytes < 128) {
            wire.data[wire.len_bytes++] = next[random_below(&random, 8)];
        }
        wire.data[12 + random_below(&random, 20)] ^= (uint8_t)random_next(&random);
        info = parse_cut(14 + random_below(&random, 115));

        assert_true(info.l4_off_bytes < 128);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ether_arp_has_addresses_and_no_flow),
        cmocka_unit_test(test_ether_ipv4_udp_is_found_whole),
        cmocka_unit_test(test_ether_ipv4_options_move_l4),
        cmocka_unit_test(test_ether_ipv4_unsound_header_is_not_ip),
        cmocka_unit_test(test_ether_two_tags_are_reported_and_passed),
        cmocka_unit_test(test_ether_third_tag_is_the_type),
        cmocka_unit_test(test_ether_ipv6_extensions_are_walked),
        cmocka_unit_test(test_ether_ipv6_walk_is_bounded),
        cmocka_unit_test(test_ether_fragments_hash_addresses_only),
        cmocka_unit_test(test_ether_ipv6_fragments_hash_addresses_only),
        cmocka_unit_test(test_ether_hash_tells_flows_apart),
        cmocka_unit_test(test_ether_hash_spreads_neighbouring_flows_over_queues),
        cmocka_unit_test(test_ether_flow_hashes_are_those_of_the_frames_named),
        cmocka_unit_test(test_ether_is_tagged_knows_all_tags),
        cmocka_unit_test(test_ether_cut_anywhere_stays_inside),
        cmocka_unit_test(test_ether_random_bytes_stay_inside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
