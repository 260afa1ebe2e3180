/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From decided frames to delivered ones, for interfaces that record what they are given: who gets
 * which frames, in which order, with which tag, whole or cut, and what the counters say of it.
 */
#include "dataplane/egress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/ether.h"
#include "switch/mac.h"
#include "switch/offload.h"
#include "tests/support/checksum_naive.h"
#include "tests/support/fake_interface.h"
#include "tests/support/frame_builder.h"
#include "tests/support/long_frame.h"

#define PORTS         6u
#define PORT_IN       0u
#define MAX_FRAME     1514u
#define WORKER        5u           /* so that its queue of an interface is 5 % FAKE_QUEUES */
#define STATION       UINT64_C(0x0200000000b0)
#define SENDER        UINT64_C(0x0200000000a0)
#define NAMED_AT      50u          /* where a frame of frame_add() has its number */

struct rig {
    struct worker worker;
    struct fabric fabric;
    struct fabric_switch on;
    struct fabric_flood flood[3];
    uint16_t flood_of[VLAN_COUNT];
    struct vlan_set all_vlans;
    struct fake_interface *to[PORTS];
    struct wire wire;
    struct long_frame long_frame;
};

/* ---- the rig --------------------------------------------------------------------------------- */

/* Six ports of no VLAN on one switch, all of which a flood reaches. */
static int setup(void **state)
{
    static const uint16_t all[PORTS] = { 0, 1, 2, 3, 4, 5 };
    struct rig *rig = aligned_alloc(64, (sizeof(*rig) + 63) / 64 * 64);

    if (rig == NULL) {
        return -1;
    }
    memset(rig, 0, sizeof(*rig));
    rig->worker.id = WORKER;
    rig->worker.fabric = &rig->fabric;
    rig->fabric.switches = &rig->on;
    rig->on.flood = rig->flood;
    rig->on.member_count = PORTS;
    rig->flood[0] = (struct fabric_flood){ all, PORTS, PORTS };
    memset(&rig->all_vlans, 0xff, sizeof(rig->all_vlans));
    for (uint16_t i = 0; i < PORTS; i++) {
        rig->to[i] = fake_interface_create(i);
        rig->fabric.port[i] = (struct fabric_port){
            .endpoint = rig->to[i], .kind = FABRIC_PORT_HOST, .max_frame_bytes = MAX_FRAME,
        };
    }
    batch_start(&rig->worker.batch, PORT_IN);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    for (uint16_t i = 0; i < PORTS; i++) {
        free(rig->to[i]);
    }
    free(rig);
    return 0;
}

/* Lets @p port take VLANs besides @p vlan_out, with a tag. */
static void make_trunk(struct rig *rig, uint16_t port, uint16_t vlan_out)
{
    rig->fabric.port[port].flags = FABRIC_PORT_TAGS;
    rig->fabric.port[port].vlan_out = vlan_out;
    rig->fabric.port[port].others = &rig->all_vlans;
}

/* Adds a frame that is decided; its number in the batch is in its bytes. */
static struct frame *frame_add(struct rig *rig, uint64_t destination, uint32_t len_bytes,
                               uint16_t tci, uint16_t port_out)
{
    struct frame_batch *batch = &rig->worker.batch;
    struct frame *frame;

    wire_start(&rig->wire, destination, SENDER);
    wire_type(&rig->wire, 0x88b5);
    wire_fill(&rig->wire, len_bytes);
    rig->wire.data[NAMED_AT] = (uint8_t)batch->count;
    frame = batch_add_wire(batch, &rig->wire, 0);
    frame->vlan_tci = tci;
    frame->port_out = port_out;
    batch->flood_count = (uint16_t)(batch->flood_count + (port_out == PORT_FLOOD));
    return frame;
}

