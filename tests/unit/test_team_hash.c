/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hash of a flow: the same both ways, of the layer that was asked for, and even.
 */
#include "teaming/team_hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "switch/ether.h"
#include "switch/frame_tag.h"
#include "tests/support/frame_builder.h"
#include "tests/support/random.h"

#define A UINT64_C(0x00155d000001)
#define B UINT64_C(0x00155d000002)
#define IP_A UINT32_C(0x0a000001)
#define IP_B UINT32_C(0x0a000002)
#define MORE_FRAGMENTS 0x2000
#define FLOWS 1000u

static struct wire wire;
static struct frame_batch batch;

/* What a conversation's frame is made of; the other way about when @p back. */
struct talk {
    bool ipv6;
    bool back;
    uint8_t protocol;
    uint16_t fragment;             /* of IPv4 */
    unsigned tags;                 /* in the bytes, as a guest's own */
    uint64_t mac[2], address[2];
    uint16_t port[2];
};

static const struct talk udp = { .protocol = IP_PROTOCOL_UDP, .mac = { A, B },
                                 .address = { IP_A, IP_B }, .port = { 4000, 53 } };

static struct frame *add(const struct talk *talk)
{
    const unsigned from = talk->back ? 1 : 0, to = 1 - from;

    wire_start(&wire, talk->mac[to], talk->mac[from]);
    for (unsigned i = 0; i < talk->tags; i++) {
        wire_tag(&wire, 0x8100, 5);
    }
    if (talk->ipv6) {
        wire_ipv6(&wire, talk->address[from], talk->address[to], talk->protocol);
    } else {
        wire_ipv4(&wire, (uint32_t)talk->address[from], (uint32_t)talk->address[to],
                  talk->protocol, talk->fragment);
    }
    wire_ports(&wire, talk->port[from], talk->port[to]);
    wire_fill(&wire, wire.len_bytes + 40);
    return batch_add_wire(&batch, &wire, 0);
}

static uint32_t hash_last(enum team_hash_by by)
{
    const uint8_t index = (uint8_t)(batch.count - 1);
    uint32_t hash;

    team_hash(&batch, &index, 1, by, &hash);
    return hash;
}

static uint32_t hash_of(const struct talk *talk, enum team_hash_by by)
{
    batch_start(&batch, 1);
    add(talk);
    return hash_last(by);
}

static void test_team_hash_is_the_same_both_ways(void **state)
{
    static const uint8_t protocols[] = { IP_PROTOCOL_TCP, IP_PROTOCOL_UDP, IP_PROTOCOL_SCTP,
                                         IP_PROTOCOL_ICMP };
    uint64_t seed = 1;
    (void)state;

    for (unsigned i = 0; i < 20000; i++) {
        struct talk talk = { .ipv6 = i % 2 != 0, .protocol = protocols[i / 2 % 4],
                             .tags = i / 8 % 3,
                             .mac = { A + random_below(&seed, 9), B + random_below(&seed, 9) },
                             .address = { random_next(&seed), random_next(&seed) },
                             .port = { (uint16_t)random_next(&seed),
                                       (uint16_t)random_next(&seed) } };
        struct talk reply = talk;

        reply.back = true;
        for (unsigned by = 0; by < TEAM_HASH_BY_COUNT; by++) {
            assert_int_equal(hash_of(&talk, by), hash_of(&reply, by));
        }
    }
}

static void test_team_hash_l4_tells_ports_apart(void **state)
{
    struct talk other = udp;
    (void)state;

    other.port[0]++;

    assert_int_not_equal(hash_of(&udp, TEAM_HASH_L4), hash_of(&other, TEAM_HASH_L4));
    assert_int_equal(hash_of(&udp, TEAM_HASH_L3), hash_of(&other, TEAM_HASH_L3));
    assert_int_equal(hash_of(&udp, TEAM_HASH_L2), hash_of(&other, TEAM_HASH_L2));
}

