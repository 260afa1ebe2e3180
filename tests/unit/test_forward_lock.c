/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who may send from which address, and where frames for nobody known may go: the lock, pinned
 * addresses, and the groups that are reserved for a link.
 */
#include "switch/forward.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "switch/mac.h"
#include "tests/support/forward_lab.h"
#include "tests/support/frame_builder.h"

#define GROUP UINT64_C(0x01005e0000fb)
#define LINK_GROUP(n) (UINT64_C(0x0180c2000000) + (n))

static const struct vswitch_vnic locked = { .spoof_guard = true };

/* On external switch "red", with the host's adapter: two locked ports and an open one. */
static struct {
    uint16_t locked, other, open, uplink, host;
} port;
static uint64_t own;               /* the address of the locked one */

static int setup(void **state)
{
    const struct vswitch_switch external = { .type = VSWITCH_EXTERNAL, .uplink = "eth9",
                                             .host_vnic = true };
    struct forward_lab *lab;

    (void)forward_lab_setup(state);
    lab = *state;
    forward_lab_switch(lab, "red", &external);
    port.locked = forward_lab_vnic(lab, "red", "locked", "none", &locked);
    port.other = forward_lab_vnic(lab, "red", "other", "none", &locked);
    port.open = forward_lab_vnic(lab, "red", "open", "none", NULL);
    port.uplink = vswitch_find(lab->model, "red")->uplink_port;
    port.host = vswitch_find(lab->model, "red")->host_port;
    own = forward_lab_mac(lab, "locked");
    forward_lab_compile(lab);
    return 0;
}

static const struct frame *send(struct forward_lab *lab, uint16_t from, uint64_t destination,
                                uint64_t source)
{
    return forward_lab_frame(lab, from, destination, source, NO_TAG);
}

/* ---- the lock -------------------------------------------------------------------------------- */

static void test_forward_lock_own_address_may_send_and_is_not_noted(void **state)
{
    struct forward_lab *lab = *state;

    assert_int_equal(send(lab, port.locked, MAC_BROADCAST, own)->port_out, PORT_FLOOD);
    assert_int_equal(lab->notes.count, 0);
    assert_true(lab->classes.spoofed_mac == 0);
}

static void test_forward_lock_other_address_is_dropped_shown_and_not_noted(void **state)
{
    struct forward_lab *lab = *state;

    forward_lab_dropped(send(lab, port.locked, MAC_BROADCAST, MAC(7)), DROP_SPOOFED_SOURCE);
    assert_int_equal(lab->notes.count, 0);
    assert_true(lab->classes.spoofed_mac == MAC(7));
    assert_int_equal(lab->classes.broadcast_frames, 1);
    assert_int_equal(lab->batch.flood_count, 0);
    forward_lab_dropped(send(lab, port.locked, MAC(1), forward_lab_mac(lab, "other")),
                        DROP_SPOOFED_SOURCE);
    forward_lab_dropped(send(lab, port.locked, MAC(1), 0), DROP_SOURCE_ZERO);
    assert_true(lab->classes.spoofed_mac == 0);
}

static void test_forward_lock_last_address_tried_is_shown(void **state)
{
    struct forward_lab *lab = *state;

    batch_start(&lab->batch, port.locked);
    batch_add(&lab->batch, GROUP, MAC(7));
    batch_add(&lab->batch, GROUP, MAC(8));
    batch_add(&lab->batch, GROUP, own);
    forward_lab_run(lab);

    assert_true(lab->classes.spoofed_mac == MAC(8));
    forward_lab_dropped(&lab->batch.frame[1], DROP_SPOOFED_SOURCE);
    assert_int_equal(lab->batch.frame[2].port_out, PORT_FLOOD);
}

static void test_forward_lock_allowed_addresses_may_send_and_are_reached(void **state)
{
    const struct vswitch_vnic more = { .spoof_guard = true, .allowed_mac = { MAC(5), MAC(6) },
                                       .allowed_mac_count = 2 };
    struct forward_lab *lab = *state;
    const uint16_t router = forward_lab_vnic(lab, "red", "router", "none", &more);

    forward_lab_compile(lab);

    for (unsigned i = 4; i < 8; i++) {
        const struct frame *frame = send(lab, router, MAC_BROADCAST, MAC(i));

        if (i == 5 || i == 6) {
            assert_int_equal(frame->port_out, PORT_FLOOD);
            assert_int_equal(send(lab, port.open, MAC(i), MAC(1))->port_out, router);
        } else {
            forward_lab_dropped(frame, DROP_SPOOFED_SOURCE);
        }
    }
}

/* ---- unknown unicast ------------------------------------------------------------------------- */