/* Adds a TCP segment of @p payload_bytes that is to be cut into pieces of 1,000. */
static struct frame *long_frame_add_decided(struct rig *rig, uint32_t payload_bytes, uint16_t tci,
                                            uint16_t port_out)
{
    struct frame_batch *batch = &rig->worker.batch;
    struct frame *frame;

    rig->long_frame = (struct long_frame){
        .gso_type = FRAME_GSO_TCP4, .ip_version = 4, .payload_bytes = payload_bytes,
        .gso_size_bytes = 1000, .trusted_bytes = FRAME_HDR_BYTES, .sequence = 7000,
    };
    long_frame_write(&rig->long_frame);
    frame = long_frame_add(&rig->long_frame, batch);
    frame->vlan_tci = tci;
    frame->port_out = port_out;
    batch->flood_count = (uint16_t)(batch->flood_count + (port_out == PORT_FLOOD));
    return frame;
}

/* The numbers of the frames that @p port was given, as text: "0 2 3". */
static const char *given(const struct rig *rig, uint16_t port)
{
    static char text[4 * FAKE_NOTES_MAX];
    const struct fake_interface *to = rig->to[port];
    size_t used = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < to->note_count; i++) {
        const struct fake_note *note = &to->note[i];
        const bool tagged = note->data[12] == 0x81 && note->data[13] == 0x00;

        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%u", i == 0 ? "" : " ",
                                 note->data[NAMED_AT + (tagged ? 4 : 0)]);
    }
    return text;
}

static uint64_t all_drops(const struct port_counters *counters)
{
    uint64_t sum = 0;

    for (unsigned reason = 0; reason < DROP_REASON_COUNT; reason++) {
        sum += counters->drops[reason];
    }
    return sum;
}

/* Delivers the batch; then every frame is accounted for, and is as it was. */
static void deliver(struct rig *rig)
{
    static struct frame before[FRAME_BURST];
    struct frame_batch *batch = &rig->worker.batch;
    struct forward_classes classes;
    uint64_t in = batch->count;
    uint64_t out = 0;

    memcpy(before, batch->frame, sizeof(before));
    forward_measure(batch, &classes);
    egress_batch(&rig->worker, &classes);

    for (uint16_t i = 0; i < batch->count; i++) {
        assert_memory_equal(&before[i], &batch->frame[i], sizeof(before[i]));
    }
    for (uint16_t i = 0; i < PORTS; i++) {
        const struct port_counters *counters = &rig->worker.counters[i];

        in += counters->flood_copies + counters->segment_copies;
        out += counters->to_frames + counters->coalesced + all_drops(counters);
        assert_int_equal(counters->to_frames, rig->to[i]->note_count);
        assert_int_equal(rig->worker.mark[i], 0);
    }
    assert_int_equal(in, out);
}

/* ---- who gets what --------------------------------------------------------------------------- */

static void test_egress_known_destination_gets_all_by_one_call(void **state)
{
    struct rig *rig = *state;

    for (unsigned i = 0; i < FRAME_BURST; i++) {
        (void)frame_add(rig, STATION, 60, 0, 3);
    }
    deliver(rig);

    assert_int_equal(rig->to[3]->note_count, FRAME_BURST);
    assert_int_equal(rig->to[3]->calls, 1);
    assert_int_equal(rig->worker.counters[3].to_bytes, FRAME_BURST * 60);
    assert_int_equal(rig->worker.counters[PORT_IN].flood_copies, 0);
}

static void test_egress_flood_reaches_all_but_the_sender(void **state)
{
    struct rig *rig = *state;

    (void)frame_add(rig, MAC_BROADCAST, 60, 0, PORT_FLOOD);
    (void)frame_add(rig, STATION, 60, 0, PORT_FLOOD);
    deliver(rig);

    assert_int_equal(rig->to[PORT_IN]->note_count, 0);
    for (uint16_t i = 1; i < PORTS; i++) {
        assert_string_equal(given(rig, i), "0 1");
        assert_int_equal(rig->to[i]->calls, 1);
        assert_int_equal(rig->worker.counters[i].to_broadcast, 1);
    }
    assert_int_equal(rig->worker.counters[PORT_IN].flood_copies, 2 * (PORTS - 2));
}

static void test_egress_flooded_frame_keeps_its_place_among_the_ports_own(void **state)
{
    struct rig *rig = *state;

    (void)frame_add(rig, STATION, 60, 0, 2);
    (void)frame_add(rig, MAC_BROADCAST, 60, 0, PORT_FLOOD);
    (void)frame_add(rig, STATION, 60, 0, 2);
    (void)frame_add(rig, STATION, 60, 0, 4);
    deliver(rig);

    assert_string_equal(given(rig, 2), "0 1 2");
    assert_string_equal(given(rig, 4), "1 3");
    assert_string_equal(given(rig, 1), "1");
}

