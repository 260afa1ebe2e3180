/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which member a frame leaves by, and whether it carries that member's address.
 */
#include "teaming/team_choose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "switch/ether.h"
#include "switch/frame_tag.h"
#include "switch/mac.h"
#include "teaming/team_hash.h"
#include "tests/support/frame_builder.h"
#include "tests/support/random.h"

#define A UINT64_C(0x00155d000001)
#define B UINT64_C(0x00155d000002)
#define PORT 7
#define GAP 1000u
#define START 1000000u

#define OWN 1
#define OTHER 2
#define PRIMARY 0

static struct wire wire;
static struct frame_batch batch;
static struct team_plan plan;
static struct team_flowlets flowlets;
static struct team_choice_config config;
static uint64_t now;

/* Members 0, 1 and 2 carry; flows go by OTHER, ports' own member is OWN. */
static int setup(void **state)
{
    (void)state;
    plan = (struct team_plan){ .carries = 0x07, .takes = 0x07, .primary = PRIMARY };
    memset(plan.flow, OTHER, sizeof(plan.flow));
    memset(plan.own, OWN, sizeof(plan.own));
    memset(&flowlets, 0, sizeof(flowlets));
    config = (struct team_choice_config){ .mode = TEAM_INDEPENDENT, .balance = TEAM_DYNAMIC,
                                          .hash = TEAM_HASH_L4, .gap_tsc = GAP };
    now = START;
    return 0;
}

struct choice {
    uint8_t member;
    bool rewritten;
};

/* Chooses for the one frame in the batch. */
static struct choice choose(void)
{
    const uint8_t index = (uint8_t)(batch.count - 1);
    struct choice choice = { .member = 0x55 };

    choice.rewritten = team_choose(&plan, &config, &flowlets, &batch, &index, 1, now,
                                   &choice.member) != 0;
    return choice;
}

static struct frame *udp(uint16_t source_port)
{
    batch_start(&batch, PORT);
    wire_start(&wire, B, A);
    wire_ipv4(&wire, 1, 2, IP_PROTOCOL_UDP, 0);
    wire_ports(&wire, source_port, 53);
    wire_fill(&wire, 100);
    return batch_add_wire(&batch, &wire, 0);
}

static struct choice choose_udp(uint16_t source_port)
{
    udp(source_port);
    return choose();
}

static struct choice choose_type(uint16_t ethertype)
{
    batch_start(&batch, PORT);
    wire_start(&wire, MAC_BROADCAST, A);
    wire_type(&wire, ethertype);
    wire_fill(&wire, 60);
    batch_add_wire(&batch, &wire, 0);
    return choose();
}

static struct choice choose_icmpv6(uint8_t type, bool hop_by_hop)
{
    batch_start(&batch, PORT);
    wire_start(&wire, UINT64_C(0x333300000001), A);
    wire_ipv6(&wire, 1, 2, hop_by_hop ? 0 : IP_PROTOCOL_ICMPV6);
    if (hop_by_hop) {
        wire_extension(&wire, IP_PROTOCOL_ICMPV6, 0);
    }
    wire_ports(&wire, (uint16_t)(type << 8), 0);
    wire_fill(&wire, 100);
    batch_add_wire(&batch, &wire, 0);
    return choose();
}

#define assert_choice(asked, number, is_rewritten)                                                \
    do {                                                                                          \
        const struct choice made = (asked);                                                       \
                                                                                                  \
        assert_int_equal(made.member, (number));                                                  \
        assert_int_equal(made.rewritten, (is_rewritten));                                         \
    } while (0)

/* ---- addresses and who may see them ---------------------------------------------------------- */

static void test_team_choose_flow_of_another_member_carries_its_address(void **state)
{
    (void)state;

    assert_choice(choose_udp(1), OTHER, true);
}

static void test_team_choose_flow_of_the_own_member_keeps_its_address(void **state)
{
    (void)state;

    memset(plan.flow, OWN, sizeof(plan.flow));

    assert_choice(choose_udp(1), OWN, false);
}

static void test_team_choose_hash_independent_rewrites_but_for_the_primary(void **state)
{
    (void)state;

    config.balance = TEAM_HASH;
    memset(plan.own, PRIMARY, sizeof(plan.own));

    assert_choice(choose_udp(1), OTHER, true);
    assert_choice(choose_type(ETHERTYPE_ARP), PRIMARY, false);
}

