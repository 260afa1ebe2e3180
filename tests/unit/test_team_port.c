/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A team between a worker and its members, which are interfaces that record what they are given:
 * who is counted, whose address a frame carries where, and what becomes of slow protocols.
 */
#include "dataplane/team_port.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/egress_deliver.h"
#include "switch/mac.h"
#include "switch/offload.h"
#include "teaming/lacp_pdu.h"
#include "tests/support/fake_interface.h"
#include "tests/support/frame_builder.h"

#define PORT_VM      0u
#define PORT_TEAM    1u
#define PORT_FIRST   2u            /* its two members */
#define PORT_SECOND  3u
#define VM           UINT64_C(0x00155d000001)
#define PEER         UINT64_C(0x0200000000b0)
#define MAC_FIRST    UINT64_C(0x020000000a01)
#define MAC_SECOND   UINT64_C(0x020000000a02)
#define SLOW_KEPT    15u           /* of a box of 16 */

struct rig {
    struct worker worker;
    struct fabric fabric;
    struct fabric_team team;
    struct team_port *port;
    struct fake_interface *member[2];
    struct wire wire;
};

static const uint64_t macs[TEAM_MEMBERS_MAX] = { MAC_FIRST, MAC_SECOND };

/* All ports are the first member's own, all flows the second's. */
static struct team_plan plan_of_two(void)
{
    struct team_plan plan = { .carries = 3, .takes = 3, .primary = 0 };

    memset(plan.flow, 1, sizeof(plan.flow));
    return plan;
}

static int setup(void **state)
{
    static const struct team_setting setting = { .mode = TEAM_INDEPENDENT, .balance = TEAM_HASH,
                                                 .hash = TEAM_HASH_L4 };
    struct rig *rig = aligned_alloc(64, (sizeof(*rig) + 63) / 64 * 64);
    const struct team_plan plan = plan_of_two();
    struct error error = { 0 };

    if (rig == NULL) {
        return -1;
    }
    memset(rig, 0, sizeof(*rig));
    rig->worker.fabric = &rig->fabric;
    rig->port = team_port_create(1, &error);
    assert_non_null(rig->port);
    team_port_set(rig->port, &setting);
    team_port_set_plan(rig->port, &plan, macs);
    rig->team = (struct fabric_team){
        .at = rig->port, .port = PORT_TEAM, .member = { PORT_FIRST, PORT_SECOND },
    };
    for (unsigned i = 2; i < TEAM_MEMBERS_MAX; i++) {
        rig->team.member[i] = PORT_NONE;
    }
    rig->fabric.port[PORT_TEAM] = (struct fabric_port){
        .endpoint = rig->port, .team = &rig->team, .kind = FABRIC_PORT_TEAM,
        .max_frame_bytes = 1514,
    };
    for (uint16_t i = 0; i < 2; i++) {
        rig->member[i] = fake_interface_create((uint16_t)(PORT_FIRST + i));
        rig->fabric.port[PORT_FIRST + i] = (struct fabric_port){
            .endpoint = rig->member[i], .team = &rig->team, .kind = FABRIC_PORT_PACKET,
            .flags = FABRIC_PORT_MEMBER, .member = (uint8_t)i, .max_frame_bytes = 1514,
        };
    }
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    team_port_destroy(rig->port);
    free(rig->member[0]);
    free(rig->member[1]);
    free(rig);
    return 0;
}

/* Adds a frame of UDP over IPv4, or with @p type of nothing that is known. */
static struct frame *add(struct rig *rig, uint64_t destination, uint64_t source, uint16_t type)
{
    wire_start(&rig->wire, destination, source);
    if (type == 0) {
        wire_ipv4(&rig->wire, 0x0a000001, 0x0a000002, 17, 0);
        wire_ports(&rig->wire, 1000, 53);
    } else {
        wire_type(&rig->wire, type);
    }
    wire_fill(&rig->wire, 60);
    return batch_add_wire(&rig->worker.batch, &rig->wire, 0);
}