static void test_egress_unknown_unicast_passes_by_the_ports_that_take_none(void **state)
{
    static const uint16_t takers_first[] = { 0, 4, 1, 2 };
    struct rig *rig = *state;

    rig->flood[0] = (struct fabric_flood){ takers_first, 2, 4 };
    (void)frame_add(rig, STATION, 60, 0, PORT_FLOOD);
    (void)frame_add(rig, MAC_BROADCAST, 60, 0, PORT_FLOOD);
    (void)frame_add(rig, STATION, 60, 0, PORT_FLOOD);
    deliver(rig);

    assert_string_equal(given(rig, 4), "0 1 2");
    assert_string_equal(given(rig, 1), "1");
    assert_string_equal(given(rig, 2), "1");
    assert_string_equal(given(rig, 3), "");
    assert_int_equal(rig->worker.counters[PORT_IN].flood_copies, 2);
}

/* VLAN 10 reaches ports 1 and 2, VLAN 20 ports 2 and 3; the sender is in neither. */
static void test_egress_vlans_of_one_batch_reach_each_their_own(void **state)
{
    static const uint16_t ten[] = { 1, 2 }, twenty[] = { 2, 3 };
    struct rig *rig = *state;

    rig->on.flood_of = rig->flood_of;
    rig->flood_of[10] = 1;
    rig->flood_of[20] = 2;
    rig->flood[1] = (struct fabric_flood){ ten, 2, 2 };
    rig->flood[2] = (struct fabric_flood){ twenty, 2, 2 };
    (void)frame_add(rig, MAC_BROADCAST, 60, 10, PORT_FLOOD);
    (void)frame_add(rig, MAC_BROADCAST, 60, 20, PORT_FLOOD);
    (void)frame_add(rig, STATION, 60, 20, 2);
    (void)frame_add(rig, MAC_BROADCAST, 60, 0x6000 | 10, PORT_FLOOD);
    deliver(rig);

    assert_string_equal(given(rig, 1), "0 3");
    assert_string_equal(given(rig, 2), "0 1 2 3");
    assert_string_equal(given(rig, 3), "1");
    assert_int_equal(rig->to[2]->calls, 1);
    assert_int_equal(rig->worker.counters[PORT_IN].flood_copies, 3);
}

static void test_egress_kind_says_by_whom_and_which_queue(void **state)
{
    struct rig *rig = *state;

    rig->fabric.port[2].kind = FABRIC_PORT_PACKET;
    rig->fabric.port[3].kind = FABRIC_PORT_NIC;
    rig->to[2]->room_frames = 1;
    (void)frame_add(rig, MAC_BROADCAST, 60, 0, PORT_FLOOD);
    (void)frame_add(rig, MAC_BROADCAST, 60, 0, PORT_FLOOD);
    deliver(rig);

    assert_int_equal(rig->to[1]->queue, WORKER % FAKE_QUEUES);
    assert_int_equal(rig->to[2]->queue, WORKER % FAKE_QUEUES);
    assert_int_equal(rig->to[3]->queue, WORKER);
    assert_string_equal(given(rig, 2), "0");
    assert_int_equal(rig->worker.counters[2].drops[DROP_DEVICE_BUSY], 1);
    assert_int_equal(rig->worker.counters[2].to_broadcast, 1);
}

static void test_egress_absent_port_loses_all_as_link_down(void **state)
{
    struct rig *rig = *state;

    rig->fabric.port[3].kind = FABRIC_PORT_ABSENT;
    rig->fabric.port[3].endpoint = NULL;
    make_trunk(rig, 3, 0);
    (void)frame_add(rig, STATION, 60, 10, 3);
    (void)long_frame_add_decided(rig, 5000, 10, 3);
    deliver(rig);

    assert_int_equal(rig->worker.counters[3].drops[DROP_LINK_DOWN], 2);
}

