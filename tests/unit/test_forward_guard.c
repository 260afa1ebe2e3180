/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What becomes of frames that the guards of their port object to, and of those beside them.
 */
#include "switch/forward.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "switch/ether.h"
#include "switch/frame_tag.h"
#include "switch/mac.h"
#include "tests/support/forward_lab.h"
#include "tests/support/frame_builder.h"

enum what { OFFER, DISCOVER, ADVERTISEMENT, ECHO, UNSEEN };

/* On external switch "red": ports with no guard, with either, and a locked trunk with both. */
static struct {
    uint16_t open, dhcp, router, trunk, uplink, host;
} port;

static int setup(void **state)
{
    const struct vswitch_switch external = { .type = VSWITCH_EXTERNAL, .uplink = "eth9",
                                             .host_vnic = true };
    const struct vswitch_vnic dhcp = { .dhcp_guard = true }, router = { .router_guard = true };
    const struct vswitch_vnic both = { .dhcp_guard = true, .router_guard = true,
                                       .spoof_guard = true, .mac = MAC(4) };
    struct forward_lab *lab;

    (void)forward_lab_setup(state);
    lab = *state;
    forward_lab_switch(lab, "red", &external);
    port.open = forward_lab_vnic(lab, "red", "open", "none", NULL);
    port.dhcp = forward_lab_vnic(lab, "red", "dhcp", "none", &dhcp);
    port.router = forward_lab_vnic(lab, "red", "router", "none", &router);
    port.trunk = forward_lab_vnic(lab, "red", "trunk", "trunk:10,native:20", &both);
    port.uplink = vswitch_find(lab->model, "red")->uplink_port;
    port.host = vswitch_find(lab->model, "red")->host_port;
    forward_lab_compile(lab);
    return 0;
}

/* Adds a broadcast frame of 80 bytes, with a tag unless @p tci is NO_TAG. */
static struct frame *add(struct forward_lab *lab, enum what what, uint64_t source, uint32_t tci)
{
    struct wire wire;

    wire_start(&wire, MAC_BROADCAST, source);
    if (tci != NO_TAG) {
        wire_tag(&wire, FRAME_TPID, (uint16_t)tci);
    }
    switch (what) {
    case OFFER:
        wire_ipv4(&wire, 1, 2, IP_PROTOCOL_UDP, 0);
        wire_ports(&wire, 67, 68);
        break;
    case DISCOVER:
        wire_ipv4(&wire, 1, 2, IP_PROTOCOL_UDP, 0);
        wire_ports(&wire, 68, 67);
        break;
    case ADVERTISEMENT:
        wire_ipv6(&wire, 1, 2, IP_PROTOCOL_ICMPV6);
        wire_ports(&wire, 134 << 8, 0);
        break;
    case ECHO:
        wire_ipv6(&wire, 1, 2, IP_PROTOCOL_ICMPV6);
        wire_ports(&wire, 128 << 8, 0);
        break;
    case UNSEEN:
        wire_ipv6(&wire, 1, 2, 60);
        wire_extension(&wire, 60, 0);
        break;
    }
    wire_fill(&wire, 80);
    return batch_add_wire(&lab->batch, &wire, 0);
}

static const struct frame *send(struct forward_lab *lab, uint16_t from, enum what what)
{
    const struct frame *frame;

    batch_start(&lab->batch, from);
    frame = add(lab, what, from == port.trunk ? MAC(4) : MAC(1), NO_TAG);
    forward_lab_run(lab);
    return frame;
}

static void test_forward_guard_drops_by_name_what_it_is_against(void **state)
{
    struct forward_lab *lab = *state;

    forward_lab_dropped(send(lab, port.dhcp, OFFER), DROP_DHCP_SERVER);
    assert_int_equal(lab->batch.flood_count, 0);
    assert_int_equal(lab->classes.broadcast_frames, 1);
    forward_lab_dropped(send(lab, port.dhcp, UNSEEN), DROP_DHCP_SERVER);
    forward_lab_dropped(send(lab, port.router, ADVERTISEMENT), DROP_ROUTER);
    forward_lab_dropped(send(lab, port.router, UNSEEN), DROP_ROUTER);
    forward_lab_dropped(send(lab, port.trunk, OFFER), DROP_DHCP_SERVER);
    forward_lab_dropped(send(lab, port.trunk, ADVERTISEMENT), DROP_ROUTER);
    forward_lab_dropped(send(lab, port.trunk, UNSEEN), DROP_DHCP_SERVER);
}

static void test_forward_guard_is_against_nothing_else(void **state)
{
    struct forward_lab *lab = *state;

    assert_int_equal(send(lab, port.dhcp, ADVERTISEMENT)->port_out, PORT_FLOOD);
    assert_int_equal(send(lab, port.router, OFFER)->port_out, PORT_FLOOD);
    assert_int_equal(send(lab, port.trunk, DISCOVER)->port_out, PORT_FLOOD);
    assert_int_equal(send(lab, port.trunk, ECHO)->port_out, PORT_FLOOD);
    assert_int_equal(lab->batch.flood_count, 1);
}