static const struct port_counters *counters(const struct rig *rig, uint16_t port)
{
    return &rig->worker.counters[port];
}

/* Sends all of the batch to the team. */
static void deliver(struct rig *rig)
{
    struct egress_group group = { .count = 0 };

    for (uint16_t i = 0; i < rig->worker.batch.count; i++) {
        egress_group_add(&group, &rig->worker.batch, (uint8_t)i);
    }
    egress_deliver(&rig->worker, PORT_TEAM, &rig->worker.batch, &group);
}

static uint64_t source_of(const struct fake_note *note)
{
    return mac_read(note->data + 6);
}

/* ---- from members ---------------------------------------------------------------------------- */

static void test_team_port_members_frame_becomes_the_teams(void **state)
{
    struct rig *rig = *state;

    batch_start(&rig->worker.batch, PORT_SECOND);
    (void)add(rig, VM, PEER, 0);
    assert_int_equal(team_port_from_member(&rig->worker, PORT_SECOND), PORT_TEAM);

    assert_int_equal(rig->worker.batch.count, 1);
    assert_int_equal(rig->worker.batch.port_in, PORT_TEAM);
    assert_int_equal(rig->worker.batch.frame[0].port_in, PORT_TEAM);
    assert_int_equal(rig->worker.refused.count, 0);
    assert_int_equal(counters(rig, PORT_SECOND)->from_frames, 1);
    assert_int_equal(counters(rig, PORT_SECOND)->from_bytes, 60);
    assert_int_equal(counters(rig, PORT_TEAM)->from_frames, 0);   /* which the worker counts */
}

static void test_team_port_refused_are_tallied_and_the_others_stay_in_order(void **state)
{
    struct rig *rig = *state;
    struct frame_batch *batch = &rig->worker.batch;
    uint8_t *kept[2];

    batch_start(batch, PORT_SECOND);
    (void)add(rig, MAC_BROADCAST, PEER, 0);        /* the primary's to take */
    kept[0] = add(rig, VM, PEER, 0)->hdr;
    (void)add(rig, VM, MAC_FIRST, 0);              /* ours, come back */
    kept[1] = add(rig, VM, PEER, 0x88b5)->hdr;
    batch->frame[2].csum_state = FRAME_CSUM_PARTIAL;
    batch->frame[3].csum_state = FRAME_CSUM_PARTIAL;
    batch->offload_count = 2;
    assert_int_equal(team_port_from_member(&rig->worker, PORT_SECOND), PORT_TEAM);

    assert_int_equal(batch->count, 2);
    assert_ptr_equal(batch->frame[0].hdr, kept[0]);
    assert_ptr_equal(batch->frame[1].hdr, kept[1]);
    assert_int_equal(batch->offload_count, 1);
    assert_int_equal(rig->worker.refused.count, 2);
    assert_int_equal(rig->worker.refused.drops[DROP_TEAM_DUPLICATE], 1);
    assert_int_equal(rig->worker.refused.drops[DROP_TEAM_REFLECTED], 1);
    assert_int_equal(counters(rig, PORT_SECOND)->from_frames, 4);
    assert_int_equal(counters(rig, PORT_SECOND)->from_broadcast, 1);
    assert_int_equal(counters(rig, PORT_SECOND)->drops[DROP_TEAM_DUPLICATE], 1);
    assert_int_equal(counters(rig, PORT_SECOND)->drops[DROP_TEAM_REFLECTED], 1);
}

static void test_team_port_what_was_no_frame_is_counted_for_the_member_too(void **state)
{
    struct rig *rig = *state;

    batch_start(&rig->worker.batch, PORT_FIRST);
    (void)add(rig, VM, PEER, 0);
    rig->worker.refused.count = 3;
    rig->worker.refused.drops[DROP_BAD_OFFLOAD] = 3;
    assert_int_equal(team_port_from_member(&rig->worker, PORT_FIRST), PORT_TEAM);

    assert_int_equal(counters(rig, PORT_FIRST)->from_frames, 4);
    assert_int_equal(counters(rig, PORT_FIRST)->drops[DROP_BAD_OFFLOAD], 3);
    assert_int_equal(rig->worker.refused.count, 3);      /* the worker counts them for the team */
}

