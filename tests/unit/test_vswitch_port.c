/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports of all kinds seen alike, and the addresses that are pinned because of them.
 */
#include "switch/vswitch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/model_lab.h"

#define PINS_MAX 16

/* "ext" has an uplink, the host and vNIC web; "red" only vNIC db. */
static void add_ports(struct lab *lab)
{
    struct vswitch_switch ext = an_external("ext", "eth1");
    struct vswitch_vnic web = a_vnic("web");

    ext.host_vnic = true;
    ext.host_vlan = a_vlan("access:7");
    add(lab, "red");
    add_made(lab, ext);
    add_vnic(lab, "red", "db");
    web.mac = MAC_1;
    web.spoof_guard = true;
    web.router_guard = true;
    web.mtu_bytes = 1400;
    web.queues = 4;
    web.vlan = a_vlan("access:10");
    assert_int_equal(vswitch_add_vnic(lab->model, "ext", &web, &lab->error), 0);
}

static void test_vswitch_port_next_names_uplink_host_then_vnics(void **state)
{
    static const char *const of_ext[] = { "eth1", "ext", "web" };
    static const char *const of_all[] = { "eth1", "ext", "db", "web" };
    struct lab *lab = *state;
    struct vswitch_port port;
    size_t cursor = 0, count = 0;
    uint16_t id;

    add_ports(lab);
    id = vswitch_find(lab->model, "ext")->id;
    while (vswitch_port_next(lab->model, id, &cursor, &port)) {
        assert_string_equal(port.name, of_ext[count++]);
    }
    assert_int_equal(count, 3);
    cursor = count = 0;
    while (vswitch_port_next(lab->model, FABRIC_MAX_SWITCHES, &cursor, &port)) {
        struct vswitch_port same;

        assert_string_equal(port.name, of_all[count++]);
        assert_true(vswitch_port_at(lab->model, port.number, &same));
        assert_string_equal(same.name, port.name);
    }
    assert_int_equal(count, 4);
    assert_false(vswitch_port_at(lab->model, VSWITCH_NO_PORT, &port));
    assert_false(vswitch_port_at(lab->model, 1000, &port));
}

static void test_vswitch_port_says_what_it_is(void **state)
{
    struct lab *lab = *state;
    const uint16_t any = FABRIC_MAX_SWITCHES;
    struct vswitch_port port;

    add_ports(lab);
    assert_true(vswitch_port_named(lab->model, any, "web", &port));
    assert_int_equal(port.kind, VSWITCH_PORT_VNIC);
    assert_string_equal(vswitch_port_kind_word(port.kind), "vnic");
    assert_true(port.locked && !port.priority_trust && port.mac == MAC_1);
    assert_true(port.router_guard && !port.dhcp_guard);
    assert_int_equal(port.mtu_bytes, 1400);
    assert_int_equal(port.queues, 4);
    assert_int_equal(port.vlan->vid, 10);
    assert_ptr_equal(port.vnic, vswitch_find_vnic(lab->model, "web"));

    assert_true(vswitch_port_named(lab->model, any, "ext", &port));
    assert_string_equal(vswitch_port_kind_word(port.kind), "host");
    assert_true(!port.locked && port.priority_trust && port.mac == POOL_MAC);
    assert_int_equal(port.mtu_bytes, 1500);
    assert_int_equal(port.vlan->vid, 7);
    assert_null(port.vnic);

    assert_true(vswitch_port_named(lab->model, any, "eth1", &port));
    assert_string_equal(vswitch_port_kind_word(port.kind), "uplink");
    assert_true(!port.locked && port.priority_trust && port.mac == 0);
    assert_ptr_equal(port.vlan, vlan_policy_of_uplink());

    assert_false(vswitch_port_named(lab->model, vswitch_find(lab->model, "red")->id, "web", &port));
    assert_false(vswitch_port_named(lab->model, any, "red", &port));
}

static void test_vswitch_numbers_of_ports_of_all_kinds_differ(void **state)
{
    struct lab *lab = *state;
    bool used[FABRIC_MAX_PORTS] = { false };
    struct vswitch_port port;
    size_t cursor = 0;
    char name[16], uplink[16];

    for (unsigned i = 0; i < 40; i++) {
        struct vswitch_switch ext;

        snprintf(name, sizeof(name), "s%u", i);
        snprintf(uplink, sizeof(uplink), "eth%u", i);
        ext = an_external(name, uplink);
        ext.host_vnic = true;
        add_made(lab, ext);
        snprintf(uplink, sizeof(uplink), "v%u", i);
        add_vnic(lab, name, uplink);
    }
    while (vswitch_port_next(lab->model, FABRIC_MAX_SWITCHES, &cursor, &port)) {
        assert_true(port.number < FABRIC_MAX_PORTS);
        assert_false(used[port.number]);
        used[port.number] = true;
    }
}