static void test_team_hash_l3_tells_addresses_apart(void **state)
{
    (void)state;

    for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
        struct talk one = udp, other;

        one.ipv6 = ipv6 != 0;
        other = one;
        other.address[1]++;

        assert_int_not_equal(hash_of(&one, TEAM_HASH_L3), hash_of(&other, TEAM_HASH_L3));
        assert_int_equal(hash_of(&one, TEAM_HASH_L2), hash_of(&other, TEAM_HASH_L2));
    }
}

static void test_team_hash_l2_is_of_mac_addresses(void **state)
{
    struct talk other = udp;
    (void)state;

    other.mac[0]++;

    assert_int_not_equal(hash_of(&udp, TEAM_HASH_L2), hash_of(&other, TEAM_HASH_L2));
    assert_int_equal(hash_of(&udp, TEAM_HASH_L3), hash_of(&other, TEAM_HASH_L3));
    assert_int_equal(hash_of(&udp, TEAM_HASH_L4), hash_of(&other, TEAM_HASH_L4));
}

static void test_team_hash_all_fragments_go_by_addresses(void **state)
{
    struct talk first = udp, later = udp;
    (void)state;

    first.fragment = MORE_FRAGMENTS;
    later.fragment = 100;
    later.port[0] = 0xabcd;

    assert_int_equal(hash_of(&first, TEAM_HASH_L4), hash_of(&udp, TEAM_HASH_L3));
    assert_int_equal(hash_of(&later, TEAM_HASH_L4), hash_of(&udp, TEAM_HASH_L3));
}

static void test_team_hash_ipv6_fragments_go_by_addresses(void **state)
{
    struct talk whole = udp;
    uint32_t expected;
    (void)state;

    whole.ipv6 = true;
    expected = hash_of(&whole, TEAM_HASH_L3);
    batch_start(&batch, 1);
    wire_start(&wire, B, A);
    wire_ipv6(&wire, IP_A, IP_B, 44);
    wire_fragment(&wire, IP_PROTOCOL_UDP, 1);
    wire_ports(&wire, 4000, 53);
    wire_fill(&wire, 100);
    batch_add_wire(&batch, &wire, 0);

    assert_int_equal(hash_last(TEAM_HASH_L4), expected);
}

static void test_team_hash_without_ports_goes_by_addresses(void **state)
{
    struct talk icmp = udp;
    (void)state;

    icmp.protocol = IP_PROTOCOL_ICMP;

    assert_int_equal(hash_of(&icmp, TEAM_HASH_L4), hash_of(&udp, TEAM_HASH_L3));
}

static void test_team_hash_what_is_not_ip_goes_by_mac(void **state)
{
    const uint32_t expected = hash_of(&udp, TEAM_HASH_L2);
    (void)state;

    batch_start(&batch, 1);
    batch_add(&batch, B, A);

    for (unsigned by = 0; by < TEAM_HASH_BY_COUNT; by++) {
        assert_int_equal(hash_last(by), expected);
    }
}

static void test_team_hash_tags_do_not_count(void **state)
{
    struct talk talk = udp;
    (void)state;

    for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
        talk.ipv6 = ipv6 != 0;
        for (unsigned by = 0; by < TEAM_HASH_BY_COUNT; by++) {
            uint32_t plain, tagged;

            talk.tags = 0;
            plain = hash_of(&talk, by);
            batch_start(&batch, 1);
            frame_tag_push(add(&talk), 0x2007);
            tagged = hash_last(by);
            talk.tags = 1;

            assert_int_equal(tagged, plain);
            assert_int_equal(hash_of(&talk, by), plain);
        }
    }
}