static void test_team_choose_arp_and_rarp_leave_by_the_own_member(void **state)
{
    (void)state;

    assert_choice(choose_type(ETHERTYPE_ARP), OWN, false);
    assert_choice(choose_type(0x8035), OWN, false);
}

static void test_team_choose_nd_leaves_by_the_own_member(void **state)
{
    (void)state;

    for (uint8_t type = 133; type <= 137; type++) {
        assert_choice(choose_icmpv6(type, false), OWN, false);
        assert_choice(choose_icmpv6(type, true), OWN, false);
    }
}

/* What follows is not among the bytes that a worker has: it may be ND. */
static void test_team_choose_what_hides_behind_headers_leaves_by_the_own_member(void **state)
{
    (void)state;

    for (uint8_t units = 0; units <= 20; units += 5) {
        batch_start(&batch, PORT);
        wire_start(&wire, UINT64_C(0x333300000001), A);
        wire_ipv6(&wire, 1, 2, 60);
        wire_extension(&wire, IP_PROTOCOL_ICMPV6, units);
        wire_ports(&wire, 135 << 8, 0);
        wire_fill(&wire, 300);
        batch_add_wire(&batch, &wire, 0);
        assert_choice(choose(), OWN, false);
    }
}

/* The first one has shown what it is; ND comes in one piece (RFC 6980). */
static void test_team_choose_later_fragment_is_a_flow(void **state)
{
    (void)state;

    batch_start(&batch, PORT);
    wire_start(&wire, B, A);
    wire_ipv6(&wire, 1, 2, 44);
    wire_fragment(&wire, IP_PROTOCOL_UDP, 0x0100);
    wire_fill(&wire, 100);
    batch_add_wire(&batch, &wire, 0);

    assert_choice(choose(), OTHER, true);
}

static void test_team_choose_ping_is_a_flow(void **state)
{
    (void)state;

    assert_choice(choose_icmpv6(128, false), OTHER, true);
    assert_choice(choose_icmpv6(129, true), OTHER, true);
    assert_choice(choose_icmpv6(138, false), OTHER, true);
}

static void test_team_choose_group_reports_leave_by_the_primary_member(void **state)
{
    static const uint8_t mld[] = { 130, 131, 132, 143 };
    (void)state;

    for (unsigned i = 0; i < sizeof(mld); i++) {
        assert_choice(choose_icmpv6(mld[i], true), PRIMARY, true);
    }
    batch_start(&batch, PORT);
    wire_start(&wire, UINT64_C(0x01005e000016), A);
    wire_ipv4(&wire, 1, UINT32_C(0xe0000016), 2, 0);
    wire_fill(&wire, 60);
    batch_add_wire(&batch, &wire, 0);
    assert_choice(choose(), PRIMARY, true);

    config.balance = TEAM_PORT;
    assert_choice(choose(), PRIMARY, true);
    plan.primary = OWN;
    assert_choice(choose(), OWN, false);
}

static void test_team_choose_what_is_not_ip_leaves_by_the_own_member(void **state)
{
    (void)state;

    assert_choice(choose_type(0x88e5), OWN, false);     /* MACsec is over the addresses too */
    assert_choice(choose_type(0x8864), OWN, false);
}

static void test_team_choose_a_broken_ip_header_leaves_by_the_own_member(void **state)
{
    struct frame *frame;
    (void)state;

    frame = udp(1);
    frame->hdr_len_bytes = 33;
    assert_choice(choose(), OWN, false);
    frame->hdr_len_bytes = 0;
    assert_choice(choose(), OWN, false);
}

static void test_team_choose_sees_through_a_tag(void **state)
{
    (void)state;

    frame_tag_push(udp(1), 0x2007);
    assert_choice(choose(), OTHER, true);
    (void)choose_type(ETHERTYPE_ARP);
    frame_tag_push(&batch.frame[0], 0x2007);
    assert_choice(choose(), OWN, false);
    (void)choose_icmpv6(135, true);
    frame_tag_push(&batch.frame[0], 0x2007);
    assert_choice(choose(), OWN, false);
}

static void test_team_choose_port_keeps_all_of_a_port_together(void **state)
{
    (void)state;

    config.balance = TEAM_PORT;

    assert_choice(choose_udp(1), OWN, false);
    assert_choice(choose_udp(2), OWN, false);
    assert_choice(choose_type(ETHERTYPE_ARP), OWN, false);
    plan.own[(PORT + 1) % TEAM_BUCKETS] = OTHER;
    udp(1)->port_in = PORT + 1;
    assert_choice(choose(), OTHER, false);
}