/* ---- pins ------------------------------------------------------------------------------------ */

static bool is_pinned(const struct lab *lab, uint64_t mac, uint16_t fid, const char *port_name)
{
    struct vswitch_pin pins[PINS_MAX];
    const size_t count = vswitch_pins(lab->model, pins, PINS_MAX);
    struct vswitch_port port;

    assert_true(count <= PINS_MAX);
    assert_true(vswitch_port_named(lab->model, FABRIC_MAX_SWITCHES, port_name, &port));
    for (size_t i = 0; i < count; i++) {
        if (pins[i].mac == mac && pins[i].fid == fid && pins[i].port == port.number &&
            pins[i].switch_id == port.switch_id) {
            return true;
        }
    }
    return false;
}

static void test_vswitch_pins_are_own_addresses_and_static_ones(void **state)
{
    struct lab *lab = *state;
    struct vswitch_pin pin;

    add_ports(lab);
    assert_int_equal(vswitch_add_mac(lab->model, "ext", MAC_2, 20, "eth1", &lab->error), 0);

    assert_int_equal(vswitch_pins(lab->model, NULL, 0), 3);
    assert_int_equal(vswitch_pins(lab->model, &pin, 1), 3);
    assert_true(is_pinned(lab, MAC_2, 20, "eth1"));
    assert_true(is_pinned(lab, POOL_MAC, 7, "ext"));
    assert_true(is_pinned(lab, MAC_1, 10, "web"));
}

static void test_vswitch_allowed_addresses_are_pinned_too(void **state)
{
    struct lab *lab = *state;
    struct vswitch_vnic web = a_vnic("web");

    add_ports(lab);
    web.queues = 4;
    web.spoof_guard = true;
    web.allowed_mac[0] = MAC_2;
    web.allowed_mac_count = 1;
    assert_int_equal(vswitch_set_vnic(lab->model, &web, &lab->error), 0);
    assert_true(is_pinned(lab, MAC_1, 0, "web"));
    assert_true(is_pinned(lab, MAC_2, 0, "web"));
    web.spoof_guard = false;
    assert_int_equal(vswitch_set_vnic(lab->model, &web, &lab->error), 0);
    assert_int_equal(vswitch_pins(lab->model, NULL, 0), 1);
}

static void test_vswitch_trunk_is_pinned_in_every_vlan(void **state)
{
    struct lab *lab = *state;
    struct vswitch_vnic web = a_vnic("web");

    add_ports(lab);
    web.queues = 4;
    web.spoof_guard = true;
    web.vlan = a_vlan("trunk:20-29,native:5");
    assert_int_equal(vswitch_set_vnic(lab->model, &web, &lab->error), 0);
    assert_true(is_pinned(lab, MAC_1, 5, "web"));
    assert_true(is_pinned(lab, MAC_1, MAC_TABLE_ANY_VLAN, "web"));
    assert_int_equal(vswitch_pins(lab->model, NULL, 0), 3);
}

static void test_vswitch_private_vlan_is_pinned_in_its_primary(void **state)
{
    struct lab *lab = *state;
    struct vswitch_vnic web = a_vnic("web");

    add_ports(lab);
    web.queues = 4;
    web.spoof_guard = true;
    web.vlan = a_vlan("isolated:100,201");
    assert_int_equal(vswitch_set_vnic(lab->model, &web, &lab->error), 0);
    assert_true(is_pinned(lab, MAC_1, 100, "web"));
    assert_int_equal(vswitch_add_mac(lab->model, "ext", MAC_2, 201, "eth1", &lab->error), 0);
    assert_true(is_pinned(lab, MAC_2, 100, "eth1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_vswitch_port_next_names_uplink_host_then_vnics),
        LAB_TEST(test_vswitch_port_says_what_it_is),
        LAB_TEST(test_vswitch_numbers_of_ports_of_all_kinds_differ),
        LAB_TEST(test_vswitch_pins_are_own_addresses_and_static_ones),
        LAB_TEST(test_vswitch_allowed_addresses_are_pinned_too),
        LAB_TEST(test_vswitch_trunk_is_pinned_in_every_vlan),
        LAB_TEST(test_vswitch_private_vlan_is_pinned_in_its_primary),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