/* ---- tags ------------------------------------------------------------------------------------ */

/* Checks that the @p nth frame of @p port is one of 60 bytes, with @p tci in its tag if not 0. */
static void assert_tag(const struct rig *rig, uint16_t port, unsigned nth, uint16_t tci)
{
    const struct fake_note *note = &rig->to[port]->note[nth];
    const uint8_t tag[] = { 0x81, 0x00, (uint8_t)(tci >> 8), (uint8_t)tci };

    assert_true(nth < rig->to[port]->note_count);
    assert_int_equal(note->len_bytes, tci != 0 ? 64 : 60);
    assert_memory_equal(note->data, rig->worker.batch.frame[0].hdr, 12);
    if (tci != 0) {
        assert_memory_equal(note->data + 12, tag, sizeof(tag));
    }
    assert_memory_equal(note->data + (tci != 0 ? 16 : 12), rig->worker.batch.frame[0].hdr + 12, 38);
}

static void test_egress_flood_is_tagged_as_each_port_wants_it(void **state)
{
    const uint16_t tci = 0x6000 | 10;
    struct rig *rig = *state;

    rig->fabric.port[1].vlan_out = 10;                         /* access */
    make_trunk(rig, 2, 1);                                     /* native VLAN 1 */
    make_trunk(rig, 3, 10);                                    /* native VLAN 10 */
    make_trunk(rig, 4, 0);                                     /* an uplink */
    rig->fabric.port[5].vlan_out = 100;                       /* promiscuous: others, but no tags */
    rig->fabric.port[5].others = &rig->all_vlans;
    (void)frame_add(rig, MAC_BROADCAST, 60, tci, PORT_FLOOD);
    (void)frame_add(rig, MAC_BROADCAST, 60, tci, PORT_FLOOD);
    deliver(rig);

    for (unsigned nth = 0; nth < 2; nth++) {
        assert_tag(rig, 1, nth, 0);
        assert_tag(rig, 2, nth, tci);
        assert_tag(rig, 3, nth, 0);
        assert_tag(rig, 4, nth, tci);
        assert_tag(rig, 5, nth, 0);
    }
    assert_int_equal(rig->worker.counters[1].to_bytes, 2 * 60);
    assert_int_equal(rig->worker.counters[2].to_bytes, 2 * 64);
    assert_int_equal(rig->worker.counters[2].to_broadcast, 2);
}

static void test_egress_trunk_gets_tags_of_its_frames_only(void **state)
{
    struct rig *rig = *state;

    make_trunk(rig, 2, 0);
    (void)frame_add(rig, STATION, 60, 0, 2);
    (void)frame_add(rig, STATION, 60, 20, 2);
    (void)frame_add(rig, STATION, 60, 0xe000, 2);              /* VLAN 0: its priority has no tag */
    deliver(rig);

    assert_tag(rig, 2, 0, 0);
    assert_true(rig->worker.batch.altered);
    assert_int_equal(rig->to[2]->note[1].len_bytes, 64);
    assert_int_equal(rig->to[2]->note[1].data[15], 20);
    assert_int_equal(rig->to[2]->note[2].len_bytes, 60);
}

/* Tagged twice, in VLAN 10 and then 20, by somebody in VLAN 10: a trunk must not see VLAN 20. */
static void test_egress_tag_that_came_as_payload_is_not_a_trunks_vlan(void **state)
{
    static const uint8_t both_tags[] = { 0x81, 0x00, 0, 10, 0x81, 0x00, 0, 20 };
    struct rig *rig = *state;
    struct frame *frame = frame_add(rig, MAC_BROADCAST, 60, 10, PORT_FLOOD);

    memcpy(frame->hdr + 12, both_tags + 4, 4);
    rig->fabric.port[1].vlan_out = 10;                         /* access */
    make_trunk(rig, 2, 1);                                     /* native VLAN 1 */
    make_trunk(rig, 3, 10);                                    /* native VLAN 10 */
    deliver(rig);

    assert_memory_equal(rig->to[1]->note[0].data + 12, both_tags + 4, 4);
    assert_memory_equal(rig->to[2]->note[0].data + 12, both_tags, sizeof(both_tags));
    assert_memory_equal(rig->to[3]->note[0].data + 12, both_tags, sizeof(both_tags));
}