static void test_team_choose_static_and_lacp_never_rewrite(void **state)
{
    (void)state;

    for (unsigned mode = TEAM_STATIC; mode <= TEAM_LACP; mode++) {
        for (unsigned balance = 0; balance < TEAM_BALANCE_COUNT; balance++) {
            const uint8_t member = balance == TEAM_PORT ? OWN : OTHER;

            config.mode = mode;
            config.balance = balance;
            memset(&flowlets, 0, sizeof(flowlets));
            assert_choice(choose_udp(1), member, false);
            assert_choice(choose_type(ETHERTYPE_ARP), member, false);
            assert_choice(choose_icmpv6(135, false), member, false);
        }
    }
}

static void test_team_choose_a_substitute_sends_the_ports_own_address(void **state)
{
    (void)state;

    assert_choice(choose_udp(1), OTHER, true);
    memset(plan.own, OTHER, sizeof(plan.own));
    plan.carries = 0x05;

    assert_choice(choose_udp(1), OTHER, false);
    assert_choice(choose_type(ETHERTYPE_ARP), OTHER, false);
}

static void test_team_choose_nobody_carries_is_told(void **state)
{
    (void)state;

    plan.carries = 0;
    assert_choice(choose_udp(1), TEAM_NO_MEMBER, false);
}

/* ---- flowlets -------------------------------------------------------------------------------- */

/* Flowlets of ports, in balance PORT, and of flows. */
static void test_team_choose_moves_after_the_gap_only(void **state)
{
    for (unsigned balance = 0; balance < TEAM_BALANCE_COUNT; balance++) {
        uint8_t *planned = balance == TEAM_PORT ? plan.own : plan.flow;

        setup(state);
        config.mode = TEAM_STATIC;
        config.balance = balance;
        memset(planned, OTHER, TEAM_BUCKETS);
        assert_choice(choose_udp(1), OTHER, false);
        memset(planned, PRIMARY, TEAM_BUCKETS);

        for (unsigned i = 0; i < 10; i++) {
            now += GAP - 1;
            assert_choice(choose_udp(1), OTHER, false);
        }
        now += GAP;
        assert_choice(choose_udp(1), PRIMARY, false);
        now += 1;
        assert_choice(choose_udp(1), PRIMARY, false);
    }
}

static void test_team_choose_moves_at_once_when_its_member_is_lost(void **state)
{
    (void)state;

    assert_choice(choose_udp(1), OTHER, true);
    memset(plan.flow, PRIMARY, sizeof(plan.flow));
    plan.carries = 0x03;
    now += 1;

    assert_choice(choose_udp(1), PRIMARY, true);
}

static void test_team_choose_without_a_gap_moves_at_once(void **state)
{
    (void)state;

    config.gap_tsc = 0;
    assert_choice(choose_udp(1), OTHER, true);
    memset(plan.flow, PRIMARY, sizeof(plan.flow));

    assert_choice(choose_udp(1), PRIMARY, true);
}

static void test_team_choose_first_frame_goes_by_the_plan(void **state)
{
    (void)state;

    now = 1;                       /* less than a gap ago there was nothing */

    assert_choice(choose_udp(1), OTHER, true);
}

static void test_team_choose_a_flow_survives_a_time_without_members(void **state)
{
    (void)state;

    assert_choice(choose_udp(1), OTHER, true);
    memset(plan.flow, TEAM_NO_MEMBER, sizeof(plan.flow));
    plan.carries = 0;
    assert_choice(choose_udp(1), TEAM_NO_MEMBER, false);
    plan.carries = 0x80;           /* the plan is not all there yet */
    assert_choice(choose_udp(1), TEAM_NO_MEMBER, false);
    memset(plan.flow, 7, sizeof(plan.flow));

    assert_choice(choose_udp(1), 7, true);
}

static void test_team_choose_buckets_have_their_bytes_counted(void **state)
{
    uint64_t total = 0;
    uint32_t hash;
    const uint8_t index = 0;
    (void)state;

    (void)choose_udp(1);
    (void)choose_udp(1);
    team_hash(&batch, &index, 1, TEAM_HASH_L4, &hash);

    assert_int_equal(flowlets.sent_bytes[team_hash_bucket(hash)], 200);
    (void)choose_type(ETHERTYPE_ARP);
    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        total += flowlets.sent_bytes[i];
    }
    assert_int_equal(total, 200);
}