static void test_forward_lock_unknown_unicast_goes_to_open_ports_only(void **state)
{
    struct forward_lab *lab = *state;
    const struct frame *frame = send(lab, port.locked, MAC(9), own);

    assert_int_equal(frame->port_out, PORT_FLOOD);
    assert_int_equal(forward_lab_delivery(lab, frame, port.locked), '-');
    assert_int_equal(forward_lab_delivery(lab, frame, port.other), '-');
    assert_int_equal(forward_lab_delivery(lab, frame, port.open), 'u');
    assert_int_equal(forward_lab_delivery(lab, frame, port.uplink), 'u');
    assert_int_equal(forward_lab_delivery(lab, frame, port.host), 'u');
    frame = send(lab, port.locked, GROUP, own);
    assert_int_equal(forward_lab_delivery(lab, frame, port.other), 'u');
}

static void test_forward_lock_unknown_unicast_that_no_port_takes_is_dropped(void **state)
{
    struct forward_lab *lab = *state;
    uint16_t first, open;

    forward_lab_switch(lab, "blue", NULL);
    first = forward_lab_vnic(lab, "blue", "first", "none", &locked);
    forward_lab_compile(lab);
    forward_lab_dropped(send(lab, first, MAC(9), forward_lab_mac(lab, "first")),
                        DROP_NO_OTHER_PORT);

    forward_lab_vnic(lab, "blue", "second", "none", &locked);
    forward_lab_compile(lab);
    forward_lab_dropped(send(lab, first, MAC(9), forward_lab_mac(lab, "first")),
                        DROP_UNKNOWN_UNICAST);
    assert_int_equal(send(lab, first, GROUP, forward_lab_mac(lab, "first"))->port_out, PORT_FLOOD);

    open = forward_lab_vnic(lab, "blue", "third", "none", NULL);
    forward_lab_compile(lab);
    assert_int_equal(send(lab, first, MAC(9), forward_lab_mac(lab, "first"))->port_out, PORT_FLOOD);
    forward_lab_dropped(send(lab, open, MAC(9), MAC(1)), DROP_UNKNOWN_UNICAST);
}

/* An isolated port does not receive the VLAN it sends in, so it is in no list of that. */
static void test_forward_lock_isolated_sender_is_not_counted_as_a_taker(void **state)
{
    struct forward_lab *lab = *state;
    uint16_t lone;

    forward_lab_switch(lab, "blue", NULL);
    lone = forward_lab_vnic(lab, "blue", "lone", "isolated:100,201", NULL);
    forward_lab_compile(lab);
    forward_lab_dropped(send(lab, lone, GROUP, MAC(1)), DROP_NO_OTHER_PORT);

    forward_lab_vnic(lab, "blue", "way-out", "promiscuous:100,201", NULL);
    forward_lab_compile(lab);
    assert_int_equal(send(lab, lone, GROUP, MAC(1))->port_out, PORT_FLOOD);
    assert_int_equal(send(lab, lone, MAC(9), MAC(1))->port_out, PORT_FLOOD);
}

/* ---- pinned addresses ------------------------------------------------------------------------ */

static void test_forward_lock_address_of_another_port_is_dropped_whoever_sends_it(void **state)
{
    struct forward_lab *lab = *state;
    const uint64_t host = vswitch_find(lab->model, "red")->host_mac;

    forward_lab_dropped(send(lab, port.open, GROUP, own), DROP_SOURCE_ELSEWHERE);
    forward_lab_dropped(send(lab, port.uplink, GROUP, own), DROP_SOURCE_ELSEWHERE);
    forward_lab_dropped(send(lab, port.host, GROUP, own), DROP_SOURCE_ELSEWHERE);
    forward_lab_dropped(send(lab, port.uplink, GROUP, host), DROP_SOURCE_ELSEWHERE);
    assert_int_equal(lab->notes.count, 0);
    assert_int_equal(send(lab, port.host, GROUP, host)->port_out, PORT_FLOOD);
    assert_int_equal(send(lab, port.host, GROUP, MAC(3))->port_out, PORT_FLOOD);
    assert_int_equal(lab->notes.count, 1);
}