static void test_egress_tag_comes_on_top_of_the_mtu(void **state)
{
    struct rig *rig = *state;

    make_trunk(rig, 2, 0);
    for (uint32_t len_bytes = MAX_FRAME; len_bytes <= MAX_FRAME + 1; len_bytes++) {
        (void)frame_add(rig, MAC_BROADCAST, len_bytes, 10, PORT_FLOOD);
    }
    deliver(rig);

    assert_int_equal(rig->to[1]->note[0].len_bytes, MAX_FRAME);
    assert_int_equal(rig->to[2]->note[0].len_bytes, MAX_FRAME + 4);
    for (uint16_t i = 1; i < PORTS; i++) {
        assert_string_equal(given(rig, i), "0");
        assert_int_equal(rig->worker.counters[i].drops[DROP_OVER_MTU], 1);
    }
}

/* ---- checksums and segments ------------------------------------------------------------------ */

/* Whether the sum of TCP, without options, fits; the Ethernet header has @p l2_bytes. */
static void assert_tcp_sum(const struct fake_note *note, uint32_t l2_bytes)
{
    const uint8_t *ip = note->data + l2_bytes;
    const uint32_t tcp_bytes = note->len_bytes - l2_bytes - 20;
    const uint8_t pseudo[] = { 0, IP_PROTOCOL_TCP, (uint8_t)(tcp_bytes >> 8), (uint8_t)tcp_bytes };
    uint16_t sum = checksum_naive(0, ip + 12, 8);

    sum = checksum_naive(sum, pseudo, sizeof(pseudo));
    assert_int_equal(checksum_naive(sum, ip + 20, tcp_bytes), 0xffff);
}

/* A short TCP segment whose field holds the sum of the pseudo-header, as virtio asks for. */
static struct frame *partial_add(struct rig *rig, uint16_t tci, uint16_t port_out)
{
    struct frame *frame = long_frame_add_decided(rig, 200, tci, port_out);
    const uint32_t tcp_bytes = 20 + 200;
    const uint8_t pseudo[] = { 0, IP_PROTOCOL_TCP, (uint8_t)(tcp_bytes >> 8), (uint8_t)tcp_bytes };
    const uint16_t sum = checksum_naive(checksum_naive(0, frame->hdr + 26, 8), pseudo,
                                        sizeof(pseudo));

    frame->gso_type = FRAME_GSO_NONE;
    frame->gso_size_bytes = 0;
    frame->hdr[34 + 16] = (uint8_t)(sum >> 8);
    frame->hdr[34 + 17] = (uint8_t)sum;
    return frame;
}

static void test_egress_partial_checksum_is_the_ports_tagged_or_not(void **state)
{
    struct rig *rig = *state;

    make_trunk(rig, 1, 0);
    (void)partial_add(rig, 10, PORT_FLOOD);
    deliver(rig);

    assert_tcp_sum(&rig->to[1]->note[0], 18);
    assert_tcp_sum(&rig->to[2]->note[0], 14);
    assert_int_equal(rig->to[1]->note[0].csum_state, FRAME_CSUM_PARTIAL);
    assert_int_equal(rig->to[2]->note[0].csum_state, FRAME_CSUM_PARTIAL);
    assert_int_equal(rig->worker.counters[PORT_IN].segment_copies, 0);
}