static void test_team_choose_answers_for_the_frames_named(void **state)
{
    static const uint8_t index[] = { 2, 1 };
    uint8_t member[3] = { 0x55, 0x55, 0x55 };
    (void)state;

    batch_start(&batch, PORT);
    for (unsigned i = 0; i < 3; i++) {
        wire_start(&wire, B, A);
        if (i == 1) {
            wire_type(&wire, ETHERTYPE_ARP);
        } else {
            wire_ipv4(&wire, 1, i, IP_PROTOCOL_TCP, 0);
        }
        wire_fill(&wire, 60);
        batch_add_wire(&batch, &wire, 0);
    }

    assert_int_equal(team_choose(&plan, &config, &flowlets, &batch, index, 2, now, member), 1);
    assert_int_equal(member[0], OTHER);
    assert_int_equal(member[1], OWN);
    assert_int_equal(member[2], 0x55);
}

/* ---- order ----------------------------------------------------------------------------------- */

/* Buckets go where they like, among members of which one comes or goes now and then. */
static void change_plan(uint64_t *seed)
{
    if (random_below(seed, 50) == 0) {
        plan.carries = (uint8_t)(1 + random_below(seed, 7));
    }
    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        while ((plan.carries >> plan.flow[i] & 1) == 0 || random_below(seed, 500) == 0) {
            plan.flow[i] = (uint8_t)random_below(seed, 3);
        }
    }
}

/*
 * A path takes up to a gap longer than another.  Whatever the plan does, frames of a flow arrive in
 * the order they were sent in, as long as the member they left by is not lost, and leave by members
 * that carry.
 */
static void test_team_choose_keeps_flows_in_order_however_members_come_and_go(void **state)
{
    static const uint64_t delay[3] = { 0, GAP / 2, GAP };
    uint64_t arrived[16] = { 0 };
    uint8_t last[16] = { 0 };
    uint64_t seed = 3;
    unsigned changes = 0;
    (void)state;

    for (unsigned i = 0; i < 100000; i++) {
        const uint16_t flow = (uint16_t)random_below(&seed, 16);
        struct choice choice;

        now += random_below(&seed, GAP / 4);
        change_plan(&seed);
        choice = choose_udp(flow);
        assert_true((plan.carries >> choice.member & 1) != 0);
        assert_true((plan.carries >> last[flow] & 1) == 0 ||
                    now + delay[choice.member] >= arrived[flow]);
        changes += choice.member != last[flow];
        arrived[flow] = now + delay[choice.member];
        last[flow] = choice.member;
    }
    assert_true(changes > 1000);
}

/* ---- publishing ------------------------------------------------------------------------------ */

static void test_team_choose_published_plan_is_the_same(void **state)
{
    struct team_plan shared = { .carries = 0x30, .takes = 0x31, .primary = 4 };
    (void)state;

    plan.takes = 0x0f;
    plan.flow[255] = 0;
    team_choose_publish(&shared, &plan);

    assert_memory_equal(&shared, &plan, sizeof(plan));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(test_team_choose_##name, setup)
        T(flow_of_another_member_carries_its_address),
        T(flow_of_the_own_member_keeps_its_address),
        T(hash_independent_rewrites_but_for_the_primary),
        T(arp_and_rarp_leave_by_the_own_member),
        T(nd_leaves_by_the_own_member),
        T(what_hides_behind_headers_leaves_by_the_own_member),
        T(later_fragment_is_a_flow),
        T(ping_is_a_flow),
        T(group_reports_leave_by_the_primary_member),
        T(what_is_not_ip_leaves_by_the_own_member),
        T(a_broken_ip_header_leaves_by_the_own_member),
        T(sees_through_a_tag),
        T(port_keeps_all_of_a_port_together),
        T(static_and_lacp_never_rewrite),
        T(a_substitute_sends_the_ports_own_address),
        T(nobody_carries_is_told),
        T(moves_after_the_gap_only),
        T(moves_at_once_when_its_member_is_lost),
        T(without_a_gap_moves_at_once),
        T(first_frame_goes_by_the_plan),
        T(a_flow_survives_a_time_without_members),
        T(buckets_have_their_bytes_counted),
        T(answers_for_the_frames_named),
        T(keeps_flows_in_order_however_members_come_and_go),
        T(published_plan_is_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