static void test_team_hash_ipv4_options_do_not_count(void **state)
{
    const uint32_t plain = hash_of(&udp, TEAM_HASH_L4);
    (void)state;

    batch_start(&batch, 1);
    wire_start(&wire, B, A);
    wire_ipv4(&wire, IP_A, IP_B, IP_PROTOCOL_UDP, 0);
    wire.data[14] = 0x46;
    wire_fill(&wire, wire.len_bytes + 4);
    wire_ports(&wire, 4000, 53);
    wire_fill(&wire, 100);
    batch_add_wire(&batch, &wire, 0);

    assert_int_equal(hash_last(TEAM_HASH_L4), plain);
}

static void test_team_hash_a_cut_header_is_read_no_further(void **state)
{
    struct talk talk = udp;
    (void)state;

    for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
        talk.ipv6 = ipv6 != 0;
        for (uint16_t len_bytes = 0; len_bytes < 100; len_bytes++) {
            uint8_t *exact = test_malloc(len_bytes + 1u);
            struct frame *frame;

            batch_start(&batch, 1);
            frame = add(&talk);
            memcpy(exact + 1, frame->hdr, len_bytes < frame->hdr_len_bytes ? len_bytes
                                                                          : frame->hdr_len_bytes);
            frame->hdr = exact + 1;
            frame->hdr_len_bytes = len_bytes;
            for (unsigned by = 0; by < TEAM_HASH_BY_COUNT; by++) {
                (void)hash_last(by);
            }
            test_free(exact);
        }
    }
}

static void test_team_hash_is_of_the_frames_named(void **state)
{
    const uint8_t index[] = { 2, 0 };
    struct talk talk = udp;
    uint32_t hash[2];
    (void)state;

    batch_start(&batch, 1);
    for (talk.port[0] = 1; talk.port[0] <= 3; talk.port[0]++) {
        add(&talk);
    }
    team_hash(&batch, index, 2, TEAM_HASH_L4, hash);

    talk.port[0] = 3;
    assert_int_equal(hash[0], hash_of(&talk, TEAM_HASH_L4));
    talk.port[0] = 1;
    assert_int_equal(hash[1], hash_of(&talk, TEAM_HASH_L4));
}

/* ---- evenness -------------------------------------------------------------------------------- */

/* How the i-th of FLOWS flows differs from the first. */
enum row { ROW_PORT, ROW_PORT_BY_2, ROW_CLIENTS, ROW_CLIENTS_PORTS, ROW_SERVERS, ROW_MESH, ROW_STEP,
           ROW_APART, ROW_ADDRESS_BY_256, ROW_COUNT };

static void vary(struct talk *talk, enum row row, unsigned i)
{
    switch (row) {
    case ROW_PORT:
    case ROW_PORT_BY_2:
        talk->port[0] = (uint16_t)(talk->port[0] + (row == ROW_PORT ? i : 2 * i));
        return;
    case ROW_CLIENTS:
        talk->address[0] += i;
        return;
    case ROW_CLIENTS_PORTS:
        talk->address[0] += i / 10;
        talk->port[0] = (uint16_t)(talk->port[0] + i % 10);
        return;
    case ROW_SERVERS:
        talk->address[0] += i % 100;
        talk->address[1] += i / 100;
        return;
    case ROW_MESH:
        talk->address[0] += i / 32;
        talk->address[1] += i % 32;
        return;
    case ROW_STEP:
        talk->address[0] += i;
        talk->port[0] = (uint16_t)(talk->port[0] + i);
        return;
    case ROW_APART:
        talk->address[0] += i;
        talk->address[1] -= i;
        return;
    case ROW_ADDRESS_BY_256:
        talk->address[0] += 256 * i;
        return;
    case ROW_COUNT:
        return;
    }
}