static void test_forward_lock_trunk_keeps_its_address_in_every_vlan(void **state)
{
    struct forward_lab *lab = *state;
    const uint16_t trunk = forward_lab_vnic(lab, "red", "trunk", "trunk:10-20,native:30", &locked);
    const uint16_t access = forward_lab_vnic(lab, "red", "access", "access:15", NULL);
    const uint64_t mac = forward_lab_mac(lab, "trunk");

    forward_lab_compile(lab);

    assert_int_equal(forward_lab_frame(lab, port.uplink, mac, MAC(1), 30)->port_out, trunk);
    assert_int_equal(forward_lab_frame(lab, port.uplink, mac, MAC(1), 12)->port_out, trunk);
    assert_int_equal(send(lab, access, mac, MAC(1))->port_out, trunk);
    forward_lab_dropped(forward_lab_frame(lab, port.uplink, mac, MAC(1), 21), DROP_VLAN_KEPT_APART);
    forward_lab_dropped(send(lab, access, GROUP, mac), DROP_SOURCE_ELSEWHERE);
    forward_lab_dropped(forward_lab_frame(lab, port.uplink, GROUP, mac, 21),
                        DROP_SOURCE_ELSEWHERE);
    assert_int_equal(lab->notes.count, 0);
    forward_lab_dropped(forward_lab_frame(lab, trunk, GROUP, MAC(1), 12), DROP_SPOOFED_SOURCE);
    assert_int_equal(forward_lab_frame(lab, trunk, MAC(1), mac, 12)->port_out, PORT_FLOOD);
    forward_lab_dropped(forward_lab_frame(lab, trunk, mac, mac, 12), DROP_BACK_TO_SENDER);
}

/* What is known of an address in its VLAN goes before what holds in all. */
static void test_forward_lock_address_in_a_vlan_goes_before_one_in_all(void **state)
{
    struct forward_lab *lab = *state;
    const uint16_t trunk = forward_lab_vnic(lab, "red", "trunk", "trunk:10,11,native:30", &locked);
    const uint16_t access = forward_lab_vnic(lab, "red", "access", "access:10", NULL);
    struct mac_table *table;

    forward_lab_compile(lab);
    table = forward_lab_table(lab, "red");
    assert_int_equal(mac_table_add_static(table, MAC(8), MAC_TABLE_ANY_VLAN, trunk), 0);
    assert_int_equal(mac_table_add_static(table, MAC(8), 10, access), 0);

    assert_int_equal(forward_lab_frame(lab, port.uplink, MAC(8), MAC(1), 10)->port_out, access);
    assert_int_equal(forward_lab_frame(lab, port.uplink, MAC(8), MAC(1), 11)->port_out, trunk);
    assert_int_equal(send(lab, access, GROUP, MAC(8))->port_out, PORT_FLOOD);
}

/* ---- groups that are reserved for the link --------------------------------------------------- */

static void test_forward_lock_reserved_groups_stop_at_a_switch_with_an_uplink(void **state)
{
    struct forward_lab *lab = *state;

    for (unsigned n = 0; n < 16; n++) {
        forward_lab_dropped(send(lab, port.open, LINK_GROUP(n), MAC(1)), DROP_RESERVED_GROUP);
        forward_lab_dropped(send(lab, port.uplink, LINK_GROUP(n), MAC(2)), DROP_RESERVED_GROUP);
        assert_int_equal(lab->classes.multicast_frames, 1);
    }
    assert_int_equal(send(lab, port.open, LINK_GROUP(16), MAC(1))->port_out, PORT_FLOOD);
    assert_int_equal(send(lab, port.open, LINK_GROUP(0) - 1, MAC(1))->port_out, PORT_FLOOD);
    assert_int_equal(send(lab, port.open, LINK_GROUP(0) ^ UINT64_C(1) << 40, MAC(1))->port_out,
                     PORT_FLOOD);
}

static void test_forward_lock_reserved_groups_are_flooded_on_other_switches(void **state)
{
    const struct vswitch_switch internal = { .type = VSWITCH_INTERNAL, .host_vnic = true };
    struct forward_lab *lab = *state;
    uint16_t from;

    forward_lab_switch(lab, "green", &internal);
    from = forward_lab_vnic(lab, "green", "g", "none", NULL);
    forward_lab_compile(lab);

    assert_int_equal(send(lab, from, LINK_GROUP(2), MAC(1))->port_out, PORT_FLOOD);
}

#define LAB_TEST(name) cmocka_unit_test_setup_teardown(name, setup, forward_lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_forward_lock_own_address_may_send_and_is_not_noted),
        LAB_TEST(test_forward_lock_other_address_is_dropped_shown_and_not_noted),
        LAB_TEST(test_forward_lock_last_address_tried_is_shown),
        LAB_TEST(test_forward_lock_allowed_addresses_may_send_and_are_reached),
        LAB_TEST(test_forward_lock_unknown_unicast_goes_to_open_ports_only),
        LAB_TEST(test_forward_lock_unknown_unicast_that_no_port_takes_is_dropped),
        LAB_TEST(test_forward_lock_isolated_sender_is_not_counted_as_a_taker),
        LAB_TEST(test_forward_lock_address_of_another_port_is_dropped_whoever_sends_it),
        LAB_TEST(test_forward_lock_trunk_keeps_its_address_in_every_vlan),
        LAB_TEST(test_forward_lock_address_in_a_vlan_goes_before_one_in_all),
        LAB_TEST(test_forward_lock_reserved_groups_stop_at_a_switch_with_an_uplink),
        LAB_TEST(test_forward_lock_reserved_groups_are_flooded_on_other_switches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