static void test_team_port_without_a_switch_takes_nothing_but_hears_lacp(void **state)
{
    struct rig *rig = *state;
    struct team_port_slow slow;

    rig->team.port = PORT_NONE;
    batch_start(&rig->worker.batch, PORT_FIRST);
    (void)add(rig, VM, PEER, 0);
    (void)add(rig, LACP_PDU_GROUP, PEER, LACP_PDU_ETHERTYPE);
    rig->worker.refused.count = 1;
    rig->worker.refused.drops[DROP_FRAME_TOO_SHORT] = 1;
    assert_int_equal(team_port_from_member(&rig->worker, PORT_FIRST), PORT_NONE);

    assert_int_equal(rig->worker.refused.count, 0);
    assert_int_equal(rig->worker.refused.drops[DROP_FRAME_TOO_SHORT], 0);
    assert_int_equal(counters(rig, PORT_FIRST)->from_frames, 3);
    assert_true(team_port_take(rig->port, &slow));
}

/* ---- slow protocols -------------------------------------------------------------------------- */

static bool readable(const struct rig *rig)
{
    struct pollfd poll_fd = { .fd = team_port_fd(rig->port), .events = POLLIN };

    return poll(&poll_fd, 1, 0) == 1;
}

static void test_team_port_slow_frame_is_boxed_with_its_member(void **state)
{
    struct rig *rig = *state;
    struct team_port_slow slow;

    assert_false(readable(rig));
    batch_start(&rig->worker.batch, PORT_SECOND);
    (void)add(rig, LACP_PDU_GROUP, PEER, LACP_PDU_ETHERTYPE);
    assert_int_equal(team_port_from_member(&rig->worker, PORT_SECOND), PORT_TEAM);

    assert_int_equal(rig->worker.batch.count, 0);
    assert_int_equal(rig->worker.refused.count, 0);      /* it is lost to nobody */
    assert_int_equal(counters(rig, PORT_SECOND)->from_frames, 1);
    assert_true(readable(rig));
    assert_true(team_port_take(rig->port, &slow));
    assert_int_equal(slow.member, 1);
    assert_int_equal(slow.len_bytes, 60);
    assert_memory_equal(slow.bytes, rig->wire.data, 60);
    assert_false(team_port_take(rig->port, &slow));
    assert_false(readable(rig));
}

static void hear_slow(struct rig *rig, uint16_t member_port)
{
    batch_start(&rig->worker.batch, member_port);
    (void)add(rig, LACP_PDU_GROUP, PEER, LACP_PDU_ETHERTYPE);
    (void)team_port_from_member(&rig->worker, member_port);
    memset(&rig->worker.refused, 0, sizeof(rig->worker.refused));
}

static void test_team_port_flood_of_slow_frames_loses_its_own(void **state)
{
    struct rig *rig = *state;
    struct team_port_slow slow;
    unsigned taken = 0;

    for (unsigned i = 0; i < 100; i++) {
        hear_slow(rig, PORT_FIRST);
    }
    assert_int_equal(team_port_slow_lost(rig->port), 100 - SLOW_KEPT);
    while (team_port_take(rig->port, &slow)) {
        taken++;
    }
    assert_int_equal(taken, SLOW_KEPT);

    hear_slow(rig, PORT_FIRST);
    assert_true(readable(rig));    /* the next one tells again */
}

/* Else whoever floods one link would have LACP give up the others. */
static void test_team_port_flood_on_one_link_loses_none_of_another(void **state)
{
    struct rig *rig = *state;
    struct team_port_slow slow;
    unsigned before = 0;

    for (unsigned i = 0; i < 100; i++) {
        hear_slow(rig, PORT_FIRST);
    }
    hear_slow(rig, PORT_SECOND);
    do {
        assert_true(team_port_take(rig->port, &slow));
    } while (slow.member != 1 && ++before < 100);

    assert_int_equal(slow.member, 1);
    assert_true(before <= 1);      /* by turns */
    assert_int_equal(team_port_slow_lost(rig->port), 100 - SLOW_KEPT);
}