static void test_forward_guard_is_for_what_its_port_sends(void **state)
{
    const uint16_t from[] = { port.open, port.uplink, port.host };
    struct forward_lab *lab = *state;

    for (unsigned i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
        for (unsigned what = OFFER; what <= UNSEEN; what++) {
            const struct frame *frame = send(lab, from[i], what);

            assert_int_equal(frame->port_out, PORT_FLOOD);
            assert_int_equal(forward_lab_delivery(lab, frame, port.dhcp), 'u');
            assert_int_equal(forward_lab_delivery(lab, frame, port.router), 'u');
        }
    }
}

/* All begin alike, so they are one train. */
static void test_forward_guard_lets_the_frames_beside_be(void **state)
{
    static const enum what what[] = { OFFER, DISCOVER, OFFER, OFFER, DISCOVER };
    struct forward_lab *lab = *state;

    batch_start(&lab->batch, port.dhcp);
    for (unsigned i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
        (void)add(lab, what[i], MAC(1), NO_TAG);
    }
    forward_lab_run(lab);

    assert_int_equal(lab->batch.flood_count, 2);
    for (unsigned i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
        if (what[i] == OFFER) {
            forward_lab_dropped(&lab->batch.frame[i], DROP_DHCP_SERVER);
        } else {
            assert_int_equal(lab->batch.frame[i].port_out, PORT_FLOOD);
        }
    }
}

static void test_forward_guard_drops_what_goes_to_one_port(void **state)
{
    struct forward_lab *lab = *state;
    struct frame *frame;

    batch_start(&lab->batch, port.dhcp);
    frame = add(lab, OFFER, MAC(1), NO_TAG);
    memcpy(frame->hdr, (const uint8_t[]){ 2, 0, 0, 0, 0, 4 }, 6);
    frame = add(lab, DISCOVER, MAC(1), NO_TAG);
    memcpy(frame->hdr, (const uint8_t[]){ 2, 0, 0, 0, 0, 4 }, 6);
    assert_int_equal(mac_table_add_static(forward_lab_table(lab, "red"), MAC(4), 0, port.open), 0);
    forward_lab_run(lab);

    forward_lab_dropped(&lab->batch.frame[0], DROP_DHCP_SERVER);
    assert_int_equal(lab->batch.frame[1].port_out, port.open);
    assert_int_equal(lab->batch.flood_count, 0);
}

static void test_forward_guard_leaves_a_tagged_frame_as_it_came(void **state)
{
    struct forward_lab *lab = *state;
    uint8_t was[80];
    struct frame *dropped, *passed;

    batch_start(&lab->batch, port.trunk);
    dropped = add(lab, OFFER, MAC(4), 0x600a);
    passed = add(lab, DISCOVER, MAC(4), 0x600a);
    memcpy(was, dropped->hdr, sizeof(was));
    forward_lab_run(lab);

    forward_lab_dropped(dropped, DROP_DHCP_SERVER);
    assert_int_equal(dropped->len_bytes, sizeof(was));
    assert_int_equal(dropped->hdr_len_bytes, sizeof(was));
    assert_memory_equal(dropped->hdr, was, sizeof(was));
    assert_true(dropped->tagged && dropped->came_tagged);
    assert_int_equal(passed->port_out, PORT_FLOOD);
    assert_int_equal(passed->len_bytes, sizeof(was) - FRAME_TAG_BYTES);
    assert_int_equal(lab->classes.untagged_bytes, FRAME_TAG_BYTES);
}

static void test_forward_guard_has_no_say_when_it_is_dropped_already(void **state)
{
    struct forward_lab *lab = *state;
    const struct frame *spoofed, *tagged;

    batch_start(&lab->batch, port.trunk);
    spoofed = add(lab, OFFER, MAC(9), NO_TAG);
    tagged = add(lab, OFFER, MAC(4), 11);
    forward_lab_run(lab);

    forward_lab_dropped(spoofed, DROP_SPOOFED_SOURCE);
    forward_lab_dropped(tagged, DROP_VLAN_NOT_ALLOWED);
    assert_int_equal(tagged->len_bytes, 80);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, forward_lab_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_forward_guard_drops_by_name_what_it_is_against),
        TEST(test_forward_guard_is_against_nothing_else),
        TEST(test_forward_guard_is_for_what_its_port_sends),
        TEST(test_forward_guard_lets_the_frames_beside_be),
        TEST(test_forward_guard_drops_what_goes_to_one_port),
        TEST(test_forward_guard_leaves_a_tagged_frame_as_it_came),
        TEST(test_forward_guard_has_no_say_when_it_is_dropped_already),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