/* By how many per cent the member with most of @p row's flows has more than its share. */
static double unevenness(enum row row, bool ipv6, enum team_hash_by by, unsigned members,
                         uint64_t *seed)
{
    struct talk start = { .ipv6 = ipv6, .protocol = IP_PROTOCOL_UDP, .mac = { A, B },
                          .address = { (uint32_t)random_next(seed), (uint32_t)random_next(seed) },
                          .port = { (uint16_t)random_below(seed, 60000),
                                    (uint16_t)random_below(seed, 60000) } };
    unsigned count[TEAM_MEMBERS_MAX] = { 0 }, most = 0;

    for (unsigned i = 0; i < FLOWS; i++) {
        struct talk talk = start;

        vary(&talk, row, i);
        count[team_hash_bucket(hash_of(&talk, by)) % members]++;
    }
    for (unsigned i = 0; i < members; i++) {
        most = count[i] > most ? count[i] : most;
    }
    return 100.0 * most * members / FLOWS - 100;
}

static void test_team_hash_rows_of_flows_divide_within_10_percent(void **state)
{
    double worst = 0;
    uint64_t seed = 7;
    (void)state;

    for (unsigned row = 0; row < ROW_COUNT; row++) {
        for (unsigned draw = 0; draw < 40; draw++) {
            const unsigned members = 2 + draw % 3;
            const double percent = unevenness(row, draw / 3 % 2 != 0, TEAM_HASH_L4, members,
                                              &seed);

            worst = percent > worst ? percent : worst;
            assert_true(percent <= 10);
        }
    }
    printf("# measured: 1,000 flows on 2 to 4 members, worst of %u draws: %.1f %% over the share\n",
           ROW_COUNT * 40u, worst);
}

static void test_team_hash_rows_of_addresses_divide_by_l3(void **state)
{
    static const enum row rows[] = { ROW_CLIENTS, ROW_SERVERS, ROW_MESH, ROW_ADDRESS_BY_256 };
    uint64_t seed = 9;
    (void)state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (unsigned draw = 0; draw < 30; draw++) {
            assert_true(unevenness(rows[i], draw % 2 != 0, TEAM_HASH_L3, 2 + draw % 3, &seed)
                        <= 10);
        }
    }
}

/* Chance leaves a bucket of 256 at 64 of 16,384 flows, give or take 8: at most 5 times that. */
static void test_team_hash_random_flows_fill_every_bucket(void **state)
{
    unsigned count[TEAM_BUCKETS] = { 0 };
    uint64_t seed = 11;
    (void)state;

    for (unsigned i = 0; i < 64 * TEAM_BUCKETS; i++) {
        const struct talk talk = {
            .ipv6 = i % 2 != 0, .protocol = IP_PROTOCOL_TCP, .mac = { A, B },
            .address = { random_next(&seed), random_next(&seed) },
            .port = { (uint16_t)random_next(&seed), (uint16_t)random_next(&seed) } };

        count[team_hash_bucket(hash_of(&talk, TEAM_HASH_L4))]++;
    }
    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        assert_in_range(count[i], 24, 104);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_team_hash_is_the_same_both_ways),
        cmocka_unit_test(test_team_hash_l4_tells_ports_apart),
        cmocka_unit_test(test_team_hash_l3_tells_addresses_apart),
        cmocka_unit_test(test_team_hash_l2_is_of_mac_addresses),
        cmocka_unit_test(test_team_hash_all_fragments_go_by_addresses),
        cmocka_unit_test(test_team_hash_ipv6_fragments_go_by_addresses),
        cmocka_unit_test(test_team_hash_without_ports_goes_by_addresses),
        cmocka_unit_test(test_team_hash_what_is_not_ip_goes_by_mac),
        cmocka_unit_test(test_team_hash_tags_do_not_count),
        cmocka_unit_test(test_team_hash_ipv4_options_do_not_count),
        cmocka_unit_test(test_team_hash_a_cut_header_is_read_no_further),
        cmocka_unit_test(test_team_hash_is_of_the_frames_named),
        cmocka_unit_test(test_team_hash_rows_of_flows_divide_within_10_percent),
        cmocka_unit_test(test_team_hash_rows_of_addresses_divide_by_l3),
        cmocka_unit_test(test_team_hash_random_flows_fill_every_bucket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