static void test_egress_long_frame_is_cut_for_each_port_in_its_place(void **state)
{
    struct rig *rig = *state;

    make_trunk(rig, 4, 0);
    (void)frame_add(rig, STATION, 60, 10, PORT_FLOOD);
    (void)long_frame_add_decided(rig, 2500, 10, PORT_FLOOD);
    (void)frame_add(rig, STATION, 70, 10, PORT_FLOOD);
    deliver(rig);

    for (uint16_t port = 1; port < PORTS; port++) {
        const struct fake_interface *to = rig->to[port];
        const uint32_t tag_bytes = port == 4 ? 4 : 0;

        assert_int_equal(to->note_count, 5);
        assert_int_equal(to->note[0].len_bytes, 60 + tag_bytes);
        assert_int_equal(to->note[1].len_bytes, 54 + 1000 + tag_bytes);
        assert_int_equal(to->note[2].len_bytes, 54 + 1000 + tag_bytes);
        assert_int_equal(to->note[3].len_bytes, 54 + 500 + tag_bytes);
        assert_int_equal(to->note[4].len_bytes, 70 + tag_bytes);
        for (unsigned nth = 1; nth <= 3; nth++) {
            assert_tcp_sum(&to->note[nth], 14 + tag_bytes);
            assert_memory_equal(to->note[nth].data + 54 + tag_bytes,
                                rig->long_frame.wire.data + 54 + (nth - 1) * 1000, 500);
        }
    }
    assert_int_equal(rig->worker.counters[PORT_IN].flood_copies, 3 * (PORTS - 2));
    assert_int_equal(rig->worker.counters[PORT_IN].segment_copies, 2 * (PORTS - 1));
    assert_int_equal(rig->worker.counters[4].to_frames, 5);
}

static void test_egress_more_segments_than_a_batch_come_in_order(void **state)
{
    struct rig *rig = *state;

    (void)long_frame_add_decided(rig, 60000, 0, 2);
    deliver(rig);

    assert_int_equal(rig->to[2]->note_count, 60);
    assert_int_equal(rig->to[2]->calls, 2);
    for (uint32_t nth = 0; nth < 60; nth++) {
        const uint8_t *sequence = rig->to[2]->note[nth].data + 34 + 4;

        assert_int_equal(sequence[2] << 8 | sequence[3], (7000 + nth * 1000) & 0xffff);
    }
}

static void test_egress_segments_over_the_mtu_are_dropped_as_one(void **state)
{
    struct rig *rig = *state;

    rig->fabric.port[2].max_frame_bytes = 1053;
    rig->fabric.port[3].max_frame_bytes = 1054;
    make_trunk(rig, 3, 0);
    (void)long_frame_add_decided(rig, 2500, 10, PORT_FLOOD);
    deliver(rig);

    assert_int_equal(rig->to[2]->note_count, 0);
    assert_int_equal(rig->worker.counters[2].drops[DROP_OVER_MTU], 1);
    assert_int_equal(rig->to[3]->note_count, 3);
}

static void test_egress_frame_that_cannot_be_cut_is_its_senders_loss(void **state)
{
    struct rig *rig = *state;

    long_frame_add_decided(rig, 2500, 0, 2)->gso_type = FRAME_GSO_UDP;
    deliver(rig);

    assert_int_equal(rig->worker.counters[PORT_IN].drops[DROP_BAD_OFFLOAD], 1);
    assert_int_equal(rig->to[2]->note_count, 0);
}

/* ---- what ports take undone ------------------------------------------------------------------ */

#define TAKES_TSO4 (OFFLOAD_TAKES_CSUM | OFFLOAD_TAKES_TSO4)

static void test_egress_long_frame_goes_whole_to_who_takes_it(void **state)
{
    struct rig *rig = *state;

    rig->to[1]->takes = TAKES_TSO4;
    rig->to[2]->takes = OFFLOAD_TAKES_ALL & ~OFFLOAD_TAKES_TSO4;
    rig->to[3]->takes = TAKES_TSO4;
    rig->to[4]->takes = TAKES_TSO4;
    make_trunk(rig, 4, 0);
    (void)frame_add(rig, STATION, 60, 10, PORT_FLOOD);
    (void)long_frame_add_decided(rig, 1400, 10, PORT_FLOOD);
    (void)frame_add(rig, STATION, 70, 10, PORT_FLOOD);
    deliver(rig);

    assert_int_equal(rig->to[1]->note_count, 3);
    assert_int_equal(rig->to[1]->calls, 1);
    assert_int_equal(rig->to[1]->note[1].len_bytes, 54 + 1400);
    assert_int_equal(rig->to[1]->note[1].csum_state, FRAME_CSUM_PARTIAL);
    assert_int_equal(rig->to[4]->note_count, 3);
    assert_int_equal(rig->to[4]->note[1].len_bytes, 54 + 1400 + 4);
    assert_int_equal(rig->to[2]->note_count, 4);
    assert_int_equal(rig->to[2]->note[1].len_bytes, 54 + 1000);
    assert_int_equal(rig->to[2]->note[2].len_bytes, 54 + 400);
    assert_int_equal(rig->to[5]->note_count, 4);
    assert_tcp_sum(&rig->to[5]->note[1], 14);
    assert_tcp_sum(&rig->to[5]->note[2], 14);
    /* Cut for ports 2 and 5. */
    assert_int_equal(rig->worker.counters[PORT_IN].segment_copies, 2);
}