static void test_team_port_sends_a_frame_of_the_keepers(void **state)
{
    struct rig *rig = *state;
    uint8_t frame[LACP_PDU_FRAME_BYTES];
    const struct fake_note *note = &rig->member[0]->note[0];

    for (unsigned i = 0; i < sizeof(frame); i++) {
        frame[i] = (uint8_t)i;
    }
    assert_true(team_port_send(rig->port, FABRIC_PORT_PACKET, rig->member[0], frame,
                               sizeof(frame)));
    assert_int_equal(note->len_bytes, sizeof(frame));
    assert_memory_equal(note->data, frame, sizeof(frame));
    assert_false(team_port_send(rig->port, FABRIC_PORT_ABSENT, NULL, frame, sizeof(frame)));
    rig->member[0]->room_frames = 0;
    assert_false(team_port_send(rig->port, FABRIC_PORT_PACKET, rig->member[0], frame,
                                sizeof(frame)));
}

/* ---- to members ------------------------------------------------------------------------------ */

static void test_team_port_frame_by_another_member_carries_its_address_there_only(void **state)
{
    struct rig *rig = *state;
    struct frame_batch *batch = &rig->worker.batch;

    batch_start(batch, PORT_VM);
    (void)add(rig, PEER, VM, 0);                   /* IP: by its flow, the second */
    (void)add(rig, PEER, VM, 0x0806);              /* ARP: by its own, the first */
    deliver(rig);

    assert_int_equal(rig->member[0]->note_count, 1);
    assert_int_equal(source_of(&rig->member[0]->note[0]), VM);
    assert_int_equal(rig->member[1]->note_count, 1);
    assert_int_equal(source_of(&rig->member[1]->note[0]), MAC_SECOND);
    assert_true(batch->altered);
    assert_int_equal(mac_read(batch->frame[0].hdr + 6), VM);
    assert_int_equal(mac_read(batch->frame[1].hdr + 6), VM);
    assert_int_equal(counters(rig, PORT_FIRST)->to_frames, 1);
    assert_int_equal(counters(rig, PORT_SECOND)->to_frames, 1);
    assert_int_equal(counters(rig, PORT_TEAM)->to_frames, 2);
    assert_int_equal(counters(rig, PORT_TEAM)->to_bytes, 120);
}

static void test_team_port_known_to_the_network_rewrites_nothing(void **state)
{
    static const struct team_setting setting = { .mode = TEAM_STATIC, .balance = TEAM_HASH,
                                                 .hash = TEAM_HASH_L4 };
    struct rig *rig = *state;

    team_port_set(rig->port, &setting);
    batch_start(&rig->worker.batch, PORT_VM);
    (void)add(rig, PEER, VM, 0);
    deliver(rig);
    assert_int_equal(rig->member[1]->note_count, 1);
    assert_int_equal(source_of(&rig->member[1]->note[0]), VM);
    assert_false(rig->worker.batch.altered);
}

static void test_team_port_loss_is_the_members_and_the_teams(void **state)
{
    struct rig *rig = *state;

    rig->member[1]->room_frames = 1;
    batch_start(&rig->worker.batch, PORT_VM);
    (void)add(rig, PEER, VM, 0);
    (void)add(rig, PEER, VM, 0);
    deliver(rig);
    assert_int_equal(counters(rig, PORT_SECOND)->to_frames, 1);
    assert_int_equal(counters(rig, PORT_SECOND)->drops[DROP_DEVICE_BUSY], 1);
    assert_int_equal(counters(rig, PORT_TEAM)->to_frames, 1);
    assert_int_equal(counters(rig, PORT_TEAM)->drops[DROP_DEVICE_BUSY], 1);
}