/* Without ECN's feature a receiver would repeat CWR on every segment, or refuse the frame. */
static void test_egress_congestion_window_reduced_needs_a_taker_of_ecn(void **state)
{
    struct rig *rig = *state;
    struct frame *frame = long_frame_add_decided(rig, 2500, 0, PORT_FLOOD);

    frame->hdr[34 + 13] |= 0x80;
    rig->to[1]->takes = TAKES_TSO4;
    rig->to[2]->takes = TAKES_TSO4 | OFFLOAD_TAKES_ECN;
    deliver(rig);

    assert_int_equal(rig->to[1]->note_count, 3);
    assert_int_equal(rig->to[1]->note[0].data[34 + 13] & 0x80, 0x80);
    assert_int_equal(rig->to[1]->note[1].data[34 + 13] & 0x80, 0);
    assert_int_equal(rig->to[2]->note_count, 1);
}

/* The MTU bounds what a wire sees: the segments.  One more byte, and not even the taker gets it. */
static void test_egress_mtu_of_a_taker_bounds_the_segments(void **state)
{
    struct rig *rig = *state;

    for (uint16_t port = 1; port < PORTS; port++) {
        rig->to[port]->takes = OFFLOAD_TAKES_ALL;
        rig->fabric.port[port].max_frame_bytes = port % 2 == 0 ? 1054 : 1053;
    }
    make_trunk(rig, 3, 0);
    make_trunk(rig, 4, 0);
    (void)long_frame_add_decided(rig, 60000, 10, PORT_FLOOD);
    deliver(rig);

    for (uint16_t port = 1; port < PORTS; port++) {
        assert_int_equal(rig->to[port]->note_count, port % 2 == 0 ? 1 : 0);
        assert_int_equal(rig->worker.counters[port].drops[DROP_OVER_MTU], port % 2 == 0 ? 0 : 1);
    }
    assert_int_equal(rig->worker.counters[PORT_IN].segment_copies, 0);
}

int main(void)
{
#define RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        RIG(test_egress_known_destination_gets_all_by_one_call),
        RIG(test_egress_flood_reaches_all_but_the_sender),
        RIG(test_egress_flooded_frame_keeps_its_place_among_the_ports_own),
        RIG(test_egress_unknown_unicast_passes_by_the_ports_that_take_none),
        RIG(test_egress_vlans_of_one_batch_reach_each_their_own),
        RIG(test_egress_kind_says_by_whom_and_which_queue),
        RIG(test_egress_absent_port_loses_all_as_link_down),
        RIG(test_egress_flood_is_tagged_as_each_port_wants_it),
        RIG(test_egress_trunk_gets_tags_of_its_frames_only),
        RIG(test_egress_tag_that_came_as_payload_is_not_a_trunks_vlan),
        RIG(test_egress_tag_comes_on_top_of_the_mtu),
        RIG(test_egress_partial_checksum_is_the_ports_tagged_or_not),
        RIG(test_egress_long_frame_is_cut_for_each_port_in_its_place),
        RIG(test_egress_more_segments_than_a_batch_come_in_order),
        RIG(test_egress_segments_over_the_mtu_are_dropped_as_one),
        RIG(test_egress_frame_that_cannot_be_cut_is_its_senders_loss),
        RIG(test_egress_long_frame_goes_whole_to_who_takes_it),
        RIG(test_egress_congestion_window_reduced_needs_a_taker_of_ecn),
        RIG(test_egress_mtu_of_a_taker_bounds_the_segments),
    };

    return cmocka_run_group_tests_name("egress", tests, NULL, NULL);
}