static void test_team_port_nobody_carries_is_link_down(void **state)
{
    struct team_plan plan = { .primary = TEAM_NO_MEMBER };
    struct rig *rig = *state;

    memset(plan.flow, TEAM_NO_MEMBER, sizeof(plan.flow));
    memset(plan.own, TEAM_NO_MEMBER, sizeof(plan.own));
    team_port_set_plan(rig->port, &plan, macs);
    batch_start(&rig->worker.batch, PORT_VM);
    (void)add(rig, PEER, VM, 0);
    deliver(rig);
    assert_int_equal(counters(rig, PORT_TEAM)->drops[DROP_LINK_DOWN], 1);
    assert_int_equal(rig->member[0]->note_count + rig->member[1]->note_count, 0);
}

static void test_team_port_member_that_the_fabric_lacks_is_link_down(void **state)
{
    struct rig *rig = *state;

    rig->team.member[1] = PORT_NONE;
    batch_start(&rig->worker.batch, PORT_VM);
    (void)add(rig, PEER, VM, 0);
    deliver(rig);
    assert_int_equal(counters(rig, PORT_TEAM)->drops[DROP_LINK_DOWN], 1);

    rig->team.member[1] = PORT_SECOND;
    rig->fabric.port[PORT_SECOND].kind = FABRIC_PORT_ABSENT;
    deliver(rig);
    assert_int_equal(counters(rig, PORT_TEAM)->drops[DROP_LINK_DOWN], 2);
    assert_int_equal(counters(rig, PORT_SECOND)->drops[DROP_LINK_DOWN], 1);
}

static void test_team_port_takes_what_all_that_carry_take(void **state)
{
    struct team_plan plan = plan_of_two();
    struct rig *rig = *state;

    rig->member[0]->takes = OFFLOAD_TAKES_CSUM | OFFLOAD_TAKES_TSO4;
    rig->member[1]->takes = OFFLOAD_TAKES_CSUM | OFFLOAD_TAKES_TSO6;
    assert_int_equal(team_port_takes(&rig->worker, PORT_TEAM), OFFLOAD_TAKES_CSUM);
    plan.carries = 1;
    team_port_set_plan(rig->port, &plan, macs);
    assert_int_equal(team_port_takes(&rig->worker, PORT_TEAM),
                     OFFLOAD_TAKES_CSUM | OFFLOAD_TAKES_TSO4);
}

static void test_team_port_sent_is_by_bucket(void **state)
{
    uint64_t sent_bytes[TEAM_BUCKETS], sum = 0;
    struct rig *rig = *state;
    unsigned used = 0;

    batch_start(&rig->worker.batch, PORT_VM);
    (void)add(rig, PEER, VM, 0);
    (void)add(rig, PEER, VM, 0);
    deliver(rig);
    team_port_sent(rig->port, sent_bytes);
    for (unsigned i = 0; i < TEAM_BUCKETS; i++) {
        sum += sent_bytes[i];
        used += sent_bytes[i] != 0;
    }
    assert_int_equal(sum, 120);
    assert_int_equal(used, 1);
}

#define RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(test_team_port_members_frame_becomes_the_teams),
        RIG(test_team_port_refused_are_tallied_and_the_others_stay_in_order),
        RIG(test_team_port_what_was_no_frame_is_counted_for_the_member_too),
        RIG(test_team_port_without_a_switch_takes_nothing_but_hears_lacp),
        RIG(test_team_port_slow_frame_is_boxed_with_its_member),
        RIG(test_team_port_flood_of_slow_frames_loses_its_own),
        RIG(test_team_port_flood_on_one_link_loses_none_of_another),
        RIG(test_team_port_sends_a_frame_of_the_keepers),
        RIG(test_team_port_frame_by_another_member_carries_its_address_there_only),
        RIG(test_team_port_known_to_the_network_rewrites_nothing),
        RIG(test_team_port_loss_is_the_members_and_the_teams),
        RIG(test_team_port_nobody_carries_is_link_down),
        RIG(test_team_port_member_that_the_fabric_lacks_is_link_down),
        RIG(test_team_port_takes_what_all_that_carry_take),
        RIG(test_team_port_sent_is_by_bucket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
